package Gateway::Stage;

# A proxy between a client and a backend that are both this process: every byte on both sides is
# seen, in order, and nothing is waited for but events.
#
#     my $stage = Gateway::Stage->new(backend => sub { my ($conn, $request) = @_; $conn->say(...) });
#     ... start a proxy before $stage->port ...
#     my $seen = $stage->play($proxy_port, $bytes);
#
# play() opens a client connection, sends the bytes (in `pieces` of so many bytes), closes the
# sending side (`open_for` => n: not before n bytes have come back) and reads to the end (`then` =>
# called with what has come back so far, until it says that it has done what it wanted to).  It
# returns {answer, end, requests, wrong, tunneled}: what the client got and how its connection
# ended (closed, reset or late), what the backend read as requests meanwhile, by the strict reader.

use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use Gateway::Process qw(slow);
use Gateway::Strict;

# new(backend => called with each complete request; on_bytes => with each read, before that;
# on_open => with each connection)
sub new {
    my ($class, %arg) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 256, ReuseAddr => 1, Blocking => 0) or die "listen: $!";
    return bless {%arg, listener => $listener, conns => {}, opened => 0}, $class;
}

sub port { return $_[0]{listener}->sockport }
sub url { return 'http://127.0.0.1:' . $_[0]->port }
sub conns { return values %{$_[0]{conns}} } # the backend's open ones

# One turn: waits for something to happen, at most so long, and does what is to be done.
sub turn {
    my ($self, $client, $seconds) = @_;
    my $select = IO::Select->new($self->{listener}, map { $_->{sock} } $self->conns);
    $select->add($client->{sock}) if $client && !$client->{end};
    my @ready = $select->can_read($seconds);
    for my $sock (@ready) {
        if ($sock == $self->{listener}) {
            $self->accept_all;
        } elsif ($client && $sock == $client->{sock}) {
            $client->read_some;
        } elsif (my $conn = $self->{conns}{fileno $sock}) {
            $self->backend_read($conn);
        }
    }
    return scalar @ready;
}

sub accept_all {
    my ($self) = @_;
    while (my $sock = $self->{listener}->accept) {
        $sock->blocking(0);
        my $conn = Gateway::Stage::End->new($sock, reader => Gateway::Strict->new, n => ++$self->{opened});
        $self->{conns}{fileno $sock} = $conn;
        $self->{on_open}->($conn) if $self->{on_open};
        $self->drop_ended($conn);
    }
    return;
}

sub backend_read {
    my ($self, $conn) = @_;
    my $bytes = $conn->read_some;
    my $seen = $self->{seen};
    if (length $bytes && $conn->{tunnel}) {
        $seen->{tunneled} .= $bytes;
    } elsif (length $bytes) {
        my @requests = $conn->{reader}->feed($bytes);
        push @{$seen->{requests}}, @requests;
        $self->{on_bytes}->($conn, $bytes) if $self->{on_bytes};
        for (@requests) {
            $_->{on} = $conn->{n};
            $self->{backend}->($conn, $_);
        }
        if (defined $conn->{reader}{wrong} && !$conn->{refused}++) {
            push @{$seen->{wrong}}, $conn->{reader}{wrong};
            $conn->say("HTTP/1.1 400 Unreadable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            $conn->close;
        }
    }
    return $self->drop_ended($conn);
}

sub drop_ended {
    my ($self, $conn) = @_;
    return if !$conn->{end} && !$conn->{closed};
    $self->{seen}{cut}++ if $conn->{reader}->within && !$conn->{tunnel};
    delete $self->{conns}{fileno $conn->{sock}};
    $conn->{sock}->close;
    return;
}

sub settle {
    my ($self) = @_;
    1 while $self->turn(undef, 0);
    return;
}

sub play {
    my ($self, $port, $bytes, %option) = @_;
    $self->settle;
    my $seen = $self->{seen} = {requests => [], wrong => [], tunneled => '', cut => 0};
    my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Proto => 'tcp') or die "connect: $!";
    setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
    $sock->blocking(0);
    my $client = Gateway::Stage::End->new($sock);
    my $piece = $option{pieces} // 1 << 20;
    my $at = 0;
    my $deadline = time + ($option{seconds} // 10) * slow();
    while (!$client->{end}) {
        if ($at < length $bytes) {
            my $n = syswrite $sock, $bytes, $piece, $at;
            $at = length $bytes if !defined $n && $! != EAGAIN; # it does not want more
            $at += $n // 0;
        }
        if ($at >= length $bytes && !$client->{shut} && length $client->{in} >= ($option{open_for} // 0)) {
            $client->{shut} = 1;
            shutdown $sock, 1;
        }
        $self->turn($client, $at < length $bytes ? 0 : 0.5);
        delete $option{then} if $option{then} && $option{then}->($client->{in});
        $client->{end} //= 'late' if time > $deadline;
    }
    $sock->close;
    $self->settle;
    return {%$seen, answer => $client->{in}, end => $client->{end}};
}

# A request whose answer is read to its end, on a connection of its own; its head and body.
sub ask {
    my ($self, $port, $target) = @_;
    my $seen = $self->play($port, "GET $target HTTP/1.1\r\nHost: after\r\nConnection: close\r\n\r\n");
    my ($head, $body) = split /\r\n\r\n/, $seen->{answer}, 2;
    return {%$seen, head => $head // '', body => $body // ''};
}

# ---- One end of a connection --------------------------------------------------------------------

package Gateway::Stage::End;

sub new {
    my ($class, $sock, %arg) = @_;
    return bless {%arg, sock => $sock, in => '', end => undef}, $class;
}

sub read_some {
    my ($self) = @_;
    my $n = sysread $self->{sock}, my $bytes, 1 << 18;
    if (!defined $n) {
        $self->{end} = 'reset' if !$!{EAGAIN} && !$!{EINTR};
        return '';
    }
    $self->{end} = 'closed' if $n == 0;
    $self->{in} .= $bytes if !$self->{reader};
    return $bytes;
}

# Small enough for the socket's buffer, or as much as the other side takes.
sub say {
    my ($self, $bytes) = @_;
    return syswrite $self->{sock}, $bytes;
}

sub close {
    my ($self) = @_;
    shutdown $self->{sock}, 1;
    return;
}

# Gone at once: what was said and not read yet may be lost, too.
sub reset {
    my ($self) = @_;
    setsockopt $self->{sock}, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0;
    $self->{closed} = 1;
    return;
}

1;
