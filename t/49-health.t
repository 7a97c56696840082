# Backends are asked whether they are well: once each, whoever uses them, and what comes out holds
# for all workers and extensions.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Names;
use Gateway::Objects;
use Gateway::Process qw(slow);

# A backend whose health is the word in a file: well, ill (500), mute. It says its name to all else.
my $mood = tempdir();
sub feel { my ($name, $word) = @_; spew("$mood/$name.new", $word); return rename "$mood/$name.new", "$mood/$name" }

# For as long as it is asked.
sub say_nothing { my ($r) = @_; 1 while $r->{client}->read_some; return }

sub backend {
    my ($name, %at) = @_;
    feel($name, 'well');
    return upstream {
        my ($r) = @_;
        $r->hold if $r->{path} eq '/hold';
        return [200, {}, $name] if $r->{path} !~ m{^/healthz};
        my $word = slurp("$mood/$name");
        return say_nothing($r) if $word eq 'mute';
        return [$word eq 'ill' ? 500 : 200, {}, ''];
    } %at;
}

my $port = free_port();
my %up = (map({ $_ => backend($_) } qw(a b c d)), n => backend('n', port => $port));
my $core = backend('core');
my $dns = Gateway::Names->new('named.test' => {A => ['127.0.0.1'], ttl => 3600});
my $gw = gateway(core => $core->url, console => $core->url, workers => 2, config => {dns => {servers => [$dns->at]}});
my $ms = 200 * slow();
my %check = (interval => "${ms}ms", timeout => '10s'); # who is busy is not ill
my %hasty = (%check, timeout => $ms . 'ms');

sub backends { return [map { {url => $up{$_}->url} } @_] }
sub checks { my ($name) = @_; return grep { $_->{path} =~ m{^/healthz} } $up{$name}->requests }
sub listed {
    my ($name) = @_;
    my ($item) = grep { $_->{name} eq $name } @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}};
    return {map { $_->{url} => $_ } @{$item->{endpoints}}};
}
sub state_of { my ($name, $extension) = @_; return listed($extension // 'pair')->{$up{$name}->url} // {} }
sub is_well { my $s = state_of(@_); return $s->{healthy} && $s->{reason} ne 'not checked yet' }
sub is_down { my $s = state_of(@_); return exists $s->{healthy} && !$s->{healthy} }
sub metrics { return $gw->admin(GET => '/-/metrics')->{body} }
sub metric { my ($name) = @_; my ($n) = metrics() =~ /^\Q$name\E (\d+)$/m or die "no $name"; return $n }

# Each on a new connection, so that both workers get their share.
sub answers { my ($extension, $n) = @_; return map { my $r = $gw->request(GET => "/extensions/$extension/x"); $r->{status} == 200 ? $r->{body} : $r->{status} } 1 .. $n }
sub only { my ($extension, $name) = @_; my %seen = map { $_ => 1 } answers($extension, 24); return join(' ', sort keys %seen) eq $name }

# ---- Nobody is asked who need not be ------------------------------------------------------------

$gw->apply([extension('plain', $up{a}->url)]);
is metric('ksgate_endpoints_checked'), 0, 'without healthCheck nothing is checked';
ok !exists state_of('a', 'plain')->{healthy}, 'and nothing said about it';

# ---- Two backends, one of which falls ill -------------------------------------------------------

$gw->apply([extension('pair', undef, endpoints => backends(qw(a b)), healthCheck => \%check)]);
ok eventually { is_well('a') && is_well('b') } 'both are well';
is state_of('a')->{reason}, 'GET /healthz: 200', 'and why';
my ($asked) = checks('a');
is $asked->{method}, 'GET', 'they were asked';
like $asked->{headers}{host}, qr/^127\.0\.0\.1:\d+$/, 'by their own name';
ok !only('pair', 'a'), 'both get requests';

feel('a', 'ill');
ok eventually { is_down('a') } 'one answers 500: it is down';
is state_of('a')->{reason}, 'GET /healthz: 500', 'which is the reason';
ok !state_of('a')->{live}, 'it is not live';
ok only('pair', 'b'), 'and gets no requests, of no worker';
like metrics(), qr/^ksgate_endpoint_healthy\{url="\Q@{[$up{a}->url]}\E"\} 0$/m, 'the metrics say so';
is metric('ksgate_endpoints_unhealthy'), 1, 'and how many there are';
cmp_ok metric('ksgate_health_checks_total{result="bad"}'), '>=', 3, 'and of how many bad answers';
my $explained = $gw->admin(GET => '/-/apis/ksgate.io/v1/explain?method=GET&path=/extensions/pair/x&as=alice')->{json};
is_deeply [map { [@$_{qw(endpoint reason)}] } @{$explained->{unhealthy}}], [[$up{a}->url, 'GET /healthz: 500']], 'explain says it, too';
like $gw->ksgate_here(qw(explain GET /extensions/pair/x))->{out}, qr/unhealthy\s+\Q@{[$up{a}->url]}\E: GET .healthz: 500/, 'in words as well';
is scalar(() = $gw->stderr =~ /backend \Q@{[$up{a}->url]}\E is unhealthy: GET .healthz: 500/g), 1, 'the log has it once';

my $before = $up{a}->seen;
feel('a', 'well');
ok eventually { is_well('a') } 'it is well again';
ok eventually { my %seen = map { $_ => 1 } answers('pair', 10); $seen{a} } 'and gets requests';
is scalar(() = $gw->stderr =~ /backend \Q@{[$up{a}->url]}\E is healthy/g), 1, 'the log has that once, too';
is scalar(() = $gw->stderr =~ /backend \Q@{[$up{b}->url]}\E is/g), 0, 'and nothing of the other one';

# Other ways to be ill. Only then is there little time for an answer. What was begun on a connection that hangs is not what is tested here.
for my $case (
    ['answers nothing', sub { feel('a', 'mute') }, sub { feel('a', 'well') }, qr{^GET /healthz: no answer within $ms ms$}],
    ['is frozen', sub { $up{a}->freeze }, sub { $up{a}->thaw }, qr{no answer within}],
    ['is dead', sub { $up{a}->stop }, sub { $up{a}->start }, qr{Connection refused}],
) {
    my ($what, $fall, $rise, $reason) = @$case;
    $gw->apply([extension('pair', undef, endpoints => backends(qw(a b)), healthCheck => \%hasty)]);
    $fall->();
    ok eventually { is_down('a') } "$what: it is down";
    like state_of('a')->{reason}, $reason, 'and why';
    ok only('pair', 'b'), 'the other one serves all';
    $rise->();
    $gw->apply([extension('pair', undef, endpoints => backends(qw(a b)), healthCheck => \%check)]);
    ok eventually { is_well('a') && is_well('b') } 'and back again';
}

# Both down: whoever may be wrong, the requests are not thrown away.
feel($_, 'ill') for qw(a b);
ok eventually { is_down('a') && is_down('b') } 'both are down';
my %seen = map { $_ => 1 } answers('pair', 20);
is join(' ', sort keys %seen), 'a b', 'then both are tried all the same';
feel($_, 'well') for qw(a b);
ok eventually { is_well('a') && is_well('b') } 'both are up';

# ---- One backend, many who use it ---------------------------------------------------------------

my $start = time;
my $count = checks('b');
$gw->apply([
    extension('two', undef, endpoints => backends(qw(b c)), healthCheck => \%check),
    extension('three', undef, endpoints => backends(qw(b)), healthCheck => {%check, type => 'http'}),
]);
ok is_well('b', 'two'), 'a backend that is known is known at once to an extension that comes later';
my $steps = checks('b');
ok eventually { checks('b') >= $steps + 8 } 'it is checked on and on';
cmp_ok checks('b') - $count, '<=', (time - $start) * 1000 / $ms + 2, 'but once, for two workers and three extensions';

# Changes of routes don't touch it.
feel('b', 'ill');
ok eventually { is_down('b') } 'it falls ill';
for my $n (1 .. 20) {
    $gw->apply([extension('two', undef, endpoints => backends(qw(b c)), healthCheck => \%check, retry => {attempts => $n % 2})]);
    $gw->apply([extension("other-$n", undef, endpoints => backends(qw(b c)), healthCheck => \%check)]);
    my $s = state_of('b', "other-$n");
    is $s->{reason}, 'GET /healthz: 500', "change $n: still known to be ill" if $s->{healthy} // 1;
}
ok only('other-7', 'c'), 'an extension that has just come knows who is ill';
$gw->ksgate_here('delete', 'extensionservice', "other-$_") for 1 .. 20;
$gw->configure({dns => {servers => [$dns->at]}, limits => {pool => 7}});
$gw->reload;
ok eventually { $gw->stderr =~ /was reloaded/ } 'a reload';
ok is_down('b'), 'does not touch it';
$gw->apply([extension('two', undef, endpoints => backends(qw(b c)), healthCheck => {%check, unhealthy => 4})]);
ok is_down('b', 'two'), 'nor does another way of checking it';
ok only('two', 'c'), 'nor who gets requests';
is scalar(() = $gw->stderr =~ /backend \Q@{[$up{b}->url]}\E is unhealthy/g), 2, 'and the log has each fall once';
feel('b', 'well');
ok eventually { is_well('b', 'two') } 'it is well again';

# The last user leaves, whatever still runs there.
my $running = $gw->connect;
$running->send_request(GET => '/extensions/three/hold');
ok eventually { grep { $_->{path} eq '/hold' } $up{b}->requests } 'a request that takes long';
$gw->ksgate_here('delete', 'extensionservice', $_) for qw(two three);
ok eventually { metric('ksgate_endpoints_checked') == 2 } 'who is used by nobody is not checked any more';
$gw->apply([extension('pair', undef, enabled => JSON::PP::false, endpoints => backends(qw(a b)), healthCheck => \%check)]);
ok eventually { metric('ksgate_endpoints_checked') == 0 } 'nor is one whose extension is switched off';
$count = checks('a');
select undef, undef, undef, 3 * $ms / 1000; # the passing of time is what is tested
cmp_ok checks('a') - $count, '<=', 1, 'really not';
$up{b}->release;
is $running->response->{body}, 'b', 'what ran is answered';

# ---- Those that come later ----------------------------------------------------------------------

feel('c', 'ill');
$gw->apply([extension('pods', undef, endpoints => backends('a'), healthCheck => {%check, interval => '1h', timeout => '10s'})]);
ok eventually { is_well('a', 'pods') } 'a fresh one is asked at once, however long the interval is';
sub register { my ($name) = @_; return $gw->admin(PUT => "/-/apis/ksgate.io/v1/extensionservices/pods/endpoints/$name", {url => $up{$name}->url, leaseSeconds => 60}) }
register('c');
ok eventually { is_down('c', 'pods') } 'and one that begins with a bad answer is not believed in';
ok only('pods', 'a'), 'it gets no requests';
my $endpoint = $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints/pods.c')->{json};
is_deeply [@{$endpoint->{status}}{qw(healthy reason)}], [JSON::PP::false, 'GET /healthz: 500'], 'its object says so';
my ($in_list) = @{$gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}};
is_deeply $in_list->{status}, $endpoint->{status}, 'also in a list';
like $gw->ksgate_here(qw(get endpoints))->{out}, qr/HEALTH.*\n.*\bdown: GET .healthz: 500/, 'as does ksgate get';
$gw->apply([extension('pods', undef, endpoints => backends('a'), healthCheck => \%check)]);
feel('c', 'well');
ok eventually { is_well('c', 'pods') } 'until it gives a good one';

# ---- Other ways to ask --------------------------------------------------------------------------

$gw->apply([
    extension('tcp', $up{b}->url, healthCheck => {%check, type => 'tcp'}),
    extension('path', $up{c}->url, healthCheck => {%check, path => '/healthz?full=1', host => 'c.example', status => 500}),
    extension('named', "http://named.test:$port", healthCheck => \%check),
]);
ok eventually { is_well('b', 'tcp') } 'tcp';
is state_of('b', 'tcp')->{reason}, 'connected', 'a connection is enough';
ok eventually { grep { $_->{target} eq '/healthz?full=1' && $_->{headers}{host} eq 'c.example' } $up{c}->requests } 'another path and host';
ok eventually { is_down('c', 'path') } 'and another status';
ok eventually { (listed('named')->{"http://named.test:$port"}{reason} // '') eq 'GET /healthz: 200' } 'a backend by name';

# ---- Many that hang -----------------------------------------------------------------------------

# So few files that four checks run at a time, and six backends each of which takes all the time it may.
my $mute = upstream { say_nothing(@_) } address => '0.0.0.0';
my $small = gateway(core => $core->url, workers => 1, files => 160);
my @hanging = map { {url => "http://127.0.0.$_:" . $mute->port} } 2 .. 7;
$small->apply([extension('hanging', undef, endpoints => \@hanging, healthCheck => {interval => '100ms', timeout => slow() . 's'})]);
ok eventually { $small->admin(GET => '/-/metrics')->{body} =~ /^ksgate_endpoints_unhealthy 6$/m } 'many backends hang';
$small->apply([extension('quick', $up{d}->url, healthCheck => {interval => '100ms', timeout => '10s'})]);
$start = time;
ok eventually { checks('d') >= 12 } 'another one';
cmp_ok time - $start, '<', 8 * slow(), 'is asked as often as it shall be'; # and not once in the time that each of those takes

# ---- The core -----------------------------------------------------------------------------------

my %core = (type => 'http', %check);
$gw->configure({dns => {servers => [$dns->at]}, core => {health_check => \%core}});
$gw->reload;
my $core_line = 'ksgate_endpoint_healthy{url="' . $core->url . '"}';
ok eventually { metrics() =~ /^\Q$core_line\E 1$/m } 'the core is checked when the configuration says so';
feel('core', 'ill');
ok eventually { metric($core_line) == 0 } 'and may be ill';
is $gw->request(GET => '/x')->{body}, 'core', 'there is no other, so it is asked all the same';
$gw->configure({dns => {servers => [$dns->at]}});
$gw->reload;
ok eventually { metrics() !~ /^\Q$core_line\E/m } 'until it does not any more';

for my $case (
    [{type => 'udp'}, qr/core\.health_check\.type/],
    [{type => 'http', path => 'healthz'}, qr/core\.health_check\.path: expected a path such as/],
    [{type => 'http', status => '2xx'}, qr/core\.health_check\.status: expected a status/],
) {
    my ($settings, $message) = @$case;
    my $wrong = gateway(start => 0, core => $core->url, config => {core => {health_check => $settings}});
    my $said = $wrong->ksgate_here('check');
    isnt $said->{code}, 0, "refused: $message";
    like $said->{out} . $said->{err}, $message, 'and why';
}

is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'the gateway did not have to start again';

done_testing;
