# A master with replicas, watched by Sentinels: fail-overs under load cost no request, and no write that was acknowledged.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::RedisFleet;
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $fleet = Gateway::RedisFleet->watched(replicas => 2, sentinels => 3, password => 'watchword');
my $file = spew(tempdir() . '/sentinel.pw', "watchword\n");

sub settings {
    my (%more) = @_;
    return {registry => {driver => 'redis', sqlite => undef, redis => {timeout => '1s', sentinels => [$fleet->sentinels],
        master => Gateway::RedisFleet::NAME, sentinel => {password_file => $file}, replicas => 1, %more}}};
}

sub put { return put_extension(@_, $up->url) }

my $gw = gateway(config => settings(), objects => [extension(a => $up->url)]);
my $second = gateway(config => settings());
is $second->request(GET => '/extensions/a/x')->{body}, 'up', 'gateways find the master by the Sentinels';

my @acknowledged;
my $n = 0;

# Writes until so many more were acknowledged, whatever else becomes of them.
sub write_on {
    my ($more) = @_;
    my $until = @acknowledged + $more;
    eventually {
        my $name = 'w' . ++$n;
        my $r = put($gw, $name);
        push @acknowledged, $name if $r->{status} == 201;
        @acknowledged >= $until;
    } "$more writes", 120; # Sentinels that were late themselves do nothing for 30 s
    return;
}

sub nothing_is_lost {
    my ($what) = @_;
    my $master = $fleet->master;
    my %there = map { $_ => 1 } @{$master->command('HKEYS', '{ksgate}:objects')};
    is_deeply [grep { !$there{"ksgate.io/ExtensionService//$_"} } @acknowledged], [], "$what: the new master has every write that was acknowledged";
    for my $g ($gw, $second) {
        eventually { is_fresh($g) } 'readyz to say fresh';
        eventually { $g->request(GET => "/extensions/$acknowledged[-1]/x")->{status} == 200 } 'the last write';
        is_deeply [grep { $g->request(GET => "/extensions/$_/x")->{status} != 200 } @acknowledged], [], '... and so has a gateway';
    }
    return;
}

# ---- The master is killed ---------------------------------------------------------------------------------

{
    my @load = map { Gateway::Load->new($_, paths => ['/extensions/a/x']) } $gw, $second;
    write_on(50);
    my $old = $fleet->master;
    $fleet->may_fail_over(0); # until it has been seen that there is none
    $old->kill;
    eventually { my $s = registry_of($gw); $s->{state} eq 'stale' && $s->{reason} =~ /127\.0\.0\.1:@{[$old->port]}|Sentinel/ } 'readyz to say so';
    is registry_metric($gw, 'reachable'), 0, 'while there is no master, readyz and the metric say so';
    is $gw->request(GET => '/-/readyz')->{status}, 200, '... it is ready';
    like put($gw, 'lost')->{json}{message}, qr/nothing was changed|not known/, '... and a write is not acknowledged';
    $fleet->may_fail_over(1);
    write_on(50);
    eventually { is_fresh($_) && registry_metric($_, 'reachable') && registry_metric($_, 'reconnects_total') > 0 } 'the metrics' for $gw, $second;
    isnt $fleet->master->port, $old->port, 'there is another master';
    nothing_is_lost('the master was killed');
    like $gw->stderr, qr/warn .*can't be reached: redis:\/\/127\.0\.0\.1:@{[$old->port]}: /, 'which one was lost is said';

    # It comes back, and takes itself for the master until a Sentinel tells it otherwise.
    $old->start;
    write_on(20);
    eventually { Gateway::RedisFleet::role($old) eq 'slave' } 'the old master to become a replica', 60;
    write_on(20);
    nothing_is_lost('the old master is back');
    for my $load (@load) {
        my $seen = $load->stop;
        is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    }
}

# ---- A fail-over that somebody asks for: the old master lives ------------------------------------------------

{
    my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);
    my $old = $fleet->master;
    eventually { $old->command('INFO', 'replication') =~ /connected_slaves:2/ } 'two replicas', 60;
    eventually { eval { $fleet->ask(0, 'SENTINEL', 'FAILOVER', Gateway::RedisFleet::NAME) } } 'a fail-over to begin', 30;
    eventually { $fleet->follows_another_than($old) } 'another master', 30; # what the old one and a replica of it have until then is lost
    write_on(30);
    nothing_is_lost('it was asked for');
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
}

# ---- Too few replicas -------------------------------------------------------------------------------------------

{
    eventually { scalar(my @r = $fleet->replicas) == 2 } 'both replicas', 60;
    $_->freeze for my @replicas = $fleet->replicas;
    is scalar @replicas, 2, 'both replicas are frozen';
    my $r = put($gw, 'alone');
    is $r->{status}, 503, 'a write that only the master has is not acknowledged';
    like $r->{json}{message}, qr/not known.*the master has it, but only 0 of 1 replicas do/, '... and that is said';
    $_->thaw for @replicas;
    eventually { put($gw, 'together')->{status} =~ /^20[01]$/ } 'a write';
    pass 'with replicas, they are again';
    my $reconnects = registry_metric($gw, 'reconnects_total');
    $_->freeze for @replicas;
    my @clients = map { Gateway::Client->new(to => $gw->admin_socket) } 1 .. 8;
    $clients[$_]->send_request(PUT => path_of("many$_"), 'Content-Type' => 'application/json',
        body => JSON::PP::encode_json(extension("many$_" => $up->url))) for 0 .. $#clients;
    my @answers = map { $_->response } @clients;
    is scalar(grep { $_->{status} == 503 && $_->{json}{message} =~ /only 0 of 1 replicas do/ } @answers), 8,
        'many at once are all told so' or diag explain [map { $_->{body} } @answers];
    is registry_metric($gw, 'reconnects_total'), $reconnects, '... and the connection is not broken by who waits behind';
    $_->thaw for @replicas;
}

# ---- The Sentinels themselves ---------------------------------------------------------------------------------

{
    $fleet->sentinel(0)->stop('KILL');
    eventually { put($gw, 'one-less')->{status} =~ /^20[01]$/ } 'a write', 30;
    pass 'a Sentinel that dies disturbs nobody';
    my $third = gateway(config => settings());
    eventually { is_fresh($third) } 'readyz to say fresh';
    is $third->request(GET => '/extensions/a/x')->{status}, 200, 'with the first one dead, the next is asked';
    my $master = $fleet->master; # as they say before one of them says nothing for a while
    $fleet->sentinel(1)->kill('STOP');
    $master->command('CLIENT', 'KILL', 'TYPE', 'normal');
    eventually { is_fresh($third) && put($third, 'third')->{status} =~ /^20[01]$/ } 'a write by the third Sentinel';
    pass 'one that is frozen holds nobody up';
    $fleet->sentinel(1)->kill('CONT');
}

for my $case (
    ['a name that they do not know', {master => 'nobody'}, qr/Sentinel redis:\/\/127\.0\.0\.1:\d+: it knows no master "nobody"/],
    ['no password for them', {sentinel => {}}, qr/Sentinel redis:.*NOAUTH/],
    ['no Sentinel there', {sentinels => ['127.0.0.1:1'], sentinel => {}}, qr/Sentinel redis:\/\/127\.0\.0\.1:1: Connection refused/],
) {
    my ($what, $more, $words) = @$case;
    my $g = gateway(start => 0, config => settings(%$more))->begin;
    eventually { (eval { registry_of($g)->{reason} } // '') =~ $words } "the reason ($what)";
    pass "$what: is said";
}

{
    my ($replica) = $fleet->replicas;
    my $i = $fleet->watch('liar', $replica->port, 1);
    my $g = gateway(start => 0, config => settings(master => 'liar', sentinels => [($fleet->sentinels)[$i]]))->begin;
    eventually { (eval { registry_of($g)->{reason} } // '') =~ /it is a replica \(of/ } 'the reason';
    pass 'a "master" that says that it is a replica is not used';
}

# ---- Sentinels that are wrong ---------------------------------------------------------------------------------

# Its "host:port", and the times of its connections.
sub wrong_sentinel {
    my ($mode, $port) = @_;
    my $own = Gateway::Process::free_port();
    my $times = tempdir() . '/times';
    my $process = Gateway::Process->new(name => 'sentinel.py', log => "$times.log",
        command => ['python3', 't/lib/sentinel.py', $own, $times, $port, $mode]);
    $process->{expected_end} = 1;
    $process->wait_until('ready', sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$own") });
    return ("127.0.0.1:$own", sub { split /\n/, slurp($times) });
}

{
    my ($replica) = $fleet->replicas;
    my ($liar) = wrong_sentinel(listens => $replica->port);
    my ($dead) = wrong_sentinel(listens => 1);
    my $g = gateway(config => settings(sentinels => [$liar, $dead, ($fleet->sentinels)[2]]));
    # replicas that were frozen may have to catch up first: until then a write is rightly not acknowledged
    eventually { is_fresh($g) && put($g, 'believed')->{status} =~ /^20[01]$/ } 'a write', 30;
    pass 'of Sentinels that name a replica or nobody, and one that knows, the last is found';
}

for my $mode (qw(refuses closes)) {
    my ($at, $times) = wrong_sentinel($mode => $fleet->master->port);
    my $g = gateway(config => settings(sentinels => [$at]));
    eventually { is_fresh($g) } 'readyz to say fresh';
    eventually { $times->() >= 8 } 'eight connections', 30;
    my @times = $times->();
    cmp_ok @times / ($times[-1] - $times[0] || 1e-6), '<', 20, "a Sentinel that $mode to tell of fail-overs is asked now and then only";
    cmp_ok scalar(() = $g->stderr =~ /no word of fail-overs comes from Sentinel/g), '<=', 3, '... which each of three connections says once';
    like $g->stderr, $mode eq 'refuses' ? qr/no word of fail-overs comes from Sentinel redis:\/\/\Q$at\E: NOPERM/
        : qr/no word of fail-overs comes from Sentinel redis:\/\/\Q$at\E: the connection was closed/, '... with the reason';
    eventually { put($g, "with-$mode")->{status} =~ /^20[01]$/ } 'a write';
    pass '... and the master is used';
}

for my $case (
    ['no master', {master => undef}, qr/sentinels and master .* belong together/],
    ['a Cluster, too', {cluster => ['127.0.0.1:1']}, qr/exclude each other/],
    ['no node', {sentinels => ['redis://x:1']}, qr/write host:port/],
) {
    my ($what, $more, $words) = @$case;
    my $g = gateway(start => 0, config => settings(%$more));
    my $r = ksgate('check', $g->file);
    isnt $r->{code}, 0, "$what: refused";
    like $r->{err}, $words, '... with the reason';
}

done_testing;
