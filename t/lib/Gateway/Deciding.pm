package Gateway::Deciding;

# A gateway that writes down all that it decides, and who asks it, as explain's cases name them.

use strict;
use warnings;
use Exporter 'import';
use Gateway;
use Gateway::Token;

our @EXPORT = qw(deciding_gateway credential decisions);

# It believes the groups that a token names.  kept: how many decisions of each sort.
sub deciding_gateway {
    my ($core, $objects, $kept) = @_;
    my $gw = gateway(core => $core->url, workers => 1, start => 0);
    $gw->configure({
        decisions => {kept => $kept // 1000, sample => 1},
        authentication => {issuers => [{
            issuer => Gateway::Token::ISSUER,
            algorithms => ['HS256'],
            secret_file => $gw->dir . '/secret',
            claims => {groups => 'groups'},
        }]},
    });
    $gw->start;
    $gw->apply($objects) if @$objects;
    return $gw;
}

# The header for a user {name, groups}; none for who has not said who they are.
sub credential {
    my ($gw, $user) = @_;
    return if !$user || $user->{name} eq 'system:anonymous';
    my @groups = grep { !/^system:/ } @{$user->{groups}};
    return $gw->as(
        $user->{name},
        (@groups ? (groups => \@groups) : ()),
        ($user->{name} =~ /^kubesphere:serviceaccount:/ ? (token_type => 'static_token', exp => undef) : ()),
    );
}

# What it has decided, by the requests' ids: at most the last thousand.
sub decisions {
    my ($gw) = @_;
    my $kept = $gw->admin(GET => '/-/apis/ksgate.io/v1/decisions?limit=1000')->{json}{items};
    return {map { $_->{id} => $_ } @$kept};
}

1;
