# A backend that fails, at each point of an exchange and in each way: what the client gets, and that
# nothing is left of it.  "close": it ends the connection there; "reset": by an RST; "kill": its process
# is gone; "freeze": it is stopped and says no more; "slow": the rest comes byte by byte.
#
# The client has read all that there is to see at the point before the fault happens.
use strict;
use warnings;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);
use lib 't/lib';
use Gateway;
use Gateway::Hostile;
use Gateway::Objects;
use Gateway::Process qw(slow);

my $head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
my $switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
my $two = "Content-Length: 2\r\n\r\nok";

# What the backend has said at the point, what it would say next, and what the client sees of the first.
my %point = (
    'request-body' => ['', "$head$two", ''],
    'no-answer' => ['', "$head$two", ''],
    'no-answer-to-post' => ['', "$head$two", ''],
    'head' => ["${head}Content-Le", "ngth: 2\r\n\r\nok", ''],
    'interim' => ["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "$head$two", "\r\n\r\n"],
    'behind-head' => ["${head}Content-Length: 5\r\n\r\n", 'hello', "\r\n\r\n"],
    'body' => ["${head}Content-Length: 5\r\n\r\nhel", 'lo', 'hel'],
    'body-to-the-end' => ["$head\r\nhel", 'lo', 'hel'],
    'chunk' => ["${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "lo\r\n0\r\n\r\n", 'hel'],
    'between-chunks' => ["${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "1\r\n!\r\n0\r\n\r\n", 'hello'],
    'trailers' => ["${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A", ": b\r\n\r\n", 'hello'],
    'no-101' => ['', "${switch}hello", ''],
    'tunnel' => ["${switch}hel", 'lo', 'hel'],
);
my @faults = qw(close reset kill freeze slow);

# What the client gets: the status, "..." where the answer breaks off, and what else there is to say.
sub due {
    my ($point, $fault) = @_;
    return ($point =~ /101|tunnel/ ? '101' : '200') . ' hello' x ($point =~ /101|tunnel/) if $fault eq 'slow';
    return '101 hel' if $point eq 'tunnel';
    return $fault eq 'freeze' ? '504' : '502' if $point{$point}[0] !~ / 200 .*\r\n\r\n/s;
    return '200' if $point eq 'body-to-the-end' && $fault =~ /close|kill/; # no one can tell it from a whole one
    return '200...';
}

# What the log has to say of it: status, reason, how a tunnel ended.
sub due_in_log {
    my ($point, $fault) = @_;
    my $due = due($point, $fault);
    return "$due upstream_closed" if $due eq '502';
    return "$due upstream_timeout" if $due eq '504';
    return '200 response_cut' if $due eq '200...';
    return substr $due, 0, 3;
}

# ---- The backend ----------------------------------------------------------------------------------

my $up = upstream {
    my ($r) = @_;
    my (undef, $point, $fault) = split m{/}, $r->{path}; # and a number, when it is played again
    my ($sent, $rest) = @{$point{$point // ''} // return [200, {}, 'well']};
    $r->read_body if $point ne 'request-body';
    $r->write($sent);
    $r->{upstream}->record({at => $r->{path}});
    $r->hold;
    if ($fault eq 'slow') {
        for (split //, $rest) {
            sleep 0.001; # being slow is what is tested
            $r->write($_);
        }
        $r->read_body if $point eq 'request-body';
    }
    setsockopt $r->{client}->sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $fault eq 'reset';
    return;
} lazy => 1;
my $well = upstream { [200, {}, 'well'] };

# Only who freezes has to wait for a limit.
sub gateway_with {
    my ($limit) = @_;
    return gateway(
        core => $up->url, console => $up->url, workers => 1,
        objects => [extension('well', $well->url, access => 'public', timeouts => {firstByte => '60s'})],
        config => {
            core => {outlier => {consecutive_errors => 0}}, # or most would never be asked
            timeouts => {map { $_ => $limit } qw(connect first_byte backend_idle tunnel_idle tunnel_half_closed)},
        },
    );
}
my $limit = 0.3 * slow();
my ($patient, $hasty) = (gateway_with(60 * slow() . 's'), gateway_with(1000 * $limit . 'ms'));

# ---- The client -----------------------------------------------------------------------------------

sub ask {
    my ($point, $path) = @_;
    return "GET $path HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n" if $point =~ /101|tunnel/;
    return "POST $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody" if $point =~ /request-body|post/;
    return "GET $path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
}

# The rest of an answer of which `in` was read; in words.
sub rest_of_answer {
    my ($c, $in) = @_;
    my $until = time + 10 * slow();
    my ($end, $got) = ('', Gateway::Hostile::answers_of($in, 'GET'));
    while (!$end && !grep { $_->{status} =~ /50[24]/ } @{$got->{answers}}) { # which leave the connection open
        IO::Select->new($c->sock)->can_read($until - time) or return "nothing in time behind '$in'";
        my $n = sysread $c->sock, $in, 65_536, length $in;
        $end = !defined $n ? 'reset' : $n == 0 ? 'closed' : '';
        $got = Gateway::Hostile::answers_of($in, 'GET');
    }
    my @answers = grep { !$_->{interim} } @{$got->{answers}};
    return 'two answers' if @answers > 1;
    return "101 $got->{rest}" if @answers && $answers[0]{status} == 101;
    return $answers[0]{status} . ($end eq 'reset' ? '...' : '') if @answers && !length $got->{rest};
    return "$1..." if !@answers && $got->{rest} =~ m{^HTTP/1\.1 (\d+)};
    return "neither whole nor cut: $in";
}

# What the client got, at which path; and how long it took until the fault was there.
sub play_at {
    my ($path, $point, $fault) = @_;
    my $gw = $fault eq 'freeze' ? $hasty : $patient;
    my $c = $gw->connect;
    my $start = time;
    $c->write(ask($point, $path));
    eventually { grep { ($_->{at} // '') eq $path } $up->records } "the backend to be at $path";
    my $in = $point{$point}[2] eq '' ? '' : eval { $c->read_until(qr/\Q$point{$point}[2]\E/) } // '';
    $in .= $c->take(length $c->{in});
    $fault eq 'kill' ? $up->stop : $fault eq 'freeze' ? $up->freeze : $up->release;
    my $took = time - $start;
    my $others = $gw->request(GET => '/extensions/well/x');
    my $got = rest_of_answer($c, $in);
    $got .= "; another one's extension gives $others->{status}" if $others->{body} ne 'well';
    $c->close; # or who is started now would have it, too
    if ($fault eq 'kill') {
        $up->start;
    } elsif ($fault eq 'freeze') {
        $up->thaw;
        $up->release;
    }
    return ($got, $took);
}

# Again, when the machine was so busy that the gateway may have lost its patience before the backend froze.
sub play {
    my ($point, $fault) = @_;
    for my $n (1 .. 20) {
        my $path = "/$point/$fault" . ($n > 1 ? "/$n" : '');
        my ($got, $took) = play_at($path, $point, $fault);
        return ($got, $path) if $fault ne 'freeze' || $took < $limit / 2;
    }
    die "the machine is too busy\n";
}

# ---- What is left of it ---------------------------------------------------------------------------

sub gauges {
    my ($gw) = @_;
    my $text = $gw->admin(GET => '/-/metrics')->{body};
    my $sum = sub { my $n = 0; $n += $_ for $text =~ /^ksgate_$_[0](?:\{[^}]*\})? (\d+)$/mg; return $n };
    return join ', ', map { "$_ " . $sum->($_) } qw(requests_active tunnels backend_pending endpoints_ejected connections);
}

sub busy_backend_connections {
    my ($gw) = @_;
    my $text = $gw->admin(GET => '/-/metrics')->{body};
    my ($all) = $text =~ /^ksgate_backend_connections (\d+)$/m;
    my ($idle) = $text =~ /^ksgate_backend_connections_idle (\d+)$/m;
    return $all - $idle;
}

sub sockets {
    my ($gw) = @_;
    my $pid = $gw->server_pid;
    return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob "/proc/$pid/fd/*";
}

my (%gauges, %sockets);
for my $gw ($patient, $hasty) {
    $gw->request(GET => '/extensions/well/x');
    $gw->request(GET => '/');
    ($gauges{$gw}, $sockets{$gw}) = (gauges($gw), sockets($gw));
}
my %due_lines;
for my $point (sort keys %point) {
    for my $fault (@faults) {
        my ($got, $path) = play($point, $fault);
        is $got, due($point, $fault), "$point, $fault";
        $due_lines{$path} = due_in_log($point, $fault);
    }
}
for my $gw ($patient, $hasty) {
    ok eval { eventually(sub { gauges($gw) eq $gauges{$gw} }) }, 'nobody is waited for any more, or thought ill of' or diag gauges($gw), ', and not ', $gauges{$gw};
    ok eventually(sub { busy_backend_connections($gw) == 0 }), 'no connection to a backend is in use';
    cmp_ok sockets($gw), '<=', $sockets{$gw} + 2, 'no socket is left open';
}

my %asked;
$asked{$_->{path}}++ for grep { $due_lines{$_->{path}} } $up->requests;
is_deeply [grep { $asked{$_} != 1 } sort keys %asked], [], 'the backend saw each request once';
my $hers = sub { $due_lines{$_->{path}} };
my @lines = ($patient->access_log(@faults * keys(%point) - keys %point, $hers), $hasty->access_log(scalar keys %point, $hers));
my %lines = map { $_->{path} => join ' ', $_->{status}, $_->{error} // () } @lines;
is_deeply \%lines, \%due_lines, 'the log says what became of each';

done_testing;
