# A request's way to the backend and back: methods, connections, headers.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

my $up = upstream {
    my ($r) = @_;
    $r->hold if $r->{path} =~ /hold/;
    my @allow = $r->{method} eq 'OPTIONS' ? (Allow => 'GET, POST') : ();
    return [201, {@allow, 'X-Method' => $r->{method}}, "$r->{method} $r->{target} $r->{body}"];
};
my $gw = gateway(core => $up->url, console => $up->url, workers => 1);
my $host = '127.0.0.1:' . $gw->port;

# ---- Methods ----------------------------------------------------------------------------------

for my $method (qw(GET POST PUT DELETE PATCH OPTIONS)) {
    my @body = $method =~ /^P/ ? (body => "of $method") : ();
    my $r = $gw->request($method => '/m', @body);
    is $r->{status}, 201, "$method is forwarded";
    is $r->{body}, "$method /m " . ($body[1] // ''), "and its answer comes back";
}
my $r = $gw->request(HEAD => '/m');
is $r->{headers}{'x-method'}, 'HEAD', 'HEAD is forwarded as HEAD';
is $r->{headers}{'content-length'}, length 'HEAD /m ', 'and keeps the length of the answer that it has not';

$up->forget;
$r = $gw->request(OPTIONS => '*');
is $r->{status}, 204, 'OPTIONS * is about the gateway';
like $r->{headers}{allow}, qr/\bGET\b.*\bPOST\b/, 'which says what it serves';
is $gw->request(TRACE => '/')->{status}, 405, 'TRACE would hand credentials to a page: refused';
is $gw->raw("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n") =~ m{^HTTP/1.1 (4\d\d|501) } ? 1 : 0, 1, 'CONNECT is refused';
is $up->seen, 0, 'and the backend hears of none of them';

# ---- The target, byte for byte ----------------------------------------------------------------

for my $target ('/a/b?x=%2F&y=+&z=%zz', '/%E4%BD%A0', '/a;b=c,d', q(/a'()*!~$&@:), '/?', '/a?b?c', '/a?//..//', '/%7Ea') {
    $gw->request(GET => $target);
    is $up->last->{target}, $target, "$target arrives as it was sent";
}

$gw->raw("GET http://$host/abs/x?y=1 HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
is $up->last->{target}, '/abs/x?y=1', 'the absolute form becomes the origin form';
$gw->raw("GET http://$host HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
is $up->last->{target}, '/', 'of which an empty path is /';
$gw->raw("GET http://$host?q HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
is $up->last->{target}, '/?q', 'with a query, too';

# ---- Host -------------------------------------------------------------------------------------

$gw->request(GET => '/', Host => 'Console.Example:8080');
is $up->last->{headers}{host}, 'Console.Example:8080', 'Host is the one that the client sent';
is $up->last->{headers}{'x-forwarded-host'}, 'Console.Example:8080', 'and X-Forwarded-Host, too';
$gw->raw("GET http://Abs.example/ HTTP/1.1\r\nHost: abs.example\r\nConnection: close\r\n\r\n");
like $up->last->{headers}{host}, qr/^abs\.example$/i, 'that of an absolute target counts';

# ---- Connections ------------------------------------------------------------------------------

{
    my $before = $up->connections;
    my $c = $gw->connect;
    is $c->request(GET => "/k$_")->{body}, "GET /k$_ ", "request $_ of one connection is answered" for 1 .. 3;
    is $c->request(POST => '/k', body => 'x' x 1000)->{status}, 201, 'with a body, too';
    is $up->connections - $before, 0, 'and the backend connection was used again';
    $r = $c->request(GET => '/', Connection => 'close');
    is lc($r->{headers}{connection} // ''), 'close', 'Connection: close is answered by the same';
    ok $c->at_end, 'and the connection ends';
}
{
    my $c = $gw->connect;
    $c->write("GET /one HTTP/1.0\r\n\r\n");
    $r = $c->response;
    is $r->{body}, 'GET /one ', 'HTTP/1.0 without a Host is served';
    is lc($r->{headers}{connection} // ''), 'close', 'and its connection ends';
    ok $c->at_end, 'at once';
    is $up->last->{minor}, 1, 'the backend is spoken to in HTTP/1.1';

    $c = $gw->connect;
    $c->write("GET /$_ HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n") && is $c->response->{body}, "GET /$_ ",
        "keep-alive of HTTP/1.0, request $_" for 1 .. 2;
    $c->write("\r\nGET /crlf HTTP/1.1\r\nHost: a\r\n\r\n");
    is $c->response->{body}, 'GET /crlf ', 'an empty line before a request is skipped';
}

# ---- Pipelining -------------------------------------------------------------------------------

{
    my $c = $gw->connect;
    $c->write(join '', map { "GET /p$_ HTTP/1.1\r\nHost: a\r\n\r\n" } 1 .. 10);
    is join(' ', map { $c->response->{body} =~ /(\d+)/ } 1 .. 10), '1 2 3 4 5 6 7 8 9 10', 'ten requests in one write are answered in order';

    $c->write(join '', map {
        $_ % 2 ? "POST /b$_ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nA-$_"
               : "POST /b$_ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nB-\r\n1\r\n$_\r\n0\r\n\r\n"
    } 0 .. 9);
    is join(' ', map { $c->response->{body} =~ /(\S+)$/ } 0 .. 9), 'B-0 A-1 B-2 A-3 B-4 A-5 B-6 A-7 B-8 A-9',
        'with bodies of both kinds';

    $c->write('GET /x HTTP/1.1' . "\r\nHost: a\r\n\r\nGET /y HTT");
    is $c->response->{body}, 'GET /x ', 'the next request may be there in part';
    $c->write("P/1.1\r\nHost: a\r\n\r\n");
    is $c->response->{body}, 'GET /y ', 'and be finished later';

    my $n = $up->seen;
    $c->write(join '', map { "GET /hold$_ HTTP/1.1\r\nHost: a\r\n\r\n" } 1 .. 3);
    $up->wait_for($n + 1);
    $c->shutdown_write;
    $up->release(3);
    is join(' ', map { $c->response->{body} =~ /(\d+)/ } 1 .. 3), '1 2 3', 'who sends all and closes its side is answered all';
    ok $c->at_end, 'and then closed';

    $up->forget;
    my $answers = $gw->raw("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    is scalar(() = $answers =~ m{HTTP/1.1 }g), 1, 'what follows a Connection: close is not answered';
    is $up->seen, 1, 'nor forwarded';
}

# ---- Headers that end here --------------------------------------------------------------------

my @hop = (
    'Keep-Alive' => 'timeout=5', 'Proxy-Connection' => 'keep-alive', 'Proxy-Authorization' => 'Basic eA==',
    'Proxy-Authenticate' => 'Basic', 'TE' => 'gzip', 'Trailer' => 'X', 'Upgrade' => 'foo',
    'Connection' => 'X-Private, x-PRIVATE-too , keep-alive', 'X-Private' => 1, 'X-Private-Too' => 2, 'X-Public' => 3,
);
$gw->request(GET => '/hop', @hop);
my $h = $up->last->{headers};
is $h->{'x-public'}, 3, 'an ordinary header goes through';
ok !exists $h->{lc $_}, "$_ does not" for qw(Keep-Alive Proxy-Connection Proxy-Authorization Proxy-Authenticate TE Trailer Upgrade
    X-Private X-Private-Too);
unlike $h->{connection} // '', qr/private/i, 'Connection is our own';
$gw->request(GET => '/hop', TE => 'trailers', Connection => 'TE');
is $up->last->{headers}{te}, 'trailers', 'but TE: trailers is passed on';

{
    my $answerer = upstream {
        return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Inner, keep-alive\r\nX-Inner: 1\r\nKeep-Alive: timeout=1\r\n"
            . "Proxy-Authenticate: x\r\nUpgrade: foo\r\nX-Outer: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok";
    };
    my $g = gateway(core => $answerer->url, console => $answerer->url, workers => 1);
    my $answer = $g->request(GET => '/');
    is $answer->{headers}{'x-outer'}, 2, 'an ordinary header of the answer comes back';
    is_deeply [map { $_->[1] } grep { lc $_->[0] eq 'set-cookie' } @{$answer->{lines}}], ['a=1', 'b=2'], 'two lines stay two';
    ok !exists $answer->{headers}{$_}, "$_ of the answer ends here" for qw(x-inner keep-alive proxy-authenticate upgrade);
}

# ---- Who the client is ------------------------------------------------------------------------

my @forged = (
    'X-Forwarded-For' => '6.6.6.6', 'X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'evil.example',
    'X-Forwarded-Port' => 443, 'X-Forwarded-Prefix' => '/evil', 'X-Real-IP' => '6.6.6.6', 'X-Client-IP' => '6.6.6.6', 'Forwarded' => 'for=6.6.6.6',
);
my %variants = map { $_ => 'evil' } qw(X_Forwarded_For X.Forwarded.For x_forwarded-proto X_Forwarded_Host X_Real_IP X_Client_IP X.Client.IP X_Request_Id X_KubeSphere_Rawquery X_KubeSphere_Authorization x.kubesphere.authorization);

sub is_told_the_truth {
    my ($seen, $what) = @_;
    my %got = %{$seen->{headers}};
    is $got{'x-forwarded-for'}, '127.0.0.1', "X-Forwarded-For is the peer ($what)";
    is $got{'x-real-ip'}, '127.0.0.1', "X-Real-IP, too ($what)";
    is $got{'x-forwarded-proto'}, 'http', "X-Forwarded-Proto is ours ($what)";
    is $got{'x-forwarded-host'}, $host, "X-Forwarded-Host is the Host ($what)";
    is $got{forwarded}, qq{for=127.0.0.1;host="$host";proto=http}, "Forwarded says the same ($what)";
    like $got{'x-request-id'}, qr/^[0-9a-f]{24}$/, "X-Request-Id is there ($what)";
    is_deeply [grep { /evil|6\.6\.6\.6/ } map { "$_->[0]: $_->[1]" } @{$seen->{lines}}], [], "nothing forged is left ($what)";
    return;
}

$r = $gw->request(GET => '/who');
is_told_the_truth($up->last, 'nothing claimed');
is $r->{headers}{'x-request-id'}, $up->last->{headers}{'x-request-id'}, 'the client learns the id of its request';
my $id = $r->{headers}{'x-request-id'};
isnt $gw->request(GET => '/who')->{headers}{'x-request-id'}, $id, 'the next request has another';
$gw->request(GET => '/who', @forged, %variants, 'X-Request-Id' => 'evil <id>');
is_told_the_truth($up->last, 'forged');
$gw->request(GET => '/who', (map { my $v = $_; map { ($_ => $v) } 'X-Forwarded-For' } ['6.6.6.6', '6.6.6.7']));
is_told_the_truth($up->last, 'forged twice');

my @identity = (
    qw(X-Remote-User x_remote_user X.Remote.Group X-Remote-Group X-Remote-Extra-Key X-Remote-Uid x-REMOTE_user),
    qw(Impersonate-User Impersonate_Group IMPERSONATE-EXTRA-X Impersonate.Uid X-Ksgate-User X_Ksgate-Anything x.ksgate.id),
);
sub has_no_identity {
    my ($seen, $what) = @_;
    is_deeply [grep { /evil/ } map { "$_->[0]: $_->[1]" } @{$seen->{lines}}], [], "no claimed identity reaches the backend ($what)";
    return;
}
$gw->request(GET => '/id', map { $_ => 'evil' } @identity);
has_no_identity($up->last, 'console');
$gw->request(GET => '/version', (map { $_ => 'evil' } @identity));
has_no_identity($up->last, 'ks-core');
$gw->request(GET => '/ws', Connection => 'Upgrade', Upgrade => 'websocket', @forged, %variants, map { $_ => 'evil' } @identity);
is $up->last->{headers}{upgrade}, 'websocket', 'an upgrade is asked for';
has_no_identity($up->last, 'upgrade');
is_told_the_truth($up->last, 'upgrade');
$gw->request(GET => '/id', Connection => 'X-Forwarded-For, X-Real-IP, X-Request-Id, Forwarded, Host');
is_told_the_truth($up->last, 'named in Connection');

# ---- Behind a proxy that is trusted -----------------------------------------------------------

{
    my $g = gateway(core => $up->url, console => $up->url, workers => 1, config => {trusted_proxies => ['127.0.0.0/8', '10.0.0.0/8']});
    my @said = ('X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'shop.example', 'X-Request-Id' => 'abc-123', 'Forwarded' => 'for=1.2.3.4');
    $g->request(GET => '/', 'X-Forwarded-For' => '6.6.6.6, 1.2.3.4, 10.1.1.1', @said);
    my %got = %{$up->last->{headers}};
    is $got{'x-real-ip'}, '1.2.3.4', 'the client is the nearest address that is not a proxy of ours';
    is $got{'x-forwarded-for'}, '6.6.6.6, 1.2.3.4, 10.1.1.1, 127.0.0.1', 'the chain goes on with the peer';
    is $got{'x-forwarded-proto'}, 'https', 'a trusted proxy is believed the protocol';
    is $got{'x-forwarded-host'}, 'shop.example', 'the host';
    is $got{'x-request-id'}, 'abc-123', 'and the id';
    like $got{forwarded}, qr/^for=1\.2\.3\.4, for=127\.0\.0\.1;/, 'Forwarded goes on with the peer, too';

    $g->request(GET => '/', 'X-Forwarded-For' => ['6.6.6.6', '1.2.3.4']);
    is $up->last->{headers}{'x-real-ip'}, '1.2.3.4', 'a chain in two lines is one chain';
    is $up->last->{headers}{'x-forwarded-for'}, '6.6.6.6, 1.2.3.4, 127.0.0.1', 'and goes on whole';
    $g->request(GET => '/', 'X-Client-IP' => '1.2.3.4');
    is $up->last->{headers}{'x-client-ip'}, '1.2.3.4', 'the console, which is one, says for whom it asks';
    $g->request(GET => '/', 'X-Forwarded-For' => 'nonsense');
    is $up->last->{headers}{'x-real-ip'}, '127.0.0.1', 'what is not an address is not believed';
    $g->request(GET => '/', map { $_ => 'evil' } @identity, keys %variants);
    has_no_identity($up->last, 'trusted proxy');
}

# ---- The line in the log ----------------------------------------------------------------------

my @log = $gw->access_log(1);
ok scalar(@log), 'requests are logged';

done_testing;
