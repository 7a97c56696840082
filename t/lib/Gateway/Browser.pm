package Gateway::Browser;

# A browser as far as a login needs one: it keeps cookies by origin, follows redirects, and says of
# its requests what browsers say.
#
#     my $b = Gateway::Browser->new;
#     my $r = $b->open('http://127.0.0.1:8080/x');   # the last answer; $b->{way} is how it came there
#     $b->cookies($url), $b->cookie($url, name => value)

use strict;
use warnings;

use Gateway::Client;

sub new {
    my ($class, %jar) = @_;
    return bless {jar => {}, way => [], %jar}, $class;
}

# Another one with the same cookies: a tab that does not see what the first gets from now on.
sub copy {
    my ($self) = @_;
    return bless {jar => {map { $_ => {%{$self->{jar}{$_}}} } keys %{$self->{jar}}}, way => []}, ref $self;
}

sub parts {
    my ($url) = @_;
    my ($origin, $host, $target) = $url =~ m{^(https?://([^/?]+))(.*)$}s or die "no URL: $url";
    return ($origin, $host, $target eq '' ? '/' : $target =~ m{^/} ? $target : "/$target");
}

sub cookies { return $_[0]{jar}{(parts($_[1]))[0]} //= {} }

sub cookie {
    my ($self, $url, $name, @value) = @_;
    my $jar = $self->cookies($url);
    return $jar->{$name} if !@value;
    if (defined $value[0]) {
        $jar->{$name} = $value[0];
    } else {
        delete $jar->{$name};
    }
    return;
}

sub header {
    my ($self, $url) = @_;
    my $jar = $self->cookies($url);
    my $text = join '; ', map { "$_=$jar->{$_}" } sort keys %$jar;
    return length $text ? (Cookie => $text) : ();
}

sub keep {
    my ($self, $url, $r) = @_;
    my $jar = $self->cookies($url);
    for (grep { lc $_->[0] eq 'set-cookie' } @{$r->{lines}}) {
        my ($name, $value, $rest) = $_->[1] =~ /^([^=]+)=([^;]*)(.*)$/ or die "no cookie: $_->[1]";
        die "a browser does not keep a cookie of that size: $name" if length($name) + length($value) > 4096;
        if ($rest =~ /Max-Age=0\b/i || $rest =~ /expires=Thu, 01 Jan 1970/i) {
            delete $jar->{$name};
        } else {
            $jar->{$name} = $value;
        }
    }
    return $r;
}

# One request, to wherever `through` leads (host:port), or to the URL's own host.
sub request {
    my ($self, $method, $url, @rest) = @_;
    my ($origin, $host, $target) = parts($url);
    my $r = Gateway::Client->new(to => $self->{through} // $host)->request($method => $target, Host => $host, $self->header($url), @rest);
    $r->{url} = $url;
    return $self->keep($url, $r);
}

my @navigation = ('Sec-Fetch-Mode' => 'navigate', 'Sec-Fetch-Dest' => 'document', Accept => 'text/html,application/xhtml+xml');

sub absolute {
    my ($url, $location) = @_;
    return $location if $location =~ m{^https?://};
    return (parts($url))[0] . $location;
}

# As if the user went there: follows redirects, until `stop` fits the URL that would be next.
sub open {
    my ($self, $url, %option) = @_;
    $self->{way} = [];
    for (1 .. 20) {
        push @{$self->{way}}, $url;
        my $r = $self->request(GET => $url, @navigation, @{$option{headers} || []});
        return $r if $r->{status} !~ /^30[1237]$/;
        $url = absolute($url, $r->{headers}{location});
        return {%$r, next => $url} if $option{stop} && $url =~ $option{stop};
    }
    die "more than 20 redirects: @{$self->{way}}";
}

1;
