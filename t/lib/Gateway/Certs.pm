package Gateway::Certs;

# Certificates of an authority of the test's own, made by openssl.
#
#     my $ca = Gateway::Certs->new;
#     my $server = $ca->issue('server', 'IP:127.0.0.1,DNS:localhost');   # {certificate, key}: paths
#     $ca->file                                                          # the authority's certificate

use strict;
use warnings;
use Gateway::Process qw(tempdir);

sub openssl {
    my $r = Gateway::Process::run({}, 'openssl', @_);
    die "openssl @_: $r->{err}" if $r->{code} != 0;
    return;
}

sub new {
    my ($class, $name) = @_;
    my $self = bless {dir => tempdir(), name => $name // 'the test', n => 0}, $class;
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2), '-subj', "/CN=$self->{name}",
        '-keyout', "$self->{dir}/ca.key", '-out', $self->file);
    return $self;
}

sub file { return "$_[0]{dir}/ca.crt" }

# A key and a certificate for those names; both may be read by the gateway's user.
sub issue {
    my ($self, $name, $for) = @_;
    my $base = "$self->{dir}/$name";
    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes), '-subj', "/CN=$name", '-keyout', "$base.key", '-out', "$base.csr");
    open my $fh, '>', "$base.ext" or die "$base.ext: $!";
    print $fh "subjectAltName=$for\n";
    close $fh or die "$base.ext: $!";
    openssl(qw(x509 -req -days 2 -in), "$base.csr", '-CA', $self->file, '-CAkey', "$self->{dir}/ca.key",
        '-set_serial', ++$self->{n}, '-extfile', "$base.ext", '-out', "$base.crt");
    Gateway::Process::give_away($_) for "$base.key", "$base.crt", $self->file;
    return {certificate => "$base.crt", key => "$base.key"};
}

1;
