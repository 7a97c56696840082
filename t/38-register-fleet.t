# ?wait=fleet: the answer comes when every gateway that lives routes by the change. Four gateways at one Redis.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my $up = upstream { [200, {}, 'up'] };
my $redis = redis();
sub join_fleet { my (%of) = @_; return gateway(redis => $redis, workers => 2, config => {registry => {redis => {fleet_silence => '4s', fleet_wait => '1m', %of}}}) }
# All wait for each other for as long as it takes; but for the third, which is asked for what can't be so, and waits for those who say nothing.
my @gw = (join_fleet(), join_fleet(), join_fleet(fleet_silence => '1m', fleet_wait => '1s'), join_fleet());
my @patient = @gw[0, 1, 3];
my $slow = Gateway::Process::slow();

sub place { my ($id, $wait) = @_; return "$api/extensionservices/shop/endpoints/$id" . ($wait ? "?wait=$wait" : '') }
sub register { my ($gw, $id, $wait) = @_; return $gw->admin(PUT => place($id, $wait), {url => $up->url, leaseSeconds => 60}) }
sub known { my ($gw, $name) = @_; return $gw->admin(GET => "$api/endpoints/$name")->{status} == 200 }
sub fleet { my ($gw) = @_; return @{$gw->admin(GET => '/-/readyz')->{json}{registry}{gateways} // []} }
sub self { my ($gw) = @_; my ($me) = grep { $_->{self} } fleet($gw); return $me ? $me->{id} : undef }
sub living { my ($gw) = @_; return scalar grep { $_->{live} } fleet($gw) }
sub metric { my ($gw) = @_; return $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_registry_gateways (\S+)$/m ? $1 : undef }

$gw[0]->apply([extension(shop => undef)]);
eventually { my $n = 0; $n += living($_) for @gw; $n == 16 } 'all to know of each other';
pass 'each gateway knows of all four';
is metric($_), 4, '... and says so in its metrics' for @gw;
my %id = map { self($_) => 1 } @gw;
is scalar keys %id, 4, 'each has an id of its own';
for my $gw (@gw) {
    is_deeply [sort map { $_->{id} } fleet($gw)], [sort keys %id], '... which the others know, too';
}
is_deeply [grep { /gateways/ } keys %{$gw[0]->request(GET => '/-/readyz')->{json}{registry}}], [], 'strangers are not told of the fleet';

for my $n (1 .. 30) {
    my $r = register($patient[$n % 3], "n$n", 'fleet');
    my @missing = grep { !known($gw[$_], "shop.n$n") } 0 .. 3;
    is_deeply [$r->{status}, @missing], [201], "registration $n is known everywhere when it is answered" or diag $r->{body};
}
for my $n (0 .. $#patient) {
    my $r = $patient[$n]->admin(PUT => "$api/extensionservices/by-$n?wait=fleet", {spec => {access => 'public', endpoints => [{url => $up->url}]}});
    is_deeply [$r->{status}, map { $_->request(GET => "/extensions/by-$n/x")->{status} } @gw], [201, (200) x 4], "an extension that is written at any gateway ($n) is in use at all of them";
}
is register($gw[1], 'n1', 'fleet')->{status}, 200, 'a renewal, which has nothing to wait for, is answered';
is $gw[0]->admin(DELETE => place('n1', 'fleet'))->{status}, 200, 'one leaves';
is_deeply [grep { known($_, 'shop.n1') } @gw], [], '... everywhere, when that is answered';
my $r = $gw[0]->admin(POST => '/-/apply?wait=fleet', {apiVersion => 'v1', kind => 'List', items => [map { extension("several-$_" => $up->url) } 1 .. 20]});
is_deeply [$r->{status}, map { $_->request(GET => '/extensions/several-20/x')->{status} } @gw], [200, (200) x 4], 'several objects in one step are in use everywhere';

for my $wait (qw(Fleet everywhere)) {
    for ([PUT => place('n2', $wait), {url => $up->url}], [DELETE => place('n2', $wait)], [PUT => "$api/endpoints/shop.n2?wait=$wait", {spec => {}}],
        [POST => "$api/endpoints?wait=$wait", {spec => {}}], [DELETE => "$api/endpoints/shop.n2?wait=$wait"], [POST => "/-/apply?wait=$wait", {items => []}]) {
        my ($method, $path, $body) = @$_;
        my $r = $gw[0]->admin($method => $path, $body);
        is $r->{status}, 400, "$method with wait=$wait is refused";
        like $r->{json}{message}, qr/\Await=$wait: only live .* and fleet .* are known\z/, '... with what there is';
    }
}
ok known($gw[0], 'shop.n2'), 'and nothing was done';

# ---- One that does not follow -----------------------------------------------------------------------------

my $lame = $gw[3];
my $lame_id = self($lame);
my $pid = $lame->server_pid;
kill STOP => $pid;
my $command = Gateway::Process->new(name => 'ksgate register', log => $gw[1]->dir . '/register.log',
    command => [Gateway::program(), 'register', '-c', $gw[2]->file, 'shop', $up->url, '--id', 'command', '--wait', 'fleet']);
$r = register($gw[2], 'lame', 'fleet');
is $r->{status}, 504, 'one that is frozen is waited for, but not for ever';
is $r->{json}{reason}, 'Timeout', '... which is a Timeout';
like $r->{json}{message}, qr/\Aendpoints\.ksgate\.io "shop\.lame" was written \(resourceVersion \d+\), and this gateway routes by it; not yet, as far as is known: \Q$lame_id\E: at revision \d+, heard \d+\.\d s ago\z/,
    '... and named, alone';
is_deeply [map { @$_{qw(reason field)} } @{$r->{json}{details}{causes}}], ['GatewayBehind', $lame_id], '... as a cause, for programs';
is_deeply [map { known($_, 'shop.lame') ? 1 : 0 } @gw[0 .. 2]], [1, 1, 1], '... the registration stays, here and at the others';
is register($gw[0], 'lame', 'fleet')->{status}, 200, 'one that has been silent for long enough is not waited for any more';
eventually { 6 == eval { my $n = 0; $n += living($_) for @gw[0, 1]; $n } } 'it to be shown so';
eventually { $command->log =~ /was written .* not yet, as far as is known: \Q$lame_id\E: .*; asking again until all do$/m } 'the command with --wait fleet to say who is behind';
unlike $command->log, qr/^shop is registered$/m, 'the command with --wait fleet says who is behind, and not that it is registered';
my ($shown) = grep { $_->{id} eq $lame_id } fleet($gw[0]);
is $shown->{live}, JSON::PP::false, '... and is shown as one that does not live';
is register($gw[$_], "three-$_", 'fleet')->{status}, 201, '... by none of those who have heard nothing for long enough' for 0, 1;
eventually { metric($gw[1]) == 3 } 'the metric';
kill CONT => $pid;
eventually { living($gw[0]) == 4 } 'it to come back';
is register($gw[0], 'back', 'fleet')->{status}, 201, 'it lives again';
ok known($lame, 'shop.back'), '... and is waited for';
eventually { $command->log =~ /^shop is registered$/m } 'the command';
is $command->stop, 0, 'the command says that it is registered, and ends well';
ok !known($gw[2], 'shop.command'), '... and has left by then';

# ---- One that is killed, one that stops, one that joins ---------------------------------------------------

my $stopped = self($gw[2]);
is $gw[2]->stop, 0, 'one is told to stop';
is register($gw[0], 'stopped', 'fleet')->{status}, 201, '... and is not waited for';
eventually { living($gw[0]) == 3 } 'it to be shown';
is scalar(grep { $_->{id} eq $stopped } fleet($gw[0])), 0, '... it has said that it goes';
my $new = join_fleet(fleet_wait => '1s');
eventually { living($gw[0]) == 4 } 'a new one';
$r = register($gw[0], 'joined', 'fleet');
is_deeply [$r->{status}, known($new, 'shop.joined')], [201, 1], 'a new one is waited for';
my $killed = self($lame);
kill KILL => $lame->pid, $lame->server_pid;
$lame->{process}{expected_end} = 1;
my @answers;
eventually { push @answers, register($new, 'after-' . @answers, 'fleet'); $answers[-1]{status} == 201 } 'the one that was killed to be left out';
is_deeply [grep { $_->{status} != 201 && ($_->{status} != 504 || $_->{json}{message} !~ /\Q$killed\E/) } @answers], [], 'one that was killed is named, and then no longer waited for';

# ---- Redis ----------------------------------------------------------------------------------------------

# The heartbeat: one command a second.
{
    my $calls = sub { my $sum = 0; $sum += $_ for $redis->command('INFO', 'commandstats') =~ /^cmdstat_evalsha:calls=(\d+)/mg; return $sum };
    my $before = $calls->();
    my $at = time;
    eventually { time - $at > 3 } 'three seconds';
    my $each = ($calls->() - $before) / (time - $at) / 3;
    cmp_ok $each, '<', 10, sprintf 'a gateway at rest calls Redis %.1f times a second', $each; # expire five times, beat, and changes twice
}
# A key that is not ours: the rest works.
{
    $redis->command('DEL', '{ksgate}:gateways');
    $redis->command('SET', '{ksgate}:gateways', 'mine');
    my $r = register($new, 'foreign', 'fleet');
    is $r->{status}, 504, 'where the fleet can not be told';
    like $r->{json}{message}, qr/the registry: it has not said which gateways there are: WRONGTYPE the key \{ksgate\}:gateways holds something that is not of ksgate/, '... the reason is';
    ok known($new, 'shop.foreign'), '... and the rest works';
    eventually { $gw[0]->admin(GET => '/-/readyz')->{json}{registry}{gatewaysUnknown} } 'readyz to say so';
    is $gw[0]->admin(GET => '/-/readyz')->{json}{registry}{state}, 'fresh', '... of a registry that is fresh';
    $redis->command('DEL', '{ksgate}:gateways');
    eventually { living($gw[0]) == 3 } 'the fleet';
    is register($gw[0], 'mended', 'fleet')->{status}, 201, 'it mends by itself';
    $redis->command('SET', '{ksgate}:beats', 'mine');
    $redis->command('SET', '{ksgate}:awaited', 'rubbish');
    is register($gw[0], 'beats', 'live')->{status}, 201, 'so it is with the other keys: what is registered is live';
    $redis->command('DEL', '{ksgate}:beats', '{ksgate}:awaited');
    eventually { register($gw[0], 'beats-' . int rand 1e9, 'fleet')->{status} == 201 } 'all to be well';
}
# A registry that is wiped: revisions begin anew, and nobody is taken to have what they have not.
{
    $redis->command('FLUSHALL');
    my $one = extension(anew => $up->url);
    eventually { $gw[0]->admin(PUT => "$api/extensionservices/anew?wait=fleet", {spec => $one->{spec}})->{status} =~ /\A20/ } 'a write';
    is_deeply [map { $_->request(GET => '/extensions/anew/x')->{status} } $gw[0], $gw[1], $new], [200, 200, 200], 'after a FLUSHALL what is written is in use everywhere when it is answered';
}

# A file: the gateway itself.
{
    my $alone = gateway(objects => [extension(shop => undef)]);
    is register($alone, 'one', 'fleet')->{status}, 201, 'with a file, fleet is live';
    is metric($alone), 1, '... of one gateway';
    ok !exists $alone->admin(GET => '/-/readyz')->{json}{registry}{gateways}, '... that knows of no others';
}

# ---- How long it takes --------------------------------------------------------------------------------------

push @gw, $new, join_fleet();
@gw = ($gw[0], $gw[1], @gw[4, 5]);
$gw[0]->apply([extension(shop => undef)]);
eventually { living($gw[0]) == 4 && living($gw[3]) == 4 } 'four gateways again';
my $c = Gateway::Client->new(to => $gw[0]->admin_socket);
for my $wait (qw(live fleet)) {
    my @ms;
    for my $n (1 .. 50) {
        my $status;
        push @ms, milliseconds {
            $c->send_request(PUT => place("$wait-$n", $wait), 'Content-Type' => 'application/json', body => JSON::PP::encode_json({url => $up->url, leaseSeconds => 60}));
            $status = $c->response->{status};
        };
        is $status, 201, "$wait $n" if $status != 201;
    }
    my $f = figures(@ms);
    diag "?wait=$wait: $f->{words}";
    cmp_ok $f->{median}, '<', 500 * $slow, "?wait=$wait is answered when something happens, and not when a second is over";
}
# ---- One that has just started --------------------------------------------------------------------------------

# Each of a registry that has never been written to, which all list anew at the first write.
subtest 'a gateway that is ready is waited for' => sub {
    for my $round (1 .. 10) {
        my $fresh = redis();
        my ($old, $new) = map { gateway(redis => $fresh, workers => 1) } 1 .. 2;
        my $r = $old->admin(PUT => path_of('x', 'wait=fleet'), extension(x => $up->url));
        is $r->{status}, 201, "round $round" or diag $r->{body};
        is $new->admin(GET => path_of('x'))->{status}, 200, '... from its first moment on' or diag $new->stderr;
        $_->stop for $old, $new, $fresh;
    }
};

done_testing;
