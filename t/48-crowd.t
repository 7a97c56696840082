# A crowd that is slow on purpose, and a few clients beside it that must not notice.
#
#   KSGATE_LONG=1 (make bench-crowd): 10 000 of them instead of 1 000.
use strict;
use warnings;
use JSON::PP ();
use List::Util qw(max sum);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Process qw(slow);

my $n = $ENV{KSGATE_LONG} ? 10_000 : 1000;

# ---- Helpers -----------------------------------------------------------------------------------------

my @processes;

sub python {
    my ($dir, @args) = @_;
    my $p = Gateway::Process->new(command => ['python3', 't/lib/crowd.py', @args], name => "crowd.py $args[0]", log => "$dir/stderr");
    push @processes, $p;
    return $p;
}

# Its URL, and its process.
sub backend {
    my $dir = tempdir();
    my $p = python($dir, 'backend', "$dir/port");
    eventually { -e "$dir/port" } 'the backend';
    return 'http://127.0.0.1:' . (slurp("$dir/port") =~ s/\n//r), $p;
}

# Slow clients of each kind: a process, and what became of them so far.
sub crowd {
    my ($gw, %kinds) = @_;
    my $dir = tempdir();
    my $p = python($dir, 'crowd', $gw->port, "$dir/seen", map { "$_=$kinds{$_}" } sort keys %kinds);
    eventually { -e "$dir/seen" } 'the crowd';
    return $p, sub { JSON::PP::decode_json(slurp("$dir/seen")) };
}

sub metric {
    my ($gw, $name) = @_;
    $name = qq(ksgate_errors_total{error="$name"}) if $name !~ /^ksgate_/;
    my ($value) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\S+)$/m or die "there is no $name\n";
    return $value;
}

# Not pipes: some of those are kept for the next big bodies.
sub sockets { my ($gw) = @_; return scalar grep { (readlink // '') =~ /^socket:/ } glob '/proc/' . $gw->server_pid . '/fd/*' }

sub kib {
    my ($gw) = @_;
    my ($kb) = slurp('/proc/' . $gw->server_pid . '/status') =~ /^VmRSS:\s+(\d+)/m;
    return $kb;
}

# Ordinary clients: some stay, some come anew for each request.
sub ordinary {
    my ($gw) = @_;
    my @headers = ([], [Connection => 'close']);
    return map { Gateway::Load->new($gw, paths => ['/version'], headers => $_, pause => 0.005) } @headers;
}

sub went_well {
    my ($what, @seen) = @_;
    my @words = map { @{$_->{words}} } @seen;
    is sum(map { $_->{failed} } @seen), 0, "$what: each of " . sum(map { $_->{requests} } @seen) . ' ordinary requests is answered' or diag "@words";
    return;
}

sub millis { return sprintf '%.2f ms', 1000 * $_[0] }

# How often those of a kind were cut off, or answered.
sub over { my ($seen, $kind) = @_; return sum(0, map { /^(?:came|open)$/ ? 0 : $seen->{$kind}{$_} } keys %{$seen->{$kind}}) }

# But the admin's, who asks.
sub all_have_left {
    my ($gw) = @_;
    return eventually { metric($gw, 'ksgate_connections') == 1 && metric($gw, 'ksgate_backend_connections') == 0 } 'the end of all', 20;
}

# ---- Those that are cut off ----------------------------------------------------------------------------

my ($core) = backend();
my ($console, $console_process) = backend();
{
    my $gw = gateway(core => $core, console => $console, workers => 2, config => {
        limits => {min_rate => '1KiB'}, timeouts => {head => '2s', idle => '3s', body_idle => '1s', pool_idle => '500ms'},
    });
    my @quiet = do {
        my @load = ordinary($gw);
        $_->wait_for(300) for @load;
        map { $_->stop } @load;
    };
    went_well('quiet', @quiet);
    all_have_left($gw);
    my ($sockets, $memory) = (sockets($gw), kib($gw));

    my %kinds = (heads => 0.4 * $n, idle => 0.3 * $n, bodies => 0.2 * $n, readers => 0.1 * $n);
    my %wanted = (heads => '408', idle => 'ended', bodies => '408', readers => 'reset');
    # The long run has more than there are descriptors for: who is idle or late makes room.
    my %full = $ENV{KSGATE_LONG} ? (heads => '503', bodies => 'none', readers => 'none') : ();

    my @load = ordinary($gw);
    my ($p, $seen) = crowd($gw, %kinds);
    my ($most, $peak) = (0, 0);
    eventually {
        my $s = $seen->();
        $most = max($most, sum(map { $_->{open} } values %$s));
        $peak = max($peak, kib($gw));
        !grep { over($s, $_) < $kinds{$_} } keys %kinds;
    } 'the end of each slow one', 60;
    $_->wait_for(20) for @load;
    my @beside = map { $_->stop } @load;
    went_well("beside $n slow ones", @beside);
    for my $i (0, 1) {
        my ($before, $now) = map { $_->[$i]{median} } \@quiet, \@beside;
        my $who = $i ? 'who comes anew' : 'who stays';
        cmp_ok $now, '<', 10 * slow() * max($before, 0.001), "the median of $who: " . millis($before) . ' when it is quiet, ' . millis($now);
    }
    cmp_ok $most, '>', 0.7 * $n, "$most slow ones were there at once";
    my $s = $seen->();
    for my $kind (sort keys %kinds) {
        my %how = %{$s->{$kind}};
        delete @how{qw(came open), $full{$kind} // ()};
        is_deeply [keys %how], [$wanted{$kind}], "$kind: cut off $how{$wanted{$kind}} times, by $wanted{$kind}" or diag explain \%how;
    }
    my %counted = (heads => ['head_timeout'], bodies => ['body_too_slow', 'body_timeout'], readers => ['client_too_slow']);
    for my $kind (sort keys %counted) {
        my $count = sum(map { metric($gw, $_) } @{$counted{$kind}});
        cmp_ok $count, '>=', $s->{$kind}{$wanted{$kind}}, "counted as @{$counted{$kind}}";
    }
    $p->stop;
    all_have_left($gw);
    eventually { sockets($gw) <= $sockets } 'the end of their sockets';
    pass 'no socket is left of them';
    is metric($gw, 'ksgate_out_of_files_total'), 0, 'and no descriptor was missing';
    cmp_ok(($peak - $memory) / $n, '<', 32 * slow(), sprintf 'each took %.1f KiB', ($peak - $memory) / $n);
    # Workers keep some for what comes next, and it lies where it was.
    my $rest = 6 * 1024 * slow() + ($peak - $memory) / 4;
    eventually { kib($gw) - $memory < $rest } 'the end of their memory', 15 if slow() == 1; # a sanitizer gives none back
    pass "memory: $memory KiB before, $peak KiB at most, " . kib($gw) . ' KiB after';
}

# ---- Full of idle ones, and then of busy ones ----------------------------------------------------------

{
    my $gw = gateway(core => $core, console => $console, workers => 2, config => {limits => {connections => 0.6 * $n}});
    my @load = ordinary($gw);
    my ($p, $seen) = crowd($gw, idle => $n);
    eventually { over($seen->(), 'idle') > $n / 2 } 'idle ones that had to go', 30;
    $_->wait_for(20) for @load;
    went_well('limits.connections reached by idle ones', map { $_->stop } @load);
    is_deeply [sort keys %{$seen->()->{idle}}], [qw(came ended open)], 'each idle one that had to go had had its answer';
    cmp_ok metric($gw, 'ksgate_connections_shed_total'), '>=', $n / 2, 'and is counted';
    cmp_ok metric($gw, 'ksgate_connections'), '<=', 0.6 * $n + 3, 'there were never more than there may be';
    $p->stop;
    eventually { metric($gw, 'ksgate_connections') == 1 } 'the end of all', 20;

    ($p, $seen) = crowd($gw, waiting => $n);
    eventually { metric($gw, 'ksgate_connections_full_total') >= 2 } 'a full house', 20;
    my $waits = $gw->connect(seconds => 30);
    $waits->send_request(GET => '/version');
    # Who is let in finds the backend open, and leaves: all get their turn.
    eventually {
        $console_process->kill('USR1');
        over($seen->(), 'waiting') == $n;
    } 'an answer for each', 30;
    is_deeply [sort keys %{$seen->()->{waiting}}], [qw(200 came open)], 'each busy one, and each that had to wait, is answered';
    is $waits->response->{status}, 200, 'and so is an ordinary one among them';
    is metric($gw, 'ksgate_out_of_files_total'), 0, 'no descriptor was missing';
    $p->stop;
}
$_->stop for @processes;

done_testing;
