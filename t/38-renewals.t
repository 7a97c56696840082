# Renewals of leases, which go to the registry with those of others: what they may not lose.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $redis = redis();
my ($a, $b) = map { gateway(redis => $redis) } 1, 2;
my $service = '/-/apis/ksgate.io/v1/extensionservices';
$a->apply([extension('shop', undef), extension('other', undef), (map { role(GlobalRole => $_, [{verbs => ['register'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]), binding(GlobalRole => $_, $_, $_) } qw(ann ben))]);

sub put { my ($gw, $user, $path, %body) = @_; return $gw->request(PUT => "$service/$path", $gw->as($user), 'Content-Type' => 'application/json', body => JSON::PP->new->encode({url => 'http://127.0.0.1:1', leaseSeconds => 60, %body})) }
sub stored { my ($name) = @_; my $r = $redis->command(HGET => '{ksgate}:objects', "ksgate.io/Endpoint//$name"); return $r && JSON::PP::decode_json($r) }
sub score { return $redis->command(ZSCORE => '{ksgate}:leases', "ksgate.io/Endpoint//$_[0]") }
sub known { my ($gw, $name) = @_; return eventually { $gw->admin(GET => "/-/apis/ksgate.io/v1/endpoints/$name")->{status} == 200 } "$name is known" }

subtest 'one that is renewed' => sub {
    is put($a, ann => 'shop/endpoints/p')->{status}, 201, 'is registered';
    my ($before, $revision) = (score('shop.p'), stored('shop.p')->{metadata}{resourceVersion});
    known($b, 'shop.p');
    for my $gw ($a, $b, $a) {
        my $r = put($gw, ann => 'shop/endpoints/p');
        is $r->{status}, 200, 'renewed at any gateway';
        is $r->{json}{resourceVersion}, $revision, '... without a new revision';
        is $r->{json}{lease}{seconds}, 60, '... for as long';
        like $r->{json}{lease}{expires}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, '... until then';
        cmp_ok score('shop.p'), '>=', $before, '... and has its lease';
        $before = score('shop.p');
    }
    is $redis->command(GET => '{ksgate}:revision'), $revision, 'nothing else was written';
};

subtest 'many at once' => sub {
    my @ids = map { "m$_" } 1 .. 120;
    my @clients = map { Gateway::Client->new(to => '127.0.0.1:' . $a->port) } @ids;
    for my $status (201, 200, 200) {
        for my $i (0 .. $#ids) {
            $clients[$i]->send_request(PUT => "$service/shop/endpoints/$ids[$i]", $a->as('ann'), 'Content-Type' => 'application/json', body => '{"url":"http://127.0.0.1:2","leaseSeconds":60}');
        }
        my @wrong = grep { $_->{status} != $status } map { $_->response } @clients;
        is scalar @wrong, 0, "all are answered $status";
    }
    $clients[$_]->send_request(PUT => "$service/shop/endpoints/$ids[$_]", $a->as('ann'), 'Content-Type' => 'application/json', body => '{"url":"http://127.0.0.1:2","leaseSeconds":60}') for 0 .. $#ids;
    $clients[$_]->close for grep { $_ % 2 } 0 .. $#ids;
    my @wrong = grep { $_->{status} != 200 } map { $clients[$_]->response } grep { !($_ % 2) } 0 .. $#ids;
    is scalar @wrong, 0, 'who stays is answered when others have left';
};

subtest 'what is written last is what stands there' => sub {
    my @wrong;
    for my $round (1 .. 60) {
        my ($gw, $weight) = $round % 2 ? ($a, 1) : ($b, 2);
        my $r = put($gw, ann => 'shop/endpoints/race', weight => $weight);
        my $now = stored('shop.race')->{spec}{weight};
        push @wrong, "round $round: $r->{status}, weight $now" if $r->{status} > 201 || $now != $weight;
    }
    is_deeply \@wrong, [], 'a gateway that still knows the one of before takes nothing for a renewal of it';
};

# The plainest JSON is read by a reader of its own; a line end behind it makes it the other one's.
subtest 'what is read quickly is answered as what is read slowly' => sub {
    my $seed = $ENV{KSGATE_SEED} // time;
    srand $seed;
    my $one_of = sub { $_[rand @_] };
    my $member = sub {
        return $one_of->(
            '"weight":' . $one_of->(0, 1, 1000, 1001, -1, '1.5', '"1"', 'null', '01'),
            '"leaseSeconds":' . $one_of->(60, 61, 1, 99999999999999999999, '[60]', 'true'),
            '"version":' . $one_of->('"v1"', '""', '7', '"\\u0076"', '"\xc3\xa4"', '"\xff"'),
            '"draining":' . $one_of->('true', 'false', '"false"', '{}'),
            '"url":' . $one_of->('"http://127.0.0.1:3"', '"ftp://x"', '""'), '"uRl":1', '', '"a"'
        );
    };
    my (@wrong, %met);
    for my $n (1 .. 120) {
        my @members = ('"url":"http://127.0.0.1:1"', rand() < 0.8 ? '"leaseSeconds":60' : (), map { rand() < 0.3 ? $member->() : () } 1 .. 3);
        my $body = '{' . join(',', @members) . (rand() < 0.05 ? '' : '}');
        my @r = map { my $r = $a->request(PUT => "$service/shop/endpoints/quick", $a->as('ann'), 'Content-Type' => 'application/json', body => $_); delete $r->{json}{lease}{expires}; $r } $body, "$body\n", $body;
        my ($quick, $slow, $again) = map { JSON::PP->new->canonical->encode($_->{json}) =~ s/line \d+, column \d+//r } @r;
        $met{$r[1]{status}}++;
        push @wrong, "$body: $again, $slow" if $again ne $slow || $r[2]{status} != $r[1]{status};
        push @wrong, "$body: $quick, $slow" if $quick ne $slow;
    }
    is_deeply \@wrong, [], "seed $seed";
    ok $met{200} && $met{422} && $met{400}, 'good ones, bad ones and what is no JSON';
};

# One that is by itself is sent at once; those that follow are gathered.
subtest 'who comes alone does not wait for others' => sub {
    my (@alone, @next);
    my $client = Gateway::Client->new(to => '127.0.0.1:' . $a->port); # one, and so of one worker
    my $renew = sub {
        $client->send_request(PUT => "$service/shop/endpoints/alone", $a->as('ann'), 'Content-Type' => 'application/json', body => '{"url":"http://127.0.0.1:1","leaseSeconds":60}');
        return $client->response->{status};
    };
    is $renew->(), 201, 'registered';
    for (1 .. 7) {
        my $ticked = $redis->command(GET => '{ksgate}:ticked');
        eventually { $redis->command(GET => '{ksgate}:ticked') ne $ticked } 'nobody renews until leases are looked at again';
        push @alone, milliseconds { $renew->() };
        push @next, milliseconds { $renew->() };
    }
    cmp_ok figures(@alone)->{median}, '<', figures(@next)->{median}, figures(@alone)->{words} . '; the next: ' . figures(@next)->{words};
};

subtest 'what is none' => sub {
    is put($a, ann => 'shop/endpoints/q')->{status}, 201, 'of ann';
    known($b, 'shop.q');
    is put($b, ben => 'shop/endpoints/q')->{status}, 403, 'ben does not renew it';
    is put($a, ann => 'other/endpoints/q')->{status}, 201, 'of another extension it is another one';
    $redis->command(SET => '{ksgate}:ticked', int(1000 * time) . ' 0 0'); # Redis was never away: else a lease begins anew
    $redis->command(ZADD => '{ksgate}:leases', 1, 'ksgate.io/Endpoint//shop.q'); # long ago
    eventually { !stored('shop.q') } 'its lease ends';
    is put($a, ann => 'shop/endpoints/q')->{status}, 201, 'it is registered anew, whatever a gateway has heard of it';
    $a->admin(DELETE => "$service/shop?wait=live");
    is put($a, ann => 'shop/endpoints/q')->{status}, 404, 'of an extension that is gone nothing is renewed';
    $a->apply([extension('shop', undef)]);
};

subtest 'a registry that is away' => sub {
    is put($a, ann => 'shop/endpoints/r')->{status}, 201, 'is there';
    $redis->kill;
    my $r = put($a, ann => 'shop/endpoints/r');
    is $r->{status}, 503, 'a renewal is refused';
    is $r->{json}{reason}, 'ServiceUnavailable', '... as all writes are';
    $redis->start;
    eventually { put($a, ann => 'shop/endpoints/r')->{status} == 200 } 'back, it is renewed';
    pass 'and goes on afterwards';
};

# With the very rights that are documented for the gateway's user of Redis.
subtest 'a user of Redis that may do little' => sub {
    my ($own, $called) = slurp('docs/modules/registry.md') =~ /Redis user needs `([^`]+)` and what the script calls\s+\(`([^`]+)`\)/ or die 'the rights are not documented';
    my $little = redis(config => ["--user ks on >pw ~{ksgate}:* -\@all $own $called"]);
    my $file = spew(tempdir() . '/password', "pw\n");
    chmod 0644, $file;
    chmod 0755, $file =~ s{/[^/]+\z}{}r;
    my $g = gateway(config => {registry => {driver => 'redis', redis => {url => 'redis://ks@127.0.0.1:' . $little->port . '/0', password_file => $file}}}, objects => [extension('shop', undef), role(GlobalRole => 'ann', [{verbs => ['register'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]), binding(GlobalRole => 'ann', 'ann', 'ann')]);
    is put($g, ann => 'shop/endpoints/p')->{status}, 201, 'registers';
    is put($g, ann => 'shop/endpoints/p')->{status}, 200, '... and renews';
    is put($g, ann => 'shop/endpoints/q?wait=fleet')->{status}, 201, '... and is heard by the fleet';
    ok $g->admin(GET => '/-/apis/ksgate.io/v1/endpoints/shop.p')->{json}{status}{expires}, '... and is told when its lease ends';
    is $g->request(DELETE => "$service/shop/endpoints/p", $g->as('ann'))->{status}, 200, '... and leaves';
    ok eventually { $g->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'fresh' }, 'nothing is wrong';
};

subtest 'a gateway that stops' => sub {
    my @clients = map { Gateway::Client->new(to => '127.0.0.1:' . $b->port) } 1 .. 20;
    known($b, 'shop.r');
    $_->send_request(PUT => "$service/shop/endpoints/r", $b->as('ann'), 'Content-Type' => 'application/json', body => '{"url":"http://127.0.0.1:1","leaseSeconds":60}') for @clients;
    $b->kill('TERM');
    my @wrong = grep { $_->{status} != 200 } map { $_->response } @clients;
    is scalar @wrong, 0, 'answers those that wait';
};

done_testing;
