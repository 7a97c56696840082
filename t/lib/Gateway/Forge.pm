package Gateway::Forge;

# Keys, signatures and tokens for attacks, by openssl(1) and by hand: as t/hostile/tokens.tsv words them.
#
#     my $f = Gateway::Forge->new($dir, secret => $hs256_secret, claims => {hs => {...}, ...}, url => 'http://...');
#     my $token = $f->token($row); # {of, header, claims, by, then}
#
# In the folder are then, for KEY of rs, es, ed and evil-rs ...: KEY.key, KEY.pem.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use JSON::PP ();
use Math::BigInt;
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);

use Gateway ();

my $json = JSON::PP->new->canonical;

my %kind = (
    rs => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    es => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    p384 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)],
    p521 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-521)],
    k256 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1)],
    ed => [qw(-algorithm ED25519)],
);
my %usual = (hs => 'HS256', rs => 'RS256', es => 'ES256', ed => 'EdDSA', set => 'ES256');
my %half = (es => 32, p384 => 48, p521 => 66, k256 => 32); # bytes of r and of s
my $n = Math::BigInt->from_hex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'); # the order of P-256
my $l = Math::BigInt->new(2)->bpow(252)->badd('27742317777372353535851937790883648493'); # of Ed25519

sub new {
    my ($class, $dir, %with) = @_;
    my $self = bless {dir => $dir, %with}, $class;
    $self->make_key($_, $_) for keys %kind;
    $self->make_key("evil-$_", $_) for qw(rs es ed);
    return $self;
}

sub make_key {
    my ($self, $name, $kind) = @_;
    openssl('', 'genpkey', @{$kind{$kind}}, '-out', "$self->{dir}/$name.key");
    Gateway::spew("$self->{dir}/$name.pem", openssl('', 'pkey', '-in', "$self->{dir}/$name.key", '-pubout'));
    return;
}

sub openssl {
    my ($in, @args) = @_;
    my $r = Gateway::Process::run({in => $in}, 'openssl', @args);
    die "openssl @args: $r->{err}" if $r->{code} != 0;
    return $r->{out};
}

sub public { my ($self, $name, $form) = @_; return openssl('', 'pkey', '-pubin', '-in', "$self->{dir}/$name.pem", '-outform', $form) }

# The public key of a P-256 pair as the members of a JWK.
sub jwk {
    my ($self, $name) = @_;
    my $point = substr $self->public($name, 'DER'), -64;
    return {kty => 'EC', crv => 'P-256', x => encode_base64url(substr $point, 0, 32), y => encode_base64url(substr $point, 32)};
}

# ---- Texts ------------------------------------------------------------------------------------

sub filled {
    my ($self, $text, $of) = @_;
    my $jwk = $json->encode($of eq 'rs' ? {kty => 'RSA', e => 'AQAB', n => encode_base64url($self->modulus('evil-rs'))} : $self->jwk('evil-es'));
    my %word = (URL => $self->{url}, HS => $self->{claims}{hs}{iss}, X5C => encode_base64($self->public('evil-rs', 'DER'), ''));
    $text =~ s/"\@JWK"/$jwk/g;
    $text =~ s/\@(URL|HS|X5C)\b/$word{$1}/g;
    $text =~ s/"\@members:(\d+)"/$json->encode({map { ("m$_" => 1) } 1 .. $1})/eg;
    $text =~ s/"\@list:(\d+)"/$json->encode([('x') x $1])/eg;
    $text =~ s/\@text:(\d+)/'y' x $1/eg;
    $text =~ s/\@digits:(\d+)/'9' x $1/eg;
    $text =~ s/\@nested:(\d+)/'[' x $1 . ']' x $1/eg;
    $text =~ s/\@open:(\d+)/'[' x $1/eg;
    return $text;
}

sub modulus {
    my ($self, $name) = @_;
    my ($hex) = openssl('', 'rsa', '-pubin', '-in', "$self->{dir}/$name.pem", '-noout', '-modulus') =~ /=([0-9A-F]+)/;
    return pack 'H*', $hex;
}

# A cell of the table, and what it is merged into.
sub part {
    my ($self, $cell, $usual, $of) = @_;
    $cell = $self->filled($cell, $of);
    if ($cell =~ s/^=//) {
        $cell =~ s/\\x([0-9a-f]{2})/chr hex $1/eg;
        return $cell;
    }
    my %all = (%$usual, %{length $cell ? $json->decode($cell) : {}});
    return $json->encode({map { $_ => $all{$_} } grep { defined $all{$_} } keys %all});
}

# ---- Signatures -------------------------------------------------------------------------------

sub with_file {
    my ($self, $text, @args) = @_;
    my $file = "$self->{dir}/signed";
    Gateway::spew($file, $text);
    return openssl('', @args, $file);
}

# The two integers of a DER sequence.
sub integers {
    my ($der) = @_;
    my $at = ord(substr $der, 1, 1) == 0x81 ? 3 : 2;
    my @all;
    for (1, 2) {
        my $size = ord substr $der, $at + 1, 1;
        push @all, substr $der, $at + 2, $size;
        $at += 2 + $size;
    }
    return @all;
}

sub padded { my ($bytes, $size) = @_; return "\0" x ($size - length $bytes) . $bytes }
sub big_endian {
    my ($number, $size) = @_;
    my $hex = $number->to_hex;
    return pack 'H*', '0' x (2 * $size - length $hex) . $hex;
}

sub ecdsa_der { my ($self, $key, $text, $digest) = @_; return $self->with_file($text, 'dgst', "-$digest", '-sign', "$self->{dir}/$key.key") }

sub ecdsa {
    my ($self, $key, $text, $digest) = @_;
    my $size = $half{$key =~ s/^evil-//r};
    return join '', map { padded(s/^\0+//r, $size) } integers($self->ecdsa_der($key, $text, $digest));
}

sub by_key {
    my ($self, $of, $key, $text, $digest) = @_;
    $digest ||= 'sha256';
    return hmac_sha256($text, $key eq 'hs' ? $self->{secret} : 'not the secret, but as long as it ought to be') if $of eq 'hs';
    return $self->ecdsa($key, $text, $digest) if $of eq 'es';
    return $self->with_file($text, 'dgst', "-$digest", '-sign', "$self->{dir}/$key.key") if $of eq 'rs';
    return $self->with_file($text, 'pkeyutl', '-sign', '-rawin', '-inkey', "$self->{dir}/$key.key", '-in');
}

sub secret_of {
    my ($self, $word) = @_;
    return '' if $word eq 'empty';
    return $self->{secret} if $word eq 'secret';
    return $1 if $word =~ /^text:(.*)/s;
    return pack 'H*', $1 if $word =~ /^hex:(.*)/;
    my ($name, $form) = split /\./, $word;
    return $self->public($name, 'DER') if $form eq 'der';
    return encode_base64url($self->modulus($name)) if $form eq 'n';
    my $pem = Gateway::slurp("$self->{dir}/$name.pem");
    return $form eq 'pem-1' ? $pem =~ s/\n\z//r : $form eq 'pem-crlf' ? $pem =~ s/\n/\r\n/gr : $pem;
}

sub hmac {
    my ($text, $secret, $alg) = @_;
    return $alg =~ /384/ ? hmac_sha384($text, $secret) : $alg =~ /512/ ? hmac_sha512($text, $secret) : hmac_sha256($text, $secret);
}

sub signature {
    my ($self, $row, $text, $header) = @_;
    my ($how, @with) = split / /, $row->{by}, 2;
    my $of = $row->{of} eq 'set' ? 'es' : $row->{of};
    my %number = (0 => 0, 1 => 1, n => $n, 'n-1' => $n - 1);
    return '' if $how eq 'none';
    return $self->by_key($of, $of, $text, @with) if $how eq 'own';
    return $self->by_key($of, "evil-$of", $text) if $how eq 'evil';
    return hmac($text, $self->secret_of($with[0]), $header) if $how eq 'hmac';
    return "\0" x $with[0] if $how eq 'zero';
    return pack 'H*', $with[0] if $how eq 'hex';
    return $self->ecdsa_der('es', $text, 'sha256') if $how eq 'der';
    return join '', map { big_endian(Math::BigInt->new($number{$_}), 32) } split / /, $with[0] if $how eq 'ints';
    return $self->ecdsa($how, $text, {p384 => 'sha384', p521 => 'sha512', k256 => 'sha256'}->{$how}) if $half{$how};
    return $self->with_file($text, 'dgst', '-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest',
        '-sign', "$self->{dir}/rs.key") if $how eq 'pss';
    die "by '$row->{by}'";
}

# ---- What is done afterwards ------------------------------------------------------------------

my %bend = (
    cut => sub { substr $_[0], 0, length($_[0]) - $_[1] },
    grow => sub { $_[0] . "\0" x $_[1] },
    lead => sub { "\0" x $_[1] . $_[0] },
    flip => sub { $_[0] ^ ("\0" x (length($_[0]) - 9) . "\x10" . "\0" x 8) },
    low => sub { substr($_[0], 0, 32) . big_endian($n - Math::BigInt->from_bytes(substr $_[0], 32), 32) },
    'add-l' => sub { substr($_[0], 0, 32) . reverse big_endian($l + Math::BigInt->from_bytes(scalar reverse substr $_[0], 32), 32) },
);

sub bent {
    my ($self, $row, @part) = @_;
    my ($how, $with) = split / /, $row->{then}, 2;
    return join '.', @part if !defined $how;
    my @alphabet = ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_');
    my %at = map { $alphabet[$_] => $_ } 0 .. $#alphabet;
    if ($bend{$how}) {
        $part[2] = encode_base64url($bend{$how}->(decode_base64url($part[2]), $with));
    } elsif ($how eq 'claims') {
        $part[1] = encode_base64url($self->part($with, $self->{claims}{$row->{of}}, $row->{of}));
    } elsif ($how eq 'pad') {
        $part[{h => 0, c => 1, s => 2}->{$with}] .= '=';
    } elsif ($how eq 'bits') {
        $part[2] =~ s/(.)\z/$alphabet[$at{$1} + 1]/;
    } elsif ($how eq 'drop') {
        pop @part for split //, $with;
    }
    my $token = join '.', @part;
    $token =~ tr{-_}{+/} if $how eq 'std';
    $with =~ s/\\x([0-9a-f]{2})/chr hex $1/eg if defined $with;
    return $how eq 'tail' ? $token . $with : $how eq 'head' ? $with . $token : $how eq 'twice' ? "$token,$token" : $token;
}

sub token {
    my ($self, $row) = @_;
    my $of = $row->{of};
    my $header = $self->part($row->{header}, {alg => $usual{$of}, typ => 'JWT', ($of eq 'set' ? (kid => 'k1') : ())}, $of);
    my @part = map { encode_base64url($_) } $header, $self->part($row->{claims}, $self->{claims}{$of}, $of);
    return $self->bent($row, @part, encode_base64url($self->signature($row, "$part[0].$part[1]", $header)));
}

1;
