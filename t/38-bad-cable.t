# Between a gateway and its Redis, packets are lost, or the cable is cut: requests do not notice, writes are acknowledged or not,
# and all gateways end up with the same.  In network namespaces of its own.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
BEGIN { # its own world: nothing of it is the machine's
    if (!$^C && !$ENV{KSGATE_OWN_NETWORK}) { # not when only its syntax is looked at
        my $reason = `unshare -n sh -c 'ip link set lo up && ip link add a0 type veth peer name a1' 2>&1`;
        plan skip_all => "no network namespaces may be made here: $reason" if $? != 0;
        $ENV{KSGATE_OWN_NETWORK} = 1;
        exec 'unshare', '-n', $^X, $0;
    }
}
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::Redis;

my $seed = $ENV{KSGATE_SEED} // (time * 1000) % 1_000_000;
diag "KSGATE_SEED=$seed";

sub run { my $r = Gateway::Process::run({}, @_); die "@_: $r->{err}" if $r->{code} != 0; return $r->{out} }

# ---- The cable: here0 ... here1 = lossy.py = there1 ... there0 in the other namespace, where Redis is ---------------------------

run(qw(ip link set lo up));
my $dir = tempdir();
my $other = Gateway::Process->new(name => 'namespace', log => "$dir/log", expected_end => 1, command => ['unshare', '-n', 'sleep', '1000']);
my $net = sub { readlink('/proc/' . $_[0] . '/ns/net') // '' };
eventually { $net->($other->pid) ne $net->($$) && slurp('/proc/' . $other->pid . '/cmdline') =~ /^sleep/ } 'the other namespace';
for my $side (qw(here there)) {
    run('ip', 'link', 'add', "${side}0", 'type', 'veth', 'peer', 'name', "${side}1");
    run('python3', 't/lib/lossy.py', 'plain', "${side}0", "${side}1");
}
run('ip', 'link', 'set', 'there0', 'netns', $other->pid);
my @there = ('nsenter', '-t', $other->pid, '-n');
run(qw(ip address add 10.99.0.1/24 dev here0));
run(@there, qw(ip address add 10.99.0.2/24 dev there0));
run(@there, qw(ip link set there0 up));
run('ip', 'link', 'set', $_, 'up') for qw(here0 here1 there1);
my $cable = Gateway::Process->new(name => 'lossy.py', log => "$dir/log", expected_end => 1,
    command => ['python3', 't/lib/lossy.py', $seed, 'here1', 'there1']);
my $server = Gateway::Process->new(name => 'redis-server', log => "$dir/log", expected_end => 1,
    command => [@there, 'redis-server', '--bind', '10.99.0.2', '--protected-mode', 'no', '--dir', $dir, '--save', '',
        '--unixsocket', "$dir/redis.sock", '--unixsocketperm', '777']);

sub redis_says { return Gateway::Redis::ask(Gateway::Client->new(to => "$dir/redis.sock"), @_) }

eventually { (eval { redis_says('PING') } // '') eq 'PONG' } 'Redis';

# ---- Two gateways: one by the cable, one beside it -------------------------------------------------------------------------------

my $up = upstream { [200, {}, 'up'] };
my $near = gateway(core => $up->url, config => {registry => {driver => 'redis', sqlite => undef, redis => {url => "unix:$dir/redis.sock"}}});
$near->apply([map { extension($_, $up->url) } qw(a b)]);
my $far = gateway(core => $up->url, config => {registry => {driver => 'redis', sqlite => undef,
    redis => {url => 'redis://10.99.0.2:6379/0', timeout => '1s'}}});
my (%acknowledged, $n);

sub registry_of { return $_[0]->admin(GET => '/-/readyz')->{json}{registry} }

# So many writes by a gateway.
sub write_by {
    my ($gw, $count) = @_;
    my %seen;
    for (1 .. $count) {
        my $name = 'w' . ++$n;
        my $r = $gw->admin(PUT => path_of($name), extension($name, $up->url));
        $acknowledged{$name} = 1 if $r->{status} == 201;
        $seen{$r->{status}}++;
    }
    return \%seen;
}

# After what was done the cable is well again, and so is everybody.
sub heals {
    my ($what) = @_;
    $cable->kill('HUP');
    eventually {
        my ($x, $y) = map { registry_of($_) } $near, $far;
        $y->{state} eq 'fresh' && $y->{live}{revision} == redis_says('GET', '{ksgate}:revision') && $x->{live}{checksum} eq $y->{live}{checksum} && $x->{live}{revision} == $y->{live}{revision};
    } 'both to be of the same mind', 30;
    my %stored = map { $_ => 1 } @{redis_says('HKEYS', '{ksgate}:objects')};
    is_deeply [grep { !$stored{"ksgate.io/ExtensionService//$_"} } sort keys %acknowledged], [], "$what: what was acknowledged is there";
    is_deeply [grep { $far->request(GET => "/extensions/$_/x")->{status} != 200 } sort keys %acknowledged], [], '... and live behind the cable';
    return;
}

my $load = Gateway::Load->new($far, paths => ['/extensions/a/x', '/extensions/b/x']);

# A lost packet is sent again: what takes longer than the timeout is a new connection.
$cable->kill('USR1');
my %seen;
eventually {
    my $more = write_by($far, 5);
    $seen{$_} += $more->{$_} for keys %$more;
    ($seen{201} // 0) >= 40;
} 'writes by a bad cable', 60;
write_by($near, 40);
is_deeply [grep { !/^(?:201|503)$/ } keys %seen], [], 'with one packet of ten lost, writes get through, or are refused as what they are';
diag "by a bad cable, $seen{201} writes were acknowledged, and " . ($seen{503} // 0) . ' not';
heals('one packet of ten');

# Nothing comes, and nobody says so.
for my $how (['USR2', 'cut'], ['WINCH', 'cut one way']) {
    my ($signal, $what) = @$how;
    my $start = time;
    $cable->kill($signal);
    eventually { registry_of($far)->{state} eq 'stale' } 'it to be noticed';
    diag sprintf '%s: noticed after %.1f s', $what, time - $start;
    like registry_of($far)->{reason}, qr/no answer within|no connection within/, "a cable that is $what is noticed, and said";
    write_by($near, 20);
    my $refused = write_by($far, 2);
    is_deeply $refused, {503 => 2}, '... writes are not acknowledged';
    heals($what);
}

# In and out, while others write.
for (1 .. 5) {
    $cable->kill('USR2');
    write_by($near, 5);
    $cable->kill('USR1');
    write_by($far, 2);
}
heals('a loose contact');
my $all = $load->stop;
is $all->{failed}, 0, "none of $all->{requests} requests failed" or diag explain $all->{words};

done_testing;
