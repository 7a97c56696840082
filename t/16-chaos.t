# Many clients and backends that stop anywhere, in any order: nobody else notices, nothing is left.
# KSGATE_SEED chooses the run, KSGATE_LONG makes it a long one.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $seed = $ENV{KSGATE_SEED} // int rand 1_000_000;
diag "KSGATE_SEED=$seed";
srand $seed;
my $rounds = $ENV{KSGATE_LONG} ? 5000 : 400;

my @heads = (
    "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n",
    "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.1 500 No\r\nContent-Length: 30000\r\nConnection: close\r\n\r\n",
);
my $body = 'x' x 30_000;
my %tail = (1 => "\r\n0\r\nX-T: 1\r\n\r\n");

# What the backend does is in the target: which head, how many bytes of the answer, whether it
# reads the request's body, and how it ends: /HEAD-CUT-READ-END
my $up = upstream {
    my ($r) = @_;
    my ($head, $cut, $read, $end) = $r->{path} =~ m{^/(\d+)-(\d+)-(\d)-(\w+)} or return [200, {}, 'fine'];
    if ($read) {
        1 while length $r->body_some;
    }
    my $answer = $heads[$head] . $body . ($tail{$head} // '');
    $r->write(substr $answer, 0, $cut);
    return KEEP if $end eq 'keep' && $read;
    if ($end eq 'reset') {
        setsockopt $r->{client}->sock, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'll', 1, 0;
    } elsif ($end eq 'half') {
        $r->{client}->shutdown_write;
        eval { $r->{client}->read_all };
    }
    return;
} lazy => 1;

my $short = '1s';
# Who behaves must be served on a busy machine, too: it asks for what may take longer.
# Nor is the backend left alone for its bad days: 48-outlier.t.
my $gw = gateway(core => $up->url, console => $up->url, workers => 2, config => {
    core => {outlier => {consecutive_errors => 0}},
    timeouts => {head => $short, idle => $short, body_idle => $short, half_closed => $short, connect => $short, first_byte => $short,
        backend_idle => $short, pool_idle => $short, tunnel_idle => $short},
}, objects => [extension('fine', $up->url, outlier => {consecutiveErrors => 0}, timeouts => {map { $_ => '60s' } qw(connect firstByte idle)})]);
sub behaves { return $gw->request(GET => '/extensions/fine/') }

# Sockets alone: a worker keeps a few empty pipes for the next big bodies.
sub open_sockets {
    my $pid = $gw->server_pid;
    return scalar grep { (readlink // '') =~ /^socket:/ } glob "/proc/$pid/fd/*";
}

sub pick { return $_[rand @_] }

my @requests = (
    sub { "GET $_[0] HTTP/1.1\r\nHost: a\r\n\r\n" },
    sub { "GET $_[0] HTTP/1.0\r\n\r\n" },
    sub { "HEAD $_[0] HTTP/1.1\r\nHost: a\r\n\r\n" },
    sub { "GET $_[0] HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly" },
    sub { "POST $_[0] HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" . 'y' x 20_000 },
    sub { "PUT $_[0] HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" . ("1000\r\n" . 'y' x 4096 . "\r\n") x 5 . "0\r\n\r\n" },
    sub { "POST $_[0] HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" },
    sub { "GET $_[0] HTTP/1.1\r\nHost: a\r\n\r\n" x 4 },
    sub { "POST $_[0] HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nbroken" },
);

is behaves()->{body}, 'fine', 'all is well before';
my $sockets = open_sockets();
my $pid = $gw->server_pid;
my $served = 0;
my @open;
for my $round (1 .. $rounds) {
    my $target = sprintf '/%d-%d-%d-%s', int rand @heads, pick(0, 10, 50, 1000, 31_000, 31_000), pick(0, 1, 1), pick(qw(keep close reset half));
    my $bytes = pick(@requests)->($target);
    $bytes = substr $bytes, 0, rand length $bytes if rand() < 0.3;
    my $c = $gw->connect;
    $c->sock->blocking(0);
    syswrite $c->sock, $bytes;
    $c->shutdown_write if rand() < 0.2;
    if (rand() < 0.3) { # gone at once, one way or the other
        setsockopt $c->sock, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'll', 1, 0 if rand() < 0.5;
        $c->close;
    } else {
        push @open, $c;
    }
    while (@open > 30) { # some have read, some have not
        my $old = splice @open, rand @open, 1;
        sysread $old->sock, my $got, 10_000 if rand() < 0.7;
        $old->close;
    }
    if ($round % 20 == 0) {
        my $r = eval { behaves() } // {why => $@};
        ($r->{body} // '') eq 'fine' ? $served++ : diag "round $round: ", explain $r;
    }
}
is $served, int($rounds / 20), 'who behaves is served meanwhile';
$_->close for @open;
ok eventually { open_sockets() <= $sockets + 1 }, 'nothing is left open';
is $gw->server_pid, $pid, 'the server is the same';
is behaves()->{body}, 'fine', 'and all is well';

done_testing;
