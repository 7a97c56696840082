# Extensions that are for some workspaces: who sees them, and that for all others there is nothing, byte
# for byte.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::WebSocket;

my $api = '/-/apis/ksgate.io/v1';
my $up = upstream { [200, {}, $_[0]{target}] };
my $core = upstream { [200, {}, 'core'] };

sub ns { return {apiVersion => 'v1', kind => 'Namespace', metadata => {name => $_[0], labels => {'kubesphere.io/workspace' => $_[1]}}} }
sub user { return {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'User', metadata => {name => $_[0]}, status => {state => 'Active'}} }
sub subscription { return {apiVersion => 'ksgate.io/v1', kind => 'Subscription', metadata => {name => "$_[0].$_[1]"}, spec => {workspace => $_[0], extension => $_[1]}} }

my %hidden = (access => 'authenticated', visibility => 'subscribed');
my $rows = [{path => '/workspaces/{workspace}/things/{name}', group => 'x.io', resource => 'things'},
    {path => '/namespaces/{namespace}/things/{name}', group => 'x.io', resource => 'things'},
    {path => '/workspaces/{workspace}/namespaces/{namespace}/things/{name}', group => 'x.io', resource => 'things'}];
my $gw = gateway(core => $core->url, console => $core->url, workers => 2, objects => [
    extension('everyone', $up->url, access => 'authenticated'),
    extension('secret', $up->url, %hidden, permissions => $rows),
    extension('halted', $up->url, %hidden, enabled => JSON::PP::false),
    extension('bare', undef, %hidden),
    extension('odd', $up->url, %hidden, path => {allow => ['encodedSlash', 'emptySegments']}),
    extension('open', $up->url, visibility => 'subscribed'),
    extension('named', $up->url, access => 'authenticated', workspaces => ['ws2', 'ws1']),
    extension('both', $up->url, %hidden, workspaces => ['ws1', 'ws2']),
    (map { subscription('ws1', $_), subscription('ws4', $_) } qw(secret halted bare odd open)),
    subscription('ws2', 'both'), subscription('ws3', 'both'),
    (map { ns(@$_) } ['proj1', 'ws1'], ['proj2', 'ws2'], ['stray', '']),
    (map { user($_) } qw(tom nina ted vera root reader helper)),
    role(WorkspaceRole => 'member', [{verbs => ['*'], apiGroups => ['x.io'], resources => ['things']}], 'ws1'),
    role(WorkspaceRole => 'member2', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}], 'ws2'),
    role(WorkspaceRole => 'member3', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}], 'ws3'),
    role(Role => 'worker', [{verbs => ['get'], apiGroups => ['x.io'], resources => ['things']}], 'proj1'),
    binding(WorkspaceRole => 'tom', 'member', 'tom', 'ws1'),
    binding(Role => 'nina', 'worker', 'nina', 'proj1'), # in a namespace of ws1, not in ws1
    binding(WorkspaceRole => 'ted', 'member2', 'ted', 'ws2'),
    binding(WorkspaceRole => 'vera', 'member3', 'vera', 'ws3'),
    {%{binding(WorkspaceRole => 'robot', 'member', 'robot', 'ws1')}, subjects => [{kind => 'ServiceAccount', apiGroup => 'kubesphere.io', name => 'robot', namespace => 'proj2'}]},
    binding(WorkspaceRole => 'ghost', 'not-there', 'ghost', 'ws1'), # of a role that is not there
    role(GlobalRole => 'all', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}, {verbs => ['*'], nonResourceURLs => ['*']}]),
    binding(GlobalRole => 'root', 'all', 'root'),
    role(ClusterRole => 'reader', [{verbs => ['get'], apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['secret']}]),
    binding(ClusterRole => 'reader', 'reader', 'reader'),
    role(GlobalRole => 'helper', [{verbs => ['use'], apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['secret']}]),
    binding(GlobalRole => 'helper', 'helper', 'helper'),
]);

sub status { my ($user, $path) = @_; return $gw->request(GET => $path, $user ? $gw->as($user) : ())->{status} }

# ---- Who sees it --------------------------------------------------------------------------------

for (
    # extension, {user => status}; nobody is '', and stranger is bound nowhere
    [everyone => {'' => 401, tom => 200, stranger => 200}],
    [secret => {'' => 404, stranger => 404, tom => 200, nina => 200, ted => 404, vera => 404, ghost => 404, root => 200, reader => 200, helper => 200}],
    [named => {'' => 404, stranger => 404, tom => 200, nina => 200, ted => 200, vera => 404, ghost => 404, root => 200, reader => 404, helper => 404}],
    [both => {'' => 404, tom => 404, ted => 200, vera => 404, root => 200}], # ws1 has no subscription, ws3 is not named
    [halted => {'' => 404, tom => 503, ted => 404, root => 503}],
    [bare => {'' => 404, tom => 503, ted => 404, root => 503}],
    [secret => {'kubesphere:serviceaccount:proj2:robot' => 200, 'kubesphere:serviceaccount:proj1:robot' => 404, robot => 404}],
    [open => {'' => 404, stranger => 404, tom => 200, ted => 404, root => 200}],
) {
    my ($name, $who) = @$_;
    is status($_, "/extensions/$name/x"), $who->{$_}, "$name for " . ($_ || 'nobody') . ": $who->{$_}" for sort keys %$who;
}

# A request that names a place is for members of that place.
for (
    [tom => '/workspaces/ws1/things/a', 200], [tom => '/workspaces/ws2/things/a', 404], [tom => '/workspaces/ws4/things/a', 404],
    [tom => '/workspaces/nowhere/things/a', 404], [tom => '/namespaces/proj1/things/a', 200], [tom => '/namespaces/proj2/things/a', 404],
    [tom => '/namespaces/stray/things/a', 404], [tom => '/namespaces/nowhere/things/a', 404],
    [tom => '/workspaces/ws1/namespaces/proj1/things/a', 200], [tom => '/workspaces/ws1/namespaces/proj2/things/a', 404],
    [tom => '/workspaces/ws2/namespaces/proj1/things/a', 404], [tom => '/workspaces/ws1/namespaces/nowhere/things/a', 404],
    [nina => '/namespaces/proj1/things/a', 200], [nina => '/workspaces/ws1/things/a', 200],
    [ted => '/workspaces/ws1/things/a', 404], [ted => '/workspaces/ws2/things/a', 404], # ws2 has it not
    [root => '/workspaces/ws2/things/a', 200], [reader => '/workspaces/ws2/things/a', 200], # who sees all of it
) {
    my ($user, $path, $status) = @$_;
    is status($user, "/extensions/secret$path"), $status, "$user $path: $status";
}

# ---- For all others there is nothing ------------------------------------------------------------

# All that comes, but for the date and the name, which has as many letters.
sub answer {
    my ($name, $request) = @_;
    my $bytes = $gw->raw($request =~ s/NAME/$name/gr);
    return $bytes =~ s/^Date: .*?\r\n//mr =~ s/^X-Request-Id: (?!same).*?\r\n//mr =~ s/\Q$name\E/NAME/gr;
}

my %caller = (
    'nobody' => '', 'a stranger' => join(': ', $gw->as('stranger')) . "\r\n", 'another tenant' => join(': ', $gw->as('ted')) . "\r\n",
    'a token that has ended' => join(': ', $gw->as('tom', exp => time - 100)) . "\r\n", 'rubbish' => "Authorization: Bearer x.y.z\r\n",
    'a wrong scheme' => "Authorization: Negotiate abc\r\n", 'two credentials' => "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
);
my @requests = map { "$_ HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: same\r\nCALLER\r\n" }
    'GET /extensions/NAME', 'GET /extensions/NAME/', 'GET /extensions/NAME/x?y=z', 'HEAD /extensions/NAME/x', 'DELETE /extensions/NAME/x',
    'OPTIONS /extensions/NAME/x', 'TRACE /extensions/NAME/x', 'GET http://other/extensions/NAME/x', 'PATCH /extensions/NAME/workspaces/ws1/things/a',
    # each trick of writing a path
    map { "GET $_" } '/extensions//NAME/x', '/extensions/NAME//x', '/extensions/NAME/a%2Fb', '/extensions/NAME%2Fx',
    '/extensions/NAME%252Fx', '/extensions/NAME/a%252Fb', '/extensions/NAME/../NAME/x', '/extensions/x/../NAME/x', '/extensions/./NAME/x', '/extensions/NAME/%2e%2e/NAME/x',
    '/extensions/NAME;x=1/y', '/extensions/NAME/;x', '/extensions/NAME%00/x', '/extensions/NAME%20/x', '/extensions/NAME./x', '/extensions/NAME%5Cx', '/extensions/NAME\\x',
    '/Extensions/NAME/x', '/%65xtensions/NAME/x', '/extensions%2FNAME/x', '//extensions/NAME/x', '/extensions/NAME?', '/extensions/NAME#x', '/clusters/c/extensions/NAME/x',
    '/extensions/NAME/%c0%af', '/extensions/NAME/%zz';
push @requests, map { "POST /extensions/NAME/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: same\r\nCALLER$_" }
    "Content-Length: 3\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc";
push @requests, "GET /extensions/NAME/x HTTP/1.1\r\nHost: h\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Request-Id: same\r\nCALLER\r\n";
push @requests, "GET /extensions/NAME/x HTTP/1.0\r\nX-Request-Id: same\r\nCALLER\r\n";

# name, one of as many letters that nobody has registered
my @pairs = ([secret => 'absent'], [halted => 'nobody'], [bare => 'none'], [odd => 'xyz'], [open => 'shut'], [both => 'nine']);
$up->forget;
for my $caller (sort keys %caller) {
    my @differ;
    for my $pair (@pairs) {
        next if $caller eq 'another tenant' && $pair->[0] eq 'both'; # which ted's workspace has
        for my $request (@requests) {
            my ($is, $not) = map { answer($_, $request =~ s/CALLER/$caller{$caller}/r) } @$pair;
            push @differ, "$pair->[0]: $request: $is; not there: $not" if $is ne $not || $is eq '';
        }
    }
    is_deeply \@differ, [], "for $caller it is not there, whatever is asked and however";
}
is $up->seen, 0, 'and no backend has heard of it';
for my $name (qw(secret absent)) {
    my $r = $gw->request(GET => "/extensions/$name/x", $gw->as('ted'));
    is_deeply [$r->{status}, $r->{json}{reason}], [404, 'NotFound'], "$name is not found";
}

# By name and percent, what is not written as it is registered is found all the same.
is status('tom', '/extensions/%73ecret/x'), 200, 'an escape in the name is the name';
is status('ted', '/extensions/%73ecret/x'), 404, 'for who it is not for, too';

# ---- What is open follows -----------------------------------------------------------------------

sub patch { my ($path, $patch) = @_; return $gw->admin(PATCH => "$path?wait=live", JSON::PP::encode_json($patch), 'Content-Type' => 'application/merge-patch+json')->{status} }

is $gw->admin(PUT => "$api/subscriptions/ws2.secret?wait=live", subscription('ws2', 'secret'))->{status}, 201, 'ws2 subscribes';
is status('ted', '/extensions/secret/x'), 200, 'ted sees it at once';
is status('ted', '/extensions/secret/workspaces/ws2/things/a'), 200, '... in the workspace, too';
is status('ted', '/extensions/secret/workspaces/ws1/things/a'), 404, '... but not in others';
is $gw->admin(PUT => "$api/subscriptions/twice?wait=live", subscription('ws2', 'secret'))->{status}, 400, 'a name in the body is that of the path';
is $gw->admin(PUT => "$api/subscriptions/twice?wait=live", {spec => {workspace => 'ws2', extension => 'secret'}})->{status}, 201, 'it subscribes twice';
is $gw->admin(DELETE => "$api/subscriptions/ws2.secret?wait=live")->{status}, 200, 'one ends';
is status('ted', '/extensions/secret/x'), 200, '... the other still holds';
is patch("$api/subscriptions/twice", {spec => {workspace => 'ws3'}}), 200, 'it moves to ws3';
is status('ted', '/extensions/secret/x'), 404, '... then it is gone';
is status('vera', '/extensions/secret/x'), 200, '... and there for ws3';
is $gw->admin(DELETE => "$api/subscriptions/twice?wait=live")->{status}, 200, 'that ends';
is status('vera', '/extensions/secret/x'), 404, '... there, too';
is $gw->admin(DELETE => '/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings/tom?wait=live')->{status}, 200, 'tom leaves ws1';
is status('tom', '/extensions/secret/x'), 404, '... and sees it no more';
$gw->apply([binding(WorkspaceRole => 'tom', 'member', 'tom', 'ws1')]);
is patch('/-/api/v1/namespaces/proj1', {metadata => {labels => {'kubesphere.io/workspace' => 'ws2'}}}), 200, 'proj1 moves to ws2';
is status('nina', '/extensions/secret/x'), 404, '... and nina with it';
is patch('/-/api/v1/namespaces/proj1', {metadata => {labels => {'kubesphere.io/workspace' => 'ws1'}}}), 200, 'and back';
is patch("$api/extensionservices/secret", {spec => {visibility => 'all'}}), 200, 'it is opened to all';
is status('ted', '/extensions/secret/x'), 200, '... and there for all';
is patch("$api/extensionservices/secret", {spec => {visibility => 'subscribed'}}), 200, 'and closed';
is status('ted', '/extensions/secret/x'), 404, '... again';

# ---- WebSockets ---------------------------------------------------------------------------------

my $ws = upstream { my ($r) = @_; my $s = Gateway::WebSocket->server($r); my $got = $s->read; $s->send(text => $got->{data}); return };
$gw->apply([extension('chat', $ws->url, %hidden), subscription('ws1', 'chat')]);
my $open = Gateway::WebSocket->client($gw, '/extensions/chat/x', $gw->as('tom'));
$open->send(text => 'hello');
is $open->read->{data}, 'hello', 'a WebSocket of a member';

# ---- Objects ------------------------------------------------------------------------------------

for (
    [{}, qr/spec.workspace: is required/], [{workspace => 'a'}, qr/spec.extension: is required/],
    [{workspace => 'a/b', extension => 'e'}, qr/spec.workspace: "a\/b" is not a name/], [{workspace => 'a', extension => ''}, qr/spec.extension: can't be empty/],
    [{workspace => 'a', extension => 'e', until => 1}, qr/unknown setting "until"/],
) {
    my $r = $gw->admin(POST => "$api/subscriptions", {metadata => {name => 'bad'}, spec => $_->[0]});
    is $r->{status}, 422, 'a Subscription that is none is refused';
    like $r->{json}{message}, $_->[1], '... in words';
}
my $r = $gw->admin(POST => "$api/extensionservices", {metadata => {name => 'bad'}, spec => {visibility => 'subscribe'}});
like $r->{body}, qr/did you mean \\"subscribed\\"/, 'another visibility is none';
$r = $gw->admin(POST => "$api/extensionservices", {metadata => {name => 'bad'}, spec => {workspaces => ['a/b']}});
like $r->{body}, qr/spec.workspaces\[0\]: \\"a\/b\\" is not the name of a workspace/, 'nor a path a workspace';

# ---- Why ----------------------------------------------------------------------------------------

# As the running gateway says, and one of files.
sub why {
    my ($path, @as) = @_;
    my $e = $gw->ksgate_here('explain', '-o', 'json', @as, 'GET', $path);
    return JSON::PP::decode_json($e->{out});
}
for (
    ['ted', '/extensions/secret/x', 'not subscribed in a workspace of ted: ws2'],
    ['ghost', '/extensions/secret/x', 'not subscribed in a workspace of ghost, who is bound in none'],
    ['vera', '/extensions/named/x', 'not for a workspace of vera: ws3'],
    ['tom', '/extensions/secret/workspaces/ws2/things/a', 'not subscribed in the workspace ws2'],
    ['tom', '/extensions/secret/workspaces/ws4/things/a', 'it is in the workspace ws4, and not one of those of tom: ws1'],
    ['tom', '/extensions/secret/namespaces/nowhere/things/a', 'not subscribed in a workspace of tom: ws1'],
) {
    my ($user, $path, $words) = @$_;
    my ($name) = $path =~ m{/extensions/(\w+)};
    my $why = why($path, '--as', $user);
    is_deeply [@$why{qw(status decision policy extension)}], [404, 'deny', 'visibility', $name], "explain says what became of $user $path";
    is $why->{nearest}, qq(extension "$name" is not there for the caller: $words; `get` or `use` of extensionservices.ksgate.io "$name" would show it),
        '... and why';
}
my $why = why('/extensions/secret/x', '--as', 'tom');
is_deeply [@$why{qw(status decision policy extension endpoints)}], [undef, 'allow', 'authenticated', 'secret', [$up->url]], 'of what is there, as always';
$why = why('/extensions/halted/x', '--as', 'tom');
is_deeply [@$why{qw(status decision)}], [503, 'allow'], '... also that it is off';
$why = why('/extensions/secret/x');
is_deeply [@$why{qw(status policy)}], [404, 'visibility'], 'a stranger is in no workspace';

$gw->request(GET => '/extensions/secret/x', $gw->as('ted'), 'X-Request-Id' => 'hidden-1');
my $kept;
eventually { $kept = $gw->admin(GET => "$api/decisions/hidden-1"); $kept->{status} == 200 } 'the decision';
is_deeply [@{$kept->{json}}{qw(decision policy extension status error nearest)}],
    ['deny', 'visibility', 'secret', 404, 'no_extension', 'there is no such extension for the caller'], 'an administrator finds it among the denials';

$gw->apply([extension('club', $up->url, access => 'authenticated', workspaces => ['ws5']), role(WorkspaceRole => 'member5', [], 'ws5'),
    binding(WorkspaceRole => 'club', 'member5', 'system:authenticated', 'ws5')]);
is status($_, '/extensions/club/x'), ($_ ? 200 : 404), 'a group can be bound: ' . ($_ || 'nobody') for '', 'stranger', 'ted';

# What is kept of the one has to be kept of the other, or the clock would tell them apart.
$gw->request(GET => '/extensions/absent/x', $gw->as('ted'), 'X-Request-Id' => 'absent-1');
eventually { $kept = $gw->admin(GET => "$api/decisions/absent-1"); $kept->{status} == 200 } 'the decision';
is_deeply [@{$kept->{json}}{qw(decision policy extension status error)}], ['deny', 'visibility', undef, 404, 'no_extension'], 'a name that is not there is kept, too';
done_testing;
