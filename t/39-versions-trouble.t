# Versions in trouble: what is ill or full is relieved by the rest, or by who has as large a share, and never all of v1 by a canary.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

sub ill { return upstream { [503, {}, 'ill'] } } # another each time: what is known of an endpoint stays
my %up = map { my $name = $_; $name => upstream { my ($r) = @_; $r->hold if $r->{path} =~ /hold/; [200, {}, $name] } } qw(v1 v2 v3);
my $gw = gateway(workers => 1, config => {trusted_proxies => ['127.0.0.1']});

# The extension with these rows, and an endpoint of each of these versions.
sub versions {
    my ($rows, $of, %spec) = @_;
    $gw->apply([extension('shop', undef, versions => $rows, endpoints => [map { {url => $of->{$_}->url, version => $_} } sort keys %$of], %spec)]);
    return;
}
sub ask { my ($address, $path) = @_; return $gw->request(GET => '/extensions/shop/' . ($path // 'x'), 'X-Forwarded-For' => $address) }
sub bodies { return [map { ask($_)->{body} } @_] }
my $metrics = sub { $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$_[0]\E (\d+)$/m ? $1 : undef };
sub fallbacks { my ($version) = @_; return $metrics->(qq{ksgate_version_fallbacks_total{extension="shop",version="$version"}}) }
my @all = map { "10.0.0.$_" } 1 .. 200;

# Who is drawn for which, while all are well.
sub drawn {
    my ($rows) = @_;
    my %of;
    versions($rows, \%up);
    push @{$of{ask($_)->{body}}}, $_ for @all;
    return \%of;
}

# ---- Ill ----------------------------------------------------------------------------------------

my %outlier = (outlier => {consecutiveErrors => 3, ejectFor => '1h'});
my @canary = ({name => 'v2', weight => 1}, {name => 'v3', weight => 5});
my $of = drawn(\@canary);
my @stable = @{$of->{v1}}[0 .. 9];
my $v3 = $of->{v3}[0];
versions(\@canary, {%up, v1 => ill()}, %outlier);
is_deeply bodies(@stable), [('ill') x 10], 'the rest that is ill keeps its requests: a canary does not get all';
is ask($v3)->{body}, 'v3', 'and canaries have their own';
versions(\@canary, {%up, v3 => ill()}, %outlier);
is_deeply bodies(($v3) x 5), [('ill') x 3, ('v1') x 2], 'a canary that is ill is left alone: the rest takes over';
ok eventually { (fallbacks('v3') // 0) == 2 } '... which is counted, for the version that was wanted';

my @named = ({name => 'v1', weight => 70}, {name => 'v2', weight => 15}, {name => 'v3', weight => 15});
$of = drawn(\@named);
my ($v1, $v2) = ($of->{v1}[0], $of->{v2}[0]);
versions(\@named, {%up, v1 => ill()}, %outlier);
is_deeply bodies(($v1) x 5), [('ill') x 5], 'so does a row that has the most, where there is no rest';
versions(\@named, {%up, v2 => ill()}, %outlier);
my $got = bodies(($v2) x 5);
is_deeply [@$got[0 .. 2]], [('ill') x 3], 'one that has less';
unlike "@$got[3, 4]", qr/ill/, '... is left alone, and those take over that have as much, or more';

# ---- Full ---------------------------------------------------------------------------------------

# Takes the only place at the version that is drawn for this address.
sub fill {
    my ($name, $address) = @_;
    my $c = $gw->connect;
    $up{$name}->forget;
    $c->send_request(GET => '/extensions/shop/hold', 'X-Forwarded-For' => $address);
    $up{$name}->wait_for(1);
    return $c;
}
sub free { my ($name, @held) = @_; $up{$name}->release; $_->response for @held; return }
sub told { my ($r) = @_; return $r->{status} == 200 ? $r->{body} : "$r->{status} " . ($r->{json}{reason} // '') . ' ' . ($r->{json}{message} // '') }

my %narrow = (limits => {connections => 1, pending => 0});
versions(\@canary, \%up, %narrow);
my $held = fill(v1 => $stable[0]);
$_->forget for @up{qw(v2 v3)};
my @told = map { told(ask($_)) } @stable[1 .. 9];
is scalar(grep { /^503 .*this worker's share is 0, and 1 connections/ } @told), 9, 'a rest that is full says so, as without versions' or diag explain \@told;
is $up{v2}->seen + $up{v3}->seen, 0, '... and canaries get none of it';
is ask($v3)->{body}, 'v3', 'they have their own';
free(v1 => $held);
$held = fill(v3 => $v3);
is ask($v3)->{body}, 'v1', 'a canary that is full spills to the rest';
free(v3 => $held);

versions(\@named, \%up, %narrow);
$held = fill(v1 => $v1);
like told(ask($v1)), qr/^503 /, 'where there is no rest, who has the most does not spill';
free(v1 => $held);
$held = fill(v2 => $v2);
like told(ask($v2)), qr/^v[13]$/, 'who has less does, to one that has as much';
free(v2 => $held);

# Who has waited for a turn in vain is not told so where the rest has room, and does not wait once more where it has none.
my %late = (limits => {connections => 1, pending => 5}, timeouts => {pending => '200ms'});
versions(\@canary, \%up, %late);
$held = fill(v3 => $v3);
$up{v1}->forget;
my $waits = $metrics->('ksgate_backend_pending_total');
my $fallbacks = fallbacks('v3');
is told(ask($v3)), 'v1', 'who waits too long for a canary goes to the rest';
is $metrics->('ksgate_backend_pending_total') - $waits, 1, '... after it has waited';
is $up{v1}->seen, 1, '... and is sent once';
ok eventually { fallbacks('v3') == $fallbacks + 1 } '... and counted';
is fallbacks('(rest)'), undef, '... not for who took over';
my ($line) = $gw->access_log(1, sub { ($_->{version_by} // '') eq 'fallback' && $_->{status} == 200 });
is $line->{version}, 'v1', '... which the log tells';
my $also = fill(v1 => $stable[0]);
$waits = $metrics->('ksgate_backend_pending_total');
like told(ask($v3)), qr/^503 .*after 200 ms all of the 1 that this worker may have/, 'when that is full, too, it is told how long it has waited';
is $metrics->('ksgate_backend_pending_total') - $waits, 1, '... and that was once';
$up{v2}->forget;
like told(ask($stable[1])), qr/^503 .*after 200 ms/, 'the rest waits, and does not spill';
is $up{v2}->seen, 0, '... into a canary';
free(v3 => $held);
free(v1 => $also);
is $metrics->('ksgate_backend_pending'), 0, 'nobody waits any more';

done_testing;
