# ?wait=fleet: what is said of those that have not followed, and to whom; who counts as one that lives.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my $place = "$api/extensionservices/shop/endpoints";
my $body = {url => 'http://127.0.0.1:9', leaseSeconds => 600};
my $redis = redis();
# One that is asked for what can't be so, and one that has the time for what can.
my ($gw, $other) = map { gateway(redis => $redis, workers => 1, config => {registry => {redis => {fleet_wait => $_, fleet_silence => '1m'}}}) } qw(500ms 1m);
sub fleet { my ($gw) = @_; return @{$gw->admin(GET => '/-/readyz')->{json}{registry}{gateways} // []} }
sub ids { my @ids = map { /\A(\S+)/ } @{$redis->command('ZRANGE', '{ksgate}:gateways', 0, -1)}; return @ids }
$gw->apply([extension(shop => undef),
    role(GlobalRole => 't-may', [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], verbs => ['register'], resourceNames => ['shop']}]),
    binding(GlobalRole => 't', 't-may', 't'),
    role(GlobalRole => 'op-may', [{apiGroups => ['*'], resources => ['*'], verbs => ['*']}, {nonResourceURLs => ['*'], verbs => ['*']}]),
    binding(GlobalRole => 'op', 'op-may', 'op')]);
sub put_as { my ($user, $id, $wait) = @_;
    return $gw->request(PUT => "$place/$id" . ($wait ? "?wait=$wait" : ''), $gw->as($user), 'Content-Type' => 'application/json', body => JSON::PP::encode_json($body));
}
eventually { 2 == fleet($gw) } 'the two';

# ---- A Redis whose clock is behind that of the one before: who has died meanwhile is not there for ever --------

{
    my $ahead = int(1000 * (time + 3600));
    $redis->command('ZADD', '{ksgate}:gateways', $ahead, "ghost 0 old $ahead");
    is $other->admin(PUT => "$place/ghost?wait=fleet", $body)->{status}, 201, 'one whose beat is an hour ahead is not waited for';
    eventually { !grep { $_ eq 'ghost' } ids() } 'it to be swept';
    is scalar(ids()), 2, '... and forgotten, it alone';
}

# ---- One that is frozen ---------------------------------------------------------------------------------------

my ($id) = map { $_->{id} } grep { !$_->{self} && $_->{live} } fleet($gw);
kill STOP => $other->server_pid;
{
    my $r = $gw->admin(POST => '/-/apply?wait=fleet', {apiVersion => 'v1', kind => 'List', items => [map { extension("of-$_" => 'http://127.0.0.1:9') } 1 .. 3]});
    is $r->{status}, 504, 'several objects that one gateway does not have yet';
    like $r->{json}{message}, qr/\A3 objects were written \(resourceVersion \d+\), and this gateway routes by it; not yet, as far as is known: \Q$id\E: at revision \d+/, '... are counted';
    $r = $gw->admin(POST => '/-/apply?wait=fleet', {apiVersion => 'v1', kind => 'List', items => [extension(alone => 'http://127.0.0.1:9')]});
    like $r->{json}{message}, qr/\A1 object was written \(resourceVersion \d+\), and/, '... as one is';
}
# ... as a tenant is told it, who may register and no more.
{
    my $r = put_as('t', 'tenant', 'fleet');
    is $r->{status}, 504, 'a tenant, too, is told';
    like $r->{json}{message}, qr/\Aendpoints\.ksgate\.io "shop\.tenant" was written \(resourceVersion \d+\), and this gateway routes by it; not yet, as far as is known: 1 of 2 gateways\z/, '... how many they are';
    is_deeply [map { $_->{reason} } @{$r->{json}{details}{causes}}], ['GatewayBehind'], '... as a cause';
    unlike $r->{body}, qr/\Q$id\E/, '... and not which';
    like put_as('op', 'operator', 'fleet')->{json}{message}, qr/: \Q$id\E: at revision \d+, heard/, 'an operator is, with the same request';
    $redis->command('RENAME', '{ksgate}:gateways', '{ksgate}:kept');
    $redis->command('SET', '{ksgate}:gateways', 'mine');
    $r = put_as('t', 'unknown', 'fleet');
    like $r->{json}{message}, qr/: it can't be told which gateways there are\z/, 'a tenant is told that it can not be told';
    unlike $r->{body}, qr/WRONGTYPE|\{ksgate\}/, '... and nothing of keys';
    $redis->command('DEL', '{ksgate}:gateways');
    $redis->command('RENAME', '{ksgate}:kept', '{ksgate}:gateways');
}
kill CONT => $other->server_pid;

# ---- Redis is away ---------------------------------------------------------------------------------------------

{
    $redis->kill;
    eventually { $gw->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'stale' } 'it to be noticed';
    my $r = put_as('t', 'away');
    is $r->{status}, 503, 'without Redis nothing is written';
    like $r->{json}{message}, qr/\Athe registry can't be reached; nothing was changed\z/, '... of which a tenant is told no address';
    like put_as('op', 'away')->{json}{message}, qr/nothing was changed: .*redis:\/\/127\.0\.0\.1:\d+/, '... and an operator is';
    like $gw->admin(PUT => "$place/away", $body)->{json}{message}, qr/nothing was changed: .*redis:\/\/127\.0\.0\.1:\d+/, '... as is whoever is at the admin socket';
}
done_testing;
