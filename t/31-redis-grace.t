# Leases while Redis is away: they do not run, and begin anew when it is back.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Time::HiRes qw(time sleep);

# ---- What the script does, by times that Redis is told --------------------------------------------------

my $script = ksgate('registry', 'script')->{out};
sub endpoint_key { return "ksgate.io/Endpoint//$_[0]" }
sub op { my ($redis, @args) = @_; return $redis->command(EVAL => $script, 1, '{ksgate}:', @args) }
sub put {
    my ($redis, $name, $lease_ms, $seconds) = @_;
    my $lease = defined $seconds ? qq(,"leaseSeconds":$seconds) : '';
    return op($redis, 'put', endpoint_key($name), qq({"metadata":{"name":"$name"},"apiVersion":"ksgate.io/v1","kind":"Endpoint","spec":{"extension":"shop"$lease,"url":"http://127.0.0.1:1"}}), 'any', 0, $lease_ms);
}
sub now { my ($s, $us) = @{$_[0]->command('TIME')}; return $s * 1000 + int $us / 1000 }
sub score { return $_[0]->command(ZSCORE => '{ksgate}:leases', endpoint_key($_[1])) }

{
    my $redis = redis();
    # Nobody has called for that long; the leases end in so many ms from then.  All in one step, in which no time passes.
    my $after = sub {
        my ($gap, $late, %left) = @_;
        my @names = sort keys %left;
        my $now = q(local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) );
        my $r = $redis->in_one_step(sub {
            $redis->command(EVAL => $now . q(redis.call('SET', '{ksgate}:ticked', now - ARGV[1])
                for i = 2, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'XX', now - ARGV[1] + ARGV[i], ARGV[i + 1]) end),
                1, '{ksgate}:leases', $gap, map { ($left{$_}, endpoint_key($_)) } @names);
            op($redis, 'expire', 1000, $late);
            $redis->command(EVAL => $now . q(local left = {} for i, name in ipairs(ARGV) do left[i] = (redis.call('ZSCORE', KEYS[1], name) or 0) - now end return left),
                1, '{ksgate}:leases', map { endpoint_key($_) } @names);
        });
        return ($r->[1][0], @{$r->[2]});
    };
    put($redis, a => 2000, 2);
    put($redis, b => 60_000, 60);
    put($redis, c => 2000); # by hand: what it has is not known
    for ([2900, 0], [1600, 0], [1600, 1590], [1300, 0], [700, 200], [450, 0]) { # late: the caller itself was
        my ($gap, $late) = @$_;
        my ($deleted, @left) = $after->($gap, $late, a => 340, b => 200, c => 1000);
        is $deleted, 0, "after a gap of $gap ms ($late of them the caller's own) nothing ends";
        cmp_ok $left[0], '>', 4000, 'but has its whole time, and that in which a gateway comes back';
        cmp_ok $left[0], '<=', 5000, '... and no more';
        cmp_ok $left[1], '>', 62_000, '... the longer one, too';
        cmp_ok $left[1], '<=', 63_000, '... and no more';
        cmp_ok $left[2], '>', 0, '... or else what it had left';
        cmp_ok $left[2], '<=', 1000, '... and no more';
    }
    op($redis, 'delete', endpoint_key('c'), 'any', 0); # it would end amid what comes
    $after->(3000, 0, b => 3200); # it has more left than Redis was away
    my $ends = score($redis, 'b');
    eventually { now($redis) > $ends } 'its end';
    is op($redis, 'expire', 1000)->[0], 0, 'one whose time comes a little later does not end, either';
    cmp_ok score($redis, 'b') - $ends, '>', 62_000, '... but has its whole time since then';
    my ($deleted, $left) = $after->(3000, 0, a => 3_600_000);
    cmp_ok $left, '>', 3_590_000, 'and none becomes shorter';
    is op($redis, 'expire', 1000)->[0], 0, 'the next call finds no gap';

    put($redis, "m$_" => 2000, 2) for 1 .. 3;
    my $then = now($redis) - 20_000;
    $redis->command(SET => '{ksgate}:ticked', "$then 0 0");
    $redis->command(ZADD => '{ksgate}:leases', 'XX', $then + 1000, endpoint_key("m$_")) for 1 .. 3;
    is op($redis, 'expire', 1)->[0], 0, 'of more leases than one call looks at none ends';
    my ($ticked, @absence) = split ' ', $redis->command(GET => '{ksgate}:ticked');
    $redis->command(SET => '{ksgate}:ticked', join ' ', $ticked - 700, @absence);
    is op($redis, 'expire', 1000)->[0], 0, '... nor when Redis was away once more before all were looked at';
    op($redis, 'delete', endpoint_key("m$_"), 'any', 0) for 1 .. 3;
    $redis->command(DEL => '{ksgate}:ticked');
    $redis->command(ZADD => '{ksgate}:leases', now($redis) - 1, endpoint_key('a'));
    is op($redis, 'expire', 1000)->[0], 0, 'the first call of all ends nothing: how long nobody could renew is not known';
    for ([300, 0], [1300, 1000]) {
        my ($gap, $late) = @$_;
        my ($deleted) = $after->($gap, $late, a => 100);
        is $deleted, 1, "$gap ms are none, of which the caller was late by $late: a lease ends";
        is $redis->command(HEXISTS => '{ksgate}:objects', endpoint_key('a')), 0, '... and its object goes';
        put($redis, a => 2000, 2);
    }
}

# ---- Backends that renew in time, at two gateways -------------------------------------------------------

my $api = '/-/apis/ksgate.io/v1';
my $redis = redis();
my @gw = map { gateway(redis => $redis, workers => 1) } 1, 2;
$gw[0]->apply([extension(shop => undef)]);
my @names = map { "s$_" } 0 .. 3;
my @children;
END { kill KILL => @children if @children }
for my $i (0 .. $#names) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        @children = ();
        while (1) { # a third of the lease, as a client has it
            my $next = time + 0.66;
            eval {
                local $SIG{ALRM} = sub { die "late\n" };
                Time::HiRes::ualarm(600_000);
                $gw[$i % 2]->admin(PUT => "$api/extensionservices/shop/endpoints/$names[$i]", {url => 'http://127.0.0.1:1', leaseSeconds => 2});
            };
            Time::HiRes::ualarm(0);
            my $rest = $next - time;
            sleep $rest if $rest > 0;
        }
    }
    push @children, $pid;
}
sub deleted { return grep { my %f = @{$_->[1]}; $f{op} eq 'delete' } @{$redis->command(XRANGE => '{ksgate}:changes', '-', '+')} }
eventually { $redis->command(HLEN => '{ksgate}:objects') == 1 + @names } 'all to be there';
is scalar deleted(), 0, 'none has gone';
for my $away (0.6, 1.4, 2.9, 3.7) {
    $redis->kill;
    sleep $away; # it is away for as long: nothing else happens
    $redis->start;
    my $ups = now($redis);
    eventually { (() = grep { $_ > $ups + 2000 } map { score($redis, "shop.$_") // 0 } @names) == @names } 'each to be renewed';
    eventually { now($redis) > $ups + 5500 } 'the time that is given to all';
    is scalar deleted(), 0, "none ends by a Redis that is away for $away s";
}
kill KILL => @children;
waitpid $_, 0 for @children;
@children = ();
eventually { deleted() == @names } 'the end of those that nobody renews any more', 20;
ok 1, 'they end when they are not renewed';

done_testing;
