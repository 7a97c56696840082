package Gateway::Objects;

# Objects as tests need them, short to write; and what is said of measured times.

use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(time);

our @EXPORT = qw(extension path_of role binding milliseconds figures);

# An ExtensionService for everybody, unless its spec says otherwise.  url: one endpoint.
sub extension {
    my ($name, $url, %spec) = @_;
    return {
        apiVersion => 'ksgate.io/v1',
        kind => 'ExtensionService',
        metadata => {name => $name},
        spec => {access => 'public', ($url ? (endpoints => [{url => $url}]) : ()), %spec},
    };
}

# Where an ExtensionService is in the HTTP interface.
sub path_of {
    my ($name, $query) = @_;
    return '/-/apis/ksgate.io/v1/extensionservices' . (defined $name ? "/$name" : '') . ($query ? "?$query" : '');
}

# role(KIND, NAME, [RULE...], IN): IN is the workspace or the namespace.
sub role {
    my ($kind, $name, $rules, $in) = @_;
    return {apiVersion => 'iam.kubesphere.io/v1beta1', kind => $kind, metadata => _metadata($kind, $name, $in), rules => $rules};
}

# binding(KIND of the role, NAME, ROLE, USER, IN)
sub binding {
    my ($kind, $name, $role, $user, $in) = @_;
    my $subject = $user =~ /^system:(?:un)?authenticated$/ ? 'Group' : 'User';
    return {
        apiVersion => 'iam.kubesphere.io/v1beta1',
        kind => "${kind}Binding",
        metadata => _metadata($kind, $name, $in),
        roleRef => {apiGroup => 'iam.kubesphere.io', kind => $kind, name => $role},
        subjects => [{apiGroup => 'iam.kubesphere.io', kind => $subject, name => $user}],
    };
}

sub _metadata {
    my ($kind, $name, $in) = @_;
    return {name => $name, labels => {'kubesphere.io/workspace' => $in}} if $kind eq 'WorkspaceRole';
    return {name => $name, namespace => $in} if $kind eq 'Role';
    return {name => $name};
}

# How long it took, in milliseconds.
sub milliseconds(&) {
    my ($code) = @_;
    my $start = time;
    $code->();
    return (time - $start) * 1000;
}

# {median, p99, max} of numbers, and them in words.
sub figures {
    my @sorted = sort { $a <=> $b } @_;
    my %f = (median => $sorted[@sorted / 2], p99 => $sorted[int(@sorted * 0.99)], max => $sorted[-1]);
    $f{words} = sprintf 'median %.1f ms, 99%% %.1f ms, max %.1f ms of %d', @f{qw(median p99 max)}, scalar @sorted;
    return \%f;
}

1;
