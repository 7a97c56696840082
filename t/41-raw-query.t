# X-KubeSphere-Rawquery: the query of a request that has none (KubeSphere's host repeats it there for its members).
# What ks-core would read is what is decided about.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
sub ns { return {apiVersion => 'v1', kind => 'Namespace', metadata => {name => $_[0], labels => {'kubesphere.io/workspace' => $_[1]}}} }
my $gw = gateway(core => $core->url, config => {limits => {target => '1KiB'}}, objects => [
    ns('a1', 'wa'), ns('b1', 'wb'),
    role(WorkspaceRole => 'admin', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}], 'wa'), binding(WorkspaceRole => 'xa', 'admin', 'x', 'wa'),
    role(Role => 'lister', [{verbs => ['list'], apiGroups => [''], resources => ['pods']}], 'b1'), binding(Role => 'xb', 'lister', 'x', 'b1'),
]);

my $pods = '/api/v1/namespaces/b1/pods';
my $other = 'watch=true&labelSelector=kubesphere.io/workspace=wa';
sub ask { my ($target, @headers) = @_; return $gw->request(GET => $target, $gw->as('x'), @headers) }

is ask($pods)->{status}, 200, 'a list';
is ask("$pods?$other")->{status}, 403, 'a watch is none';
for my $name ('X-KubeSphere-Rawquery', 'x-kubesphere-rawquery') {
    is ask($pods, $name => $other)->{status}, 403, "... nor when the query is in $name";
    is ask("$pods?", $name => $other)->{status}, 403, '... behind a question mark that nothing follows';
    my $e = $json->decode($gw->ksgate_here({in => $json->encode({method => 'GET', url => $pods, headers => {$name => $other}, user => {name => 'x', groups => []}}) . "\n"}, 'explain', '--batch')->{out});
    is_deeply [$e->{decision}, $e->{requestInfo}{verb}], ['deny', 'watch'], '... and explain says so';
}
is ask($pods, 'X-KubeSphere-Rawquery' => 'limit=5')->{status}, 200, 'one that changes nothing';
is $core->last->{target}, "$pods?limit=5", '... is the query from then on';
like ask($pods, 'X-KubeSphere-Rawquery' => 'limit=5')->{headers}{vary}, qr/x-kubesphere-rawquery/i, '... and what caches have to look at';
ok !exists $core->last->{headers}{'x-kubesphere-rawquery'}, '... and nothing else';
is ask("$pods?limit=6", 'X-KubeSphere-Rawquery' => $other)->{status}, 200, 'where there is a query, that is it';
is $core->last->{target}, "$pods?limit=6", '... as it is';
ok !exists $core->last->{headers}{'x-kubesphere-rawquery'}, '... alone';
is ask($pods, 'X-KubeSphere-Rawquery' => '')->{status}, 200, 'nothing is nothing';
is $core->last->{target}, $pods, '... and adds none';
$core->forget;
for (['two of them', 400, ['limit=1', 'limit=2']], ['a space', 400, 'a b'], ['a fragment', 400, 'a#b'], ['another letter', 400, "a\xc3\xa9"], ['more than a target may have', 414, 'a' x 1100]) {
    my ($what, $status, $value) = @$_;
    is ask($pods, 'X-KubeSphere-Rawquery' => $value)->{status}, $status, "$what is refused";
}
is ask($pods, 'X_KubeSphere_Rawquery' => $other)->{status}, 200, 'another spelling is another header';
is_deeply [map { $_->{target} } $core->requests], [$pods], '... which nobody hears of';
ok !(grep { /rawquery/i } map { $_->[0] } @{$core->last->{lines}}), '... in any spelling';

done_testing;
