package Gateway::Sockets;

# Very many WebSockets, and who echoes what they say: t/lib/ws.c, which is built beside the gateway.
# Any surprise (a socket that is closed, another message than was sent) ends it, and the test.
#
#     my $echo = Gateway::Sockets->echo($port);
#     my $load = Gateway::Sockets->load($gw->port, 5000, 64, '/extensions/x/ws');
#     my $got = $load->order('rate 1000 2');   # {n, seconds, p50, p99, late}; orders: see ws.c

use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IPC::Open2;

use Gateway::Process qw(slow);

my $main = $$;
my @started;

sub tool { return ($ENV{KSGATE} // 'build/ksgate') =~ s{[^/]*\z}{t/lib/ws}r }

# Each may be given what to run it by: with => ['taskset', '-c', 1]
sub echo { my ($class, $port, %option) = @_; return $class->start('ready', \%option, 'echo', $port) }

sub load {
    my ($class, $port, $n, $size, $path, %option) = @_;
    return $class->start('open', \%option, 'load', $port, $n, $size, $path // '/ws');
}

sub start {
    my ($class, $ready, $option, @arguments) = @_;
    my $pid = open2(my $out, my $in, @{$option->{with} // []}, tool(), @arguments);
    my $self = bless {pid => $pid, out => $out, in => $in, name => "ws $arguments[0]"}, $class;
    push @started, $self;
    $self->line(60) eq "$ready\n" or die "$self->{name}: is not $ready\n";
    return $self;
}

sub pid { return $_[0]{pid} }

# Has the order been carried out?
sub done { return scalar IO::Select->new($_[0]{out})->can_read(0) }

sub line {
    my ($self, $seconds) = @_;
    IO::Select->new($self->{out})->can_read($seconds * slow()) or die "$self->{name}: says nothing\n";
    return readline($self->{out}) // die "$self->{name}: it has ended\n";
}

sub begin {
    my ($self, $order) = @_;
    print {$self->{in}} "$order\n";
    return $self->{in}->flush;
}

sub result {
    my ($self) = @_;
    my %got;
    @got{qw(n seconds p50 p99 late)} = split ' ', $self->line(60);
    return \%got;
}

sub order {
    my ($self, $order) = @_;
    $self->begin($order);
    return $self->result;
}

sub stop {
    my ($self) = @_;
    kill 'KILL', $self->{pid};
    return waitpid delete $self->{pid}, 0;
}

END {
    if ($$ == $main) {
        my $code = $?;
        $_->stop for grep { $_->{pid} } @started;
        $? = $code;
    }
}

1;
