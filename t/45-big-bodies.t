# Big bodies go from socket to socket without being copied: nothing of them may be lost, added,
# mixed up or taken for whole, whatever comes before, behind or in between.
use strict;
use warnings;
use Digest::SHA qw(sha1_hex);
use Socket qw(SOL_SOCKET SO_LINGER SO_RCVBUF);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Process qw(slow);

use constant KIB => 1 << 10;
use constant MIB => 1 << 20;

srand 7;
my $block = join '', map { chr int rand 256 } 1 .. MIB;

# n bytes of which no two MiB are alike.
sub content {
    my ($n) = @_;
    my $all = '';
    for (my $i = 0; length $all < $n; $i++) {
        my $turn = $i * 4099 % MIB;
        $all .= substr($block, $turn) . substr $block, 0, $turn;
    }
    return substr $all, 0, $n;
}

my $up = upstream {
    my ($r) = @_;
    my ($what, $n) = $r->{path} =~ m{^/([a-z]+)(?:/(\d+))?};
    if ($what eq 'up') {
        $r->hold if ($r->{query} // '') eq 'hold';
        my $sum = Digest::SHA->new(1);
        while (length(my $bytes = $r->body_some)) {
            $sum->add($bytes);
        }
        return [200, {}, $sum->hexdigest];
    }
    if ($what eq 'early') { # answers at once, reads nothing
        $r->write("HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        $r->hold;
        return;
    }
    if ($what eq 'close') { # no length: the end of the connection is the end of the body
        $r->write("HTTP/1.0 200 OK\r\n\r\n" . content($n));
        return;
    }
    my $head = "HTTP/1.1 200 OK\r\nContent-Length: $n\r\n\r\n";
    if ($what eq 'cut' || $what eq 'reset') {
        $r->write($head . content($n / 2));
        setsockopt $r->{client}->sock, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0 if $what eq 'reset';
        return;
    }
    if ($what eq 'more') { # than it has promised
        $r->write($head . content($n) . "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        return KEEP;
    }
    $r->write($head . content($n));
    return KEEP;
} lazy => 1;

my $gw = gateway(core => $up->url, console => $up->url, workers => 1);

sub metric {
    my ($name, $text) = (@_);
    ($text) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m;
    return $text;
}

sub spliced { return metric('ksgate_spliced_bytes_total') }

sub files {
    my @all = glob '/proc/' . $gw->server_pid . '/fd/*';
    return scalar @all;
}

# ---- Both ways, at each border ----------------------------------------------------------------

my $c = $gw->connect(seconds => 30);
for my $n (64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 64 * KIB + 2, 128 * KIB, 200_001, MIB, 5 * MIB + 3) {
    my $want = sha1_hex(content($n));
    is sha1_hex($c->request(GET => "/down/$n")->{body}), $want, "$n bytes down";
    is $c->request(POST => '/up', body => content($n))->{body}, $want, "$n bytes up";
}
my $before = spliced();
is length $c->request(GET => '/down/' . 16 * MIB)->{body}, 16 * MIB, '16 MiB down';
cmp_ok spliced() - $before, '>', 12 * MIB, 'most of it is never copied';
$before = spliced();
is $c->request(POST => '/up', body => content(16 * MIB))->{body}, sha1_hex(content(16 * MIB)), '16 MiB up';
cmp_ok spliced() - $before, '>', 12 * MIB, 'most of it is never copied';
$before = spliced();
is $c->request(GET => '/down/60000')->{status}, 200, 'a short one';
is spliced(), $before, 'is';
$before = spliced();
is sha1_hex($c->request(GET => '/close/' . 3 * MIB)->{body}), sha1_hex(content(3 * MIB)), 'an answer without a length, in chunks for us';
is spliced(), $before, 'is copied, for the chunks';
my $old = $gw->connect;
$old->write('GET /close/' . 3 * MIB . " HTTP/1.0\r\n\r\n");
is sha1_hex($old->response->{body}), sha1_hex(content(3 * MIB)), 'and as it is for HTTP/1.0';
cmp_ok spliced() - $before, '>', MIB, 'is not';
$old = $gw->connect;
$old->send_request(HEAD => '/down/' . MIB);
is $old->head->{headers}{'content-length'}, MIB, 'HEAD has no body';
$old->close;

# ---- What comes behind ------------------------------------------------------------------------

$c->write("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: " . 2 * MIB . "\r\n\r\n" . content(2 * MIB)
        . "GET /down/5 HTTP/1.1\r\nHost: a\r\n\r\nPOST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" . content(300_000));
is $c->response('POST')->{body}, sha1_hex(content(2 * MIB)), 'an upload with requests right behind it';
is $c->response('GET')->{body}, content(5), 'the next request';
is $c->response('POST')->{body}, sha1_hex(content(300_000)), 'and the one behind that';

my $connections = $up->connections;
is sha1_hex($c->request(GET => '/more/' . MIB)->{body}), sha1_hex(content(MIB)), 'a backend that sends more than its length';
is $c->request(GET => '/down/5')->{body}, content(5), 'has not said the next answer';
cmp_ok $up->connections, '>', $connections, 'and its connection is not used again';

# ---- What is cut ------------------------------------------------------------------------------

for my $how (qw(cut reset)) {
    my $cut = $gw->connect;
    $cut->send_request(GET => "/$how/" . 8 * MIB);
    is $cut->head->{status}, 200, "an answer that the backend does not finish ($how)";
    my $got = $cut->read_all;
    cmp_ok length $got, '<=', 4 * MIB, 'ends short';
    is sha1_hex($got), sha1_hex(content(length $got)), 'with what was sent';
    $cut->close;
    is sha1_hex($c->request(GET => '/down/' . MIB)->{body}), sha1_hex(content(MIB)), 'the next one is whole';
}
is(($gw->access_log(2, sub { ($_->{end} // '') eq 'upstream_cut' }))[0]{error}, 'response_cut', 'which the log says');

# ---- Who leaves in the middle -----------------------------------------------------------------

my $open = files();
for my $reset (0, 1) {
    for (1 .. 3) {
        my $gone = $gw->connect;
        $gone->send_request(GET => '/down/' . 32 * MIB);
        is $gone->head->{status}, 200, 'a client that leaves in the middle of its answer';
        $gone->read_bytes(MIB);
        setsockopt $gone->sock, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0 if $reset;
        $gone->close;
        is sha1_hex($c->request(GET => '/down/' . 2 * MIB)->{body}), sha1_hex(content(2 * MIB)), 'the next one gets its own';
        $gone = $gw->connect;
        $gone->write("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: " . 4 * MIB . "\r\n\r\n" . content(2 * MIB));
        setsockopt $gone->sock, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0 if $reset;
        $gone->close;
        is $c->request(POST => '/up', body => content(2 * MIB))->{body}, sha1_hex(content(2 * MIB)), 'nor is an upload mixed with that of one who left';
    }
}
ok eventually(sub { metric('ksgate_requests_active') <= 1 }), 'their requests are over';
ok eventually(sub { files() <= $open + 4 }), 'and their files are closed';

# ---- Who is slow ------------------------------------------------------------------------------

my $slow = $gw->connect(seconds => 60);
setsockopt $slow->sock, SOL_SOCKET, SO_RCVBUF, 131_072;
$slow->send_request(GET => '/down/' . 16 * MIB);
is $slow->head->{status}, 200, 'a reader that waits';
is sha1_hex($c->request(GET => '/down/' . 2 * MIB)->{body}), sha1_hex(content(2 * MIB)), 'keeps nobody else waiting';
is sha1_hex($slow->read_bytes(16 * MIB)), sha1_hex(content(16 * MIB)), 'and gets all of it';

my $pid = fork // die;
if ($pid == 0) {
    my $r = $gw->connect(seconds => 60)->request(POST => '/up?hold', body => content(16 * MIB));
    POSIX::_exit($r->{body} eq sha1_hex(content(16 * MIB)) ? 0 : 1);
}
ok eventually(sub { grep { ($_->{query} // '') eq 'hold' } $up->requests }), 'a backend that waits';
is sha1_hex($c->request(GET => '/down/' . 2 * MIB)->{body}), sha1_hex(content(2 * MIB)), 'keeps nobody else waiting';
$up->release;
waitpid $pid, 0;
is $?, 0, 'and gets all of it';

my $early = $gw->connect;
$early->write("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: " . 64 * MIB . "\r\n\r\n" . content(MIB));
is $early->response->{status}, 413, 'an answer in the middle of an upload';
$up->release;
$early->close;

# ---- Many at once: more than there are pipes --------------------------------------------------

my @many = map { $gw->connect(seconds => 60) } 1 .. 150;
for (@many) {
    setsockopt $_->sock, SOL_SOCKET, SO_RCVBUF, 131_072;
    $_->send_request(GET => '/down/' . 8 * MIB);
}
$_->head for @many;
is sha1_hex($c->request(GET => '/down/' . 2 * MIB)->{body}), sha1_hex(content(2 * MIB)), '150 readers that wait';
my $want = sha1_hex(content(8 * MIB));
is scalar(grep { sha1_hex($_->read_bytes(8 * MIB)) eq $want } @many[0 .. 9, 140 .. 149]), 20, 'get what is theirs, with a pipe or without';
$_->close for @many;

ok $gw->ready, 'the gateway is well';
done_testing;
