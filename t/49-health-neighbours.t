# Backends come, move and go, and what is known of those that stay stays: who is ill, who is well, and how many answers in a row
# have already spoken for or against it. Who has gone is not asked any more (apisix #13141, #13385, #13282, #12803).
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

my $mood = tempdir();
sub feel { my ($name, $word) = @_; spew("$mood/$name.new", $word); return rename "$mood/$name.new", "$mood/$name" }

# Answers checks by the word in its file; `stepped` ones only when the test says so.
sub backend {
    my ($name, $stepped) = @_;
    feel($name, 'well');
    return upstream {
        my ($r) = @_;
        return [200, {}, $name] if $r->{path} ne '/healthz';
        $r->hold if $stepped;
        return [slurp("$mood/$name") eq 'ill' ? 500 : 200, {}, ''];
    };
}

my %up = map { $_ => backend($_, $_ eq 'a') } qw(a b c d e);
my $ms = 100 * slow();
my $check = {interval => "${ms}ms", timeout => '60s', unhealthy => 3, healthy => 2};
my $redis = redis();
# One is looked at, the other one makes half of the changes. One worker: another one would remember what the first forgets.
my ($gw, $other) = map { gateway(redis => $redis, workers => 1) } 1, 2;
my $api = '/-/apis/ksgate.io/v1';

sub register {
    my ($at, $id, $name, %more) = @_;
    my $r = $at->admin(PUT => "$api/extensionservices/pods/endpoints/$id?wait=fleet", {url => $up{$name}->url, leaseSeconds => 600, %more});
    return $r->{status} =~ /^20[01]$/ || die "$id: $r->{status} $r->{body}\n";
}
sub leave {
    my ($at, $id) = @_;
    my $r = $at->admin(DELETE => "$api/extensionservices/pods/endpoints/$id?wait=fleet");
    return $r->{status} == 200 || die "$id: $r->{status} $r->{body}\n";
}
# By this gateway alone: the other one asks, too.
sub checks { return scalar grep { $_->{path} eq '/healthz' } $up{$_[0]}->requests }
sub listed { my ($item) = grep { $_->{name} eq 'pods' } @{$gw->admin(GET => "$api/extensions")->{json}{items}}; return {map { $_->{url} => $_ } @{$item->{endpoints}}} }
sub state_of { return listed()->{$up{$_[0]}->url} // {} }
sub is_up { my $s = state_of(@_); return $s->{healthy} && $s->{reason} eq 'GET /healthz: 200' }
sub is_down { my $s = state_of(@_); return exists $s->{healthy} && !$s->{healthy} }
sub metric { my ($name) = @_; my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name"; return $n }
sub answers { my %n; $n{$gw->request(GET => '/extensions/pods/x')->{body}}++ for 1 .. 24; return \%n }

# Whatever can happen beside an endpoint, by turns at these gateways.
sub neighbours_change {
    for my $n (1 .. 8) {
        my $at = $_[$n % @_];
        register($at, 'passing', 'c');
        register($at, 'passing', 'd'); # it moves
        register($at, 'passing', 'd', weight => 1 + $n);
        register($at, 'passing', 'd', draining => JSON::PP::true);
        leave($at, 'passing');
        my $r = $at->admin(PUT => path_of("beside-$n", 'wait=fleet'), extension("beside-$n", $up{c}->url, healthCheck => $check));
        die "beside: $r->{status} $r->{body}\n" if $r->{status} != 201;
        $r = $at->admin(PUT => path_of('pods', 'wait=fleet'), extension('pods', undef, healthCheck => $check, retry => {attempts => $n % 2}));
        die "pods: $r->{status} $r->{body}\n" if $r->{status} != 200;
        $r = $at->admin(DELETE => path_of("beside-$n", 'wait=fleet'));
        die "beside: $r->{status} $r->{body}\n" if $r->{status} != 200;
    }
    return;
}

# ---- How many answers in a row: the checks of a wait for the test ------------------------------------------------

$other->stop; # two who ask could not be told apart
$gw->apply([extension('pods', undef, healthCheck => $check)]);
my $steps = 0;
# A check of a is there, and waits.
sub asked { return eventually { checks('a') > $steps } 'the next check of a' }
sub step { my ($word) = @_; asked(); feel(a => $word); $steps++; $up{a}->release; asked(); return }

register($gw, 'a', 'a');
register($gw, 'b', 'b');
step('well');
ok is_up('a'), 'it is well';
step('ill') for 1, 2;
ok is_up('a'), 'two bad answers of three: still up';
neighbours_change($gw);
is checks('a'), $steps + 1, 'neighbours change: the check that runs goes on, and is not made anew';
ok is_up('a'), '... and it is up';
step('ill');
ok is_down('a'), 'the third one counts with those of before: it is down';
step('well');
ok is_down('a'), 'one good answer of two: still down';
neighbours_change($gw);
step('well');
ok is_up('a'), 'the second one counts with that of before: it is up';
step('ill') for 1 .. 3;
ok is_down('a'), 'it is down once more';

# ---- What is believed, in both directions --------------------------------------------------------------------------

$other->start;
ok eventually { is_up('b') }, 'a neighbour is well';
my ($a, $b) = map { state_of($_) } qw(a b);
my $before = checks('b');
neighbours_change($gw, $other);
register($gw, 'short', 'e', leaseSeconds => 2); # and one whose lease ends
ok eventually { is_up('e') }, 'one that comes is well';
ok eventually { !exists listed()->{$up{e}->url} }, '... and its lease ends';
is_deeply state_of('a'), $a, 'all the while it is known who is ill, and since when';
is_deeply state_of('b'), $b, '... and who is well';
is_deeply [keys %{answers()}], ['b'], '... by which requests go';
ok eventually { checks('b') >= $before + 8 }, '... and who stays is asked on and on';

# ---- Who has gone ----------------------------------------------------------------------------------------------------

$other->stop;
for my $case (
    ['leaves', sub { leave($gw, 'c') }],
    ['moves elsewhere', sub { register($gw, 'c', 'd') }, sub { leave($gw, 'c') }],
    ['has let its lease end', sub { register($gw, 'c', 'c', leaseSeconds => 2) }],
    ['is taken out of the registry by another program', sub { $redis->command(EVAL => scalar ksgate('registry', 'script')->{out}, 1, '{ksgate}:', 'delete', 'ksgate.io/Endpoint//pods.c', 'any', 0) }],
) {
    my ($how, $go, $after) = @$case;
    register($gw, 'c', 'c');
    ok eventually { is_up('c') }, 'one is asked';
    $go->();
    ok eventually { !exists listed()->{$up{c}->url} && $gw->admin(GET => '/-/metrics')->{body} !~ /\Q@{[$up{c}->url]}\E/ }, "who $how is gone, of the metrics, too";
    my ($n, $m) = (checks('c'), checks('b'));
    ok eventually { checks('b') >= $m + 6 }, 'the others are asked';
    is checks('c'), $n, "... and who $how is not";
    $after->() if $after;
}
is metric('ksgate_endpoints_checked'), 2, 'those that stay are checked';
is_deeply state_of('a'), $a, '... and are as they were';
my $asked = checks('a'); # by the other gateway, too, which has waited in vain
leave($gw, 'a');
ok eventually { metric('ksgate_endpoints_checked') == 1 }, 'one that leaves while it is asked is gone at once, though it has not answered';
$up{a}->release for 1, 2;
$before = checks('b');
ok eventually { checks('b') >= $before + 6 }, 'its answer comes';
ok !exists listed()->{$up{a}->url}, '... and nobody listens';
is checks('a'), $asked, '... nor asks again';

# ---- Left alone for failing: that stays, too -----------------------------------------------------------------------------

{
    my @long = (outlier => {consecutiveErrors => 2, ejectFor => '1h'}, loadBalancer => {policy => 'round_robin'});
    my $dead = 'http://127.0.0.1:' . free_port();
    my $put = sub { my $r = $gw->admin(PUT => path_of('hurt', 'wait=live'), extension('hurt', undef, @long, endpoints => [map { {url => $_} } @_])); return $r->{status} =~ /^20/ || die $r->{body} };
    $put->($up{b}->url, $dead, $up{d}->url);
    $gw->request(GET => '/extensions/hurt/x') for 1 .. 60;
    is metric('ksgate_endpoints_ejected'), 1, 'a backend that fails is left alone';
    my $ejections = metric('ksgate_endpoint_ejections_total');
    for my $n (1 .. 20) {
        $put->($up{b}->url, $dead, ($n % 2 ? $up{e}->url : $up{d}->url));
        $gw->request(GET => '/extensions/hurt/x') for 1 .. 4;
    }
    is metric('ksgate_endpoints_ejected'), 1, 'others change, and it is left alone';
    is metric('ksgate_endpoint_ejections_total'), $ejections, '... without anybody having to find out again';
}

done_testing;
