# The processes: who watches whom, what a crash costs, how it starts, changes and stops.
use strict;
use warnings;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Process qw(slow);

my $up = upstream {
    my ($r) = @_;
    $r->hold if $r->{path} =~ /hold/;
    return [200, {}, 'hello'];
};
sub world { return gateway(core => $up->url, console => $up->url, @_) }
sub alive { return -e "/proc/$_[0]" && slurp("/proc/$_[0]/stat") !~ /\) Z / }

# ---- A crash under load -----------------------------------------------------------------------

my $gw = world(crash_ok => 1, workers => 2);

# Clients that connect anew for each request until they are told to stop: how many were served,
# cut (they were being served when the server died) and refused.
sub load {
    my $dir = tempdir();
    my @clients = map {
        my $file = "$dir/$_";
        Gateway::Process->new(name => 'client', log => $file, code => sub {
            my $stop = 0;
            local $SIG{TERM} = sub { $stop = 1 };
            local $SIG{PIPE} = 'IGNORE';
            my %count = (served => 0, cut => 0, refused => 0);
            while (!$stop) {
                my $c = eval { $gw->connect };
                my $r = $c && eval { $c->request(GET => '/') };
                last if $stop; # the signal itself may have ended a call
                $count{!$c ? 'refused' : $r && $r->{status} == 200 ? 'served' : 'cut'}++;
            }
            print "$count{served} $count{cut} $count{refused}\n";
            close STDOUT;
            POSIX::_exit(0);
        });
    } 1 .. 3;
    return sub {
        my @sum = (0, 0, 0);
        for my $client (@clients) {
            $client->stop;
            my @n = split ' ', $client->log;
            $sum[$_] += $n[$_] for 0 .. 2;
        }
        return @sum;
    };
}

my $finish = load();
my @took;
for my $signal (('KILL') x 6, ('ABRT') x 2, ('SEGV') x 2) {
    my $pid = $gw->server_pid;
    $up->forget;
    $up->wait_for(20); # it is under load
    kill $signal => $pid;
    my $start = time;
    eventually { ($gw->server_pid // $pid) != $pid } 'the next server';
    is $gw->request(GET => '/')->{status}, 200, "after SIG$signal, a new connection is served";
    push @took, time - $start;
}
my ($served, $cut, $refused) = $finish->();
$up->forget;
is $refused, 0, 'no connection was refused meanwhile';
cmp_ok $served, '>', 200, 'and it was real load';
cmp_ok $cut, '<=', 3 * @took, 'of which only those were cut that were being served';
my @starts; # ms: the first one was before all this
eventually { @starts = $gw->stderr =~ /is ready after (\d+) ms/g; @starts == 1 + @took } 'a word on each start';
my @waited = sort { $a <=> $b } map { $took[$_] * 1000 - $starts[1 + $_] } 0 .. $#took;
cmp_ok $waited[@waited / 2], '<', 100 * slow(), 'the next server was started at once'; # some may meet a busy machine
diag sprintf 'back after %s ms, of which starts took %s', join(' ', map { int $_ * 1000 } @took), "@starts[1 .. $#starts]";
is scalar(() = $gw->stderr =~ /starting it again/g), scalar @took, 'each crash is said';
like $gw->stderr, qr/signal 9 \(Killed\)/, 'with its signal';

for (1 .. 5) {
    my $pid = $gw->server_pid;
    kill KILL => $pid;
    eventually { ($gw->server_pid // $pid) != $pid } 'the next server';
    $gw->reload; # before it can listen to signals
    is $gw->request(GET => '/')->{status}, 200, 'a reload during the start does no harm';
}
unlike $gw->stderr, qr/before it was ready/, 'to the start';

# ---- Whose rights -----------------------------------------------------------------------------

SKIP: {
    skip 'not started as root', 4 if $< != 0;
    my $uid = getpwnam Gateway::Process::user();
    my $status = slurp('/proc/' . $gw->server_pid . '/status');
    like $status, qr/^Uid:\t$uid\t$uid\t$uid\t$uid$/m, 'the server runs as an unprivileged user';
    like $status, qr/^Groups:\s*(?:\d+ ?)?$/m, 'in no group of root\'s';
    unlike $status, qr/^Groups:.*\b0\b/m, 'really';
    like $status, qr/^CapEff:\t0+$/m, 'and may do nothing that others may not';
}

# ---- A reload ---------------------------------------------------------------------------------

my $idle = $gw->connect;
is $idle->request(GET => '/')->{status}, 200, 'a connection from before';
my $busy = $gw->connect;
my $asked = $up->seen;
$busy->send_request(GET => '/hold');
$up->wait_for($asked + 1);
my $pid = $gw->server_pid;
my $said = sub { return scalar(() = $gw->stderr =~ /$_[0]/g) };

my $before = $said->('configuration was reloaded');
$gw->configure({limits => {body => '10B'}});
$gw->reload;
eventually { $said->('configuration was reloaded') > $before } 'the reload';
ok eventually { $gw->request(POST => '/', body => 'x' x 20)->{status} == 413 }, 'a reload brings the new settings';
is $idle->request(POST => '/', body => 'x' x 20)->{status}, 413, 'to connections from before, too';
$up->release;
is $busy->response->{status}, 200, 'what was running has not noticed';

spew($gw->file, slurp($gw->file) =~ s/"limits"/"limitz"/r);
$gw->reload;
eventually { $said->('was not reloaded') } 'the refusal';
like $gw->stderr, qr/ksgate\.yaml:\d+[:\d]*: .*limitz.*limits/, 'a broken configuration is refused, with line and advice';
is $gw->request(POST => '/', body => 'x' x 20)->{status}, 413, 'and the old one stays';
$idle = $gw->connect;
is $idle->request(GET => '/')->{status}, 200, 'a connection from before';
spew($gw->file, "listeners: [\n");
$gw->reload;
eventually { $said->('was not reloaded') > 1 } 'the refusal';
is $idle->request(GET => '/')->{status}, 200, 'broken YAML, too';
is $gw->server_pid, $pid, 'all that in one process';

# ---- A crash while the file is being edited ---------------------------------------------------

# The settings that the first server began with are the last that a start has proved.
for my $broken ("listeners: [\n", '{"listeners": [{"address": "127.0.0.1:1"}], "authentication": {"issuers": '
    . '[{"issuer": "i", "algorithms": ["HS256"], "secret_file": "/nowhere/secret"}]}}') {
    spew($gw->file, $broken);
    my $old = $gw->server_pid;
    kill KILL => $old;
    eventually { ($gw->server_pid // $old) != $old } 'the next server';
    ok eventually { eval { $gw->request(GET => '/')->{status} == 200 } }, 'a crash with a broken file: served as before';
}
like $gw->stderr, qr/starting with the configuration that worked before/, 'and it is said';
$before = $said->('configuration was reloaded');
$gw->configure({timeouts => {linger => '20s'}}); # how soon who has just come has to say something
$gw->reload;

# ---- A stop -----------------------------------------------------------------------------------

eventually { $said->('configuration was reloaded') > $before } 'the reload';
$idle = $gw->connect;
is $idle->request(GET => '/')->{status}, 200, 'an idle connection';
$busy = $gw->connect;
$asked = $up->seen;
$busy->send_request(GET => '/hold');
$up->wait_for($asked + 1);
my $newcomer = $gw->connect;
my $sender = $gw->connect;
$sender->send_request(POST => '/', 'Content-Length' => 10);
$sender->write('01234');
$gw->kill('TERM');
ok $idle->at_end, 'a stop ends it';
eventually { !eval { $gw->connect } } 'the end of listening';
ok 1, 'no new connection is taken';
ok alive($gw->server_pid), 'the server finishes what it has begun';
is $newcomer->request(GET => '/')->{status}, 200, 'who came before it and says something soon is served';
$sender->write('56789');
is $sender->response->{status}, 200, 'a body is taken to its end';
$up->release;
my $r = $busy->response;
is $r->{status}, 200, 'a slow answer arrives';
is lc($r->{headers}{connection} // ''), 'close', 'and says that it is the last';
ok $busy->at_end, 'which it is';
$_->close for $busy, $newcomer, $sender; # nobody lingers
is $gw->stop, 0, 'the exit code is 0';
ok !-e $gw->admin_socket, 'and the admin socket is gone';

# ---- A supervisor that is killed --------------------------------------------------------------

$gw = world(workers => 1);
my $server = $gw->server_pid;
$gw->kill('KILL');
ok eventually { !alive($server) }, 'without its supervisor the server ends';
$gw->{process}->stop;
$gw->start;
is $gw->request(GET => '/')->{status}, 200, 'the next start finds all in order';

# ---- A start that can not be ------------------------------------------------------------------

my $other = gateway(start => 0);
$other->configure({listeners => [{address => '127.0.0.1:' . $gw->port}], admin => {socket => $other->dir . '/other.sock'}});
$r = $other->ksgate_here('serve');
is $r->{code}, 1, 'a second server on the address of the first one does not start';
like $r->{err}, qr/127\.0\.0\.1:@{[$gw->port]}.*in use/i, 'and says why';

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "listen: $!";
$other->configure({listeners => [{address => '127.0.0.1:' . $taken->sockport}]});
$r = $other->ksgate_here('serve');
is $r->{code}, 1, 'a port that is taken: no start';
like $r->{err}, qr/127\.0\.0\.1:@{[$taken->sockport]}.*in use/i, 'and it is said which';

spew($other->file, "listeners:\n  - address: nonsense\nworkerz: 2\n");
$r = $other->ksgate_here('serve');
is $r->{code}, 1, 'a broken configuration: no start';
like $r->{err}, qr/ksgate\.yaml:2[:\d]*: .*address/, 'all its errors are said';
like $r->{err}, qr/ksgate\.yaml:3[:\d]*: .*workerz.*workers/, 'at once';
$r = ksgate('serve', '-c', $other->dir . '/no-such-file');
is $r->{code}, 1, 'no configuration: no start';
like $r->{err}, qr/no-such-file/, 'and it is said which';
$r = ksgate('server', '-c', $gw->file);
is $r->{code}, 2, 'the inner command is not for people';

# ---- Enough -----------------------------------------------------------------------------------

my $small = world(workers => 1, config => {limits => {connections => 16}});
my @clients;
for (1 .. 16) {
    my $c = $small->connect;
    $c->request(GET => '/')->{status} == 200 or die;
    push @clients, $c;
}
my @waiting = map { $small->connect } 1 .. 3;
$_->send_request(GET => '/') for @waiting;
eventually { $small->stderr =~ /limits\.connections is reached/ } 'the warning';
is $clients[0]->request(GET => '/')->{status}, 200, 'as many connections as allowed are served';
ok !IO::Select->new(map { $_->sock } @waiting)->can_read(0.2), 'further ones wait';
is $small->admin(GET => '/-/healthz')->{status}, 200, 'the administrator does not';
(shift @clients)->close for 1 .. 2;
my @served;
eventually { @served = IO::Select->new(map { $_->sock } @waiting)->can_read(0.1); @served == 2 } 'the next ones';
is scalar(@served), 2, 'as many as leave, come in';
(shift @clients)->close;
is $_->response->{status}, 200, 'and all are served in the end' for @waiting;

done_testing;
