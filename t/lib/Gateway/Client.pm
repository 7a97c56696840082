package Gateway::Client;

# One client connection, by hand: any bytes in any order, and a strict reader of answers.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use Time::HiRes qw(time);

use Gateway::Process qw(slow);

# new(to => "127.0.0.1:8080" or "/path/to/socket", seconds => deadline of each wait)
sub new {
    my ($class, %arg) = @_;
    my $sock = $arg{to} =~ m{^/}
        ? IO::Socket::UNIX->new(Peer => $arg{to})
        : IO::Socket::INET->new(PeerAddr => $arg{to}, Proto => 'tcp');
    $sock or die "connect $arg{to}: $!\n";
    $sock->autoflush(1);
    return bless {sock => $sock, in => '', to => $arg{to}, seconds => ($arg{seconds} // 10) * slow()}, $class;
}

sub sock { return $_[0]{sock} }
sub close { return $_[0]{sock}->close }
sub shutdown_write { return shutdown $_[0]{sock}, 1 }

sub write {
    my ($self, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        IO::Select->new($self->{sock})->can_write($self->{seconds}) or die "write: the other side does not read\n";
        my $n = syswrite $self->{sock}, $bytes, 65_536, $at;
        defined $n or return 0; # closed by the other side: what it said can still be read
        $at += $n;
    }
    return 1;
}

# Adds what there is to the buffer.  False at the end of the connection; dies at the deadline.
sub read_some {
    my ($self, $end) = @_;
    $end //= time + $self->{seconds};
    my $left = $end - time;
    IO::Select->new($self->{sock})->can_read($left > 0 ? $left : 0) or die "read: nothing came in time\n";
    return sysread $self->{sock}, $self->{in}, 65_536, length $self->{in};
}

# All bytes until the other side closes, or until the deadline.
sub read_all {
    my ($self) = @_;
    my $end = time + $self->{seconds};
    eval { 1 while $self->read_some($end) };
    return $self->take(length $self->{in});
}

# All bytes up to and with what the pattern matches; dies when it does not come.
sub read_until {
    my ($self, $pattern) = @_;
    my $end = time + $self->{seconds};
    while (1) {
        if ($self->{in} =~ /$pattern/) {
            my $n = $+[0];
            return $self->take($n);
        }
        $self->read_some($end) or die "the connection was closed before $pattern came: '$self->{in}'\n";
    }
}

sub read_bytes {
    my ($self, $n) = @_;
    my $end = time + $self->{seconds};
    while (length $self->{in} < $n) {
        $self->read_some($end) or die "the connection was closed after " . length($self->{in}) . " of $n bytes\n";
    }
    return $self->take($n);
}

# True when the other side has closed and nothing is left to read.
sub at_end {
    my ($self) = @_;
    return 0 if length $self->{in};
    return !$self->read_some;
}

sub take {
    my ($self, $n) = @_;
    return substr $self->{in}, 0, $n, '';
}

# ---- HTTP -------------------------------------------------------------------------------------

sub send_request {
    my ($self, $method, $target, @rest) = @_;
    my ($body, $has_host, $has_length, $lines) = (undef, 0, 0, '');
    while (my ($name, $value) = splice @rest, 0, 2) {
        if ($name eq 'body') {
            $body = $value;
            next;
        }
        $has_host = 1 if lc $name eq 'host';
        $has_length = 1 if $name =~ /^(?:content-length|transfer-encoding)$/i;
        $lines .= "$name: $_\r\n" for ref $value ? @$value : defined $value ? $value : ();
    }
    $lines = 'Host: ' . ($self->{to} =~ m{^/} ? 'localhost' : $self->{to}) . "\r\n$lines" if !$has_host;
    $lines .= 'Content-Length: ' . length($body) . "\r\n" if defined $body && !$has_length;
    $self->{method} = $method;
    return $self->write("$method $target HTTP/1.1\r\n$lines\r\n" . ($body // ''));
}

# One request and its answer, on this connection.
sub request {
    my ($self, @request) = @_;
    $self->send_request(@request);
    return $self->response;
}

# The next answer: {status, reason, headers (lower case; several lines joined by ", "),
# lines ([name, value], as sent), body, json, interim ([status, ...] of 1xx)}.
sub response {
    my ($self, $method) = @_;
    $method //= $self->{method} // 'GET';
    my @interim;
    while (1) {
        my $r = $self->head;
        if ($r->{status} >= 100 && $r->{status} < 200 && $r->{status} != 101) {
            push @interim, $r->{status};
            next;
        }
        $r->{interim} = \@interim;
        $r->{body} = $self->body($r, $method);
        if (($r->{headers}{'content-type'} // '') =~ m{[/+]json} && length $r->{body}) {
            $r->{json} = eval { JSON::PP->new->decode($r->{body}) };
        }
        return $r;
    }
}

sub head {
    my ($self) = @_;
    my ($first, @lines) = split /\r\n/, $self->read_until(qr/\r\n\r\n/);
    my ($minor, $status, $reason) = $first =~ m{^HTTP/1\.([01]) (\d{3}) (.*)$} or die "not a status line: '$first'\n";
    return {status => $status, reason => $reason, minor => $minor, fields(@lines)};
}

sub fields {
    my @pairs = map { [/^([!#\$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/] } @_;
    my %headers;
    for (@pairs) {
        die "not a header line\n" if !@$_;
        my $name = lc $_->[0];
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $_->[1]" : $_->[1];
    }
    return (headers => \%headers, lines => \@pairs);
}

sub body {
    my ($self, $r, $method) = @_;
    return '' if $method eq 'HEAD' || $r->{status} =~ /^(?:101|204|304)$/;
    my $h = $r->{headers};
    if (lc($h->{'transfer-encoding'} // '') eq 'chunked') {
        return $self->chunked($r);
    }
    return $self->read_bytes($h->{'content-length'}) if defined $h->{'content-length'};
    return $self->read_all;
}

sub chunked {
    my ($self, $r) = @_;
    my $body = '';
    while (1) {
        my ($size) = $self->read_until(qr/\r\n/) =~ /^([0-9a-fA-F]+)(?:;.*)?\r\n$/ or die "not a chunk's size\n";
        last if hex $size == 0;
        $body .= $self->read_bytes(hex $size);
        $self->read_bytes(2) eq "\r\n" or die "no CRLF after a chunk\n";
    }
    my @trailers;
    while ((my $line = $self->read_until(qr/\r\n/)) ne "\r\n") {
        push @trailers, $line =~ s/\r\n$//r;
    }
    $r->{trailers} = {fields(@trailers)}->{headers};
    return $body;
}

1;
