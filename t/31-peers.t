# What other gateways have got wrong with their registries, as their users have told: the last object that is deleted stays, a gateway is ready
# with a part of what there is, a new one begins with nothing while the registry is away, one bad entry stops all.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::RedisProxy;
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $json = JSON::PP->new->canonical;

sub status { my ($gw, $name, @as) = @_; return $gw->request(GET => "/extensions/$name/x", @as)->{status} }
sub ready { my ($gw) = @_; return eval { $gw->request(GET => '/-/readyz') } // {status => 0} }
sub on_disk { my ($gw) = @_; return eval { slurp($gw->dir . '/snapshot') } // '' }
sub via { my ($proxy, $timeout) = @_; return {registry => {driver => 'redis', sqlite => undef, redis => {url => $proxy->url, timeout => $timeout}}} }

# ---- Traefik #8092, #10010, #11864: an empty list is taken for none at all -------------------------------------

subtest 'the last object that is deleted is gone, also for a gateway that starts without the registry' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis, objects => [extension(only => $up->url)]);
    my $second = gateway(redis => $redis);
    is status($second, 'only'), 200, 'there is one';
    script_call($redis, 'delete', 'ksgate.io/ExtensionService//only', 'any', 0);
    eventually { status($_, 'only') == 404 } 'the last one to go' for $gw, $second;
    eventually { registry_of($gw)->{state} eq 'empty' } 'readyz to say empty';
    is ready($gw)->{status}, 200, 'empty on purpose is ready';
    eventually { on_disk($second) =~ /epoch/ && on_disk($second) !~ /"only"/ } 'the state on disk';
    $second->stop;
    $redis->stop;
    $second->start;
    is status($second, 'only'), 404, 'a gateway that starts from disk does not bring it back';
    is ready($second)->{status}, 200, '... and is ready: it knows that there is nothing';
    is registry_of($second)->{state}, 'stale', '... as of then';
};

# ---- Tyk #3050: the last policy that is deleted survives ---------------------------------------------------------

subtest 'a right that was taken away while a gateway was cut off is gone when it is back' => sub {
    my $redis = redis();
    my $proxy = Gateway::RedisProxy->new($redis);
    my $near = gateway(redis => $redis);
    $near->apply([
        extension(shop => $up->url, access => 'authorized'),
        role('GlobalRole', 'shopper', [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['shop'], verbs => ['use']}]),
        binding('GlobalRole', 'bob-shops', 'shopper', 'bob'),
    ]);
    my $far = gateway(config => via($proxy, '500ms'));
    my @bob = $far->as('bob');
    eventually { status($far, 'shop', @bob) == 200 } 'bob may';
    $proxy->on('.', 'swallow', times => 0);
    eventually { registry_of($far)->{state} eq 'stale' } 'the cut to be noticed';
    is status($far, 'shop', @bob), 200, 'who is cut off goes on by what was known';
    is $near->ksgate_here('delete', 'globalrolebinding', 'bob-shops')->{code}, 0, 'the only binding is deleted';
    is status($far, 'shop', @bob), 200, '... which it can not know';
    $proxy->forget;
    eventually { status($far, 'shop', @bob) == 403 } 'bob not to be allowed any more', 20;
    pass 'when it is back, he may not';
};

# ---- Kong #6935, and Traefik in gateway-api-bench: ready too early, or empty -----------------------------------------

subtest 'a new gateway is ready when it has all, and not before' => sub {
    my $redis = redis();
    my $proxy = Gateway::RedisProxy->new($redis);
    my $gw = gateway(redis => $redis);
    script_call($redis, 'put_all', [map { my $name = "e$_"; ["ksgate.io/ExtensionService//$name", Gateway::Registry::as_put(extension($name => $up->url)), 'any', '0', '0'] } 1 .. 1200]);
    my $page = '^HSCAN \S+ (?!0 )';
    $proxy->on($page, 'hold');
    my $new = gateway(start => 0, config => via($proxy, '10s'))->begin;
    $proxy->wait_for($page);
    is ready($new)->{status}, 503, 'with a half of the list it is not';
    is ready($new)->{json}{registry}{state}, 'starting', '... and says so';
    is status($new, "e$_"), 503, "... nor are there half of the routes" for 1, 600, 1200;
    $proxy->release;
    eventually { ready($new)->{status} == 200 } 'it to be ready';
    is_deeply [grep { status($new, "e$_") != 200 } 1 .. 1200], [], 'when it is, it has every route';

    # One more, while the registry is away: another one's state on disk is enough.
    eventually { (() = on_disk($new) =~ /"kind":"ExtensionService"/g) == 1200 } 'the state on disk';
    $redis->stop;
    my $third = gateway(start => 0, redis => $redis);
    spew($third->dir . '/snapshot', slurp($new->dir . '/snapshot'));
    $third->start;
    is_deeply [grep { status($third, "e$_") != 200 } 1, 600, 1200], [], "a gateway that is given another one's state begins with all of it";
    like registry_of($third)->{reason}, qr/the state of \d{4}-\S+ from disk|Connection refused/, '... says what that is';
    is registry_of($third)->{state}, 'stale', '... and that it is stale';
    my $load = Gateway::Load->new($third, paths => ['/extensions/e1/x']);
    $redis->start;
    eventually { is_fresh($third) } 'it to follow';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed when the registry came" or diag explain $seen->{words};
};

# ---- nginx, NPMplus #3485; Kubernetes #119662: one that is bad stops all -----------------------------------------------

subtest 'what is bad is bad for itself alone, from the start on' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis);
    my $port = free_port();
    $gw->apply([
        extension(good => $up->url),
        extension(unknown => 'http://nobody.invalid:80'),
        extension(dead => "http://127.0.0.1:$port"),
    ]);
    $redis->command(HSET => '{ksgate}:objects', 'ksgate.io/ExtensionService//half', '{"metadata":{"name":');
    $gw->stop;
    $gw->start;
    is ready($gw)->{status}, 200, 'it starts, and is ready';
    is status($gw, 'good'), 200, 'the good one is served';
    for my $case (['dead', qr/refused/], ['unknown', qr/name|address/]) {
        my ($name, $words) = @$case;
        my $r = $gw->request(GET => "/extensions/$name/x");
        is $r->{status}, 502, "$name is not";
        like $r->{json}{message}, $words, '... and why is said';
    }
    is status($gw, 'half'), 404, 'what is no object is not there';
    eventually { registry_metric($gw, 'quarantined') == 1 } 'the metric to count it';
    like $gw->stderr, qr/warn .*field "ksgate.io\/ExtensionService\/\/half" of \S+ is no object and is skipped: /, '... and the log names it';
    my $list = $gw->admin(GET => '/-/apis/ksgate.io/v1/extensions');
    is $list->{status}, 200, 'the list of extensions is answered for all of them';
    is_deeply [sort map { $_->{name} } @{$list->{json}{items}}], [qw(dead good unknown)], '... those that fail, too';
};

done_testing;
