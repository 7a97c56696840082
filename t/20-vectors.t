# The shared vectors of KubeSphere's request info and RBAC, by the code that decides live
# requests: `ksgate explain --objects --batch`.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Explain;
use Gateway;
use JSON::PP ();

my $info = vectors('requestinfo.json');
my $rbac = vectors('rbac_rules.json');
plan skip_all => 'the shared vectors are not here' if !$info || !$rbac;

# What the answer must be; '' when it is.  A quirk is where upstream is wrong, and each of them
# is a request that we refuse.
sub wrong_info {
    my ($case, $got) = @_;
    my ($is, $expect) = ($got->{requestInfo}, $case->{expect});
    if ($case->{quirk}) {
        return $is->{status} && $is->{status} == 400 && $got->{decision} eq 'deny' ? '' : 'it is not refused';
    }
    my @wrong = grep { text($is->{$_}) ne text($expect->{$_}) } sort keys %{{%$is, %$expect}};
    return join '; ', map { "$_ is " . text($is->{$_}) . ', not ' . text($expect->{$_}) } @wrong;
}

sub text { my $v = shift; return ref $v eq 'ARRAY' ? "[@$v]" : defined $v ? "'$v'" : 'absent' }

sub wrong_decision {
    my ($case, $got) = @_;
    my $expect = $case->{expect};
    my $allow = $expect->{allowed} && !$case->{quirk};
    return "decision is $got->{decision}" if $got->{decision} ne ($allow ? 'allow' : 'deny');
    return "status is $got->{status}" if !$allow && $got->{status} !~ /^40[0134]$/;
    return "reason is $got->{reason}" if !$case->{quirk} && $got->{reason} ne $expect->{reason};
    # Paths that the gateway refuses, and extensions that are not there, get other words.
    return "message is $got->{message}"
        if !$allow && !$case->{quirk} && $got->{status} =~ /^40[13]$/ && $got->{message} ne $expect->{message};
    return '';
}

sub check {
    my ($what, $wrong, $cases, $answers) = @_;
    my $failed = 0;
    for my $i (0 .. $#$cases) {
        my $problem = $wrong->($cases->[$i], $answers->[$i]);
        next if $problem eq '';
        $failed++;
        diag("$cases->[$i]{name}: $problem");
    }
    is $failed, 0, "$what: " . scalar(@$cases) . ' cases';
    return scalar @$cases;
}

my @keys = qw(method url headers remoteAddr user attrs);
sub asked { my $c = shift; return {map { $_ => $c->{$_} } grep { exists $c->{$_} } @keys} }

my $ran = check('request info', \&wrong_info, $info, [explain('', map { asked($_) } @$info)]);
for my $name (sort keys %{$rbac->{worlds}}) {
    my @cases = grep { $_->{world} eq $name } @{$rbac->{cases}} or next;
    $ran += check("decisions in the world '$name'", \&wrong_decision, \@cases,
        [explain(world($rbac->{worlds}{$name}), map { asked($_) } @cases)]);
}

# The roles that we ship allow what ks-core's do: the same questions, with ours in the place of those.
{
    my $shipped = slurp('conf/roles.yaml');
    my %ours = map { $_ => 1 } $shipped =~ /^kind: (?:Global|Cluster)Role\nmetadata: *(?:\{|\n *)name: ([\w-]+)/mg;
    cmp_ok scalar(keys %ours), '==', 9, 'nine roles are shipped';
    my @rest = grep { $_->{kind} !~ /^(?:Global|Cluster)Role\z/ || !$ours{$_->{metadata}{name}} } @{world($rbac->{worlds}{chart})};
    @rest = grep { $_->{metadata}{name} !~ /^(?:anonymous|authenticated|pre-registration|console-sa)\z/ } @rest;
    my $json = JSON::PP->new->utf8;
    my @cases = grep { $_->{world} eq 'chart' } @{$rbac->{cases}};
    my @is = explain(join("---\n", $shipped, map { $json->encode($_) . "\n" } @rest), map { asked($_) } @cases);
    my $same = grep { $is[$_]{decision} eq ($cases[$_]{expect}{allowed} && !$cases[$_]{quirk} ? 'allow' : 'deny') or diag "$cases[$_]{name}: $is[$_]{decision}" } 0 .. $#cases;
    is $same, scalar(@cases), 'and decide as ks-core\'s do: ' . @cases . ' cases';
}
note "$ran vectors ran";
done_testing;
