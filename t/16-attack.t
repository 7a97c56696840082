# Clients, backends and machines that do the worst thing at the worst moment.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Process qw(slow);

# A backend by hand, in this process: the test decides which connection is taken, and when.
sub listener {
    my (%option) = @_;
    my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64, ReuseAddr => 1, %option) or die "listen: $!";
    return $l;
}

sub url_of { return 'http://127.0.0.1:' . $_[0]->sockport }

sub accept_one {
    my ($l) = @_;
    IO::Select->new($l)->can_read(10 * slow()) or die "no connection came\n";
    return bless {sock => scalar $l->accept, in => '', to => 'backend', seconds => 10 * slow()}, 'Gateway::Client';
}

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

sub rss {
    my ($gw) = @_;
    my ($kb) = slurp('/proc/' . $gw->server_pid . '/status') =~ /^VmRSS:\s+(\d+)/m;
    return $kb / 1024;
}

# ---- A body that comes while another connection is being made -----------------------------------

{
    my $l = listener();
    my $gw = gateway(core => url_of($l), console => url_of($l), workers => 1);
    my $c = $gw->connect;
    $c->send_request(GET => '/');
    my $backend = accept_one($l);
    $backend->read_until(qr/\r\n\r\n/);
    $backend->write($ok);
    is $c->response->{body}, 'ok', 'a connection to the backend is in the pool';

    my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Remote-User: admin\r\n\r\n";
    $c->write("PUT /first HTTP/1.1\r\nHost: a\r\nContent-Length: " . length($smuggled) . "\r\n\r\n");
    $backend->read_until(qr{PUT /first .*?\r\n\r\n}s);
    CORE::kill('STOP', $gw->server_pid); # then it sees both in one turn: the end, and the body after it
    $backend->close;
    select undef, undef, undef, 0.1;
    $c->write($smuggled);
    select undef, undef, undef, 0.1;
    CORE::kill('CONT', $gw->server_pid);
    $backend = accept_one($l);
    like $backend->read_until(qr/\r\n\r\n/), qr{^PUT /first HTTP/1\.1\r\n}, 'what the backend reads first is the head';
    is $backend->read_bytes(length $smuggled), $smuggled, 'and the body is the body';
    $backend->write($ok);
    is $c->response->{status}, 200, 'the request was repeated';
}

# ---- A backend that leaves the configuration while it answers -------------------------------------

for my $end ('an answer', 'no answer') {
    my ($old, $new) = (listener(), listener());
    my $gw = gateway(core => url_of($old), console => url_of($old), workers => 1);
    my $c = $gw->connect;
    $c->send_request(GET => '/');
    my $backend = accept_one($old);
    $backend->read_until(qr/\r\n\r\n/);
    $backend->write($ok);
    $c->response;
    $c->send_request(GET => '/slow');
    $backend->read_until(qr/\r\n\r\n/);
    $gw->configure({core => {url => url_of($new), console => url_of($new)}});
    $gw->reload;
    eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
    $gw->request(GET => '/-/healthz'); # the worker has heard of it, too
    if ($end eq 'an answer') {
        $backend->write($ok);
    } else {
        $backend->close;
        $backend = accept_one($old);
        $backend->read_until(qr/\r\n\r\n/);
        $backend->write($ok);
    }
    is eval { $c->response->{body} }, 'ok', "a request that began before a reload is finished there, with $end";
    my ($line) = $gw->access_log(1, sub { $_->{path} eq '/slow' });
    is $line->{endpoint}, url_of($old), 'and its line in the log knows where';
}

# ---- Memory ---------------------------------------------------------------------------------------

SKIP: {
    skip 'memory is not what it is, under a sanitizer', 1 if slow() > 1;
    my $gw = gateway(workers => 1);
    my $c = $gw->connect;
    my $one = "GET /-/healthz HTTP/1.1\r\nHost: a\r\nX: " . 'x' x 15_000 . "\r\n\r\n";
    my ($sent, $got) = ('', 0);
    $c->write($one x 5 . substr $one, 0, 7_000);
    my $before = rss($gw);
    for (1 .. 600) { # each read ends within a request: the pipeline is never empty
        $c->write(substr($one, 7_000) . $one x 3 . substr $one, 0, 7_000);
        sysread $c->sock, my $answers, 1 << 20 if IO::Select->new($c->sock)->can_read(0.01);
    }
    cmp_ok rss($gw) - $before, '<', 8, 'a pipeline that never ends does not fill our memory';
}

# ---- Backends that say more than they may ---------------------------------------------------------

# The bytes of one answer must never be taken for the next one, which may be another client's.
my $poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
my @talkative = (
    'an interim answer that announces a body' => ['GET', "HTTP/1.1 103 Hints\r\nContent-Length: 3\r\n\r\n$ok", ''],
    'HEAD with a body' => ['HEAD', "HTTP/1.1 200 OK\r\nContent-Length: " . length($poison) . "\r\n\r\n$poison", ''],
    'HEAD with a body that comes later' => ['HEAD', "HTTP/1.1 200 OK\r\nContent-Length: " . length($poison) . "\r\n\r\n", $poison],
    '304 with a body' => ['GET', "HTTP/1.1 304 Same\r\nContent-Length: " . length($poison) . "\r\n\r\n$poison", ''],
    '204 that announces one' => ['GET', "HTTP/1.1 204 None\r\nContent-Length: " . length($poison) . "\r\n\r\n", ''],
    'two answers' => ['GET', $ok . $poison, ''],
    'two answers, one later' => ['GET', $ok, $poison],
    'an interim answer after the last' => ['GET', "${ok}HTTP/1.1 100 Continue\r\n\r\n", ''],
    'more than the length says' => ['GET', "${ok}HTTP", ''],
);
{
    my $l = listener();
    my $gw = gateway(core => url_of($l), console => url_of($l), workers => 1);
    while (my ($what, $case) = splice @talkative, 0, 2) {
        my ($method, $answer, $later) = @$case;
        my $c = $gw->connect;
        $c->send_request($method => '/');
        my $backend = accept_one($l);
        $backend->read_until(qr/\r\n\r\n/);
        $backend->write($answer);
        like $c->response->{status}, qr/^[23]/, "$what is passed";
        $backend->write($later) if $later ne '';
        ok eval { $backend->at_end }, 'but its connection is not used again';
    }
}

# ---- Clients that say who they are, wherever a backend may read it ------------------------------

{
    my $up = upstream { [200, {}, 'fine'] };
    my $gw = gateway(core => $up->url, console => $up->url, workers => 1);
    my @who = ('X-Remote-User' => 'admin', 'x_remote_group' => 'system:masters', 'Impersonate-User' => 'admin');
    my %ways = (
        'on an upgrade' => [GET => '/', Connection => 'Upgrade', Upgrade => 'websocket', @who],
        'in HTTP/1.0' => [GET => '/', Connection => 'close', @who],
        'named by Connection' => [GET => '/', Connection => 'close, X-Remote-User, X-Forwarded-For, Host', @who],
        'in trailers' => [POST => '/', 'Transfer-Encoding' => 'chunked', TE => 'trailers', Connection => 'TE',
            body => "1\r\nx\r\n0\r\nX-Remote-User: admin\r\nx_forwarded_for: ::1\r\nAuthorization: Bearer x\r\nHost: b\r\nX-Sum: 1\r\n\r\n"],
    );
    for my $way (sort keys %ways) {
        $gw->request(@{$ways{$way}});
        my $r = $up->last;
        my %said = (%{$r->{headers}}, %{$r->{trailers} || {}});
        is_deeply [grep { /remote.(?:user|group)|impersonate/i } sort keys %said], [], "who asks is not the client's to say: $way";
        is $said{'x-forwarded-for'}, '127.0.0.1', 'nor where from';
        is_deeply [sort keys %{$r->{trailers} || {}}], $way =~ /trailers/ ? ['x-sum'] : [], 'a trailer is not a header';
    }
    like $gw->raw("GET / HTTP/1.1\r\nHost: a\";for=10.0.0.1\r\n\r\n"), qr{^HTTP/1\.1 400 }, 'a Host does not end its quotes in Forwarded';
    like $gw->raw("GET / HTTP/1.1\r\nHost: a;for=10.0.0.1\r\nConnection: close\r\n\r\n"), qr{^HTTP/1\.1 200 }, 'and what it may hold';
    like $up->last->{headers}{forwarded}, qr/;host="a;for=10\.0\.0\.1";/, 'stays within them';
}

# ---- A proxy that passes on what it was told ----------------------------------------------------------

{
    my $up = upstream { [200, {}, 'fine'] };
    my $gw = gateway(core => $up->url, console => $up->url, config => {trusted_proxies => ['127.0.0.1']});
    $gw->request(GET => '/', 'X-Forwarded-Proto' => 'https;for=10.0.0.1, for=_x', Host => 'a');
    unlike $up->last->{headers}{forwarded}, qr/10\.0\.0\.1/, 'a protocol is one word';
    $gw->request(GET => '/', 'X-Forwarded-Proto' => 'https', Host => 'a');
    like $up->last->{headers}{forwarded}, qr/;proto=https$/, 'and is believed';
}

# ---- Work without end ---------------------------------------------------------------------------------

{
    my $up = upstream { [200, {}, 'fine'] };
    my $gw = gateway(core => $up->url, console => $up->url, workers => 1);
    my $lines = join '', map { "X$_: y\r\n" } 1 .. 100;
    my $names = sub { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" . ', a' x $_[0] . "\r\n$lines\r\n" };
    like $gw->raw($names->(31)), qr{^HTTP/1\.1 200 }, 'Connection may name some headers';
    like $gw->raw($names->(32)), qr{^HTTP/1\.1 400 .*Connection names more than 32}s, 'but each of them is looked for in each line';
    like $gw->raw($names->(20_000)), qr{^HTTP/1\.1 400 }, 'many of them are refused';
}

done_testing;
