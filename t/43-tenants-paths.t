# A tenant who has every right in a workspace, and each trick of writing a path, a query or a request: what
# is of another workspace is never reached.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, 'core'] };
my $back = upstream { [200, {}, 'backend'] };
my $all = [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}];
sub ns { return {apiVersion => 'v1', kind => 'Namespace', metadata => {name => $_[0], labels => {'kubesphere.io/workspace' => $_[1]}}} }
my $gw = gateway(core => $core->url, workers => 2, objects => [
    ns('proj1', 'ws1'), ns('proj2', 'ws2'),
    (map { role(WorkspaceRole => "admin$_", $all, "ws$_") } 1, 2),
    binding(WorkspaceRole => 'tom', 'admin1', 'tom', 'ws1'), binding(WorkspaceRole => 'ted', 'admin2', 'ted', 'ws2'),
    # whose pages are for all, and whose things are for tenants
    extension('shop', $back->url, access => 'authorized', permissions => [
        {path => '/workspaces/{workspace}/things/{name}', group => 'shop.io', resource => 'things'},
        {path => '/namespaces/{namespace}/things/{name}', group => 'shop.io', resource => 'things'}]),
    role(GlobalRole => 'pages', [{verbs => ['*'], nonResourceURLs => ['/extensions/shop/*']}]),
    binding(GlobalRole => 'pages', 'pages', 'system:authenticated'),
]);
my ($ted) = map { "$_->[0]: $_->[1]" } [$gw->as('ted')];
my ($tom) = map { "$_->[0]: $_->[1]" } [$gw->as('tom')];

# The status; the bytes go as they are.
sub status_of {
    my ($who, $line, $more) = @_;
    my ($status) = $gw->raw("$line HTTP/1.1\r\nHost: h\r\n$who\r\nConnection: close\r\n" . ($more // '') . "\r\n") =~ m{\AHTTP/1\.1 (\d+)};
    return $status // 0;
}

# ---- The ways to write it ------------------------------------------------------------------------

my @places = ('/api/v1/namespaces/proj1/pods', '/apis/apps/v1/namespaces/proj1/deployments/d', '/kapis/tenant.kubesphere.io/v1beta1/workspaces/ws1/namespaces',
    '/kapis/resources.kubesphere.io/v1alpha3/namespaces/proj1/pods', '/kapi/v1/namespaces/proj1/pods', '/kapis/x.io/v1/workspaces/ws1/namespaces/proj1/things',
    '/kapis/x.io/v1/workspaces/ws2/namespaces/proj1/things', '/kapis/x.io/v1/workspaces/ws1/namespaces/proj2/things', '/kapis/x.io/v1/workspaces/ws1/things/ws2',
    '/extensions/shop/workspaces/ws1/things', '/extensions/shop/workspaces/ws1/things/a', '/extensions/shop/namespaces/proj1/things/a/b');

sub every { my ($path, $what, $with) = @_; my @found; while ($path =~ /$what/g) { push @found, substr($path, 0, $-[0]) . $with->($&) . substr $path, $+[0] } return @found }
sub hex_of { my ($format) = @_; return sub { join '', map { sprintf $format, ord } split //, $_[0] } }
sub tricks {
    my ($path) = @_;
    my $last = qr/(?:proj1|ws1|namespaces|workspaces|things)(?=\/|\z)/;
    return (
        $path, "$path/", "$path?", "$path?x=/../", "$path;", "$path;x=1", "$path/;", "$path/.", "$path/./", "$path//", "$path/..;/", "$path%00", "$path%20", "$path%23", "$path%3F", "$path%3fa=b", "$path%09",
        "http://h$path", "http://other$path", "//h$path", "/$path", "/.$path", "/x/..$path", "/%2e$path", "/x/%2e%2e$path", "/x%2f..$path", "/;$path", "/..$path", "/../..$path", "/dist/..$path", "/dist/%2e%2e$path",
        "/dist/..%2f" . substr($path, 1), "/dist/..%252f" . substr($path, 1), "/dist/..;$path", "/dist/.%2e$path", "/dist\\..$path", "/dist/..%5c" . substr($path, 1), "/dist/%c0%ae%c0%ae$path", "/oauth/..$path", "/version/..$path",
        "/clusters/c$path", "/clusters/c/clusters/d$path", "/clusters/$path", "/clusters/..$path", "/clusters/c/..$path", "/clusters%2Fc$path", "/clusters/c%2F$path",
        every($path, $last, sub { lc hex_of('%%%02x')->(@_) }), every($path, $last, hex_of('%%%02X')), every($path, $last, hex_of('%%25%02x')), every($path, $last, sub { ucfirst $_[0] }), every($path, $last, sub { uc $_[0] }),
        every($path, $last, sub { "$_[0];" }), every($path, $last, sub { "$_[0];a=b" }), every($path, $last, sub { ";$_[0]" }), every($path, $last, sub { "$_[0]%00" }), every($path, $last, sub { "$_[0]%20" }), every($path, $last, sub { "%20$_[0]" }), every($path, $last, sub { "$_[0]." }),
        every($path, qr{/}, sub { '%2F' }), every($path, qr{/}, sub { '%2f' }), every($path, qr{/}, sub { '%252F' }), every($path, qr{/}, sub { '//' }), every($path, qr{/}, sub { '/./' }), every($path, qr{/}, sub { '/%2E/' }), every($path, qr{/}, sub { '/x/../' }),
        every($path, qr{/}, sub { '/x/%2e%2e/' }), every($path, qr{/}, sub { '/x/..;/' }), every($path, qr{/}, sub { '\\' }), every($path, qr{/}, sub { '%5C' }), every($path, qr{/}, sub { '/x%2F..%2F' }), every($path, qr{/}, sub { '/%00/' }), every($path, qr{/}, sub { '/;/' }), every($path, qr{/}, sub { '%c0%af' }),
        # from what is ted's
        every($path, qr/proj1/, sub { 'proj2/../proj1' }), every($path, qr/proj1/, sub { 'proj2%2F..%2Fproj1' }), every($path, qr/proj1/, sub { 'proj2/%2e%2e/proj1' }), every($path, qr/proj1/, sub { 'proj2/pods/../../proj1' }), every($path, qr/proj1/, sub { 'proj2\\..\\proj1' }),
        every($path, qr/ws1/, sub { 'ws2/../ws1' }), every($path, qr/ws1/, sub { 'ws2%2f..%2fws1' }), every($path, qr/ws1/, sub { 'ws2/%2E./ws1' }), every($path, qr/ws1/, sub { 'ws2;/../ws1' }), every($path, qr/proj1/, sub { 'proj2/namespaces/proj1/..' }),
    );
}
# Another way to ask for the same, and what narrows it.
my @queries = map { my $query = $_; map { "$_?$query" } @places[0 .. 5] } 'watch=true&labelSelector=kubesphere.io/workspace=ws2', 'watch=1&labelSelector=kubesphere.io%2Fworkspace%3Dws2', 'labelSelector=kubesphere.io/workspace=ws2&watch=true&labelSelector=kubesphere.io/workspace=ws1',
    'watch=true&labelSelector=kubesphere.io/workspace%3D%3Dws2', 'watch=true;labelSelector=kubesphere.io/workspace=ws2', 'fieldSelector=metadata.namespace=proj2', 'fieldSelector=metadata.name=ws2', 'namespace=proj2', 'workspace=ws2', 'dryRun=All', 'watch=%74rue&%6cabelSelector=kubesphere.io/workspace=ws2';
my @wide = ('/api/v1/pods', '/api/v1/namespaces', '/api/v1/namespaces/proj1', '/api/v1/nodes', '/apis/apps/v1/deployments', '/kapis/tenant.kubesphere.io/v1beta1/workspaces', '/kapis/tenant.kubesphere.io/v1beta1/workspaces/ws1', '/kapis/tenant.kubesphere.io/v1beta1/workspacetemplates/ws1',
    '/kapis/iam.kubesphere.io/v1beta1/users', '/kapis/iam.kubesphere.io/v1beta1/workspaces/ws1/workspacemembers', '/api/v1/watch/namespaces/proj1/pods', '/api/v1/proxy/namespaces/proj1/services/s', '/api/v1/watch/pods', '/api/v1/pods?labelSelector=kubesphere.io/workspace=ws2',
    '/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=ws1', '/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=ws2,kubesphere.io/workspace=ws1', '/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=ws1&labelSelector=kubesphere.io/workspace=ws2',
    '/api/v1/pods?watch=true&labelSelector=a=b,kubesphere.io/workspace=ws2', '/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace%20in%20(ws1,ws2)', '/api/v1/pods?watch=false&labelSelector=kubesphere.io/workspace=ws2', '/api/v1/pods?watch=true&labelSelector=!kubesphere.io/workspace');

sub reached { my ($up, $method, @paths) = @_; my @found; for my $path (@paths) { my $before = $up->seen; my $status = status_of($ted, "$method $path"); push @found, "$method $path: $status" if $status < 300 || $up->seen != $before } return @found }

$_->forget for $core, $back;
my ($n, @through) = (0);
for my $method (qw(GET POST DELETE)) {
    # Of an extension, "/;things/" is to some servers another word, and to the others no word at all; and a cluster's is its own gateway's.
    my @tricks = grep { !m{^/clusters/c/extensions/|^/extensions/.*/;\w} } map { tricks($_) } @places;
    for my $path (@tricks, $method eq 'GET' ? (@queries, @wide) : ()) {
        my $status = status_of($ted, "$method $path", $method eq 'POST' ? "Content-Length: 0\r\n" : '');
        $n++;
        push @through, "$method $path: $status" if $status < 300 || $status >= 500;
    }
}
is_deeply \@through, [], "none of $n requests got through";
is_deeply [map { "$_->{method} $_->{target}" } $core->requests, $back->requests], [], '... nor to a backend';

for my $path (@places, map { "$_?watch=true" } @places) {
    my $upgrade = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    my $status = status_of($ted, "GET $path", $upgrade);
    is $status, 403, "nor as a WebSocket to $path";
}
# Words in headers that some servers take for the path, the method or the caller.
for my $line ('X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Prefix', 'X-Forwarded-Uri', 'X-HTTP-Method-Override', 'X-Remote-User', 'X-Remote-Group', 'Impersonate-User', 'Impersonate-Group') {
    my $value = $line =~ /User/ ? 'tom' : $line =~ /Group/ ? 'system:masters' : $line =~ /Method/ ? 'GET' : '/api/v1/namespaces/proj2/pods';
    is status_of($ted, 'GET /api/v1/namespaces/proj1/pods', "$line: $value\r\n"), 403, "nor with $line";
}
is scalar($core->requests), 0, 'and no backend has heard of it';

# The test can see what gets through.
is status_of($ted, "GET $_"), 200, "ted reaches $_" for '/api/v1/namespaces/proj2/pods', '/kapis/tenant.kubesphere.io/v1beta1/workspaces/ws2/namespaces', '/api/v1/pods?watch=true&labelSelector=kubesphere.io/workspace=ws2',
    '/clusters/c/api/v1/namespaces/proj2/pods', '/kapis/x.io/v1/workspaces/ws2/namespaces/proj2/things', '/extensions/shop/workspaces/ws2/things/a', '/extensions/shop/page', '/api/v1/namespaces/%70roj2/pods';
is status_of($tom, "GET $_"), 200, "tom reaches $_" for @places[0 .. 5, 9 .. 11];

done_testing;
