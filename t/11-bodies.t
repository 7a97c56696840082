# Bodies: both kinds of framing, both ways; what comes before and after them; what they may cost.
use strict;
use warnings;
use Digest::MD5;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Process qw(slow);

use constant MIB => 1 << 20;

my $long = $ENV{KSGATE_LONG} ? 1024 : 256; # MiB of the longest bodies
my $block = join '', map { chr(($_ * 7 + $_ / 256) % 256) } 1 .. MIB;

# ---- The backend ------------------------------------------------------------------------------

my %answers = (
    '/length' => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    '/empty' => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    '/chunked' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n4;x=y\r\nello\r\n0\r\n\r\n",
    '/trailers' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\n"
        . "X-Sum: 42\r\nContent-Length: 7\r\nX-Remote-User: evil\r\n\r\n",
    '/no-chunks' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    '/204' => "HTTP/1.1 204 No Content\r\n\r\n",
    '/304' => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n",
    '/early' => "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno",
    '/hints' => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    '/unasked-100' => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
);

my $up = upstream {
    my ($r) = @_;
    my $path = $r->{path};
    return "HTTP/1.1 200 OK\r\n\r\nto the end" if $path eq '/to-close';
    return "HTTP/1.0 200 OK\r\nA: b\r\n\r\nold" if $path eq '/1.0';
    return "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nxx" if $path eq '/204-with-body';
    if ($path eq '/early') {
        $r->write($answers{$path});
        $r->hold;
        return;
    }
    if (my $answer = $answers{$path}) {
        if ($path eq '/length' && ($r->{query} // '') eq 'slow') {
            $r->write($_) for split //, $answer;
            return KEEP;
        }
        $r->write($r->{method} eq 'HEAD' ? $answer =~ s/\r\n\r\n.*/\r\n\r\n/sr : $answer);
        return KEEP;
    }
    if ($path eq '/refuse') {
        $r->write("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        return;
    }
    if ($path eq '/stop') { # reads nothing until the test says so
        $r->hold;
    }
    if ($path =~ m{^/bytes/(\d+)$}) {
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: $1\r\n\r\n" . 'x' x $1);
        return KEEP;
    }
    if ($path =~ m{^/flood/(\d+)$}) {
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: " . $1 * MIB . "\r\n\r\n");
        $r->write($block) for 1 .. $1;
        return KEEP;
    }
    if ($path =~ m{^/chunks/(\d+)$}) {
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        $r->write("80000\r\n" . substr($block, 0, MIB / 2) . "\r\n80000\r\n" . substr($block, MIB / 2) . "\r\n") for 1 .. $1;
        $r->write("0\r\n\r\n");
        return KEEP;
    }
    if ($path eq '/echo') { # while it comes
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while (length(my $bytes = $r->body_some)) {
            $r->write(sprintf "%x\r\n%s\r\n", length $bytes, $bytes);
        }
        $r->write("0\r\n\r\n");
        return KEEP;
    }
    my $sum = Digest::MD5->new;
    my $all = 0;
    while (length(my $bytes = $r->body_some)) {
        $sum->add($bytes) if $path ne '/count';
        $all += length $bytes;
    }
    my $trailer = $r->{trailers} ? join ',', map { "$_=$r->{trailers}{$_}" } sort keys %{$r->{trailers}} : '-';
    return [200, {}, join ' ', $all, $sum->hexdigest, $trailer, $r->{left} // '', $r->{headers}{'transfer-encoding'} // 'length'];
} lazy => 1;

my $gw = gateway(core => $up->url, console => $up->url, workers => 1);

sub rss {
    my ($kb) = slurp('/proc/' . $gw->server_pid . '/status') =~ /^VmRSS:\s+(\d+)/m;
    return $kb / 1024;
}

# ---- Answers ----------------------------------------------------------------------------------

my $c = $gw->connect;
sub get { return $c->request(GET => @_) }

is get('/length')->{body}, 'hello', 'an answer with a length';
is get('/length?slow')->{body}, 'hello', 'byte by byte, too';
is get('/empty')->{body}, '', 'of no bytes';
is get('/chunked')->{body}, 'hello', 'in chunks';
is get('/no-chunks')->{body}, '', 'in no chunks';
my $r = get('/trailers');
is $r->{body}, 'hello', 'with trailers';
is_deeply $r->{trailers}, {'x-sum' => 42}, 'of which those arrive that may: no framing, no identity';
is get('/204')->{status}, 204, 'no content';
$r = get('/304');
is $r->{status}, 304, 'not modified';
is $r->{headers}{etag}, '"x"', 'with its headers';
is $r->{headers}{'content-length'}, 5, 'and the length that it stands for';
for my $path (qw(/length /chunked /empty)) {
    is $c->request(HEAD => $path)->{status}, 200, "HEAD of $path";
}
$r = get('/to-close');
is $r->{body}, 'to the end', 'an answer that ends with the connection';
is $r->{headers}{'transfer-encoding'}, 'chunked', 'ends with a chunk here';
is get('/1.0')->{body}, 'old', 'that of an HTTP/1.0 backend, too';
is get('/204-with-body')->{status}, 204, '204 that has a body all the same';
is get('/length')->{body}, 'hello', 'does not become part of the next answer';
is_deeply get('/hints')->{interim}, [103, 102], 'interim answers come through';
is_deeply get('/unasked-100')->{interim}, [], 'but no 100 that nobody asked for';
is get('/length')->{body}, 'hello', 'all of it on one connection';

for (['/chunked', 'hello'], ['/trailers', 'hello'], ['/to-close', 'to the end'], ['/no-chunks', ''], ['/hints', 'ok']) {
    my ($path, $body) = @$_;
    my $old = $gw->connect;
    $old->write("GET $path HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    my $answer = $old->response;
    is_deeply $answer->{interim}, [], "an HTTP/1.0 client gets no interim answer ($path)";
    is $answer->{body}, $body, "and the body as it is ($path)";
    ok !exists $answer->{headers}{'transfer-encoding'}, "which ends with the connection ($path)";
}

# ---- Requests ---------------------------------------------------------------------------------

sub sum { return Digest::MD5::md5_hex(@_) }

is $c->request(POST => '/sum', body => 'hello')->{body}, '5 ' . sum('hello') . ' - 0 length', 'a body with a length';
is $c->request(POST => '/sum', body => '')->{body}, '0 ' . sum('') . ' - 0 length', 'of no bytes';
is $c->request(GET => '/sum', body => 'hello')->{body}, '5 ' . sum('hello') . ' - 0 length', 'a body of a GET, too';
my @chunked = ('Transfer-Encoding' => 'chunked');
is $c->request(POST => '/sum', @chunked, body => "1;a=b\r\nh\r\n4\r\nello\r\n0\r\n\r\n")->{body}, '5 ' . sum('hello') . '  0 chunked',
    'a body in chunks';
is $c->request(PUT => '/sum', @chunked, body => "0\r\n\r\n")->{body}, '0 ' . sum('') . '  0 chunked', 'in no chunks';
is $c->request(POST => '/sum', @chunked, Trailer => 'X-A', body => "5\r\nhello\r\n0\r\nX-A: 1\r\nX-Remote-User: evil\r\n"
        . "Authorization: evil\r\nHost: evil\r\nX-Forwarded-For: evil\r\n\r\n")->{body},
    '5 ' . sum('hello') . ' x-a=1 0 chunked', 'with trailers: those that may';
$c->write("POST /sum HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
$c->write($_) for split //, "a\r\n0123456789\r\n0\r\nX-A: 2\r\n\r\n";
is $c->response->{body}, '10 ' . sum('0123456789') . ' x-a=2 0 chunked', 'byte by byte';
is $c->request(POST => '/echo', @chunked, body => "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")->{body}, 'abcdef', 'an echo';

# ---- Expect -----------------------------------------------------------------------------------

$c->send_request(POST => '/sum', Expect => '100-continue', 'Content-Length' => 5);
$up->wait_for($up->seen); # the head alone reaches the backend
is $c->head->{status}, 100, 'the backend says go on';
$c->write('hello');
is $c->response->{body}, '5 ' . sum('hello') . ' - 0 length', 'and the body follows';

$c->send_request(POST => '/refuse', Expect => '100-continue', 'Content-Length' => 5);
$r = $c->response;
is $r->{status}, 403, 'the backend says no';
is_deeply $r->{interim}, [], 'without a 100';
is lc($r->{headers}{connection} // ''), 'close', 'then the connection can not go on';

$c = $gw->connect;
$c->send_request(POST => '/kapis/x', Expect => '100-continue', 'Content-Length' => 5);
$r = $c->response;
is $r->{status}, 401, 'the gateway says no';
is_deeply $r->{interim}, [], 'before the body is sent';
$c = $gw->connect;
$c->write("POST /sum HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
is $c->response->{body}, '5 ' . sum('hello') . ' - 0 length', 'HTTP/1.0 knows no Expect';

# ---- An answer before the end of the request --------------------------------------------------

$c = $gw->connect;
$c->write("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst");
$r = $c->response;
is $r->{status}, 413, 'an answer to a request that is not finished';
is $r->{body}, 'no', 'arrives whole';
$c->write('x' x 100_000);
ok $c->at_end, 'and the connection ends';
$up->release;

# ---- Large ------------------------------------------------------------------------------------

my $want = do {
    my $sum = Digest::MD5->new;
    $sum->add($block) for 1 .. 64;
    $sum->hexdigest;
};

# Reads an answer's body and forgets it; its sum.
sub drink {
    my ($client, $bytes, $sum) = @_;
    $sum->add($client->take(length $client->{in})) if $sum;
    my $left = $bytes - ($sum ? 0 : length $client->take(length $client->{in}));
    while ($left > 0) {
        IO::Select->new($client->sock)->can_read(10 * slow()) or die "nothing came in time\n";
        my $n = sysread $client->sock, my $buffer, MIB;
        $n or die "cut with $left bytes to come\n";
        $sum->add($buffer) if $sum;
        $left -= $n;
    }
    return $left;
}

$c = $gw->connect(seconds => 30);
is Digest::MD5::md5_hex($c->request(GET => '/flood/64')->{body}), $want, '64 MiB down, by length';
is Digest::MD5::md5_hex($c->request(GET => '/chunks/64')->{body}), $want, '64 MiB down, in chunks';
$c->send_request(POST => '/sum', 'Content-Length' => 64 * MIB);
$c->write($block) for 1 .. 64;
is $c->response->{body}, 64 * MIB . " $want - 0 length", '64 MiB up, by length';
$c->send_request(POST => '/sum', @chunked);
$c->write("100000\r\n$block\r\n") for 1 .. 64;
$c->write("0\r\n\r\n");
is $c->response->{body}, 64 * MIB . " $want  0 chunked", '64 MiB up, in chunks';

# ---- What it costs ----------------------------------------------------------------------------

SKIP: {
    skip 'memory is not what it is, under a sanitizer', 11 if slow() > 1;

    my $before = rss();
    $c->send_request(GET => "/flood/$long");
    is $c->head->{status}, 200, "$long MiB down";
    is drink($c, $long * MIB), 0, 'all of it';
    cmp_ok rss() - $before, '<', 8, 'memory stays flat';

    $c->send_request(POST => '/count', 'Content-Length' => $long * MIB);
    $c->write($block) for 1 .. $long;
    like $c->response->{body}, qr/^@{[$long * MIB]} /, "$long MiB up";
    cmp_ok rss() - $before, '<', 8, 'memory stays flat';

    # A reader that stops: what the backend may send on is what the sockets hold.
    my $reader = $gw->connect(seconds => 30);
    $reader->send_request(GET => "/flood/$long");
    is $reader->head->{status}, 200, 'a reader that stops reading';
    my $moved = sub { return ($gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_spliced_bytes_total (\d+)/m)[0] };
    my ($last, $still) = (-1, 0);
    eventually { my $now = $moved->(); $still = $now == $last ? $still + 1 : 0; $last = $now; $still > 20 } 'standstill';
    cmp_ok rss() - $before, '<', 8, 'does not fill our memory';
    is drink($reader, $long * MIB), 0, 'and gets the rest when it goes on';

    # A backend that stops.
    my $writer = $gw->connect(seconds => 30);
    $writer->send_request(POST => '/stop', 'Content-Length' => $long * MIB);
    $up->wait_for($up->seen);
    $writer->sock->blocking(0);
    my $sent = 0;
    ($last, $still) = (-1, 0);
    eventually {
        while (my $n = syswrite $writer->sock, $block, MIB - $sent % MIB, $sent % MIB) {
            $sent += $n;
            last if $sent >= $long * MIB;
        }
        $still = $sent == $last ? $still + 1 : 0;
        $last = $sent;
        $still > 20;
    } 'standstill';
    cmp_ok $sent, '<', $long * MIB, 'a backend that stops reading stops the client';
    cmp_ok rss() - $before, '<', 8, 'and does not fill our memory';
    $up->release;
    $writer->sock->blocking(1);
    while ($sent < $long * MIB) {
        $sent += syswrite $writer->sock, $block, MIB - $sent % MIB, $sent % MIB;
    }
    like $writer->response->{body}, qr/^@{[$long * MIB]} /, 'it gets the rest when it goes on';

}

# ---- Clients that do not take their answers ---------------------------------------------------

my $memory = rss();
my $greedy = $gw->connect;
my $asked = $up->seen;
$greedy->sock->blocking(0);
syswrite $greedy->sock, "GET /bytes/60000 HTTP/1.1\r\nHost: a\r\n\r\n" x 1500;
my ($taken, $same) = (0, 0);
eventually { my $now = $up->seen - $asked; $same = $now == $taken ? $same + 1 : 0; $taken = $now; $same > 20 } 'standstill', 20;
cmp_ok $taken, '<', 1000, 'who takes no answer is not given the next one';
cmp_ok rss() - $memory, '<', 8, 'and does not fill our memory' if slow() == 1;

# The kernel takes about that much of an answer.  Of a little more, the end stays with us; it must
# not be lost to a reader that is slower than those who have all are waited for.
my @sizes = map { $taken * 60_000 + $_ * 6_000 } -10 .. 25;
my @readers = map {
    my $reader = $gw->connect;
    $reader->write("GET /bytes/$_ HTTP/1.0\r\n\r\n");
    $reader;
} @sizes;
select undef, undef, undef, 2.5; # the passing of time is what is tested
is_deeply [map { my $r = eval { $_->response }; $r ? length $r->{body} : $@ } @readers], \@sizes, 'who reads slowly gets all';
close $_->sock for $greedy, @readers;

ok $gw->ready, 'the gateway is well';
done_testing;
