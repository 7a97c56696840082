# Clients that are slow, and clients that are many: who is cut off, who has to go, and who must not
# notice.  (That each limit answers, and names itself, is in 47-every-limit.t.)
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use List::Util qw(max);
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Process qw(slow);

my $up = upstream {
    my ($r) = @_;
    if ($r->{path} eq '/flood') {
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        $r->write('x' x 1_000_000) for 1 .. 100;
        return KEEP;
    }
    if ($r->{path} eq '/events') { # one, then silence
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        $r->hold;
        $r->write("4\r\nlast\r\n0\r\n\r\n");
        return KEEP;
    }
    $r->hold if $r->{path} eq '/hold';
    return if $r->{path} eq '/never';
    $r->read_body;
    return [200, {}, 'reached'];
} lazy => 1;

my @gateway = (core => $up->url, console => $up->url, workers => 1);

# A metric's value; by its labels, if there are any.
sub metric {
    my ($gw, $name) = @_;
    my $text = $gw->admin(GET => '/-/metrics')->{body};
    my ($value) = $text =~ /^\Q$name\E (\S+)$/m or die "there is no $name\n";
    return $value;
}

sub error_count { return metric($_[0], qq(ksgate_errors_total{error="$_[1]"})) }

# So many of an error are counted, which is done when the answer has gone; and no more.
sub counts {
    my ($gw, $error, $n, $what) = @_;
    eventually { error_count($gw, $error) >= $n } "$n errors $error";
    return is error_count($gw, $error), $n, $what;
}

# ---- Slow ones ----------------------------------------------------------------------------------------

{
    my $gw = gateway(@gateway, config => {
        limits => {min_rate => '1KiB'}, timeouts => {body_idle => '800ms', half_closed => '300ms'},
    });
    # ---- Bodies that come in drops -----------------------------------------------------------------------

    # The pauses are far below timeouts.body_idle; the rate is below limits.min_rate.
    for (['by length' => "Content-Length: 10000\r\n\r\n", 'x'], ['in chunks' => "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"],
        ['that is nothing but framing' => "Transfer-Encoding: chunked\r\n\r\n", '0']) {
        my ($what, $rest, $drop) = @$_;
        my $before = error_count($gw, 'body_too_slow') + error_count($gw, 'body_timeout');
        my $c = $gw->connect;
        $c->write("POST / HTTP/1.1\r\nHost: a\r\n$rest");
        my $drops = 0;
        until (IO::Select->new($c->sock)->can_read(0.05) || ++$drops > 200 * slow()) {
            $c->write($drop);
        }
        my $r = eval { $c->response } // {status => "none: $@", json => {}};
        is $r->{status}, 408, "a body in drops, $what: 408";
        like $r->{json}{message} // '', qr/limits\.min_rate.*limits\.min_rate, which is 1024 bytes a second|timeouts\.body_idle/, 'which names the limit';
        eventually { error_count($gw, 'body_too_slow') + error_count($gw, 'body_timeout') > $before } 'the count';
        pass 'and is counted';
    }
    # One that is fast enough may pause.  If we were not, for we were not let run, it is tried again.
    my ($status, $pause);
    for (my $tries = 1; $tries == 1 || $pause > 0.5 && $tries <= 5; $tries++) {
        my ($c, $before) = ($gw->connect, time);
        $pause = 0;
        $c->write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8192\r\n\r\n");
        for (1 .. 8) {
            select undef, undef, undef, 0.2; # the passing of time is what is tested
            my $now = time;
            $c->write('x' x 1024);
            $pause = max($pause, time - $before);
            $before = $now;
        }
        $status = $c->response->{status};
    }
    is $status, 200, 'a body at more than limits.min_rate is waited for, for longer than timeouts.body_idle';
    # A backend that does not read is not the client's fault.
    my $hasty = gateway(@gateway, config => {limits => {min_rate => '1KiB'}, timeouts => {first_byte => '300ms'}});
    is $hasty->request(POST => '/hold', body => 'hello')->{status}, 504, 'a backend that is slow is a backend that is slow';
    $up->release;
    $hasty->stop;

    # ---- Readers that take nothing -------------------------------------------------------------------------

    my $reader = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $gw->port, Proto => 'tcp') or die $!;
    setsockopt $reader, SOL_SOCKET, SO_RCVBUF, pack('i', 4096) or die $!;
    syswrite $reader, "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n";
    my ($line) = $gw->access_log(1, sub { ($_->{path} // '') eq '/flood' });
    is $line->{error}, 'client_too_slow', 'who does not take its answer is cut off';
    counts($gw, client_too_slow => 1, 'and counted');
    eventually { metric($gw, 'ksgate_requests_active') == 1 } 'the end of it'; # and of the question itself there is always one
    pass 'nothing of it is left';
    close $reader;
    # In drops: one byte every 50 ms is far below the rate, though there is never a pause.
    $reader = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $gw->port, Proto => 'tcp') or die $!;
    setsockopt $reader, SOL_SOCKET, SO_RCVBUF, pack('i', 4096) or die $!;
    syswrite $reader, "GET /flood?drops HTTP/1.1\r\nHost: a\r\n\r\n";
    eventually { sysread $reader, my $byte, 1; select undef, undef, undef, 0.04; error_count($gw, 'client_too_slow') == 2 } 'the end of a reader in drops', 20;
    pass 'who takes its answer in drops is cut off, too';

    # ---- Idle is not slow --------------------------------------------------------------------------------

    my $events = $gw->connect;
    $events->send_request(GET => '/events');
    is $events->head->{status}, 200, 'a stream of events';
    $events->read_until(qr/first\r\n/);
    select undef, undef, undef, 1.5; # longer than timeouts.body_idle
    $up->release;
    is $events->read_until(qr/0\r\n\r\n/), "4\r\nlast\r\n0\r\n\r\n", 'may be silent for as long as it likes';

    # ---- Half-closed -------------------------------------------------------------------------------------

    my $half = $gw->connect;
    $half->send_request(GET => '/events?half');
    $half->read_until(qr/first\r\n/);
    $half->shutdown_write;
    ($line) = $gw->access_log(1, sub { ($_->{path} // '') eq '/events' && ($_->{error} // '') eq 'half_closed' });
    ok $line, 'timeouts.half_closed: an answer without progress ends for a client that has closed its side';
    counts($gw, half_closed => 1, 'and is counted');
    $up->release;
}

# ---- Idle connections --------------------------------------------------------------------------------

{
    my $gw = gateway(@gateway, config => {timeouts => {idle => '200ms'}});
    my ($c, $r);
    eventually { $c = $gw->connect; $r = eval { $c->request(GET => '/') } } 'a request that comes in time';
    is $r->{status}, 200, 'a connection';
    ok $c->at_end, 'timeouts.idle: ends when nothing is asked';
    my $counted = eventually { eval { metric($gw, 'ksgate_connections_timed_out_total') } } 'one more';
    cmp_ok $counted, '>=', 1, 'and is counted';
}

# ---- Connections of one client -------------------------------------------------------------------------

{
    my $gw = gateway(@gateway, workers => 2, config => {limits => {connections_per_client => 4}, timeouts => {linger => '500ms'}});
    eventually { metric($gw, 'ksgate_connections') == 1 } 'the end of who asked whether it is ready'; # the admin's is there
    my @open = map { $gw->connect } 1 .. 4;
    is $_->request(GET => '/')->{status}, 200, 'limits.connections_per_client: a client may have that many connections' for @open;
    my $r = eventually { eval { $gw->request(GET => '/') } } 'a request within timeouts.linger';
    is $r->{status}, 429, 'on one more it is told so';
    like $r->{json}{message}, qr/limits\.connections_per_client is 4, and 127\.0\.0\.1 has more/, 'by name';
    is $r->{headers}{connection}, 'close', 'and it ends';
    counts($gw, client_connections => 1, 'counted as an error');
    my @more = map { $gw->connect } 1 .. 3;
    eventually { metric($gw, 'ksgate_connections_refused_total') >= 4 } 'the refusals';
    ok eval { $more[0]->at_end }, 'one that says nothing has not long to do so';
    is $_->request(GET => '/')->{status}, 200, 'the first ones know nothing of this' for @open;
    my @flood = map { $gw->connect } 1 .. 12;
    is scalar(grep { eval { $_->at_end } // 1 } @flood), 12, 'none of a flood stays';
    is $_->request(GET => '/')->{status}, 200, 'nor does it disturb the others' for @open;
    $_->close for @open, @more, @flood;
    eventually { metric($gw, 'ksgate_connections') <= 1 } 'the end of all';
    is $gw->request(GET => '/')->{status}, 200, 'who has left may come again';
    is $gw->admin(GET => '/-/healthz')->{status}, 200, 'the admin socket is nobody\'s address';
    $gw->configure({limits => {connections_per_client => 4}, trusted_proxies => ['127.0.0.1']});
    $gw->reload;
    eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
    is scalar(grep { $_->request(GET => '/')->{status} == 200 } map { $gw->connect } 1 .. 10), 10, 'a trusted proxy has as many as it likes';
}

# ---- Connections -------------------------------------------------------------------------------------

{
    my $gw = gateway(@gateway, config => {limits => {connections => 16}});
    my @idle = map { my $c = $gw->connect; $c->request(GET => '/'); $c } 1 .. 16;
    my $busy = shift @idle; # the one that has been there for longest
    my $seen = $up->seen;
    $busy->send_request(GET => '/hold');
    $up->wait_for($seen + 1);
    select undef, undef, undef, 0.6; # what has just become idle is spared
    is $idle[0]->request(GET => '/')->{status}, 200, 'one of the idle ones asks again';
    is $gw->request(GET => '/')->{status}, 200, 'limits.connections: a new client gets in while others are idle';
    ok $idle[1]->at_end, 'the one that has been idle for longest had to go';
    cmp_ok metric($gw, 'ksgate_connections_shed_total'), '>=', 1, 'which is counted';
    is $idle[0]->request(GET => '/')->{status}, 200, 'not the one that came first';
    $up->release;
    is $busy->response->{body}, 'reached', 'nor one that is busy';

    # Full of busy ones: new ones wait, and are served as soon as one has ended.
    my @all = ($busy, $idle[0], map { $gw->connect } 1 .. 20);
    $_->send_request(GET => '/hold') for @all;
    eventually { metric($gw, 'ksgate_connections_full_total') >= 1 } 'a full house';
    my $waits = $gw->connect;
    $waits->send_request(GET => '/');
    ok !IO::Select->new($waits->sock)->can_read(0.3), 'a new client waits while all are busy';
    is $gw->admin(GET => '/-/healthz')->{status}, 200, 'the admin socket answers';
    like $gw->stderr, qr/limits\.connections is reached/, 'the log says so';
    $up->release(scalar @all);
    is scalar(grep { ($_->response->{body} // '') eq 'reached' } @all), scalar @all, 'all are served in the end';
    is $waits->response->{status}, 200, 'and who waited, too';
    $gw->configure({limits => {connections => 1000}});
    $gw->reload;
    eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
    my @many = map { my $c = $gw->connect; $c->request(GET => '/'); $c } 1 .. 40;
    is scalar(grep { $_->request(GET => '/')->{status} == 200 } @many), 40, 'a reload changes the limit';
}

done_testing;
