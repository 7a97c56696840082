package Gateway::Redis;

# A real redis-server of the test's own, that can be stopped, frozen and started again.

use strict;
use warnings;
use Gateway::Client;
use Gateway::Process qw(tempdir free_port);

# new(config => [option...], password => its default user's,
#     tls => {certificate =>, key =>, ca =>, clients => 'yes'|'no'})
# With tls it has a second port for that.
sub new {
    my ($class, %arg) = @_;
    my $self = bless {%arg, dir => tempdir(), port => free_port()}, $class;
    $self->{tls_port} = free_port() if $self->{tls};
    return $self->start;
}

sub port { return $_[0]{port} }
sub pid { return $_[0]{process}->pid }
sub url { return "redis://127.0.0.1:$_[0]{port}/0" }
sub tls_url { return "rediss://127.0.0.1:$_[0]{tls_port}/0" }

sub options {
    my ($self) = @_;
    my $tls = $self->{tls};
    return (
        (map { split ' ' } @{$self->{config} || []}),
        (defined $self->{password} ? ('--requirepass', $self->{password}) : ()),
        ($tls ? ('--tls-port', $self->{tls_port}, '--tls-cert-file', $tls->{certificate}, '--tls-key-file', $tls->{key},
            '--tls-ca-cert-file', $tls->{ca}, '--tls-auth-clients', $tls->{clients} // 'no') : ()),
    );
}

# Its data survive a restart, even after a SIGKILL.
sub start {
    my ($self) = @_;
    $self->{process} = Gateway::Process->new(
        name => 'redis-server',
        log => "$self->{dir}/log",
        command => ['redis-server', '--bind', '127.0.0.1', '--port', $self->{port}, '--dir', $self->{dir},
            '--save', '', '--appendonly', 'yes', '--appendfsync', 'no', $self->options],
    );
    $self->{process}{expected_end} = 1;
    $self->{process}->wait_until('ready', sub { (eval { $self->command('PING') } // '') eq 'PONG' });
    return $self;
}

sub stop { return $_[0]{process}->stop }
sub kill { return $_[0]{process}->stop('KILL') }
sub freeze { return $_[0]{process}->kill('STOP') }
sub thaw { return $_[0]{process}->kill('CONT') }

sub restart {
    my ($self) = @_;
    $self->stop;
    return $self->start;
}

# command(WORD...): the answer: text, a number, undef, or a list of those.  Dies of an error.
sub command {
    my ($self, @words) = @_;
    return ask($self->{step} // $self->client, @words);
}

sub client {
    my ($self) = @_;
    my $c = Gateway::Client->new(to => "127.0.0.1:$self->{port}");
    ask($c, 'AUTH', $self->{password}) if defined $self->{password};
    return $c;
}

# The commands that the code gives are one step: nobody sees what is between, and no time passes.
# They are answered when the code is over, by the list that is returned.
sub in_one_step {
    my ($self, $code) = @_;
    local $self->{step} = $self->client;
    $self->command('MULTI');
    $code->();
    return $self->command('EXEC');
}

sub ask {
    my ($c, @words) = @_;
    $c->write(join '', '*' . @words . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @words);
    return answer($c);
}

sub answer {
    my ($c) = @_;
    my ($type, $rest) = $c->read_until(qr/\r\n/) =~ /^([-+:\$*])(.*)\r\n$/ or die "not an answer of Redis\n";
    return $rest if $type eq '+' || $type eq ':';
    die "Redis: $rest\n" if $type eq '-';
    return undef if $rest < 0;
    return [map { scalar answer($c) } 1 .. $rest] if $type eq '*';
    my $text = $c->read_bytes($rest);
    $c->read_bytes(2);
    return $text;
}

1;
