# Who may register a backend: the verb `register`, asked in one way by live requests, explain and reviews.
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

my %body = (url => $up->url, leaseSeconds => 30);
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

done_testing;
