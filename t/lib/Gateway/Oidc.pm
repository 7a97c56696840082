package Gateway::Oidc;

# A real OpenID provider: oidc-provider (npm), in Node.
#
#     my $idp = Gateway::Oidc->new(clients => [...]);
#     $idp->url, $idp->asked(qr{POST /token}), $idp->stop, $idp->start, freeze, thaw
#
# It loses all that it knows when it is stopped.

use strict;
use warnings;
use Cwd qw(realpath);
use JSON::PP ();

use Gateway::Client;
use Gateway::Jose;
use Gateway::Process qw(tempdir free_port);

use constant START => 60; # seconds: seconds of work it is, which others may have to do as well

my $json = JSON::PP->new->canonical;

sub new {
    my ($class, %settings) = @_;
    my $self = bless {settings => \%settings, dir => tempdir(), port => free_port()}, $class;
    return $self->start;
}

sub start {
    my ($self) = @_;
    my $modules = Gateway::Jose::folder();
    $self->{process} = Gateway::Process->new(
        name => 'oidc-provider',
        log => "$self->{dir}/log",
        env => {NODE_PATH => $modules},
        command => ['node', realpath('t/lib/oidc.cjs'), $self->{port}, $json->encode($self->{settings})],
    );
    $self->{process}{expected_end} = 1;
    $self->{process}->wait_until('ready', sub { eval { Gateway::Client->new(to => "127.0.0.1:$self->{port}") } }, START);
    return $self;
}

sub stop { return $_[0]{process}->stop('KILL') }
sub freeze { return $_[0]{process}->kill('STOP') }
sub thaw { return $_[0]{process}->kill('CONT') }
sub url { return "http://127.0.0.1:$_[0]{port}" }

# How often it was asked so ("POST /token").
sub asked {
    my ($self, $what) = @_;
    return scalar grep { /$what/ } split /\n/, $self->{process}->log;
}

1;
