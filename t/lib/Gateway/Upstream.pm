package Gateway::Upstream;

# A backend that does what the test says, byte for byte, and remembers what it was asked.
#
#     my $up = upstream {
#         my ($r) = @_;                       # method, target, headers (lower case), lines, body, n
#         return [200, {A => 'b'}, 'text'];   # an answer; the connection stays open
#         return "HTTP/1.1 200 OK\r\n...";    # these bytes, then the connection is closed
#         return;                             # no answer: the connection is closed
#         $r->hold;                           # waits until the test says $up->release
#         $r->write("..."); return KEEP;      # by hand; the connection stays open
#     };
#
# The code runs in a process of its own (one for each connection): what it changes, the test
# does not see.  What it was asked, the test sees: $up->seen, $up->requests, $up->last.

use strict;
use warnings;
use IO::Handle;
use IO::Socket::IP;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX qw(_exit);

use Gateway::Client;
use Gateway::Process qw(tempdir free_port eventually);

use constant KEEP => \'keep';
use constant REMEMBERED => 1 << 20; # bytes of a body that are kept

my $json = JSON::PP->new->canonical->latin1;

# new(CODE, socket => 1: a unix socket; address => '::1', port => PORT: there instead of at
# 127.0.0.1 and a free one; lazy => 1: call CODE at the end of the head, the body is read by
# $r->body_some)
sub new {
    my ($class, $code, %arg) = @_;
    my $self = bless {%arg, code => $code, dir => tempdir()}, $class;
    pipe $self->{gate_out}, $self->{gate_in} or die "pipe: $!";
    $self->{gate_in}->autoflush(1);
    return $self->start;
}

sub url {
    my ($self) = @_;
    my $host = $self->{address} // '127.0.0.1';
    $host = "[$host]" if $host =~ /:/;
    return $self->{socket} ? "unix:$self->{dir}/socket" : "http://$host:$self->{port}";
}

sub port { return $_[0]{port} }

sub start {
    my ($self) = @_;
    my $listener = $self->{socket}
        ? do { unlink "$self->{dir}/socket"; IO::Socket::UNIX->new(Local => "$self->{dir}/socket", Listen => 128) }
        : IO::Socket::IP->new(LocalHost => $self->{address} // '127.0.0.1', LocalPort => $self->{port} // free_port(), ReuseAddr => 1, Listen => 1024);
    $listener or die "listen: $!";
    Gateway::Process::give_away("$self->{dir}/socket") if $self->{socket};
    $self->{port} //= $listener->sockport if !$self->{socket};
    $self->{process} = Gateway::Process->new(
        name => 'upstream',
        log => "$self->{dir}/stderr",
        code => sub { close $self->{gate_in}; $self->serve($listener) }, # or who holds would outlive the test
        expected_end => 1,
    );
    close $listener;
    return $self;
}

# Gone, with all its connections; the port stays the same for the next start.  It is none that the kernel gives to
# connections: one of those would be in the way of it.
sub stop { return $_[0]{process}->kill_group }
sub freeze { return CORE::kill('STOP', -$_[0]{process}->pid) }
sub thaw { return CORE::kill('CONT', -$_[0]{process}->pid) }

# Lets n of those that hold go on.
sub release {
    my ($self, $n) = @_;
    return syswrite $self->{gate_in}, 'x' x ($n // 1);
}

# ---- What it was asked ------------------------------------------------------------------------

sub records {
    my ($self) = @_;
    open my $fh, '<:raw', "$self->{dir}/seen" or return ();
    return map { $json->decode($_) } grep { /\n\z/ } <$fh>;
}

sub requests { return grep { defined $_->{method} } $_[0]->records }
sub seen { return scalar(() = $_[0]->requests) }
sub last { return ($_[0]->requests)[-1] }
sub connections { return scalar(() = grep { defined $_->{connection} && !defined $_->{method} } $_[0]->records) }

# Forgets what it was asked so far.
sub forget { return unlink "$_[0]{dir}/seen" }

# Waits until it was asked n times.
sub wait_for {
    my ($self, $n) = @_;
    return eventually(sub { $self->seen >= $n }, "$n requests at the upstream");
}

# One line by one write: those who write beside us don't mix with it.
sub record {
    my ($self, $record) = @_;
    open my $fh, '>>:raw', "$self->{dir}/seen" or die "seen: $!";
    syswrite $fh, $json->encode($record) . "\n";
    return;
}

# ---- The process ------------------------------------------------------------------------------

sub serve {
    my ($self, $listener) = @_;
    local $SIG{CHLD} = 'IGNORE';
    for (my $n = 1; ; $n++) {
        my $sock = $listener->accept or next;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            close $listener;
            $self->record({connection => $n});
            eval { $self->converse($sock, $n); 1 } or print STDERR $@;
            _exit(0);
        }
        close $sock;
    }
}

sub converse {
    my ($self, $sock, $connection) = @_;
    my $c = bless {sock => $sock, in => '', to => 'upstream', seconds => 3600}, 'Gateway::Client';
    for (my $n = 1; ; $n++) {
        return if $c->at_end;
        my $r = Gateway::Upstream::Request->read($self, $c) or return;
        @$r{qw(n connection)} = ($n, $connection);
        $r->read_body if !$self->{lazy};
        $self->record({map { $_ => $r->{$_} } grep { !/^(?:upstream|client|left)$/ } keys %$r});
        my $answer = $self->{code}->($r);
        return if !defined $answer;
        if (ref $answer ne 'ARRAY') {
            next if ref $answer;
            $c->write($answer);
            return;
        }
        $r->answer(@$answer);
        return if ($r->{headers}{connection} // '') =~ /\bclose\b/i;
    }
}

package Gateway::Upstream::Request;

sub read {
    my ($class, $upstream, $c) = @_;
    my ($first, @lines) = split /\r\n/, $c->read_until(qr/\r\n\r\n/);
    my ($method, $target, $minor) = $first =~ m{^(\S+) (\S+) HTTP/1\.([01])$} or die "not a request line: '$first'\n";
    my ($path, $query) = split /\?/, $target, 2;
    my $r = bless {
        method => $method, target => $target, path => $path, query => $query, minor => $minor,
        Gateway::Client::fields(@lines), body => '', body_bytes => 0, upstream => $upstream, client => $c,
    }, $class;
    my $h = $r->{headers};
    $r->{left} = ($h->{'transfer-encoding'} // '') eq 'chunked' ? 'chunked' : $h->{'content-length'} // 0;
    return $r;
}

sub write {
    my ($r, $bytes) = @_;
    return $r->{client}->write($bytes);
}

# Waits for the test's $up->release.
sub hold {
    my ($r) = @_;
    return sysread $r->{upstream}{gate_out}, my $byte, 1;
}

# The next bytes of the body, '' at its end.
sub body_some {
    my ($r) = @_;
    my $c = $r->{client};
    if ($r->{left} && !$r->{continued}++ && ($r->{headers}{expect} // '') =~ /^100-continue$/i) {
        $c->write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return '' if !$r->{left};
    my $bytes;
    if ($r->{left} eq 'chunked') {
        my ($size) = $c->read_until(qr/\r\n/) =~ /^([0-9a-fA-F]+)/ or die "not a chunk's size\n";
        if (hex $size == 0) {
            my @trailers;
            while ((my $line = $c->read_until(qr/\r\n/)) ne "\r\n") {
                push @trailers, $line =~ s/\r\n$//r;
            }
            $r->{trailers} = {Gateway::Client::fields(@trailers)}->{headers};
            $r->{left} = 0;
            return '';
        }
        $bytes = $c->read_bytes(hex $size);
        $c->read_bytes(2);
    } else {
        $c->read_some or die "the body was cut\n" if !length $c->{in};
        my $n = length $c->{in} < $r->{left} ? length $c->{in} : $r->{left};
        $bytes = $c->take($n);
        $r->{left} -= $n;
    }
    $r->{body_bytes} += length $bytes;
    $r->{body} .= $bytes if length($r->{body}) < Gateway::Upstream::REMEMBERED;
    return $bytes;
}

sub read_body {
    my ($r) = @_;
    1 while length $r->body_some;
    return $r->{body};
}

sub answer {
    my ($r, $status, $headers, $body) = @_;
    my @pairs = ref $headers eq 'HASH' ? map { $_ => $headers->{$_} } sort keys %$headers : @{$headers || []};
    my ($lines, $framed) = ('', $status =~ /^(?:1\d\d|204|304)$/);
    $body //= '';
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $framed = 1 if $name =~ /^(?:content-length|transfer-encoding)$/i;
        $lines .= "$name: $_\r\n" for ref $value ? @$value : $value;
    }
    $lines .= 'Content-Length: ' . length($body) . "\r\n" if !$framed;
    $body = '' if $r->{method} eq 'HEAD';
    return $r->write("HTTP/1.1 $status Status\r\n$lines\r\n$body");
}

1;
