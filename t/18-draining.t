# A backend that is taken away: its idle connections end at once, what runs there ends there, and
# nothing new begins.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

# Answers with its name; holds what is sent to /hold...; echoes after an upgrade.
sub named {
    my ($name, @headers) = @_;
    return upstream {
        my ($r) = @_;
        my $c = $r->{client};
        if ($r->{headers}{upgrade}) {
            $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
            do { $r->write($c->take(length $c->{in})) if length $c->{in} } while $c->read_some;
            return;
        }
        $r->hold if $r->{path} =~ m{^/hold};
        return [200, {@headers}, $name];
    };
}

my $old = named('old');
my $new = named('new', Connection => 'close'); # so that all that is kept is the old one's
my $gw = gateway(core => $new->url, console => $new->url, workers => 1);

sub metric {
    my ($name) = @_;
    my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m or die "no $name";
    return $n;
}

sub are_open {
    my ($open, $idle, $what) = @_;
    ok eventually { metric('ksgate_backend_connections') == $open && metric('ksgate_backend_connections_idle') == $idle }, $what;
    return;
}

sub ask {
    my ($target, %option) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => $target, %option);
    return $c;
}

sub registered {
    my ($up, %spec) = @_;
    return {
        apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'pods.one'},
        spec => {extension => 'pods', url => $up->url, leaseSeconds => 3600, %spec},
    };
}

sub console_is {
    my ($up) = @_;
    $gw->configure({core => {console => $up->url}});
    return $gw->reload;
}

sub removed {
    my ($path) = @_;
    my $r = $gw->admin(DELETE => $path);
    die "DELETE $path: $r->{status} $r->{body}" if $r->{status} != 200;
    return;
}

# ---- However it is taken away -------------------------------------------------------------------

my $pods = extension('pods', undef);
my @ways = (
    # what it is, its objects (or how it comes), where it is asked, how it goes, what is answered then
    ['another stands in spec.endpoints', [extension('one', $old->url)], '/extensions/one',
        sub { $gw->apply([extension('one', $new->url)]) }, '200 new'],
    ['its weight becomes 0', [extension('one', $old->url)], '/extensions/one',
        sub { $gw->apply([extension('one', undef, endpoints => [{url => $old->url, weight => 0}, {url => $new->url}])]) }, '200 new'],
    ['spec.enabled: false', [extension('one', $old->url)], '/extensions/one',
        sub { $gw->apply([extension('one', $old->url, enabled => JSON::PP::false)]) }, '503'],
    ['the extension is deleted', [extension('one', $old->url)], '/extensions/one', sub { removed(path_of('one')) }, '404'],
    ['it is draining', [$pods, registered($old)], '/extensions/pods', sub { $gw->apply([registered($old, draining => JSON::PP::true)]) }, '503'],
    ['it deregisters', [$pods, registered($old)], '/extensions/pods', sub { removed(path_of('pods') . '/endpoints/one') }, '503'],
    ['it comes back elsewhere', [$pods, registered($old)], '/extensions/pods', sub { $gw->apply([registered($new)]) }, '200 new'],
    ['core.console is another', sub { console_is($old); eventually { $gw->request(GET => '/')->{body} eq 'old' } 'the reload' }, '', sub { console_is($new) }, '200 new'],
);

for my $way (@ways) {
    my ($name, $objects, $at, $take_away, $then) = @$way;
    ref $objects eq 'CODE' ? $objects->() : $gw->apply($objects);
    $old->forget;
    my @four = map { ask("$at/hold") } 1 .. 4;
    $old->wait_for(4);
    $old->release(4);
    is join(' ', map { $_->response->{body} } @four), 'old old old old', "$name: four have used it";
    my $running = ask("$at/hold");
    $old->wait_for(5);
    my $tunnel = ask("$at/x", Connection => 'Upgrade', Upgrade => 'echo');
    is $tunnel->head->{status}, 101, 'and one has a tunnel';
    are_open(4, 2, 'two are busy, two idle');

    $take_away->();
    are_open(2, 0, 'the idle ones end at once, the busy ones do not');
    my $r = $gw->request(GET => "$at/x");
    like "$r->{status} $r->{body}", qr/^$then/, "what comes now does not go there: $then";
    $old->release;
    is $running->response->{body}, 'old', 'what runs there ends there';
    are_open(1, 0, 'and its connection with it');
    $tunnel->write('still there?');
    is $tunnel->read_bytes(12), 'still there?', 'the tunnel lives on';
    is $old->seen, 6, 'nothing new came';
    $tunnel->close;
    are_open(0, 0, 'then nothing is left');
}

# ---- Who shares it -------------------------------------------------------------------------------

$gw->apply([map { extension($_, $old->url) } qw(one two)]);
is $gw->request(GET => "/extensions/$_/x")->{body}, 'old', "$_ has it" for qw(one two);
are_open(1, 1, 'two extensions share a backend and its connections');
removed(path_of('one'));
is $gw->request(GET => '/extensions/two/x')->{body}, 'old', 'one goes';
are_open(1, 1, 'and the other keeps the connection');
$gw->apply([extension('two', $old->url, path => {prepend => '/base'})]);
is $gw->request(GET => '/extensions/two/x')->{body}, 'old', 'it changes otherwise';
are_open(1, 1, 'and keeps it, too');
removed(path_of('two'));
are_open(0, 0, 'until it goes');

# ---- Who came before ------------------------------------------------------------------------------

$old->forget;
$gw->apply([extension('full', $old->url, limits => {connections => 1}, timeouts => {pending => '60s'})]);
my $running = ask('/extensions/full/hold');
$old->wait_for(1);
my $waiting = ask('/extensions/full/x');
eventually { metric('ksgate_backend_pending') == 1 } 'one waits';
removed(path_of('full'));
$old->release;
is $_->response->{body}, 'old', 'who waits there gets his turn' for $running, $waiting;
are_open(0, 0, 'and was the last');

# A request that is tried again knows of more backends than there still are.
my %up = map { $_ => named($_) } qw(a b c);
sub keyed {
    my ($name, @names) = @_;
    return extension($name, undef, endpoints => [map { {url => $up{$_}->url} } @names], loadBalancer => {policy => 'hash', hash => {header => 'X-Key'}});
}
sub place { return $gw->request(GET => "/extensions/$_[0]/x", 'X-Key' => $_[1])->{body} }
$gw->apply([keyed('three', qw(a b c)), keyed('rest', qw(b c))]);
my ($key) = grep { place('three', $_) eq 'a' && place('rest', $_) eq 'b' } 1 .. 200;
$up{a}->forget;
$running = ask('/extensions/three/hold', 'X-Key' => $key);
$up{a}->wait_for(1);
$gw->apply([keyed('three', qw(a c)), keyed('rest', 'c')]);
$up{$_}->forget for qw(b c);
$up{a}->stop;
$up{$_}->release for qw(b c);
is $running->response->{body}, 'c', 'what is tried again goes where it may';
is $up{b}->seen, 0, 'and not to one that was taken away meanwhile';

is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'the gateway never had to start again';

done_testing;
