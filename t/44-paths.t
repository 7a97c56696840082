# Paths that can be read in two ways: refused, unless their route allows them; what is allowed
# then, what never is, and that `explain` says the same.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $up = upstream { [200, {}, $_[0]{target}] };
my @permissions = (permissions => [{path => '/workspaces/{workspace}/things/{name}', group => 'things.io', resource => 'things'}]);
my %all = (path => {allow => [qw(encodedSlash doubleEncodedSlash emptySegments)]});
my @objects = (
    extension('strict', $up->url),
    extension('slash', $up->url, path => {allow => ['encodedSlash']}),
    extension('double', $up->url, path => {allow => ['doubleEncodedSlash']}),
    extension('empty', $up->url, path => {allow => ['emptySegments']}),
    extension('all', $up->url, %all),
    extension('whole', $up->url, path => {stripPrefix => JSON::PP::false, allow => ['encodedSlash']}),
    extension('off', $up->url, %all, enabled => JSON::PP::false),
    extension('tenants', $up->url, %all, access => 'authorized', @permissions),
    role(GlobalRole => 'walker', [{verbs => ['*'], nonResourceURLs => ['/extensions/tenants/*']}]),
    binding(GlobalRole => 'walker', 'walker', 'wanda'),
    role(WorkspaceRole => 'ws1-things', [{verbs => ['*'], apiGroups => ['things.io'], resources => ['things']}], 'ws1'),
    binding(WorkspaceRole => 'ws1-things', 'ws1-things', 'tom', 'ws1'),
    role(GlobalRole => 'one', [{verbs => ['GET'], nonResourceURLs => ['/proxy/pub/a%2Fb']}, {verbs => ['GET'], nonResourceURLs => ['/proxy/dir/*']}]),
    binding(GlobalRole => 'one', 'one', 'oona'),
);
my $gw = gateway(core => $up->url, console => $up->url, objects => \@objects, config => {core => {allow_paths => ['encoded_slash']}});
my $c = $gw->connect;

# The status, live and from explain, which must be the same (200: it may).
sub both {
    my ($path, @as) = @_;
    my @headers = @as ? $gw->as(@as) : ();
    my $r = $c->request(GET => $path, @headers);
    my $e = $gw->ksgate_here('explain', '-o', 'json', @as ? ('--as', @as) : (), 'GET', $path);
    my $said = eval { JSON::PP::decode_json($e->{out}) } // {status => "none: $e->{out}$e->{err}"};
    my $status = $said->{status} || 200;
    return $r->{status} if $r->{status} eq $status;
    return "live $r->{status}, explained $status";
}

# ---- What is allowed ---------------------------------------------------------------------------------

for (
    # path, what the backend sees
    ['/extensions/slash/projects/a%2Fb', '/projects/a%2Fb'],
    ['/extensions/slash/projects/a%2fb?x=%2F', '/projects/a%2fb?x=%2F'],
    ['/extensions/slash/a%2F', '/a%2F'],
    ['/extensions/double/repositories/a%252Fb/artifacts', '/repositories/a%252Fb/artifacts'],
    ['/extensions/empty/a//b', '/a//b'],
    ['/extensions/all/a%2Fb//c%252fd', '/a%2Fb//c%252fd'],
    ['/extensions/whole/a%2Fb', '/extensions/whole/a%2Fb'],
    ['/console/a%2Fb', '/console/a%2Fb'],
) {
    my ($path, $seen) = @$_;
    is both($path), 200, "$path is let through";
    is $up->last->{target}, $seen, 'byte for byte';
}

# ---- What is not -------------------------------------------------------------------------------------

$up->forget;
for (
    # nobody has allowed it here
    '/extensions/strict/a%2Fb', '/extensions/strict/a//b', '/extensions/strict/a%252Fb', '/extensions/slash/a//b', '/extensions/slash/a%252Fb',
    '/extensions/double/a%2Fb', '/extensions/empty/a%2Fb', '/extensions/slash/a%2F%2Fb', '/extensions/unknown/a%2Fb', '/console/a//b',
    # what routes is strict
    '/extensions/all%2Fx', '/extensions%2Fall/x', '/extensions//all/x', '//extensions/all/x', '/extensions/all//x', '/extensions/all/%2Fx',
    '/extensions/all%252Fx', '/console%2Fx', '//console/x', '/-/apis%2Fx', '/-/healthz%2Fx',
    # out of the prefix
    '/extensions/all/..%2Fstrict/x', '/extensions/all/..%2f..%2fapi', '/extensions/all/a%2F..%2F..%2Fstrict', '/extensions/all/%2e%2e%2fstrict',
    '/extensions/all/..%252fstrict', '/extensions/all/a%252F..%252F..%252Fstrict', '/extensions/all/a//..//..//strict', '/extensions/all/a%2F../../strict',
    '/extensions/all/..;%2Fstrict', '/extensions/all/a%2F..;x%2Fb', '/extensions/all/a%2F.%2Fb', '/extensions/all/a%252F%252e%252e',
    '/console/..%2Fkapis/x', '/console/a%2F..%2F..%2Fkapis',
    # never
    '/extensions/all/a%5Cb', '/extensions/all/a\\b', '/extensions/all/a%00', '/extensions/all/a%2F%0d%0a', '/extensions/all/a%25252Fb', '/extensions/all/a%25%32%66b',
    '/extensions/all/a%255Cb', '/extensions/all/a%c0%af',
    # ks-core's own API
    '/kapis/g.io/v1/things%2Fa', '/api/v1/namespaces/a%2Fb', '/apis/g.io%2Fv1/x', '/clusters/host/kapis/g.io/v1/x%2Fy', '/clusters/a%2Fb/proxy/x',
    '/%6bapis/g.io/v1/x%2Fy', '/clusters/host/%61pi/v1/x%2Fy',
) {
    is both($_), 400, "$_ is refused";
}
is $up->seen, 0, 'and no backend heard of any';
is both('/extensions/off/a%2Fb'), 503, 'one that is off is off';

# ---- What policy reads -------------------------------------------------------------------------------

for (
    # path, who, status
    ['/extensions/tenants/a%2Fb', wanda => 200, 'a plain path'],
    ['/extensions/tenants/a%2Fb', tom => 403, 'which is not everybody\'s'],
    ['/extensions/tenants/workspaces/ws1/things/a%2Fb', tom => 200, 'a name with a slash in it'],
    ['/extensions/tenants/workspaces/ws2/things/a%2Fb', tom => 403, 'in a workspace of others'],
    ['/extensions/tenants/workspaces/ws1/things//a', tom => 200, 'an empty segment is not there'],
    ['/extensions/tenants/x/workspaces%2Fws2', wanda => 200, 'what is no resource to anybody'],
    ['/extensions/tenants/workspaces%2Fws2%2Fthings%2Fa', wanda => 400, 'a resource to whoever decodes first'],
    ['/extensions/tenants/workspaces/ws2%2Fthings/a', wanda => 400, 'or decodes in part'],
    ['/extensions/tenants/workspaces/ws1%2Fthings/things/a', tom => 400, 'a workspace that ends elsewhere'],
    ['/extensions/tenants/workspaces%252Fws2%252Fthings%252Fa', wanda => 400, 'or decodes twice'],
    ['/extensions/tenants/a//workspaces/ws2/things/a', wanda => 200, 'a resource only at the beginning'],
    ['/proxy/pub/a%2fb', oona => 200, 'a rule names an encoded slash as %2F'],
    ['/proxy/pub/a/b', oona => 403, 'which is not a slash'],
    ['/proxy/dir/a%2Fb', oona => 200, 'and is below its prefix'],
    ['/proxy/dirx%2Fb', oona => 403, 'not beside it'],
) {
    my ($path, $who, $status, $what) = @$_;
    is both($path, $who), $status, "$what: $path by $who";
}
my $e = JSON::PP::decode_json($gw->ksgate_here('explain', '-o', 'json', '--as', 'wanda', 'GET', '/extensions/tenants/a%2fb//c%252fd')->{out});
is $e->{requestInfo}{path}, '/extensions/tenants/a%2Fb/c%252Fd', 'explain shows how the path is read';

# ---- Warned about ------------------------------------------------------------------------------------

my $r = $gw->ksgate_here('check');
is $r->{code}, 0, 'check takes core.allow_paths';
like $r->{err} . $r->{out}, qr/ksgate\.yaml:\d+:\d+: warning: core\.allow_paths: /, 'and warns, with the place';
$r = $gw->apply([extension('warned', $up->url, path => {allow => ['encodedSlash']})]);
like $r->{err} . $r->{out}, qr/spec\.path\.allow: /, 'apply warns';
my $file = spew($gw->dir . '/wrong.yaml', JSON::PP::encode_json(extension('wrong', $up->url, path => {allow => ['encodedSlashes', 'dots']})));
$r = $gw->ksgate_here('apply', '-f', $file);
isnt $r->{code}, 0, 'a word that is none is refused';
like $r->{err}, qr/spec\.path\.allow\[0\]: .*did you mean "encodedSlash"/, 'with what was meant';
like $r->{err}, qr/spec\.path\.allow\[1\]: expected one of encodedSlash, doubleEncodedSlash, emptySegments/, 'or could be';

# ---- Changed while it runs ---------------------------------------------------------------------------

$gw->configure;
$gw->reload;
eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
is both('/console/a%2Fb'), 400, 'what is not allowed any more is refused';
$gw->apply([extension('strict', $up->url, path => {allow => ['encodedSlash']}), extension('slash', $up->url)]);
is both('/extensions/strict/a%2Fb'), 200, 'an extension may begin to allow it';
is both('/extensions/slash/a%2Fb'), 400, 'and end';

# ---- Forms of the target -----------------------------------------------------------------------------

sub status { my ($bytes) = @_; return ($gw->raw($bytes, seconds => 5) =~ m{^HTTP/1\.1 (\d+)})[0] // 'none' }
my $close = "Connection: close\r\n\r\n";

is status("GET http://a/extensions/strict/a%2Fb HTTP/1.1\r\nHost: a\r\n$close"), 200, 'in the absolute form, too';
is $up->last->{target}, '/a%2Fb', 'of which the backend sees the path';
is status("GET http://a/extensions/slash/a%2Fb HTTP/1.1\r\nHost: a\r\n$close"), 400, 'with the same refusals';
for my $method (qw(GET POST CONNECT)) {
    like status("$method a:80 HTTP/1.1\r\nHost: a\r\n$close"), qr/^(?:400|501)$/, "the authority form of $method is refused";
}
$up->forget;
for my $target ('*', 'http://a') {
    my $answer = $gw->raw("OPTIONS $target HTTP/1.1\r\nHost: a\r\n$close");
    like $answer, qr{^HTTP/1\.1 204 .*\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n}s, "OPTIONS $target is answered here";
}
for my $path ('/', '/kapis/x', '/extensions/all/x', '/-/healthz') {
    my $answer = $gw->raw("TRACE $path HTTP/1.1\r\nHost: a\r\nX-Secret: s3cret\r\n$close");
    like $answer, qr{^HTTP/1\.1 405 .*\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n}s, "TRACE $path is not allowed, and it is said what is";
    unlike $answer, qr/s3cret/, 'and nothing is sent back';
}
is $up->seen, 0, 'no backend heard of these';

done_testing;
