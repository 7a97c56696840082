# A thousand extensions come and go while others are in use: the others do not notice, and each
# change is live at once, on every worker.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;

my $changes = 1000;
my $json = JSON::PP->new->canonical;
my $up = upstream { [200, {}, 'here'] };
my $two = upstream { [200, {}, 'two'] };

for my $driver (qw(sqlite redis)) {
    subtest $driver => sub {
        my $gw = gateway(core => $up->url, workers => 2, ($driver eq 'redis' ? (redis => redis()) : ()),
            objects => [extension('a', $up->url), extension('b', $up->url, endpoints => [{url => $up->url}, {url => $two->url}])]);
        # New connections, so that they spread over the workers.
        my @clients = map { $gw->connect } 1 .. 8;
        my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x', '/extensions/b/y', '/version']);
        by_wait($gw, \@clients);
        by_asking($gw, \@clients);
        $load->wait_for(50);
        my $seen = $load->stop;
        cmp_ok $seen->{requests}, '>', 500, 'the others were in use';
        is $seen->{failed}, 0, "none of $seen->{requests} requests to the others failed" or diag explain $seen->{words};
        diag sprintf '%s: %d requests beside %d changes, the slowest took %.1f ms',
            $driver, $seen->{requests}, $changes, $seen->{slowest} * 1000;
        is scalar @{$gw->admin(GET => path_of())->{json}{items}}, 2, 'nothing else is left';
        is $gw->stop, 0, 'the gateway stops';
    };
}

sub put {
    my ($admin, $name, $query) = @_;
    return $admin->request(PUT => path_of($name, $query), 'Content-Type' => 'application/json',
        body => $json->encode(extension($name, $up->url)));
}

# With ?wait=live, an answered write is live: on every connection.
sub by_wait {
    my ($gw, $clients) = @_;
    my $admin = Gateway::Client->new(to => $gw->admin_socket);
    my (@ms, $wrong, $late);
    for my $n (1 .. $changes / 4) {
        for my $step ([PUT => 201, 200], [DELETE => 200, 404]) {
            my ($method, $status, $then) = @$step;
            push @ms, milliseconds {
                my $r = $method eq 'PUT' ? put($admin, "w$n", 'wait=live')
                    : $admin->request(DELETE => path_of("w$n", 'wait=live'));
                $wrong++ if $r->{status} != $status;
            };
            $late += grep { $_->request(GET => "/extensions/w$n/x")->{status} != $then } @$clients;
        }
    }
    my $f = figures(@ms);
    diag "live on every worker (?wait=live) after: $f->{words}";
    is $wrong // 0, 0, 'each change is taken';
    is $late, 0, 'and live on every worker when ?wait=live is answered';
    cmp_ok $f->{median}, '<', 50 * Gateway::Process::slow(), 'in less than 50 ms';
}

# Without: from sending the write to the last connection that sees it.
sub by_asking {
    my ($gw, $clients) = @_;
    my $admin = Gateway::Client->new(to => $gw->admin_socket);
    my @ms;
    for my $n (1 .. $changes / 4) {
        for my $step ([PUT => 200], [DELETE => 404]) {
            my ($method, $then) = @$step;
            push @ms, milliseconds {
                $method eq 'PUT' ? put($admin, "v$n") : $admin->request(DELETE => path_of("v$n"));
                for my $c (@$clients) {
                    1 until $c->request(GET => "/extensions/v$n/x")->{status} == $then;
                }
            };
        }
    }
    my $f = figures(@ms);
    diag "seen on eight connections after: $f->{words}";
    cmp_ok $f->{median}, '<', 50 * Gateway::Process::slow(), 'a change is seen everywhere in less than 50 ms';
}

done_testing;
