# Objects in Redis that are changed past the script: no revision tells it, and all gateways route by what is there all the same.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $script = ksgate('registry', 'script')->{out};
my $redis = redis();
my @names = map { "e$_" } 1 .. 5;
my @snapshots = map { tempdir() . '/snapshot' } 1 .. 2;
my @gw = map { gateway(redis => $redis, workers => 1, config => {registry => {snapshot => $snapshots[$_]}}) } 0, 1;
$gw[0]->apply([map { extension($_ => $up->url) } @names]);
sub routes { my ($gw, $name) = @_; return $gw->request(GET => "/extensions/$name/x")->{status} == 200 }
sub registry { return $_[0]->admin(GET => '/-/readyz')->{json}{registry} }
sub metric { return $_[0]->admin(GET => '/-/metrics')->{body} =~ /^ksgate_registry_$_[1] (\S+)$/m ? $1 : undef }
sub strays { return metric($_[0], 'lists_total\{reason="strayed"\}') }
sub field { return "ksgate.io/ExtensionService//$_[0]" }
eventually { my $g = $_; !grep { !routes($g, $_) } @names } 'all to be routed' for @gw;
my $revision = $redis->command('GET', '{ksgate}:revision');

# ---- Some of them -------------------------------------------------------------------------------------------

$redis->command('HDEL', '{ksgate}:objects', field('e1'));
for my $gw (@gw) {
    eventually { !routes($gw, 'e1') } 'it to be noticed';
    pass 'an object that was deleted by hand goes, as a restarted gateway would have it';
    is scalar(grep { routes($gw, $_) } @names), 4, '... and no other one';
    like $gw->stderr, qr/warn .*: 5 objects are known and \{ksgate\}:objects has 4: objects were added or deleted past the script/, '... which is said';
    eventually { strays($gw) == 1 } 'it to be counted';
}
my $json = $redis->command('HGET', '{ksgate}:objects', field('e2')) =~ s/"e2"/"e6"/r;
$redis->command('HSET', '{ksgate}:objects', field('e6'), $json);
eventually { routes($_, 'e6') } 'it to be noticed' for @gw;
pass 'one that was added by hand is there, too';
$redis->command('HSET', '{ksgate}:objects', 'no/Thing//at-all', 'what?');
eventually { metric($_, 'quarantined') == 1 && registry($_)->{state} eq 'fresh' } 'it to be noticed' for @gw;
pass 'as is what is no object';
is $redis->command('GET', '{ksgate}:revision'), $revision, 'all without a revision';
my $strays = strays($gw[0]);
is $gw[0]->admin(PUT => path_of('e7'), extension(e7 => $up->url))->{status}, 201, 'what is written then';
eventually { routes($_, 'e7') } 'it' for @gw;
is strays($gw[0]), $strays, '... is nothing of that kind';
$redis->command('HDEL', '{ksgate}:objects', 'no/Thing//at-all');
eventually { metric($_, 'quarantined') == 0 && registry($_)->{state} eq 'fresh' } 'it to be gone' for @gw;

# ---- All of them: that is a loss, and nobody's decision --------------------------------------------------------

my @all = (map { "e$_" } 2 .. 7);
# What is lost is kept until nobody has written for 5 s: somebody goes on for as long as it is looked at.
sub someone_writes { return script_call($redis, 'put', field('e9'), extension(e9 => $up->url), 'any', 0, 0) }
for my $round (qw(alone written deleted)) {
    if ($round eq 'alone') {
        $redis->command('DEL', '{ksgate}:objects');
    } elsif ($round eq 'deleted') { # and what somebody deletes who knows it from before
        $redis->command('EVAL', "redis.call('DEL', '{ksgate}:objects') $script", 1, '{ksgate}:', 'delete', field('e8'), 'absent', 0);
    } else { # and a write, before anybody can look
        $redis->command('EVAL', "redis.call('DEL', '{ksgate}:objects') $script", 1, '{ksgate}:', 'put', field('e8'),
            JSON::PP->new->canonical->encode(extension(e8 => $up->url)) =~ s/^\{(.*),("metadata":\{"name":"e8"\})/{$2,$1/r, 'any', 0, 0);
    }
    for my $gw (@gw) {
        someone_writes() if $round ne 'alone';
        eventually { (registry($gw)->{reason} // '') =~ /the registry was wiped or replaced: \d objects that it does not have are kept/ } 'the loss to be noticed';
        pass "$round: what was there is kept, as after a FLUSHALL";
        someone_writes() if $round ne 'alone';
        is_deeply [grep { !routes($gw, $_) } @all], [], '... and routed by';
    }
    if ($round eq 'deleted') {
        eventually { !routes($_, 'e8') } 'it to go' for @gw;
        pass '... but for what was deleted';
    }
    if ($round eq 'alone') {
        $gw[0]->stop;
        $gw[0] = gateway(redis => $redis, workers => 1, config => {registry => {snapshot => $snapshots[0]}});
        eventually { registry($gw[0])->{state} eq 'stale' && registry($gw[0])->{reason} =~ /kept/ } 'it to be listed';
        is_deeply [grep { !routes($gw[0], $_) } @all], [], '... also by a gateway that is started anew';
    }
    $gw[0]->apply([map { extension($_ => $up->url) } @all]);
    eventually { registry($_)->{state} eq 'fresh' } 'it to be settled' for @gw;
    is_deeply [grep { my $gw = $_; grep { !routes($gw, $_) } @all } @gw], [], '... and what is written again is in use';
}
done_testing;
