# Clients, backends and machines that do the worst thing at the worst moment.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Process qw(slow);

# A backend by hand, in this process: the test decides which connection is taken, and when.
sub listener {
    my (%option) = @_;
    my $l = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64, ReuseAddr => 1, %option) or die "listen: $!";
    return $l;
}

sub url_of { return 'http://127.0.0.1:' . $_[0]->sockport }

sub accept_one {
    my ($l) = @_;
    IO::Select->new($l)->can_read(10 * slow()) or die "no connection came\n";
    return bless {sock => scalar $l->accept, in => '', to => 'backend', seconds => 10 * slow()}, 'Gateway::Client';
}

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

sub rss {
    my ($gw) = @_;
    my ($kb) = slurp('/proc/' . $gw->server_pid . '/status') =~ /^VmRSS:\s+(\d+)/m;
    return $kb / 1024;
}

# ---- A body that comes while another connection is being made -----------------------------------

{
    my $l = listener(Listen => 1);
    my $gw = gateway(core => url_of($l), console => url_of($l), workers => 1, config => {timeouts => {connect => '20s'}});
    my $c = $gw->connect;
    $c->send_request(GET => '/');
    my $backend = accept_one($l);
    $backend->read_until(qr/\r\n\r\n/);
    $backend->write($ok);
    is $c->response->{body}, 'ok', 'a connection to the backend is in the pool';

    # The backend's queue is full: the next connection to it is not there before we want it.
    my @full;
    for (1 .. 8) {
        my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0);
        connect $s, $l->sockname;
        push @full, $s;
    }
    my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Remote-User: admin\r\n\r\n";
    $c->write("PUT /first HTTP/1.1\r\nHost: a\r\nContent-Length: " . length($smuggled) . "\r\n\r\n");
    $backend->read_until(qr{PUT /first .*?\r\n\r\n}s);
    $backend->close;
    select undef, undef, undef, 0.3 * slow(); # it is noticed, and repeated elsewhere
    $c->write($smuggled);
    select undef, undef, undef, 0.3 * slow();
    my $first = '';
    for (1 .. 10) {
        my $b = eval { accept_one($l) } or last;
        IO::Select->new($b->sock)->can_read(0.2) or next;
        $first = eval { $b->read_until(qr/\r\n\r\n/) } // '' or next;
        $backend = $b;
        last;
    }
    like $first, qr{^PUT /first HTTP/1\.1\r\n}, 'what the backend reads first is the head';
    is eval { $backend->read_bytes(length $smuggled) }, $smuggled, 'and the body is the body';
    $backend->write($ok);
    is eval { $c->response->{status} }, 200, 'the request was repeated';
}

done_testing;
