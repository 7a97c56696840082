package Gateway::Assertion;

# What a backend does with the token in X-Ksgate-Assertion: nothing here is the gateway's own code.
# RFC 7515 and 7517 by hand, the signature by the command openssl.

use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64 encode_base64url);

use Gateway::Process qw(tempdir);

my $json = JSON::PP->new;

# The claims; dies with the reason when the token is not to be believed.  jwks: as the gateway
# publishes it.  aud: whom the token has to be for; now: what the time is.
sub verify {
    my ($token, $jwks, %option) = @_;
    my ($header64, $claims64, $signature64, @more) = split /\./, $token, -1;
    die "not three parts\n" if @more || !length($signature64 // '');
    my ($header, $claims) = map { $json->decode(decode_base64url($_)) } $header64, $claims64;
    die "alg $header->{alg}\n" if $header->{alg} ne 'ES256';
    my ($key) = grep { $_->{kid} eq $header->{kid} } @{$jwks->{keys}};
    die "no key $header->{kid}\n" if !$key;
    die "the signature is wrong\n" if !is_signed("$header64.$claims64", decode_base64url($signature64), $key);
    my $now = $option{now} // time;
    die "expired\n" if $now >= $claims->{exp};
    die "not yet\n" if $now < $claims->{nbf};
    die "for $claims->{aud}\n" if $claims->{aud} ne $option{aud};
    return $claims;
}

# RFC 7518, 3.4: r and s, 32 bytes each.
sub is_signed {
    my ($text, $signature, $key) = @_;
    return 0 if length $signature != 64;
    die "no key for ES256\n" if join(' ', @$key{qw(kty crv use alg)}) ne 'EC P-256 sig ES256';
    my $dir = tempdir();
    put("$dir/key.pem", pem(map { decode_base64url($_) } @$key{qw(x y)}));
    put("$dir/signature", der(0x30, join '', map { integer($_) } unpack 'a32 a32', $signature));
    my $r = Gateway::Process::run({in => $text}, 'openssl', 'dgst', '-sha256', '-verify', "$dir/key.pem",
        '-signature', "$dir/signature");
    return $r->{code} == 0 && $r->{out} =~ /^Verified OK/;
}

# SubjectPublicKeyInfo (RFC 5480) of the point.
sub pem {
    my ($x, $y) = @_;
    my $curve = der(0x30, pack('H*', '06072a8648ce3d0201') . pack('H*', '06082a8648ce3d030107'));
    my $info = der(0x30, $curve . der(0x03, "\0\4$x$y"));
    return "-----BEGIN PUBLIC KEY-----\n" . encode_base64($info) . "-----END PUBLIC KEY-----\n";
}

sub der { return chr($_[0]) . chr(length $_[1]) . $_[1] } # all of it is shorter than 128

sub integer {
    my $bytes = $_[0] =~ s/^\0+(?=.)//sr;
    return der(0x02, ord $bytes > 127 ? "\0$bytes" : $bytes);
}

# RFC 7638: what the key is called must be its own hash.
sub thumbprint {
    my ($key) = @_;
    my $text = sprintf '{"crv":"%s","kty":"%s","x":"%s","y":"%s"}', @$key{qw(crv kty x y)};
    require Digest::SHA;
    return encode_base64url(Digest::SHA::sha256($text));
}

sub put {
    my ($file, $bytes) = @_;
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $bytes or die "$file: $!";
    close $fh or die "$file: $!";
    return;
}

1;
