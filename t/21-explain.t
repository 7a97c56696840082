# `ksgate explain`: what it says, that it says what really happens, and what it does with input
# that is wrong.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Explain;
use Gateway;

my $json = JSON::PP->new->allow_nonref;
my $objects = <<'YAML';
apiVersion: v1
kind: Namespace
metadata: {name: proj, labels: {kubesphere.io/workspace: ws1}}
---
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {kubesphere.io/workspace: ws2}}
---
apiVersion: iam.kubesphere.io/v1beta1
kind: GlobalRole
metadata:
  name: everybody
  annotations: {ksgate.io/policy: '[{"resources": ["users"], "nameIs": "{user}"}]'}
rules: []
---
apiVersion: iam.kubesphere.io/v1beta1
kind: GlobalRoleBinding
metadata: {name: everybody}
subjects: [{kind: Group, name: system:authenticated}]
roleRef: {kind: GlobalRole, name: everybody}
---
apiVersion: iam.kubesphere.io/v1beta1
kind: WorkspaceRole
metadata: {name: ws1-viewer, labels: {kubesphere.io/workspace: ws1}}
rules:
  - {verbs: [use], apiGroups: [ksgate.io], resources: [extensionservices], resourceNames: [hello]}
  - {verbs: [get, list], apiGroups: [""], resources: [pods]}
---
apiVersion: iam.kubesphere.io/v1beta1
kind: WorkspaceRoleBinding
metadata: {name: wendy, labels: {kubesphere.io/workspace: ws1}}
subjects: [{kind: User, name: wendy}]
roleRef: {kind: WorkspaceRole, name: ws1-viewer}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: hello}
spec:
  endpoints: [{url: "BACKEND"}]
  permissions:
    - {path: "/workspaces/{workspace}/things/{name}", group: hello.io, resource: things}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: open}
spec: {access: public, endpoints: [{url: "BACKEND"}]}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: members}
spec: {access: authenticated, endpoints: [{url: "BACKEND"}]}
YAML

my $up = upstream { [200, {}, 'hello'] };
$objects =~ s/BACKEND/$up->url/ge;
my $file = spew(tempdir() . '/objects.yaml', $objects);

# ---- What is decided, offline and live ----------------------------------------------------------

# user, method, URL, status (200: allowed)
my @cases = (
    [wendy => GET => '/api/v1/namespaces/proj/pods', 200],
    [wendy => DELETE => '/api/v1/namespaces/proj/pods/p', 403],
    [wendy => GET => '/api/v1/namespaces/other/pods', 403],
    [wendy => GET => '/api/v1/watch/namespaces/other/pods?labelSelector=kubesphere.io/workspace=ws1', 403],
    [wendy => GET => '/kapis/g/v1/workspaces/ws2/x?watch=1&labelSelector=kubesphere.io/workspace=ws1', 400],
    [wendy => PUT => '/kapis/iam.kubesphere.io/v1beta1/users/wendy', 200],
    [wendy => PUT => '/kapis/iam.kubesphere.io/v1beta1/users/tom', 403],
    [wendy => GET => '/extensions/hello/index.html', 200],
    [wendy => GET => '/extensions/hello/workspaces/ws1/things/x', 200],
    [wendy => GET => '/extensions/hello/workspaces/ws2/things/x', 403],
    [wendy => GET => '/extensions/nope/x', 404],
    [tom => GET => '/extensions/hello/index.html', 403],
    [tom => GET => '/extensions/open/x', 200],
    [tom => GET => '/extensions/members/x', 200],
    [tom => GET => '/-/apis/ksgate.io/v1/extensionservices', 403],
    [undef, GET => '/extensions/open/x', 200],
    [undef, GET => '/extensions/members/x', 401],
    [undef, GET => '/extensions/hello/x', 401],
    [undef, GET => '/healthz', 200],
    [undef, GET => '/clusters/m1/healthz', 200],
    [undef, GET => '/api/v1/nodes', 401],
    [undef, GET => '/clusters/m1/api/v1', 400],
    [undef, GET => '/api/v1/watch', 400],
    [undef, GET => '/dist/../api', 400],
);

sub question {
    my ($user, $method, $url) = @_;
    return {
        method => $method, url => $url,
        $user ? (user => {name => $user, groups => ['system:authenticated']}) : (),
    };
}

my @answers = explain($objects, map { question(@$_) } @cases);
my $gw = gateway(core => $up->url, objects => $objects);
for my $i (0 .. $#cases) {
    my ($user, $method, $url, $status) = @{$cases[$i]};
    my $who = ($user // 'nobody') . " $method $url";
    is $answers[$i]{status} // 200, $status, "explained: $who";
    is $answers[$i]{decision}, $status == 200 ? 'allow' : 'deny', ' ... is ' . ($status == 200 ? 'allowed' : 'denied');
    my $r = $gw->request($method => $url, $user ? $gw->as($user) : ());
    is $r->{status}, $status, ' ... and so it happens';
    like $r->{json}{message}, qr/\Q$answers[$i]{message}\E\z/, ' ... with these words' if $status != 200;
}
is $up->seen, scalar(grep { $_->[3] == 200 } @cases), 'what was explained was not sent';

# ---- The words for people -----------------------------------------------------------------------

my $r = ksgate('explain', '--objects', $file, 'DELETE', '/api/v1/namespaces/proj/pods/p', '--as', 'wendy');
is $r->{code}, 0, 'a denial is an answer, not a failure';
like $r->{out}, qr/^decision +denied: 403$/m, 'it says that it is denied';
like $r->{out}, qr/^nearest +.*get, list are allowed by WorkspaceRole "ws1-viewer".*asked was delete/m, 'and what was nearest';

$r = $gw->ksgate_here('explain', '/extensions/hello/x', '--as', 'wendy', '-o', 'json');
my $a = $json->decode($r->{out});
is $a->{decision}, 'allow', 'the running gateway answers too';
is_deeply $a->{rule},
    {kind => 'WorkspaceRole', name => 'ws1-viewer', bindingKind => 'WorkspaceRoleBinding', binding => 'wendy', index => 0},
    'with the rule that allows it';
is_deeply $a->{endpoints}, [$up->url], 'and where it would go';

$r = $gw->ksgate_here('explain', '/api/v1/namespaces/proj/pods', '--token', $gw->token('wendy'), '-o', 'json');
is $json->decode($r->{out})->{subject}{name}, 'wendy', 'a token is verified by the gateway that holds the key';
$r = $gw->ksgate_here('explain', '/api/v1/pods', '--token', $gw->token('wendy', exp => 1), '-o', 'json');
is $json->decode($r->{out})->{status}, 401, 'and refused when it has expired';

# ---- Who asks, and from where ---------------------------------------------------------------------

{
    my $open = spew(tempdir() . '/open.yaml', join "---\n", map { $json->encode($_) . "\n" }
        {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'GlobalRole', metadata => {name => 'all'}, rules => [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}]},
        map { {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'GlobalRoleBinding', metadata => {name => lc $_->[1] =~ s/\W//gr}, roleRef => {kind => 'GlobalRole', name => 'all'}, subjects => [{kind => $_->[0], name => $_->[1]}]} }
            [Group => 'x'], [Group => 'system:unauthenticated']);
    my @attrs = (attrs => {Verb => 'list', Resource => 'nodes', ResourceRequest => JSON::PP::true, ResourceScope => 'Cluster'});
    my @url = (method => 'GET', url => '/api/v1/nodes');
    my @case = (
        [{@url}, 'allow', 'nobody is named: anonymous'], [{@attrs}, 'allow', '... also with attributes'], [{@url, user => undef}, 'allow', '... or null'],
        [{@url, user => {name => '', groups => []}}, 'deny', 'who has no name is not anonymous'], [{@attrs, user => {name => '', groups => []}}, 'deny', '... also with attributes'],
        [{@url, user => {name => '', groups => ['x']}}, 'allow', '... and has the groups that are given'], [{@url, user => {groups => ['y']}}, 'deny', '... and no others'],
    );
    my $r = ksgate({in => join '', map { $json->encode($_->[0]) . "\n" } @case}, 'explain', '--objects', $open, '--batch');
    my @out = map { $json->decode($_) } split /\n/, $r->{out};
    is $out[$_]{decision}, $case[$_][1], $case[$_][2] for 0 .. $#case;
    like $out[3]{message}, qr/User "" cannot/, '... as is said';

    my @from = ([{'X-Real-IP' => '::1'}, '9.9.9.9:1', '127.0.0.1'], [{'X-Client-IP' => '::1', 'X-Real-IP' => '1.2.3.4'}, '9.9.9.9:1', '127.0.0.1'], [{}, '[::1]:80', '127.0.0.1'], [{}, '::1', '127.0.0.1'],
        [{}, '9.9.9.9:1', '9.9.9.9'], [{}, '9.9.9.9', '9.9.9.9'], [{}, '[2001:db8::2]:80', '2001:db8::2'], [{}, '2001:db8::2', '2001:db8::2'], [{'X-Forwarded-For' => '1.1.1.1, 2.2.2.2'}, '9.9.9.9:1', '1.1.1.1, 2.2.2.2']);
    $r = ksgate({in => join '', map { $json->encode({@url, headers => $_->[0], remoteAddr => $_->[1]}) . "\n" } @from}, 'explain', '--objects', $open, '--batch');
    my @ip = map { $json->decode($_)->{requestInfo}{sourceIP} } split /\n/, $r->{out};
    is $ip[$_], $from[$_][2], "from $from[$_][1] and " . $json->encode($from[$_][0]) for 0 .. $#from;

    for ([{attrs => {verb => 'get'}}, qr/attrs\.verb: expected it written as \\?"Verb\\?"/], [{attrs => {Verb => 5}}, qr/attrs\.Verb: expected a text/],
        [{attrs => {Verb => 'get', ResourceRequest => 'true'}}, qr/attrs\.ResourceRequest: expected true or false/]) {
        like ksgate({in => $json->encode($_->[0]) . "\n"}, 'explain', '--objects', $open, '--batch')->{out}, $_->[1], 'attributes that are none are refused';
    }
}

# ---- Lines that are no case ---------------------------------------------------------------------

my @lines = ('nonsense', '[]', '{"id": 5, "method": "GET"}', '{"id": "g", "method": "GET", "url": "/x", "user": {"groups": 1}}',
    '', '{"id": "ok", "method": "GET", "url": "/healthz"}');
$r = ksgate({in => join("\n", @lines) . "\n"}, 'explain', '--objects', $file, '--batch');
my @out = map { $json->decode($_) } split /\n/, $r->{out};
is $r->{code}, 1, 'lines that are no case are a failure';
is scalar(@out), 5, 'but each line has its answer';
is_deeply [map { exists $_->{error} ? 1 : 0 } @out], [1, 1, 1, 1, 0], 'an error where it is wrong';
is_deeply [map { $_->{id} } @out[2 .. 4]], [5, 'g', 'ok'], 'with the id as it came';
is $out[4]{decision}, 'allow', 'and what follows is answered';

$r = ksgate('explain', '--objects', spew(tempdir() . '/bad.yaml', "kind: Nothing\n"), '/x');
is $r->{code}, 1, 'objects that are wrong are a failure';
like $r->{err}, qr/bad\.yaml:1:\d+: error: /, 'with their place';
is ksgate('explain')->{code}, 2, 'no URL is wrong usage';

done_testing;
