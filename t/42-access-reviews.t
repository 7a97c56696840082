# Access reviews: an extension, the console or kubectl asks whether somebody may do something.  The
# answer is what a live request gets.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, "core saw $_[0]{path}"] };
my $gw = gateway(core => $core->url, objects => slurp('conf/demo/objects.yaml'));
my $ext = upstream { [200, {}, 'extension'] };
$gw->apply([
    extension('closed', $ext->url, access => 'authorized'),
    role(ClusterRole => 'node-viewer', [{apiGroups => [''], resources => ['nodes'], verbs => ['get', 'list']}]),
    binding(ClusterRole => 'carol-nodes', 'node-viewer', 'carol'),
    role(GlobalRole => 'reviewer', [
        {apiGroups => ['authorization.k8s.io', 'iam.kubesphere.io'], resources => ['subjectaccessreviews'], verbs => ['create']},
    ]),
    binding(GlobalRole => 'eve-reviewer', 'reviewer', 'eve'),
    extension('rows', $ext->url, access => 'authorized', permissions => [{path => '/namespaces/{namespace}/things/{name}', group => 'x.io', resource => 'things'}]),
    role(GlobalRole => 'paths', [{nonResourceURLs => ['/proxy/shop/*', '/extensions/rows/*'], verbs => ['GET']}]),
    binding(GlobalRole => 'eve-paths', 'paths', 'eve'),
    role(ClusterRole => 'user-of-closed', [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['closed'], verbs => ['use']}]),
    binding(ClusterRole => 'carol-closed', 'user-of-closed', 'carol'),
]);

my $json = JSON::PP->new->canonical;
my $k8s = '/-/apis/authorization.k8s.io/v1';
my $ks = '/kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews';
my @type = ('Content-Type' => 'application/json');
my @authenticated = ('system:authenticated');

sub ask {
    my ($as, $path, $body) = @_;
    return $gw->request(POST => $path, body => $json->encode($body), @type, $as ? $gw->as($as) : ());
}

sub review {
    my ($user, $attributes, %spec) = @_;
    my $kind = $attributes->{path} ? 'nonResourceAttributes' : 'resourceAttributes';
    return {spec => {$kind => $attributes, user => $user, groups => \@authenticated, %spec}};
}

# user, what a review asks for, and the request that would be that
my @cases = (
    [carol => {verb => 'list', resource => 'nodes'}, GET => '/api/v1/nodes'],
    [carol => {verb => 'get', resource => 'nodes', name => 'n1'}, GET => '/api/v1/nodes/n1'],
    [carol => {verb => 'delete', resource => 'nodes', name => 'n1'}, DELETE => '/api/v1/nodes/n1'],
    [alice => {verb => 'list', resource => 'nodes'}, GET => '/api/v1/nodes'],
    [alice => {verb => 'list', resource => 'pods', namespace => 'demo-app'}, GET => '/api/v1/namespaces/demo-app/pods'],
    [alice => {verb => 'list', resource => 'pods', namespace => 'other-app'}, GET => '/api/v1/namespaces/other-app/pods'],
    [bob => {verb => 'delete', group => 'apps', resource => 'deployments', name => 'd', namespace => 'demo-test'},
        DELETE => '/apis/apps/v1/namespaces/demo-test/deployments/d'],
    [bob => {verb => 'list', group => 'batch', resource => 'jobs', namespace => 'demo-test'},
        GET => '/apis/batch/v1/namespaces/demo-test/jobs'],
    [alice => {verb => 'list', group => 'tenant.kubesphere.io', resource => 'namespaces', workspace => 'demo'},
        GET => '/kapis/tenant.kubesphere.io/v1beta1/workspaces/demo/namespaces'],
    [alice => {verb => 'list', group => 'tenant.kubesphere.io', resource => 'namespaces', workspace => 'other'},
        GET => '/kapis/tenant.kubesphere.io/v1beta1/workspaces/other/namespaces'],
    [bob => {verb => 'list', group => 'iam.kubesphere.io', resource => 'users'}, GET => '/kapis/iam.kubesphere.io/v1beta1/users'],
    [admin => {verb => 'list', group => 'iam.kubesphere.io', resource => 'users'}, GET => '/kapis/iam.kubesphere.io/v1beta1/users'],
    [bob => {verb => 'GET', path => '/version'}, GET => '/version'],
    [bob => {verb => 'get', path => '/-/metrics'}, GET => '/-/metrics'],
    # rules know methods, Kubernetes' reviews write them small
    [eve => {verb => 'get', path => '/proxy/shop/x'}, GET => '/proxy/shop/x'],
    [eve => {verb => 'GET', path => '/proxy/shop/x y'}, GET => '/proxy/shop/x%20y'],
    [eve => {verb => 'delete', path => '/proxy/shop/x'}, DELETE => '/proxy/shop/x'],
    # what is below an extension is what the extension says it is
    [eve => {verb => 'get', path => '/extensions/rows/x'}, GET => '/extensions/rows/x'],
    [eve => {verb => 'get', path => '/extensions/rows/namespaces/other-app/things/a'}, GET => '/extensions/rows/namespaces/other-app/things/a'],
    [alice => {verb => 'get', path => '/extensions/rows/namespaces/demo-app/things/a'}, GET => '/extensions/rows/namespaces/demo-app/things/a'],
    [carol => {verb => 'get', path => '/extensions/rows/x'}, GET => '/extensions/rows/x'],
    [carol => {verb => 'get', path => '/extensions/closed/x'}, GET => '/extensions/closed/x'],
);

# What no request can ask for, nobody may: a rule for /dist would let in what a backend takes for elsewhere.
subtest 'paths that no request may have' => sub {
    for my $path ('/dist/../kapis/iam.kubesphere.io/v1beta1/users', 'dist/../kapis', '/proxy/shop/../other/x', '/proxy/shop/%2e%2e/other', '/proxy/shop/a//b', '/proxy/shop/./b',
        '/proxy/shop/a\\..\\b', "/proxy/shop/a\nb", '/dist/%2Fx', '/extensions/rows/../closed/x') {
        my $own = ask(eve => "$k8s/selfsubjectaccessreviews", review(undef, {verb => 'GET', path => $path}));
        is $own->{json}{status}{allowed}, JSON::PP::false, "$path: not oneself" or diag $own->{body};
        is ask(eve => $ks, review(admin => {verb => 'GET', path => $path}))->{json}{status}{allowed}, JSON::PP::false, '... nor any other';
        my $e = $json->decode($gw->ksgate_here({in => $json->encode({attrs => {Verb => 'GET', Path => $path}, user => {name => 'eve', groups => []}}) . "\n"}, 'explain', '--batch')->{out});
        is $e->{decision}, 'deny', '... and explain says the same';
    }
};

subtest 'the answer is what a request gets' => sub {
    my (@reviews, @may);
    for my $case (@cases) {
        my ($user, $attributes, $method, $path) = @$case;
        my $live = $gw->request($method => $path, $gw->as($user))->{status};
        my $name = "$user $method $path";
        ok $live == 200 || $live == 403, "$name: $live";
        my $want = $live == 200 ? JSON::PP::true : JSON::PP::false;
        my $r = ask(eve => "$k8s/subjectaccessreviews", review($user, $attributes));
        is $r->{status}, 201, '... the review is answered' or diag $r->{body};
        is $r->{json}{status}{allowed}, $want, '... the same' or diag $r->{body};
        ok length $r->{json}{status}{reason}, "... with a reason: $r->{json}{status}{reason}";
        my $own = ask($user => "$k8s/selfsubjectaccessreviews", review(undef, $attributes, user => 'admin'));
        is $own->{json}{status}{allowed}, $want, '... and when they ask themselves, whomever they name';
        push @reviews, review($user, $attributes);
        push @may, $want;
    }
    my $all = ask(eve => $ks, \@reviews);
    is $all->{status}, 200, "KubeSphere's form: a list" or diag $all->{body};
    is_deeply [map { $_->{status}{allowed} } @{$all->{json}}], \@may, '... is answered in order';
    is_deeply [map { $_->{status}{allowed} } @{ask(eve => $ks, {items => \@reviews})->{json}{items}}], \@may,
        '... and as a SubjectAccessReviewList';
    my $one = ask(eve => $ks, $reviews[0])->{json};
    is_deeply [@$one{qw(apiVersion kind)}], ['iam.kubesphere.io/v1beta1', 'SubjectAccessReview'], '... and one alone';
    is_deeply $one->{spec}, $reviews[0]{spec}, 'what was asked comes back';
};

subtest 'groups and scopes' => sub {
    my $nodes = {verb => 'list', resource => 'nodes'};
    my $one = sub { ask(eve => $ks, review(@_))->{json}{status}{allowed} };
    ok !$one->('nobody', $nodes), 'a user without rights';
    my $ops = binding(ClusterRole => 'ops-nodes', 'node-viewer', 'ops');
    $ops->{subjects}[0]{kind} = 'Group';
    $gw->apply([$ops]);
    ok $one->('nobody', $nodes, groups => ['ops']), 'a group that has them';
    ok $one->(undef, $nodes, groups => ['ops']), '... without a user, too';
    my $pods = {verb => 'list', resource => 'pods', namespace => 'demo-app'};
    ok $one->('alice', {%$pods, resourceScope => 'Namespace'}), 'a scope that is named';
    ok !$one->('alice', {%$pods, resourceScope => 'Cluster'}), '... is the one that is decided for';
};

subtest 'who may ask' => sub {
    my $about = review('carol', {verb => 'list', resource => 'nodes'});
    is ask(alice => "$k8s/subjectaccessreviews", $about)->{status}, 403, 'about others: who has the right to';
    is ask(alice => $ks, $about)->{status}, 403, "... in KubeSphere's form, too";
    is ask(undef, $ks, $about)->{status}, 401, '... never a stranger';
    is ask(undef, "$k8s/selfsubjectaccessreviews", $about)->{status}, 401, 'about themselves: all but strangers';
    my $no = ask(alice => "$k8s/selfsubjectaccessreviews", {spec => {resourceAttributes => {verb => 'list', resource => 'nodes'}}});
    is $no->{status}, 201, 'alice about herself';
    unlike $no->{json}{status}{reason}, qr/node-viewer|demo-admin/, '... is not told who has which role';
    like $no->{json}{status}{reason}, qr/User "alice" cannot list resource "nodes"/, '... but what a refusal would say';
    my $socket = $gw->admin(POST => "$k8s/selfsubjectaccessreviews", $json->encode($about), @type);
    ok $socket->{json}{status}{allowed}, 'the admin socket may do everything, and is told so';
};

subtest 'what is no review' => sub {
    my $bad = sub {
        my ($name, $message, $body) = @_;
        my $r = ask(eve => $ks, $body);
        is $r->{status}, 422, "$name: 422" or diag $r->{body};
        like $r->{json}{message}, $message, '... in words';
    };
    my $nodes = {verb => 'list', resource => 'nodes'};
    $bad->('no spec', qr/spec is missing/, {});
    $bad->('nothing is asked', qr/exactly one of resourceAttributes/, {spec => {user => 'a'}});
    $bad->('two things at once', qr/exactly one of/, {spec => {user => 'a', resourceAttributes => $nodes, nonResourceAttributes => {verb => 'get', path => '/x'}}});
    $bad->('of nobody', qr/whose right/, {spec => {resourceAttributes => $nodes}});
    $bad->('no verb', qr/verb is missing/, {spec => {user => 'a', resourceAttributes => {resource => 'nodes'}}});
    $bad->('no resource', qr/resource is missing/, {spec => {user => 'a', resourceAttributes => {verb => 'get'}}});
    $bad->('a number for a text', qr/verb must be a text/, {spec => {user => 'a', resourceAttributes => {%$nodes, verb => 7}}});
    $bad->('groups that are none', qr/groups\[1\] must be a text/, {spec => {groups => ['a', 1], resourceAttributes => $nodes}});
    $bad->('another kind', qr/kind is "Pod"/, {kind => 'Pod', spec => {user => 'a', resourceAttributes => $nodes}});
    $bad->('the second of a list', qr/review 1: spec is missing/, [review('a', $nodes), {}]);
    $bad->('more than are answered', qr/1001 reviews.*at most 1000/, [map { review('a', $nodes) } 0 .. 1000]);
    my $own = ask(alice => "$k8s/selfsubjectaccessreviews", [review('a', $nodes)]);
    is $own->{status}, 422, 'a list about oneself';
    is ask(eve => $ks, [])->{body}, "[]\n", 'an empty list has an empty answer';
    is $gw->request(GET => $ks, $gw->as('admin'))->{status}, 405, 'only POST';
};

subtest 'where the core decides about its own paths' => sub {
    my $gw = gateway(core => $core->url, objects => slurp('conf/demo/objects.yaml'), config => {authorization => {core => 'authenticated'}});
    my $nodes = review('tom', {verb => 'delete', resource => 'nodes'});
    is $gw->request(DELETE => '/api/v1/nodes', $gw->as('tom'))->{status}, 200, 'all are let through to it';
    my $r = $gw->request(POST => $ks, body => $json->encode($nodes), @type, $gw->as('admin'));
    ok !$r->{json}{status}{allowed}, 'a review is answered by roles all the same' or diag $r->{body};
};

subtest 'left to the core' => sub {
    my $gw = gateway(core => $core->url, objects => slurp('conf/demo/objects.yaml'),
        config => {core => {url => $core->url, access_reviews => 'core'}});
    my $r = $gw->request(POST => $ks, body => $json->encode(review('a', {verb => 'list', resource => 'nodes'})), @type, $gw->as('admin'));
    is $r->{body}, "core saw $ks", 'when it is configured so';
};

done_testing;
