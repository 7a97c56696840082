# A Redis Cluster: all our keys are in one slot, wherever that is, and goes.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::RedisFleet;
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $fleet = Gateway::RedisFleet->cluster(3, 1);
my @nodes = $fleet->addresses;
my $key = '{ksgate}:';

sub settings {
    my (%more) = @_;
    return {registry => {driver => 'redis', sqlite => undef, redis => {timeout => '1s', cluster => \@nodes, %more}}};
}

sub put { return put_extension(@_, $up->url) }

my $owner = $fleet->owner($key);
my ($other) = grep { $_->port != $owner->port && Gateway::RedisFleet::role($_) eq 'master' } $fleet->servers;
my $gw = gateway(config => settings(replicas => 1), objects => [extension(a => $up->url)]);
my $second = gateway(config => settings(cluster => ['127.0.0.1:' . $other->port]));
is $second->request(GET => '/extensions/a/x')->{body}, 'up', 'any node leads to the one that has our keys';
eventually { grep { /ticked/ } @{$owner->command('KEYS', '*')} } 'the first tick';
is_deeply [sort grep { /ksgate/ } @{$owner->command('KEYS', '*')}], [map { "{ksgate}:$_" } qw(changes epoch gateways objects revision ticked waited)], 'all keys are there';
my $plain = gateway(config => settings(cluster => undef, url => $other->url));
is $plain->request(GET => '/extensions/a/x')->{body}, 'up', 'so does a URL alone';

# What is said while no node has our slot, and then that all is well.
sub is_said {
    my ($what, $words) = @_;
    eventually { my $s = registry_of($gw); $s->{state} eq 'stale' && $s->{reason} =~ $words } "readyz to say why ($what)";
    eventually { !registry_metric($gw, 'reachable') } "the metric ($what)";
    like $gw->stderr, qr/warn .*registry: can't be reached: .*$words/, "$what: readyz, the metric and the log say so";
    is $gw->request(GET => '/-/readyz')->{status}, 200, '... it is ready';
    return;
}

sub is_well { eventually { is_fresh($gw) && registry_metric($gw, 'reachable') } 'readyz and the metric to say that all is well', 30; return }

my @acknowledged;
my $n = 0;

sub write_on {
    my ($more) = @_;
    my $until = @acknowledged + $more;
    eventually {
        my $name = 'w' . ++$n;
        push @acknowledged, $name if put($gw, $name)->{status} == 201;
        @acknowledged >= $until;
    } "$more writes", 60;
    return;
}

sub all_is_there {
    my ($what) = @_;
    for my $g ($gw, $second, $plain) {
        eventually { is_fresh($g) && $g->request(GET => "/extensions/$acknowledged[-1]/x")->{status} == 200 } "the last write ($what)", 30;
        is_deeply [grep { $g->request(GET => "/extensions/$_/x")->{status} != 200 } @acknowledged], [], "$what: a gateway has every write that was acknowledged";
    }
    return;
}

my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);

# ---- The slot's master dies --------------------------------------------------------------------------------

write_on(40);
my ($heir) = grep { $_->command('INFO', 'replication') =~ /master_port:@{[$owner->port]}\r/ } $fleet->servers;
$heir->command('CONFIG', 'SET', 'cluster-replica-no-failover', 'yes'); # until it has been seen that there is nobody
$owner->kill;
is_said('the master is dead', qr/Connection refused|CLUSTERDOWN|the connection was closed|Connection reset/);
$heir->command('CONFIG', 'SET', 'cluster-replica-no-failover', 'no');
eventually { my $now = $fleet->owner($key); $now && $now->port != $owner->port } 'the replica to take over', 60;
my $gone = $owner;
$owner = $fleet->owner($key);
like put($gw, 'alone')->{json}{message}, qr/not known|nothing was changed/, 'with no replica left, a write is not acknowledged';
$gone->start; # which becomes its replica
write_on(40);
all_is_there('its master was killed');
is_well();
like $gw->stderr, qr/can't be reached: redis:\/\/127\.0\.0\.1:@{[$gone->port]}: /, 'which one was lost is said';

# ---- A fail-over that somebody asks for -----------------------------------------------------------------------

eventually { eval { $gone->command('CLUSTER', 'FAILOVER') } } 'a fail-over to begin', 30;
eventually { $fleet->owner($key)->port == $gone->port } 'it to be over', 30;
$owner = $gone;
write_on(20);
all_is_there('its master and replica have changed');

# ---- The slot moves to another node ------------------------------------------------------------------------------

{
    my $slot = $owner->command('CLUSTER', 'KEYSLOT', $key);
    my ($from, $to) = map { $fleet->id($_) } $owner, $other;
    my $was = $owner->command('HLEN', "${key}objects");
    $other->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from);
    $owner->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to);
    is_said('while the slot moves, nothing is asked of half a registry', qr/ASK $slot/);
    my $r = put($gw, 'no');
    is $r->{status}, 503, '... a write is refused';
    like $r->{json}{message}, qr/nothing was changed.*ASK/, '... and nothing was changed';
    is scalar(grep { /ksgate/ } @{$other->command('KEYS', '*')}), 0, '... nor at the node that it moves to';
    $owner->command('MIGRATE', '127.0.0.1', $other->port, '', 0, 5000, 'KEYS', grep { /ksgate/ } @{$owner->command('KEYS', '*')});
    $_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $to) for $other, $owner, grep { Gateway::RedisFleet::role($_) eq 'master' && $_->port != $owner->port && $_->port != $other->port } $fleet->servers;
    write_on(20);
    all_is_there('the slot has moved');
    is_well();
    my $is = $other->command('HLEN', "${key}objects"); # one that was not acknowledged may be there all the same
    cmp_ok $is, '>=', $was + 20, 'nothing was lost';
    is registry_of($gw)->{objects}, $is, '... and nothing taken for new';
    unlike $gw->stderr, qr/wiped or replaced|was replaced/, '... it still is the same registry';
}

my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};

done_testing;
