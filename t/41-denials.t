# What a denial says, and to whom: the answer's `details` have what came nearest for callers who
# may know it, and nobody learns of another tenant's roles, or whether an object is there.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, 'core'] };
my @all = (apiGroups => ['*'], resources => ['*']);
my @explain = (apiGroups => ['ksgate.io'], resources => ['explain']);

sub namespace {
    my ($name, $workspace) = @_;
    return {apiVersion => 'v1', kind => 'Namespace', metadata => {name => $name, labels => {'kubesphere.io/workspace' => $workspace}}};
}

my $gw = gateway(core => $core->url, objects => [
    namespace(app => 'ws1'), namespace(other => 'ws2'),
    # wendy looks at all of ws1, and so at why; paul only at its pods; eve may ask about everything.
    role(WorkspaceRole => 'ws1-viewer', [{@all, verbs => ['get', 'list']}], 'ws1'),
    binding(WorkspaceRole => 'wendy', 'ws1-viewer', 'wendy', 'ws1'),
    role(WorkspaceRole => 'ws1-pods', [{apiGroups => [''], resources => ['pods'], verbs => ['get', 'list']}], 'ws1'),
    binding(WorkspaceRole => 'paul', 'ws1-pods', 'paul', 'ws1'),
    role(WorkspaceRole => 'ws2-secret-role', [{@all, verbs => ['*']}], 'ws2'),
    binding(WorkspaceRole => 'tom', 'ws2-secret-role', 'tom', 'ws2'),
    role(Role => 'app-why', [{@explain, verbs => ['list']}], 'app'),
    binding(Role => 'nora', 'app-why', 'nora', 'app'),
    role(GlobalRole => 'helpdesk', [{@explain, verbs => ['get', 'list']}, {verbs => ['GET'], nonResourceURLs => ['/proxy/*']}]),
    binding(GlobalRole => 'eve', 'helpdesk', 'eve'),
    role(GlobalRole => 'reader', [{apiGroups => ['iam.kubesphere.io'], resources => ['users'], verbs => ['get']}]),
    binding(GlobalRole => 'wendy-reads', 'reader', 'wendy'),
]);

sub ask { my ($user, $method, $url) = @_; return $gw->request($method => $url, $user ? $gw->as($user) : ()) }

my $pods = '/api/v1/namespaces/%s/pods/web';
my $users = '/kapis/iam.kubesphere.io/v1beta1/users';
# who, what, what the cause says (undef: there is none)
for (
    [wendy => DELETE => sprintf($pods, 'app'), qr/^get, list are allowed by WorkspaceRole "ws1-viewer" \(WorkspaceRoleBinding "wendy"\); asked was delete$/],
    [wendy => DELETE => '/kapis/g.io/v1/workspaces/ws1/things/a', qr/WorkspaceRole "ws1-viewer"/],
    [paul => DELETE => sprintf($pods, 'app'), undef],
    [nora => DELETE => sprintf($pods, 'app'), qr/^no rule of the caller's roles covers this$/],
    # where they have no say, they are told nothing
    [wendy => DELETE => sprintf($pods, 'other'), undef],
    [wendy => DELETE => sprintf($pods, 'nowhere'), undef],
    [wendy => DELETE => '/kapis/g.io/v1/workspaces/ws2/things/a', undef],
    [wendy => DELETE => '/kapis/g.io/v1/workspaces/ws1/namespaces/other/things/a', undef],
    [wendy => DELETE => '/kapis/g.io/v1/workspaces/ws2/namespaces/app/things/a', undef],
    [wendy => GET => '/api/v1/nodes', undef],
    [wendy => GET => "$users?watch=1&labelSelector=kubesphere.io/workspace=ws2", undef],
    [wendy => DELETE => "$users/tom", undef],
    [wendy => GET => '/proxy/grafana/', undef],
    [wendy => GET => '/-/apis/iam.kubesphere.io/v1beta1/workspaceroles/ws2-secret-role', undef],
    [nora => DELETE => sprintf($pods, 'other'), undef],
    # whoever may ask about everything is told everything
    [eve => DELETE => sprintf($pods, 'app'), qr/^no rule of the caller's roles covers this$/],
    [eve => DELETE => sprintf($pods, 'nowhere'), qr/^the namespace "nowhere" is not known here$/],
    [eve => POST => '/proxy/grafana/', qr/^GET is allowed by GlobalRole "helpdesk" \(GlobalRoleBinding "eve"\); asked was POST$/],
    [eve => DELETE => "$users/tom", qr/^no rule/],
) {
    my ($user, $method, $url, $says) = @$_;
    my $r = ask($user, $method, $url);
    is $r->{status}, 403, "$user $method $url: 403";
    is $r->{json}{kind}, 'Status', '... a Status';
    my $causes = $r->{json}{details}{causes};
    if (!$says) {
        is $causes, undef, '... that does not say why';
        unlike $r->{body}, qr/RoleBinding|ws1-|ws2-secret-role"?\W+\(|allowed by/, '... nor names a role';
        next;
    }
    is scalar(@{$causes // []}), 1, '... with one cause' or next;
    is $causes->[0]{reason}, 'NearestMiss', '... what came nearest';
    like $causes->[0]{message}, $says, '... in words';
}

# What is there and what is not look the same to who may not know.
{
    my ($there, $not) = map { ask(wendy => GET => sprintf($pods, $_))->{body} =~ s/\b(?:other|nowhere)\b/X/gr } qw(other nowhere);
    is $there, $not, 'a namespace of somebody else is answered like one that does not exist';
    ($there, $not) = map { ask(wendy => GET => "/-/apis/iam.kubesphere.io/v1beta1/workspaceroles/$_")->{body} =~ s/\Q$_\E/X/gr } qw(ws2-secret-role no-role);
    is $there, $not, 'and so is a role';
}

# Strangers are asked who they are, and told nothing else.
{
    my $r = ask(undef, DELETE => sprintf($pods, 'app'));
    is $r->{status}, 401, 'a stranger: 401';
    is_deeply [@{$r->{json}}{qw(kind apiVersion status reason code)}], ['Status', 'v1', 'Failure', 'Unauthorized', 401], '... a Status';
    is $r->{json}{details}, undef, '... without details';
}

# The details say what it was about, as Kubernetes does.
{
    my $r = ask(paul => DELETE => '/apis/apps/v1/namespaces/app/deployments/web');
    is_deeply $r->{json}, {
        kind => 'Status', apiVersion => 'v1', metadata => {}, status => 'Failure', reason => 'Forbidden', code => 403,
        details => {group => 'apps', kind => 'deployments', name => 'web'},
        message => 'deployments.apps "web" is forbidden: User "paul" cannot delete resource "deployments" in API group "apps" in the namespace "app"',
    }, 'a denial is a Status of Kubernetes, member by member';
    is $r->{headers}{'content-type'}, 'application/json', '... as JSON';
}

# The access log has both sides.
{
    $gw->request(DELETE => '/kapis/g.io/v1/workspaces/ws2/things/log-1', $gw->as('tom'));
    $gw->request(DELETE => '/kapis/g.io/v1/workspaces/ws1/things/log-2', $gw->as('wendy'));
    my ($line) = $gw->access_log(1, sub { $_->{path} =~ /log-1$/ });
    is_deeply [@$line{qw(binding_kind binding role_kind role rule)}], [WorkspaceRoleBinding => 'tom', WorkspaceRole => 'ws2-secret-role', 0],
        'the access log says what allowed it';
    ($line) = $gw->access_log(1, sub { $_->{path} =~ /log-2$/ });
    like $line->{reason}, qr/^get, list are allowed by WorkspaceRole "ws1-viewer"/, 'and what came nearest to allowing it';
    ok !exists $line->{role}, 'of a denial it names no role that allowed';
}

# ---- What kubectl shows of it -------------------------------------------------------------------

my $kubectl = (grep { -x } map { "$_/kubectl" } split /:/, $ENV{PATH} // '')[0];

sub kubectl {
    my ($server, @words) = @_;
    my $home = tempdir(); # its cache and its configuration
    return Gateway::Process::run({env => {HOME => $home, KUBECONFIG => "$home/none"}, seconds => 60},
        $kubectl, '--server', $server, '--request-timeout', '20s', @words);
}

SKIP: {
    skip 'kubectl is not here', 6 if !$kubectl;
    # kubectl keeps its token to itself without TLS; this one in front says who asks.
    my $front = upstream {
        my ($r) = @_;
        my $answer = $gw->request($r->{method} => $r->{target}, $gw->as('paul'));
        return [$answer->{status}, {'Content-Type' => $answer->{headers}{'content-type'} // 'text/plain'}, $answer->{body}];
    };
    my $r = kubectl($front->url, 'get', '--raw', '/api/v1/nodes');
    isnt $r->{code}, 0, 'kubectl is denied';
    like $r->{err}, qr/^Error from server \(Forbidden\): nodes is forbidden: User "paul" cannot list resource "nodes" in API group "" at the cluster scope$/m,
        '... and shows the sentence';
    $r = kubectl($front->url, 'delete', '--raw', sprintf($pods, 'app'));
    like $r->{err}, qr/^Error from server \(Forbidden\): pods "web" is forbidden: User "paul" cannot delete resource "pods"/m,
        '... of a write, too';
    $r = kubectl($gw->url, 'get', '--raw', '/api/v1/nodes');
    isnt $r->{code}, 0, 'a stranger with kubectl';
    like $r->{err}, qr/You must be logged in to the server|\(Unauthorized\)/, '... is told to log in';
    $r = kubectl($front->url, 'get', '--raw', '/api/v1/namespaces/app/pods');
    is $r->{out}, 'core', 'and what is allowed, kubectl gets' or diag $r->{err};
}

done_testing;
