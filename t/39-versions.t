# Versions of an extension: who gets which, who keeps it, what happens when one dies, and that a
# change of versions costs nobody anything.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Token;
use Gateway::WebSocket;

# Answers with its name, and who the gateway says it is for; holds what is sent to /hold; echoes over a
# WebSocket.
sub named {
    my ($name) = @_;
    return upstream {
        my ($r) = @_;
        if ($r->{headers}{upgrade}) {
            my $ws = Gateway::WebSocket->server($r);
            while ((my $m = $ws->message)->{type} eq 'text') { $ws->send(text => "$name: $m->{data}") }
            return;
        }
        $r->hold if $r->{path} =~ m{^/hold};
        return [200, {}, $name];
    };
}

my %up = map { $_ => named($_) } qw(v1 v1b v2 v3 none);
my $core = named('core');
my $gw = gateway(core => $core->url, console => $core->url, workers => 2, start => 0);
$gw->configure({
    trusted_proxies => ['127.0.0.1'],
    authentication => {issuers => [{issuer => Gateway::Token::ISSUER, algorithms => ['HS256'], secret_file => $gw->dir . '/secret', claims => {groups => 'groups'}}]},
});
$gw->start;

my @both = ({url => $up{v1}->url, version => 'v1'}, {url => $up{v2}->url, version => 'v2'});

# The extension's object with these rows; two endpoints, unless its spec says otherwise.
sub versions {
    my ($rows, %spec) = @_;
    return extension('devops', undef, endpoints => \@both, versions => $rows, %spec);
}

sub body { my @request = @_; return $gw->request(GET => '/extensions/devops/x', @request)->{body} }
sub from { return ('X-Forwarded-For' => $_[0]) }
sub address { my ($n) = @_; return join '.', 10, $n >> 16 & 255, $n >> 8 & 255, $n & 255 }
my @everyone = map { address($_) } 1 .. 300;
sub places { return map { $_ => body(from($_)) } @everyone }
sub count { my %n; $n{$_}++ for @_; return \%n }

# Within four standard deviations of what a fair draw has.
sub is_share {
    my ($got, $all, $percent, $what) = @_;
    my $p = $percent / 100;
    my $off = abs(($got // 0) - $all * $p);
    ok $off <= 4 * sqrt($all * $p * (1 - $p)) + 1e-9, "$what: $percent %" or diag(($got // 0) . " of $all");
    return;
}

# ---- What matches -------------------------------------------------------------------------------

sub bound { return binding(WorkspaceRole => "$_[0].$_[1]", "member.$_[1]", $_[0], $_[1]) }
$gw->apply([
    (map { role(WorkspaceRole => "member.$_", [{verbs => ['get'], apiGroups => ['x.io'], resources => ['things']}], $_) } qw(ws1 ws2)),
    bound('tom', 'ws1'), bound('ted', 'ws2'),
]);

my %asks = (nobody => [], alice => [$gw->as('alice')], bob => [$gw->as('bob')], tester => [$gw->as('tia', groups => ['testers', 'staff'])],
    tom => [$gw->as('tom')], ted => [$gw->as('ted')]);
my @matches = (
    # match; who gets it: [who, more headers]; and who does not
    [{header => {'X-Canary' => '1'}}, [[nobody => 'X-Canary' => '1'], [alice => 'x-canary' => '1'], [nobody => 'X-Canary' => ['0', '1']]],
        [['nobody'], [nobody => 'X-Canary' => '2'], [nobody => 'X-Canary' => '11'], [nobody => 'X-Canary' => '1, 2'], [nobody => 'X-Canary2' => '1']]],
    [{header => {'X-Canary' => ['1', 'yes']}}, [[nobody => 'X-Canary' => '1'], [nobody => 'X-Canary' => 'yes']], [[nobody => 'X-Canary' => 'Yes']]],
    [{header => {'X-Canary' => '1', 'X-Ring' => '2'}}, [[nobody => 'X-Canary' => '1', 'X-Ring' => '2']], [[nobody => 'X-Canary' => '1'], [nobody => 'X-Ring' => '2']]],
    [{cookie => {canary => '1'}}, [[nobody => Cookie => 'canary=1'], [nobody => Cookie => 'a=b; canary=1; c=d']],
        [['nobody'], [nobody => Cookie => 'canary=12'], [nobody => Cookie => 'xcanary=1'], [nobody => Cookie => 'a=canary=1'], [nobody => 'X-Cookie' => 'canary=1']]],
    [{user => 'alice'}, [['alice']], [['nobody'], ['bob'], [bob => 'X-Remote-User' => 'alice'], [nobody => 'X-Remote-User' => 'alice', 'X-Remote-Group' => 'testers'],
        [nobody => 'Impersonate-User' => 'alice'], [nobody => 'X-Ksgate-Assertion' => 'alice']]],
    [{user => ['alice', 'bob', 'system:anonymous']}, [['alice'], ['bob']], [['tom'], ['nobody']]],
    [{group => 'testers'}, [['tester']], [['alice'], ['nobody'], [alice => 'X-Remote-Group' => 'testers']]],
    [{group => 'system:unauthenticated'}, [['nobody']], [['alice']]],
    [{group => 'system:authenticated'}, [['alice'], ['tom']], [['nobody']]],
    [{workspace => 'ws1'}, [['tom']], [['ted'], ['alice'], ['nobody'], [ted => 'X-Remote-Extra-Workspace' => 'ws1', 'X-Workspace' => 'ws1'], [nobody => 'X-Remote-User' => 'tom']]],
    [{workspace => ['ws1', 'ws2']}, [['tom'], ['ted']], [['alice']]],
    [{user => 'alice', header => {'X-Canary' => '1'}}, [[alice => 'X-Canary' => '1']], [['alice'], [bob => 'X-Canary' => '1']]],
    [[{user => 'alice', header => {'X-Canary' => '1'}}, {group => 'testers'}], [[alice => 'X-Canary' => '1'], ['tester']], [['alice'], [bob => 'X-Canary' => '1']]],
);
for (@matches) {
    my ($match, $gets, $not) = @$_;
    $gw->apply([versions([{name => 'v2', match => $match}])]);
    my $name = JSON::PP->new->canonical->encode($match);
    my @wrong;
    for my $ask ((map { [v2 => @$_] } @$gets), (map { [v1 => @$_] } @$not)) {
        my ($expected, $who, @headers) = @$ask;
        my $got = body(@{$asks{$who}}, @headers);
        push @wrong, "$who @headers: $got" if $got ne $expected;
    }
    is "@wrong", '', "match $name";
}

$gw->apply([versions([{name => 'v3', match => {header => {'X-Canary' => '3'}}}, {name => 'v2', match => {user => 'alice'}}],
    endpoints => [@both, {url => $up{v3}->url, version => 'v3'}])]);
is body($gw->as('alice'), 'X-Canary' => 3), 'v3', 'the first row that matches';
is body($gw->as('alice')), 'v2', 'and the next one, when it does not';
is body(), 'v1', 'the rest has what is left';
$gw->apply([versions([{name => 'v2', match => {user => 'alice'}}], path => {allow => ['encodedSlash']}, access => 'authenticated')]);
is $gw->request(GET => '/extensions/devops/x')->{status}, 401, 'who may not come is refused as before';

# ---- Shares ------------------------------------------------------------------------------------

$gw->apply([versions([{name => 'v2', weight => 20}, {name => 'v3', weight => 10}], endpoints => [@both, {url => $up{v3}->url, version => 'v3'}])]);
my %got = map { $_ => body(from(address($_))) } 1 .. 2000;
my $n = count(values %got);
is_share($n->{v2}, 2000, 20, 'the first row by address');
is_share($n->{v3}, 2000, 10, 'the second');
is_share($n->{v1}, 2000, 70, 'the rest');
is_deeply count(map { body($gw->as("user-$_")) eq body($gw->as("user-$_"), from(address($_))) ? 'same' : 'other' } 1 .. 50), {same => 50},
    'a user has the same version everywhere';
$n = count(map { body($gw->as("user-$_")) } 1 .. 400);
is_share($n->{v2}, 400, 20, 'by user');

$gw->apply([versions([{name => 'v2', weight => 10}])]);
my %ten = places();
is_deeply {places()}, \%ten, 'the same caller, the same version';
my $c = $gw->connect; # of one worker, as opposed to the others: nothing hangs on that
is_deeply {map { my $a = $_; $a => $c->request(GET => '/extensions/devops/x', from($a))->{body} } @everyone}, \%ten, 'on one connection, too';
my $second = gateway(core => $core->url, console => $core->url, workers => 1, config => {trusted_proxies => ['127.0.0.1']}, objects => [versions([{name => 'v2', weight => 10}])]);
is_deeply {map { my $a = $_; $a => $second->request(GET => '/extensions/devops/x', from($a))->{body} } @everyone}, \%ten, 'at another gateway, too';
# Who waits for a turn at a version that is full gets it there, also when the version has lost its share meanwhile.
my %narrow = (limits => {connections => 1, pending => 5});
$second->apply([versions([{name => 'v2', weight => 100}], %narrow)]);
$up{v2}->forget;
my @queue = map { my $one = $second->connect; $one->send_request(GET => "/extensions/devops/hold-$_"); $up{v2}->wait_for(1); $one } 1 .. 2;
ok eventually { $second->admin(GET => '/-/metrics')->{body} =~ /^ksgate_backend_pending 1$/m } 'one waits';
$second->apply([versions([{name => 'v2', weight => 0}], %narrow)]);
is $second->request(GET => '/extensions/devops/x')->{body}, 'v1', 'what is new goes elsewhere';
$up{v2}->release;
$up{v2}->wait_for(2);
$up{v2}->release;
is join(' ', map { $_->response->{body} } @queue), 'v2 v2', 'who has waited is answered where it waited';
$second->stop;
$gw->apply([versions([{name => 'v2', weight => 20}])]);
my %twenty = places();
is_deeply [grep { $ten{$_} eq 'v2' && $twenty{$_} ne 'v2' } @everyone], [], 'who has the canary keeps it when its share grows';
cmp_ok scalar(grep { $ten{$_} ne $twenty{$_} } @everyone), '>', 5, 'and others come';
$gw->apply([versions([{name => 'v2', weight => 10}])]);
is_deeply {places()}, \%ten, 'back to 10 %: the same as before';
$gw->apply([versions([{name => 'v2', weight => 100}])]);
is_deeply count(map { body(from($_)) } @everyone), {v2 => 300}, '100 % are all';
$gw->apply([versions([{name => 'v2'}])]);
is_deeply count(map { body(from($_)) } @everyone), {v1 => 300}, '0 % are none';
$gw->apply([versions([{name => 'v1', weight => 10}, {name => 'v2', weight => 30}])]);
$n = count(map { body(from($_)) } @everyone);
is_share($n->{v1}, 300, 25, 'when there is no rest, those with a share have its part');
$gw->apply([versions([{name => 'v2'}], endpoints => [$both[1]])]);
my $r = $gw->request(GET => '/extensions/devops/x');
is $r->{status}, 503, 'what has no share gets nothing, even if nobody else is there';
like $r->{json}{message}, qr/no backend|endpoint/i, 'and it is said';

# Endpoints that register themselves name their version, too; one without is of the rest.
sub registered {
    my ($name, %spec) = @_;
    return {apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => "devops.$name"}, spec => {extension => 'devops', url => $up{$name}->url, leaseSeconds => 3600, %spec}};
}
$gw->apply([versions([{name => 'v2', match => {user => 'alice'}}], endpoints => [], loadBalancer => {policy => 'round_robin'}), registered('none'), registered('v1', version => 'v1'), registered('v2', version => 'v2')]);
is_deeply count(map { $c->request(GET => '/extensions/devops/x')->{body} } 1 .. 20), {none => 10, v1 => 10}, 'the rest is shared as always, whatever its versions';
is_deeply count(map { body($gw->as('alice')) } 1 .. 5), {v2 => 5}, 'an Endpoint says its version';
for my $name (qw(none v1 v2)) { $gw->admin(DELETE => "/-/apis/ksgate.io/v1/endpoints/devops.$name?wait=live") }
my @weighted = ({url => $up{v1}->url, version => 'v1', weight => 3}, {url => $up{v1b}->url, version => 'v1', weight => 1}, {url => $up{none}->url, version => 'v0', weight => 0});
$gw->apply([versions([{name => 'v1', weight => 50}], endpoints => [$both[1], @weighted], loadBalancer => {policy => 'round_robin'})]);
my ($of_v1) = grep { body(from($_)) =~ /^v1/ } @everyone;
is_deeply count(map { $c->request(GET => '/extensions/devops/x', from($of_v1))->{body} } 1 .. 8), {v1 => 6, v1b => 2}, 'within a version, endpoints share by their weights';

# ---- A version that dies -------------------------------------------------------------------------

$gw->apply([versions([{name => 'v2', weight => 50, match => {header => {'X-Canary' => '1'}}}])]);
my ($of_v2) = grep { body(from($_)) eq 'v2' } @everyone;
$up{v2}->stop;
my @status = map { my $a = $_; map { $gw->request($_ => '/extensions/devops/x', from($a))->{status} } qw(GET POST) } @everyone[0 .. 99];
is_deeply count(@status), {200 => 200}, 'a canary that dies costs nobody an answer, before anybody knows of it';
is $gw->request(GET => '/extensions/devops/dead', 'X-Canary' => '1')->{body}, 'v1', 'whoever asked for it gets the other one';
my ($line) = $gw->access_log(1, sub { $_->{path} eq '/extensions/devops/dead' });
is "$line->{version} $line->{version_by}", 'v1 fallback', 'the log says which, and that it is not the one that was chosen';
$up{v2}->start;
ok eventually { body(from($of_v2)) eq 'v2' } 'when it is back, it has its own again', 30;

# With a health check nobody even tries it.
my %checked = (healthCheck => {type => 'tcp', interval => '100ms', timeout => '1s', healthy => 1, unhealthy => 1});
$gw->apply([versions([{name => 'v2', weight => 50}], %checked)]);
$up{v2}->stop;
sub explained { return $gw->admin(GET => '/-/apis/ksgate.io/v1/explain?method=GET&path=/extensions/devops/x&as=' . $_[0])->{json} }
my ($user_v2) = grep { explained($_)->{version}{by} =~ /weight|fallback/ } map { "user-$_" } 1 .. 50;
ok eventually { explained($user_v2)->{version}{by} eq 'fallback' } 'its check notices';
my $e = explained($user_v2);
is $e->{version}{name}, 'v1', 'explain names the version';
like $e->{version}{why}, qr/^spec\.versions\[0\] has 50 % .*user's name; but version v2 has no endpoint that is up$/, 'and why';
is_deeply $e->{endpoints}, [$up{v1}->url], 'and its endpoints';
my $seen;
eventually { ($seen = $gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}[0]{versions})->[0]{live} == 0 } 'all know it'; # it may have failed before it was checked
is_deeply $seen, [{name => 'v2', share => 50, fallback => 'rest', endpoints => [$up{v2}->url], live => 0}, {rest => JSON::PP::true, share => 50, endpoints => [$up{v1}->url], live => 1}],
    'the list of extensions has the versions, too';

# Nowhere else, if that is what is wanted.
$gw->apply([versions([{name => 'v2', weight => 50, fallback => 'none'}], %checked)]);
is $gw->request(GET => '/extensions/devops/x', from($of_v2))->{status}, 502, 'fallback: none keeps it where it is';
$gw->apply([versions([{name => 'v2', weight => 50, fallback => 'none'}], endpoints => [$both[0]])]);
$r = $gw->request(GET => '/extensions/devops/x', from($of_v2));
is $r->{status}, 503, 'without an endpoint at all, too';
unlike $r->{body}, qr/v2/, 'whoever asks is not told of versions';
my ($refused) = $gw->access_log(1, sub { $_->{status} == 503 && ($_->{version} // '') eq 'v2' });
ok $refused, 'the log has the version';
$e = explained($user_v2);
is $e->{version}{name}, 'v2', 'so has explain';
like +JSON::PP->new->canonical->encode($e), qr/version v2 has none, and no other one takes over/, 'and it says why';
$gw->apply([versions([{name => 'v2', weight => 50}], endpoints => [$both[0]])]);
is body(from($of_v2)), 'v1', 'else the rest takes over';
$up{v2}->start;

# What dies of a request is tried again within the version first, and elsewhere only when that has no other.
my $dying = upstream { undef };
my @dies = ({url => $dying->url, version => 'v2'}, $both[0]);
$gw->apply([versions([{name => 'v2', weight => 100}], endpoints => \@dies, outlier => {consecutiveErrors => 0})]);
is $gw->request(GET => '/extensions/devops/x')->{body}, 'v1', 'a GET that a version loses is tried again at another, when it has no other endpoint';
is $gw->request(POST => '/extensions/devops/x', body => 'x')->{status}, 502, 'a POST is not';
$up{v1}->forget;
$gw->apply([versions([{name => 'v2', weight => 100}], endpoints => [@dies, $both[1]], outlier => {consecutiveErrors => 0})]);
is_deeply count(map { $gw->request(GET => '/extensions/devops/x')->{body} } 1 .. 20), {v2 => 20}, 'when it has another, the request stays';
is $up{v1}->seen, 0, 'and the others never hear of it';
$dying->stop;

# One that is full hands over what it has no room for; one that answers 503 is left alone, although it has no other endpoint.
$gw->apply([versions([{name => 'v2', match => {user => 'alice'}}], limits => {connections => 2, pending => 0})]); # one for each worker
$up{v2}->forget;
my $full = $gw->connect;
$full->send_request(GET => '/extensions/devops/hold', $gw->as('alice'));
$up{v2}->wait_for(1);
my @spilt = map { $gw->request(GET => '/extensions/devops/x', $gw->as('alice')) } 1 .. 20;
is_deeply count(map { $_->{status} } @spilt), {200 => 20}, 'a version that is full costs nobody an answer';
cmp_ok count(map { $_->{body} } @spilt)->{v1}, '>', 0, 'the rest has those for whom there is no room';
$up{v2}->release;
is $full->response->{body}, 'v2', 'and what it has, it answers';

my $ill = upstream { [503, {}, 'ill'] };
$gw->apply([versions([{name => 'v2', match => {user => 'alice'}}], endpoints => [$both[0], {url => $ill->url, version => 'v2'}], outlier => {consecutiveErrors => 3, ejectFor => '1h'})]);
ok eventually { join('', map { body($gw->as('alice')) } 1 .. 8) eq 'v1' x 8 } 'a version that is ill is left alone, and another takes over';
ok $ill->seen >= 3 && $ill->seen <= 6, 'after three failures in a worker' or diag $ill->seen;
$ill->stop;

# ---- Why -----------------------------------------------------------------------------------------

$gw->apply([versions([{name => 'v2', weight => 1, match => [{header => {'X-Canary' => '1'}, user => 'alice'}, {group => 'testers'}]}])]);
my $case = JSON::PP->new->canonical->encode({id => '1', method => 'GET', url => '/extensions/devops/x', user => {name => 'alice', groups => []}, headers => {'X-Canary' => '1'}});
my $batch = $gw->ksgate_here({in => "$case\n"}, 'explain', '--batch');
is_deeply JSON::PP::decode_json($batch->{out})->{version}, {name => 'v2', by => 'match', why => 'spec.versions[0] matches: header X-Canary, user'}, 'explain: by which row and match';
my $table = $gw->ksgate_here('explain', 'GET', '/extensions/devops/x', '--as', 'tia', '--group', 'testers');
like $table->{out}, qr/^version +v2 \(match\): spec\.versions\[0\] matches: group$/m, 'as a table';
$gw->request(GET => '/extensions/devops/matched', 'X-Canary' => '1', $gw->as('alice'));
($line) = $gw->access_log(1, sub { $_->{path} eq '/extensions/devops/matched' });
is "$line->{version} $line->{version_by}", 'v2 match', 'the log';
body();
my $metrics = $gw->admin(GET => '/-/metrics')->{body};
like $metrics, qr/^ksgate_requests_total\{route="extensions",code="2xx",extension="devops",version="v2"\} \d+$/m, 'the metrics by version';
like $metrics, qr/^ksgate_requests_total\{route="extensions",code="2xx",extension="devops",version="\(rest\)"\} \d+$/m, 'and of the rest';
my $bad = $gw->admin(PUT => path_of('devops'), versions([{name => 'v2', weight => 60}, {name => 'v3', weight => 50}]));
is $bad->{status}, 422, 'rows that can not be are refused';
like $bad->{body}, qr/spec\.versions\[1\]\.weight: with it the weights are 110/, 'with their place';

# ---- Blue and green ------------------------------------------------------------------------------

sub put { # answered when all workers have it
    my ($object) = @_;
    my $r = $gw->admin(PUT => path_of('devops', 'wait=live'), $object);
    $r->{status} == 200 or die "PUT: $r->{status} $r->{body}";
    return;
}
my @ways = (
    ['by weight', map { my $v = $_; versions([{name => 'v1', weight => $v eq 'v1' ? 100 : 0}, {name => 'v2', weight => $v eq 'v2' ? 100 : 0}]) } qw(v1 v2)],
    ['by one row', versions([{name => 'v2', weight => 0}]), versions([{name => 'v2', weight => 100}])],
);
for (@ways) {
    my ($name, @of) = @$_;
    put($of[0]);
    my $load = Gateway::Load->new($gw, paths => ['/extensions/devops/load'], connections => 4);
    my @late;
    for my $flip (1 .. 50) {
        my $to = $flip % 2;
        put($of[$to]);
        my @answers = map { body(from($everyone[$_ + $flip])) } 1 .. 4;
        push @late, grep { $_ ne (qw(v1 v2))[$to] } @answers;
        $load->wait_for(2);
    }
    my $end = $load->stop;
    is $end->{failed}, 0, "$name: 50 flips, and none of $end->{requests} requests failed" or diag explain $end->{words};
    is "@late", '', "$name: no request that began after the write went to the old version";
}

# What began before ends where it is; so do WebSockets, even when the old version goes.
put($ways[0][1]);
$_->forget for values %up;
my $held = $gw->connect;
$held->send_request(GET => '/extensions/devops/hold');
$up{v1}->wait_for(1);
my $ws = Gateway::WebSocket->client($gw, '/extensions/devops/ws');
put($ways[0][2]);
is body(), 'v2', 'the new version has what is new';
$ws->send(text => 'one');
is $ws->read->{data}, 'v1: one', 'a WebSocket stays where it is';
put(versions([], endpoints => [$both[1]])); # the old one has gone
$ws->send(text => 'two');
is $ws->read->{data}, 'v1: two', 'also when the old version is taken away';
is body(), 'v2', 'no rows: all endpoints share again';
$up{v1}->release;
is $held->response->{body}, 'v1', 'a request ends where it began';
my $new = Gateway::WebSocket->client($gw, '/extensions/devops/ws');
$new->send(text => 'three');
is $new->read->{data}, 'v2: three', 'a new WebSocket goes to the new version';
$ws->close;
$new->close;

# An Endpoint of the old version that is draining: the same, and it is not counted among those that are up.
$gw->apply([versions([{name => 'v2', match => {user => 'alice'}}], endpoints => [$both[0]]), registered('v2', version => 'v2')]);
$ws = Gateway::WebSocket->client($gw, '/extensions/devops/ws', $gw->as('alice'));
$up{v2}->forget;
$held = $gw->connect;
$held->send_request(GET => '/extensions/devops/hold', $gw->as('alice'));
$up{v2}->wait_for(1);
$gw->apply([registered('v2', version => 'v2', draining => JSON::PP::true)]);
is body($gw->as('alice')), 'v1', 'a version that drains gets nothing new: the rest takes over';
$ws->send(text => 'four');
is $ws->read->{data}, 'v2: four', 'its WebSockets live on';
$up{v2}->release;
is $held->response->{body}, 'v2', 'and what runs there ends there';
$ws->close;

# ---- Rows that are wrong in any way --------------------------------------------------------------

my @values = (undef, JSON::PP::true, 7, -1, 1e300, '', 'x', "x\n", 'x' x 70000, [], [[]], [undef], [{}], {}, {a => {}}, {a => []}, {a => [[]]}, {'' => 1}, ['x'], "\xf4\x8f\xbf\xbf");
my %answers;
for my $value (@values) {
    for my $rows (
        [$value], [$value, $value], [{name => 'a', weight => $value}], [{name => $value}], [{name => 'a', match => $value}], [{name => 'a', fallback => $value}],
        (map { my $kind = $_; [{name => 'a', match => {$kind => $value}}], [{name => 'a', match => [{$kind => $value}, {user => 'b'}]}] } qw(header cookie user group workspace)),
    ) {
        $answers{$gw->admin(PUT => path_of('fuzzed', 'dryRun=All'), extension('fuzzed', 'http://127.0.0.1:1', versions => $rows))->{status}}++;
    }
}
is join(' ', sort grep { !/^(20[01]|400|422)$/ } keys %answers), '', 'wrong rows are refused, and nothing breaks' or diag explain \%answers;

is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'the gateway had not to start again';
done_testing;
