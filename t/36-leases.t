# When the lease of an endpoint ends: the store knows, and tells whoever reads the endpoint.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::RedisProxy;
use Gateway::Registry;

my $api = '/-/apis/ksgate.io/v1';
my $accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';

sub endpoint { my ($name, $of, %spec) = @_; return {apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => $name}, spec => {extension => $of, url => 'http://127.0.0.1:1', %spec}} }
sub put { my ($gw, $x, $id, $seconds) = @_; return $gw->admin(PUT => "$api/extensionservices/$x/endpoints/$id", {url => 'http://127.0.0.1:2', leaseSeconds => $seconds})->{json}{lease}{expires} }
sub one { my ($gw, $name) = @_; return $gw->admin(GET => "$api/endpoints/$name")->{json} }
sub listed { my ($gw, $query) = @_; my $list = $gw->admin(GET => "$api/endpoints" . ($query // ''))->{json}; return {map { $_->{metadata}{name} => $_->{status}{expires} } @{$list->{items}}} }
sub table { my ($gw) = @_; my $t = $gw->admin(GET => "$api/endpoints", undef, Accept => $accept)->{json}; my ($i) = grep { $t->{columnDefinitions}[$_]{name} eq 'EXPIRES' } 0 .. $#{$t->{columnDefinitions}}; return {map { $_->{cells}[0] => $_->{cells}[$i] } @{$t->{rows}}} }

my $in_file = tempdir() . '/file.json';
spew($in_file, JSON::PP::encode_json(endpoint('x.file', 'x', leaseSeconds => 600)));

sub is_told {
    my ($gw, $store) = @_;
    $gw->apply([extension('x', undef), extension('y', undef), endpoint('x.hand', 'x')]);
    my %until = map { ("x.$_" => put($gw, 'x', $_, 1000), "y.$_" => put($gw, 'y', $_, 2000)) } 'a' .. 'c';
    ok eventually { keys %{listed($gw)} == 8 }, "$store: all are there";

    is one($gw, 'x.a')->{status}{expires}, $until{'x.a'}, '... and one says what its registration was told';
    is_deeply listed($gw), {%until, 'x.hand' => undef, 'x.file' => undef}, 'a list has it of each that has a lease, which no file has';
    ok !exists one($gw, $_)->{status}, "$_ has no status" for 'x.hand', 'x.file';
    is_deeply listed($gw, '?limit=2&continue=1:ksgate.io/Endpoint//x.hand'), {map { $_ => $until{$_} } qw(y.a y.b)}, 'so has a page';
    is_deeply listed($gw, '?fieldSelector=metadata.name=y.c'), {'y.c' => $until{'y.c'}}, '... and a selection';

    my $again;
    ok eventually { ($again = put($gw, 'x', 'a', 1000)) gt $until{'x.a'} }, 'it is renewed';
    ok one($gw, 'x.a')->{status}{expires} ge $again, '... and ends later';
    my $rows = table($gw);
    like $rows->{'x.a'}, qr/^in 1[0-6]m$/, 'kubectl has a column of it';
    is_deeply [@$rows{qw(x.hand x.file)}], ['-', '-'], '... with nothing of what has none';
    like $gw->ksgate_here('get', 'endpoints')->{out}, qr/^NAME .*\bEXPIRES\b.*^y\.b .*\bin 3[0-3]m\b/ms, 'and ksgate get';
    my $back = one($gw, 'x.b');
    is $gw->admin(PUT => "$api/endpoints/x.b", {%$back, status => {expires => '2001-01-01T00:00:00Z', healthy => JSON::PP::true}})->{status}, 200, 'what was read may be written';
    unlike one($gw, 'x.b')->{status}{expires}, qr/^2001/, '... which makes it no truth';
    return \%until;
}

my $alone = gateway(config => {registry => {files => [$in_file]}});
is_told($alone, 'SQLite');

# A container that is paused, say: its clocks go on.
my $begun;
eventually { # before its end
    kill CONT => $alone->server_pid;
    $begun = time;
    put($alone, 'x', 'short', 2);
    kill STOP => $alone->server_pid;
    time - $begun < 1.5;
} 'a gateway that stands still';
eventually { time > $begun + 5 } 'the end of its lease, and more than a second beyond that';
kill CONT => $alone->server_pid;
ok eventually { $alone->stderr =~ /stood still for .* leases begin anew/ } 'the look at the leases';
ok exists listed($alone)->{'x.short'}, 'a lease does not end while the gateway stands still: nobody can renew it';
ok eventually { !exists listed($alone)->{'x.short'} }, '... and afterwards it does';

my $redis = redis(config => ['--user alice on >pw ~* +@all -zmscore']);
my $gw = gateway(redis => $redis, config => {registry => {files => [$in_file], redis => {timeout => '500ms'}}});
my $until = is_told($gw, 'Redis');

# Another program may write a status: it is not believed.
$redis->command('EVAL', $gw->ksgate_here('registry', 'script')->{out}, 1, '{ksgate}:', 'put', 'ksgate.io/Endpoint//x.odd',
    '{"metadata":{"name":"x.odd"},"apiVersion":"ksgate.io/v1","kind":"Endpoint","spec":{"extension":"x","url":"http://127.0.0.1:3"},"status":{"expires":"2001-01-01T00:00:00Z"}}', 'any', 0, 0);
ok eventually { exists listed($gw)->{'x.odd'} }, 'another program writes an endpoint';
ok !exists one($gw, 'x.odd')->{status}, '... whose status is not what it says';

# More than go into one command.
$gw->apply([map { endpoint("y.n$_", 'y', leaseSeconds => 3000) } 1 .. 1500]);
is scalar(grep { defined } values %{listed($gw)}), 1506, 'of very many, too';

# A user who may not ask.
{
    my $password = tempdir() . '/pw';
    spew($password, 'pw');
    my $less = gateway(config => {registry => {driver => 'redis', redis => {url => $redis->url =~ s{//}{//alice@}r, password_file => $password}}});
    ok eventually { keys %{listed($less)} == 1508 }, 'a user who may not ask when leases end';
    is_deeply [@{one($less, 'x.a')}{qw(kind status)}], ['Endpoint', undef], '... is told the rest';
    one($less, 'x.b');
    is scalar(() = $less->stderr =~ /when leases end can't be told: NOPERM/g), 1, '... and once why';
}

# While Redis is asked when they end, one of those that were asked about is hidden from who reads: of the others it is told.
{
    my $other = redis();
    my $proxy = Gateway::RedisProxy->new($other);
    my $via = gateway(workers => 1, config => {registry => {driver => 'redis', sqlite => undef, redis => {url => $proxy->url, timeout => '20s'}}});
    my @may = ({apiGroups => ['ksgate.io'], resources => ['endpoints'], verbs => ['list']});
    $via->apply([map({ extension($_, 'http://127.0.0.1:1', access => 'authenticated') } 'a' .. 'd'), role(GlobalRole => 'lister', [@may]), binding(GlobalRole => 'tom', 'lister', 'tom')]);
    my %until = map { ("$_.1" => put($via, $_, '1', 1000)) } 'a' .. 'd';
    my $list = sub { my ($c, $query) = @_; $c->send_request(GET => "$api/endpoints$query", $via->as('tom')); return };
    my $told = sub { my ($c) = @_; return {map { $_->{metadata}{name} => $_->{status}{expires} } @{$c->response->{json}{items}}} };
    my %c = map { $_ => $via->connect } '', '?limit=2';
    ok eventually { $list->($c{''}, ''); keys %{$told->($c{''})} == 4 }, 'all are there';
    for my $query (sort keys %c) { # the page is of b and c then, of which c is hidden
        $proxy->on('^ZMSCORE', 'hold');
        my $met = $proxy->met('^ZMSCORE');
        $list->($c{$query}, $query);
        eventually { $proxy->met('^ZMSCORE') > $met } 'Redis to be asked';
        my $hidden = $query ? 'c' : 'a';
        script_call($other, 'put', "ksgate.io/ExtensionService//$hidden", extension($hidden, 'http://127.0.0.1:1', access => 'authenticated', visibility => 'subscribed'), 'any', 0, 0);
        eventually { $via->request(GET => "/extensions/$hidden/x", $via->as('tom'))->{status} == 404 } 'it to be hidden';
        $proxy->release;
        delete $until{"$hidden.1"};
        my %page = map { $_ => $until{$_} } $query ? 'b.1' : keys %until;
        is_deeply $told->($c{$query}), \%page, "one that is hidden meanwhile takes no other's with it ($query)";
    }
}

# Redis can't tell: the rest is as it is.
$redis->freeze;
is_deeply [@{one($gw, 'x.a')}{qw(kind status)}], ['Endpoint', undef], 'a Redis that hangs: the endpoint is there, and nothing is said of its lease';
is scalar(keys %{listed($gw)}), 1509, '... nor in a list, of which nobody is missing';
$redis->thaw;
ok eventually { defined one($gw, 'y.a')->{status}{expires} }, 'when it is back, it is told again';
$redis->stop;
ok eventually { ($gw->admin(GET => '/-/readyz')->{json}{registry}{state} // '') eq 'stale' }, 'a Redis that is gone';
is_deeply [@{one($gw, 'x.a')}{qw(kind status)}], ['Endpoint', undef], '... the same';
is table($gw)->{'x.a'}, '-', '... in a table, too';

done_testing;
