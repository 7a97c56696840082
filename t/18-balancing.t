# Several backends, and backends that may only get so much: who gets a request, who waits for how
# long, and that nobody else notices.
use strict;
use warnings;
use Test::More;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

# Answers with its own name; holds what is sent to /hold; echoes after an upgrade.
sub named {
    my ($name) = @_;
    return upstream {
        my ($r) = @_;
        my $c = $r->{client};
        if ($r->{headers}{upgrade}) {
            $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
            do { $r->write($c->take(length $c->{in})) if length $c->{in} } while $c->read_some;
            return;
        }
        $r->hold if $r->{path} =~ m{^/hold};
        return [200, {}, $name];
    };
}

my %up = map { $_ => named($_) } qw(a b c);
my $core = named('core');
my $gw = gateway(core => $core->url, console => $core->url, workers => 1);

sub backends { return [map { {url => $up{$_}->url} } @_] }
sub status { return join ' ', map { $_->response->{status} } @_ }

sub metric {
    my ($name) = @_;
    my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name";
    return $n;
}

sub ask {
    my ($target, %option) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => $target, %option);
    return $c;
}

sub is_status {
    my ($r, $status, $message, $what) = @_;
    my $json = $r->{json} // {};
    my $fine = $r->{status} == $status && ($json->{kind} // '') eq 'Status' && $json->{message} =~ $message;
    ok $fine, "$what: $status" or diag "$r->{status} $r->{body}";
    return;
}

# ---- A backend that is full -------------------------------------------------------------------

$gw->apply([
    extension('one', $up{a}->url, limits => {connections => 1, pending => 3}, timeouts => {pending => '60s'}),
    extension('other', $up{b}->url),
    extension('none', $up{c}->url, limits => {connections => 1, pending => 0}),
    extension('hasty', $up{c}->url, limits => {connections => 1}, timeouts => {pending => '200ms'}),
]);

my $since = time; # a is known by then
my $first = ask('/extensions/one/hold-1');
$up{a}->wait_for(1);
my @waiting;
for my $n (2 .. 4) { # one after the other, so that their order is known
    push @waiting, ask("/extensions/one/hold-$n");
    eventually { metric('ksgate_backend_pending') == $n - 1 } "$n waits";
}
is_status($gw->request(GET => '/extensions/one/x'), 503, qr/limits\.pending/, 'who finds the queue full is told so');
is $gw->request(GET => '/extensions/other/x')->{body}, 'b', 'another extension does not notice';
is $gw->request(GET => '/x')->{body}, 'core', 'nor does the core';
is $up{a}->seen, 1, 'the backend has what it may have';
my ($leaver) = splice @waiting, 1, 1;
setsockopt $leaver->sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; # a FIN alone would still want its answer
$leaver->close;
ok eventually { metric('ksgate_backend_pending') == 2 }, 'who leaves no longer waits';
for my $n (2, 4) {
    $up{a}->release;
    $up{a}->wait_for($n == 2 ? 2 : 3);
    is $up{a}->last->{path}, "/hold-$n", "then it is the oldest one's turn: $n";
}
$up{a}->release;
is status($first, @waiting), '200 200 200', 'all who waited are answered';
is metric('ksgate_backend_pending'), 0, 'nobody waits any more';
is metric('ksgate_backend_pending_total'), 3, 'three have waited';
is $up{a}->connections, 1, 'all on one connection';

$up{c}->forget;
my $holder = ask('/extensions/none/hold');
$up{c}->wait_for(1);
is_status($gw->request(GET => '/extensions/none/x'), 503, qr/limits\.pending/, 'limits.pending: 0 lets nobody wait');
my $start = time;
is_status($gw->request(POST => '/extensions/hasty/x', body => 'x' x 100_000), 503, qr/timeouts\.pending/, 'who waits for too long is told so');
cmp_ok time - $start, '>=', 0.2, 'not before its time';
is $up{c}->seen, 1, 'and the backend never hears of it';
$up{c}->release;
is status($holder), '200', 'who has the connection is not disturbed';
is $gw->request(GET => '/extensions/hasty/x')->{body}, 'c', 'then there is room again';
my ($line) = $gw->access_log(1, sub { ($_->{error} // '') eq 'pending_timeout' });
is $line->{status}, 503, 'the log names the limit';

# Who waits while the backend dies: the next connection is theirs to try.
$holder = ask('/extensions/one/hold');
eventually { $up{a}->seen >= 4 } 'it holds';
my $waiter = ask('/extensions/one/x');
eventually { metric('ksgate_backend_pending') == 1 } 'one waits';
$up{a}->stop;
is status($holder, $waiter), '502 502', 'a backend that dies leaves nobody waiting';
$up{a}->start;

# The core's own limit.
my %limits = (limits => {backend_connections => 1, backend_pending => 1});
my $narrow = gateway(core => $core->url, console => $core->url, workers => 1, config => {%limits, timeouts => {pending => '60s'}});
sub narrow { my $client = $narrow->connect; $client->send_request(GET => $_[0]); return $client }
$core->forget;
$holder = narrow('/hold');
$core->wait_for(1);
$waiter = narrow('/x');
eventually { $narrow->admin(GET => '/-/metrics')->{body} =~ /^ksgate_backend_pending 1$/m } 'one waits';
like narrow('/x')->response->{json}{message}, qr/limits\.pending/, 'the core has limits, too: one may wait';
$core->release;
is status($holder, $waiter), '200 200', 'and has its turn';
$narrow->configure({%limits, timeouts => {pending => '200ms'}});
$narrow->reload;
eventually { $narrow->stderr =~ /was reloaded/ } 'the reload';
$holder = narrow('/hold');
$core->wait_for(3);
like narrow('/x')->response->{json}{message}, qr/timeouts\.pending/, 'but not for ever';
$core->release;
is status($holder), '200', 'who was first is served';

# ---- Policies ---------------------------------------------------------------------------------

sub bodies { my ($n, @request) = @_; return map { $gw->request(@request)->{body} } 1 .. $n }

$gw->apply([extension('turns', undef, endpoints => backends(qw(a b c)), loadBalancer => {policy => 'round_robin'})]);
my $turns = join '', bodies(9, GET => '/extensions/turns/x');
like $turns, qr/^((\w)(?!\2)(\w)(?!\2|\3)\w)\1\1$/, "round_robin: $turns";

$gw->apply([extension('keyed', undef, endpoints => backends(qw(a b c)), loadBalancer => {policy => 'hash', hash => {header => 'X-User'}})]);
my %place = map { $_ => $gw->request(GET => '/extensions/keyed/x', 'X-User' => "user-$_")->{body} } 1 .. 40;
is keys %{{reverse %place}}, 3, 'hash: the keys are on all backends';
is_deeply {map { $_ => $gw->request(GET => '/extensions/keyed/x', 'X-User' => "user-$_")->{body} } 1 .. 40}, \%place, 'each key on the same';
$gw->apply([extension('keyed', undef, endpoints => backends(qw(c a)), loadBalancer => {policy => 'hash', hash => {header => 'X-User'}})]);
my %later = map { $_ => $gw->request(GET => '/extensions/keyed/x', 'X-User' => "user-$_")->{body} } 1 .. 40;
is_deeply [grep { $place{$_} ne 'b' && $place{$_} ne $later{$_} } 1 .. 40], [], 'a backend that leaves takes only its own keys away';

$gw->apply([extension('keyed', undef, endpoints => backends(qw(a b c)), loadBalancer => {policy => 'hash', hash => {cookie => 'session'}})]);
my %seen = map { $_ => 1 } bodies(10, GET => '/extensions/keyed/x', Cookie => 'a=b; session=42');
is keys %seen, 1, 'hash by cookie';
$gw->apply([extension('keyed', undef, endpoints => backends(qw(a b c)), loadBalancer => {policy => 'hash', hash => {ip => JSON::PP::true}})]);
%seen = map { $_ => 1 } bodies(10, GET => '/extensions/keyed/x');
is keys %seen, 1, 'hash by address';

$gw->apply([extension('least', undef, endpoints => backends(qw(a b)), loadBalancer => {policy => 'least_conn'})]);
$_->forget for values %up;
my $busy = ask('/extensions/least/hold');
eventually { $up{a}->seen + $up{b}->seen == 1 } 'one is busy';
my $free = $up{a}->seen ? 'b' : 'a';
is join('', bodies(6, GET => '/extensions/least/x')), $free x 6, 'least_conn: the one with nothing to do';
$up{$free eq 'a' ? 'b' : 'a'}->release;
is status($busy), '200', 'the busy one answers';

# Weights, by every policy.
sub weighted { my (%w) = @_; return [map { {url => $up{$_}->url, weight => $w{$_}} } sort keys %w] }
sub counts { my %n; $n{$_}++ for @_; return \%n }
$gw->apply([extension('turns', undef, endpoints => weighted(a => 5, b => 1, c => 1), loadBalancer => {policy => 'round_robin'})]);
my @round = bodies(14, GET => '/extensions/turns/x');
is_deeply counts(@round), {a => 10, b => 2, c => 2}, 'round_robin: by weight';
unlike join('', @round), qr/aaaaa/, 'evenly also within a round';
for my $policy (qw(p2c least_conn hash)) {
    my %key = $policy eq 'hash' ? (hash => {header => 'X-Key'}) : ();
    $gw->apply([extension('turns', undef, endpoints => weighted(a => 9, b => 1, c => 0), loadBalancer => {policy => $policy, %key})]);
    my $n = counts(map { $gw->request(GET => '/extensions/turns/x', 'X-Key' => $_)->{body} } 1 .. 300);
    ok $n->{a} > 225 && $n->{a} + ($n->{b} // 0) == 300, "$policy: by weight" or diag explain $n; # 270 and 30, give or take 5 each
}

# A backend that is new gets its share little by little.
my $new = named('new');
my $slow_start = 2 * slow();
eventually { time - $since > $slow_start } 'the old one is no longer new';
$gw->apply([extension('grows', undef, endpoints => [map { {url => $_->url} } $up{a}, $new], loadBalancer => {policy => 'round_robin', slowStart => "${slow_start}s"})]);
$start = time;
my $first_ones = counts(bodies(60, GET => '/extensions/grows/x'));
SKIP: {
    skip 'too slow to see it', 1 if time - $start > $slow_start / 2; # when it is to have a third
    cmp_ok $first_ones->{new}, '<', 20, 'slowStart: less than its share';
}
cmp_ok $first_ones->{new}, '>', 0, 'but not nothing';
ok eventually { counts(bodies(20, GET => '/extensions/grows/x'))->{new} == 10 }, 'then all of it';

# A backend that is gone costs nobody an answer, whatever the policy.
$up{b}->stop;
for my $policy (qw(p2c round_robin least_conn)) {
    $gw->apply([extension('turns', undef, endpoints => backends(qw(a b c)), outlier => {consecutiveErrors => 0}, loadBalancer => {policy => $policy})]);
    unlike join('', map { $gw->request(GET => '/extensions/turns/x')->{status} } 1 .. 12), qr/50/, "$policy: one of three is gone, and nobody is told";
}
$up{b}->start;

# Full ones are passed over while another has room.
$gw->apply([extension('room', undef, endpoints => backends(qw(a b)), limits => {connections => 1})]);
$_->forget for values %up;
$busy = ask('/extensions/room/hold');
eventually { $up{a}->seen + $up{b}->seen == 1 } 'one is full';
$free = $up{a}->seen ? 'b' : 'a';
is join('', bodies(6, GET => '/extensions/room/x')), $free x 6, 'nobody waits for a full one while another has room';
$up{$free eq 'a' ? 'b' : 'a'}->release;
is status($busy), '200', 'the full one answers';

# ---- Draining ---------------------------------------------------------------------------------

sub registered {
    my ($name, $draining) = @_;
    return {
        apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => "pods.$name"},
        spec => {extension => 'pods', url => $up{$name}->url, leaseSeconds => 3600, ($draining ? (draining => JSON::PP::true) : ())},
    };
}

$gw->apply([extension('pods', undef, loadBalancer => {policy => 'round_robin'}), registered('a')]);
my $tunnel = ask('/extensions/pods/x', Connection => 'Upgrade', Upgrade => 'echo');
is $tunnel->head->{status}, 101, 'a tunnel to a';
$up{a}->forget;
my $running = ask('/extensions/pods/hold');
$up{a}->wait_for(1);
$gw->apply([registered('b'), registered('a', 'draining')]);
is join('', bodies(6, GET => '/extensions/pods/x')), 'b' x 6, 'a draining backend gets nothing new';
$tunnel->write('still there?');
is $tunnel->read_bytes(12), 'still there?', 'its tunnels live on';
$up{a}->release;
is $running->response->{body}, 'a', 'what runs there ends there';
$tunnel->write('and now?');
is $tunnel->read_bytes(8), 'and now?', 'the tunnel outlives it';
$gw->apply([registered('a')]);
my $both = join '', bodies(6, GET => '/extensions/pods/x');
like $both, qr/^(?:(?:ab)+|(?:ba)+)$/, 'and back again';

is scalar(() = $_->stderr =~ /starting it again/g), 0, 'no gateway had to start again' for $gw, $narrow;

done_testing;
