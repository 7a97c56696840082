# The shared vectors as requests to a running gateway: what t/20-vectors.t asks of `explain` happens,
# and what the gateway has written down of each is what explain says of it.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Explain;
use Gateway;
use Gateway::Deciding;

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $info = vectors('requestinfo.json');
my $rbac = vectors('rbac_rules.json');
plan skip_all => 'the shared vectors are not here' if !$info || !$rbac;

my $core = upstream { [200, {}, 'core'] };
my $nobody = {name => 'nobody', groups => ['system:authenticated']};

# The console's pages are not decided about; `explain` without a configuration knows no console.
sub is_console { return $_[0] =~ m{^/(?:anything|distx)\b} }

# Can a token say so?  It makes system:authenticated itself, and no groups for service accounts.
sub has_token {
    my ($user) = @_;
    my %in = map { $_ => 1 } @{$user->{groups} // []};
    return $user->{name} eq 'system:anonymous' || ($user->{name} =~ /^kubesphere:serviceaccount:/ ? !%in : $in{'system:authenticated'});
}

# Sends the cases; each gets {status} and, if it was decided, {kept} with what was written down.
sub send_all {
    my ($gw, @cases) = @_;
    my @is;
    my $client = $gw->connect;
    for my $i (0 .. $#cases) {
        my $c = $cases[$i];
        my $r = $client->request($c->{method} => $c->{url}, credential($gw, $c->{user}), 'X-Request-Id' => sprintf 'case-%04d', $i);
        $is[$i] = {status => $r->{status}, json => $r->{json}};
        $client = $gw->connect if ($r->{headers}{connection} // '') eq 'close';
    }
    my $kept = decisions($gw);
    $is[$_]{kept} = $kept->{sprintf 'case-%04d', $_} for 0 .. $#cases;
    return @is;
}

sub same {
    my ($name, $what, $is, $expect) = @_;
    my ($one, $two) = map { $json->encode($_) } $is, $expect;
    return 1 if $one eq $two;
    diag "$name: $what is $one, not $two";
    return 0;
}

# Of a request info, what is kept of each decision.
sub part {
    my ($info) = @_;
    return {map { $_ => $info->{$_} } grep { !/^(?:apiPrefix|isKubernetesRequest|parts|sourceIP)$/ } keys %$info};
}

# ---- Who may do what ----------------------------------------------------------------------------

my ($ran, $right) = (0, 0);
for my $name (sort keys %{$rbac->{worlds}}) {
    my @cases = grep { $_->{world} eq $name && $_->{url} && has_token($_->{user}) && !is_console($_->{url}) } @{$rbac->{cases}}
        or next;
    my $world = world($rbac->{worlds}{$name});
    my @offline = explain($world, map { my $c = $_; +{map { $_ => $c->{$_} } qw(method url user)} } @cases);
    my @is = send_all(deciding_gateway($core, $world), @cases);
    for my $i (0 .. $#cases) {
        my ($case, $is, $off) = ($cases[$i], $is[$i], $offline[$i]);
        my $good = same($case->{name}, 'status', $is->{status}, $off->{status} // 200);
        $good &= same($case->{name}, $_, $is->{kept}{$_}, $off->{$_}) for $is->{kept} ? qw(decision policy rule) : ();
        $good &= same($case->{name}, 'the request', $is->{kept}{requestInfo}, part($off->{requestInfo})) if $is->{kept};
        $good &= same($case->{name}, 'a decision that is kept', !!$is->{kept}, $is->{status} !~ /^40[04]$/);
        $ran++;
        $right += $good;
    }
}
is $right, $ran, "$ran requests of the vectors are answered as explain says";
cmp_ok $ran, '>=', 200, 'which are many';

# ---- What is asked for ---------------------------------------------------------------------------

$_->{user} = $nobody for @$info;
my @is = send_all(deciding_gateway($core, []), @$info);
($ran, $right) = (0, 0);
for my $i (0 .. $#$info) {
    my ($case, $kept) = ($info->[$i], $is[$i]{kept});
    if ($case->{quirk}) {
        $ran++;
        $right += same($case->{name}, 'status', $is[$i]{status}, 400);
    } elsif ($kept) { # the console's paths are not decided about
        $ran++;
        $right += same($case->{name}, 'the request', $kept->{requestInfo}, part($case->{expect}));
    }
}
is $right, $ran, "of $ran requests the gateway knows what they ask for";
cmp_ok $ran, '>=', 100, 'which are many';

done_testing;
