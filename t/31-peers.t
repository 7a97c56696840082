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

subtest 'a registry that is empty when it is listed anew is empty, and not unknown' => sub {
    my $redis = redis();
    my $proxy = Gateway::RedisProxy->new($redis);
    my $near = gateway(redis => $redis);
    my $far = gateway(config => via($proxy, '500ms'));
    $near->apply([extension(only => $up->url)]);
    eventually { status($far, 'only') == 200 } 'there is one';
    $proxy->on('.', 'swallow', times => 0);
    eventually { registry_of($far)->{state} eq 'stale' } 'the cut to be noticed';
    is $near->admin(DELETE => path_of('only'))->{status}, 200, 'the last one is deleted';
    $redis->command('DEL', '{ksgate}:changes'); # nothing tells of it but that it is not there
    is status($far, 'only'), 200, 'who does not know goes on with it';
    $proxy->forget;
    eventually { registry_of($far)->{state} eq 'empty' } 'the empty list', 20;
    eventually { status($far, 'only') == 404 } 'the workers to know';
    is ready($far)->{status}, 200, '... and the gateway is ready';
    eventually { on_disk($far) !~ /"only"/ } 'the state on disk';
    is registry_metric($far, 'state{state="empty"}'), 1, '... which the metric tells from "starting"';
};

for my $driver (qw(sqlite files)) {
    subtest "the last one of $driver, too" => sub {
        my $folder = tempdir();
        my $file = "$folder/objects.json";
        my $write = sub { spew("$file.new", $_[0]); return rename "$file.new", $file };
        $write->($json->encode(extension(only => $up->url)));
        my $gw = $driver eq 'files' ? gateway(config => {registry => {files => [$folder]}}) : gateway(objects => [extension(only => $up->url)]);
        is status($gw, 'only'), 200, 'there is one';
        if ($driver eq 'files') {
            $write->('{"apiVersion": "ksgate.io/v1", "kind": "Extension');
            eventually { $gw->stderr =~ /(?:warn|error) .*\Q$file\E/ } 'a file that is broken to be read';
            is status($gw, 'only'), 200, 'a file that is broken takes nothing away';
            $write->('');
        } else {
            is $gw->admin(DELETE => path_of('only'))->{status}, 200, 'it is deleted';
        }
        eventually { status($gw, 'only') == 404 } 'the last one to go';
        eventually { registry_of($gw)->{state} eq 'empty' } 'readyz to say empty';
        $gw->stop;
        $gw->start;
        is status($gw, 'only'), 404, 'it is gone, also after a restart';
        eventually { registry_of($gw)->{state} eq 'empty' } 'it to be known to be empty';
    };
}

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
    my ($as_of, $heard) = (ready($far)->{json}{registry}{asOf}, registry_metric($far, 'heard_seconds'));
    is $near->ksgate_here('delete', 'globalrolebinding', 'bob-shops')->{code}, 0, 'the only binding is deleted';
    is status($far, 'shop', @bob), 200, '... which it can not know';
    ok $as_of, '... but it says as of when it knows anything';
    is_deeply [ready($far)->{json}{registry}{asOf}, registry_metric($far, 'heard_seconds')], [$as_of, $heard], '... which goes no further while it hears nothing';
    $proxy->forget;
    eventually { status($far, 'shop', @bob) == 403 } 'bob not to be allowed any more', 20;
    pass 'when it is back, he may not';
    eventually { is_fresh($far) && registry_metric($far, 'heard_seconds') > $heard } 'it to hear again';
    ok !exists ready($far)->{json}{registry}{asOf}, '... and nothing is as of then any more';
};

# ---- APISIX #11144: after etcd was wiped, the old addresses stay in use, whatever is written --------------------------

subtest 'what is written to a registry that was wiped is what is used, at once and for good' => sub {
    my $redis = redis();
    my ($old, $new) = map { my $name = $_; upstream { [200, {}, $name] } } qw(old new);
    my @gw = map { gateway(redis => $redis) } 1, 2;
    my $pod = sub { my ($id, $url) = @_; return $gw[0]->admin(PUT => path_of('shop') . "/endpoints/$id?wait=fleet", {url => $url, leaseSeconds => 60})->{status} };
    my $who = sub { my ($extension) = @_; return [map { my $gw = $_; map { $gw->request(GET => "/extensions/$extension/x")->{body} } 1 .. 8 } @gw] };
    $gw[0]->apply([extension(shop => undef), extension(static => $old->url), extension(never => $old->url)]);
    is $pod->(pod => $old->url), 201, 'a backend';
    is_deeply [map { @{$who->($_)} } qw(shop static)], [('old') x 32], '... and one in a spec are asked';
    $redis->command('FLUSHALL');
    eventually { registry_of($_)->{state} eq 'stale' } 'it to be noticed' for @gw;
    like registry_of($_)->{reason}, qr/wiped or replaced: 4 objects that it does not have are kept/, '... readyz says how many have nobody' for @gw;
    like $_->stderr, qr/warn .*the registry was wiped.*(?:never|static|shop)/, '... and the log which' for @gw;
    like $gw[1]->admin(PUT => path_of($_->[0], 'wait=fleet'), extension(@$_))->{status}, qr{^20[01]$}, "$_->[0] is written anew" for [shop => undef], [static => $new->url];
    like $pod->(pod => $new->url), qr{^20[01]$}, 'and the backend registers, from elsewhere';
    is status($gw[0], 'never'), 200, 'what nobody wrote again is kept'; # for five seconds
    my $before = $old->seen;
    is_deeply [map { @{$who->($_)} } qw(shop static)], [('new') x 32], 'from then on they are asked where they are now, by all gateways';
    is $old->seen, $before, '... and never again where they were';
    eventually { status($gw[0], 'never') == 404 && status($gw[1], 'never') == 404 } 'that to go', 30;
    like $_->stderr, qr/warn .*ExtensionService never/, '... which the log says' for @gw;
    is_deeply [map { @{$who->($_)} } qw(shop static)], [('new') x 32], 'the others stay where they are';
    for my $gw (@gw) { # apisix #2310, #8134, #9847: 404 after a restart, until somebody saves them again
        $gw->stop;
        $gw->start;
    }
    is_deeply [map { @{$who->($_)} } qw(shop static)], [('new') x 32], '... after a restart as well';
    is_deeply [map { status($_, 'never') } @gw], [404, 404], '... and what has gone stays away';
};

# Traefik's KV provider: an empty root is an empty configuration, be it that of a replica which never had anything.
subtest 'another Redis in the place of the one before, that has nothing, takes nothing away' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis, objects => [extension(a => $up->url), extension(b => $up->url)]);
    eventually { on_disk($gw) =~ /"a".*"b"/s } 'the state on disk';
    my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x', '/extensions/b/x']);
    $redis->kill;
    system('rm', '-rf', $redis->{dir} . '/appendonlydir') == 0 or die 'rm';
    $redis->start;
    is $redis->command(HLEN => '{ksgate}:objects'), 0, 'it has nothing'; # but what the gateway makes at once, its epoch
    eventually { (registry_of($gw)->{reason} // '') =~ /wiped or replaced: 2 objects that it does not have are kept/ } 'it to be noticed';
    my $new = gateway(redis => $redis, start => 0);
    spew($new->dir . '/snapshot', on_disk($gw));
    $new->start;
    is_deeply [map { status($new, $_) } qw(a b)], [200, 200], 'nor from a gateway that starts by its state on disk';
    $load->wait_for(20);
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
};

# ---- haproxy #1136, #2497: servers that were added while it ran got no traffic -----------------------------------------

subtest 'registering is one call, and when it is answered the backend gets its share, from every worker of every gateway' => sub {
    my $redis = redis();
    my ($one, $two) = map { my $name = $_; upstream { [200, {}, $name] } } qw(one two);
    my @gw = map { gateway(redis => $redis) } 1, 2;
    my @of = (loadBalancer => {policy => 'round_robin'}, healthCheck => {interval => '1h', path => '/'});
    $gw[0]->admin(PUT => path_of('shop', 'wait=fleet'), extension(shop => undef, @of, endpoints => [{url => $one->url}]));
    my $share = sub { my ($gw) = @_; my %n; $n{$gw->request(GET => '/extensions/shop/x')->{body}}++ for 1 .. 20; return join ' ', sort keys %n };
    is $share->($_), 'one', 'there is one' for @gw;
    my $r = $gw[1]->admin(PUT => path_of('shop') . '/endpoints/pod?wait=fleet', {url => $two->url, leaseSeconds => 600});
    is $r->{status}, 201, 'one call';
    is $share->($_), 'one two', '... after which it is asked, without anybody switching it on' for @gw;
    eventually { registry_of($_)->{live}{revision} >= $r->{json}{resourceVersion} } 'readyz to say so' for @gw;
    pass '... and every gateway says that it routes by that revision';
    is $gw[0]->admin(DELETE => path_of('shop') . '/endpoints/pod?wait=fleet')->{status}, 200, 'one more';
    is $share->($_), 'one', '... after which it is not' for @gw;
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
    my ($saved) = $third->stderr =~ /info .*registry: 1200 objects from \S+, saved (\S+)$/m;
    ok $saved, '... of which the log says how old it is';
    is registry_of($third)->{state}, 'stale', '... it is stale';
    is ready($third)->{json}{registry}{asOf}, $saved, '... and readyz says since when nothing is known';
    eventually { registry_of($third)->{reason} =~ /Connection refused/ } '... and why, for operators';
    is registry_of($third)->{asOf}, $saved, '... which is not forgotten over the reason';
    my ($hour, $minute, $second) = $saved =~ /T(\d+):(\d+):([\d.]+)Z/;
    my $heard = registry_metric($third, 'heard_seconds');
    cmp_ok abs($heard - 86_400 * int($heard / 86_400) - 3600 * $hour - 60 * $minute - $second), '<', 0.01, '... as the metric does';
    my $load = Gateway::Load->new($third, paths => ['/extensions/e1/x']);
    $redis->start;
    eventually { is_fresh($third) } 'it to follow';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed when the registry came" or diag explain $seen->{words};
};

# Whichever worker is asked.  One of them is late: strace holds it back when it is told.
subtest 'a new gateway is ready when each of its workers has all' => sub {
    my $may = Gateway::Process::run({}, 'strace', '-e', 'inject=write:delay_enter=1000', 'echo', 'x');
    plan skip_all => "strace may not trace here: $may->{err}" if $may->{code} != 0;
    my $redis = redis();
    my $proxy = Gateway::RedisProxy->new($redis);
    script_call($redis, 'put', 'ksgate.io/ExtensionService//a', extension(a => $up->url), 'any', 0, 0);
    $proxy->on('^HSCAN', 'hold');
    my $new = gateway(start => 0, workers => 2, config => via($proxy, '30s'))->begin;
    $proxy->wait_for('^HSCAN');
    my $asked = sub { return eval { $new->admin(GET => '/-/readyz') } // {status => 0} }; # the first worker answers there
    eventually { $asked->()->{status} == 503 } 'it to listen';
    my $put = $new->admin(PUT => path_of('a'), {%{extension(a => $up->url)}, metadata => {uid => 'another'}});
    is_deeply [$put->{status}, $put->{json}{reason}], [503, 'ServiceUnavailable'], 'meanwhile a write for one object alone is put off: it is not known which that is' or diag $put->{body};
    my ($late) = map { m{(\d+)/comm\z} } grep { slurp($_) eq "worker-1\n" } glob '/proc/' . $new->server_pid . '/task/*/comm';
    my $strace = Gateway::Process->new(name => 'strace', log => $new->dir . '/strace', expected_end => 1,
        command => ['strace', '-o', '/dev/null', '-p', $late, '-e', 'inject=epoll_wait,epoll_pwait,epoll_pwait2:delay_exit=500000']);
    $strace->wait_until('attaches', sub { $strace->log =~ /attached/ });
    $proxy->release;
    my $r = eventually { my $now = $asked->(); $now->{status} == 200 && $now } 'it to be ready';
    is $r->{json}{registry}{live}{revision}, 1, 'ready is when all of them route by what is registered';
    $strace->stop;
    is_deeply [map { status($new, 'a') } 1 .. 16], [(200) x 16], '... so that none says that it does not know';
};

# Nor is it asked before: a start is not a failed readiness check.
subtest 'the first that a gateway says is that it is ready' => sub {
    my %first;
    for (1 .. 20) {
        my $new = gateway(start => 0, workers => 2)->begin;
        my $r = eventually { eval { $new->request(GET => '/-/readyz') } } 'an answer';
        my ($ms) = eventually { $new->stderr =~ /is ready after (\d+) ms/ } 'the word of its start';
        $first{$r->{status}}++ if $new->stderr =~ /is ready after \d{1,3} ms/; # after a second it listens all the same
        $new->stop;
    }
    is_deeply [keys %first], [200], 'whoever asks first is told so';
};

# gateway-api-bench: ready while what it has is old.
subtest 'a gateway that starts again has what has changed meanwhile before it answers anything' => sub {
    my $redis = redis();
    my ($near, $far) = map { gateway(redis => $redis, workers => 1) } 1, 2;
    my (@wrong, $late);
    for my $n (1 .. 10) {
        $near->apply([extension("old$n" => $up->url)]);
        eventually { status($far, "old$n") == 200 } 'the change';
        $far->stop;
        $near->admin(DELETE => path_of("old$n"));
        $near->apply([extension("new$n" => $up->url)]);
        my $said = length $far->stderr;
        $far->begin;
        my @first;
        eventually { eval { @first = map { status($far, "$_$n") } qw(old new) } } 'an answer';
        $late++, next if substr($far->stderr, $said) =~ /the registry takes its time/; # it may: nobody waits for ever
        push @wrong, "@first" if "@first" ne '404 200';
    }
    is_deeply \@wrong, [], 'its first answers are right';
    cmp_ok $late // 0, '<', 10, '... when the registry answers in time';

    $near->apply([extension(kept => $up->url)]);
    eventually { status($far, 'kept') == 200 } 'one more';
    eventually { on_disk($far) =~ /"kept"/ } 'the state on disk';
    $far->stop;
    $redis->freeze;
    my $said = length $far->stderr;
    $far->begin;
    my $first;
    eventually { $first = eval { status($far, 'kept') } } 'an answer';
    is $first, 200, 'a registry that hangs is not waited for for ever';
    like substr($far->stderr, $said), qr/warn .*serving by the last state, since the registry takes its time: the state of \d{4}-\S+ from disk/, '... which the log says';
    $redis->thaw;
    eventually { is_fresh($far) } 'it to be fresh';
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
    my $load = Gateway::Load->new($gw, paths => ['/extensions/good/x']);
    status($gw, $_) for (qw(dead unknown)) x 20;
    is status($gw, 'half'), 404, 'what is no object is not there';
    eventually { registry_metric($gw, 'quarantined') == 1 } 'the metric to count it';
    like $gw->stderr, qr/warn .*field "ksgate.io\/ExtensionService\/\/half" of \S+ is no object and is skipped: /, '... and the log names it';
    my $list = $gw->admin(GET => '/-/apis/ksgate.io/v1/extensions');
    is $list->{status}, 200, 'the list of extensions is answered for all of them';
    my %of = map { $_->{name} => "$_->{state} $_->{reason} $_->{message}" } @{$list->{json}{items}};
    is_deeply [sort keys %of], [qw(dead good unknown)], '... those that fail, too';
    like $of{dead}, qr/^Unavailable EndpointsDown .*Connection refused/, '... which it says of them, and why';
    like $of{unknown}, qr/^Unavailable EndpointsDown .*no address/, '... and of one without an address';
    like $of{good}, qr/^Available/, '... of them alone';
    is $gw->admin(GET => $_)->{status}, 200, "$_ does not depend on them" for '/-/apis', '/-/apis/ksgate.io/v1', '/-/openapi/v3', path_of();
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests to the good one failed beside them" or diag explain $seen->{words};
};

done_testing;
