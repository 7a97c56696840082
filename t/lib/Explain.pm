package Explain;

# Many decisions at once, offline: `ksgate explain --objects FILE --batch`.

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();

use Gateway;

our @EXPORT = qw(explain world vectors);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $dir; # not made when only the syntax is checked

# The answers to the cases (hashes as --batch reads them), in their order.  objects is YAML text
# or a list of objects; each case gets its index as its id.
sub explain {
    my ($objects, @cases) = @_;
    $objects = join '', map { "---\n" . $json->encode($_) . "\n" } @$objects if ref $objects;
    $dir //= tempdir();
    my $file = spew("$dir/objects.yaml", $objects);
    my $in = join '', map { $json->encode({%{$cases[$_]}, id => $_}) . "\n" } 0 .. $#cases;
    my $r = ksgate({in => $in}, 'explain', '--objects', $file, '--batch');
    die "ksgate explain: exit code $r->{code}, $r->{err}" if $r->{code} != 0;
    my @answers = map { $json->decode($_) } split /\n/, $r->{out};
    die scalar(@answers) . ' answers to ' . scalar(@cases) . " cases\n" if @answers != @cases;
    $answers[$_]{id} == $_ or die "answer $_ has the id $answers[$_]{id}\n" for 0 .. $#answers;
    return @answers;
}

# A world of rbac_rules.json as a list of objects: the kind is that of the list's name, and a
# policy is the annotation that we read it from.
my %kind = (
    globalRoles => 'GlobalRole', globalRoleBindings => 'GlobalRoleBinding',
    workspaceRoles => 'WorkspaceRole', workspaceRoleBindings => 'WorkspaceRoleBinding',
    clusterRoles => 'ClusterRole', clusterRoleBindings => 'ClusterRoleBinding',
    roles => 'Role', roleBindings => 'RoleBinding', namespaces => 'Namespace',
);

sub world {
    my ($world) = @_;
    return [map { my $list = $_; map { object($kind{$list}, $_) } @{$world->{$list} // []} } sort keys %$world];
}

sub object {
    my ($kind, $object) = @_;
    my %o = (%$object, kind => $kind, apiVersion => $kind eq 'Namespace' ? 'v1' : 'iam.kubesphere.io/v1beta1');
    my $policy = delete $o{policy};
    if (defined $policy) {
        my %notes = %{$o{metadata}{annotations} // {}};
        $notes{'ksgate.io/policy'} = ref $policy ? $json->encode($policy) : $policy;
        $o{metadata} = {%{$o{metadata}}, annotations => \%notes};
    }
    return \%o;
}

# A shared vector file's content, or nothing when it is not there.
sub vectors {
    my ($name) = @_;
    my $file = ($ENV{KSGATE_VECTORS} // '../shared/vectors') . "/$name";
    return -r $file ? $json->decode(slurp($file)) : ();
}

1;
