package Gateway::Strict;

# A second reader of requests, for the tests that ask whether a backend could read one otherwise
# than the gateway did.  Written from RFC 9112 and RFC 9110 alone, and stricter than either asks a
# server to be: it knows one way to write a message, and what differs from it in a byte is wrong.
#
#     my $reader = Gateway::Strict->new;
#     my @requests = $reader->feed($bytes);  # those that are complete now
#     $reader->{wrong}                       # why the bytes can't be read; it reads no further
#     $reader->within                        # a message has begun and is not complete
#
# A request is {method, target, headers => [[name, value]...], framing => none|length|chunked,
# body, trailers => [...], raw => its head}.

use strict;
use warnings;

my $token = qr/[!#\$%&'*+.^_`|~0-9A-Za-z-]+/;
my $value = qr/(?:[\x21-\x7e\x80-\xff](?:[\x20\t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?/;

sub new { return bless {in => '', step => \&head}, $_[0] }

sub within {
    my ($self) = @_;
    return length $self->{in} || $self->{step} != \&head;
}

sub feed {
    my ($self, $bytes) = @_;
    $self->{in} .= $bytes;
    my @done;
    while (!defined $self->{wrong} && !$self->{tunnel}) {
        my $result = $self->{step}->($self) or last; # wants more
        push @done, $result if ref $result;
    }
    return @done;
}

# What follows is no HTTP any more (after a 101).
sub become_tunnel {
    my ($self) = @_;
    $self->{tunnel} = 1;
    return;
}

sub wrong {
    my ($self, $why) = @_;
    $self->{wrong} = $why;
    return;
}

# ---- The head (RFC 9112, 2 to 6) ----------------------------------------------------------------

sub head {
    my ($self) = @_;
    return 0 if !length $self->{in};
    my $end = index $self->{in}, "\r\n\r\n";
    my $text = $end < 0 ? $self->{in} : substr $self->{in}, 0, $end + 4;
    # Whatever a lenient reader could take for the end of a line or of a text.
    return $self->wrong('LF without CR') if $text =~ /(?<!\r)\n/;
    return $self->wrong('CR without LF') if $text =~ /\r(?!\n)./s;
    return $self->wrong('a control byte') if $text =~ /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
    return 0 if $end < 0;
    substr $self->{in}, 0, $end + 4, '';
    my ($first, @lines) = split /\r\n/, $text;
    my $r = $self->request_line($first // '') or return;
    $r->{raw} = $text;
    $r->{headers} = $self->fields(@lines) or return;
    return $self->framing($r);
}

# origin-form, in which any visible byte may stand but '#'; or *.
sub request_line {
    my ($self, $line) = @_;
    my ($method, $target) = $line =~ m{\A($token) (/[!-"\$-~]*|\*) HTTP/1\.1\z} or return $self->wrong('the request line');
    return $self->wrong('* of ' . $method) if $target eq '*' && $method ne 'OPTIONS';
    return $self->wrong('CONNECT') if $method eq 'CONNECT';
    return {method => $method, target => $target, body => '', trailers => []};
}

# "Name: value", and no other space.
sub fields {
    my ($self, @lines) = @_;
    my @fields;
    for (@lines) {
        /\A($token):(?: ($value))?\z/ or return $self->wrong('a header line that is not "Name: value"');
        push @fields, [$1, $2 // ''];
    }
    return \@fields;
}

sub values_of {
    my ($fields, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq $name } @$fields;
}

sub framing {
    my ($self, $r) = @_;
    my @host = values_of($r->{headers}, 'host');
    return $self->wrong(@host . ' Host headers') if @host != 1;
    return $self->wrong('the Host header') if $host[0] !~ m{\A(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!\$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?\z};
    my @length = values_of($r->{headers}, 'content-length');
    my @coding = values_of($r->{headers}, 'transfer-encoding');
    # What stands for the same names where '_' and '-' are one (CGI, WSGI, PHP).
    for (map { $_->[0] } @{$r->{headers}}) {
        return $self->wrong("the header $_") if /[_.]/ && tr/_./--/r =~ /\A(?:host|content-length|transfer-encoding|connection|upgrade|te|trailer|expect)\z/i;
    }
    if (@length && @coding) {
        return $self->wrong('Content-Length and Transfer-Encoding');
    }
    $r->{framing} = @coding ? 'chunked' : @length ? 'length' : 'none';
    $self->{request} = $r;
    if (@coding) {
        return $self->wrong('Transfer-Encoding') if @coding > 1 || $coding[0] ne 'chunked';
        $self->{step} = \&chunk_size;
        return 1;
    }
    return $self->done if !@length;
    return $self->wrong('Content-Length') if @length > 1 || $length[0] !~ /\A(?:0|[1-9][0-9]{0,18})\z/ || length $length[0] == 19 && $length[0] gt '9223372036854775807';
    $self->{left} = $length[0];
    $self->{step} = \&body;
    return 1;
}

sub done {
    my ($self) = @_;
    $self->{step} = \&head;
    return delete $self->{request};
}

# ---- The body (RFC 9112, 6 and 7) ---------------------------------------------------------------

sub take {
    my ($self) = @_;
    my $bytes = substr $self->{in}, 0, $self->{left}, '';
    $self->{left} -= length $bytes;
    $self->{request}{body} .= $bytes;
    return $self->{left} == 0;
}

sub body {
    my ($self) = @_;
    return $self->take ? $self->done : 0;
}

# One line of them: undef while it is not complete.
sub line {
    my ($self) = @_;
    my $end = index $self->{in}, "\n";
    return undef if $end < 0;
    return substr $self->{in}, 0, $end + 1, '';
}

# No extensions and no leading zeros: both are allowed, and both have been read in two ways.
sub chunk_size {
    my ($self) = @_;
    my $line = $self->line // return 0;
    $line =~ /\A(0|[1-9a-fA-F][0-9a-fA-F]{0,14})\r\n\z/ or return $self->wrong('the line of a chunk');
    $self->{left} = hex $1;
    $self->{step} = $self->{left} == 0 ? \&trailer : \&chunk;
    return 1;
}

sub chunk {
    my ($self) = @_;
    return 0 if !$self->take;
    $self->{step} = \&chunk_end;
    return 1;
}

sub chunk_end {
    my ($self) = @_;
    return 0 if length $self->{in} < 2;
    return $self->wrong('a chunk that does not end where it should') if substr($self->{in}, 0, 2, '') ne "\r\n";
    $self->{step} = \&chunk_size;
    return 1;
}

sub trailer {
    my ($self) = @_;
    my $line = $self->line // return 0;
    return $self->done if $line eq "\r\n";
    $line =~ s/\r\n\z// or return $self->wrong('LF without CR in the trailers');
    my $fields = $self->fields($line) or return;
    push @{$self->{request}{trailers}}, @$fields;
    return 1;
}

# ---- What a gateway may not pass on (RFC 9110, 7.6; and our own promises) -----------------------

# What is wrong with a request that the gateway sent, though it can be read: a list of words.
sub unfit {
    my ($r, $peer) = @_;
    my @wrong;
    my %once = map { $_ => 1 } qw(host content-length transfer-encoding connection upgrade te x-real-ip x-request-id forwarded x-forwarded-for
        x-forwarded-host x-forwarded-proto x-forwarded-prefix);
    my (%seen, %ours);
    for (@{$r->{headers}}) {
        my ($name, $text) = @$_;
        my $folded = lc($name) =~ tr/_./--/r;
        push @wrong, "$name twice" if $once{$folded} && $seen{$folded}++;
        push @wrong, "$name is hop-by-hop" if $folded =~ /\A(?:keep-alive|proxy-(?:connection|authenticat\w+|authorization)|trailer)\z/;
        push @wrong, "$name says who asks" if $folded =~ /\A(?:x-ksgate-|impersonate-)/;
        push @wrong, "$name overrides what was decided" if $folded =~ /\Ax-(?:http-method(?:-override)?|method-override|original-url|rewrite-url)\z/;
        push @wrong, "$name is not X-Forwarded-For, -Host, -Proto or -Prefix"
            if $folded =~ /\Ax-forwarded-/ && lc($name) !~ /\Ax-forwarded-(?:for|host|proto|prefix)\z/;
        if ($folded =~ /\Ax-remote-/) {
            push @wrong, "$name: $text" if "$name: $text" !~ /\AX-Remote-(?:User: system:anonymous|Group: system:unauthenticated)\z/;
        }
        push @{$ours{lc $name}}, $text;
    }
    my $is = sub { my ($name, $want) = @_; my $got = join ' | ', @{$ours{$name} || []}; push @wrong, "$name is '$got'" if $got !~ /\A$want\z/ };
    $is->('x-forwarded-for', qr/\Q$peer\E/);
    $is->('x-real-ip', qr/\Q$peer\E/);
    $is->('x-forwarded-proto', qr/http/);
    $is->('forwarded', qr/for=\Q$peer\E(?:;host="[^"\\]+")?;proto=http/);
    $is->('x-request-id', qr/[0-9A-Za-z._:-]{1,128}/);
    $is->('connection', qr/|Upgrade|TE/);
    $is->('te', qr/|trailers/);
    push @wrong, 'TE without its Connection' if $ours{te} && ($ours{connection} || [''])->[0] ne 'TE';
    push @wrong, 'Upgrade without its Connection' if !$ours{upgrade} != (($ours{connection} || [''])->[0] ne 'Upgrade');
    push @wrong, 'a body after an Upgrade' if $ours{upgrade} && length $r->{body};
    push @wrong, "an Upgrade to $ours{upgrade}[0]" if $ours{upgrade} && $ours{upgrade}[0] =~ /\b(?:h2c?|tls|http)\b/i;
    for (@{$r->{trailers}}) {
        push @wrong, "the trailer $_->[0]" if lc($_->[0]) =~ tr/_./--/r =~ /\A(?:host\z|content-|transfer-|te\z|trailer|connection|authorization|cookie|x-remote|x-forwarded|impersonate|expect)/;
    }
    return @wrong;
}

1;
