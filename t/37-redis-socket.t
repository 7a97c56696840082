# A Redis by its unix socket: one that is away, not ours to use, or something else is said, and mended without a restart.
use strict;
use warnings;
use IO::Socket::UNIX;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $path = tempdir() . '/redis.sock';
my $redis = redis(config => ["--unixsocket $path --unixsocketperm 777"]);
my $gw = gateway(config => {registry => {driver => 'redis', sqlite => undef, redis => {url => "unix:$path?db=3", timeout => '500ms'}}},
    objects => [extension(a => $up->url)]);
is $gw->request(GET => '/extensions/a/x')->{body}, 'up', 'what is registered in a Redis by a unix socket is served';
like join(' ', @{Gateway::Redis::ask(Gateway::Client->new(to => $path), 'CONFIG', 'GET', 'databases')}), qr/databases/, 'it is that socket';
my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);
my $n = 0;

# [what, how it comes about, the words of it, how it ends]
for my $case (
    ['nobody listens', sub { $redis->stop; IO::Socket::UNIX->new(Local => $path, Listen => 1)->close; chmod 0777, $path }, qr/Connection refused/,
        sub { unlink $path; $redis->start }],
    ['it is not there', sub { $redis->stop; unlink $path }, qr/No such file or directory/, sub { $redis->start }],
    ['it was moved, and is back', sub { rename $path, "$path.moved"; $redis->command('CLIENT', 'KILL', 'TYPE', 'normal') }, qr/No such file or directory/,
        sub { rename "$path.moved", $path }],
    ($< == 0 && Gateway::Process::user() ne 'root' ? ['it may not be used', sub { chmod 0600, $path; $redis->command('CLIENT', 'KILL', 'TYPE', 'normal') }, qr/Permission denied/,
        sub { chmod 0777, $path }] : ()),
    ['it hangs', sub { $redis->freeze }, qr/no (?:answer|connection) within 500 ms/, sub { $redis->thaw }],
) {
    my ($what, $leave, $words, $return) = @$case;
    $leave->();
    eventually { my $s = registry_of($gw); $s->{state} eq 'stale' && $s->{reason} =~ /unix:\Q$path\E\S*: .*$words/ } "readyz to say why ($what)";
    eventually { !registry_metric($gw, 'reachable') } 'the metric';
    like $gw->stderr, qr/warn .*registry: can't be reached: unix:\Q$path\E\S*: .*$words/, "$what: readyz, the metric and the log say so";
    is $gw->request(GET => '/-/readyz')->{status}, 200, '... it is ready';
    is put_extension($gw, 'no', $up->url)->{status}, 503, '... a write is refused';
    is $gw->request(GET => '/extensions/a/x')->{body}, 'up', '... what is known is served';
    $return->();
    eventually { is_fresh($gw) && registry_metric($gw, 'reachable') } "the return ($what)", 20;
    my $name = 'w' . ++$n;
    eventually { put_extension($gw, $name, $up->url)->{status} =~ /^20[01]$/ } 'a write';
    eventually { $gw->request(GET => "/extensions/$name/x")->{status} == 200 } 'it to be live'; # which an answer waits for no longer than for Redis
    pass '... and it is well again, without a restart';
}
my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};

done_testing;
