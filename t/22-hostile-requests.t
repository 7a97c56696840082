# The same hostile and odd requests, sent raw to ksgate, nginx and HAProxy before one backend.
#
# What ksgate forwards is read by a second reader (Gateway::Strict), which must find in it just the
# requests that ksgate's own log says it forwarded, and must be able to read them in one way only.
# Then another client asks something, over the same pool of connections, and gets its own answer.
#
# What each of the three made of each is the table t/hostile/requests.tsv.  ksgate's column must be
# as it is there; the others' are for comparison.  KSGATE_REWRITE=1 writes the table anew.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Hostile qw(cases table_read table_write bytes_of);
use Gateway::Peers;
use Gateway::Stage;

my $file = 't/hostile/requests.tsv';
my @cases = map { [$_->[0], bytes_of($_->[1])] } cases('t/hostile/requests.txt');
my @columns = qw(ksgate nginx haproxy);

# Nothing is in the list.
sub none {
    my ($list, $what) = @_;
    return ok(!@$list, $what) || diag(join "\n", @$list);
}

# A backend that can do everything that is asked of it.
sub answer {
    my ($conn, $r) = @_;
    my %h = map { lc $_->[0] => $_->[1] } @{$r->{headers}};
    my $close = ($h{connection} // '') =~ /\bclose\b/i;
    if ($r->{target} eq '/switch' && ($h{connection} // '') =~ /\bupgrade\b/i && ($h{upgrade} // '') ne '') {
        $conn->{tunnel} = 1;
        $conn->{reader}->become_tunnel;
        $conn->say("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: $h{upgrade}\r\n\r\n");
        return; # until the client has sent all
    }
    my $body = $r->{method} eq 'HEAD' ? '' : "$r->{method} $r->{target}";
    $conn->say("HTTP/1.1 200 Fine\r\nContent-Length: " . length("$r->{method} $r->{target}") . "\r\n" . ($close ? "Connection: close\r\n" : '') . "\r\n$body");
    $conn->close if $close;
    return;
}

my %proxies;
for my $name (@columns) {
    my $stage = Gateway::Stage->new(backend => \&answer);
    my $port;
    if ($name eq 'ksgate') {
        my $gw = gateway(core => $stage->url, console => $stage->url, workers => 1, config => {
            log => {flush => '0'},
            timeouts => {head => '5s', body_idle => '5s', half_closed => '5s', first_byte => '5s'},
        });
        $proxies{$name} = {stage => $stage, port => $gw->port, gateway => $gw};
    } else {
        my $peer = Gateway::Peers->can($name)->($stage->port);
        die "$name is not installed, but CI compares with it\n" if !$peer && $ENV{KSGATE_CI};
        note("$name is not installed") if !$peer;
        $proxies{$name} = {stage => $stage, %$peer} if $peer;
    }
}

# ---- What became of a case, in words ------------------------------------------------------------

sub short { return length $_[0] > 60 ? substr($_[0], 0, 57) . '...' : $_[0] }

# "METHOD target", "METHOD target 5" with so many bytes of a body, "5c" in chunks.
sub in_words {
    my ($r) = @_;
    return join ' ', $r->{method}, short($r->{target}), $r->{framing} eq 'none' ? () : length($r->{body}) . ($r->{framing} eq 'chunked' ? 'c' : '');
}

# "the answers' codes > what the backend read": "-" for no answer, "..." behind one that was not
# whole, "!" before what the strict reader had to say, "+5" for bytes in a tunnel.
sub cell {
    my ($seen, $bytes) = @_;
    my $got = Gateway::Hostile::answers_of($seen->{answer}, $bytes =~ /\A(?:\r\n)?HEAD / ? 'HEAD' : ());
    my $tunnel = @{$got->{answers}} && $got->{answers}[-1]{status} == 101;
    my @codes = map { $_->{status} } @{$got->{answers}};
    my $n = 0;
    my $codes = join(' ', @codes) . (length $got->{rest} && !$tunnel ? '...' : '');
    $codes =~ s/(\b(\d+)\b)(?: \2\b){4,}/my $m = $&; "$2x" . (1 + ($m =~ tr{ }{}))/e;
    $codes = '-' if $codes eq '';
    my @read = map { in_words($_) } @{$seen->{requests}};
    @read = ("$read[0] x" . @read) if @read > 4;
    push @read, map { "!$_" } @{$seen->{wrong}};
    push @read, '+' . length $seen->{tunneled} if $tunnel;
    return join(' > ', $codes, join(', ', @read) || ()) . ($seen->{end} eq 'late' ? ' (late)' : '');
}

# ---- All of them to all of them -----------------------------------------------------------------

my (%table, %seen, @trouble);
for my $name (@columns) {
    my $proxy = $proxies{$name} or next;
    my ($stage, $port) = @$proxy{qw(stage port)};
    for my $i (0 .. $#cases) {
        my ($what, $bytes) = @{$cases[$i]};
        my $seen = $seen{$name}{$what} = $stage->play($port, $bytes);
        $table{$what}{$name} = cell($seen, $bytes);
        my $after = $seen->{after} = $stage->ask($port, "/after-$i");
        if ($name eq 'ksgate') {
            push @trouble, "$what: who came after it got '$after->{head}\n$after->{body}'" if $after->{body} ne "GET /after-$i";
            push @trouble, "$what: it took until the deadline" if $seen->{end} eq 'late';
            push @trouble, "$what: half a message was left on a connection of the pool" if grep { $_->{reader}->within } $stage->conns;
        }
    }
}
none(\@trouble, 'who comes after any of ' . @cases . ' requests gets the answer to its own');

# ---- One way to read what was forwarded -----------------------------------------------------------

my $gw = $proxies{ksgate}{gateway};
my %said; # by our own log
{
    my $i = 0;
    for ($gw->access_log) {
        next if !defined $_->{route} || ($_->{path} // '') =~ m{^/-/};
        if (($_->{path} // '') eq "/after-$i") {
            $i++;
        } elsif (($_->{upstream_status} // 0) > 0) {
            push @{$said{$cases[$i][0]}}, join ' ', $_->{method}, $_->{path} . (defined $_->{query} ? "?$_->{query}" : ''), ($_->{status} // 0) == 101 ? 0 : $_->{bytes_in} // 0; # a tunnel's bytes are counted, and are no body
        }
    }
    is $i, scalar @cases, 'the log has them all';
}
my (@unreadable, @otherwise, @unfit, @smuggled, @refusals);
for (@cases) {
    my ($what, $bytes) = @$_;
    my $seen = $seen{ksgate}{$what};
    push @unreadable, map { "$what: $_" } @{$seen->{wrong}};
    my @read = map { join ' ', $_->{method}, $_->{target}, length $_->{body} } @{$seen->{requests}};
    my @meant = @{$said{$what} || []};
    s/\?\S{2000,}/?***/ for @read; # as the log leaves out long names
    push @otherwise, "$what: the backend read '@read', the gateway meant '@meant'" if "@read" ne "@meant";
    push @unfit, map { my $r = $_; map { "$what: $_" } Gateway::Strict::unfit($r, '127.0.0.1') } @{$seen->{requests}};
    push @smuggled, $what if grep { $_->{target} =~ /smuggled/ } @{$seen->{requests}};
    my $got = Gateway::Hostile::answers_of($seen->{answer}, $bytes =~ /\A(?:\r\n)?HEAD / ? 'HEAD' : ());
    for (grep { $_->{status} >= 400 } @{$got->{answers}}) {
        push @refusals, "$what: $_->{head}$_->{body}" if $_->{head} !~ /^Connection: close\r$/m && $_->{status} != 405 && $_->{status} != 400
            || $_->{body} !~ /"kind":\s*"Status".*"code":\s*$_->{status}/s;
    }
}
none(\@unreadable, 'a second, strict reader can read all that is forwarded');
none(\@otherwise, 'and reads the requests that the gateway meant, and no others');
none(\@unfit, 'nothing in them is hop-by-hop, ambiguous, or an identity that the client wrote');
none(\@smuggled, 'no request is made of what was not one');
none(\@refusals, 'each refusal says in JSON what it is');

# ---- In pieces: another reader of heads, and every wait in the middle ------------------------------

{
    my @differ;
    my ($stage, $port) = @{$proxies{ksgate}}{qw(stage port)};
    for (@cases) {
        my ($what, $bytes) = @$_;
        my $pieces = length $bytes < 400 ? 1 : 997;
        my $seen = $stage->play($port, $bytes, pieces => $pieces);
        my $cell = cell($seen, $bytes);
        push @differ, "$what: '$cell', not '$table{$what}{ksgate}'" if $cell ne $table{$what}{ksgate};
    }
    none(\@differ, 'it is the same when they come in pieces');
}

# ---- The table --------------------------------------------------------------------------------------

if ($ENV{KSGATE_REWRITE}) {
    table_write($file, [
        'What became of the requests in requests.txt: the answers, and behind ">" what the backend then read, by a strict reader.',
        '"-": no answer.  "200...": one that is not whole.  "5", "5c": bytes of a body, in chunks.  "!": what the reader could not read.',
        '"+5": bytes in a tunnel.  Written by KSGATE_REWRITE=1, with nginx 1.22.1 and HAProxy 2.6.12.',
    ], \@columns, \@cases, \%table);
}
my $table = table_read($file);
my @wrong;
for my $what (map { $_->[0] } @cases) {
    my $row = $table->{$what} // {};
    push @wrong, "$what: '$table{$what}{ksgate}', not '" . ($row->{ksgate} // '') . "'" if $table{$what}{ksgate} ne ($row->{ksgate} // '');
    for (grep { $proxies{$_} } qw(nginx haproxy)) {
        note("$_ differs: $what: '$table{$what}{$_}', not '", $row->{$_} // '', "'") if $table{$what}{$_} ne ($row->{$_} // '');
    }
}
push @wrong, map { "$_ is in the table, but not among the requests" } grep { !$table{$_} } sort keys %$table;
none(\@wrong, 'ksgate answers all as the table says');

is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'and never had to start again';
done_testing;
