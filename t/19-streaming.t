# Streams: what has come goes on at once, both ways, and nothing waits for what comes next.
#
# An event is sent only when the one before it has arrived (the test says so by $up->release), so that
# whoever held one back would hold up the test.
use strict;
use warnings;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

use constant ENDLESS => 512 << 20; # more than the kernel's buffers take

my @sizes = (1, 30, 1000, 4095, 4096, 16_384, 70_000, 2, 1);
my %framed = ( # by the path: the lines of the head, and how a piece is written
    chunks => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", sub { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }, "0\r\n\r\n"],
    length => ["HTTP/1.1 200 OK\r\nContent-Length: " . eval { my $n = 0; $n += $_ for @sizes; $n } . "\r\n", sub { $_[0] }, ''],
    'to-the-end' => ["HTTP/1.1 200 OK\r\n", sub { $_[0] }, undef],
    'http-1.0' => ["HTTP/1.0 200 OK\r\n", sub { $_[0] }, undef],
);

sub piece { my ($i) = @_; return chr(ord('a') + $i) x $sizes[$i] }

# The head by itself, and each piece when the one before it has arrived.
sub say_pieces {
    my ($r, $how) = @_;
    my ($head, $frame, $end) = @{$framed{$how}};
    $r->write("${head}Content-Type: text/event-stream\r\n\r\n");
    for my $i (0 .. $#sizes) {
        $r->hold;
        $r->write($frame->(piece($i)));
    }
    return if !defined $end;
    $r->hold;
    $r->write($end);
    return KEEP;
}

my $up = upstream {
    my ($r) = @_;
    my (undef, $what, $how) = split m{/}, $r->{path};
    return say_pieces($r, $how) if $what eq 'down';
    if ($what eq 'up') { # each piece is told of as it comes
        while (length(my $some = $r->body_some)) {
            $r->{upstream}->record({piece => length $some, path => $r->{path}});
        }
        return [200, {}, $r->{body_bytes}];
    }
    if ($what eq 'talk') { # answers each piece before the next one comes
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
        while (length(my $some = $r->body_some)) {
            $r->write(sprintf "%x\r\n%s\r\n", length $some, uc $some);
        }
        $r->write("0\r\nX-Sum: $r->{body_bytes}\r\n\r\n");
        return KEEP;
    }
    if ($what eq 'clock') { # says what time it is
        $r->write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for (1 .. 200) {
            $r->hold;
            $r->write(sprintf "data: %.6f\n\n", time);
        }
        return;
    }
    if ($what eq 'follow') { # a log that is followed until the client has enough
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nline\n\r\n");
        $r->{upstream}->record({left => $r->{path}}) if $r->{client}->at_end;
        return;
    }
    if ($what eq 'flood') { # as much as the client takes
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        $r->{client}{seconds} = 60;
        $r->write('f' x 65_536) for 1 .. 512;
        $r->{upstream}->record({flooded => 1});
        $r->hold;
        return;
    }
    if ($what eq 'deaf') { # reads nothing until it is told to
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        $r->hold;
        my $n = 0;
        $n += length $r->{client}->take(length $r->{client}{in}) while $r->{client}->read_some;
        $r->write("$n bytes");
        return;
    }
    return [404, {}, ''];
} lazy => 1;
my $gw = gateway(core => $up->url, console => $up->url, workers => 1);

# ---- Answers --------------------------------------------------------------------------------------

for my $how (sort keys %framed) {
    my $c = $gw->connect;
    $c->send_request(GET => "/down/$how");
    my $head = $c->head;
    is $head->{status}, 200, "$how: the head comes by itself";
    my $chunked = ($head->{headers}{'transfer-encoding'} // '') eq 'chunked';
    is $chunked, $how ne 'length', 'framed as this client can take it';
    my $wrong = 0;
    for my $i (0 .. $#sizes) {
        $up->release;
        my $got = '';
        while (length $got < $sizes[$i]) { # chunks as they come, but nothing behind the piece
            $got .= $chunked ? $c->read_bytes(hex(($c->read_until(qr/\r\n/) =~ /^(\w+)/)[0]) + 2) =~ s/\r\n\z//r : $c->read_bytes($sizes[$i]);
        }
        $wrong++ if $got ne piece($i);
    }
    is $wrong, 0, 'each piece comes when it is sent';
    $up->release if defined $framed{$how}[2];
    is $c->read_until(qr/0\r\n\r\n/), "0\r\n\r\n", 'and so does the end' if $chunked;
    is $c->request(GET => '/nothing')->{status}, 404, 'and then the next answer';
}

# To an HTTP/1.0 client as it is.
my $c = $gw->connect;
$c->write("GET /down/chunks HTTP/1.0\r\n\r\n");
$c->head;
for my $i (0 .. $#sizes) {
    $up->release;
    $c->read_bytes($sizes[$i]) eq piece($i) or fail "HTTP/1.0: piece $i";
}
$up->release;
ok $c->at_end, 'to HTTP/1.0 without chunks, to the end of the connection';

# ---- Requests -------------------------------------------------------------------------------------

# The bytes of /up/HOW that have reached the backend.
sub arrived {
    my ($how) = @_;
    my $n = 0;
    $n += $_->{piece} for grep { $_->{piece} && $_->{path} eq "/up/$how" } $up->records;
    return $n;
}

for my $how (qw(chunks length)) {
    my $c = $gw->connect;
    my ($all, $wrong) = (0, 0);
    my $sum = eval { my $n = 0; $n += $_ for @sizes; $n };
    $c->send_request(POST => "/up/$how", $how eq 'length' ? ('Content-Length' => $sum) : ('Transfer-Encoding' => 'chunked'));
    for my $i (0 .. $#sizes) {
        $c->write($how eq 'length' ? piece($i) : sprintf "%x\r\n%s\r\n", $sizes[$i], piece($i));
        $all += $sizes[$i];
        eventually { arrived($how) == $all } "piece $i of a body ($how)";
    }
    $c->write("0\r\n\r\n") if $how ne 'length';
    is $c->response->{body}, $sum, "a body by $how reaches the backend piece by piece";
}

# ---- Both at once ---------------------------------------------------------------------------------

$c = $gw->connect;
$c->send_request(POST => '/talk', 'Transfer-Encoding' => 'chunked', TE => 'trailers');
is $c->head->{status}, 200, 'an answer begins before the request has said anything';
my $said = 0;
for my $i (0 .. $#sizes) {
    $c->write(sprintf "%x\r\n%s\r\n", $sizes[$i], piece($i));
    my $got = '';
    while (length $got < $sizes[$i]) {
        $got .= $c->read_bytes(hex(($c->read_until(qr/\r\n/) =~ /^(\w+)/)[0]) + 2) =~ s/\r\n\z//r;
    }
    $said += $got eq uc piece($i);
}
is $said, @sizes, 'each piece is answered before the next one is sent';
$c->write("0\r\n\r\n");
like $c->read_until(qr/\r\n\r\n/), qr/^0\r\nX-Sum: \d+\r\n\r\n/i, 'the trailers come behind the last one';
is $c->request(GET => '/nothing')->{status}, 404, 'and both connections go on';

# ---- How soon -------------------------------------------------------------------------------------

sub delays {
    my ($client) = @_;
    my @ms;
    $client->send_request(GET => '/clock');
    my $chunked = ($client->head->{headers}{'transfer-encoding'} // '') eq 'chunked';
    for (1 .. 200) {
        $up->release;
        my ($sent) = $client->read_until(qr/\n\n/) =~ /data: ([\d.]+)\n\n/ or die 'no event';
        push @ms, (time - $sent) * 1000;
        $client->read_until(qr/\r\n/) if $chunked;
    }
    return figures(@ms);
}
my $direct = delays(Gateway::Client->new(to => '127.0.0.1:' . $up->port));
my $here = delays($gw->connect);
diag "an event arrives after: $here->{words}; without a gateway: $direct->{words}";
cmp_ok $here->{median}, '<', $direct->{median} + 20 * slow(), 'an event is not kept';

# ---- Half, and whole, goodbyes --------------------------------------------------------------------

$c = $gw->connect;
$c->write("GET /down/chunks HTTP/1.1\r\nHost: a\r\n\r\n");
$c->shutdown_write;
$c->head;
$up->release(@sizes + 1);
ok $c->chunked({}) eq join('', map { piece($_) } 0 .. $#sizes), 'a client that has said all gets its whole answer';
ok $c->at_end, 'and the connection ends';

$gw->configure({timeouts => {half_closed => '500ms'}});
$gw->reload;
eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
for my $n (1 .. 3) {
    my $follower = $gw->connect;
    $follower->send_request(GET => "/follow/$n");
    $follower->read_until(qr/line\n/);
    $follower->close;
    ok eventually(sub { grep { ($_->{left} // '') eq "/follow/$n" } $up->records }), 'a backend hears that nobody follows its log any more (timeouts.half_closed)';
}

# ---- Brakes ---------------------------------------------------------------------------------------

sub held { return slurp('/proc/' . $gw->server_pid . '/status') =~ /^RssAnon:\s+(\d+)/m ? $1 : die 'no RssAnon' }

sub tunnel {
    my ($path) = @_;
    my $c = $gw->connect(seconds => 60);
    $c->send_request(GET => $path, Connection => 'Upgrade', Upgrade => 'x');
    $c->head->{status} == 101 or die "no tunnel to $path";
    return $c;
}

# Sends until nothing is taken any more: bytes.
sub fill {
    my ($c) = @_;
    my ($sent, $some) = (0, 'u' x 65_536);
    $c->sock->blocking(0);
    while ($sent < ENDLESS && IO::Select->new($c->sock)->can_write(0.5 * slow())) { # that long nobody took any
        $sent += syswrite($c->sock, $some) // 0;
    }
    $c->sock->blocking(1);
    return $sent;
}

my $before = held();
my @deaf = map { tunnel('/deaf') } 1 .. 4;
my @sent = map { fill($_) } @deaf;
cmp_ok max(@sent), '<', ENDLESS, 'a backend that does not read its tunnel stops the client';
my @flood = map { tunnel('/flood') } 1 .. 4;
$_->read_bytes(1) for @flood;
SKIP: {
    skip 'memory is not what it is, under a sanitizer', 1 if slow() > 1;
    cmp_ok held() - $before, '<', 4096, 'and its words do not fill our memory';
}
$up->release(4);
$_->shutdown_write for @deaf;
is_deeply [map { $_->read_all } @deaf], [map { "$_ bytes" } @sent], 'all of them arrive when it goes on';
my $got = 0;
for my $f (@flood) {
    $f->read_bytes(512 * 65_536 - 1 ) =~ /\A f+ \z/x or fail 'other bytes';
    $got++;
}
is $got, 4, 'a client that waits gets all that a tunnel has for it';
ok eventually(sub { 4 == grep { $_->{flooded} } $up->records }), 'which the backend could not send before';
$up->release(4);

done_testing;
