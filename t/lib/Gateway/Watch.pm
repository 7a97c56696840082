package Gateway::Watch;

# One who watches registered objects (docs/reference/api.md), strict about what it is sent: each
# event must be a line of JSON, and the answer must end as its framing says.
#
#     my $w = watching($gw, '/-/apis/ksgate.io/v1/extensionservices', {resourceVersion => 7}, $gw->as('bob'));
#     my $e = $w->next;       # {type => 'ADDED', object => {...}}; undef when the answer is over
#     $w->words(3);           # "ADDED a, MODIFIED a, DELETED a"
#
# Without headers it watches over the admin socket; `client` in the query is a connection to be used.

use strict;
use warnings;
use Exporter 'import';
use Gateway::Client;
use JSON::PP ();

our @EXPORT = qw(watching);

sub watching { return __PACKAGE__->new(@_) }

sub new {
    my ($class, $gw, $path, $query, @headers) = @_;
    my $client = delete $query->{client} // Gateway::Client->new(to => @headers ? '127.0.0.1:' . $gw->port : $gw->admin_socket);
    my $target = join '&', "$path?watch=true", map { "$_=$query->{$_}" } sort keys %$query;
    $client->send_request(GET => $target, @headers);
    my $self = bless {client => $client, text => ''}, $class;
    my $head = $client->head;
    $self->{head} = $head;
    if ($head->{status} != 200) {
        $head->{body} = $client->body($head, 'GET');
        $head->{json} = JSON::PP->new->decode($head->{body});
    }
    return $self;
}

sub head { return $_[0]{head} }
sub client { return $_[0]{client} }
sub close { return $_[0]{client}->close }

# More of the body.  False at its end, which must be a clean one.
sub more {
    my ($self) = @_;
    my $c = $self->{client};
    return 0 if $self->{over};
    if (lc($self->{head}{headers}{'transfer-encoding'} // '') ne 'chunked') {
        $c->read_some if !length $c->{in};
        $self->{over} = !length $c->{in};
        $self->{text} .= $c->take(length $c->{in});
        return !$self->{over};
    }
    my ($size) = $c->read_until(qr/\r\n/) =~ /^([0-9a-f]+)\r\n$/ or die "not a chunk's size\n";
    $self->{text} .= $c->read_bytes(hex $size);
    $c->read_bytes(2) eq "\r\n" or die "no CRLF after a chunk\n";
    $self->{over} = hex $size == 0;
    return !$self->{over};
}

sub next {
    my ($self) = @_;
    while ($self->{text} !~ /\n/) {
        if (!$self->more) {
            die "half an event: $self->{text}\n" if length $self->{text};
            return;
        }
    }
    $self->{text} =~ s/^(.*)\n//;
    return JSON::PP->new->decode($1);
}

# The next n events (or all, without n) in words: their types and the objects' names.
sub words {
    my ($self, $n) = @_;
    my @words;
    while (!defined $n || @words < $n) {
        my $e = $self->next;
        if (!$e) {
            push @words, 'end' if defined $n;
            last;
        }
        $self->{last} = $e;
        push @words, join ' ', $e->{type},
            $e->{type} eq 'ERROR' ? $e->{object}{code} : $e->{object}{metadata}{name} // ();
    }
    return join ', ', @words;
}

sub last { return $_[0]{last} }

1;
