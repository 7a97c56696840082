# A Redis that is not as it should be: what is said, what still works, and that it mends without a restart.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $file = spew(tempdir() . '/redis.pw', "right\n");
my $redis = redis(config => ['--user ksgate on >right ~* +@all']);
my $gw = gateway(
    redis => $redis,
    config => {registry => {redis => {url => 'redis://ksgate@127.0.0.1:' . $redis->port, password_file => $file, timeout => '1s'}}},
    objects => [extension(a => $up->url), extension(reg => undef)],
);
my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);

sub state_of { return registry_of($_[0] // $gw) }
sub metric { return registry_metric($gw, $_[0]) }

sub register {
    my ($id) = @_;
    return $gw->admin(PUT => "/-/apis/ksgate.io/v1/extensionservices/reg/endpoints/$id", {url => $up->url, leaseSeconds => 3600});
}

sub said { # how often the log says so
    my ($words) = @_;
    return scalar(() = $gw->stderr =~ /^.* warn .*can't be reached: .*$words.*$/mg);
}

sub is_stale {
    my ($words, $what) = @_;
    eventually { my $s = state_of(); $s->{state} eq 'stale' && $s->{reason} =~ $words } "readyz to say why ($what)";
    pass "$what: readyz says so";
    eventually { !metric('reachable') } 'the metric';
    eventually { $gw->stderr =~ /^.* warn .*registry: can't be reached: .*$words.* stay in use$/m } "the log to say so ($what)";
    is $gw->request(GET => '/extensions/a/x')->{body}, 'up', '... what is known is served';
    return;
}

my $writes = 0;

sub is_well {
    my ($what) = @_;
    eventually { state_of()->{state} eq 'fresh' } "readyz to say fresh ($what)";
    my $name = 'w' . ++$writes;
    eventually { $gw->admin(PUT => path_of($name), extension($name => $up->url))->{status} =~ /^20[01]$/ } "a write ($what)";
    pass "$what: a write works again";
    eventually { $gw->request(GET => "/extensions/$name/x")->{status} == 200 } "it to be live ($what)";
    pass '... and is live';
    eventually { metric('reachable') } 'the metric';
    return;
}

is register('one')->{status}, 201, 'an endpoint';
is_well('at first');
cmp_ok metric('heard_seconds'), '>', time - 60, 'when Redis was heard last is a metric';

# Several commands that nobody may come between: a gateway makes a key again that it misses, some of them five times a second.
sub at_once { return $redis->command('EVAL', join(' ', map { "redis.call('" . join("','", @$_) . "')" } @_), 0) }

# ---- Keys of another type ----------------------------------------------------------------------------

for my $key (qw(objects changes revision epoch leases ticked)) {
    my $name = "{ksgate}:$key";
    eventually { $redis->command('EXISTS', $name) } $name;
    at_once(['RENAME', $name, 'aside'], ['RPUSH', $name, 'foreign']);
    is_stale(qr/WRONGTYPE.*\Q$name\E|\Q$name\E.*WRONGTYPE/, "$key is a list");
    eventually { metric('quarantined') == 1 } 'the key in quarantine';
    my $r = $gw->admin(PUT => path_of("during-$key"), extension("during-$key" => $up->url));
    if ($key eq 'leases' || $key eq 'ticked') {
        is $r->{status}, 201, '... what needs no lease can be written';
        is $gw->request(GET => "/extensions/during-$key/x")->{status}, 200, '... and is live';
        is $gw->admin(DELETE => path_of("during-$key"))->{status}, 200, '... and can be deleted';
    } else {
        is $r->{status}, 503, '... a write is refused';
        like $r->{json}{message}, qr/nothing was changed.*WRONGTYPE.*\Q$name\E/, '... by the name of the key';
    }
    if ($key eq 'leases') {
        my $e = register('two');
        is $e->{status}, 503, '... what needs one is refused';
        like $e->{json}{message}, qr/WRONGTYPE.*leases/, '... with the reason';
    }
    is_deeply $redis->command('LRANGE', $name, 0, -1), ['foreign'], '... and is left alone';
    cmp_ok said(qr/WRONGTYPE.*/), '<=', 12, '... the log is not filled';
    at_once(['DEL', $name], ['RENAME', 'aside', $name]);
    is_well("$key is ours again");
    eventually { metric('quarantined') == 0 } 'nothing in quarantine';
}
eventually { state_of()->{objects} == 10 } 'all objects';
pass 'nothing was lost';

# ---- Fields that are no objects ------------------------------------------------------------------------

{
    my $before = metric('reconnects_total');
    $redis->command('HSET', '{ksgate}:objects', 'ksgate.io/ExtensionService//odd', '{"half":');
    $redis->command('DEL', '{ksgate}:changes'); # so that it is listed
    $redis->command('CLIENT', 'KILL', 'USER', 'ksgate');
    eventually { metric('quarantined') == 1 } 'the field to be found';
    is_well('beside a field that is no object');
    eventually { metric('reconnects_total') > $before } 'the metric';
    pass 'reconnects are counted';
    my $after = metric('reconnects_total');
    $redis->command('DEL', '{ksgate}:changes');
    $redis->command('CLIENT', 'KILL', 'USER', 'ksgate');
    eventually { metric('reconnects_total') > $after && metric('reachable') } 'another list';
    is scalar(() = $gw->stderr =~ /field "ksgate.io\/ExtensionService\/\/odd"/g), 1, 'it is said once, with its name';
    is $gw->admin(PUT => path_of('odd'), extension(odd => $up->url))->{status}, 201, 'a good one takes its place';
    eventually { metric('quarantined') == 0 } 'nothing in quarantine';
    is $gw->request(GET => '/extensions/odd/x')->{status}, 200, '... and is served';
    $redis->command('EVAL', q(redis.call('XADD', KEYS[2], redis.call('INCR', KEYS[1]) .. '-0', 'op', 'delete', 'field', ARGV[1])), 2,
        '{ksgate}:revision', '{ksgate}:changes', "ksgate.io/ExtensionService//odd\0x");
    is_well('after a change of a name with a NUL byte');
    is $gw->request(GET => '/extensions/odd/x')->{status}, 200, '... the name before it is another one';
}

# ---- The password, and what the user may -------------------------------------------------------------------

{
    $redis->command('ACL', 'SETUSER', 'ksgate', 'resetpass', '>other');
    $redis->command('CLIENT', 'KILL', 'USER', 'ksgate');
    is_stale(qr/WRONGPASS/, 'another password');
    unlike $gw->stderr, qr/right|other/, '... without the password';
    is $gw->admin(PUT => path_of('no'), extension(no => $up->url))->{status}, 503, '... a write is refused';
    cmp_ok said('WRONGPASS'), '==', 1, '... it is said once';
    spew($file, "other\n");
    is_well('the file has the new one');
}

for my $case (['xread', qr/XREAD.*NOPERM/, 201], ['zrangebyscore', qr/leases can't be ended: .*(?:NOPERM|no permission|can't run)/, 201],
    ['eval -evalsha', qr/NOPERM/, 503]) {
    my ($command, $words, $status) = @$case;
    my $name = 'acl-' . substr $command, 0, 4;
    my $lists = registry_metric($gw, 'lists_total{reason="unusable"}') // 0;
    $redis->command('ACL', 'SETUSER', 'ksgate', split ' ', "-$command");
    is_stale($words, "no permission for $command");
    my $r = $gw->admin(PUT => path_of($name), extension($name => $up->url));
    is $r->{status}, $status, "... a write: $status";
    if ($command eq 'xread') {
        eventually { registry_metric($gw, 'lists_total{reason="unusable"}') >= $lists + 3 } 'three lists', 40; # pauses grow to ten seconds
        is said('XREAD \S+ was answered: NOPERM'), 1, '... it is said once';
    }
    eventually { state_of()->{revision} >= $r->{json}{metadata}{resourceVersion} } 'it to be known' if $status == 201;
    is state_of()->{state}, 'stale', '... which makes nothing well';
    is metric('reachable'), 0, '... for the metric, too';
    (my $again = $command) =~ s/ -/ +/;
    $redis->command('ACL', 'SETUSER', 'ksgate', split ' ', "+$again");
    is_well("with $command");
}

# ---- A replica, and a master that becomes one ----------------------------------------------------------------

{
    my $port = Gateway::Process::free_port(); # nobody: what it has stays as it is
    $redis->command('REPLICAOF', '127.0.0.1', $port);
    is_stale(qr/READONLY|it is a replica \(of 127\.0\.0\.1:$port\) and takes no writes/, 'it has become a replica');
    eventually { state_of()->{reason} =~ /it is a replica/ } 'the reason';
    my $r = $gw->admin(PUT => path_of('no'), extension(no => $up->url));
    is $r->{status}, 503, '... a write is refused';
    like $r->{json}{message}, qr/nothing was changed.*(?:READONLY|it is a replica)/, '... and nothing was changed';
    cmp_ok said(qr/(?:READONLY|it is a replica)/), '<=', 4, '... the log is not filled';
    $redis->command('REPLICAOF', 'NO', 'ONE');
    is_well('it is the master again');
}

{
    my $replica = redis(config => ['--replicaof 127.0.0.1 ' . $redis->port]);
    my $lost = gateway(start => 0, redis => $replica)->begin;
    eventually { (eval { state_of($lost)->{reason} } // '') =~ /replica/ } 'a reason';
    like state_of($lost)->{reason}, qr/it is a replica \(of 127/, 'a gateway does not read from a replica, which may lag';
    is $lost->request(GET => '/-/readyz')->{status}, 503, '... is not ready, as it never knew anything';
    is registry_metric($lost, 'reachable'), 0, '... says so by the metric';
    like $lost->stderr, qr/warn .*registry: can't be reached: .*it is a replica \(of 127/, '... and in the log';
    eventually { $replica->command('INFO', 'replication') =~ /master_link_status:up/ } 'the replica to have all';
    $replica->command('REPLICAOF', 'NO', 'ONE');
    eventually { state_of($lost)->{state} eq 'fresh' } 'readyz to say fresh';
    is state_of($lost)->{objects}, state_of()->{objects}, '... once it is the master, it does';
    eventually { registry_metric($lost, 'reachable') } 'the metric';
    is $lost->request(GET => '/extensions/a/x')->{body}, 'up', '... and serves';
}

my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests failed beside all that" or diag explain $seen->{words};

done_testing;
