# A gateway whose memory is behind the registry, and writes that name a revision which it does not know yet: what they
# change, and whose it is, is that of the revision.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my $up = upstream { [200, {}, 'up'] };
my $redis = redis();
$redis->command(ACL => 'SETUSER', $_, 'on', 'nopass', '~*', '&*', '+@all') for qw(a b);
my ($a, $b) = map { gateway(redis => $redis, workers => 1, config => {registry => {redis => {url => "redis://$_\@127.0.0.1:" . $redis->port . '/0'}}}) } qw(a b);
my @may = ({apiGroups => ['ksgate.io'], resources => ['extensionservices'], verbs => ['register']}, {apiGroups => ['ksgate.io'], resources => ['endpoints'], verbs => [qw(get patch)]});
$a->apply([extension(shop => undef), map { (role(GlobalRole => "$_-may", [@may]), binding(GlobalRole => $_, "$_-may", $_)) } qw(blue red)]);

my %as; # a token each, for each gateway
sub ask {
    my ($at, $user, $method, $path, $body) = @_;
    my $type = $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return $at->request($method => "$api/$path", @{$as{$at, $user} //= [$at->as($user)]}, $body ? ('Content-Type' => $type, body => JSON::PP::encode_json($body)) : ());
}
sub state_of { return $_[0]->admin(GET => '/-/readyz')->{json}{registry}{state} }
# What is stored: a gateway may hear of the other one's write a moment later.
sub there { my $text = $redis->command(HGET => '{ksgate}:objects', "ksgate.io/Endpoint//shop.$_[0]"); return $text && JSON::PP::decode_json($text) }
sub what { my $o = there($_[0]); return [$o->{metadata}{annotations}{'ksgate.io/owner'}, @{$o->{spec}}{qw(url weight)}] }
sub place { return "extensionservices/shop/endpoints/$_[0]" }
sub list { return {apiVersion => 'v1', kind => 'List', items => [@_]} }

# ---- b does not follow any more ------------------------------------------------------------------------

my %body = (url => $up->url, leaseSeconds => 600);
for my $id (qw(pod kept)) {
    is ask($a, red => PUT => place("$id?wait=fleet"), {%body})->{status}, 201, "red registers $id";
}
my $kept = there('kept')->{metadata}{resourceVersion};
$redis->command(ACL => 'SETUSER', 'b', '-xread', '-hscan');
eventually { state_of($b) eq 'stale' } 'b to be cut off';
is $a->admin(DELETE => "$api/" . place('pod'))->{status}, 200, 'it is taken out';
my $revision = ask($a, blue => PUT => place('pod'), {%body})->{json}{resourceVersion};
my $fresh = ask($a, blue => PUT => place('fresh'), {%body})->{json}{resourceVersion};
is what('pod')->[0], 'User/blue', 'and blue registers';

my $theirs = ['User/blue', $up->url, 1];
my %named = (metadata => {resourceVersion => "$revision"});
for my $dry ('', '?dryRun=All') {
    my $r = ask($b, red => PATCH => "endpoints/shop.pod$dry", {%named, spec => {url => 'http://127.0.0.1:9'}});
    is_deeply [@{$r->{json}}{qw(code reason)}], [409, 'Conflict'], "red patches blue's revision where red's is remembered$dry" or diag $r->{body};
}
is_deeply what('pod'), $theirs, '... which changes nothing';
my $r = ask($b, blue => PATCH => 'endpoints/shop.fresh', {metadata => {resourceVersion => "$fresh"}, spec => {weight => 5}});
is_deeply [@{$r->{json}}{qw(code reason)}], [409, 'Conflict'], 'what b has not heard of yet may be there' or diag $r->{body};
is ask($b, blue => PATCH => 'endpoints/shop.fresh', {spec => {weight => 5}})->{status}, 404, '... and, asked for by its name alone, is not';
$r = ask($b, red => PATCH => 'endpoints/shop.kept', {metadata => {resourceVersion => "$kept"}, spec => {weight => 5}});
is $r->{status}, 200, 'what has not changed since is patched' or diag $r->{body};
is_deeply [$r->{json}{spec}{weight}, $r->{json}{metadata}{resourceVersion}], [5, there('kept')->{metadata}{resourceVersion}], '... which is what the answer says, though it has not come back';
$r = ask($b, red => PUT => place('late'), {%body, leaseSeconds => 300});
is_deeply [$r->{status}, $r->{json}{resourceVersion}, $r->{json}{lease}{seconds}], [201, there('late')->{metadata}{resourceVersion}, 300], '... and so with what is registered';
$r = ask($b, red => PATCH => 'endpoints/shop.kept?dryRun=All', {spec => {weight => 7}});
is_deeply [@{$r->{json}{spec}}{'weight'}, $r->{json}{metadata}{resourceVersion}], [7, $kept], '... but a dry run is of what is known';
is_deeply what('kept'), ['User/red', $up->url, 5], '... as it should be';
is ask($b, red => PATCH => 'endpoints/shop.kept', {metadata => {resourceVersion => '1'}, spec => {weight => 6}})->{status}, 409, 'an old revision is a conflict';

# A backend that is told 409 takes itself for replaced, or its registration for a mistake, and goes.
sub is_told_to_try_again {
    my ($r, $name) = @_;
    is_deeply [@{$r->{json}}{qw(code reason)}], [503, 'ServiceUnavailable'], "$name: 503" or diag $r->{body};
    like $r->{json}{message}, qr/something else than this gateway knows of.*; nothing was changed; try again, or at another gateway/, '... which says what to do';
    return;
}
is_told_to_try_again(ask($b, blue => PUT => place('fresh'), {%body, weight => 3}), 'a registration that b has not heard of');
is_told_to_try_again(ask($b, red => DELETE => place('kept')), 'what has changed since leaves');
is_told_to_try_again(ask($b, blue => DELETE => place('fresh')), 'who is not there, as far as b knows, leaves');
is_deeply [map { what($_) } qw(fresh kept)], [['User/blue', $up->url, 1], ['User/red', $up->url, 5]], '... and nothing of it was done';

# Several in one step.
my $blues = there('pod');
$blues->{spec}{weight} = 7;
$r = $b->admin(POST => '/-/apply', list($blues));
is_deeply [@{$r->{json}}{qw(code reason)}], [409, 'Conflict'], 'the same with several in one step' or diag $r->{body};
is_deeply what('pod'), $theirs, '... which changes nothing, and not whose it is';
my $new = there('fresh');
is $b->admin(POST => '/-/apply', list($new))->{status}, 409, '... nor what b has not heard of';

$r = $b->admin(POST => '/-/apply', list(extension(shop => undef, enabled => JSON::PP::true)));
is_deeply [$r->{status}, $r->{json}{items}[0]{spec}{enabled}], [200, JSON::PP::true], '... and the answer has what was written, though it has not come back' or diag $r->{body};
$a->apply([extension(shop => undef)]);

# ---- It is only late -----------------------------------------------------------------------------------

$redis->command(ACL => 'SETUSER', 'b', '+xread', '+hscan');
eventually { state_of($b) eq 'fresh' } 'b to follow';
$blues = there('pod');
$r = ask($b, blue => PATCH => 'endpoints/shop.pod', {metadata => {resourceVersion => $blues->{metadata}{resourceVersion}}, spec => {weight => 4}});
is $r->{status}, 200, 'a gateway that follows does it' or diag $r->{body};
is_deeply what('pod'), ['User/blue', $up->url, 4], '... to what is there';
$r = ask($b, red => PATCH => 'endpoints/shop.pod', {metadata => {resourceVersion => $r->{json}{metadata}{resourceVersion}}, spec => {weight => 9}});
is $r->{status}, 403, '... and not for red' or diag $r->{body};
$blues = there('pod');
eventually { ask($b, blue => GET => 'endpoints/shop.pod')->{json}{metadata}{resourceVersion} eq $blues->{metadata}{resourceVersion} } 'b';
$blues->{spec}{weight} = 8;
is $b->admin(POST => '/-/apply', list($blues))->{status}, 200, 'so is a list';
is_deeply what('pod'), ['User/blue', $up->url, 8], '... and it stays of blue';
is ask($b, blue => DELETE => place('pod'))->{status}, 200, 'it goes';
is ask($b, blue => PATCH => 'endpoints/shop.pod', {%named, spec => {weight => 1}})->{status}, 404, '... and is not there then, by whatever revision';

# What a has written is in b a moment later, for which b waits.
is ask($a, blue => PUT => place('often'), {%body})->{status}, 201, 'one that is changed often';
my @wrong;
for my $weight (1 .. 40) {
    my $written = ask($a, blue => PATCH => 'endpoints/shop.often', {spec => {weight => $weight}})->{json}{metadata}{resourceVersion};
    my $r = ask($b, blue => PATCH => 'endpoints/shop.often', {metadata => {resourceVersion => $written}, spec => {version => "v$weight"}});
    my $spec = there('often')->{spec};
    push @wrong, "$weight: $r->{status} $spec->{version} $spec->{weight}" if $r->{status} != 200 || $spec->{version} ne "v$weight" || $spec->{weight} != $weight;
}
is_deeply \@wrong, [], 'a patch of what was written elsewhere a moment ago loses nothing of it';

done_testing;
