# Objects in rows, as kubectl asks for them: which is not only kubectl's to ask.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Watch;

my $api = '/-/apis/ksgate.io/v1';
my $es = "$api/extensionservices";
my $as_table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
my @accept = (Accept => "$as_table,application/json");
my $gw = gateway(config => {timeouts => {watch_bookmark => '200ms'}}, objects => [
    extension('a', 'http://127.0.0.1:1', workspaces => ['ws1', 'ws2']), extension('b', undef, enabled => JSON::PP::false, visibility => 'subscribed'),
    {apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'a.pod'}, spec => {extension => 'a', url => 'http://127.0.0.1:2', version => 'v2', weight => 5, leaseSeconds => 3000}},
    {apiVersion => 'tenant.kubesphere.io/v1beta1', kind => 'Workspace', metadata => {name => 'ws1'}},
    role(WorkspaceRole => 'r', [{verbs => ['get'], apiGroups => ['x'], resources => ['y']}], 'ws1'),
    {%{binding(WorkspaceRole => 'many', 'r', 'tom', 'ws1')}, subjects => [map { {kind => 'User', name => "u$_"} } 1 .. 5]},
    {%{binding(GlobalRole => 'odd', 'none', 'tom')}, subjects => [{kind => 'Group', name => 'g'}]},
]);

sub table { my ($path, @more) = @_; my $r = $gw->admin(GET => $path, undef, @accept, @more); return $r->{json} }
sub rows { my ($t) = @_; return [map { join ' | ', @{$_->{cells}} } @{$t->{rows}}] }

my $t = table($es);
is_deeply [@$t{qw(kind apiVersion)}], ['Table', 'meta.k8s.io/v1'], 'a Table';
is_deeply [map { $_->{name} } @{$t->{columnDefinitions}}], [qw(Name ENABLED ACCESS FOR STATIC USED Age)], 'with columns of the kind';
is_deeply [grep { $_->{type} ne 'string' || !length $_->{description} || !exists $_->{format} || !exists $_->{priority} } @{$t->{columnDefinitions}}], [], '... that are described';
is_deeply [map { s/\d+s$/Ns/r } @{rows($t)}], ['a | yes | public | 2 workspaces | 1 | with warnings | Ns', 'b | no | public | subscribed | 0 | with warnings | Ns'], 'a row for each';
is_deeply $t->{metadata}, $gw->admin(GET => $es)->{json}{metadata}, 'the metadata of the list';
my $one = $gw->admin(GET => "$es/a")->{json};
is_deeply $t->{rows}[0]{object}, {kind => 'PartialObjectMetadata', apiVersion => 'meta.k8s.io/v1', metadata => $one->{metadata}}, 'and of each object';

$t = table("$es/a");
is_deeply [scalar @{$t->{rows}}, $t->{metadata}{resourceVersion}], [1, $one->{metadata}{resourceVersion}], 'one object is a Table of one';
is_deeply table("$es/a?includeObject=Object")->{rows}[0]{object}, $one, '... with all of it';
ok !exists table("$es?includeObject=None")->{rows}[0]{object}, '... or nothing';
my $r = $gw->admin(GET => "$es?includeObject=All");
is $r->{status}, 400, 'or a mistake';
like $r->{json}{message}, qr/includeObject=All: it takes None, Metadata or Object/, '... in words';

$t = table("$es?limit=1");
is_deeply [scalar @{$t->{rows}}, $t->{metadata}{remainingItemCount}], [1, 1], 'in pages';
is_deeply [map { $_->{cells}[0] } @{table("$es?continue=$t->{metadata}{continue}")->{rows}}], ['b'], '... that go on';
is_deeply rows(table("$es?labelSelector=none")), [], 'what is selected';
is table("$es/none")->{kind}, 'Status', 'an error is none';

like rows(table("$api/endpoints"))->[0], qr/^a\.pod \| a \| http:\S+ \| v2 \| 5 \| 3000s \| in \d+m \| - \| yes \| /, 'an Endpoint';
my $iam = '/-/apis/iam.kubesphere.io/v1beta1';
like rows(table("$iam/workspacerolebindings"))->[0], qr/^many \| ws1 \| WorkspaceRole\/r \| u1, u2, u3 and 2 more \| yes \| /, 'a binding';
like rows(table("$iam/globalrolebindings"))->[0], qr/^odd \| GlobalRole\/none \| Group\/g \| /, '... to a group';
like rows(table("$iam/workspaceroles"))->[0], qr/^r \| ws1 \| 1 \| yes \| /, 'a role';
is_deeply [map { $_->{name} } @{table('/-/apis/tenant.kubesphere.io/v1beta1/workspaces')->{columnDefinitions}}], [qw(Name Age)], 'a kind of which there is no more to say';

for ([$as_table => 'Table'], ['application/json;as=Table;g=meta.k8s.io;v=v1beta1' => 'Table'], ["application/json, $as_table" => 'ExtensionServiceList'], ['*/*' => 'ExtensionServiceList'],
    ['application/json;as=Table;v=v2;g=meta.k8s.io,application/json' => 'ExtensionServiceList'], ['application/json;as=Table;v=v1;g=other,application/json' => 'ExtensionServiceList'],
    ["application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io, $as_table" => 'Table'], ['application/json; as=Table ; v=v1;g=meta.k8s.io;charset=utf-8' => 'Table'],
    ['' => 'ExtensionServiceList'], [';;,,;as=,=Table' => 'ExtensionServiceList'], ['application/vnd.kubernetes.protobuf' => 'ExtensionServiceList']) {
    my ($accept, $kind) = @$_;
    is $gw->admin(GET => $es, undef, Accept => $accept)->{json}{kind}, $kind, "Accept: $accept: $kind";
}
is $gw->admin(GET => $es, undef, Accept => 'application/json;as=Table;v=v1beta1;g=meta.k8s.io')->{json}{apiVersion}, 'meta.k8s.io/v1beta1', 'in the version that is asked for';

# a watch: an event is a row
my $rv = $gw->admin(GET => $es)->{json}{metadata}{resourceVersion};
my $w = watching($gw, $es, {resourceVersion => $rv, allowWatchBookmarks => 'true', client => Gateway::Client->new(to => $gw->admin_socket)}, @accept);
# The next event; bookmarks come between, five in a second.
sub told {
    my $e = $w->next;
    $e = $w->next while $e->{type} eq 'BOOKMARK';
    return $e;
}
$gw->apply([extension('a', undef)]);
my $event = told();
is_deeply [$event->{type}, $event->{object}{kind}, scalar @{$event->{object}{rows}}], ['MODIFIED', 'Table', 1], 'a change';
is $event->{object}{rows}[0]{object}{metadata}{name}, 'a', '... of which';
is $event->{object}{metadata}{resourceVersion}, $gw->admin(GET => "$es/a")->{json}{metadata}{resourceVersion}, '... at which revision';
$gw->admin(DELETE => "$es/b");
$event = told();
is_deeply [$event->{type}, $event->{object}{rows}[0]{cells}[0]], ['DELETED', 'b'], 'an end';
$event = $w->next;
is_deeply [$event->{type}, $event->{object}{kind}], ['BOOKMARK', 'Table'], 'and how far it has come';
is $event->{object}{metadata}{resourceVersion}, $gw->admin(GET => $es)->{json}{metadata}{resourceVersion}, '... all the way';
$w->close;

done_testing;
