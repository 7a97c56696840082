# Hostile and odd answers from a backend, raw (t/hostile/answers.txt): what the client gets of each.
#
# The client sends a second request behind the first, on the same connection.  It must get its own
# answer, if the first was whole or a 502, and none at all if the first was cut off; and no byte
# of what the backend said to the first may be taken for the second's, or another client's.
# KSGATE_REWRITE=1 writes the table's second column anew: look at the diff.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Hostile qw(cases bytes_of);
use Gateway::Objects;
use Gateway::Process qw(slow);
use Gateway::Stage;

my $file = 't/hostile/answers.txt';
my %words = (ok => "HTTP/1.1 200 OK\r\n", poison => "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
my @cases = map {
    my ($become, $ask, $text) = split / ?\| /, $_->[1], 3;
    my ($bytes, $later, $end) = $text =~ /^(.*?)(?:\{later\}(.*?))?(?:\{(end|reset|stall)\})?$/ or die "$_->[0]: what?\n";
    {name => $_->[0], become => $become, ask => $ask, bytes => bytes_of($bytes, %words), later => defined $later ? bytes_of($later, %words) : undef, end => $end // ''};
} cases($file);

my %ask = (
    GET => "GET /case HTTP/1.1\r\nHost: a\r\n\r\n",
    HEAD => "HEAD /case HTTP/1.1\r\nHost: a\r\n\r\n",
    '1.0' => "GET /case HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    UPGRADE => "GET /case HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    CONTINUE => "POST /case HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
);

# ---- The backend ----------------------------------------------------------------------------------

my ($case, $pieces, @later);

sub say_all {
    my ($conn, $bytes) = @_;
    my $n = $pieces ? (length $bytes < 400 ? 1 : 97) : 1 << 20;
    for (my $at = 0; $at < length $bytes; $at += $n) {
        $conn->say(substr $bytes, $at, $n) // last;
    }
    return;
}

sub answer {
    my ($conn, $r) = @_;
    if ($r->{target} ne '/case') {
        $conn->say("HTTP/1.1 200 Fine\r\nContent-Length: " . length($r->{target}) . "\r\n\r\n$r->{target}");
        return;
    }
    say_all($conn, $case->{bytes});
    if (defined $case->{later}) {
        @later = ($conn, $case->{later}, $case->{end});
        return;
    }
    return finish($conn, $case->{end});
}

sub finish {
    my ($conn, $end) = @_;
    return if $conn->{end} || $conn->{closed};
    $conn->close if $end eq 'end';
    $conn->reset if $end eq 'reset';
    return;
}

my $stage = Gateway::Stage->new(backend => \&answer);
sub gateway_with {
    my (%timeouts) = @_;
    return gateway(
        core => $stage->url, console => $stage->url, workers => 1, objects => [extension('well', $stage->url, timeouts => {firstByte => '60s'})],
        config => {limits => {head => '8KiB', headers => 40}, timeouts => \%timeouts},
    );
}
# The backend is this process, which may be held up: only who says nothing more has to be given up soon,
# and not who is asked next.
my $gw = gateway_with();
my $hasty = gateway_with(first_byte => '500ms', backend_idle => '500ms');

# ---- What became of a case --------------------------------------------------------------------------

sub body_in_words {
    my ($answer) = @_;
    return () if $answer->{interim} || $answer->{status} =~ /^(?:101|502|504)$/;
    return '0' if $answer->{body} eq '';
    return length($answer->{body}) . ($answer->{head} =~ /^Transfer-Encoding: chunked\r$/m ? 'c' : $answer->{head} =~ /^Content-Length: /m ? '' : 'e');
}

# One way to write a head, and nothing in it that was for the gateway alone.
sub unfit {
    my ($head) = @_;
    my ($status, @lines) = split /\r\n/, $head;
    my ($code) = $status =~ m{^HTTP/1\.1 (\d{3}) [\t\x20-\x7e\x80-\xff]*$} or return "'$status' is no status line";
    my (@wrong, %n);
    for my $line (@lines) {
        my ($name) = $line =~ /^([!#\$%&'*+.^_`|~0-9A-Za-z-]+):(?: [\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?| ?)$/ or push(@wrong, "'$line' is no header line"), next;
        $n{lc $name}++;
    }
    push @wrong, map { "$_ is not the client's business" } grep { $n{$_} } qw(keep-alive proxy-connection te), $code == 101 ? () : 'upgrade';
    push @wrong, 'it has two lengths' if ($n{'content-length'} // 0) + ($n{'transfer-encoding'} // 0) > 1;
    push @wrong, "$code has a length" if $code =~ /^(?:1..|204)$/ && ($n{'content-length'} || $n{'transfer-encoding'});
    push @wrong, 'a header that Connection names is there' if $n{x} && $case->{bytes} =~ /^Connection: X\b/m;
    return @wrong;
}

my (@trouble, @unfit);

sub play {
    my $name = $case->{name};
    my $port = ($case->{end} eq 'stall' ? $hasty : $gw)->port;
    $stage->ask($port, '/extensions/well/warm'); # so that there is a connection in the pool
    my $ask = $ask{$case->{ask}};
    my $alone = $pieces || defined $case->{later} || $ask =~ /Upgrade/ && $case->{bytes} =~ /^HTTP\S+ 101/;
    if ($alone) { # what comes late could be the next one's answer, if that was asked by then
        $ask =~ s/^Connection: keep-alive/Connection: close/m || $ask =~ /Upgrade/ || $ask =~ s/\r\n/\r\nConnection: close\r\n/;
    } else {
        $ask .= "GET /extensions/well/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    }
    my $then = defined $case->{later} && $case->{end} eq 'reset' && sub { # it would overtake what is not read yet
        my ($in) = @_;
        return 0 if $in !~ /\r\n\r\n.*hel/s;
        my ($conn) = splice @later;
        $conn->reset;
        $stage->drop_ended($conn);
        return 1;
    };
    my $seen = $stage->play($port, $ask, $ask =~ /Upgrade/ && $alone ? () : (open_for => 1 << 30), $then ? (then => $then) : ());
    my $got = Gateway::Hostile::answers_of($seen->{answer}, $case->{ask} eq 'HEAD' ? 'HEAD' : ());
    my @answers = @{$got->{answers}};
    my @asked = grep { $_->{target} eq '/case' } @{$seen->{requests}};
    my $after = (grep { $_->{target} eq '/next' } @{$seen->{requests}})[-1]; # who was asked last has answered
    push @unfit, map { my $a = $_; map { "$name: $_" } unfit($a->{head}) } @answers;
    push @unfit, "$name: the backend could not read: @{$seen->{wrong}}" if @{$seen->{wrong}};
    my $own = @answers && $answers[-1]{body} eq '/next' ? pop @answers : undef;
    push @trouble, "$name: it took until the deadline" if $seen->{end} eq 'late';
    push @trouble, "$name: there are two answers to one request" if 1 < grep { !$_->{interim} } @answers;
    my $words = join ' ', map { ($_->{status}, body_in_words($_)) } @answers;
    $words =~ s/(\b(\d+)\b)(?: \2\b){4,}/my $m = $&; "$2*" . (1 + ($m =~ tr{ }{}))/e;
    if (length $got->{rest}) { # cut off: its status alone
        push @unfit, map { "$name: $_" } unfit($1) if $got->{rest} =~ /\A(.*?\r\n\r\n)/s;
        $words .= ($words eq '' ? '' : ' ') . (($got->{rest} =~ m{^HTTP/1\.1 (\d+)})[0] // '?') . '...';
        push @trouble, "$name: the client's connection went on after half an answer" if $got->{rest} =~ m{/next};
    } elsif ($seen->{end} eq 'reset') {
        $words .= ' ...';
    }
    my $kept = $after && $asked[-1] && $after->{on} == $asked[-1]{on};
    $words = join ' ', $words eq '' ? '-' : $words, $own ? 'next' : (), $kept ? 'kept' : (), @asked > 1 ? 'x' . @asked : ();
    if ($words =~ /\dc/ && $seen->{answer} =~ /\r\n0\r\n((?:[^\r\n]+\r\n)+)\r\n/) {
        push @unfit, map { "$name: $_ is no trailer" } $1 =~ /^(?!X)([^:]+)/mg;
    }
    push @trouble, "$name: a connection is used again after a refusal" if $kept && $words =~ /^50[24]/;
    if (@later) {
        my $until = time + 5 * slow();
        my ($conn, $bytes, $end) = splice @later;
        say_all($conn, $bytes);
        finish($conn, $end);
        $stage->turn(undef, 0.5) while !$conn->{end} && !$conn->{closed} && time < $until; # the gateway has seen it
    }
    my $other = $stage->ask($port, '/extensions/well/other');
    push @trouble, "$name: another client got '$other->{head}\n$other->{body}'" if $other->{body} ne '/other';
    return $words;
}

# ---- All of them, at once and in pieces ---------------------------------------------------------------

sub none {
    my ($list, $what) = @_;
    return ok(!@$list, $what) || diag(join "\n", @$list);
}

my (%became, @wrong, @differ);
for (@cases) {
    $case = $_;
    $became{$case->{name}} = play();
}
if ($ENV{KSGATE_REWRITE}) {
    my $text = slurp($file);
    $text =~ s/^([^#\n].*?) \| (.*?) \| /"$1 | $became{$1} | "/gme;
    open my $fh, '>:raw', $file or die "$file: $!";
    print {$fh} $text;
    close $fh or die "$file: $!";
    $_->{become} = $became{$_->{name}} for @cases;
}
for (@cases) {
    push @wrong, "$_->{name}: '$became{$_->{name}}', not '$_->{become}'" if $became{$_->{name}} ne $_->{become};
}
none(\@wrong, 'the client gets of ' . @cases . ' answers what the table says');

$pieces = 1;
for (grep { $_->{end} ne 'stall' } @cases) {
    $case = $_;
    my $became = play();
    my $whole = $became{$case->{name}} =~ s/ (?:next|kept)\b//gr;
    my $begun = $whole eq '502' && $became =~ /^200\.\.\.$/; # its head had gone out by then
    push @differ, "$case->{name}: '$became', not '$whole'" if $became ne $whole && !$begun;
}
none(\@differ, 'and the same when they come in pieces');
none(\@trouble, 'who comes next gets their own answer, and nobody half of one that looks whole');
none(\@unfit, 'each has one form, and nothing in it that is for the gateway alone');
is scalar(() = $_->stderr =~ /starting it again/g), 0, 'and the server never had to start again' for $gw, $hasty;

done_testing;
