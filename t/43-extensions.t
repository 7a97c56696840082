# The list of extensions: is each there, in which version, and if not, why; and who may know what of it.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $summary = '/-/apis/ksgate.io/v1/extensions';
my $up = upstream { [200, {}, 'up'] };
my $ill = upstream { [500, {}, 'ill'] };
my $gone = 'http://127.0.0.1:' . free_port();

sub of { my ($kind, $name, %more) = @_; return {apiVersion => 'kubesphere.io/v1alpha1', kind => $kind, metadata => {name => $name, %{delete $more{metadata} // {}}}, %more} }
sub installed { my ($name, $version, $enabled, %status) = @_; return of(InstallPlan => $name, spec => {extension => {name => $name, version => $version}, enabled => $enabled ? JSON::PP::true : JSON::PP::false}, (%status ? (status => \%status) : ())) }
sub ref_to { return {labels => {'kubesphere.io/extension-ref' => $_[0]}} }
sub entry { my ($name, $of, @entries) = @_; return {apiVersion => 'extensions.kubesphere.io/v1alpha1', kind => 'ExtensionEntry', metadata => {name => $name, %{ref_to($of)}}, spec => {entries => \@entries}, status => {state => 'Available'}} }
sub release { my ($name, $of, $version) = @_; return of(ExtensionVersion => $name, metadata => ref_to($of), spec => {version => $version}) }

my $check = {path => '/', interval => '100ms', timeout => '60s', healthy => 1, unhealthy => 1};
my %nav = (name => 'pipelines', parent => 'global', link => '/devops/pipelines', title => 'Pipelines', icon => 'cluster', order => 3);
my $gw = gateway(core => $up->url, console => $up->url, workers => 1, objects => [
    extension('devops', $up->url), installed('devops', '2.0.0', 1, state => 'Installed', version => '1.4.2'), of(Extension => 'devops', metadata => ref_to('shelf'), status => {installedVersion => '0.9.0', state => 'Installed'}),
    entry('devops', 'devops', \%nav, {name => 'logs', link => '/devops/logs'}), entry('devops-more', 'devops'), entry('nobodys', 'none', {name => 'x', link => '/x'}),
    extension('off', $up->url, enabled => JSON::PP::false, versions => [{name => 'v2', weight => 10}]),
    extension('empty', undef), installed('empty', '1.0.0', 1, state => 'Installing'),
    extension('drained', undef, endpoints => [{url => $up->url, weight => 0}, {url => "$gone/"}]),
    {apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'drained.a'}, spec => {extension => 'drained', url => $up->url, draining => JSON::PP::true}},
    extension('ill', $ill->url, healthCheck => $check), installed('ill', '3.0.0', 0, state => 'Installed'),
    extension('mixed', undef, endpoints => [{url => $up->url, version => 'v1'}, {url => $up->url . '/', version => 'v2'}]), of(ExtensionVersion => 'mixed-1', metadata => ref_to('mixed'), spec => {}), release('mixed-2', 'mixed', '7.1.0'),
    extension('runs', undef, endpoints => [{url => $up->url, version => 'v5'}, {url => "$gone/"}]), release('runs-1', 'runs', '8.0.0'),
    extension('shelf', $up->url), release('shelf-1', 'shelf', '9.0.0'),
    of(Extension => 'catalogue'), release('catalogue-1', 'catalogue', '1.0.0'),
    of(Extension => 'begun'), installed('begun', '1.1.0', 1, state => 'Installing'),
    installed('failed', '1.2.0', 1, state => 'InstallFailed'), installed('planned', '1.3.0', 1),
    installed('console', '1.4.0', 1, state => 'Installed'), entry('console', 'console', {name => 'c', link => '/c'}),
    installed('paused', '1.5.0', 0, state => 'Upgrading', version => '1.4.9'),
    of(Extension => 'seen', status => {state => 'Installed', enabled => JSON::PP::true, installedVersion => '1.6.0'}),
]);

sub items { my ($query, $as) = @_; my $r = $as ? $gw->request(GET => "$summary$query", $gw->as($as)) : $gw->admin(GET => "$summary$query"); return $r->{json} }
sub item { my ($name, $as) = @_; return (grep { $_->{name} eq $name } @{items('', $as)->{items}})[0] }

# ---- Each in one word --------------------------------------------------------------------------------

ok eventually { item('ill')->{reason} eq 'EndpointsDown' }, 'who is ill is found to be';
my %all = map { $_->{name} => $_ } @{items('')->{items}};
for (
    # name, state, reason, version, message
    [devops => 'Available', 'Passed', '1.4.2', qr/^1 of 1 endpoint is live$/],
    [off => 'Disabled', 'ServiceDisabled', undef, qr/enabled: false/],
    [empty => 'Unavailable', 'MissingEndpoints', '1.0.0', qr/none has registered itself; its installation is Installing$/],
    [ill => 'Unavailable', 'EndpointsDown', '3.0.0', qr{^none of 1 endpoint is well; http://\S+: GET /: 500; its InstallPlan is not enabled$}],
    [mixed => 'Available', 'Passed', undef, qr/^2 of 2 endpoints are live$/],
    [runs => 'Available', 'Passed', 'v5', qr/live/],
    [shelf => 'Available', 'Passed', '9.0.0', qr/live/],
    [catalogue => 'NotInstalled', 'NoInstallPlan', undef, qr/no InstallPlan/],
    [begun => 'NotInstalled', 'Installing', '1.1.0', qr/Installing/],
    [failed => 'NotInstalled', 'InstallFailed', '1.2.0', qr/InstallFailed/],
    [planned => 'NotInstalled', 'Pending', '1.3.0', qr/nobody has begun/],
    [console => 'Enabled', 'ServiceNotFound', '1.4.0', qr/no ExtensionService/],
    [paused => 'Disabled', 'PlanDisabled', '1.4.9', qr/not enabled/],
    [seen => 'Enabled', 'ServiceNotFound', '1.6.0', qr/no ExtensionService/],
) {
    my ($name, $state, $reason, $version, $message) = @$_;
    my $is = $all{$name};
    is_deeply [@$is{qw(state reason version)}], [$state, $reason, $version], "$name: $state, $reason";
    like $is->{message}, $message, "... in words: $is->{message}";
}
is_deeply [sort keys %all], [sort qw(devops off empty drained ill mixed runs shelf catalogue begun failed planned console paused seen)], 'each once, and no others';

is_deeply $all{devops}{entries}, [{name => 'devops', state => 'Available', entries => [\%nav, {name => 'logs', link => '/devops/logs'}]}, {name => 'devops-more', state => 'Available', entries => []}], 'the entries of the console';
is_deeply [map { $_->{name} } @{$all{console}{entries}}], ['console'], '... of one that is nothing else';
is_deeply $all{off}{entries}, [], '... or none';
is_deeply [@{$all{catalogue}}{qw(endpoints enabled access)}], [[], JSON::PP::false, undef], 'what is not installed has no backend, and nobody may come';
is_deeply [map { $_->{enabled} } @all{qw(devops off console paused)}], [JSON::PP::true, JSON::PP::false, JSON::PP::true, JSON::PP::false], 'enabled is as the service has it, or else the plan';

is_deeply [map { $_->{live} } @{$all{off}{endpoints}}], [JSON::PP::false], 'an endpoint of what is switched off is not live';
is_deeply [map { $_->{live} } @{$all{off}{versions}}], [0, 0], '... and counts in no version';
is_deeply [map { $_->{live} } @{$all{drained}{endpoints}}], [JSON::PP::false, JSON::PP::true, JSON::PP::false], 'nor is one without weight, or that drains';
$gw->apply([extension('drained', undef, endpoints => [{url => $up->url, weight => 0}])]);
is item('drained')->{reason}, 'EndpointsDraining', 'and when there are only such, that is why';

# ---- Pages and selectors -----------------------------------------------------------------------------

{
    my @names;
    my $query = '?limit=4';
    for my $page (1 .. 9) {
        my $list = items($query);
        push @names, map { $_->{name} } @{$list->{items}};
        last if !$list->{metadata}{continue};
        is $list->{metadata}{remainingItemCount}, 15 - @names, "page $page knows how many are left";
        $query = "?limit=4&continue=$list->{metadata}{continue}";
    }
    is_deeply \@names, [sort keys %all], 'in pages each comes once, whatever it is made of';
    is_deeply [map { $_->{name} } @{items('?fieldSelector=metadata.name=catalogue')->{items}}], ['catalogue'], 'one by its name';
}

# ---- Who may know ------------------------------------------------------------------------------------

sub list_of { my ($user, @names) = @_; return role(GlobalRole => "list-$user", [{verbs => ['list'], apiGroups => ['ksgate.io'], resources => ['extensions', 'extensionservices'], (@names ? (resourceNames => \@names) : ())}]), binding(GlobalRole => "list-$user", "list-$user", $user) }
$gw->apply([
    list_of('tess'), list_of('una'), list_of('lea', 'public'),
    extension('public', $up->url), entry('public', 'public', {name => 'p', link => '/p'}), installed('public', '1.0.0', 1, state => 'Installed'),
    # devops is hidden from tess; what of others bears its label, and a plan of the name of one that is hers to see, too
    extension('devops', $up->url, visibility => 'subscribed'), of(Extension => 'public', metadata => ref_to('devops'), status => {installedVersion => '6.6.6', state => 'Installed'}),
    role(WorkspaceRole => 'member', [{verbs => ['get'], apiGroups => ['x.io'], resources => ['y']}], 'ws1'), binding(WorkspaceRole => 'una', 'member', 'una', 'ws1'),
    {apiVersion => 'tenant.kubesphere.io/v1beta1', kind => 'Workspace', metadata => {name => 'ws1'}},
    {apiVersion => 'ksgate.io/v1', kind => 'Subscription', metadata => {name => 'ws1.devops'}, spec => {workspace => 'ws1', extension => 'devops'}},
]);
{
    my $text = $gw->request(GET => $summary, $gw->as('tess'))->{body};
    my %seen = map { $_->{name} => $_ } @{items('', 'tess')->{items}};
    ok !exists $seen{devops}, 'an extension that is hidden is not listed';
    unlike $text, qr/1\.4\.2|devops|pipelines/, '... nor its version, nor its entries';
    ok !exists $seen{$_}, "... nor $_, of which there is no ExtensionService" for qw(catalogue begun console paused seen);
    ok exists $seen{shelf}, 'what is for everybody is';
    is_deeply [@{$seen{public}}{qw(state version)}, $seen{public}{entries}[0]{name}], ['Available', '1.0.0', 'public'], '... with all that is of it';

    $gw->admin(DELETE => '/-/apis/kubesphere.io/v1alpha1/installplans/public');
    is item('public', 'tess')->{version}, undef, 'what bears the label of the hidden one says nothing of another, either';
    is item('public')->{version}, '6.6.6', '(who sees both is told)';

    is_deeply [@{item('devops', 'una')}{qw(state version)}, scalar @{item('devops', 'una')->{entries}}], ['Available', '1.4.2', 2], 'a member of a workspace that has it is told all';
    is $gw->request(GET => $summary, $gw->as('lea'))->{status}, 403, 'who may list one has to name it';
    is_deeply [map { $_->{name} } @{items('?fieldSelector=metadata.name=public', 'lea')->{items}}], ['public'], '... and gets that one';
    my $list = items('?limit=1', 'tess');
    is $list->{metadata}{remainingItemCount}, keys(%seen) - 1, 'who is hidden counts nowhere';

    # The service goes first: what is left of it stays hidden.
    $gw->apply([extension('other', $up->url, visibility => 'subscribed')]);
    $gw->admin(DELETE => path_of('devops'));
    unlike $gw->request(GET => $summary, $gw->as('tess'))->{body}, qr/devops|1\.4\.2|pipelines/, 'nor is it found when its service has gone';
    is item('devops')->{state}, 'Enabled', '(the administrator sees what is left of it)';
}

# ---- What is wrong with it, for whom ----------------------------------------------------------------

{
    my $gw2 = gateway(core => $up->url, console => $up->url, workers => 1, redis => my $redis = redis(), objects => [extension('good', $up->url), list_of('tess')]);
    my $bad = '{"metadata":{"name":"bad"},"apiVersion":"ksgate.io/v1","kind":"ExtensionService","spec":{"access":"sometimes"}}';
    my $script = $gw2->ksgate_here('registry', 'script')->{out};
    $redis->command('EVAL', $script, 1, '{ksgate}:', 'put', 'ksgate.io/ExtensionService//bad', $bad, 'any', 0, 0);
    my $find = sub { my ($r) = @_; return (grep { $_->{name} eq 'bad' } @{$r->{json}{items}})[0] };
    ok eventually { $find->($gw2->admin(GET => $summary)) }, 'one that another program wrote';
    my $is = $find->($gw2->admin(GET => $summary));
    is_deeply [@$is{qw(state reason)}], ['Unavailable', 'Invalid'], '... and that is of no use, says so';
    like $is->{message}, qr/can't be used: .*sometimes/, '... and why';
    is $find->($gw2->request(GET => $summary, $gw2->as('tess')))->{message}, "its ExtensionService can't be used", 'what its object says, only who may get it is told';
}

done_testing;
