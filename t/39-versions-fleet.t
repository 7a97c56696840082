# Blue and green of a fleet: one write, by any gateway; when it is answered, no gateway begins anything at the old version, and
# nothing fails meanwhile.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;

my %up = map { my $name = $_; $name => upstream { [200, {}, $name] } } qw(blue green);
my $redis = redis();
my @gw = map { gateway(redis => $redis, workers => 2, config => {trusted_proxies => ['127.0.0.1']}) } 1 .. 3;

sub rows { my ($blue, $green) = @_; return [{name => 'blue', weight => $blue}, {name => 'green', weight => $green}] }
sub put {
    my ($gw, $rows) = @_;
    my $r = $gw->admin(PATCH => path_of('shop', 'wait=fleet'), {spec => {versions => $rows}}, 'Content-Type' => 'application/merge-patch+json');
    $r->{status} == 200 or die "PATCH: $r->{status} $r->{body}";
    return;
}
sub body { my ($gw, $address) = @_; return $gw->request(GET => '/extensions/shop/x', 'X-Forwarded-For' => $address)->{body} }

$gw[0]->apply([extension('shop', undef, endpoints => [map { {url => $up{$_}->url, version => $_} } qw(blue green)], versions => rows(100, 0))]);
for my $gw (@gw) { eventually { $gw->request(GET => '/extensions/shop/x')->{status} == 200 } 'the extension' }
ok eventually { grep({ $_->{live} } @{$gw[0]->admin(GET => '/-/readyz')->{json}{registry}{gateways} // []}) == 3 } 'three gateways';

my @load = map { Gateway::Load->new($_, paths => ['/extensions/shop/load']) } @gw;
my @late;
for my $flip (1 .. 50) {
    my $green = $flip % 2;
    put($gw[$flip % 3], rows(100 - 100 * $green, 100 * $green));
    for my $n (0 .. 2) {
        push @late, map { "flip $flip at gateway $n: $_" } grep { $_ ne ($green ? 'green' : 'blue') } map { body($gw[$n], "10.0.$flip.$_") } 1 .. 2;
    }
}
is_deeply \@late, [], '50 flips, each answered when no gateway of the fleet goes to the old version any more';
for my $n (0 .. 2) {
    my $end = $load[$n]->stop;
    is $end->{failed}, 0, "none of $end->{requests} requests at gateway $n failed" or diag explain $end->{words};
}

# A canary grows: all gateways agree on whose turn it is, at each step.
my @addresses = map { "10.1.0.$_" } 1 .. 100;
my %had;
for my $weight (1, 10, 50, 100) {
    put($gw[0], [{name => 'green', weight => $weight}]);
    my @place = map { my $gw = $gw[$_]; [map { body($gw, $_) } @addresses] } 0 .. 2;
    my $same = grep { $place[0][$_] eq $place[1][$_] && $place[1][$_] eq $place[2][$_] } 0 .. $#addresses;
    is $same, scalar @addresses, "$weight %: the same at each gateway";
    my %has = map { $addresses[$_] => 1 } grep { $place[0][$_] eq 'green' } 0 .. $#addresses;
    is_deeply [grep { !$has{$_} } sort keys %had], [], '... and who had it has it';
    %had = %has;
}
is scalar(keys %had), 100, 'in the end all have it';

done_testing;
