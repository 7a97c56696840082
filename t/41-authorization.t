# Who may do what: the demonstration's world in all four scopes, extensions of every kind, and
# that explain says what happens.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Explain ();
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical->allow_nonref;
my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'extension'] };

my $greetings = [{path => '/workspaces/{workspace}/greetings/{name}', group => 'hello.ksgate.io', resource => 'greetings'},
    {path => '/namespaces/{namespace}/jobs', group => 'hello.ksgate.io', resource => 'jobs'}];
my $gw = gateway(core => $core->url, objects => slurp('conf/demo/objects.yaml'));
$gw->apply([
    extension('hello', $ext->url, access => 'authorized', permissions => $greetings),
    extension('members', $ext->url, access => 'authenticated'),
    extension('open', $ext->url),
    extension('off', $ext->url, enabled => JSON::PP::false),
    extension('bare', undef, access => 'authorized'),
    extension('closed', $ext->url, access => 'authorized'),
    # carol may look at nodes, dan use the extension "closed", eve read what is registered.
    role(ClusterRole => 'node-viewer', [{apiGroups => [''], resources => ['nodes'], verbs => ['get', 'list']}]),
    binding(ClusterRole => 'carol-nodes', 'node-viewer', 'carol'),
    role(GlobalRole => 'closed-user', [
        {apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['closed'], verbs => ['use']},
    ]),
    binding(GlobalRole => 'dan-closed', 'closed-user', 'dan'),
    role(GlobalRole => 'registrar', [
        {apiGroups => ['ksgate.io'], resources => ['extensionservices', 'extensions', 'explain'], verbs => ['get', 'list', 'create']},
        {apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], verbs => ['update', 'delete']},
        {nonResourceURLs => ['/-/metrics'], verbs => ['GET', 'get']},
    ]),
    binding(GlobalRole => 'eve-registrar', 'registrar', 'eve'),
]);

my $ks = '/kapis/tenant.kubesphere.io/v1beta1';
# user, method, path, status
my @cases = (
    # Global
    [admin => GET => "$ks/workspaces", 200],
    [admin => DELETE => '/api/v1/namespaces/demo-app', 200],
    [admin => GET => '/extensions/closed/x', 200],
    [alice => GET => '/kapis/iam.kubesphere.io/v1beta1/users', 403],
    [undef, GET => "$ks/workspaces", 401],
    # Workspace
    [alice => GET => "$ks/workspaces/demo/namespaces", 200],
    [alice => POST => "$ks/workspaces/demo/namespaces", 200],
    [alice => GET => "$ks/workspaces/other/namespaces", 403],
    [bob => GET => "$ks/workspaces/other/namespaces", 200],
    [bob => POST => "$ks/workspaces/other/namespaces", 403],
    [bob => GET => "$ks/workspaces/demo/namespaces", 403],
    [carol => GET => "$ks/workspaces/demo/namespaces", 403],
    [undef, GET => "$ks/workspaces/demo/namespaces", 401],
    # Cluster
    [carol => GET => '/api/v1/nodes', 200],
    [carol => GET => '/api/v1/nodes/n1', 200],
    [carol => DELETE => '/api/v1/nodes/n1', 403],
    [alice => GET => '/api/v1/nodes', 403],
    # Namespace: of a workspace, and by a role in it
    [alice => GET => '/api/v1/namespaces/demo-app/pods', 200],
    [alice => GET => '/api/v1/namespaces/other-app/pods', 403],
    [bob => GET => '/api/v1/namespaces/demo-test/pods', 200],
    [bob => DELETE => '/apis/apps/v1/namespaces/demo-test/deployments/d', 200],
    [bob => GET => '/api/v1/namespaces/demo-app/pods', 403],
    [bob => GET => '/apis/batch/v1/namespaces/demo-test/jobs', 403],
    # Extensions: the front door by nonResourceURLs, resources of tenants by their rows
    [alice => GET => '/extensions/hello/', 200],
    [bob => POST => '/extensions/hello/', 403],
    [carol => GET => '/extensions/hello/ws', 200],
    [carol => GET => '/extensions/hello/secret', 403],
    [alice => GET => '/extensions/hello/workspaces/demo/greetings/world', 200],
    [alice => DELETE => '/extensions/hello/workspaces/demo/greetings/world', 200],
    [alice => GET => '/extensions/hello/workspaces/other/greetings/world', 403],
    [bob => GET => '/extensions/hello/workspaces/other/greetings/world', 200],
    [bob => DELETE => '/extensions/hello/workspaces/other/greetings/world', 403],
    [bob => GET => '/extensions/hello/workspaces/demo/greetings/world', 403],
    [alice => GET => '/extensions/hello/namespaces/demo-app/jobs', 200],
    [alice => GET => '/extensions/hello/namespaces/other-app/jobs', 403],
    [undef, GET => '/extensions/hello/workspaces/demo/greetings/world', 401],
    # The verb use
    [dan => GET => '/extensions/closed/anything', 200],
    [dan => DELETE => '/extensions/closed/anything/else', 200],
    [dan => GET => '/extensions/hello/secret', 403],
    [bob => GET => '/extensions/closed/anything', 403],
    [carol => GET => '/extensions/closed/anything', 403],
    # Levels of access
    [undef, GET => '/extensions/open/x', 200],
    [undef, GET => '/extensions/members/x', 401],
    [carol => GET => '/extensions/members/x', 200],
    [undef, GET => '/extensions/closed/x', 401],
    # Not there, not on, nobody behind it
    [admin => GET => '/extensions/nothing/x', 404],
    [admin => GET => '/extensions/off/x', 503],
    [undef, GET => '/extensions/off/x', 503],
    [undef, GET => '/extensions/bare/x', 401],
    # The gateway's own
    [undef, GET => '/-/healthz', 200],
    [undef, GET => '/-/apis/ksgate.io/v1/extensionservices', 401],
    [alice => GET => '/-/apis/ksgate.io/v1/extensionservices', 403],
    [alice => GET => '/-/metrics', 403],
    [eve => GET => '/-/apis/ksgate.io/v1/extensionservices', 200],
    [eve => GET => '/-/apis/ksgate.io/v1/extensionservices/hello', 200],
    [eve => GET => '/-/apis/ksgate.io/v1/extensions', 200],
    [eve => DELETE => '/-/apis/ksgate.io/v1/extensionservices/hello', 403],
    [eve => GET => '/-/metrics', 200],
    [eve => GET => '/-/apis/iam.kubesphere.io/v1beta1/globalroles', 403],
    [admin => GET => '/-/apis/iam.kubesphere.io/v1beta1/globalroles', 200],
    # Everybody's
    [undef, GET => '/version', 200],
    [undef, GET => '/healthz', 200],
);

my %as = map { $_ => [$gw->as($_)] } grep { defined } map { $_->[0] } @cases;
for my $case (@cases) {
    my ($user, $method, $path, $status) = @$case;
    my $who = ($user // 'nobody') . " $method $path";
    my $r = $gw->request($method => $path, $user ? @{$as{$user}} : ());
    is $r->{status}, $status, "$who: $status";
    my $as = $user ? "&as=$user&group=system:authenticated" : '';
    my $why = $gw->admin(GET => "/-/apis/ksgate.io/v1/explain?method=$method&path=$path$as");
    is $why->{status}, 200, '... explain answers' or diag $why->{body};
    my $said = $why->{json}{status} // 200;
    is $said, $status, '... the same' or diag $why->{body};
    # Where there is nothing to be asked, explain still says whether it would be allowed.
    is $why->{json}{decision}, ($status == 200 ? 'allow' : 'deny'), '... and decides so' or diag $why->{body} if $status < 404;
    if ($status == 403) {
        is $r->{json}{reason}, 'Forbidden', '... a Status';
        like $r->{json}{message}, qr/\Q$why->{json}{message}\E\z/, '... with the same words';
    }
}
is $gw->request(GET => '/extensions/bare/x', @{$as{admin}})->{status}, 503, 'an extension without a backend: 503 to who may come';

# ---- The words of a refusal ---------------------------------------------------------------------------

{
    my $r = $gw->request(GET => '/api/v1/namespaces/demo-app/pods', @{$as{bob}});
    like $r->{json}{message}, qr/pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "demo-app"/,
        'who was refused, and what was asked, in Kubernetes\' words';
    unlike $r->{body}, qr/operator|viewer|demo-admin/, 'but not which roles there are';
    $r = $gw->request(GET => '/extensions/hello/secret', @{$as{bob}});
    like $r->{json}{message}, qr{User "bob" cannot GET path "/extensions/hello/secret"}i, 'for a path too';
}

# ---- A change of roles is live --------------------------------------------------------------------------

{
    my $path = "$ks/workspaces/demo/namespaces";
    my $bind = '/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings/carol-demo?wait=live';
    is $gw->admin(PUT => $bind, binding(WorkspaceRole => 'carol-demo', 'demo-admin', 'carol', 'demo'))->{status}, 201,
        'carol is bound to a role';
    is $gw->request(GET => $path, @{$as{carol}})->{status}, 200, 'and may at once';
    is $gw->admin(PATCH => '/-/apis/iam.kubesphere.io/v1beta1/workspaceroles/demo-admin?wait=live',
        '{"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["list"]}]}', 'Content-Type' => 'application/merge-patch+json')->{status},
        200, 'the role shrinks';
    is $gw->request(POST => $path, @{$as{alice}})->{status}, 403, 'who had it may less at once';
    is $gw->request(GET => $path, @{$as{carol}})->{status}, 200, 'and the rest still';
    is $gw->admin(DELETE => $bind)->{status}, 200, 'carol is unbound';
    is $gw->request(GET => $path, @{$as{carol}})->{status}, 403, 'and may no more at once';
    is $gw->admin(PATCH => '/-/apis/ksgate.io/v1/extensionservices/open?wait=live', '{"spec": {"access": "authorized"}}',
        'Content-Type' => 'application/merge-patch+json')->{status}, 200, 'an open extension is closed';
    is $gw->request(GET => '/extensions/open/x')->{status}, 401, 'and nobody in particular may come no more';
}

# ---- The interface by a token, as by the socket -----------------------------------------------------------

{
    my $place = '/-/apis/ksgate.io/v1/extensionservices/bare/endpoints/one';
    my @body = ('Content-Type' => 'application/json', body => $json->encode({url => $ext->url}));
    is $gw->request(PUT => $place, @body)->{status}, 401, 'a backend that does not say who it is can not register';
    is $gw->request(PUT => $place, @{$as{alice}}, @body)->{status}, 403, 'nor one that may not';
    is $gw->request(PUT => $place, @{$as{eve}}, @body)->{status}, 201, 'one that may, can';
    is $gw->request(GET => '/extensions/bare/x', @{$as{admin}})->{status}, 200, 'and is asked';
    is $gw->request(DELETE => $place, @{$as{eve}})->{status}, 200, 'and leaves';
    my $explain = '/-/apis/ksgate.io/v1/explain?path=/x&as=admin';
    is $gw->request(GET => $explain, @{$as{alice}})->{status}, 403, 'who may not ask about others is refused';
    is $gw->request(GET => $explain, @{$as{eve}})->{status}, 200, 'who may, is answered';
    is $gw->request(GET => '/-/nothing', @{$as{admin}})->{status}, 404, 'what is not there is not found';
    is $gw->request(DELETE => '/-/metrics', @{$as{admin}})->{status}, 405, 'a method that is not there is not allowed';
}

# ---- The shared vectors, by a running gateway ------------------------------------------------------------------

sub decision {
    my ($answer) = @_;
    return $json->encode({map { $_ => $answer->{$_} } qw(requestInfo decision reason status message nearest rule)});
}

SKIP: {
    my $rbac = Explain::vectors('rbac_rules.json') or skip 'the shared vectors are not here', 1;
    my ($same, $ran) = (0, 0);
    for my $name (sort keys %{$rbac->{worlds}}) {
        my $world = Explain::world($rbac->{worlds}{$name});
        my @cases = grep { $_->{world} eq $name } @{$rbac->{cases}} or next;
        my @asked = map { my $c = $_; +{map { $_ => $c->{$_} } grep { exists $c->{$_} } qw(method url headers user attrs)} } @cases;
        my @offline = Explain::explain($world, @asked);
        my $live = gateway(core => $core->url, objects => $world);
        my $lines = join '', map { $json->encode({%{$asked[$_]}, id => $_}) . "\n" } 0 .. $#asked;
        my $r = ksgate({in => $lines}, 'explain', '-c', $live->file, '--batch');
        my @online = map { JSON::PP->new->utf8->decode($_) } split /\n/, $r->{out};
        for my $i (0 .. $#asked) {
            my ($one, $two) = map { decision($_) } $offline[$i], $online[$i];
            $ran++;
            $one eq $two ? $same++ : diag "$cases[$i]{name}:\n  offline $one\n  live    $two";
        }
        is $live->stop, 0, "the gateway of the world '$name' stops";
    }
    is $same, $ran, "a running gateway decides $ran vectors as explain --objects does";
}

done_testing;
