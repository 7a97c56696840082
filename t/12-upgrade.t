# Tunnels: WebSocket, kubectl exec, anything that asks for an upgrade.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;

use constant MIB => 1 << 20;

my $switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: abc=\r\n\r\n";

my $up = upstream {
    my ($r) = @_;
    my $c = $r->{client};
    my $path = $r->{path};
    return [403, {}, 'no'] if $path eq '/refused';
    return [200, {}, 'an ordinary answer'] if $path eq '/ignored';
    return $switch if $path eq '/unasked';
    if ($path eq '/early') {
        $r->write($switch . 'hello from the backend');
    } else {
        $r->write($switch =~ s/websocket/$r->{headers}{upgrade}/r);
    }
    if ($path eq '/hold') {
        $r->hold;
        return;
    }
    if ($path eq '/all') { # reads to the end, then answers: half-close must come through
        my $all = $c->read_all;
        $r->write(md5_hex($all));
        return;
    }
    if ($path eq '/bye') { # closes its side, reads on
        $r->write('bye');
        $c->shutdown_write;
        my $all = $c->read_all;
        $r->{upstream}->record({heard => $all});
        return;
    }
    while (1) {
        my $bytes = $c->take(length $c->{in});
        $r->write($bytes) if length $bytes;
        last if !$c->read_some;
    }
    return;
};
my $gw = gateway(core => $up->url, console => $up->url, workers => 1);

my @ask = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Key' => 'x', 'Sec-WebSocket-Version' => 13);

sub tunnel {
    my ($path, %option) = @_;
    my $c = $gw->connect(%option);
    $c->send_request(GET => $path, @ask);
    my $head = $c->head;
    is $head->{status}, 101, "a tunnel to $path";
    return wantarray ? ($c, $head) : $c;
}

# ---- The handshake ----------------------------------------------------------------------------

my $block = join '', map { chr int rand 256 } 1 .. MIB;
my ($c, $head) = tunnel('/echo');
is lc $head->{headers}{connection}, 'upgrade', 'the answer says Connection: Upgrade';
is $head->{headers}{upgrade}, 'websocket', 'and to what';
is $head->{headers}{'sec-websocket-accept'}, 'abc=', 'and the rest of it';
ok !exists $head->{headers}{'content-length'}, 'and no length';
my $seen = $up->last->{headers};
is $seen->{upgrade}, 'websocket', 'the backend is asked for the same';
is lc $seen->{connection}, 'upgrade', 'by Connection: Upgrade';
is $seen->{'sec-websocket-key'}, 'x', 'with the rest of it';

# ---- Both ways --------------------------------------------------------------------------------

$c->write('ping');
is $c->read_bytes(4), 'ping', 'bytes go there and back';
my $pid = fork // die;
if ($pid == 0) {
    $c->write($block);
    POSIX::_exit(0);
}
is md5_hex($c->read_bytes(MIB)), md5_hex($block), '1 MiB there and back';
waitpid $pid, 0;
$c->shutdown_write;
ok $c->at_end, 'the end, too';

my $early = $gw->connect;
$early->write("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbefore the 101");
$early->head;
is $early->read_bytes(14), 'before the 101', 'bytes of a client that did not wait for the 101 are not lost';
$c = tunnel('/early');
is $c->read_bytes(22), 'hello from the backend', 'nor those that come with the 101';

# ---- One side ends ----------------------------------------------------------------------------

$c = tunnel('/all');
$c->write('x' x 100_000);
$c->shutdown_write;
is $c->read_all, md5_hex('x' x 100_000), 'the client has said all: the backend still answers';
my ($line) = $gw->access_log(1, sub { $_->{path} eq '/all' });
is "$line->{bytes_in} $line->{bytes_out} $line->{end}", '100000 32 done', 'the log says how much went, and how it ended';

$c = tunnel('/bye');
is $c->read_bytes(3), 'bye', 'the backend has said all';
ok $c->at_end, 'which the client sees';
$c->write('one more word');
$c->close;
ok eventually { grep { ($_->{heard} // '') eq 'one more word' } $up->records }, 'and can still speak';

# ---- No upgrade -------------------------------------------------------------------------------

$c = $gw->connect;
my $r = $c->request(GET => '/refused', @ask);
is $r->{status}, 403, 'a refused upgrade is an answer';
is $r->{body}, 'no', 'as any other';
is $c->request(GET => '/ignored', @ask)->{body}, 'an ordinary answer', 'so is one that was ignored, on the same connection';
$r = $c->request(GET => '/unasked');
is $r->{status}, 502, '101 that nobody asked for is not an answer';
is $r->{json}{kind}, 'Status', 'and said to be wrong';
is $gw->request(POST => '/unasked', @ask, body => 'x')->{status}, 502, 'nor one to a request with a body';
$c = $gw->connect;
$c->write("GET /ignored HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
is $c->response->{status}, 200, 'HTTP/1.0 has no upgrade';
ok !exists $up->last->{headers}{upgrade}, 'so the backend is not asked for one';

for my $protocol ('h2c', 'H2C', 'websocket, h2c', 'HTTP/2.0', 'TLS/1.2') {
    $r = $gw->request(GET => '/ignored', Connection => 'Upgrade, HTTP2-Settings', Upgrade => $protocol, 'HTTP2-Settings' => 'AAMAAABk');
    ok !exists $up->last->{headers}{upgrade}, "no tunnel for requests that nobody would check ($protocol)";
}
is $gw->request(GET => '/unasked', Connection => 'Upgrade', Upgrade => 'h2c')->{status}, 502, 'even if the backend would make one';

# ---- The end of it ----------------------------------------------------------------------------

sub reconfigured {
    my ($timeouts) = @_;
    my $before = () = $gw->stderr =~ /was reloaded/g;
    $gw->configure({timeouts => $timeouts});
    $gw->reload;
    return eventually { $before < (() = $gw->stderr =~ /was reloaded/g) } 'the reload';
}

reconfigured({tunnel_idle => '1s'});
my $start = time;
$c = tunnel('/hold');
ok $c->at_end, 'a tunnel without a word';
cmp_ok time - $start, '>=', 1, 'is closed after timeouts.tunnel_idle';
$up->release;

# The passing of time is what is tested.  A word that the machine has held up for too long proves nothing.
my ($used, $longest);
for (1 .. 20) {
    $c = tunnel('/echo');
    my $last = time;
    ($used, $longest) = (0, 0);
    for (1 .. 15) {
        select undef, undef, undef, 0.1;
        $c->write('.');
        $used += eval { $c->read_bytes(1); 1 } // last;
        $longest = time - $last if time - $last > $longest;
        $last = time;
    }
    last if $used == 15 || time - $last < 0.5 && $longest < 0.5;
}
is $used, 15, 'one that is used is not';

my @log = grep { $_->{tunnel} } $gw->access_log(5);
ok scalar(@log), 'tunnels are logged as such';

reconfigured({drain => '500ms'});
$c = tunnel('/echo');
my $plain = $gw->connect;
$plain->send_request(GET => '/plain', Connection => 'Upgrade', Upgrade => 'x');
is $plain->head->{status}, 101, 'a tunnel that is no WebSocket';
$plain->write('word');
is $plain->read_bytes(4), 'word', 'is used';
is $gw->stop, 0, 'a server with tunnels stops';
like $gw->stderr, qr/timeouts\.drain is over/, 'after timeouts.drain';
is $c->read_all, "\x88\x02\x03\xe9", 'one is closed with a Close, as it calls itself a WebSocket';
is $plain->read_all, '', 'the other one without a word';
($line) = $gw->access_log(1, sub { $_->{path} eq '/plain' });
is "$line->{bytes_in} $line->{bytes_out}", '4 4', 'its line is written all the same';

done_testing;
