# A kept connection ends in the moment in which a request takes it.  What may be asked again is, once;
# what may have been done is not; and the backend counts.
use strict;
use warnings;
use Test::More;
use Socket qw(SOL_SOCKET SO_LINGER);
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh";

# Ends the connection by FIN or RST, or says what nobody asked for; then it is recorded.
sub end_it {
    my ($r, $how) = @_;
    my $sock = $r->{client}->sock;
    $r->write($ok =~ s/fresh/poison/r =~ s/5/6/r) if $how eq 'poison';
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0 if $how eq 'rst';
    close $sock if $how ne 'poison';
    $r->{upstream}->record({ended => $how});
    $r->hold if $how eq 'poison';
    return;
}

# /idle/HOW answers, and ends the idle connection on release; /asked/HOW ends a connection that
# has served before, once the request was read; /always/HOW ends any.
sub answer {
    my ($r) = @_;
    my (undef, $when, $how) = split m{/}, $r->{path};
    if ($when eq 'idle') {
        $r->write($ok);
        $r->hold;
        return end_it($r, $how);
    }
    return end_it($r, $how) if $when eq 'always' || ($when eq 'asked' && $r->{n} > 1);
    return [200, {}, 'fresh'];
}

my $up = upstream { answer(@_) };
my $head_only = upstream { answer(@_) } lazy => 1; # answers, or ends it, before the body has come
my $other = upstream { answer(@_) };
my $gw = gateway(core => $up->url, console => $up->url, workers => 1);
my $lazy = gateway(core => $head_only->url, console => $head_only->url, workers => 1);

sub metric {
    my ($g, $name) = @_;
    my ($n) = $g->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name";
    return $n;
}

# One idle connection to the backend, made by this request; and a client's.
sub with_a_kept_one {
    my ($g, $path) = @_;
    my $c = $g->connect;
    is $c->request(GET => $path)->{status}, 200, 'a connection is kept' or BAIL_OUT('no backend');
    eventually { metric($g, 'ksgate_backend_connections_idle') == 1 } 'it is idle';
    return $c;
}

sub is_lost {
    my ($r, $what) = @_;
    my $message = ($r->{json} // {})->{message} // '';
    ok $r->{status} == 502 && $message =~ /backend closed the connection.*the request may have been carried out, so it was not sent again/, "$what: 502, and why"
        or diag "$r->{status} $r->{body}";
    return;
}

# The server stands still while code runs: what happens meanwhile it finds all at once, in order.
sub while_it_stands_still(&) {
    my ($code) = @_;
    my $pid = $gw->server_pid;
    kill STOP => $pid;
    eventually { !grep { slurp($_) !~ /^\d+ \(.*\) T / } glob "/proc/$pid/task/*/stat" } 'the server stands still';
    $code->();
    kill CONT => $pid;
    return;
}

# ---- Before the request is sent ----------------------------------------------------------------

# The request is there first, and takes a connection of which the worker does not know yet that it is dead.
my @requests = (
    [GET => '/x'],
    [DELETE => '/x'],
    [POST => '/x', body => 'x' x 1000],
    [POST => '/x', 'Content-Length' => 0],
    [PATCH => '/x', 'Transfer-Encoding' => 'chunked', body => "1\r\nx\r\n0\r\n\r\n"],
    [PUT => '/x', body => 'x'],
);
for my $how (qw(fin rst poison)) {
    for my $request (@requests) {
        my $c = with_a_kept_one($gw, "/idle/$how");
        $up->forget;
        while_it_stands_still {
            $c->send_request(@$request);
            $up->release;
            eventually { grep { $_->{ended} } $up->records } 'the end of the connection';
        };
        my $r = $c->response;
        is "$r->{status} $r->{body}", '200 fresh', "$request->[0]: $how came before it could be sent";
        is $up->seen, 1, 'the backend has got it once';
        $up->release if $how eq 'poison';
        eventually { metric($gw, 'ksgate_backend_connections') == 1 } 'the end of the dead one';
        $gw->request(GET => '/always/fin'); # whose connection was kept is another matter
        eventually { metric($gw, 'ksgate_backend_connections') == 0 } 'the end of all';
    }
}

# ---- When it has been read ---------------------------------------------------------------------

for my $how (qw(fin rst)) {
    for my $method (qw(GET HEAD OPTIONS DELETE PUT)) {
        my $c = with_a_kept_one($gw, '/x');
        $up->forget;
        my $before = metric($gw, 'ksgate_backend_retries_total');
        is $c->request($method => "/asked/$how")->{status}, 200, "$method, $how: asked again";
        is $up->seen, 2, 'once';
        is metric($gw, 'ksgate_backend_retries_total'), $before + 1, 'and counted';
    }
    for my $request ([POST => body => 'x'], [POST => 'Content-Length' => 0], [PATCH => body => 'x'], [PUT => body => 'x' x 100_000]) {
        my ($method, @rest) = @$request;
        my $c = with_a_kept_one($gw, '/x');
        $up->forget;
        is_lost($c->request($method => "/asked/$how", @rest), "$method, $how");
        is $up->seen, 1, 'the backend has got it once';
        is $c->request(GET => '/x')->{body}, 'fresh', 'the client goes on';
    }
    my $c = with_a_kept_one($gw, '/x');
    $up->forget;
    is $c->request(GET => "/always/$how")->{status}, 502, "GET, $how: the next connection dies, too";
    is $up->seen, 2, 'that was the last';
    is metric($gw, 'ksgate_backend_connections'), 0, 'none is left';
    $up->forget;
    is $c->request(GET => "/always/$how")->{status}, 502, "GET, $how: a new connection dies";
    is $up->seen, 1, 'which is no accident, and not asked again';
}

# ---- While it is being sent ---------------------------------------------------------------------

for my $how (qw(fin rst)) {
    my $c = with_a_kept_one($lazy, '/x');
    $head_only->forget;
    $c->send_request(PUT => "/asked/$how", 'Content-Length' => 4);
    $head_only->wait_for(2);
    $c->write('body');
    is $c->response->{status}, 200, "PUT, $how: nothing of its body was sent, so it is asked again";
    is $head_only->seen, 2, 'once';

    $c = with_a_kept_one($lazy, '/x');
    $head_only->forget;
    $c->send_request(POST => "/asked/$how", 'Content-Length' => 4);
    is_lost($c->response, "POST, $how: its head alone");
    is $head_only->seen, 1, 'the backend has got it once';

    for my $method (qw(POST PUT)) {
        $c = with_a_kept_one($lazy, '/x');
        $head_only->forget;
        # In one piece: the head alone could be sent, and lost, before there is a body.
        $c->write("$method /asked/$how HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" . 'x' x 500_000);
        is_lost($c->response, "$method, $how: within its body");
        is $head_only->seen, 1, 'the backend has got it once';
    }
}

# ---- Several backends ---------------------------------------------------------------------------

$gw->apply([extension('two', undef, endpoints => [map { {url => $_->url} } $up, $other], loadBalancer => {policy => 'round_robin'})]);
my @clients = map { $gw->connect } 1 .. 2;
is $_->request(GET => '/extensions/two/x')->{status}, 200, 'each keeps a connection' for @clients;
$_->forget for $up, $other;
is $clients[0]->request(GET => '/extensions/two/asked/fin')->{status}, 200, 'of two backends one ends it';
is $up->seen + $other->seen, 2, 'asked again, once';

# On new connections it is the extension's choice, as long as something was sent.
my @nowhere = map { {url => 'http://127.0.0.1:' . free_port()} } 1 .. 5;
for my $attempts (0, 1, 2) {
    my $two = [map { {url => $_->url} } $up, $other];
    $gw->apply([extension('dies', undef, endpoints => $two, outlier => {consecutiveErrors => 0}, retry => {attempts => $attempts}), extension('gone', undef, endpoints => [$two->[0], @nowhere], retry => {attempts => $attempts})]);
    eventually { $gw->request(GET => '/extensions/dies/always/fin'); metric($gw, 'ksgate_backend_connections_idle') == 0 } 'the end of what was kept';
    $_->forget for $up, $other;
    is $gw->request(GET => '/extensions/dies/always/fin')->{status}, 502, "retry.attempts: $attempts, and all die of it";
    is $up->seen + $other->seen, $attempts ? 2 : 1, 'each was asked at most once';
    my $before = $up->connections;
    is join(' ', map { $gw->request(POST => '/extensions/gone/x', body => 'x')->{status} } 1 .. 12), join(' ', (200) x 12), 'five that are not there cost nobody an answer';
    is $up->connections, $before + 1, 'nor another a new connection each time';
}

my ($line) = $gw->access_log(1, sub { $_->{path} eq '/extensions/two/asked/fin' });
is $line->{tries}, 2, 'the log says so, too';
is scalar(() = $_->stderr =~ /starting it again/g), 0, 'no gateway had to start again' for $gw, $lazy;

done_testing;
