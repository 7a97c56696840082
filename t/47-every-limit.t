# Every limit of the configuration, reached: docs/howto/limits.md says what is answered then and what
# counts it, and is held to its word.  A limit without a row there, or without a case here, fails.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

my $up = upstream {
    my ($r) = @_;
    if ($r->{path} eq '/stuck') { # a part, and no more
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart");
        $r->hold;
        return;
    }
    if ($r->{path} eq '/tunnel') {
        $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        $r->hold;
        return;
    }
    $r->hold if $r->{path} eq '/hold';
    $r->read_body;
    return [200, {}, 'reached'];
} lazy => 1;

# ---- What is promised ------------------------------------------------------------------------------

my %row; # limit => [answer, counted as]
for (split /\n/, slurp('docs/howto/limits.md')) {
    $row{$1} = [$2, $3] if /^\| `((?:limits|timeouts)\.\w+)` \| (\S+) \| `?([^|`]+)`? \|/;
}
my $schema = JSON::PP::decode_json(ksgate('schema', '--json')->{out});
my @limits = map { my $s = $_; map { "$s.$_" } sort keys %{$schema->{properties}{$s}{properties}} } qw(limits timeouts);
is_deeply [sort keys %row], \@limits, 'docs/howto/limits.md has each limit, and no other';

# ---- How to reach them -------------------------------------------------------------------------------

my $get = "GET / HTTP/1.1\r\nHost: a\r\n";
my $post = "POST / HTTP/1.1\r\nHost: a\r\n";
my $hold = "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

# A case sends these bytes, or does what its code says; that returns the answer, if there is one:
# {status, json}.  `says` is what the answer says besides the limit's name.  `holds`: the
# backend still holds it, in the end.  `row`: another answer and count than the page has.
my %case = (
    'limits.head' => {
        send => "${get}X-Small: a\r\nX-Big: secret" . 'x' x 9000 . "\r\n\r\n",
        says => qr/8192 bytes; its largest header "X-Big" has at least 81\d\d/,
    },
    'limits.headers' => {
        send => $get . 'X-Fat: secret' . 'x' x 500 . "\r\n" . join('', map { "X$_: y\r\n" } 1 .. 60) . "\r\n",
        says => qr/there are 62 headers, more than 40; the largest, "X-Fat", has 513 bytes/,
    },
    'limits.target' => {send => 'GET /' . 'x' x 2000 . " HTTP/1.1\r\nHost: a\r\n\r\n", says => qr/2001 bytes, more than 1024/},
    'limits.body' => {send => "${post}Content-Length: 20000\r\n\r\n", says => qr/is 10240 bytes, and Content-Length 20000/},
    'limits.body, in chunks' => {
        send => "${post}Transfer-Encoding: chunked\r\n\r\n" . ("400\r\n" . 'x' x 1024 . "\r\n") x 20,
        says => qr/is 10240 bytes, and \d{5} have come/,
    },
    'limits.object' => {
        do => sub { $_[0]->admin(PUT => path_of('x'), {metadata => {name => 'x'}, padding => 'x' x 3000}) },
        says => qr/is 2048 bytes, and it has 3\d{3}/,
    },
    'limits.min_rate' => {config => {limits => {min_rate => '1KiB'}, timeouts => {body_idle => '2s'}}, do => \&drop_by_drop, says => qr/which is 1024 bytes a second/},
    'limits.connections' => {config => {limits => {connections => 16}}, do => \&late_heads, says => qr/after \d{4,} ms 14 bytes/},
    'limits.connections, all busy' => {
        config => {limits => {connections => 16}}, do => \&crowd, row => ['-', 'ksgate_connections_full_total'],
    },
    'limits.connections_per_client' => {
        config => {limits => {connections_per_client => 2}},
        do => sub {
            my ($gw) = @_;
            my @two = map { $gw->connect } 1 .. 2;
            $_->request(GET => '/') for @two;
            return $gw->request(GET => '/');
        },
        says => qr/is 2, and 127\.0\.0\.1 has more/,
    },
    'limits.backend_connections' => {
        config => {limits => {backend_connections => 1}},
        do => sub {
            my ($gw) = @_;
            my @two = asked($gw, $hold, $hold);
            eventually { metric($gw, 'ksgate_backend_pending') == 1 } 'one waits';
            $up->release(2);
            is status($_), 200, 'both are answered' for @two;
            return;
        },
    },
    'limits.backend_pending' => {
        config => {limits => {backend_connections => 1, backend_pending => 0}},
        do => sub {
            my ($gw) = @_;
            my ($first) = asked($gw, $hold);
            eventually { $up->seen == 1 } 'the first';
            my $r = $gw->request(GET => '/');
            $up->release;
            is status($first), 200, 'who was there is not disturbed';
            return $r;
        },
        says => qr/share is 0, and 1 connections/,
    },
    'limits.pool' => {
        config => {limits => {pool => 1}},
        do => sub {
            my ($gw) = @_;
            my @three = asked($gw, ($hold) x 3);
            eventually { $up->seen == 3 } 'three connections';
            $up->release(3);
            is status($_), 200, 'each is answered' for @three;
            eventually { metric($gw, 'ksgate_backend_connections') == 1 } 'the end of two';
            is metric($gw, 'ksgate_backend_connections_idle'), 1, 'one is kept';
            return;
        },
    },
    'timeouts.head' => {send => "GET / HTTP/1.1\r\nHost:", says => qr/after \d{3,} ms 21 bytes of it had come/},
    'timeouts.body_idle' => {send => "${post}Content-Length: 10\r\n\r\nabc", says => qr/after 3 bytes nothing came for 800 ms/},
    'timeouts.first_byte' => {holds => 1, send => $hold, says => qr/after 300 ms/},
    'timeouts.idle' => {config => {timeouts => {idle => '200ms'}}, do => sub { ok $_[0]->connect->at_end, 'it ends'; return }},
    'timeouts.half_closed' => {
        holds => 1,
        config => {timeouts => {half_closed => '300ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = $gw->connect;
            $c->send_request(GET => '/stuck');
            $c->read_until(qr/part/);
            $c->shutdown_write;
            ok eval { !$c->read_some } // 1, 'it ends';
            return;
        },
    },
    'timeouts.linger' => {
        config => {limits => {body => 1000}, timeouts => {linger => '200ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = $gw->connect;
            is $c->request(POST => '/', 'Content-Length' => 1e6)->{status}, 413, 'the last answer';
            ok $c->at_end, 'that was all';
            eventually { metric($gw, 'ksgate_connections') == 1 } 'the end of who goes on'; # the admin's
            return;
        },
    },
    'timeouts.revoked' => {
        holds => 1,
        config => {timeouts => {revoked => '100ms'}},
        do => sub {
            my ($gw) = @_;
            $gw->apply([extension('e', $up->url)]);
            my $c = $gw->connect;
            $c->send_request(GET => '/extensions/e/stuck', $gw->as('tom', iat => time - 100));
            $c->read_until(qr/part/);
            my $before = strftime '%Y-%m-%dT%H:%M:%SZ', gmtime;
            $gw->apply([{apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => 'tom'}, spec => {user => 'tom', before => $before}}]);
            my $got = eval { $c->read_some };
            ok !defined $got && $!{ECONNRESET}, 'the client is reset';
            return;
        },
    },
    'timeouts.connect' => {config => {core => {console => silence()}, timeouts => {connect => '200ms'}}, send => "${get}Connection: close\r\n\r\n", says => qr/connecting took too long/},
    'timeouts.pending' => {
        config => {limits => {backend_connections => 1}, timeouts => {pending => '200ms'}},
        do => sub {
            my ($gw) = @_;
            my ($first) = asked($gw, $hold);
            eventually { $up->seen == 1 } 'the first';
            my $r = $gw->request(GET => '/');
            $up->release;
            is status($first), 200, 'who was there is not disturbed';
            return $r;
        },
        says => qr/after 200 ms all of the 1 /,
    },
    'timeouts.backend_idle' => {
        holds => 1,
        config => {timeouts => {backend_idle => '200ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = $gw->connect;
            $c->send_request(GET => '/stuck');
            $c->read_until(qr/part/);
            my $got = eval { $c->read_some };
            ok !defined $got && $!{ECONNRESET}, 'the client is reset';
            my ($line) = $gw->access_log(1, sub { ($_->{path} // '') eq '/stuck' });
            is $line->{end}, 'upstream_timeout', 'the log says why';
            return;
        },
    },
    'timeouts.pool_idle' => {
        config => {timeouts => {pool_idle => '200ms'}},
        do => sub {
            my ($gw) = @_;
            is $gw->request(GET => '/')->{status}, 200, 'a connection to a backend';
            eventually { metric($gw, 'ksgate_backend_connections') == 0 } 'its end';
            return;
        },
    },
    'timeouts.tunnel_idle' => {
        holds => 1,
        config => {timeouts => {tunnel_idle => '200ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = $gw->connect;
            $c->send_request(GET => '/tunnel', Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Key' => 'x', 'Sec-WebSocket-Version' => 13);
            is $c->head->{status}, 101, 'a tunnel';
            $c->read_all;
            my ($line) = $gw->access_log(1, sub { ($_->{path} // '') eq '/tunnel' });
            is $line->{end}, 'tunnel_idle', 'the log says why it ended';
            return;
        },
    },
    'timeouts.tunnel_half_closed' => {
        holds => 1,
        config => {timeouts => {tunnel_half_closed => '200ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = $gw->connect;
            $c->send_request(GET => '/tunnel', Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Key' => 'x', 'Sec-WebSocket-Version' => 13);
            is $c->head->{status}, 101, 'a tunnel';
            $c->shutdown_write;
            $c->read_all;
            my ($line) = $gw->access_log(1, sub { ($_->{path} // '') eq '/tunnel' });
            is $line->{end}, 'tunnel_half_closed', 'the log says why it ended';
            return;
        },
    },
    'limits.watch_backlog' => {
        config => {limits => {watch_backlog => '64KiB'}},
        do => sub {
            my ($gw) = @_;
            my $maps = '/-/api/v1/namespaces/x/configmaps';
            my $c = Gateway::Client->new(to => $gw->admin_socket);
            $c->send_request(GET => "$maps?watch=true");
            eventually { # it takes nothing
                $gw->admin(PUT => "$maps/m", {data => {n => '' . rand, text => 'x' x 60_000}});
                metric($gw, 'ksgate_watches_too_slow_total') == 1;
            } 'its end';
            like $c->read_until(qr/"ERROR".*\n/), qr/limits\.watch_backlog/, 'an event says why';
            return;
        },
    },
    'timeouts.watch' => {
        config => {timeouts => {watch => '1s'}},
        do => sub {
            my ($gw) = @_;
            my $path = path_of(undef, 'watch=true&timeoutSeconds=100');
            is $gw->admin(GET => $path)->{status}, 200, 'it ends';
            my ($line) = $gw->access_log(1, sub { ($_->{end} // '') eq 'watch_over' });
            ok $line, 'the log says why';
            return;
        },
    },
    'timeouts.watch_bookmark' => {
        config => {timeouts => {watch_bookmark => '100ms'}},
        do => sub {
            my ($gw) = @_;
            my $c = Gateway::Client->new(to => $gw->admin_socket);
            $c->send_request(GET => path_of(undef, 'watch=true&allowWatchBookmarks=true'));
            ok $c->read_until(qr/"BOOKMARK".*\n/), "bookmark $_" for 1, 2;
            return;
        },
    },
    'timeouts.drain' => {
        holds => 1,
        config => {timeouts => {drain => '200ms', first_byte => '60s'}},
        do => sub {
            my ($gw) = @_;
            my ($c) = asked($gw, $hold);
            eventually { $up->seen == 1 } 'a request';
            my $start = time;
            $gw->stop;
            cmp_ok time - $start, '<', 10 * slow(), 'a server that is stopped does not wait for long';
            return;
        },
    },
);

# ---- Helpers -------------------------------------------------------------------------------------------

sub metric {
    my ($gw, $name) = @_;
    $name = qq(ksgate_errors_total{error="$name"}) if $name !~ /^ksgate_/;
    my ($value) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\S+)$/m or die "there is no $name\n";
    return $value;
}

sub asked {
    my ($gw, @bytes) = @_;
    return map { my $c = $gw->connect(seconds => 20); $c->write($_); $c } @bytes;
}

sub status { return $_[0]->response->{status} }

# A body at 20 bytes a second; its pauses are far below timeouts.body_idle.
sub drop_by_drop {
    my ($gw) = @_;
    my $c = $gw->connect;
    $c->write("${post}Content-Length: 10000\r\n\r\n");
    for (1 .. 1000) {
        last if IO::Select->new($c->sock)->can_read(0.05); # the passing of time is what is tested
        $c->write('x');
    }
    return $c->response;
}

# As many as there may be have begun to ask, and go no further; one asks.
sub late_heads {
    my ($gw) = @_;
    my @late = asked($gw, ("GET / HTTP/1.1") x 16);
    my ($other) = asked($gw, "$get\r\n");
    is status($other), 200, 'who asks is let in';
    my $told = IO::Select->new(map { $_->sock } @late);
    my ($first) = $told->can_read(10 * slow());
    return (grep { $_->sock == $first } @late)[0]->response;
}

# As many busy ones as there may be, and one more, who waits.
sub crowd {
    my ($gw) = @_;
    my @busy = asked($gw, ($hold) x 16);
    eventually { metric($gw, 'ksgate_connections_full_total') >= 1 } 'a full house';
    my ($waits) = asked($gw, "$get\r\n");
    $up->release(16);
    is scalar(grep { status($_) == 200 } @busy), 16, 'who is in is served';
    is status($waits), 200, 'and so is who waited';
    return;
}

# The address of one who has no time for new connections: its queue is full, and stays so.
my @silent;
sub silence {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1, Proto => 'tcp') or die $!;
    my $to = '127.0.0.1:' . $s->sockport;
    push @silent, $s, map { IO::Socket::INET->new(PeerAddr => $to, Proto => 'tcp', Blocking => 0) } 1 .. 4;
    return "http://$to";
}

# ---- Reached ---------------------------------------------------------------------------------------------

my %gateway; # those of the same configuration are one
my $json = JSON::PP->new->canonical;

sub gateway_for {
    my ($config) = @_;
    my $name = $json->encode($config // {});
    return $gateway{$name} if $gateway{$name};
    my $gw = $gateway{$name} = gateway(
        core => $up->url, console => $up->url, workers => 1, config => $config // {
            limits => {head => '8KiB', target => '1KiB', headers => 40, body => '10KiB', object => '2KiB', min_rate => '1KiB'},
            timeouts => {head => '300ms', body_idle => '800ms', first_byte => '300ms', half_closed => '300ms'},
        });
    eventually { metric($gw, 'ksgate_connections') == 1 } 'the end of who asked whether it is ready'; # the admin's is there
    return $gw;
}

sub answer_of {
    my ($bytes) = @_;
    my ($status, $body) = $bytes =~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n(.*)}s or return {status => "none: '$bytes'"};
    return {status => $status, json => eval { JSON::PP::decode_json($body) } // {}};
}

for my $name (sort keys %case) {
    my $case = $case{$name};
    my ($limit) = $name =~ /^([\w.]+)/;
    my ($status, $counter) = @{$case->{row} // $row{$limit} // ['no row', '-']};
    my $gw = gateway_for($case->{config});
    my $before = $counter eq '-' ? 0 : metric($gw, $counter);
    $up->forget;
    my $r = $case->{do} ? $case->{do}->($gw) : answer_of($gw->raw($case->{send}, seconds => 10));
    is $r ? $r->{status} : '-', $status, "$name: what is answered";
    if ($r) {
        my $message = $r->{json}{message} // '';
        like $message, qr/\Q$limit\E/, 'the answer names the limit';
        like $message, $case->{says}, 'and what was seen' if $case->{says};
        unlike $message, qr/secret/, 'but no value of a header';
        my $wanted = $status =~ /^(?:429|503)$/ ? qr/^\d+$/ : qr/^$/;
        like $r->{headers}{'retry-after'} // '', $wanted, 'and when to come again, if that helps' if $r->{headers};
    }
    if ($counter ne '-') {
        eventually { metric($gw, $counter) > $before } "$counter";
        pass "$name: counted as $counter";
    }
    $up->release if $case->{holds};
}
my %done = map { /^([\w.]+)/ ? ($1 => 1) : () } keys %case;
is_deeply [sort keys %done], \@limits, 'each limit was reached';

done_testing;
