package Gateway::Process;

# Processes that a test starts, and what all of them need: a folder, a port, a deadline.

use strict;
use warnings;
use Exporter 'import';
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(:sys_wait_h _exit setpgid);
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);
use Time::HiRes qw(time sleep);

our @EXPORT_OK = qw(tempdir free_port eventually slow);

my $main = $$;
my @started; # all that END has to stop

# How many times slower than usual this build may be: sanitizers, coverage.
sub slow { return $ENV{KSGATE_TEST_SLOW} || 1 }

# A test that hangs fails, and takes what it started with it.
$SIG{ALRM} = sub { print STDERR "# the test took longer than its deadline\n"; exit 1 };
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';
alarm 300 * slow();

# ---- Folder, user, port, deadline -------------------------------------------------------------

# The user that a gateway started by root becomes.
sub user { return $ENV{KSGATE_TEST_USER} || 'nobody' }

# What root makes has to belong to that user.
sub give_away {
    my ($path) = @_;
    return $path if $< != 0;
    my ($uid, $gid) = (getpwnam user())[2, 3];
    chown $uid, $gid, $path or die "chown $path: $!";
    return $path;
}

sub tempdir {
    return give_away(File::Temp::tempdir('ksgate-test-XXXXXX', TMPDIR => 1, CLEANUP => 1));
}

# A TCP port on which nobody listens: below the range from which the kernel takes the ports of
# outgoing connections, and locked (by an abstract unix socket) against the tests that run
# beside this one.
my @locks;

sub free_port {
    for (1 .. 1000) {
        my $port = 10_000 + int rand 20_000;
        socket my $lock, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
        bind $lock, pack_sockaddr_un("\0ksgate-test-$port") or next;
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1) or next;
        push @locks, $lock;
        return $port;
    }
    die 'no free port';
}

# Asks until the answer is true, and returns it.  Dies after the deadline (10 s).
sub eventually(&;@) {
    my ($true, $what, $seconds) = @_;
    my $end = time + ($seconds // 10) * slow();
    while (1) {
        my $answer = $true->();
        return $answer if $answer;
        die 'not in time: ' . ($what // 'what was waited for') . "\n" if time > $end;
        sleep 0.01;
    }
}

# ---- A process --------------------------------------------------------------------------------

# new(command => [...], name =>, log => FILE for its standard error and output, env => {},
# crash_ok => 1); or code => sub {...}, which never returns, instead of the command.
sub new {
    my ($class, %arg) = @_;
    my $self = bless {%arg}, $class;
    open my $log, '>>', $arg{log} or die "$arg{log}: $!";
    $self->{pid} = fork_child(sub {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $log;
        open STDERR, '>&', $log;
        if ($arg{code}) {
            $SIG{PIPE} = 'IGNORE'; # who has gone is met as one who says nothing more
            return $arg{code}->();
        }
        my %env = %{$arg{env} || {}};
        @ENV{keys %env} = values %env;
        exec { $arg{command}[0] } @{$arg{command}} or print STDERR "$arg{command}[0]: $!\n";
    });
    push @started, $self;
    return $self;
}

# fork(), in a process group of its own so that it can be ended with all below it.
sub fork_child {
    my ($code) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setpgid(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM PIPE);
        alarm 0;
        eval { $code->(); 1 } or print STDERR "child: $@";
        _exit(127);
    }
    setpgid($pid, $pid);
    return $pid;
}

sub pid { return $_[0]{pid} }

sub log {
    my ($self) = @_;
    open my $fh, '<:raw', $self->{log} or return '';
    local $/;
    return scalar(<$fh>) // '';
}

sub running {
    my ($self) = @_;
    return 0 if defined $self->{status};
    return 1 if waitpid($self->{pid}, WNOHANG) == 0;
    $self->{status} = $?;
    return 0;
}

# Waits for an event in a process that has to stay alive for it, for as long as eventually() does.
sub wait_until {
    my ($self, $what, $true, $seconds) = @_;
    my $fine = eval {
        eventually(sub { $true->() || ($self->running ? 0 : die "it ended (status $self->{status})\n") },
            "$self->{name} $what", $seconds);
    };
    return 1 if $fine;
    die "$self->{name}: $@" . $self->log;
}

sub kill {
    my ($self, $signal) = @_;
    return CORE::kill($signal, $self->{pid});
}

# Ends it with a SIGTERM (or another signal).  Returns its exit code, or -signal.
sub stop {
    my ($self, $signal) = @_;
    if ($self->running) {
        $self->kill('CONT');
        $self->kill($signal // 'TERM');
        eval { eventually(sub { !$self->running }, 'the end', 30) } or do {
            CORE::kill('KILL', -$self->{pid});
            waitpid $self->{pid}, 0;
            $self->{status} = $?;
            $self->{trouble} = "$self->{name} did not stop within its deadline";
        };
    }
    my $status = $self->{status};
    return $status & 127 ? -($status & 127) : $status >> 8;
}

# Ends it and all below it at once.
sub kill_group {
    my ($self) = @_;
    $self->{expected_end} = 1;
    return if !$self->running;
    CORE::kill('KILL', -$self->{pid});
    return eventually(sub { !$self->running }, 'the end');
}

# What a process says when it found itself wrong.
my $found = qr/(?:ERROR|WARNING): \w+Sanitizer|runtime error:|Assertion [`'].* failed|stack smashing|the server (?:was killed by|ended with)/;

sub trouble {
    my ($self) = @_;
    my $log = $self->log;
    return $self->{trouble} if $self->{trouble};
    return undef if $self->{crash_ok};
    return "$self->{name} found an error in itself" if $log =~ $found;
    return undef if !defined $self->{status} || $self->{expected_end};
    my $signal = $self->{status} & 127;
    return "$self->{name} ended by signal $signal" if $signal && $signal != 15 && $signal != 9;
    return undef;
}

END {
    if ($$ == $main) {
        my $code = $?;
        alarm 0;
        for my $p (reverse @started) {
            eval { $p->stop; 1 } or print STDERR "# $@";
            my $trouble = $p->trouble // next;
            $code ||= 1;
            print STDERR map { "# $_\n" } $trouble, split /\n/, substr $p->log, -20_000;
        }
        $? = $code;
    }
}

# ---- A command that ends ----------------------------------------------------------------------

# run({in, env, seconds}, COMMAND...): {out, err, code}; code is -signal when one ended it.
sub run {
    my ($option, @command) = @_;
    my ($in, $out, $err) = map { File::Temp->new } 1 .. 3;
    print $in $option->{in} // '';
    $in->flush;
    seek $in, 0, 0;
    my $pid = fork_child(sub {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>&', $err;
        my %env = %{$option->{env} || {}};
        @ENV{keys %env} = values %env;
        exec { $command[0] } @command or print STDERR "$command[0]: $!\n";
    });
    my $fine = eval { eventually(sub { waitpid($pid, WNOHANG) == $pid }, "@command", $option->{seconds} // 60) };
    my $status = $?;
    if (!$fine) {
        CORE::kill('KILL', -$pid);
        waitpid $pid, 0;
        die "@command: still running after its deadline\n";
    }
    my %said = map { $_->[0] => do { local $/; seek $_->[1], 0, 0; readline($_->[1]) // '' } } [out => $out], [err => $err];
    return {%said, code => $status & 127 ? -($status & 127) : $status >> 8};
}

1;
