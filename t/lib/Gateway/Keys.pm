package Gateway::Keys;

# Keys of an issuer, and tokens by them: made by openssl, which is not what the gateway's reader
# of JWKs was written with.
#
#     my $key = Gateway::Keys->new('2026-a');           # Ed25519; or ($kid, 'RSA')
#     Gateway::Keys::set($key, $other)                  # the text of a JWK Set
#     $key->token({iss => ..., username => 'alice'})    # signed, with its kid; further header members

use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

use Gateway::Process qw(tempdir);

my $json = JSON::PP->new->canonical;

sub openssl {
    my ($in, @args) = @_;
    my $r = Gateway::Process::run({in => $in}, 'openssl', @args);
    die "openssl @args: $r->{err}" if $r->{code} != 0;
    return $r->{out};
}

sub new {
    my ($class, $kid, $type) = @_;
    my $dir = tempdir();
    my $self = bless {kid => $kid, type => $type // 'Ed25519', dir => $dir, file => "$dir/key"}, $class;
    openssl('', 'genpkey', '-algorithm', $self->{type}, $self->{type} eq 'RSA' ? ('-pkeyopt', 'rsa_keygen_bits:2048') : (),
        '-out', $self->{file});
    return $self;
}

# The public key as a JWK; further members replace the usual ones, undef takes one out.
sub jwk {
    my ($self, %more) = @_;
    my %jwk = (kid => $self->{kid}, use => 'sig');
    if ($self->{type} eq 'RSA') {
        my ($n) = openssl('', 'rsa', '-in', $self->{file}, '-noout', '-modulus') =~ /=([0-9A-F]+)/;
        %jwk = (%jwk, kty => 'RSA', n => encode_base64url(pack 'H*', $n), e => 'AQAB');
    } else {
        my $der = openssl('', 'pkey', '-in', $self->{file}, '-pubout', '-outform', 'DER');
        %jwk = (%jwk, kty => 'OKP', crv => 'Ed25519', x => encode_base64url(substr $der, -32));
    }
    %jwk = (%jwk, %more);
    return {map { $_ => $jwk{$_} } grep { defined $jwk{$_} } keys %jwk};
}

sub set { return $json->encode({keys => [map { ref $_ eq 'HASH' ? $_ : $_->jwk } @_]}) }

sub token {
    my ($self, $claims, %header) = @_;
    my %all = (alg => $self->{type} eq 'RSA' ? 'RS256' : 'EdDSA', kid => $self->{kid}, typ => 'JWT', %header);
    my $head = {map { $_ => $all{$_} } grep { defined $all{$_} } keys %all};
    my $text = join '.', map { encode_base64url($json->encode($_)) } $head, $claims;
    return "$text." . encode_base64url($self->sign($text));
}

sub sign {
    my ($self, $text) = @_;
    return openssl($text, 'dgst', '-sha256', '-sign', $self->{file}, '-binary') if $self->{type} eq 'RSA';
    my $file = "$self->{dir}/text";
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $text;
    close $fh or die "$file: $!"; # openssl wants to know how long it is
    return openssl('', 'pkeyutl', '-sign', '-rawin', '-inkey', $self->{file}, '-in', $file);
}

1;
