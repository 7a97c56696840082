# WebSockets, frame by frame: what the gateway passes on, and what it says itself: pings, and the
# Close when the server stops (ADR 6).
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Test::More;
use Time::Local qw(timegm);
use lib 't/lib';
use Gateway;
use Gateway::WebSocket;

use constant MIB => 1 << 20;

# ---- The backend ------------------------------------------------------------------------------

# Records what it got, and answers.
sub attend {
    my ($r, $ws) = @_;
    while (1) {
        my $got = $ws->read;
        $r->{upstream}->record({path => $r->{target}, %$got, data => length $got->{data} // ''});
        return if $got->{type} eq 'end';
        if ($got->{type} eq 'ping') {
            $ws->pong($got);
        } elsif ($got->{type} eq 'close') {
            $ws->send(close => $got->{data});
            return;
        } elsif ($got->{type} ne 'pong') {
            $ws->send($got->{type} => $got->{data});
        }
    }
}

my %backend = (
    '/echo' => sub { attend(@_) },
    '/pings' => sub { # has a question of its own
        my ($r, $ws) = @_;
        $ws->send(ping => 'are you there?');
        attend(@_);
    },
    '/late' => sub { # answers three pings at once
        my ($r, $ws) = @_;
        my @pings = map { $ws->read } 1 .. 3;
        $ws->pong($_) for @pings;
        $ws->send(text => 'answered');
        attend(@_);
    },
    '/half' => sub { # pauses within a frame until it was pinged twice
        my ($r, $ws) = @_;
        my $frame = $ws->frame(text => 'x' x 1000);
        $r->write(substr $frame, 0, 500);
        $ws->read for 1, 2;
        $r->write(substr $frame, 500);
        attend(@_);
    },
    '/half-hold' => sub { # the same, until the test says so
        my ($r, $ws) = @_;
        my $frame = $ws->frame(text => 'x' x 1000);
        $r->write(substr $frame, 0, 500);
        $r->hold;
        $r->write(substr $frame, 500);
        attend(@_);
    },
    '/stream' => sub { # speaks without a pause
        my ($r, $ws) = @_;
        my $n = 0;
        while (1) {
            $ws->send(text => $n++ . '.' x int rand 300) or return;
            $r->{client}->read_some if IO::Select->new($r->{client}->sock)->can_read(0.001);
            next if !length $r->{client}{in};
            my $got = $ws->read;
            $r->{upstream}->record({path => $r->{target}, %$got, data => 0});
            return if $got->{type} eq 'end';
            $ws->send(close => $got->{data}) if $got->{type} eq 'close';
            return if $got->{type} eq 'close';
        }
    },
    '/deaf' => sub { # answers nothing
        my ($r, $ws) = @_;
        while (1) {
            my $got = $ws->read;
            $r->{upstream}->record({path => $r->{target}, %$got, data => 0});
            return if $got->{type} eq 'end';
        }
    },
);

my $up = upstream {
    my ($r) = @_;
    if (($r->{headers}{upgrade} // '') =~ /^SPDY/) { # kubectl exec
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
        $r->write($r->{client}->take(length $r->{client}{in})) while $r->{client}->read_some;
        return;
    }
    $backend{$r->{path}}->($r, Gateway::WebSocket->server($r));
    return;
};

# What the backend got there.
sub heard {
    my ($path, $type) = @_;
    return grep { ($_->{path} // '') eq $path && ($_->{type} // '') eq $type } $up->records;
}

my $gw = gateway(core => $up->url, console => $up->url, workers => 1);

sub open_ws { return Gateway::WebSocket->client($_[1] // $gw, $_[0]) }

sub metric {
    my ($name) = @_;
    my $text = $gw->admin(GET => '/-/metrics')->{body};
    my ($value) = $text =~ /^\Q$name\E ([0-9.e+]+)$/m;
    return $value;
}

sub ended_by {
    my ($target) = @_;
    return ($gw->access_log(1, sub { $_->{tunnel} && $_->{path} eq $target }))[0]{end};
}

# ---- What is theirs is passed on --------------------------------------------------------------

my $ws = open_ws('/echo');
for my $n (0, 1, 125, 126, 65_535, 65_536, MIB) {
    my $data = Gateway::WebSocket::random($n);
    my $pid = fork // die;
    if ($pid == 0) {
        $ws->send(binary => $data);
        POSIX::_exit(0);
    }
    is md5_hex($ws->read->{data}), md5_hex($data), "a message of $n bytes, there and back";
    waitpid $pid, 0;
}
$ws->send(text => 'one ', more => 1);
$ws->send(ping => 'between');
is $ws->read->{data}, 'between', 'a ping between the pieces of a message';
$ws->send(more => 'two');
is $ws->read->{data}, 'one two', 'which comes all the same';
$ws->connection->write($_) for split //, $ws->frame(ping => 'slow') . $ws->frame(text => 'bytes');
is $ws->read->{data}, 'slow', 'byte by byte, too: a ping';
is $ws->read->{data}, 'bytes', 'and a text';
$ws->connection->write($ws->frame(ping => 'a') . $ws->frame(text => 'b') . $ws->frame(ping => 'c') . $ws->frame(text => 'd'));
is join('', map { $ws->read->{data} } 1 .. 4), 'abcd', 'many in one piece keep their order';
$ws->close(4321);
is $ws->read->{code}, 4321, 'a Close is answered by the backend';
is $ws->read->{type}, 'end', 'and ends it';
$ws->connection->close;
is ended_by('/echo'), 'done', 'well';

my $copied = metric('ksgate_spliced_bytes_total');
$ws = open_ws('/echo');
my $big = Gateway::WebSocket::random(MIB) x 8;
my $pid = fork // die;
if ($pid == 0) {
    $ws->send(binary => $big);
    POSIX::_exit(0);
}
is md5_hex($ws->read->{data}), md5_hex($big), 'a message of 8 MiB, there and back';
waitpid $pid, 0;
cmp_ok metric('ksgate_spliced_bytes_total') - $copied, '>', 4 * MIB, 'most of which nobody has copied';
$ws->send(text => 'and on');
is $ws->read->{data}, 'and on', 'and the next frame is found';
cmp_ok metric('ksgate_tunnel_bytes_total{direction="in"}'), '>', 9 * MIB, 'the bytes are counted, in';
cmp_ok metric('ksgate_tunnel_bytes_total{direction="out"}'), '>', 9 * MIB, 'and out';
is metric('ksgate_tunnels'), 1, 'so is the tunnel';
$ws->connection->close;

my $c = $gw->connect;
$c->send_request(POST => '/exec', Connection => 'Upgrade', Upgrade => 'SPDY/3.1', 'X-Stream-Protocol-Version' => ['v4.channel.k8s.io', 'v3.channel.k8s.io']);
is $c->head->{headers}{upgrade}, 'SPDY/3.1', 'SPDY, as kubectl exec asks for it';
is $up->last->{headers}{'x-stream-protocol-version'}, 'v4.channel.k8s.io, v3.channel.k8s.io', 'with all of its versions';
my $bytes = "\x80\x03\x00\x01" . Gateway::WebSocket::random(20_000);
$c->write($bytes);
is md5_hex($c->read_bytes(length $bytes)), md5_hex($bytes), 'its bytes come there and back';
$c->shutdown_write;
ok $c->at_end, 'and its end';

# ---- Pings ------------------------------------------------------------------------------------

sub reconfigured {
    my (%websocket) = @_;
    my $before = () = $gw->stderr =~ /was reloaded/g;
    $gw->configure({websocket => {ping => '100ms', %websocket}, timeouts => {tunnel_half_closed => '200ms'}});
    $gw->reload;
    return eventually { $before < (() = $gw->stderr =~ /was reloaded/g) } 'the reload';
}

# Whoever answers, answers: but when it gets to it.
reconfigured(unanswered => 100);

$ws = open_ws('/echo');
$up->forget;
for my $n (1 .. 5) {
    my $got = $ws->read;
    is $got->{type}, 'ping', "a client that is silent is pinged ($n)";
    $ws->pong($got);
}
$ws->send(text => 'still here');
my $got = $ws->message;
is $got->{data}, 'still here', 'who answers stays, and hears no answer to pings that it did not send';
ok eventually { heard('/echo', 'ping') >= 2 } , 'so is the backend';
is scalar(heard('/echo', 'pong')), 0, 'which hears no answer to pings that it did not send';
$ws->close;
1 while ($got = $ws->message)->{type} ne 'close';
is $got->{code}, 1000, 'the end is theirs';

# Whoever is slow answers several pings at once: none of that is for the other side.
$ws = open_ws('/late');
is $ws->message->{data}, 'answered', 'a client hears no answer to pings that it did not send, however late';
$ws->connection->close;
$ws = open_ws('/echo?late');
$ws->pong($_) for map { $ws->read } 1 .. 3;
$ws->send(text => 'answered');
is $ws->message->{data}, 'answered', 'a client that is late';
is scalar(heard('/echo?late', 'pong')), 0, '... is not heard by the backend, either';
$ws->connection->close;

$ws = open_ws('/pings');
1 while ($got = $ws->read)->{data} ne 'are you there?' && $ws->pong($got);
$ws->pong($got);
ok eventually { grep { $_->{data} == length 'are you there?' } heard('/pings', 'pong') }, "the answer to the backend's own ping reaches it";
$ws->connection->close;

$ws = open_ws('/half');
is $ws->read->{data}, 'x' x 1000, 'no ping within a frame';
is $ws->read->{type}, 'ping', 'but behind it';
$ws->connection->close;

# Nobody is later with an answer than who never gives one: who else is late makes no difference.
reconfigured(unanswered => 3);
$ws = open_ws('/deaf');
1 while ($got = $ws->message)->{type} ne 'end';
is ended_by('/deaf'), 'ping_timeout', 'a backend that gives no sign of life is given up';
eventually { heard('/deaf', 'end') } 'the backend to have read all';
is scalar(heard('/deaf', 'ping')), 3, 'after so many pings as the configuration says';

$up->forget;
$ws = open_ws('/echo?dead');
my $pings = 0;
$pings++ while $ws->read->{type} eq 'ping';
is $pings, 3, 'so is a client';
ok eventually { grep { $_->{type} eq 'end' } heard('/echo?dead', 'end') }, 'and the backend is left';

$c = $gw->connect; # says it is one, and is not
$c->send_request(GET => '/echo?other', Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Key' => 'x');
$c->head;
$c->write('SSH-2.0-x');
$c->shutdown_write;
ok defined $c->read_all, 'what is no WebSocket is passed on as it is';

# ---- One side has ended -----------------------------------------------------------------------

$c = $gw->connect;
$c->send_request(POST => '/hold', Connection => 'Upgrade', Upgrade => 'SPDY/3.1');
$c->head;
$ws = open_ws('/deaf?half');
$ws->connection->shutdown_write;
1 while ($got = $ws->read)->{type} eq 'ping';
is $got->{type}, 'end', 'who has ended one way and is silent the other way is not waited for much longer';
like metric('ksgate_tunnels_ended_total{end="ping_timeout"}'), qr/^[2-9]/, 'how tunnels end is counted';
$c->close;

# ---- The server stops -------------------------------------------------------------------------

sub drained {
    my (%arg) = @_;
    my $new = gateway(core => $up->url, console => $up->url, workers => 1, config => {timeouts => {drain => $arg{drain}}, websocket => {close => $arg{close} // 'going_away'}});
    my @ws = map { open_ws($_, $new) } @{$arg{paths}};
    $up->forget;
    $new->kill('TERM');
    return ($new, @ws);
}

# Reads until the Close, answers it, and sees the end.
sub part {
    my ($ws) = @_;
    my $got;
    1 while ($got = $ws->read)->{type} =~ /^(?:text|binary)$/;
    $ws->send(close => $got->{data});
    return {code => $got->{code}, after => $ws->read->{type}};
}

# Each by a process of its own: nobody is answered late because another one had to be waited for.
sub part_all {
    my @children = map {
        my $ws = $_;
        pipe my $out, my $in or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my $parted = eval { part($ws) } // {code => $@, after => ''};
            syswrite $in, "$parted->{code} $parted->{after}";
            POSIX::_exit(0);
        }
        {pid => $pid, out => $out};
    } @_;
    return map { my $said = readline $_->{out}; waitpid $_->{pid}, 0; $said } @children;
}

# When a line's request was over, in seconds, by the gateway's clock.
sub end_of {
    my ($line) = @_;
    my ($y, $m, $d, $hour, $min, $sec) = $line->{time} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z$/ or die "time: $line->{time}\n";
    return timegm(0, $min, $hour, $d, $m - 1, $y) + $sec + $line->{duration_ms} / 1000;
}

my ($old, @all) = drained(drain => '6s', paths => [('/echo?stop') x 6, ('/stream') x 6]);
is_deeply [part_all(@all)], [('1001 end') x 12], 'WebSockets are closed with 1001 at the end of a frame, and then their connections';
my @at = sort { $a <=> $b } map { end_of($_) } $old->access_log(12, sub { $_->{tunnel} });
cmp_ok $at[-1] - $at[0], '>=', 2, 'not all at once';
is $old->stop, 0, 'the server stops';
unlike $old->stderr, qr/timeouts\.drain is over/, 'before its time is over';
is_deeply [map { $_->{end} } $old->access_log(12, sub { $_->{tunnel} })], [('drained') x 12], 'which is logged as such';
my @closes;
eventually { 12 == (@closes = map { heard($_, 'close') } '/echo?stop', '/stream') } 'a Close at each backend';
is_deeply [map { $_->{code} } @closes], [(1001) x 12], 'the backends have heard the answers';

($old, @all) = drained(drain => '10s', close => 'service_restart', paths => ['/half-hold', '/deaf']);
$ws = $all[1];
is $ws->read->{code}, 1012, 'a client that is to come back soon is told so';
ok eventually { heard('/deaf', 'close') }, 'when it does not answer, the backend is told, too';
is((heard('/deaf', 'close'))[0]{code}, 1001, 'that its client is going away');
is $ws->read->{type}, 'end', 'who does not answer is not waited for';
$up->release;
is $all[0]->read->{data}, 'x' x 1000, 'a frame that has begun is ended first';
is part($all[0])->{code}, 1012, 'then comes the Close';
is $old->stop, 0, 'the server stops';
unlike $old->stderr, qr/timeouts\.drain is over/, 'before its time is over';

done_testing;
