package Gateway::Token;

# Tokens as ks-core makes them, and broken ones.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

use constant ISSUER => 'http://ks-console.kubesphere-system.svc:30880';

my $json = JSON::PP->new->canonical;

sub claims {
    my ($user, %claims) = @_;
    my %all = (
        iss => ISSUER,
        sub => $user,
        username => $user,
        token_type => 'access_token',
        iat => time,
        exp => time + 3600,
        %claims,
    );
    return {map { $_ => $all{$_} } grep { defined $all{$_} } keys %all};
}

# HS256, the usual way.
sub mint {
    my ($secret, $user, %claims) = @_;
    return sign($secret, {alg => 'HS256', typ => 'JWT'}, claims($user, %claims));
}

# Any header and any payload (a hash, or text as it is), signed by HMAC-SHA256.
sub sign {
    my ($secret, $header, $payload) = @_;
    my $text = join '.', map { encode_base64url(ref $_ ? $json->encode($_) : $_) } $header, $payload;
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

1;
