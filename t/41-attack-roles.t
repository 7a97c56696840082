# Roles that are wrong, foreign, or missing never allow, and the object's status says what is wrong.
# Some are written past the gateway, as a service with Redis' password can.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
my $redis = redis();
my $gw = gateway(core => $core->url, redis => $redis);
my $script = ksgate('registry', 'script')->{out};
my $iam = '/-/apis/iam.kubesphere.io/v1beta1';
my @all = ({verbs => ['*'], apiGroups => ['*'], resources => ['*']}, {verbs => ['*'], nonResourceURLs => ['*']});
my $nodes = '/api/v1/nodes';

my $written = 0;

# Past the gateway's own checks; what is written through it afterwards is live behind it.
sub smuggle {
    my ($kind, $name, %object) = @_;
    my %o = (apiVersion => 'iam.kubesphere.io/v1beta1', kind => $kind, %object);
    my $rest = $json->encode(\%o) =~ s/^\{//r;
    my $r = $redis->command('EVAL', $script, 1, '{ksgate}:', 'put', "iam.kubesphere.io/$kind//$name",
        '{"metadata":{"name":' . JSON::PP->new->allow_nonref->encode($name) . "},$rest", 'any', 0, 0);
    ref $r eq 'ARRAY' && $r->[0] eq 'ok' or die 'the script says: ' . $json->encode([$r]);
    $r = $gw->admin(PUT => '/-/api/v1/namespaces/marker?wait=live',
        {apiVersion => 'v1', kind => 'Namespace', metadata => {name => 'marker', labels => {n => '' . ++$written}}});
    return $r->{status} =~ /^20[01]$/ || die "the marker: $r->{body}";
}

# What its status says of it: [True or False, words], or nothing.
sub accepted {
    my ($plural, $name) = @_;
    my $o = $gw->admin(GET => "$iam/$plural/$name");
    my ($c) = grep { $_->{type} eq 'ksgate.io/Accepted' } @{$o->{json}{status}{conditions} // []};
    return $c ? [$c->{status}, $c->{message}] : undef;
}

sub status { my ($user, $path) = @_; return $gw->request(GET => $path // $nodes, $gw->as($user))->{status} }

# A user for each way to be wrong, who would be let in if it were taken for something.
$gw->apply([
    role(ClusterRole => 'good', \@all), binding(ClusterRole => 'good', 'good', 'good'),
    role(ClusterRole => 'target', \@all),
    binding(ClusterRole => 'dangling', 'gone', 'dangling'),
    binding(ClusterRole => 'unreadable', 'unreadable', 'unreadable'),
    binding(ClusterRole => 'mute', 'mute', 'mute'),
]);
is status('good'), 200, 'a role lets in who has it';
is status('dangling'), 403, 'a role that is not there does not';

smuggle(ClusterRole => 'unreadable', rules => {verbs => ['*']});
my $says = accepted(clusterroles => 'unreadable');
is $says->[0], 'False', 'a role whose rules are no list is not accepted';
like $says->[1], qr/rules: expected a list/, '... and its status says why';
is status('unreadable'), 403, '... nor does it let anybody in';

smuggle(ClusterRole => 'mute', rules => [$all[0], 'x']);
is accepted(clusterroles => 'mute')->[0], 'False', 'nor is one of which one rule is no rule';
is status('mute'), 403, '... also not by the others';

smuggle(ClusterRoleBinding => 'planet', subjects => [{kind => 'User', name => 'planet'}], roleRef => {kind => 'Planet', name => 'target'});
$says = accepted(clusterrolebindings => 'planet');
is $says->[0], 'True', 'a binding to an unknown kind of role is kept';
like $says->[1], qr/"Planet" is not a kind of role: the binding gives nothing/, '... with a warning';
is status('planet'), 403, '... and gives nothing';

for my $kind ('clusterrole', 'ClusterRole ', "ClusterRole\t", 'ClusterRoles', 'iam.kubesphere.io/ClusterRole', 'ClusterRole/') {
    smuggle(ClusterRoleBinding => 'near', subjects => [{kind => 'User', name => 'near'}], roleRef => {kind => $kind, name => 'target'});
    is status('near'), 403, "'$kind' is none either";
}
for my $subject ({kind => 'user', name => 'near'}, {kind => 'User', name => 'Near'}, {kind => 'User', name => 'near '}, {kind => 'User'}, {kind => 'Group', name => 'near'},
    {name => 'near'}, {kind => 'User', name => '*'}, 'near', {kind => ['User'], name => 'near'}) {
    smuggle(ClusterRoleBinding => 'near', subjects => [$subject], roleRef => {kind => 'ClusterRole', name => 'target'});
    is status('near'), 403, $json->encode([$subject]) . ' is nobody of that name';
}
smuggle(ClusterRoleBinding => 'near', subjects => {kind => 'User', name => 'near'}, roleRef => {kind => 'ClusterRole', name => 'target'});
is accepted(clusterrolebindings => 'near')->[0], 'False', 'subjects that are no list are refused';
is status('near'), 403, '... and are nobody';

# A good object that becomes unreadable takes its rights with it; a good one again gives them back.
smuggle(ClusterRole => 'good', rules => 'x');
is status('good'), 403, 'a role that becomes unreadable lets nobody in any more';
smuggle(ClusterRole => 'good', rules => \@all);
is status('good'), 200, 'and when it is mended, it does';
is accepted(clusterroles => 'good'), undef, '... and its status says nothing of us';

# ---- Policies that are not ours -------------------------------------------------------------------

my $rego = "package authz\ndefault allow = false\nallow { input.User.Name == \"rita\" }\nallow { true }\n";
my $foreign = role(GlobalRole => 'foreign', [{verbs => ['get'], apiGroups => [''], resources => ['pods']}]);
$foreign->{metadata}{annotations} = {'iam.kubesphere.io/rego-override' => $rego};
my $r = ksgate('apply', '-c', $gw->file, '-f', spew(tempdir() . '/foreign.yaml', $json->encode($foreign)));
like $r->{err}, qr/warning: the Rego text in iam\.kubesphere\.io\/rego-override is none of KubeSphere's own and allows nothing/, 'a foreign Rego text is warned about';
$gw->apply([binding(GlobalRole => 'rita', 'foreign', 'rita')]);
is status('rita'), 403, '... and allows nothing';
is status('rita', '/api/v1/namespaces/nowhere/pods/p'), 200, '... but the rules beside it do';
$says = accepted(globalroles => 'foreign');
like $says->[1], qr/^the Rego text in \S+ is none of KubeSphere's own and allows nothing; say it with clauses/, 'its status says so';
is $says->[0], 'True', '... and that the rest of it counts';
my ($in_list) = grep { $_->{metadata}{name} eq 'foreign' } @{$gw->admin(GET => "$iam/globalroles")->{json}{items}};
is $in_list->{status}{conditions}[0]{type}, 'ksgate.io/Accepted', 'in a list, too';
like ksgate('get', '-c', $gw->file, 'globalroles', 'foreign', '-o', 'yaml')->{out}, qr/none of KubeSphere's own/, 'and by ksgate get';
like $gw->stderr, qr/object iam\.kubesphere\.io\/GlobalRole\/\/foreign: the Rego text/, 'the log has it';
like $gw->admin(GET => '/-/metrics')->{body}, qr/^ksgate_registry_objects_flawed [1-9]\d*$/m, 'and a metric counts them';

# What was read is written back without what we said of it.
my $read = $gw->admin(GET => "$iam/globalroles/foreign")->{json};
is $gw->admin(PUT => "$iam/globalroles/foreign?wait=live", $read)->{status}, 200, 'what was read is written back';
is_deeply [map { $_->{type} } @{$gw->admin(GET => "$iam/globalroles/foreign")->{json}{status}{conditions}}], ['ksgate.io/Accepted'],
    '... and our condition is not stored: there is one of it';
delete $read->{metadata}{annotations};
delete $read->{metadata}{resourceVersion};
is $gw->admin(PUT => "$iam/globalroles/foreign?wait=live", $read)->{status}, 200, 'without the text';
is $gw->admin(GET => "$iam/globalroles/foreign")->{json}{status}, undef, '... it has no status';

# Clauses that say too much say nothing.
for my $policy ('{"verbs": ["*"]}', '[{}]', '[{"verbs": ["*"]}, {}]', '[{"verb": ["*"]}]', '[true]', '[{"verbs": "*"}]', 'true', '[{"scopes": ["*", "Galaxy"]}]') {
    smuggle(GlobalRole => 'foreign', rules => []);
    my $o = $gw->admin(GET => "$iam/globalroles/foreign")->{json};
    $o->{metadata}{annotations}{'ksgate.io/policy'} = $policy;
    delete $o->{metadata}{resourceVersion};
    $gw->admin(PUT => "$iam/globalroles/foreign?wait=live", $o);
    is status('rita'), 403, "the policy $policy allows nothing";
}

# A template that is wrong takes nothing away from the role, and gives it nothing.
$gw->apply([{apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'RoleTemplate', metadata => {name => 'all'}, spec => {rules => \@all}}]);
smuggle(ClusterRole => 'taker', rules => [], aggregationRoleTemplates => {templateNames => ['all']});
$gw->apply([binding(ClusterRole => 'taker', 'taker', 'tim')]);
is status('tim'), 200, 'a role takes in a template';
smuggle(RoleTemplate => 'all', spec => {rules => 'x'});
is status('tim'), 403, 'which gives nothing when it is unreadable';
smuggle(RoleTemplate => 'all', spec => {rules => \@all});
is status('tim'), 200, 'and again when it is mended';
smuggle(ClusterRole => 'taker', rules => [], aggregationRoleTemplates => {templateNames => 'all'});
is status('tim'), 403, 'names that are no list name nothing';
like accepted(clusterroles => 'taker')->[1], qr/aggregationRoleTemplates takes in no RoleTemplate/, '... as the status says';
smuggle(ClusterRole => 'taker', rules => [], aggregationRoleTemplates => {roleSelector => {}});
like accepted(clusterroles => 'taker')->[1], qr/roleSelector takes in no/, 'nor does an empty selector';
is status('tim'), 403, '... which selects nothing';
is $gw->admin(DELETE => "$iam/roletemplates/all?wait=live")->{status}, 200, 'the template goes';

done_testing;
