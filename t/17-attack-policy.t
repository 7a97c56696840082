# What a tenant with a valid token, a hostile extension and hostile objects try against the
# permissions: none of it gets them what their roles do not give.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical->allow_nonref;
my $core = upstream { [200, {}, 'core'] };
my $console = upstream { [200, {}, 'console'] };
my $ext = upstream { my ($r) = @_; [200, {}, $r->{target}] };

my $rows = [
    {path => '/workspaces/{workspace}/pipelines/{name}', group => 'devops.kubesphere.io', resource => 'pipelines'},
    {path => '/workspaces/{workspace}/namespaces/{namespace}/jobs', group => 'devops.kubesphere.io', resource => 'jobs'},
];
sub in_workspace { return {apiVersion => 'v1', kind => 'Namespace', metadata => {name => $_[0], labels => {'kubesphere.io/workspace' => $_[1]}}} }
my $all = [{apiGroups => ['*'], resources => ['*'], verbs => ['*']}];
my $use = [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['devops'], verbs => ['use']}];
sub registrar { return [{apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], resourceNames => [@_], verbs => ['update', 'delete']}] }

my $gw = gateway(core => $core->url, console => $console->url, config => {log => {flush => '0s'}}, objects => [
    extension('devops', $ext->url, access => 'authorized', permissions => $rows),
    extension('a', undef, access => 'authorized'),
    extension('a.b', undef, access => 'authorized'),
    extension('open', $ext->url),
    in_workspace('proj1', 'ws1'), in_workspace('proj2', 'ws2'),
    # tess administers ws1 and may use devops there; her other roles are in the cases below
    role(WorkspaceRole => 'ws1-admin', $all, 'ws1'), binding(WorkspaceRole => 'tess', 'ws1-admin', 'tess', 'ws1'),
    role(WorkspaceRole => 'ws1-devops', $use, 'ws1'), binding(WorkspaceRole => 'tess-devops', 'ws1-devops', 'tess', 'ws1'),
    # una may register backends of a and of nothing else; ugo of any extension
    role(GlobalRole => 'register-a', registrar('a')), binding(GlobalRole => 'una', 'register-a', 'una'),
    role(GlobalRole => 'register-all', [{apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], verbs => ['update', 'delete']}]),
    binding(GlobalRole => 'ugo', 'register-all', 'ugo'),
    # lea may list the summary of one extension, and write extensions and config maps
    role(GlobalRole => 'look-at-open', [{apiGroups => ['ksgate.io'], resources => ['extensions'], resourceNames => ['open'], verbs => ['list']}]),
    binding(GlobalRole => 'lea', 'look-at-open', 'lea'),
    role(GlobalRole => 'writer', [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], verbs => ['*']},
        {apiGroups => [''], resources => ['configmaps'], verbs => ['*']}]),
    binding(GlobalRole => 'wren', 'writer', 'wren'),
]);

my %as = map { $_ => [$gw->as($_)] } qw(tess una ugo lea wren nobody);
sub ask {
    my ($user, $method, $target, $body, @headers) = @_;
    push @headers, 'Content-Type' => 'application/json' if ref $body;
    $body = $json->encode($body) if ref $body;
    return $gw->request($method => $target, @{$as{$user} // []}, @headers, defined $body ? (body => $body) : ());
}
sub alive { my ($what) = @_; is $gw->request(GET => '/-/healthz')->{status}, 200, "the gateway lives after $what" }

# ---- The path that policy sees is the one that the extension gets ----------------------------------------

for (
    # What tess may in her own workspace ...
    [GET => '/workspaces/ws1/pipelines', 200],
    [GET => '/workspaces/ws1/pipelines/p', 200],
    [GET => '/index.html', 200],
    [GET => '/workspaces/ws1/namespaces/proj1/jobs', 200],
    # ... does not open another one, however it is written.
    [GET => '/workspaces/ws2/pipelines', 403],
    [GET => '/workspaces/ws2/pipelines/', 403],
    [GET => '/workspaces/ws2/pipelines///', 403],
    [GET => '/workspaces/ws%32/pipelines', 403],
    [GET => '/workspace%73/ws2/pipelines', 403],
    [HEAD => '/workspaces/ws2/pipelines', 403],
    [OPTIONS => '/workspaces/ws2/pipelines', 403],
    [DELETE => '/workspaces/ws2/pipelines/p', 403],
    [PUT => '/workspaces/ws2/pipelines/p/runs/1', 403],
    [GET => '/workspaces/ws2/pipelines?watch=true', 403],
    [GET => '/workspaces/ws2/pipelines?labelSelector=kubesphere.io/workspace=ws1&watch=true', 403],
    [GET => '/workspaces//ws2/pipelines', 400],
    [GET => '/workspaces/ws1/../ws2/pipelines', 400],
    [GET => '/workspaces/ws1%2F..%2Fws2/pipelines', 400],
    [GET => '/workspaces/ws1/..;/ws2/pipelines', 400],
    # Servers that do not mind case or parameters take these for the path of the row.
    [GET => '/Workspaces/ws2/pipelines', 403],
    [GET => '/workspaces/ws2/PIPELINES/p', 403],
    [GET => '/workspaces;x=1/ws2/pipelines', 403],
    [GET => '/workspaces/ws2/pipelines;x=1', 403],
    [GET => '/workspaces%3Bx/ws2/pipelines', 403],
    # A namespace of hers does not open the workspace that the path names.
    [GET => '/workspaces/ws2/namespaces/proj1/jobs', 403],
    [GET => '/workspaces/ws1/namespaces/proj2/jobs', 403],
    [GET => '/workspaces/ws2/namespaces/proj2/jobs', 403],
    [GET => '/workspaces/ws1/namespaces/nowhere/jobs', 403],
) {
    my ($method, $path, $status) = @$_;
    is ask(tess => $method => "/extensions/devops$path")->{status}, $status, "tess $method $path: $status";
}
is ask(tess => GET => '/kapis/x.io/v1/workspaces/ws2/namespaces/proj1/things')->{status}, 403, 'nor on a path of the core';
is ask(tess => GET => '/kapis/x.io/v1/workspaces/ws1/namespaces/proj1/things')->{status}, 200, 'which her own opens';
is ask(tess => GET => "http://127.0.0.1:" . $gw->port . "/extensions/devops/workspaces/ws2/pipelines")->{status}, 403, 'an absolute target is decided by its path';

# The first segment chooses the route: written otherwise, it chooses the same.
for (['/%6bapis/x.io/v1/things', 403], ['/api%73/x.io/v1/things', 403], ['/%2D/apis/ksgate.io/v1/extensions', 403],
    ['/%65xtensions/devops/workspaces/ws2/pipelines', 404], ['/console%2e', 200]) {
    my ($path, $status) = @$_;
    my $r = ask(nobody => GET => $path);
    is $r->{status}, $status, "$path: $status" or diag $r->{body};
}

# Headers by which some servers change method or path after the decision.
{
    my $r = ask(tess => POST => '/extensions/devops/workspaces/ws1/pipelines', '{}', 'X-HTTP-Method-Override' => 'DELETE', 'X_HTTP_Method_Override' => 'DELETE',
        'X-Original-URL' => '/workspaces/ws2/pipelines', 'X-Rewrite-URL' => '/workspaces/ws2/pipelines', 'X-HTTP-Method' => 'DELETE', 'X-Method-Override' => 'DELETE');
    is $r->{status}, 200, 'a request with headers that override method and path is served';
    my $h = $ext->last->{headers};
    is_deeply [sort grep { /override|http.method|original.url|rewrite/i } keys %$h], [], 'without them' or diag explain $h;
}

# ---- Backends that register themselves ----------------------------------------------------------------------

sub endpoint { my ($x, $id) = @_; return path_of($x) . "/endpoints/$id?wait=live" }
{
    my $url = {url => $ext->url};
    is $gw->admin(PUT => endpoint('a.b', 'c'), $url)->{status}, 201, 'a.b has a backend c';
    is ask(una => PUT => endpoint('a', 'one'), $url)->{status}, 201, 'una registers a backend of a';
    is ask(una => PUT => endpoint('a.b', 'c'), $url)->{status}, 403, 'not of a.b';
    my $r = ask(una => PUT => endpoint('a', 'b.c'), {url => 'http://127.0.0.1:1'});
    is $r->{status}, 422, 'nor under a name by which it would be the one of a.b' or diag $r->{body};
    $r = ask(una => DELETE => endpoint('a', 'b.c'));
    isnt $r->{status}, 200, 'nor may she take that one out' or diag $r->{body};
    is $gw->request(GET => '/extensions/a.b/x', $gw->as('nobody'))->{status}, 403, '(nobody may use it)';
    my ($ab) = grep { $_->{name} eq 'a.b' } @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}};
    is_deeply [map { $_->{url} } @{$ab->{endpoints}}], [$ext->url], 'and it still has it';

    # An Endpoint that somebody wrote by hand is not hers either.
    $gw->apply([{apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'a.two'}, spec => {extension => 'devops', url => $ext->url}}]);
    is ask(una => PUT => endpoint('a', 'two'), $url)->{status}, 409, 'an endpoint of another extension is not taken over';
    is ask(una => DELETE => endpoint('a', 'two'))->{status}, 404, 'nor taken out';
    is $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints/a.two')->{json}{spec}{extension}, 'devops', 'it is as it was';

    for ('%FF', '%C3%28', '%ED%A0%80') {
        isnt ask(ugo => PUT => endpoint($_, 'x'), $url)->{status}, 201, "an extension of the name $_ is none";
        isnt ask(ugo => PUT => endpoint('a', $_), $url)->{status}, 201, "nor is a backend's";
        isnt ask(ugo => DELETE => endpoint($_, 'x'))->{status}, 200, 'nor is there one to take out';
    }
    alive('names that are no UTF-8');
}

# The admin socket trusts whoever can open it: the gateway itself must not be talked into that.
{
    my $socket = 'unix:' . $gw->admin_socket;
    my $r = ask(una => PUT => endpoint('a', 'evil'), {url => $socket});
    is $r->{status}, 422, 'no unix socket registers itself' or diag $r->{body};
    $r = ask(wren => PUT => path_of('evil', 'wait=live'), extension('evil', $socket));
    like $r->{status}, qr/^(201|422)$/, 'an extension behind a unix socket';
    $r = ask(nobody => GET => '/extensions/evil/-/apis/iam.kubesphere.io/v1beta1/globalroles');
    unlike $r->{body}, qr/GlobalRole/, 'is not the admin socket' or diag $r->{body};
    isnt $r->{status}, 200, 'whose answers nobody gets';
    $r = ask(nobody => POST => '/extensions/evil/-/apis/iam.kubesphere.io/v1beta1/globalrolebindings', binding(GlobalRole => 'x', 'writer', 'nobody'));
    like $r->{status}, qr/^(401|403|404)$/, 'and to which nobody can write';
    is $gw->admin(GET => '/-/apis/iam.kubesphere.io/v1beta1/globalroles')->{status}, 200, 'others still do';
}

# ---- Selectors and names ---------------------------------------------------------------------------------------

{
    my $summary = '/-/apis/ksgate.io/v1/extensions';
    is ask(lea => GET => $summary)->{status}, 403, 'who may list one extension may not list all';
    my $r = ask(lea => GET => "$summary?fieldSelector=metadata.name=open");
    is $r->{status}, 200, 'but that one';
    is_deeply [map { $_->{name} } @{$r->{json}{items}}], ['open'], 'and gets no other';
    is ask(lea => GET => "$summary?fieldSelector=metadata.name=open&fieldSelector=metadata.name=a")->{json}{items}[0]{name}, 'open', 'not by naming a second either';
    is ask(tess => GET => '/-/apis/iam.kubesphere.io/v1beta1/users?fieldSelector=metadata.name=tess')->{status}, 403, 'a selector gives no rights';
}

# Explain is for those who may, and takes any bytes for a question.
{
    my $explain = '/-/apis/ksgate.io/v1/explain';
    is ask(tess => GET => "$explain?path=/api/v1/namespaces/proj2/secrets&as=una")->{status}, 403, 'a tenant may not ask what others may';
    is ask(tess => POST => $explain, {method => 'GET', url => '/x', user => {name => 'una'}})->{status}, 403, 'by a body neither';
    my %seen;
    for my $bytes ('%FF', '%00', '%0D%0A', 'x' x 1000, '%E2%82', '/' x 300, '%25' x 300, '{user}', '*') {
        $seen{$gw->admin(GET => "$explain?path=/$bytes&as=$bytes&method=$bytes&host=$bytes&group=$bytes")->{status}}++;
    }
    for my $value (undef, 7, '', '/', "a\0b", 'http://', '//', '*', [], {}, "\xff") {
        for my $field (qw(method url host user token headers attrs remoteAddr id)) {
            my $body = {method => 'GET', url => '/', $field => $value};
            $seen{$gw->admin(POST => $explain, $body)->{status}}++;
            $seen{$gw->admin(POST => $explain, {method => 'GET', url => '/', user => {name => $value, groups => $value}, headers => {Host => $value, 'a b' => $value}})->{status}}++;
        }
    }
    is join(' ', sort grep { !/^(200|400)$/ } keys %seen), '', 'odd questions are answered or refused' or diag explain \%seen;
    alive('odd questions');
}

# A user is who the token says, and nobody's name is a pattern.
for ('*', 'ks-managed/../tess', 'tess ', 'Tess', '{user}', "te\xcc\x81ss") {
    my $r = $gw->request(GET => '/extensions/devops/workspaces/ws1/pipelines', $gw->as($_));
    like $r->{status}, qr/^40[13]$/, 'a user with a strange name is nobody else';
}
for (['system:anonymous', 401], ["tess\n", 401], ["tess\0", 401], ["t\x7f", 401], ['x' x 257, 401], ['', 401]) {
    is $gw->request(GET => '/extensions/devops/workspaces/ws1/pipelines', $gw->as($_->[0]))->{status}, $_->[1], 'a name that nobody can have is refused';
}

# ---- What is taken can be read again -----------------------------------------------------------------------------

{
    my $map = '/-/api/v1/namespaces/proj1/configmaps/nul';
    my @yaml = ('Content-Type' => 'application/yaml');
    is ask(wren => PUT => $map, "data: {a: 'one'}\n", @yaml)->{status}, 201, 'a config map';
    for ("data: {a: \"x\\0y\"}\n", "metadata: {labels: {a: \"x\\0y\"}}\n", "data: [[\"\\0\"]]\n") {
        my $r = ask(wren => PUT => $map, $_, @yaml);
        is $r->{status}, 422, 'with a NUL byte in it is refused' or diag $r->{body};
        like $r->{body}, qr/NUL/, 'and it is said why';
    }
    is ask(wren => PUT => $map, "data: {a: 1, b: .5, c: 1.0e+300, d: -0x10, e: ~}\n", @yaml)->{status}, 200, 'with numbers of all kinds it is taken';
    is ask(wren => GET => $map)->{json}{data}{a}, 1, 'and can be read';
    unlike $gw->stderr, qr/is no object and is skipped/, 'nothing that was taken is unreadable';
}

# Fields of every wrong type, too many and too deep: a refusal, not a crash.
{
    my @values = (undef, JSON::PP::true, 7, -1, 1e300, '', 'x', 'x' x 70000, [], [[]], [{}], {}, {a => {}}, ['x'], {'' => 1}, "\xf4\x8f\xbf\xbf");
    my @fields = map { "spec.$_" } qw(enabled access endpoints service path directives loadBalancer healthCheck outlier limits timeouts retry
        versions workspaces permissions identity tls);
    my %seen;
    for my $field (@fields, 'spec', 'metadata', 'metadata.labels', 'metadata.annotations', 'metadata.resourceVersion', 'apiVersion', 'kind') {
        for my $value (@values) {
            my $o = extension('fuzzed', 'http://127.0.0.1:1');
            my @way = split /\./, $field;
            my $at = $o;
            $at = $at->{shift @way} while @way > 1;
            $at->{$way[0]} = $value;
            $seen{ask(wren => PUT => path_of('fuzzed', 'dryRun=All'), $o)->{status}}++;
        }
    }
    is join(' ', sort grep { !/^(20[01]|400|409|422)$/ } keys %seen), '', 'wrong fields are answered with 2xx, 400, 409 or 422' or diag explain \%seen;
    for (['[' x 5000, 400], ['{"a":' x 5000, 400], ['{"metadata":' . '[' x 100 . ']' x 100 . '}', 422], ['"x"', 400], ['', 400], ["\xff", 400]) {
        my $r = ask(wren => PUT => path_of('fuzzed'), $_->[0], 'Content-Type' => 'application/json');
        is $r->{status}, $_->[1], 'a body that is no object is refused' or diag $r->{body};
    }
    my $bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" . join '', map { "a$_: &a$_ [" . join(',', ('*a' . ($_ - 1)) x 9) . "]\n" } 1 .. 20;
    is ask(wren => PUT => path_of('fuzzed'), $bomb, 'Content-Type' => 'application/yaml')->{status}, 400, 'and a YAML bomb';
    alive('wrong objects');
}

# ---- The body does not say more than the path ------------------------------------------------------------------------

for (
    [PUT => 'open', {metadata => {name => 'devops'}}, 400],
    [PATCH => 'open', {metadata => {name => 'devops'}}, 400],
    [PATCH => 'open', {kind => 'Endpoint'}, 400],
    [PUT => 'open', {kind => 'GlobalRole', apiVersion => 'iam.kubesphere.io/v1beta1'}, 400],
    [PUT => 'open', {metadata => {namespace => 'proj1'}}, 422],
) {
    my ($method, $name, $body, $status) = @$_;
    my $r = ask(wren => $method => path_of($name), $json->encode($body), 'Content-Type' => 'application/' . ($method eq 'PATCH' ? 'merge-patch+json' : 'json'));
    is $r->{status}, $status, "$method of " . $json->encode($body) . " at $name: $status" or diag $r->{body};
}
{
    my $maps = '/-/api/v1/namespaces/proj1/configmaps';
    is ask(wren => POST => $maps, {metadata => {name => 'm', namespace => 'proj2'}})->{status}, 400, 'a namespace in the body is that of the path';
    is ask(tess => POST => $maps, {metadata => {name => 'm'}})->{status}, 201, 'tess may write to her namespace';
    is ask(tess => POST => '/-/api/v1/configmaps', {metadata => {name => 'm', namespace => 'proj1'}})->{status}, 403, 'but not by leaving it out of the path';
    is ask(tess => PUT => '/-/api/v1/namespaces/proj2/configmaps/m', {})->{status}, 403, 'nor to another\'s';
    is ask(tess => PUT => '/-/api/v1/namespaces/proj2', {metadata => {labels => {'kubesphere.io/workspace' => 'ws1'}}})->{status}, 403, 'nor make it hers';
    is ask(tess => PUT => '/-/api/v1/namespaces/proj1', {})->{status}, 403, 'nor change what hers belongs to';
    is ask(tess => PUT => '/-/api/v1/namespaces/proj1/status', {})->{status}, 403, 'not by its status either';
    for ("/-/api/v1/watch/namespaces/proj1/configmaps", "/-/api/v1/proxy/namespaces/proj1/configmaps/m") {
        is ask(tess => GET => $_)->{status}, 404, "$_ is nothing";
    }
}

# ---- A namespace that moves, a role that goes and comes back ----------------------------------------------------------

{
    my $pods = '/api/v1/namespaces/proj1/pods';
    is ask(tess => GET => $pods)->{status}, 200, 'tess may see the pods of her namespace';
    $gw->admin(PUT => '/-/api/v1/namespaces/proj1?wait=live', in_workspace('proj1', 'ws2'));
    is ask(tess => GET => $pods)->{status}, 403, 'no more when it has moved to another workspace';
    $gw->admin(DELETE => '/-/api/v1/namespaces/proj1?wait=live');
    is ask(tess => GET => $pods)->{status}, 403, 'nor when it is gone';
    $gw->admin(PUT => '/-/api/v1/namespaces/proj1?wait=live', in_workspace('proj1', 'ws1'));
    is ask(tess => GET => $pods)->{status}, 200, 'again when it is back';
    my $place = '/-/apis/iam.kubesphere.io/v1beta1/workspaceroles/ws1-admin?wait=live';
    $gw->admin(DELETE => $place);
    is ask(tess => GET => $pods)->{status}, 403, 'a role that is deleted gives nothing';
    $gw->admin(PUT => $place, role(WorkspaceRole => 'ws1-admin', [{apiGroups => [''], resources => ['nodes'], verbs => ['*']}], 'ws1'));
    is ask(tess => GET => $pods)->{status}, 403, 'one that comes back gives what it says now';
    $gw->admin(PUT => $place, role(WorkspaceRole => 'ws1-admin', $all, 'ws1'));
    is ask(tess => GET => $pods)->{status}, 200, 'and what it said before when it says that again';
    my $twice = binding(WorkspaceRole => 'tess', 'ws1-admin', 'tess', 'ws1');
    $twice->{subjects} = [(@{$twice->{subjects}}) x 3];
    my $bind = '/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings/tess?wait=live';
    $gw->admin(PUT => $bind, $twice);
    is ask(tess => GET => $pods)->{status}, 200, 'a binding that names her three times';
    $gw->admin(DELETE => $bind);
    is ask(tess => GET => $pods)->{status}, 403, 'is gone when it is deleted once';
}

# A binding of no workspace gives nothing, `use` neither.
{
    my $lost = binding(WorkspaceRole => 'lost', 'ws1-devops', 'wanda', 'ws1');
    delete $lost->{metadata}{labels};
    $gw->admin(PUT => '/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings/lost?wait=live', $lost)->{status} == 201 or die;
    is $gw->request(GET => '/extensions/devops/index.html', $gw->as('wanda'))->{status}, 403, 'a binding of no workspace does not open an extension';
}

alive('all of this');
is $gw->stop, 0, 'it stops as it should';
done_testing;
