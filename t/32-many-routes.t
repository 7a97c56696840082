# A change costs what it changes, however much is registered beside it: no index is made anew for it, and who uses the other routes does
# not notice (kong #4974, #3696, #4055, #4488; apisix PR #13069; Traefik's lists of everything).
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Registry;

use constant {FEW => 50, MANY => 5000, CHANGES => 200};

my $json = JSON::PP->new->canonical;
my $api = '/-/apis/ksgate.io/v1';
my $up = upstream { [200, {}, 'up'] };
my $other = upstream { [200, {}, 'other'] };
my $redis = redis();
my $gw = gateway(redis => $redis, workers => 2);
my $far = gateway(redis => $redis, workers => 2); # hears of all that by Redis

# More extensions, each with a backend that registered itself, all as one program would write them.
my $there = 0;
sub fill {
    my ($n) = @_;
    while ($there < $n) {
        my @names = map { "e$_" } $there + 1 .. $there + ($n - $there > 500 ? 500 : $n - $there);
        script_call($redis, 'put_all', [map {
            my $name = $_;
            ["ksgate.io/ExtensionService//$name", Gateway::Registry::as_put(extension($name, $up->url)), 'any', '0', '0'],
            ["ksgate.io/Endpoint//$name.pod", Gateway::Registry::as_put({apiVersion => 'ksgate.io/v1', kind => 'Endpoint',
                metadata => {name => "$name.pod"}, spec => {extension => $name, url => $up->url . '/', leaseSeconds => 3600}}), 'any', '0', '3600000']
        } @names]);
        $there += @names;
    }
    eventually { $_->request(GET => "/extensions/e$n/x")->{status} == 200 } 'the last one' for $gw, $far;
    return;
}

# What the gateway has had of a processor, in ms.
sub used {
    my ($of) = @_;
    my $ns = 0;
    for my $task (glob '/proc/' . $of->server_pid . '/task/*') {
        $ns += (split ' ', slurp("$task/schedstat"))[0];
    }
    return $ns / 1e6;
}

sub change {
    my ($admin, $method, $path, $body) = @_;
    my $r = $admin->request($method => "$path?wait=fleet", $body ? ('Content-Type' => 'application/json', body => $json->encode($body)) : ());
    return $r->{status} =~ /^20[01]$/ || die "$method $path: $r->{status} $r->{body}\n";
}

# One extension comes, moves, gets a backend that registers itself, and goes; again and again.
sub changes {
    my $admin = Gateway::Client->new(to => $gw->admin_socket);
    my @was = map { used($_) } $gw, $far;
    for my $n (1 .. CHANGES / 5) {
        change($admin, PUT => path_of('passing'), extension('passing', $up->url));
        change($admin, PUT => path_of('passing'), extension('passing', $other->url));
        change($admin, PUT => path_of('passing') . '/endpoints/pod', {url => $up->url, leaseSeconds => 600});
        change($admin, DELETE => path_of('passing') . '/endpoints/pod');
        change($admin, DELETE => path_of('passing'));
    }
    return map { (used($_) - shift @was) / CHANGES } $gw, $far;
}
# The median of several, each at the gateway that is written to and at the one that hears of it.
sub cost {
    my ($n) = @_;
    fill($n);
    my @rounds = map { [changes()] } 1 .. 5;
    my @cost = map { my $at = $_; (sort { $a <=> $b } map { $_->[$at] } @rounds)[2] } 0, 1;
    diag sprintf 'a change beside %d extensions takes %.3f ms of a processor, and %.3f ms of one at another gateway', $n, @cost;
    return @cost;
}

my @few = cost(FEW);
my @many = cost(MANY);
# A hundred times as much is registered: whoever lists, sorts or compiles all of it for a change needs many times as long.
cmp_ok $many[0], '<', 4 * $few[0], 'a change costs the same beside many routes, where it is written';
cmp_ok $many[1], '<', 4 * $few[1], '... and where it is heard of';

my @load = map { my $step = $_->[1]; Gateway::Load->new($_->[0], paths => [map { "/extensions/e$_/x" } map { 1 + $_ * $step % MANY } 1 .. 500]) } [$gw, 13], [$far, 17];
changes() for 1 .. 4;
$_->wait_for(20) for @load;
for my $of (@load) {
    my $seen = $of->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests to the others failed beside " . 4 * CHANGES . ' changes' or diag explain $seen->{words};
}
is scalar(() = $_->stderr =~ /listed again/g), 1, 'nobody has listed the registry for it, but when it began' for $gw, $far;
is_deeply [grep { $gw->request(GET => "/extensions/e$_/x")->{status} != 200 } map { 1 + $_ * 50 } 0 .. 99], [], 'all that was there is there';

done_testing;
