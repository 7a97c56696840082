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
    for (split /\n/, $redis->command('CLIENT', 'LIST')) {
        $redis->command('CLIENT', 'KILL', 'ID', $1) if /\bid=(\d+).*\bcmd=xread\b.*\buser=\Q$user\E\b/;
    }
    eventually { state_is($gw, 'stale') } 'the line to be lost';
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
done_testing;
