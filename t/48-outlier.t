# Backends whose requests fail are left alone for a while, without anybody asking them; one that lets
# them wait in vain gets nothing at all, and who asks for it is told so at once.
use strict;
use warnings;
use Test::More;
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

# Each does what the word in its file says: answer with its name (well), 503 (ill), garbage, reset
# (closed without an answer), mute.
my $mood = tempdir();
sub feel { my ($name, $word) = @_; spew("$mood/$name.new", $word); return rename "$mood/$name.new", "$mood/$name" }

sub backend {
    my ($name) = @_;
    feel($name, 'well');
    return upstream {
        my ($r) = @_;
        my $word = slurp("$mood/$name");
        return if $word eq 'reset';
        return "garbage\r\n\r\n" if $word eq 'garbage';
        $r->hold if $word eq 'mute';
        return [$word eq 'ill' ? 503 : 200, {}, $name];
    };
}

my %up = map { $_ => backend($_) } qw(a b c d e f g h lone core);
my $outlier = {consecutive_errors => 2, eject_for => '1s'}; # the core's
my $gw = gateway(core => $up{core}->url, console => $up{core}->url, workers => 1, config => {core => {outlier => $outlier}});
my $long = 600; # seconds: for the rest of the test
my %soon = (timeouts => {firstByte => 150 * slow() . 'ms'}); # for who is mute: who answers may be late

# The same, for the core.
sub core_first_byte {
    my ($time) = @_;
    my $before = () = $gw->stderr =~ /was reloaded/g;
    $gw->configure({core => {outlier => $outlier}, ($time ? (timeouts => {first_byte => $time}) : ())});
    $gw->reload;
    return eventually { $before < (() = $gw->stderr =~ /was reloaded/g) } 'the reload';
}

sub backends { return [map { {url => $up{$_}->url} } @_] }
sub metrics { return $gw->admin(GET => '/-/metrics')->{body} }
sub metric { my ($name) = @_; my ($n) = metrics() =~ /^\Q$name\E (\d+)$/m or die "no $name"; return $n }
sub ask { my ($path, %more) = @_; my $r = $gw->request(GET => $path, %more); return $r->{status} == 200 ? $r->{body} : $r->{status} }
sub names { my %seen = map { $_ => 1 } @_; return join ' ', sort keys %seen }
sub served { my ($path, $n) = @_; return names(map { ask($path) } 1 .. ($n // 12)) }

# An extension of its own for each story; but backends are remembered by their URL, so a story ends with them well.
sub apply { my ($name, $backends, $outlier, %more) = @_; $gw->apply([extension($name, undef, endpoints => backends(@$backends), loadBalancer => {policy => 'round_robin'}, outlier => $outlier, %more)]); return }

# ---- Ejected ----------------------------------------------------------------------------------

my %rules = (consecutiveErrors => 3, ejectFor => "${long}s");
my $n = 0;
for my $case (
    ['503', 'ill', sub {}, sub {}],
    ['garbage', 'garbage', sub {}, sub {}],
    ['resets', 'reset', sub {}, sub {}],
    ['no answer in time', 'mute', sub { $_[0]->(%soon) }, sub { $_[0]->() }],
    ['no connection', 'well', sub { $up{a}->stop }, sub { $up{a}->start }],
) {
    my ($what, $word, $fall, $rise) = @$case;
    my $path = '/extensions/eject-' . ++$n . '/x';
    my $apply = sub { apply("eject-$n", [qw(a b)], {%rules, ejectFor => $n < 5 ? '500ms' : "${long}s"}, @_) };
    $apply->();
    is served($path), 'a b', "$what: at first both are asked";
    feel(a => $word);
    $fall->($apply);
    my $before = metric('ksgate_endpoint_ejections_total');
    my @got = map { ask($path) } 1 .. 8;
    ok metric('ksgate_endpoint_ejections_total') > $before, "$what: three in a row, and it is left alone";
    cmp_ok scalar(grep { $_ ne 'b' } @got), '<=', 4, 'few clients notice' or diag "@got";
    feel(a => 'well');
    $rise->($apply);
    ok eventually { served($path, 4) eq 'a b' } 'and when it answers again it is asked again' if $n < 5;
}

# What was known of it is known to all extensions: until somebody gets through, nobody is sent there.
apply('long', [qw(a b)], {%rules});
is served('/extensions/long/x'), 'b', 'an extension that comes later knows it, too';
like $gw->stderr, qr/backend \Q@{[$up{a}->url]}\E gets no requests for \d+ ms: \d+ failures in a row, the last: Connection refused/, 'the log says why';
is metric('ksgate_endpoints_ejected'), 1, 'the metrics how many';
is names(map { ask('/extensions/long/x') } 1 .. 3), 'b', 'a stays out until its time is over';

# ---- Told to who asks about the endpoint ---------------------------------------------------------

{
    my $api = '/-/apis/ksgate.io/v1';
    my $told = sub { my ($x) = grep { $_->{name} eq 'told' } @{$gw->admin(GET => "$api/extensions")->{json}{items}}; return $x };
    apply('told', [qw(g h)], {%rules, ejectFor => '100ms'});
    is served('/extensions/told/x'), 'g h', 'two that are well';
    is_deeply [map { $_->{healthy} } @{$told->()->{endpoints}}], [undef, undef], 'of whom nobody knows more, and nobody says so';
    $gw->apply([extension('other-name', undef)]);
    $gw->admin(PUT => "$api/extensionservices/other-name/endpoints/g", {url => $up{g}->url});
    feel(g => 'ill');
    ask('/extensions/told/x') for 1 .. 12;
    my $x = $told->();
    my $why = qr/^left alone: \d+ failures in a row, the last: it answered 503/;
    ok !$x->{endpoints}[0]{healthy} && defined $x->{endpoints}[0]{healthy}, 'one that is left alone is not well';
    like $x->{endpoints}[0]{reason}, $why, '... and why';
    is_deeply [map { $_->{live} ? 1 : 0 } @{$x->{endpoints}}], [0, 1], '... nor live';
    like "$x->{state} $x->{message}", qr/^Available 1 of 2 endpoints are live/, '... and the extension is there';
    my $status = $gw->admin(GET => "$api/endpoints/other-name.g")->{json}{status};
    like $status->{reason}, $why, 'so does an Endpoint';
    like $status->{since}, qr/^\d{4}-/, '... since when';
    like $gw->ksgate_here('get', 'endpoints')->{out}, qr/^other-name\.g .*down: left alone/m, '... in the table, too';
    feel(g => 'well');
    ok eventually { ask('/extensions/told/x') eq 'g' } 'it answers again';
    is_deeply [map { $_->{healthy} } @{$told->()->{endpoints}}], [undef, undef], '... and is as it was';
}

# One that has nobody beside it is asked on and on; that it fails is told all the same.
{
    my $api = '/-/apis/ksgate.io/v1';
    my $alone = sub { my ($name) = @_; my ($x) = grep { $_->{name} eq $name } @{$gw->admin(GET => "$api/extensions")->{json}{items}}; return $x };
    my $said = sub { return scalar(() = $gw->stderr =~ /backend \Q@{[$up{lone}->url]}\E $_[0]/g) };
    apply('alone', ['lone'], {consecutiveErrors => 3});
    apply('never', ['lone'], {consecutiveErrors => 0});
    feel(lone => 'ill');
    ask('/extensions/alone/x') for 1 .. 2;
    is $alone->('alone')->{state}, 'Available', 'an only backend, after two failures';
    my @got = map { ask('/extensions/alone/x') } 1 .. 5;
    is names(@got), '503', 'its own words reach the client';
    my $x = $alone->('alone');
    is_deeply [@$x{qw(state reason)}], ['Unavailable', 'EndpointsDown'], '... and the list says that it fails';
    like $x->{message}, qr/none of 1 endpoint is well; \Q@{[$up{lone}->url]}\E: failing: 3 failures in a row, the last: it answered 503/, '... and how';
    is $said->('is failing, .*: 3 failures in a row, the last: it answered 503'), 1, '... as does the log, once';
    is metric('ksgate_endpoints_ejected'), 1, '... while it is not left alone (the one of the other story is)';
    is $alone->('never')->{state}, 'Unavailable', 'who shares it is told, too';
    ask('/extensions/never/x');
    is $alone->('never')->{state}, 'Available', 'unless a failure of its own says that failures are none';
    ask('/extensions/alone/x');
    is $alone->('alone')->{state}, 'Unavailable', '(which the next one does not)';
    feel(lone => 'well');
    is ask('/extensions/alone/x'), 'lone', 'it answers again';
    is_deeply [@{$alone->('alone')}{qw(state reason)}], ['Available', 'Passed'], '... and that is all that is said of it';
    is $said->('answers again(?m:$)'), 1, '... and the log has that, too';
    feel(lone => 'ill');
    ask('/extensions/alone/x') for 1 .. 3;
    is $alone->('alone')->{state}, 'Unavailable', 'it fails again';
    apply('alone', ['g'], {%rules});
    apply('never', ['g'], {%rules});
    apply('alone', ['lone'], {%rules});
    is $alone->('alone')->{state}, 'Available', '... of which nobody knows who comes when all have left it';
    # Whoever can make it fail could fill the log.
    apply($_, ['lone'], {consecutiveErrors => $_ eq 'never' ? 0 : 1, ejectFor => '10m'}) for 'alone', 'never';
    my $lines = sub { return scalar(() = $gw->stderr =~ /backend \Q@{[$up{lone}->url]}\E (?:is failing|answers again)/g) };
    my $before = $lines->();
    for (1 .. 10) {
        feel(lone => 'ill');
        ask("/extensions/$_/x") for 'alone', 'never', 'alone';
        feel(lone => 'well');
        ask('/extensions/alone/x');
    }
    is $lines->() - $before, 2, 'one that fails and answers by turns is in the log once, not at each request';
    $gw->admin(DELETE => path_of($_)) for 'alone', 'never';
    $up{lone}->forget;
}

# ---- Never more than so many -------------------------------------------------------------------

apply('half', [qw(b c d)], {%rules});
feel($_ => 'ill') for qw(b c d);
is served('/extensions/half/x', 30), '503', 'three fail';
is metric('ksgate_endpoints_ejected'), 2, 'one of them is left alone (and the one of the other story)';
feel($_ => 'well') for qw(b c d);
like served('/extensions/half/x'), qr/^(b c|b d|c d)$/, 'the other two serve when they are well again';
apply('none', [qw(e f)], {%rules, maxEjected => '0%'});
feel(e => 'ill');
is served('/extensions/none/x'), '503 f', 'maxEjected: 0% leaves nobody alone';
apply('never', ['e'], {%rules, consecutiveErrors => 0});
feel(e => 'reset');
is served('/extensions/never/x', 20), '502', 'nor does consecutiveErrors: 0';

# ---- The circuit of one that is alone ----------------------------------------------------------

my @lone = ('lone', ['lone'], {consecutiveErrors => 2, ejectFor => "${long}s", maxEjected => '100%'});
apply(@lone);
feel(lone => 'ill');
is served('/extensions/lone/x', 10), '503', 'an only backend that answers 503';
is $up{lone}->seen, 10, 'is asked each time';
apply(@lone, %soon);
feel(lone => 'mute');
is join(' ', map { ask('/extensions/lone/x') } 1 .. 4), '504 504 504 504', 'one that is silent';
my $seen = $up{lone}->seen;
my $r = $gw->request(GET => '/extensions/lone/x');
is $r->{status}, 503, 'and goes on to be';
like $r->{json}{message}, qr/left alone for a while \(outlier\): \Q@{[$up{lone}->url]}\E: \d+ failures in a row, the last: no answer within \d+ ms/, 'is named';
like $r->{headers}{'retry-after'}, qr/^(6\d|7\d)$/, 'the client is told when to come again';
is $up{lone}->seen, $seen, 'it is not asked';
is metric('ksgate_errors_total{error="breaker_open"}'), 1, 'and that is counted';
is metric('ksgate_endpoint_breaker_opens_total'), 1, 'as is the reason';
my ($line) = $gw->access_log(1, sub { ($_->{error} // '') eq 'breaker_open' });
is $line->{endpoint}, $up{lone}->url, 'and logged';
my ($told) = @{$gw->admin(GET => '/-/apis/ksgate.io/v1/explain?method=GET&path=/extensions/lone/x&as=alice')->{json}{unhealthy}};
is $told->{state}, 'open', 'explain says so';
like $told->{reason}, qr/^open for \d+ s more, in this worker: \d+ failures in a row, the last: no answer within/, 'and why';
like $gw->ksgate_here(qw(explain GET /extensions/lone/x))->{out}, qr/unhealthy\s+\Q@{[$up{lone}->url]}\E: open for \d+ s more/, 'in words, too';
like served('/extensions/half/x'), qr/^(b c|b d|c d)$/, 'nobody else notices';

# The client whose request comes through when the time is there; others are still told to come again.
sub trial {
    my $client;
    $up{core}->forget;
    eventually {
        $client = $gw->connect;
        $client->send_request(GET => '/x');
        eventually { $up{core}->seen || IO::Select->new($client->sock)->can_read(0) };
        $up{core}->seen
    } 'a request comes through';
    return $client;
}

# ---- The trial ---------------------------------------------------------------------------------

$up{core}->stop;
is names(map { ask('/x') } 1 .. 10), '502', 'a core that refuses connections is asked on and on';
$up{core}->start;
is ask('/x'), 'core', 'and found as soon as it is back';
feel(core => 'garbage');
is names(map { ask('/x') } 1 .. 10), '502', 'as is one that answers garbage';
core_first_byte(300 * slow() . 'ms');
feel(core => 'mute');
is join(' ', map { ask('/x') } 1 .. 4), '504 504 504 504', 'one that is silent';
is ask('/x'), 503, 'is not: requests are answered at once';
my $client = trial();
is names(map { ask('/x') } 1 .. 3), '503', 'one at a time';
is $up{core}->seen, 1, 'really';
is $client->response->{status}, 504, 'this one got no answer';
feel(core => 'well');
core_first_byte();
ok eventually { ask('/x') eq 'core' } 'the next one does';
is names(map { ask('/x') } 1 .. 10), 'core', 'and all others';

# A trial whose client leaves is none.
core_first_byte(300 * slow() . 'ms');
feel(core => 'mute');
is join(' ', map { ask('/x') } 1 .. 5), '504 504 504 504 503', 'away again';
$client = trial();
setsockopt $client->sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; # a FIN alone would still want its answer
$client->close;
feel(core => 'well');
core_first_byte();
ok eventually { ask('/x') eq 'core' } 'a client that leaves is no answer: the next one finds out';

# ---- Second tries ------------------------------------------------------------------------------

# 12 requests at once, six at each of two backends; one of these lets all fall.
sub storm {
    my ($name, $budget) = @_;
    my @two = (upstream { $_[0]->hold; return }, upstream { $_[0]->hold; return [200, {}, ''] });
    my $refused = metric('ksgate_backend_retries_refused_total');
    $gw->apply([extension($name, undef, endpoints => [map { {url => $_->url} } @two], loadBalancer => {policy => 'round_robin'}, outlier => {consecutiveErrors => 0}, timeouts => {firstByte => '60s'}, retry => {attempts => 1, budget => $budget})]);
    my @clients = map { my $c = $gw->connect; $c->send_request(GET => "/extensions/$name/x"); $c } 1 .. 12;
    $_->wait_for(6) for @two;
    $two[0]->release(6);
    eventually { $two[1]->seen + metric('ksgate_backend_retries_refused_total') - $refused == 12 } 'all have come to something';
    $two[1]->release($two[1]->seen);
    my %count;
    $count{$_->response->{status}}++ for @clients;
    return join ', ', map { "$count{$_} $_" } sort keys %count;
}
is storm('poor', '20%'), '9 200, 3 502', 'three are tried again, whatever the budget';
is storm('rich', '100%'), '12 200', 'all, if the budget is large';
is storm('broke', '0%'), '6 200, 6 502', 'none, if there is none';

# Three second tries wait at q when its circuit opens; they go on to r, and no longer count as q's.
$up{$_} = backend($_) for qw(p q r);
apply('moved', [qw(p q r)], {consecutiveErrors => 1, maxEjected => '0%', ejectFor => "${long}s"}, loadBalancer => {policy => 'hash', hash => {header => 'X-Key'}}, limits => {connections => 1, pending => 10}, timeouts => {firstByte => 3000 * slow() . 'ms', pending => '60s'}, retry => {attempts => 1, budget => '20%'});
sub keyed { my ($key) = @_; return ask('/extensions/moved/x', 'X-Key' => $key) }
my %first = map { $_ => keyed($_) } 1 .. 40;
feel(p => 'reset');
my ($p_then_q) = grep { $first{$_} eq 'p' && keyed($_) eq 'q' } sort keys %first;
my ($at_q) = grep { $first{$_} eq 'q' } sort keys %first;
feel(q => 'mute');
is keyed($at_q), 504, 'q is silent for the first time';
my @waiting = map { my $c = $gw->connect; $c->send_request(GET => '/extensions/moved/x', 'X-Key' => $_); $c } $at_q, ($p_then_q) x 3;
ok eventually { metric('ksgate_backend_pending') == 3 } 'three second tries wait for it';
is join(' ', map { $_->response->{status} } @waiting), '504 200 200 200', 'when its circuit opens they go elsewhere';
is keyed($p_then_q), 'r', 'and there is room for further ones in the budget';

# ---- What others are told ------------------------------------------------------------------------

subtest 'a trial that fails in another way ends it as well, also for who asks how the endpoint is' => sub {
    my $state = sub { my ($e) = grep { $_->{name} eq 'trial' } @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}}; return $e->{state} };
    apply('trial', ['h'], {consecutiveErrors => 1, ejectFor => '100ms'}, timeouts => {firstByte => 100 * slow() . 'ms'});
    feel(h => 'mute');
    eventually { ask('/extensions/trial/x') eq '503' } 'it to be left alone';
    eventually { $state->() eq 'Unavailable' } 'that to be told';
    $up{h}->stop;
    eventually { ask('/extensions/trial/x') eq '502' } 'a trial that finds nobody';
    feel(h => 'well');
    $up{h}->start;
    eventually { ask('/extensions/trial/x') eq 'h' } 'it to be well';
    eventually { $state->() eq 'Available' } 'that to be told';
    pass 'when it is well, it is said to be';
};

done_testing;
