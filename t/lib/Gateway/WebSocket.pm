package Gateway::WebSocket;

# One end of a WebSocket (RFC 6455), strict about what it is sent: wrong masks, reserved bits, lengths
# that could be shorter, pieces out of order and a wrong Sec-WebSocket-Accept end the test.
#
#     my $ws = Gateway::WebSocket->client($gw, '/echo');  # after the handshake
#     my $ws = Gateway::WebSocket->server($r);            # in an upstream's code
#     $ws->send(text => 'hello');
#     my $got = $ws->read;  # {type => text, binary, ping, pong, close or end; data, code}
#
# Nothing is answered by itself: a test that answers pings says so ($ws->pong($got)).

use strict;
use warnings;
use Digest::SHA qw(sha1);
use MIME::Base64 qw(encode_base64);

my %opcode = (more => 0, text => 1, binary => 2, close => 8, ping => 9, pong => 10);
my %type = reverse %opcode;

sub accept_of { return encode_base64(sha1($_[0] . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'), '') }
sub random { return join '', map { chr int rand 256 } 1 .. $_[0] }

sub client {
    my ($class, $gw, $path, @headers) = @_;
    my $c = $gw->connect;
    my $key = encode_base64(random(16), '');
    $c->send_request(GET => $path, Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => 13, 'Sec-WebSocket-Key' => $key, @headers);
    my $head = $c->head;
    $head->{status} == 101 or die "the answer to the handshake is $head->{status}\n";
    $head->{headers}{'sec-websocket-accept'} eq accept_of($key) or die "not the right Sec-WebSocket-Accept\n";
    return bless {c => $c, masks => 1}, $class;
}

sub server {
    my ($class, $r) = @_;
    my $key = $r->{headers}{'sec-websocket-key'} // die "no Sec-WebSocket-Key\n";
    $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " . accept_of($key) . "\r\n\r\n");
    return bless {c => $r->{client}, masks => 0}, $class;
}

sub connection { return $_[0]{c} }

# ---- Out --------------------------------------------------------------------------------------

# The bytes of one frame; more => 1: it is not the message's last.
sub frame {
    my ($self, $type, $data, %option) = @_;
    my $n = length $data;
    my $mask = $self->{masks} ? 0x80 : 0;
    my $head = pack 'C', ($option{more} ? 0 : 0x80) | $opcode{$type};
    $head .= $n < 126 ? pack('C', $mask | $n) : $n < 65_536 ? pack('Cn', $mask | 126, $n) : pack('CQ>', $mask | 127, $n);
    return $head . $data if !$mask;
    my $key = random(4);
    return $head . $key . xor_with($key, $data);
}

sub xor_with {
    my ($key, $data) = @_;
    return $data ^ substr $key x (length($data) / 4 + 1), 0, length $data;
}

sub send {
    my ($self, $type, $data, %option) = @_;
    return $self->{c}->write($self->frame($type, $data // '', %option));
}

sub pong { return $_[0]->send(pong => $_[1]{data}) }
sub close { return $_[0]->send(close => pack 'n', $_[1] // 1000) }

# ---- In ---------------------------------------------------------------------------------------

# The next frame, or nothing at the end of the connection, which must be between two.
sub read_frame {
    my ($self) = @_;
    my $c = $self->{c};
    if (!length $c->{in}) {
        return if !$c->read_some;
    }
    my ($first, $second) = unpack 'CC', $c->read_bytes(2);
    my ($masked, $n) = ($second & 0x80, $second & 0x7f);
    my $is = $type{$first & 0x0f} // die sprintf "a frame of the unknown kind 0x%x\n", $first & 0x0f;
    die "reserved bits in a frame\n" if $first & 0x70;
    die 'the frame is ' . ($masked ? '' : 'not ') . "masked\n" if !$masked == !$self->{masks};
    die "a control frame in pieces, or too long\n" if ($first & 8) && (!($first & 0x80) || $n > 125);
    if ($n == 126) {
        $n = unpack 'n', $c->read_bytes(2);
        die "a length that could be shorter\n" if $n < 126;
    } elsif ($n == 127) {
        $n = unpack 'Q>', $c->read_bytes(8);
        die "a length that could be shorter\n" if $n < 65_536;
    }
    my $key = $masked ? $c->read_bytes(4) : '';
    my $data = $c->read_bytes($n);
    return {type => $is, last => $first & 0x80 ? 1 : 0, data => $masked ? xor_with($key, $data) : $data};
}

# The next control frame, or the next message when its last piece has come.
sub read {
    my ($self) = @_;
    while (1) {
        my $f = $self->read_frame // return {type => 'end'};
        if ($opcode{$f->{type}} & 8) {
            $f->{code} = unpack 'n', $f->{data} if $f->{type} eq 'close' && length $f->{data};
            return $f;
        }
        die "the pieces of a message are out of order\n" if ($f->{type} eq 'more') == !$self->{message};
        $self->{message} //= {type => $f->{type}, data => '', pieces => 0};
        $self->{message}{data} .= $f->{data};
        $self->{message}{pieces}++;
        return delete $self->{message} if $f->{last};
    }
}

# The next message; pings are answered meanwhile, and counted.
sub message {
    my ($self) = @_;
    while (1) {
        my $got = $self->read;
        return $got if $got->{type} ne 'ping';
        $self->{pings}++;
        $self->pong($got);
    }
}

1;
