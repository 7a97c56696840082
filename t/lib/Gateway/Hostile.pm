package Gateway::Hostile;

# The hostile requests and answers of t/hostile: cases with names, the table of what became of
# them, and a case's result in words.

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(cases table_read table_write bytes_of);

my $host = "Host: a\r\n";
my %words = (
    get => "GET / HTTP/1.1\r\n$host",
    post => "POST / HTTP/1.1\r\n$host",
    chunked => "POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n",
    next => "GET /next HTTP/1.1\r\n$host\r\n",
    smuggled => "GET /smuggled HTTP/1.1\r\n$host\r\n",
);
my %escapes = (r => "\r", n => "\n", t => "\t", 0 => "\0", '\\' => '\\');

sub bytes_of {
    my ($text, %more) = @_;
    my %known = (%words, %more);
    my $plain = sub { $_[0] =~ s/\\(?:x([0-9a-fA-F]{2})|(.))/defined $1 ? chr hex $1 : $escapes{$2} \/\/ die "\\$2 is no escape\n"/ger };
    my $bytes = '';
    for (split /(\{\w+\}|\{[^{}]+\*\d+\})/, $text) {
        if (/\A\{(\w+)\}\z/ && exists $known{$1}) {
            $bytes .= $known{$1};
        } elsif (/\A\{([^{}]+)\*(\d+)\}\z/) {
            $bytes .= $plain->($1) x $2;
        } else {
            $bytes .= $plain->($_);
        }
    }
    return $bytes;
}

# The lines "name | text" of a file: [[name, text]...].
sub cases {
    my ($file) = @_;
    my (@cases, %seen);
    open my $fh, '<:raw', $file or die "$file: $!";
    while (my $line = <$fh>) {
        chomp $line;
        next if $line =~ /^(?:#|$)/;
        my ($name, $text) = $line =~ /^(.+?) \|(?: (.*))?$/ or die "$file:$.: not \"name | bytes\"\n";
        die "$file:$.: '$name' is there twice\n" if $seen{$name}++;
        push @cases, [$name, $text // ''];
    }
    return @cases;
}

# A table: {name => {column => cell}}.
sub table_read {
    my ($file) = @_;
    open my $fh, '<:raw', $file or return {};
    my (@columns, %table);
    while (my $line = <$fh>) {
        chomp $line;
        next if $line =~ /^#/;
        my ($name, @cells) = split /\t/, $line, -1;
        @columns or do { @columns = @cells; next };
        @{$table{$name}}{@columns} = @cells;
    }
    return \%table;
}

sub table_write {
    my ($file, $about, $columns, $cases, $table) = @_;
    open my $fh, '>:raw', $file or die "$file: $!";
    print {$fh} map { "# $_\n" } @$about;
    print {$fh} join("\t", 'name', @$columns), "\n";
    print {$fh} map { my $name = $_->[0]; join("\t", $name, map { $_ // '' } @{$table->{$name}}{@$columns}) . "\n" } @$cases;
    return close $fh;
}

# ---- Answers --------------------------------------------------------------------------------------

# What a client got, as it has to read it: {answers => [{status, interim, body, head}...], rest =>
# bytes that are no whole answer}.  $methods: of the requests, in turn.
sub answers_of {
    my ($bytes, @methods) = @_;
    my @answers;
    while (length $bytes) {
        my ($head) = $bytes =~ /\A(HTTP\/1\.1 [0-9]{3} [^\r\n]*\r\n(?:[!#\$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*\r\n)/ or last;
        my ($status) = $head =~ /\AHTTP\/1\.1 (\d+)/;
        my $rest = substr $bytes, length $head;
        if ($status < 200 && $status != 101) {
            push @answers, {status => $status, head => $head, body => '', interim => 1};
            $bytes = $rest;
            next;
        }
        my $method = shift @methods // 'GET';
        my $body = body_of($head, $status, $method, \$rest) // last;
        push @answers, {status => $status, head => $head, body => $body};
        $bytes = $rest;
        last if $status == 101;
    }
    return {answers => \@answers, rest => $bytes};
}

# The body at the beginning of $$rest, taken off it; undef when it is not whole.
sub body_of {
    my ($head, $status, $method, $rest) = @_;
    return '' if $method eq 'HEAD' || $status =~ /^(?:101|204|304)$/;
    my @length = $head =~ /^Content-Length:[ \t]*(\S+)[ \t]*\r$/mig;
    my @coding = $head =~ /^Transfer-Encoding:[ \t]*(\S+)[ \t]*\r$/mig;
    return undef if @length > 1 || @coding > 1 || (@length && @coding);
    if (@length) {
        return undef if $length[0] !~ /^\d+$/ || length $$rest < $length[0];
        return substr $$rest, 0, $length[0], '';
    }
    if (!@coding) {
        my $body = $$rest;
        $$rest = '';
        return $body;
    }
    my ($body, $at) = ('', 0);
    while (substr($$rest, $at) =~ /\A([0-9a-fA-F]+)[^\r\n]*\r\n/) {
        my $n = hex $1;
        $at += $+[0];
        if ($n == 0) {
            substr($$rest, $at) =~ /\A(?:[^\r\n:]+:[^\r\n]*\r\n)*\r\n/ or return undef;
            substr $$rest, 0, $at + $+[0], '';
            return $body;
        }
        return undef if length $$rest < $at + $n + 2 || substr($$rest, $at + $n, 2) ne "\r\n";
        $body .= substr $$rest, $at, $n;
        $at += $n + 2;
    }
    return undef;
}

1;
