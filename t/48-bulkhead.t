# One extension hangs, and is flooded: it accepts connections and never answers. Neither the core nor
# another extension notices; what it can take is bounded.
use strict;
use warnings;
use Test::More;
use IO::Socket::IP;
use List::Util qw(max);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

my $core = upstream { [200, {}, 'core'] };
my $fine = upstream { [200, {}, 'fine'] };

# The kernel accepts; nobody ever reads.
my @listeners;
sub hanging {
    push @listeners, IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 2048, ReuseAddr => 1) || die "listen: $!";
    return 'http://127.0.0.1:' . $listeners[-1]->sockport;
}

my $gw = gateway(core => $core->url, console => $core->url, workers => 1);
my $many = 500;

sub metric { my ($name) = @_; my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name"; return $n }
sub resident { my ($kib) = slurp('/proc/' . $gw->server_pid . '/status') =~ /^VmRSS:\s+(\d+)/m; return $kib }

# So many requests on one connection: the median of their times, and how many were answered well.
sub asks {
    my ($path, $body, $n) = @_;
    my $c = $gw->connect;
    my $good = 0;
    my @ms;
    for (1 .. $n) {
        push @ms, milliseconds { $good += $c->request(GET => $path)->{body} eq $body };
    }
    @ms = sort { $a <=> $b } @ms;
    return ($ms[@ms / 2], $good);
}

sub both {
    my %of;
    @of{qw(core core_good)} = asks('/x', 'core', 200);
    @of{qw(fine fine_good)} = asks('/extensions/fine/x', 'fine', 200);
    return \%of;
}

$gw->apply([extension('fine', $fine->url)]);
both();
my $before = both();
sub slower { my ($now) = @_; return max(map { $now->{$_} / $before->{$_} } qw(core fine)) }
is $before->{core_good} + $before->{fine_good}, 400, 'all is well';

for my $case (
    ['with small limits', {connections => 4, pending => 4}, 4, 4],
    ['with those that everybody has', undef, 256, 128],
) {
    my ($what, $limits, $connections, $pending) = @$case;
    my $rss = resident();
    my $full = metric('ksgate_errors_total{error="pending_full"}');
    my $backends = metric('ksgate_backend_connections');
    my $waiting = metric('ksgate_backend_pending');
    $gw->apply([extension('hangs', hanging(), $limits ? (limits => $limits) : ())]);
    my @flood = map { my $c = $gw->connect; $c->send_request(GET => '/extensions/hangs/x'); $c } 1 .. $many;
    ok eventually { metric('ksgate_errors_total{error="pending_full"}') - $full == $many - $connections - $pending } "$what: the flood is there; who finds the queue full is told so";
    is metric('ksgate_backend_connections') - $backends, $connections, 'what hangs has the connections that it may have';
    is metric('ksgate_backend_pending') - $waiting, $pending, 'and so many wait as may';

    my $dials = metric('ksgate_backend_dials_total');
    my $now = both();
    is $now->{core_good}, 200, 'the core answers all';
    is $now->{fine_good}, 200, 'another extension does';
    is metric('ksgate_backend_dials_total'), $dials, 'on the connections that they had';
    $now = slower($now) < 3 ? $now : both() for 1 .. 3; # the machine may have other things to do for a moment
    for my $who (qw(core fine)) {
        my $ratio = $now->{$who} / $before->{$who};
        cmp_ok $ratio, '<', 3, sprintf "%s: %.2f ms instead of %.2f", $who, $now->{$who}, $before->{$who};
    }
    my $each = (resident() - $rss) / $many;
    cmp_ok $each, '<', 24, sprintf 'memory: %.1f KiB for each that hangs', $each if slow() == 1; # a sanitizer takes its own
    $_->close for @flood;
}

# ---- It goes on: the circuit opens, and the flood is answered at once ------------------------------

$gw->apply([extension('hangs', hanging(), limits => {connections => 8, pending => 100}, outlier => {consecutiveErrors => 4, ejectFor => '600s'}, timeouts => {firstByte => 300 * slow() . 'ms', pending => '60s'})]);
my @flood = map { my $c = $gw->connect; $c->send_request(GET => '/extensions/hangs/x'); $c } 1 .. 60;
my %count;
$count{$_->response->{status}}++ for @flood;
is_deeply \%count, {504 => 8, 503 => 52}, 'eight have waited in vain: who waited for a turn is told at once';
is $gw->request(GET => '/extensions/hangs/x')->{status}, 503, 'as is who comes later';
is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'the gateway did not have to start again';

done_testing;
