# Backends that are gone, slow, broken or mad: what the client is told, and what is left behind.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
my $slow = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

# Answers, after which the connection is closed.
my %answers = (
    '/ok' => $ok,
    '/in-head' => "HTTP/1.1 200 OK\r\nContent-Le",
    '/after-100' => "HTTP/1.1 103 Early Hints\r\n\r\n",
    '/short' => "${slow}hello",
    '/short-chunk' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
    '/no-last-chunk' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    '/bad-chunk' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
    # More than is read at once: the head is out when the fault comes.
    '/bad-chunk-late' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" . 'x' x 0x100000 . "\r\nxyz\r\n",
    '/garbage' => "hello, this is no HTTP\r\n\r\n",
    '/noise' => join('', map { chr(($_ * 89) % 256) } 1 .. 300),
    '/09' => "<html>old</html>",
    '/http2' => "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    '/no-status' => "HTTP/1.1 OK\r\n\r\n",
    '/both' => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    '/two-lengths' => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    '/bad-length' => "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    '/gzip' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    '/fold' => "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    '/split' => "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    '/nul' => "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    '/interim' => "HTTP/1.1 103 Early Hints\r\n\r\n" x 100 . $ok,
    '/many-headers' => "HTTP/1.1 200 OK\r\n" . "X: y\r\n" x 500 . "Content-Length: 2\r\n\r\nok",
);

my $up = upstream {
    my ($r) = @_;
    my $path = $r->{path};
    return if $path eq '/close';
    return if $path eq '/close-again' && $r->{n} > 1;
    if ($path =~ m{^/(?:reset|reset-short)$}) {
        $r->write($slow . 'hello') if $path eq '/reset-short';
        setsockopt $r->{client}->sock, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'll', 1, 0;
        return;
    }
    if ($path eq '/endless-head') {
        $r->write("HTTP/1.1 200 OK\r\n");
        1 while $r->write('X: ' . 'y' x 1000 . "\r\n");
        return;
    }
    if ($path eq '/endless') {
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        1 while $r->write("2710\r\n" . 'x' x 10_000 . "\r\n");
        return;
    }
    if ($path eq '/two') {
        $r->write($ok . "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        return KEEP;
    }
    if ($path eq '/late') {
        $r->hold;
        return $ok;
    }
    if ($path eq '/late-rest') {
        $r->write("${slow}hello");
        $r->hold;
        return 'world';
    }
    return $answers{$path} if exists $answers{$path};
    return [200, {}, "$r->{method} $r->{n}"];
};

sub world { my ($url, %timeouts) = @_; return gateway(core => $url, console => $url, workers => 1, config => {timeouts => \%timeouts}) }
my $gw = world($up->url, body_idle => '1s'); # that is the client's
my $hasty = world($up->url, first_byte => '500ms', backend_idle => '500ms'); # whom nobody answers who is to answer in time

sub is_status {
    my ($r, $status, $message, $what) = @_;
    my $json = $r->{json} // {};
    my $fine = $r->{status} == $status && ($json->{kind} // '') eq 'Status' && $json->{code} == $status && $json->{message} =~ $message;
    ok $fine, "$what: $status" or diag "$r->{status} $r->{body}";
    return;
}

# Sockets alone: a worker keeps a few empty pipes for the next big bodies.
sub open_sockets {
    my $pid = $gw->server_pid;
    return scalar grep { (readlink // '') =~ /^socket:/ } glob "/proc/$pid/fd/*";
}

is $gw->request(GET => '/x')->{status}, 200, 'a backend that is well';
my $sockets = open_sockets();

# ---- Answers that are none --------------------------------------------------------------------

my $c = $gw->connect;
is_status($c->request(GET => '/close'), 502, qr/closed/, 'closed without an answer');
is_status($c->request(GET => '/reset'), 502, qr/closed/, 'reset without an answer');
is_status($c->request(POST => '/close', body => 'x'), 502, qr/closed/, 'closed after a body');
is_status($c->request(GET => '/in-head'), 502, qr/closed/, 'closed within the head');
is_status($c->request(GET => '/after-100'), 502, qr/closed/, 'closed after an interim answer');
is_status($c->request(GET => '/interim'), 502, qr/interim/, 'interim answers without end');
is_status($c->request(GET => '/endless-head'), 502, qr/large/, 'a head without end');
is_status($c->request(GET => '/many-headers'), 502, qr/large|headers/, 'too many headers');
for my $path (qw(/bad-chunk /garbage /noise /09 /http2 /no-status /both /two-lengths /bad-length /gzip /fold /split /nul)) {
    is_status($c->request(GET => $path), 502, qr/not valid HTTP/, "$path");
}
is $c->request(GET => '/x')->{status}, 200, 'all that on one connection of the client';

# ---- Answers that break off -------------------------------------------------------------------

for my $path (qw(/short /short-chunk /no-last-chunk /bad-chunk-late /reset-short)) {
    my $client = $gw->connect;
    ok !eval { $client->request(GET => $path); 1 }, "$path is not taken for a whole answer";
    $client = $gw->connect;
    $client->write("GET $path HTTP/1.0\r\n\r\n");
    my $got = 1;
    while ($got) {
        $got = eval { $client->read_some };
    }
    ok !defined $got, "nor by an HTTP/1.0 client, whose connection is reset ($path)";
}

# ---- More than one answer ---------------------------------------------------------------------

$c = $gw->connect;
is $c->request(GET => '/two')->{body}, 'ok', 'of two answers the first one counts';
is $c->request(GET => '/x')->{body}, 'GET 1', 'and the other is nobody\'s: its connection is not used again';

# ---- Too slow ---------------------------------------------------------------------------------

my $waits = $hasty->connect;
is_status($waits->request(GET => '/late'), 504, qr/in time/, 'no answer in time');
is_status($waits->request(POST => '/late', body => 'x'), 504, qr/in time/, 'nor after a body');
ok !eval { $waits->request(GET => '/late-rest'); 1 }, 'an answer that stops is cut';
$up->release(3); # all at the end: one's release must not let the next one go

# ---- A kept connection that is dead -----------------------------------------------------------

is $gw->request(GET => '/x')->{status}, 200, 'a connection is kept';
$up->forget;
is_status($gw->request(POST => '/close-again', body => 'x'), 502, qr/closed/, 'it closes when a POST comes: nobody knows whether that was done');
is $up->seen, 1, 'so it is not sent again';
is $gw->request(GET => '/x')->{status}, 200, 'a connection is kept';
$up->forget;
is $gw->request(GET => '/close-again')->{status}, 200, 'it closes when a GET comes: that is asked again';
is $up->seen, 2, 'once';
$up->forget;
is_status($gw->request(GET => '/close'), 502, qr/closed/, 'but only once');
cmp_ok $up->seen, '<=', 2, 'not for ever';
is $gw->request(GET => '/x')->{status}, 200, 'a connection is kept';
$up->forget;
is $gw->request(PUT => '/close-again', 'Transfer-Encoding' => 'chunked', body => "0\r\n\r\n")->{status} =~ /^(?:200|502)$/ ? 1 : 0, 1, 'an empty body in chunks is no riddle';

# ---- No backend -------------------------------------------------------------------------------

is $gw->request(GET => '/x')->{status}, 200, 'a connection is kept';
$up->stop;
is_status($gw->request(GET => '/x'), 502, qr/connection/, 'a backend that is not there');
is_status($gw->request(POST => '/x', body => 'x'), 502, qr/connection/, 'with a body');
$up->start;
is $gw->request(POST => '/x', body => 'x')->{status}, 200, 'it is back, and is found at once';

$up->freeze;
is_status($hasty->request(GET => '/x'), 504, qr/in time/, 'a backend that is stopped');
$up->thaw;
ok eventually { $hasty->request(GET => '/x')->{status} == 200 }, 'goes on';

# ---- A client that goes -----------------------------------------------------------------------

for my $path (qw(/endless /late /late-rest)) {
    my $client = $gw->connect;
    $client->send_request(GET => $path);
    $client->read_until(qr/\r\n\r\n/) if $path ne '/late';
    setsockopt $client->sock, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'll', 1, 0 if $path ne '/endless';
    $client->close;
}
my $uploader = $gw->connect;
$uploader->send_request(POST => '/x', 'Content-Length' => 1_000_000);
$uploader->write('x' x 100_000);
$uploader->close;
undef $_ for $c, $uploader;
ok eventually { open_sockets() <= $sockets + 1 }, 'nothing is left open of those who went, or of what broke';
my $gone = eventually { my ($line) = grep { ($_->{error} // '') eq 'client_gone' } $gw->access_log; $line } 'the log';
is $gone->{end}, 'client_gone', 'and the log says so';
$up->release(4);

my $reader = $gw->connect;
$reader->send_request(GET => '/endless');
ok eventually { grep { ($_->{end} // '') eq 'client_too_slow' } $gw->access_log }, 'who does not take the answer is given up';

# ---- Other addresses --------------------------------------------------------------------------

my $local = upstream { [200, {}, 'by the socket'] } socket => 1;
my $by_socket = world($local->url);
is $by_socket->request(GET => '/')->{body}, 'by the socket', 'a backend behind a unix socket';
is $local->last->{headers}{host}, '127.0.0.1:' . $by_socket->port, 'sees the Host, too';
$local->stop;
is_status($by_socket->request(GET => '/'), 502, qr/connection/, 'which may be gone');

my $by_name = world('http://localhost:' . $up->port);
is $by_name->request(GET => "/x")->{status}, 200, "a backend by its name ($_)" for 1 .. 4;
my $nobody = world('http://no-such-host.invalid:80');
is_status($nobody->request(GET => '/'), 502, qr/connection/, 'a name that nobody has') for 1 .. 2;
my $long = world('http://' . 'x' x 70 . '.example:80');
is_status($long->request(GET => '/'), 502, qr/connection/, 'a name that nobody can have');
my $nowhere = world('http://127.0.0.1:' . free_port());
is_status($nowhere->request(GET => '/'), 502, qr/refused/i, 'a port where nobody listens');
my $far = world('http://255.255.255.255:80');
is_status($far->request(GET => '/'), 502, qr/connection/, 'an address that can not be reached');

# It speaks before it is spoken to, in the very moment in which it is connected to.
my $port = free_port();
my $talker = Gateway::Process->new(name => 'talker', log => tempdir() . '/log', expected_end => 1, code => sub {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 10) or die "listen: $!";
    my @open;
    while (my $sock = $listener->accept) {
        syswrite $sock, $ok =~ s/\r\n\r\n/\r\nConnection: close\r\n\r\n/r;
        push @open, $sock;
    }
});
eventually { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 'the talker';
my $told = world("http://127.0.0.1:$port");
is $told->request(GET => '/')->{body}, 'ok', 'a backend that answers at once is heard' for 1 .. 20;

is $gw->request(GET => '/x')->{status}, 200, 'the gateway is well';
is scalar(() = $_->stderr =~ /starting it again/g), 0, 'and never had to start again' for $gw, $hasty, $told, $by_socket, $by_name, $nobody, $long, $nowhere, $far;

done_testing;
