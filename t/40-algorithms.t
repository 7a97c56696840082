# Every algorithm, both ways: tokens that another implementation has made are taken, only with the key and the
# algorithm that they are for; and it takes those that `ksgate token` makes.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Jose;
use Gateway::Objects;

my @algorithms = qw(HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA);
my $ext = upstream { [200, {}, 'extension'] };
my $dir = tempdir();

my $by = Gateway::Jose::mint(claims => Gateway::Token::claims('jose', iss => 'https://jose.example', groups => ['ops']));
is_deeply [sort keys %$by], [sort @algorithms], 'jose has made a token of each algorithm';

my $gw = gateway(start => 0);

sub issuer {
    my ($alg) = @_;
    my $key = $by->{$alg};
    return {issuer => 'https://jose.example', algorithms => [$alg], claims => {groups => 'groups'},
        ($key->{secret} ? 'secret_file' : 'public_key_file') => spew("$dir/$alg", $key->{secret} // $key->{public})};
}

sub ask { return $gw->request(GET => '/extensions/members/x', Authorization => "Bearer $_[0]") }

# ---- All keys of one issuer at once: each token finds its own ----------------------------------

$gw->configure({authentication => {issuers => [map { issuer($_) } @algorithms]}});
$gw->start;
$gw->apply([extension('members', $ext->url, access => 'authenticated')]);
for my $alg (@algorithms) {
    my $r = ask($by->{$alg}{token});
    is $r->{status}, 200, "$alg by jose is taken";
    is $ext->last->{headers}{'x-remote-user'}, 'jose', '... for whom it names';
    is $ext->last->{headers}{'x-remote-group'}, 'system:authenticated, ops', '... with the groups';
}

# The signature of one under the header of another says nothing.
for my $alg (@algorithms) {
    my ($head) = split /\./, $by->{$alg}{token};
    my ($other) = grep { $_ ne $alg } reverse @algorithms;
    my (undef, $claims, $signature) = split /\./, $by->{$other}{token};
    is ask("$head.$claims.$signature")->{status}, 401, "the signature of $other is none of $alg";
}

# ---- And back ----------------------------------------------------------------------------------

my %minted;
for my $alg (grep { /^(?:HS|RS|ES)/ } @algorithms) {
    my $key = $by->{$alg};
    my $file = spew("$dir/mint-$alg", $key->{secret} // $key->{private});
    my $r = $gw->ksgate_here('token', '--issuer', 'https://jose.example', '--user', 'back', '--alg', $alg,
        ($key->{secret} ? '--secret-file' : '--key-file'), $file);
    is $r->{code}, 0, "ksgate token makes one of $alg" or diag $r->{err};
    chomp(my $token = $r->{out});
    $minted{$alg} = {token => $token, key => $key->{secret} // $key->{public}};
}
is_deeply Gateway::Jose::wrong(%minted), {}, 'jose takes all of them';

# ---- A key is for its own kind of algorithm ----------------------------------------------------

my %for = (RS256 => [qw(HS256 ES256 EdDSA)], ES256 => [qw(HS256 ES384 RS256)], ES512 => [qw(ES256)], EdDSA => [qw(ES256 PS256)], HS512 => [qw(RS256)]);
for my $key (sort keys %for) {
    for my $alg (@{$for{$key}}) {
        my $one = gateway(start => 0);
        $one->configure({authentication => {issuers => [{%{issuer($key)}, algorithms => [$alg]}]}});
        my $r = $one->ksgate_here('check');
        is $r->{code}, 1, "a key of $key is not loaded for $alg";
        like $r->{out} . $r->{err}, qr/issuers\[0\]\.algorithms: $alg /, '... and it is told';
    }
}
done_testing;
