# Who may register a backend: the verb `register`, asked in one way by live requests, explain and reviews;
# and whose it is then.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my $up = upstream { [200, {}, 'up'] };
sub right { my ($verbs, $resource, @names) = @_; return {apiGroups => ['ksgate.io'], resources => [$resource], verbs => $verbs, (@names ? (resourceNames => \@names) : ())} }
sub holder { my ($user, @rules) = @_; return (role(GlobalRole => "$user-may", [@rules]), binding(GlobalRole => $user, "$user-may", $user)) }

my $gw = gateway(objects => [
    (map { extension($_ => undef) } qw(shop mall)),
    holder(rob => right(['register'], 'extensionservices', 'shop')),
    holder(ron => right(['register'], 'extensionservices', 'shop'), right(['*'], 'endpoints')),
    holder(old => right(['update'], 'extensionservices/endpoints', 'shop')), # as before there was `register`
    holder(star => right(['*'], 'extensionservices/endpoints')),
    holder(user => right(['use', 'get', 'update'], 'extensionservices')),
]);
my %as = map { $_ => [$gw->as($_)] } qw(rob ron old star user);
sub ask {
    my ($user, $method, $path, $body) = @_;
    my $type = $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return $gw->request($method => "$api/$path", @{$as{$user}}, $body ? ('Content-Type' => $type, body => JSON::PP::encode_json($body)) : ());
}
sub denial { my ($user, $extension) = @_; return qq(extensionservices.ksgate.io "$extension" is forbidden: User "$user" cannot register resource "extensionservices" in API group "ksgate.io" at the cluster scope) }

my %body = (url => $up->url, leaseSeconds => 600);
for ([rob => shop => 1, 1], [rob => mall => 0, 0], [old => shop => 1, 0], [old => mall => 0, 0], [star => mall => 1, 1], [user => shop => 0, 0]) {
    my ($user, $extension, @may) = @$_;
    for my $method (qw(PUT DELETE)) {
        my $may = shift @may;
        my $path = "extensionservices/$extension/endpoints/$user";
        my $explained = $gw->admin(GET => "$api/explain?method=$method&path=$api/$path&as=$user")->{json};
        my $r = ask($user => $method => $path, $method eq 'PUT' ? {%body} : undef);
        is $r->{status}, $may ? $method eq 'PUT' ? 201 : 200 : 403, "$user: $method $path: " . ($may ? 'yes' : 'no') or diag $r->{body};
        is $explained->{decision}, $may ? 'allow' : 'deny', '... and explain knew it';
        is $r->{json}{message}, denial($user, $extension), '... what is missing is `register`' if !$may;
    }
}
like $gw->admin(GET => "$api/explain?method=PUT&path=$api/extensionservices/shop/endpoints/x&as=rob")->{json}{reason}, qr/of GlobalRole "rob-may" to User "rob"/, 'explain names the role';
like $gw->ksgate_here('explain', 'PUT', "$api/extensionservices/mall/endpoints/x", '--as', 'rob')->{out}, qr/denied: 403/, '... and so does the command: no';
like $gw->ksgate_here('explain', 'PUT', "$api/extensionservices/shop/endpoints/x", '--as', 'rob')->{out}, qr/rob-may/, '... and by what, if so';
my $review = sub {
    my ($user, %of) = @_;
    return $gw->admin(POST => '/-/apis/authorization.k8s.io/v1/subjectaccessreviews',
        {spec => {user => $user, resourceAttributes => {group => 'ksgate.io', resource => 'extensionservices', name => 'shop', %of}}})->{json}{status}{allowed} ? 1 : 0;
};
is $review->(rob => verb => 'register'), 1, 'a review of `register` says so';
is $review->(rob => verb => 'update', subresource => 'endpoints'), 1, '... and one of the path, too';
is $review->(rob => verb => 'update'), 0, '... which is not the extension itself';

# Endpoint objects need the right to them, and that of the extension.
is ask(ron => POST => 'endpoints', {metadata => {name => 'shop.made'}, spec => {extension => 'shop', url => $up->url}})->{status}, 201, 'who may register may make an Endpoint of it';
is ask(ron => PATCH => 'endpoints/shop.made', {spec => {weight => 2}})->{status}, 200, '... patch it';
is ask(ron => DELETE => 'endpoints/shop.made')->{status}, 200, '... and delete it';
my $r = ask(ron => POST => 'endpoints', {metadata => {name => 'mall.made'}, spec => {extension => 'mall', url => $up->url}});
is_deeply [$r->{status}, $r->{json}{message}], [403, denial(ron => 'mall')], '... of this one alone';
is ask(rob => POST => 'endpoints', {metadata => {name => 'shop.made'}, spec => {extension => 'shop', url => $up->url}})->{status}, 403, 'and `register` alone writes no objects';

# ---- Whose it is ----------------------------------------------------------------------------------------

my @platform = (right(['register'], 'extensionservices')); # as each service has it: for all extensions
$gw->apply([
    holder(blue => @platform, right([qw(get list)], 'endpoints')), holder(red => @platform, right(['create'], 'endpoints'), right([qw(update patch delete get)], 'endpoints', 'shop.pod', 'shop.new', 'shop.taken')),
    holder(grey => @platform), holder(op => @platform, right(['*'], 'endpoints')),
]);
$as{$_} = [$gw->as($_)] for qw(blue red grey op);
sub owner { my ($name) = @_; return $gw->admin(GET => "$api/endpoints/$name")->{json}{metadata}{annotations}{'ksgate.io/owner'} }
my $pod = 'extensionservices/shop/endpoints/pod';
my $object = sub { my ($name, %more) = @_; return {metadata => {name => $name, %more}, spec => {extension => 'shop', url => $up->url, leaseSeconds => 600}} };

is ask(blue => PUT => $pod, {%body})->{status}, 201, 'blue registers';
is owner('shop.pod'), 'User/blue', '... and is the owner';
my $revision = ask(blue => PUT => $pod, {%body})->{json}{resourceVersion};
$as{blue} = [$gw->as('blue', jti => 'another')];
my $again = ask(blue => PUT => $pod, {%body});
is_deeply [$again->{status}, $again->{json}{resourceVersion}], [200, $revision], '... by any token: it renews, which is no change';

my $rest = qr/; use another id, or wait until its lease has ended or it is deleted, by its owner or by who may (?:update|delete) all Endpoints of all extensions\z/;
for ([PUT => $pod, {%body}], [PUT => $pod, {%body, url => 'http://127.0.0.1:1'}], [DELETE => $pod], [PUT => 'endpoints/shop.pod', $object->('shop.pod')],
    [PUT => 'endpoints/shop.pod', $object->('shop.pod', annotations => {'ksgate.io/owner' => 'User/red'})], [PATCH => 'endpoints/shop.pod', {spec => {weight => 9}}],
    [PATCH => 'endpoints/shop.pod', {metadata => {annotations => {'ksgate.io/owner' => 'User/red'}}}], [PATCH => 'endpoints/shop.pod', {metadata => {annotations => undef}}], [DELETE => 'endpoints/shop.pod']) {
    my ($method, $path, $body) = @$_;
    for my $dry ('', $path eq $pod ? () : '?dryRun=All') {
        my $r = ask(red => $method => "$path$dry", $body);
        is_deeply [$r->{status}, $r->{json}{reason}], [403, 'Forbidden'], "red may not $method $path$dry of blue's" or diag $r->{body};
        like $r->{json}{message}, qr/\Aendpoints\.ksgate\.io "shop\.pod" is forbidden: it belongs to User "blue"$rest/, '... and is told whose it is, since red may look';
    }
}
like ask(grey => $_ => $pod, $_ eq 'PUT' ? {%body} : undef)->{json}{message}, qr/it belongs to somebody else$rest/, "grey, who may not look, is told less ($_)" for qw(PUT DELETE);
my $now = $gw->admin(GET => "$api/endpoints/shop.pod")->{json};
is_deeply [$now->{metadata}{resourceVersion}, $now->{spec}{url}, owner('shop.pod')], [$revision, $up->url, 'User/blue'], 'and nothing of it has changed';

# A client's word is not taken for it.
is ask(red => POST => 'endpoints', $object->('shop.new', annotations => {'ksgate.io/owner' => 'User/blue', a => 'b'}))->{status}, 201, 'red makes one and says that it is of blue';
is owner('shop.new'), 'User/red', '... it is of red';
is ask(red => PATCH => 'endpoints/shop.new', {metadata => {annotations => {'ksgate.io/owner' => 'User/blue'}}})->{status}, 200, 'a patch says so';
is owner('shop.new'), 'User/red', '... it stays of red';
is ask(red => PUT => 'endpoints/shop.new', $object->('shop.new'))->{status}, 200, 'an object without an owner is put';
is owner('shop.new'), 'User/red', '... it stays of red';
is ask(red => DELETE => 'endpoints/shop.new')->{status}, 200, 'red takes it out';
is ask(red => PUT => 'extensionservices/shop/endpoints/new', {%body})->{status}, 201, '... and registers';
is ask(blue => PUT => 'extensionservices/shop/endpoints/new', {%body})->{status}, 403, '... where blue has to stay away, now';

# Who may all: an operator, and the admin socket.
is ask(op => PUT => $pod, {%body, weight => 2})->{status}, 200, 'an operator may register over it';
is_deeply [owner('shop.pod'), $gw->admin(GET => "$api/endpoints/shop.pod")->{json}{spec}{weight}], ['User/blue', 2], '... it stays of blue';
is ask(op => PUT => $pod, {%body, weight => 2})->{status}, 200, '... and renew it';
is ask(op => PATCH => 'endpoints/shop.pod', {metadata => {labels => {a => 'b'}}})->{status}, 200, '... and patch it';
is $gw->admin(PUT => "$api/endpoints/shop.pod", $object->('shop.pod', annotations => {'ksgate.io/owner' => 'User/red'}))->{status}, 200, 'so may the admin socket';
is owner('shop.pod'), 'User/blue', '... and it stays of blue';
my $both = sub { return {apiVersion => 'v1', kind => 'List', items => [map { {apiVersion => 'ksgate.io/v1', kind => 'Endpoint', %{$object->($_->[0], $_->[1] ? (annotations => {'ksgate.io/owner' => $_->[1]}) : ())}} } @_]} };
is $gw->admin(POST => '/-/apply', $both->(['shop.pod', 'User/red'], ['shop.back', 'User/red'], ['shop.hand']))->{status}, 200, '... with several in one step';
is_deeply [map { owner("shop.$_") } qw(pod back hand)], ['User/blue', 'User/red', 'admin-socket'], '... of which a new one is whose the backup says it was, or of the socket';
is ask(red => PUT => 'extensionservices/shop/endpoints/back', {%body})->{status}, 200, '... so red goes on';
like ask(red => PUT => 'extensionservices/shop/endpoints/hand', {%body})->{json}{message}, qr/it belongs to somebody else/, '... and what was made by hand is not to be had';
$as{socket} = [$gw->as('admin-socket')];
$gw->apply([holder('admin-socket' => @platform)]);
is ask(socket => PUT => 'extensionservices/shop/endpoints/hand', {%body})->{status}, 403, '... not even for a user of that name';
is ask(op => DELETE => $pod)->{status}, 200, 'an operator may take it out';
is ask(red => PUT => $pod, {%body})->{status}, 201, 'then it is free: red registers';
is_deeply [owner('shop.pod'), ask(blue => PUT => $pod, {%body})->{status}], ['User/red', 403], '... and it is of red now';

# A lease that has ended frees the id, at once and for one of many who want it.
is ask(blue => PUT => 'extensionservices/shop/endpoints/taken', {%body, leaseSeconds => 2})->{status}, 201, 'blue has a short lease';
eventually { ask(red => PUT => 'extensionservices/shop/endpoints/taken', {%body, url => 'http://127.0.0.1:1'})->{status} == 201 } 'the end of it';
is owner('shop.taken'), 'User/red', 'then it is of red';

# One who registers an endpoint that has no owner yet makes it theirs.
{
    my $redis = redis();
    my ($a, $b) = map { gateway(redis => $redis) } 1, 2;
    $a->apply([extension(shop => undef), map { holder($_ => @platform) } qw(blue red)]);
    my $put = sub { my ($at, $user, $id, %more) = @_; return $at->request(PUT => "$api/extensionservices/shop/endpoints/$id", $at->as($user), 'Content-Type' => 'application/json', body => JSON::PP::encode_json({%body, %more})) };
    my $who = sub { return $_[0]->admin(GET => "$api/endpoints/shop.$_[1]")->{json}{metadata}{annotations}{'ksgate.io/owner'} };
    eventually { $put->($b, blue => 'first')->{status} =~ /\A20/ } 'the roles';
    my $script = $a->ksgate_here('registry', 'script')->{out};
    $redis->command('EVAL', $script, 1, '{ksgate}:', 'put', 'ksgate.io/Endpoint//shop.old',
        qq({"metadata":{"name":"shop.old"},"apiVersion":"ksgate.io/v1","kind":"Endpoint","spec":{"extension":"shop","leaseSeconds":600,"url":") . $up->url . '","weight":1}}', 'any', 0, 600000);
    eventually { $put->($a, blue => 'old')->{status} == 200 } 'the endpoint without an owner';
    is $who->($a, 'old'), 'User/blue', 'who registers what has no owner has it then';

    # Two at two gateways, at the same moment, for the same free id: one has it, the other is told so.
    my (%won, @odd);
    for my $n (1 .. 40) {
        my @child = map { my ($at, $user) = @$_;
            open my $pipe, '-|' or do { print $put->($at, $user, "race-$n")->{status}; require POSIX; STDOUT->flush; POSIX::_exit(0) };
            [$user, $pipe] } [$a, 'blue'], [$b, 'red'];
        my %status = map { my ($user, $pipe) = @$_; $user => scalar <$pipe> } @child;
        my ($winner) = grep { $status{$_} == 201 } sort keys %status;
        push @odd, "$n: $status{blue} $status{red}" if join(' ', sort values %status) ne '201 403';
        eventually { ($who->($b, "race-$n") // '') eq ($who->($a, "race-$n") // 'none') } 'both to know';
        push @odd, "$n: " . $who->($a, "race-$n") . " and not $winner" if $who->($a, "race-$n") ne 'User/' . ($winner // '');
        $won{$winner // ''}++;
    }
    is_deeply \@odd, [], 'of two at the same time one is the owner, and the other is told';
    diag 'won: ' . join ', ', map { "$_ $won{$_}" } sort keys %won;
}

done_testing;
