# Backends by name: every address is used, a change is followed, and a name server in trouble
# troubles nobody.
use strict;
use warnings;
use Test::More;
use Socket qw(AF_INET SOCK_STREAM pack_sockaddr_in inet_aton);
use lib 't/lib';
use Gateway;
use Gateway::Names;
use Gateway::Objects;

# Three backends at one port: says which it is; holds what is sent to /hold.
sub named {
    my ($name, %at) = @_;
    return upstream {
        my ($r) = @_;
        $r->hold if $r->{path} =~ m{/hold$};
        return [200, {$r->{path} =~ m{/last$} ? (Connection => 'close') : ()}, $name];
    } %at;
}

my $port = free_port();
my %up = (
    a => named('a', port => $port),
    b => named('b', port => $port, address => '127.0.0.2'),
    c => named('c', port => $port, address => '::1'),
);
my $core = named('core');
my $dns = Gateway::Names->new(
    'all.test' => {A => ['127.0.0.1', '127.0.0.2'], AAAA => ['::1'], ttl => 3600},
    'moving.test' => {A => ['127.0.0.1'], ttl => 0},
    'short.test' => {A => ['127.0.0.1'], ttl => 0},
    'long.test' => {A => ['127.0.0.1'], ttl => 86_400},
    'alias.test' => {A => ['127.0.0.1'], alias => 'target.test', ttl => 86_400, alias_ttl => 0},
    'half-dead.test' => {A => ['127.0.0.3', '127.0.0.1', '127.0.0.4'], ttl => 3600},
    (map { ("half-mute-$_.test" => {A => ['127.0.0.1'], AAAA_mute => 1}, "half-broken-$_.test" => {A => ['127.0.0.1'], AAAA_error => 'SERVFAIL'}) } 1 .. 3),
    'large.test' => {A => ['127.0.0.1'], truncated => 1},
    'mute.test' => {mute => 1},
    'broken.test' => {error => 'SERVFAIL'},
    'empty.test' => {},
);

sub world {
    my (%dns) = @_;
    return gateway(core => $core->url, console => $core->url, workers => 1,
        config => {dns => {servers => [$dns->at], %dns}, timeouts => {connect => '2s'}});
}

sub backend { return extension($_[0], "http://$_[0].test:$port") }

my $gw = world(min_ttl => '1s', max_ttl => '1s');   # all is asked for again, soon
my $slow = world(min_ttl => '1h', max_ttl => '1h'); # nothing is
$gw->apply([map { backend($_) } qw(moving long half-dead mute broken)]);
$slow->apply([map { backend($_) } qw(all short alias half-dead large empty mute)]);
$slow->apply([map { my $n = $_; map { backend("$_-$n") } qw(half-mute half-broken) } 1 .. 3]);
$slow->apply([extension('nobody', "http://nobody.test:$port")]);

sub ask { my ($g, $name, $path) = @_; return $g->request(GET => "/extensions/$name/" . ($path // 'x')) }
sub body { return ask(@_)->{body} }

sub metric {
    my ($name) = @_;
    my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name";
    return $n;
}

# ---- All of them, of both families -------------------------------------------------------------

my %seen;
$seen{body($slow, 'all', 'last')}++ for 1 .. 9;
is_deeply \%seen, {a => 3, b => 3, c => 3}, 'new connections go to each address in turn, of both families';
is $dns->asked('all.test'), 2, 'asked once, for each family';
is body($slow, 'short'), 'a', 'an answer that may not be kept...' for 1 .. 3;
is body($slow, 'alias'), 'a', 'an alias that may not be kept...' for 1 .. 3;
is $dns->asked($_), 2, '... is kept for as long as dns.min_ttl says' for qw(short.test alias.test);
is body($slow, 'large'), 'a', 'an answer too large for a packet comes by TCP';

is $up{a}->seen, 3 + 3 + 3 + 1, 'a was asked as often as it seems';
is body($slow, 'half-dead', 'last'), 'a', 'two of three addresses refuse: nobody is told' for 1 .. 6;
my $empty = ask($slow, 'empty');
is $empty->{status}, 502, 'a name without an address';
like $empty->{json}{message}, qr/no address/, 'is called so';
like ask($slow, 'nobody')->{json}{message}, qr/no address/, 'as is one that nobody has';

# How long those requests that were in the middle waited for a connection, in ms: one may meet a busy machine.
sub waited {
    my ($g, $n, $pattern) = @_;
    my @lines = $g->access_log($n, sub { my $at = $_->{path} . (defined $_->{query} ? "?$_->{query}" : ''); $at =~ $pattern });
    my @ms = sort { $a <=> $b } map { $_->{connected_ms} // 0 } @lines; # or it was there
    return $ms[$n / 2];
}

is body($slow, "half-mute-$_"), 'a', 'one family is never answered for: the other does' for 1 .. 3;
is body($slow, "half-broken-$_"), 'a', 'so it does when the server fails for one' for 1 .. 3;
cmp_ok waited($slow, 3, qr{/half-$_-}), '<', 1000, "and $_ is not waited for" for qw(mute broken);

# An address that keeps silent: its queue of connections is full.
socket my $silent, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
bind $silent, pack_sockaddr_in($port, inet_aton('127.0.0.5')) or die "bind: $!";
listen $silent, 0 or die "listen: $!";
my @full = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.5', PeerPort => $port, Blocking => 0)
} 1 .. 4;
$dns->set('silent.test' => {A => ['127.0.0.5', '127.0.0.1'], AAAA => [], ttl => 3600});
$slow->apply([backend('silent')]);
is body($slow, 'silent', 'last'), 'a', 'one address keeps silent, the other gets its chance' for 1 .. 12;
cmp_ok waited($slow, 12, qr{/silent/}), '<', 200, 'and after that it comes first'; # after 250 it gets its chance

# ---- A change ----------------------------------------------------------------------------------

is body($gw, 'moving'), 'a', 'a name has one address';
my $running = $gw->connect;
$running->send_request(GET => '/extensions/moving/hold');
eventually { (grep { $_->{path} eq '/hold' } $up{a}->requests) } 'one is held';
my $tries = $dns->asked('long.test');
is body($gw, 'long'), 'a', 'another has an answer for a day';
ok eventually { $dns->asked('long.test') >= $tries + 4 }, 'dns.max_ttl: which is not believed that long';
$dns->set('moving.test' => {AAAA => ['::1'], ttl => 0});
ok eventually { body($gw, 'moving') eq 'c' }, 'it moves, to another family even, and is followed';
is body($gw, 'moving'), 'c', 'for good' for 1 .. 5;
$up{a}->release;
is $running->response->{body}, 'a', 'what ran at the old address ends there';
$dns->set('moving.test' => {A => ['127.0.0.1', '127.0.0.2'], AAAA => ['::1'], ttl => 0});
%seen = ();
ok eventually { $seen{body($gw, 'moving', 'last')} = 1; keys %seen == 3 }, 'more addresses: all are used';

# ---- A name server in trouble ------------------------------------------------------------------

$dns->set('moving.test' => {A => ['127.0.0.2'], ttl => 0});
ok eventually { body($gw, 'moving') eq 'b' }, 'a name has one address again';
my $failures = metric('ksgate_dns_failures_total');
$dns->set('moving.test' => {error => 'SERVFAIL'});
ok eventually { $gw->stderr =~ m{warn .*http://moving\.test:\d+: its name can't be looked up: .* known address$}m }, 'the server fails: the log says so';
ok eventually { metric('ksgate_dns_failures_total') >= $failures + 2 }, 'the metrics count';
is body($gw, 'moving', 'last'), 'b', 'what was known is used' for 1 .. 5;
is scalar(() = $gw->stderr =~ /moving\.test:\d+: its name can't/g), 1, 'it is said once';
$dns->set('moving.test' => {A => ['127.0.0.1'], ttl => 0});
ok eventually { body($gw, 'moving') eq 'a' }, 'it answers again, and is believed';
like $gw->stderr, qr/moving\.test:\d+: its name is found again/, 'the log says that, too';

$dns->set('moving.test' => {error => 'NXDOMAIN'});
ok eventually { ask($gw, 'moving')->{status} == 502 }, 'a name that is taken away has no backend';
$dns->set('moving.test' => {A => ['127.0.0.1'], ttl => 0});
ok eventually { ask($gw, 'moving')->{status} == 200 }, 'until it is given back';

my $r = ask($gw, 'broken');
is $r->{status}, 502, 'a name that was never found';
like $r->{json}{message}, qr/DNS server/i, 'says why';
my $waiting = $gw->connect;
$waiting->send_request(GET => '/extensions/mute/x');
ok eventually { $dns->asked('mute.test') >= 2 }, 'one waits for a server that keeps silent';
is body($gw, 'long'), 'a', 'others do not';
is $gw->request(GET => '/')->{body}, 'core', 'nor does the core';
is $waiting->response->{status}, 502, 'who waits is told in the end';

$dns->stop;
is body($gw, 'moving', 'last?gone'), 'a', 'the name server is gone: what was known is used' for 1 .. 5;
cmp_ok waited($gw, 5, qr{/moving/last\?gone}), '<', 500, 'and nobody waits';
like body($slow, 'all', 'last'), qr/^[abc]$/, 'what still holds need not be asked for';
$dns->start;

# ---- The settings ------------------------------------------------------------------------------

my $other = Gateway::Names->new('moving.test' => {A => ['127.0.0.2'], ttl => 0});
$gw->configure({dns => {servers => [$other->at], min_ttl => '1s', max_ttl => '1s'}});
$gw->reload;
ok eventually { body($gw, 'moving') eq 'b' }, 'other servers, by a reload';

for my $case (
    [{servers => ['name.test']}, qr/dns\.servers\[0\]: expected an IP address/],
    [{servers => ['10.0.0.1', '10.0.0.1:dns']}, qr/dns\.servers\[1\]: expected an IP address/],
    [{min_ttl => '2m', max_ttl => '1m'}, qr/dns\.min_ttl: longer than dns\.max_ttl/],
    [{min_ttl => '0s'}, qr/dns\.min_ttl/],
) {
    my ($settings, $message) = @$case;
    my $wrong = gateway(start => 0, core => $core->url, config => {dns => $settings});
    my $said = $wrong->ksgate_here('check');
    isnt $said->{code}, 0, "refused: $message";
    like $said->{out} . $said->{err}, $message, 'and why';
}

is scalar(() = $_->stderr =~ /starting it again/g), 0, 'no gateway had to start again' for $gw, $slow;

done_testing;
