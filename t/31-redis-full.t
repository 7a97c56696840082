# A Redis at its maxmemory takes nothing new; what is there goes on, is renewed, ends and can be deleted.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $redis = redis();
my $gw = gateway(redis => $redis, objects => [extension(reg => undef), extension(old => $up->url)]);

sub register {
    my ($id, $seconds) = @_;
    return $gw->admin(PUT => "/-/apis/ksgate.io/v1/extensionservices/reg/endpoints/$id", {url => $up->url, leaseSeconds => $seconds});
}

sub leases { return {@{$redis->command(ZRANGE => '{ksgate}:leases', 0, -1, 'WITHSCORES')}} }

is register(long => 60)->{status}, 201, 'an endpoint';
my $load = Gateway::Load->new($gw, paths => ['/extensions/reg/x']);
is register(short => 2)->{status}, 201, '... and one with a short lease';
my ($key) = grep { /long$/ } keys %{leases()};
my $before = leases()->{$key};
$redis->command(CONFIG => 'SET', 'maxmemory', 1);

my $r = $gw->admin(PUT => path_of('new'), extension(new => $up->url));
is $r->{status}, 503, 'what is new is refused';
like $r->{json}{message}, qr/nothing was changed.*OOM/, '... by the reason that Redis gives' or diag $r->{body};
is $gw->request(GET => '/extensions/new/x')->{status}, 404, '... and is not there';
eventually { registry_of($gw)->{writesRefused} } 'readyz to say so'; # it looks ten times a second
like registry_of($gw)->{writesRefused}{reason}, qr/OOM/, '... readyz says why';
like registry_of($gw)->{writesRefused}{at}, qr/^\d{4}-.*Z$/, '... and when';
ok !exists $gw->request(GET => '/-/readyz')->{json}{registry}{writesRefused}, '... to operators';
is registry_metric($gw, 'writes_refused_total'), 1, '... the metric counts it';
is registry_of($gw)->{state}, 'fresh', '... all is known as it was';
is registry_metric($gw, 'reachable'), 1, '... and Redis is there';
is register(other => 60)->{status}, 503, 'so is a new endpoint';
eventually { registry_metric($gw, 'writes_refused_total') == 2 } 'it to be counted';
is scalar(() = $gw->stderr =~ /warn .*registry: redis:\S+ refuses what is new: OOM.*; what is known stays in use/g), 1, 'the log says it once';
is register(long => 60)->{status}, 200, 'a lease is renewed';
ok leases()->{$key} > $before, '... in Redis';
eventually(sub { !grep { /short$/ } keys %{leases()} }, 'the end of the short lease');
eventually(sub { $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}[0]{metadata}{name} eq 'reg.long' }, 'only the long one');
is $gw->request(GET => '/extensions/reg/x')->{body}, 'up', 'what is registered is served';
is $gw->admin(DELETE => path_of('old'))->{status}, 200, 'objects can be deleted';
is $gw->request(GET => '/extensions/old/x')->{status}, 404, '... at once';
ok registry_of($gw)->{writesRefused}, '... what is new is still said to be refused';

$redis->command(CONFIG => 'SET', 'maxmemory', 0);
is $gw->admin(PUT => path_of('new'), extension(new => $up->url))->{status}, 201, 'with room again, new ones are taken';

eventually { !registry_of($gw)->{writesRefused} } 'readyz to say nothing more of it';
like $gw->stderr, qr/info .*registry: redis:\S+ takes writes again/, '... and the log that it is over';
my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};

done_testing;
