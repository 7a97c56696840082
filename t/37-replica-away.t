# registry.redis.replicas: a replica that is away delays writes, and nothing else.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Objects;
use Gateway::Redis;
use Time::HiRes qw(time sleep);

my $api = '/-/apis/ksgate.io/v1';
my $place = "$api/extensionservices/shop/endpoints";
my $redis = redis();
my $replica = Gateway::Redis->new(config => ['--replicaof 127.0.0.1 ' . $redis->port]);
eventually { $replica->command('INFO', 'replication') =~ /master_link_status:up/ } 'the replica';
my @gw = map { gateway(redis => $redis, workers => 1, config => {registry => {redis => {replicas => 1, timeout => '6s'}}}) } 1, 2;
sub extension_put { my ($gw, $name) = @_; return $gw->admin(PUT => path_of($name), extension($name => 'http://127.0.0.1:1')) }
sub deleted { return grep { my %f = @{$_->[1]}; $f{op} eq 'delete' } @{$redis->command(XRANGE => '{ksgate}:changes', '-', '+')} }
sub beats { my %at = @{$redis->command(ZRANGE => '{ksgate}:gateways', 0, -1, 'WITHSCORES')}; return map { my ($id) = split / /; ($id => $at{$_}) } keys %at }
sub metric { return $_[0]->admin(GET => '/-/metrics')->{body} =~ /^ksgate_registry_$_[1] (\S+)$/m ? $1 : undef }

is $gw[0]->admin(PUT => path_of('shop'), extension(shop => undef))->{status}, 201, 'with its replica, a write is acknowledged';
eventually { $gw[1]->admin(GET => path_of('shop'))->{status} == 200 } 'it to be at the other gateway';

# ---- Backends that renew leases which are shorter than a write waits, and people who write all the while ------------------------------------

my @names = map { "s$_" } 0 .. 3;
my @children;
END { kill KILL => @children if @children }
sub child { my ($do) = @_;
    my $pid = fork // die "fork: $!";
    if ($pid) { push @children, $pid; return }
    @children = ();
    eval { $do->() while 1 };
    kill KILL => $$;
}
for my $i (0 .. $#names) {
    child(sub {
        my $next = time + 0.66;
        $gw[$i % 2]->admin(PUT => "$place/$names[$i]", {url => 'http://127.0.0.1:1', leaseSeconds => 5});
        my $rest = $next - time;
        sleep $rest if $rest > 0;
    });
}
eventually { $redis->command(HLEN => '{ksgate}:objects') == 1 + @names } 'all to be there';
my $before = () = deleted();

$replica->freeze;
my $since = $redis->command('TIME')->[0];
sub send_put { my ($gw, $name) = @_;
    my $c = Gateway::Client->new(to => $gw->admin_socket, seconds => 60);
    $c->send_request(PUT => path_of($name), 'Content-Type' => 'application/json', body => JSON::PP::encode_json(extension($name => 'http://127.0.0.1:1')));
    return $c;
}
my @pending = map { send_put($gw[0], "w$_") } 1 .. 4; # the other gateway looks for leases that have ended
my %first = beats();
{
    my $r = send_put($gw[0], 'late')->response; # after those, and redis.timeout
    is $r->{status}, 503, 'a write that the replica does not have is not acknowledged';
    like $r->{json}{message}, qr/the master has it, but only 0 of 1 replicas do/, '... and why is said';
    for my $gw (@gw) {
        my @fleet = @{$gw->admin(GET => '/-/readyz')->{json}{registry}{gateways}};
        is scalar(grep { $_->{live} } @fleet), 2, '... both gateways live, as each sees it';
    }
}
is scalar(grep { $_->response->{status} == 503 } @pending), scalar @pending, 'several at once are told so, too';
cmp_ok $redis->command('TIME')->[0] - $since, '>=', 4, 'all that time';
my %last = beats();
cmp_ok $last{$_} - $first{$_}, '>', 3000, '... a gateway says that it lives' for keys %first;
is scalar(deleted()), $before, '... no lease has ended';
is_deeply [grep { !$redis->command(HEXISTS => '{ksgate}:objects', "ksgate.io/Endpoint//shop.$_") } @names], [], '... and all backends are there';
is $_->admin(GET => '/-/readyz')->{json}{registry}{state}, 'fresh', '... the registry is fresh' for @gw;
kill KILL => @children;
waitpid $_, 0 for @children;
@children = ();
eventually { deleted() == $before + @names } 'leases to end while the replica is away', 20;
pass 'those that are not renewed end all the same';

$replica->thaw;
eventually { extension_put($gw[0], 'again')->{status} =~ /20[01]/ } 'a write';
pass 'with the replica, writes are acknowledged';

# ---- The connection that waits is lost: who waits is answered by the next one -----------------------------------

$_->stop for @gw;
my $patient = gateway(redis => $redis, workers => 1, config => {registry => {redis => {replicas => 1, timeout => '1m'}}});
sub waiting { # the connection that does; others have done so last
    my $id;
    eventually { ($id) = $redis->command('CLIENT', 'LIST') =~ /\bid=(\d+) .*\bflags=\w*b\w* .*\bcmd=wait\b/; $id } 'a WAIT';
    return $id;
}

{
    $replica->freeze;
    my $c = send_put($patient, 'kept');
    my $waits = waiting();
    my $was = metric($patient, 'reconnects_total');
    $redis->command('CLIENT', 'KILL', 'ID', $waits);
    $replica->thaw;
    is $c->response->{status}, 201, 'a write whose WAIT was lost is acknowledged by the next one';
    eventually { metric($patient, 'reconnects_total') == $was + 1 } 'it to be counted';
}

# ---- ... and the next one leads to a master that does not have it ------------------------------------------------

{
    $replica->freeze;
    my $c = send_put($patient, 'lost');
    my $waits = waiting();
    my $last = $redis->command(XREVRANGE => '{ksgate}:changes', '+', '-', 'COUNT', 1)->[0][0];
    $redis->command(XDEL => '{ksgate}:changes', $last);
    $redis->command('CLIENT', 'KILL', 'ID', $waits);
    $replica->thaw;
    my $r = $c->response;
    is $r->{status}, 503, 'a write that the master which is asked does not have is not acknowledged' or diag $r->{body};
    like $r->{json}{message}, qr/the master that had it was replaced by one that does not have it/, '... and that is said';
}
done_testing;
