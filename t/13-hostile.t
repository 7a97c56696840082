# What must not get through: raw bytes, the answer, and that no backend heard of them.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;

my $up = upstream { [200, {}, 'reached'] };
my $limits = {head => '8KiB', target => '1KiB', headers => 40, body => '10KiB', min_rate => 0};
my $gw = gateway(core => $up->url, console => $up->url, workers => 1, config => {limits => $limits});
my $reloads = 0;

sub reconfigured {
    my ($config) = @_;
    $gw->configure($config);
    $gw->reload;
    $reloads++;
    return eventually { $reloads == (() = $gw->stderr =~ /was reloaded/g) } 'the reload';
}

my $get = "GET / HTTP/1.1\r\nHost: a\r\n";
my $post = "POST / HTTP/1.1\r\nHost: a\r\n";
my $chunked = "${post}Transfer-Encoding: chunked\r\n\r\n";
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

# what => [bytes, status, pattern of the message]
my @cases = (
    # The message's length
    'Content-Length and Transfer-Encoding' => ["${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled", 400, qr/Transfer-Encoding|ambiguous/],
    'Transfer-Encoding and Content-Length' => ["${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n$smuggled", 400],
    'two lengths' => ["${post}Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", 400],
    'two equal lengths' => ["${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400],
    'a list of lengths' => ["${post}Content-Length: 3, 3\r\n\r\nabc", 400],
    'a length with a sign' => ["${post}Content-Length: +3\r\n\r\nabc", 400],
    'a negative length' => ["${post}Content-Length: -3\r\n\r\nabc", 400],
    'no length' => ["${post}Content-Length:\r\n\r\nabc", 400],
    'a hexadecimal length' => ["${post}Content-Length: 0x3\r\n\r\nabc", 400],
    'a length of words' => ["${post}Content-Length: three\r\n\r\nabc", 400],
    'a length with a space in it' => ["${post}Content-Length: 1 0\r\n\r\nabc", 400],
    'a length beyond 64 bits' => ["${post}Content-Length: 18446744073709551617\r\n\r\nabc", 400],
    'identity, chunked' => ["${post}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 400],
    'chunked, identity' => ["${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400],
    'chunked twice' => ["${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400],
    'two codings' => ["${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400],
    'gzip, chunked' => ["${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501],
    'an unknown coding' => ["${post}Transfer-Encoding: cow\r\n\r\n", 501],
    'chunked with a vertical tab' => ["${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400],
    'chunked in quotes' => ["${post}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400],
    'Transfer-Encoding with a space' => ["${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400],
    'chunked in HTTP/1.0' => ["POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled", 400],

    # The request line
    'HTTP/0.9' => ["GET /\r\n\r\n", 400],
    'two spaces before the version' => ["GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'two spaces before the target' => ["GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'a tab in the request line' => ["GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", qr/400|501/],
    'a space in the target' => ["GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'RTSP' => ["GET / RTSP/1.0\r\nHost: a\r\n\r\n", qr/400|505/],
    'ICE' => ["SOURCE / ICE/1.0\r\nHost: a\r\n\r\n", qr/400|501|505/],
    'HTTP/1.2' => ["GET / HTTP/1.2\r\nHost: a\r\n\r\n", qr/400|505/],
    'HTTP/2.0' => ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", qr/400|505/],
    'the preface of HTTP/2' => ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", qr/400|501|505/],
    'http/1.1' => ["GET / http/1.1\r\nHost: a\r\n\r\n", qr/400|505/],
    'an unknown method' => ["BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501],
    'a method in lower case' => ["get / HTTP/1.1\r\nHost: a\r\n\r\n", qr/400|501/],
    'CONNECT' => ["CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", qr/400|405|501/],
    'TRACE' => ["TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405],
    '* of GET' => ["GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'a target without a slash' => ["GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'another scheme' => ["GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'a fragment' => ["GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'an 8-bit target' => ["GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'a control byte in the target' => ["GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    'a NUL in the target' => ["GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400],

    # Lines and headers
    'LF only' => ["GET / HTTP/1.1\nHost: a\n\n", 400],
    'LF after a header' => ["GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400],
    'a bare CR' => ["${get}X: a\rb\r\n\r\n", 400],
    'a bare CR at the end' => ["${get}X: a\r\r\n\r\n", 400],
    'a NUL in a value' => ["${get}X: a\0b\r\n\r\n", 400],
    'a control byte in a value' => ["${get}X: a\x01b\r\n\r\n", 400],
    'obs-fold' => ["${get}X: a\r\n b\r\n\r\n", 400],
    'obs-fold of Content-Length' => ["${post}Content-Length:\r\n 3\r\n\r\nabc", 400],
    'white space before the first header' => ["GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400],
    'a space before the colon' => ["${get}X : a\r\n\r\n", 400],
    'no colon' => ["${get}X\r\n\r\n", 400],
    'no name' => ["${get}: a\r\n\r\n", 400],
    'a space in a name' => ["${get}X Y: a\r\n\r\n", 400],
    'an 8-bit name' => ["${get}X\xe4: a\r\n\r\n", 400],
    'a slash in a name' => ["${get}X/Y: a\r\n\r\n", 400],

    # Host
    'no Host' => ["GET / HTTP/1.1\r\n\r\n", 400, qr/Host/],
    'two Hosts' => ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, qr/Host/],
    'two equal Hosts' => ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, qr/Host/],
    'a list of Hosts' => ["GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, qr/Host/],
    'a Host with a path' => ["GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, qr/Host/],
    'a Host with a user' => ["GET / HTTP/1.1\r\nHost: u\@a\r\n\r\n", 400, qr/Host/],
    'a Host with a bad port' => ["GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, qr/Host/],
    'a Host that is not that of the target' => ["GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400, qr/host/i],
    'a target with a user' => ["GET http://u\@a/ HTTP/1.1\r\nHost: u\@a\r\n\r\n", 400],

    # Chunks
    'a chunk without its end' => ["${chunked}3\r\nabcde\r\n0\r\n\r\n", 400],
    'a chunk size of words' => ["${chunked}xyz\r\n", 400],
    'a space in a chunk size' => ["${chunked}3 \r\nabc\r\n0\r\n\r\n", 400],
    'a chunk size with 0x' => ["${chunked}0x3\r\nabc\r\n0\r\n\r\n", 400],
    'a negative chunk size' => ["${chunked}-3\r\nabc\r\n0\r\n\r\n", 400],
    'an endless chunk size' => ["${chunked}" . '0' x 100_000, 400],
    'a chunk size beyond 64 bits' => ["${chunked}11111111111111111\r\nabc\r\n", 400],
    'LF after a chunk size' => ["${chunked}3\nabc\r\n0\r\n\r\n", 400],
    'LF in a chunk extension' => ["${chunked}3;a\nb\r\nabc\r\n0\r\n\r\n", 400],
    'CR in a chunk extension' => ["${chunked}3;a\rb\r\nabc\r\n0\r\n\r\n", 400],
    'an endless chunk extension' => ["${chunked}3;" . 'a' x 100_000, 400],
    'a broken trailer' => ["${chunked}0\r\nX : a\r\n\r\n", 400],
    'obs-fold in a trailer' => ["${chunked}0\r\nX: a\r\n b\r\n\r\n", 400],

    # Limits, each of which is named
    'a large head' => ["${get}X: " . 'x' x 9000 . "\r\n\r\n", 431, qr/limits\.head\b/],
    'an endless head' => ["${get}X: " . 'x' x 100_000, 431, qr/limits\.head\b/],
    'many headers' => [$get . join('', map { "X$_: y\r\n" } 1 .. 60) . "\r\n", 431, qr/limits\.headers/],
    'a long target' => ['GET /' . 'x' x 2000 . " HTTP/1.1\r\nHost: a\r\n\r\n", 414, qr/limits\.target/],
    'an endless target' => ['GET /' . 'x' x 100_000, qr/414|431/, qr/limits\./],
    'an endless method' => ['G' x 100_000, qr/400|431|501/],
    'a large body by length' => ["${post}Content-Length: 20000\r\n\r\n", 413, qr/limits\.body/],
    'another expectation' => ["${post}Expect: a-miracle\r\nContent-Length: 3\r\n\r\nabc", 417],

    # No HTTP at all
    'a TLS handshake' => ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . 'x' x 200, qr/400|501/],
    'noise' => [join('', map { chr(($_ * 131) % 256) } 1 .. 500), qr/400|501/],
    'NULs' => ["\0" x 100, qr/400|501/],
    'empty lines' => ["\r\n\r\n\r\n\r\n", qr/400|501/],
    'SSH' => ["SSH-2.0-OpenSSH_9.2\r\n", qr/400|501/],
);

sub check {
    my ($what, $answer, $status, $message) = @_;
    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($got) = $head =~ m{^HTTP/1\.1 (\d{3})};
    $status = qr/$status/;
    my $json = eval { JSON::PP::decode_json($body) };
    my @wrong = (
        ($got // '') =~ /^(?:$status)$/ ? () : 'the status is ' . ($got // "none in '$answer'"),
        $json && $json->{kind} eq 'Status' && $json->{code} == $got ? () : 'there is no Status in the answer',
        !$message || $json && $json->{message} =~ $message ? () : "the message is '$json->{message}'",
        scalar(() = $answer =~ m{HTTP/1\.1 \d}g) == 1 ? () : 'there are several answers',
        $head =~ /\r\nConnection: close(?:\r\n|$)/i ? () : 'the connection is not closed',
    );
    ok !@wrong, $what or diag join '; ', @wrong;
    return;
}

# Bytes in pieces; stops when the other side has closed.
sub send_slowly {
    my ($bytes, $piece) = @_;
    my $c = $gw->connect(seconds => 5);
    setsockopt $c->sock, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
    for (my $at = 0; $at < length $bytes; $at += $piece) {
        last if !$c->write(substr $bytes, $at, $piece);
        last if IO::Select->new($c->sock)->can_read(0);
    }
    my $answer = $c->read_all;
    return $answer;
}

for (my $i = 0; $i < @cases; $i += 2) {
    my ($what, $case) = @cases[$i, $i + 1];
    my ($bytes, $status, $message) = @$case;
    check($what, $gw->raw($bytes, seconds => 5), $status, $message);
    check("$what, byte by byte", send_slowly($bytes, length $bytes > 5000 ? 997 : 1), $status, $message);
}
is scalar(grep { $_->{path} =~ /smuggled/ } $up->requests), 0, 'nothing was smuggled';
is_deeply [map { "$_->{method} $_->{target}" } grep { !exists $_->{headers}{'transfer-encoding'} } $up->requests], [],
    'and no request of these was finished at the backend';

# ---- Paths that can be read in two ways -------------------------------------------------------

$up->forget;
my @paths = (
    '//a', '/a//b', '/a/../b', '/..', '/../a', '/a/.', '/./a', '/a/..;x/b', '/a;/../b', '/%2e%2e/a', '/a/%2e/b', '/.%2e/a', '/%2E%2E',
    '/a%2fb', '/a%2Fb', '/%2f', '/a\\b', '/a%5cb', '/%5C', '/%00', '/a%00b', '/a%0ab', '/a%0d%0ab', '/a%7f', '/%252e%252e/a', '/a%252fb',
    '/a%255cb', '/%25%32%65', '/a%2', '/a%', '/a%zz', '/a%c0%af', '/a%c0%2e', '/%u002f', '/..%00/', '/a/..%2fb', '/a/%2e%2e%2fb',
    '/extensions/x/../../api', '/kapis/%2e%2e/x', '/-/../api', '/%2d%2f', '/a%09b', '/a%e0%80%af',
);
my $c = $gw->connect;
for my $path (@paths) {
    my $r = $c->request(GET => $path);
    is $r->{status}, 400, "$path is refused";
    like $r->{json}{message} // '', qr/path|target/, 'and the path is blamed';
}
is $up->seen, 0, 'no backend heard of them';
is $gw->raw("GET http://a/x/../y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") =~ m{^HTTP/1.1 400 } ? 1 : 0, 1, 'nor in the absolute form';
for my $path ('/a/', '/a//', '/a.b/..c/...', '/%41', '/a%20b', '/a:b@c', '/a?x=../..//&y=%00%2f') {
    is $c->request(GET => $path)->{status}, 200, "$path can be read in one way only";
    is $up->last->{target}, $path, 'and is sent on as it is';
}

# ---- Too slow ---------------------------------------------------------------------------------

$up->forget;
reconfigured({limits => $limits, timeouts => {head => '300ms', body_idle => '300ms', idle => '1s'}});
check('a head that does not end', $gw->raw("GET / HTTP/1.1\r\nHost:"), 408, qr/timeouts\.head/);
{
    my $drip = $gw->connect;
    my @drops = split //, $get . 'X: ' . 'x' x 1000; # all of it takes far longer than the limit
    while (@drops) {
        $drip->write(shift @drops);
        last if IO::Select->new($drip->sock)->can_read(0.02);
    }
    check('a head that comes in drops', $drip->read_all, 408, qr/timeouts\.head/);
    cmp_ok scalar(@drops), '>', 0, 'before all of them have come';
}
is $gw->raw(''), '', 'a connection without a word is closed without one';
check('a body that stops', $gw->raw("${post}Content-Length: 10\r\n\r\nabc"), 408, qr/timeouts\.body_idle/);
check('a chunked body that stops', $gw->raw("${chunked}5\r\nab"), 408, qr/timeouts\.body_idle/);
{
    # The passing of time is what is tested.  Drops that the machine has held up for too long prove nothing.
    my ($r, $longest);
    for (1 .. 20) {
        my $slow = $gw->connect;
        $slow->write("${post}Content-Length: 8\r\n\r\n");
        my $last = time;
        $longest = 0;
        for (1 .. 8) {
            select undef, undef, undef, 0.1;
            $slow->write('x');
            $longest = time - $last if time - $last > $longest;
            $last = time;
        }
        $r = $slow->response;
        last if $r->{status} == 200 || $longest < 0.2;
    }
    is $r->{status}, 200, 'one that goes on is waited for';
}
reconfigured({timeouts => {first_byte => '300ms', body_idle => '1s'}});
check('a body that stops is the fault of who sends it', $gw->raw("${post}Content-Length: 10\r\n\r\nabc"), 408, qr/timeouts\.body_idle/);

# ---- Too large --------------------------------------------------------------------------------

reconfigured({limits => {body => '10KiB'}});
$up->forget;
check('a large body in chunks', $gw->raw($chunked . ("400\r\n" . 'x' x 1024 . "\r\n") x 20), 413, qr/limits\.body/);
is $gw->request(POST => '/', body => 'x' x 10_240)->{status}, 200, 'a body of just that size is fine';
is $gw->request(POST => '/', 'Transfer-Encoding' => 'chunked', body => "2800\r\n" . 'x' x 10_240 . "\r\n0\r\n\r\n")->{status}, 200, 'in chunks, too';

# ---- And after all that -----------------------------------------------------------------------

is $gw->request(GET => '/fine')->{body}, 'reached', 'the gateway serves';
is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'and never had to start again';

done_testing;
