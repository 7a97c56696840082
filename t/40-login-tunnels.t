# What is open when its user logs out: what belongs to that session is closed, in all workers, also what only becomes a tunnel then; and nothing else.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Login qw(metric);
use Gateway::Objects;
use Gateway::Oidc;
use Gateway::WebSocket;

my $core = upstream { [200, {}, 'core'] };
my $ext = upstream {
    my ($r) = @_;
    if (($r->{headers}{upgrade} // '') =~ /^SPDY/) {
        $r->hold if $r->{path} =~ /late/;
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
        $r->write($r->{client}->take(length $r->{client}{in})) while $r->{client}->read_some;
        return;
    }
    if ($r->{headers}{upgrade}) {
        my $ws = Gateway::WebSocket->server($r);
        while (1) {
            my $got = $ws->read;
            return if $got->{type} eq 'end';
            $ws->send($got->{type} => $got->{data});
            return if $got->{type} eq 'close';
        }
    }
    if ($r->{path} =~ /stream/) {
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin");
        $r->hold;
        1 while $r->{client}->read_some;
        return;
    }
    return [200, {}, 'page'];
};
my $gw = gateway(core => $core->url, start => 0, workers => 3);
my $idp = Gateway::Oidc->new(clients => [Gateway::Login::client($gw)]);
my $world = Gateway::Login->new($idp, members => $ext->url, open => $ext->url);
my $watcher = [{apiGroups => ['ksgate.io'], resources => ['extensionservices'], verbs => ['watch', 'list']}];
$world->begin($gw, login => {refresh_at => '0%'}, more => {timeouts => {revoked => '2s'}},
    objects => [role(GlobalRole => 'watcher', $watcher), map { binding(GlobalRole => "watcher-$_", 'watcher', $_) } qw(alice bob)]);
my $url = $gw->url;

sub site { my ($b) = @_; return ($b->header($url), Origin => $url, 'Sec-Fetch-Site' => 'same-origin') }
sub websocket { my ($b, $name) = @_; return Gateway::WebSocket->client($gw, "/extensions/members/$name", site($b)) }
sub spdy {
    my ($b, $name) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => "/extensions/members/$name", Connection => 'Upgrade', Upgrade => 'SPDY/3.1', site($b));
    return $c;
}
sub exec_of { my ($b, $name) = @_; my $c = spdy($b, $name); $c->head->{status} == 101 or die; return $c }
sub reading {
    my ($b, $path, $until) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => $path, site($b));
    $c->read_until($until);
    return $c;
}
sub is_open { my ($ws) = @_; $ws->send(text => 'still here'); my $got = $ws->read; return $got->{type} eq 'text' && $got->{data} eq 'still here' }
sub logged { my ($name) = @_; return ($gw->access_log(1, sub { $_->{path} eq "/extensions/members/$name" }))[0] }
sub log_out {
    my ($b) = @_;
    my $r = $b->request(POST => "$url/-/logout", 'Sec-Fetch-Site' => 'same-origin', Accept => 'application/json', 'Content-Type' => 'application/json', body => '{}');
    is $r->{status}, 200, 'a logout' or diag $r->{body};
    return;
}

my ($alice, $elsewhere, $bob) = map { $world->logged_in($gw, $_) } qw(alice alice bob);
my $before = $alice->copy;
$alice->request(GET => "$url/extensions/members/x", 'Sec-Fetch-Site' => 'same-origin') for 1 .. 3; # refreshed meanwhile: another cookie
$alice->request(GET => "$url/version", 'Sec-Fetch-Site' => 'same-origin');
my $token = $core->last->{headers}{authorization};

my @hers = ((map { websocket($before, "ws-$_") } 1 .. 4), map { websocket($alice, "ws-$_") } 5 .. 8); # some in each worker
my $exec = exec_of($alice, 'exec');
my $stream = reading($alice, '/extensions/members/stream', qr/begin/);
my $watch = reading($alice, '/-/apis/ksgate.io/v1/extensionservices?watch=true', qr/"ADDED".*\n/);
my $late = spdy($alice, 'late');
eventually { grep { $_->{path} =~ /late/ } $ext->requests } 'the backend to be asked';
my @theirs = (websocket($elsewhere, 'other'), websocket($bob, 'bob'),
    Gateway::WebSocket->client($gw, '/extensions/members/token', Authorization => $token));
my $kept = reading($bob, '/-/apis/ksgate.io/v1/extensionservices?watch=true', qr/"ADDED".*\n/);

log_out($before);
$ext->release(2);
is_deeply [map { my $got = $_->read; "$got->{type} $got->{code}" } @hers], [('close 1008') x 8], 'the WebSockets of the session are closed, in whichever worker, of its older cookies, too';
ok $exec->at_end, '... and another tunnel';
ok $late->head->{status} == 101 && $late->at_end, '... and what becomes one only then';
like $watch->read_until(qr/\r\n0\r\n\r\n/), qr/"ERROR".*the session is over/s, '... and a watch, which says why';
eval { $stream->read_bytes(1000) };
is_deeply [@{logged('stream')}{qw(end error)}], ['revoked', 'session_ended'], 'a long answer is cut off after timeouts.revoked';
is_deeply [@{logged('exec')}{qw(end error)}], ['revoked', 'session_ended'], '... as the log says of all of them';
$_->close(1008) for @hers;
is_deeply [map { $_->read->{type} } @hers], [('end') x 8], 'what has answered is at its end';
ok !(grep { !is_open($_) } @theirs), 'what is of another session of the user, of its token alone, or of others, stays';
$gw->admin(PUT => path_of('more'), extension(more => $ext->url));
like $kept->read_until(qr/"more".*\n/), qr/"ADDED"/, '... as does a watch';
is metric($gw, 'ksgate_tunnels_ended_total{end="revoked"}'), 10, 'what was closed is counted';
$before->cookie($url, $_ => $alice->cookie($url, $_)) for keys %{$alice->cookies($url)};
log_out($before); # once more, by the newest cookie: it is over already
log_out($elsewhere);
is $theirs[0]->read->{code}, 1008, 'with the next logout the next session';
ok !(grep { !is_open($_) } @theirs[1, 2]), '... alone';
$_->connection->close for @theirs;
$gw->stop;

done_testing;
