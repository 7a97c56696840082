# ?wait=live and ?wait=fleet at a gateway that writes to Redis and can't follow it: what is not routed is not said to be.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my $place = "$api/extensionservices/shop/endpoints";
my $body = {url => 'http://127.0.0.1:9', leaseSeconds => 600};

# A gateway with a Redis user of its own, whose rights can be taken.
sub user_of { my ($redis, $user, %more) = @_;
    $redis->command('ACL', 'SETUSER', $user, 'on', 'nopass', '~*', '&*', '+@all');
    my $conf = delete $more{redis} // {};
    return gateway(redis => $redis, workers => 1, config => {%more, registry => {redis => {url => "redis://$user\@127.0.0.1:" . $redis->port . '/0', %$conf}}});
}
sub state_is { my ($gw, $state) = @_; return $gw->admin(GET => '/-/readyz')->{json}{registry}{state} eq $state }

# The connection that follows is lost, and the registry can't be listed again.
sub lose_line { my ($redis, $gw, $user) = @_;
    $redis->command('ACL', 'SETUSER', $user, '-hscan');
    $redis->command('DEL', '{ksgate}:changes'); # so that it has to
    eventually { # again, if it was not waiting just then
        for (split /\n/, $redis->command('CLIENT', 'LIST')) {
            $redis->command('CLIENT', 'KILL', 'ID', $1) if /\bid=(\d+).*\bcmd=xread\b.*\buser=\Q$user\E\b/;
        }
        state_is($gw, 'stale');
    } 'the line to be lost';
}
# One that is asked for what can't be so, and one that has the time for what can.
sub two { my ($redis) = @_;
    return (user_of($redis, 'a', redis => {timeout => '500ms', fleet_wait => '700ms'}), user_of($redis, 'b', redis => {timeout => '500ms', fleet_wait => '1m'}));
}
sub send_put { my ($gw, $path, $body) = @_;
    my $c = Gateway::Client->new(to => $gw->admin_socket);
    $c->send_request(PUT => $path, 'Content-Type' => 'application/json', body => JSON::PP::encode_json($body));
    return $c;
}

# ---- A gateway stops while a write that waits for the fleet has not come back (a use after free, once) ----

{
    my $redis = redis();
    my $gw = user_of($redis, 'a', timeouts => {drain => '300ms'}, redis => {timeout => '20s'});
    $gw->apply([extension(shop => undef)]);
    lose_line($redis, $gw, 'a');
    my $c = send_put($gw, "$place/pod?wait=fleet", $body);
    eventually { grep { /shop\.pod/ } @{$redis->command('HKEYS', '{ksgate}:objects')} } 'the write to be made';
    is $gw->stop, 0, 'a gateway stops well while a write waits to be seen, and then for the fleet';
}

# ---- A line that is lost, and stays so, while what is written gets there -----------------------------------

{
    my $redis = redis();
    my ($gw, $other) = two($redis);
    $gw->apply([extension(shop => undef)]);
    is $other->admin(PUT => "$place/first?wait=fleet", $body)->{status}, 201, 'two gateways are well';
    lose_line($redis, $gw, 'a');
    for my $wait (qw(live fleet)) {
        my $r = $gw->admin(PUT => "$place/$wait?wait=$wait", $body);
        is $r->{status}, 504, "wait=$wait: a gateway that can't follow does not wait for ever";
        like $r->{json}{message}, qr/\Aendpoints\.ksgate\.io "shop\.$wait" was written \(resourceVersion \d+\); not yet, as far as is known: (\S+): this gateway itself, whose registry is stale: .*HSCAN/,
            '... it says that it is itself what has not followed, and why';
        my $cause = $r->{json}{details}{causes}[0];
        is $cause->{reason}, 'GatewayBehind', '... as a cause';
        eventually { $other->admin(GET => "$api/endpoints/shop.$wait")->{status} == 200 } 'it to be at the other one';
        pass '... and what was written stays: the other gateway has it';
    }
    my $c = send_put($gw, "$place/late?wait=live", $body);
    eventually { grep { /shop\.late/ } @{$redis->command('HKEYS', '{ksgate}:objects')} } 'the write to be made';
    $redis->command('ACL', 'SETUSER', 'a', '+hscan');
    eventually { state_is($gw, 'fresh') } 'the line to be back';
    like $c->response->{status}, qr/\A(?:201|504)\z/, 'one that waits meanwhile is answered';
    is $other->admin(PUT => "$place/again?wait=fleet", $body)->{status}, 201, 'and then all is well again';
}

# ---- A registry whose revisions begin anew, before it can be listed: they are lower than what was known -------

{
    my $redis = redis();
    my ($gw, $other) = two($redis);
    $gw->apply([extension(shop => undef)]);
    $gw->admin(PUT => "$place/old-$_", $body) for 1 .. 9;
    is $other->admin(PUT => "$place/old?wait=fleet", $body)->{status}, 201, 'two gateways are at a high revision';
    $redis->command('ACL', 'SETUSER', $_, '-hscan') for qw(a b);
    # in one step: a counter that was set back alone would be set right by the changes
    $redis->command('EVAL', "redis.call('SET', KEYS[1], 2) redis.call('DEL', KEYS[2])", 2, '{ksgate}:revision', '{ksgate}:changes');
    eventually { state_is($gw, 'stale') && state_is($other, 'stale') } 'both to lose the line';
    for my $wait (qw(live fleet)) {
        my $r = $gw->admin(PUT => "$place/back-$wait?wait=$wait", $body);
        my $known = $gw->admin(GET => "$api/endpoints/shop.back-$wait")->{status};
        is_deeply [$r->{status}, $known], [504, 404], "wait=$wait: what nobody routes by is not said to be, although its revision is a low one" or diag $r->{body};
    }
    # One lists it, and the other can't: which has said before that it is at a higher revision.
    $redis->command('ACL', 'SETUSER', 'a', '+hscan');
    eventually { state_is($gw, 'fresh') } 'the one to follow again';
    my $r = $gw->admin(PUT => "$place/half?wait=fleet", $body);
    is $r->{status}, 504, 'what a gateway said of itself before it lost the line does not count' or diag $r->{body};
    like $r->{json}{message}, qr/, and this gateway routes by it; not yet, as far as is known: \S+: it has not taken over this registry yet, heard/, '... which is named';
    $redis->command('ACL', 'SETUSER', 'b', '+hscan');
    eventually { state_is($gw, 'fresh') && state_is($other, 'fresh') } 'both to follow again';
    is $_->admin(GET => "$api/endpoints/shop.back-live")->{status}, 200, '... it is, once it is listed' for $gw, $other;
    is $other->admin(PUT => "$place/new?wait=fleet", $body)->{status}, 201, '... and others are in use everywhere when they are answered';
    is $gw->admin(GET => "$api/endpoints/shop.new")->{status}, 200, '... as they are';
}
done_testing;
