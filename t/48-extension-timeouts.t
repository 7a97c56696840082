# How long an extension's backends are waited for is the extension's to say: sooner or later than
# the configuration does.  Whoever waited in vain is told for what.
use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use lib 't/lib';
use Gateway;
use Gateway::Names;
use Gateway::Objects;

sub answer {
    my ($r) = @_;
    if ($r->{path} eq '/stuck') { # a part, and the rest later
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npart");
        $r->hold;
        $r->write('rest');
        return KEEP;
    }
    if ($r->{headers}{upgrade}) {
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        $r->hold;
        $r->write('late');
        return;
    }
    $r->hold if $r->{path} eq '/hold';
    return [200, {}, 'answered'];
}
my $up = upstream { answer(@_) };
my $narrow = upstream { answer(@_) }; # whose connections are counted

# Where nobody has time for new connections: the queue is full, and stays so.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1, Proto => 'tcp') or die $!;
my $silence = 'http://127.0.0.1:' . $silent->sockport;
my @full = map { IO::Socket::INET->new(PeerAddr => $silence =~ s{^http://}{}r, Proto => 'tcp', Blocking => 0) } 1 .. 4;
my $dns = Gateway::Names->new('mute.test' => {mute => 1});

# Of a configuration that would wait for ever, and of one that hardly does.
sub world {
    my ($time) = @_;
    return gateway(core => $up->url, console => $up->url, workers => 1, config => {
        dns => {servers => [$dns->at]},
        timeouts => {map { $_ => $time } qw(connect pending first_byte backend_idle tunnel_idle)},
    });
}
my $patient = world('10m');
my $hasty = world('100ms');
my %soon = map { $_ => '200ms' } qw(connect pending firstByte idle tunnelIdle);
my %late = map { $_ => '10m' } keys %soon;
$patient->apply([
    extension('soon', $up->url, timeouts => \%soon),
    # Of those that answer a part, that comes in its own time.
    extension('stuck', $up->url, timeouts => {idle => '200ms'}),
    extension('tunnel', $up->url, timeouts => {tunnelIdle => '200ms'}),
    extension('narrow', $narrow->url, timeouts => {pending => '200ms'}, limits => {connections => 1}),
    extension('silent', $silence, timeouts => \%soon),
    extension('mute', 'http://mute.test:80', timeouts => \%soon),
]);
$hasty->apply([
    extension('late', $up->url, timeouts => \%late),
    extension('narrow', $narrow->url, timeouts => \%late, limits => {connections => 1}),
    extension('plain', $up->url),
    extension('stuck', $up->url, timeouts => {firstByte => '10m'}),
]);

sub is_status {
    my ($r, $status, $message, $what) = @_;
    my $fine = $r->{status} == $status && ($r->{json}{message} // '') =~ $message;
    ok $fine, "$what: $status, which names the setting" or diag "$r->{status} $r->{body}";
    return;
}

sub ask {
    my ($gw, $path, %header) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => "/extensions/$path", %header);
    return $c;
}

sub logged {
    my ($gw, $path) = @_;
    my ($line) = $gw->access_log(1, sub { $_->{path} eq "/extensions/$path" });
    return $line;
}

# ---- Sooner ---------------------------------------------------------------------------------------

is_status(ask($patient, 'silent/x')->response, 502, qr/no connection.*connecting took too long \(timeouts\.connect\)/, 'connect');
is_status(ask($patient, 'mute/x')->response, 502, qr/no connection.*looking up its name took too long \(timeouts\.connect\)/, 'connect, of a name');
is_status(ask($patient, 'soon/hold')->response, 504, qr/timeouts\.first_byte\): after 200 ms, which is the extension's timeouts\.firstByte$/, 'firstByte');
is logged($patient, 'soon/hold')->{error}, 'upstream_timeout', 'the log has it';

my $c = ask($patient, 'stuck/stuck');
is $c->head->{status}, 200, 'an answer begins';
ok !defined eval { $c->read_bytes(8) }, 'idle: and is cut';
my $line = logged($patient, 'stuck/stuck');
is "$line->{error} $line->{end} $line->{detail}", 'response_cut upstream_timeout nothing came for 200 ms (the extension\'s timeouts.idle)', 'the log says by what';

$c = ask($patient, 'tunnel/x', Connection => 'Upgrade', Upgrade => 'x');
is $c->head->{status}, 101, 'a tunnel';
ok $c->at_end, 'tunnelIdle: ends';
is logged($patient, 'tunnel/x')->{end}, 'tunnel_idle', 'the log says why';

my $held = ask($patient, 'narrow/hold');
$narrow->wait_for(1);
is_status(ask($patient, 'narrow/x')->response, 503, qr/timeouts\.pending.*after 200 ms/, 'pending');
$narrow->release;
$up->release(3); # who hold although nobody waits any more
is $held->response->{body}, 'answered', 'who was in is answered';

# ---- Later ----------------------------------------------------------------------------------------

$_->forget for $up, $narrow;
my %waits = (
    firstByte => ask($hasty, 'late/hold'),
    idle => ask($hasty, 'late/stuck'),
    tunnelIdle => ask($hasty, 'late/x', Connection => 'Upgrade', Upgrade => 'x'),
    busy => ask($hasty, 'narrow/hold'),
);
$up->wait_for(3);
$narrow->wait_for(1);
is $waits{idle}->head->{status}, 200, 'an answer begins';
is $waits{tunnelIdle}->head->{status}, 101, 'a tunnel begins';
$waits{pending} = ask($hasty, 'narrow/x');
eventually { $hasty->admin(GET => '/-/metrics')->{body} =~ /^ksgate_backend_pending 1$/m } 'one waits';
is_status(ask($hasty, 'plain/hold')->response, 504, qr/timeouts\.first_byte\): after 100 ms$/, 'one without a word of its own');
$c = ask($hasty, 'stuck/stuck');
$c->head;
ok !defined eval { $c->read_bytes(8) }, 'neither is it waited for in the middle';
like logged($hasty, 'stuck/stuck')->{detail}, qr/^nothing came for 100 ms \(timeouts\.backend_idle\)$/, 'the log says by what';
$up->release(5);
$narrow->release;
is $waits{firstByte}->response->{body}, 'answered', 'firstByte: longer';
is $waits{idle}->read_bytes(8), 'partrest', 'idle: longer';
is $waits{tunnelIdle}->read_bytes(4), 'late', 'tunnelIdle: longer';
is $waits{$_}->response->{body}, 'answered', "$_: longer" for qw(busy pending);

is scalar(() = $_->stderr =~ /starting it again/g), 0, 'no gateway had to start again' for $patient, $hasty;

done_testing;
