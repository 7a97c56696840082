# Requests that wait for their writes: so many at a time, and not for clients that have gone.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Objects;

my $redis = redis();
my ($gw, $other) = map { gateway(redis => $redis, workers => 2, config => {timeouts => {drain => '300ms'}, registry => {waiters => 3, redis => {fleet_wait => '60s', fleet_silence => '60s'}}}) } 1 .. 2;
sub put { my ($name, $wait) = @_; return $gw->admin(PUT => path_of($name) . ($wait ? "?wait=$wait" : ''), extension($name => 'http://127.0.0.1:1')) }
sub waits { my ($name) = @_;
    my $c = Gateway::Client->new(to => $gw->admin_socket);
    $c->send_request(PUT => path_of($name) . '?wait=fleet', 'Content-Type' => 'application/json', body => JSON::PP::encode_json(extension($name => 'http://127.0.0.1:1')));
    eventually { $redis->command(HEXISTS => '{ksgate}:objects', "ksgate.io/ExtensionService//$name") } 'the write';
    return $c;
}
eventually { 2 == grep { $_->{live} } @{$gw->admin(GET => '/-/readyz')->{json}{registry}{gateways} // []} } 'the two';
is put('first', 'fleet')->{status}, 201, 'two gateways are well';
kill STOP => $other->server_pid;
my @clients = map { waits("a$_") } 1 .. 3;
for my $wait (qw(live fleet)) {
    my $r = put("more-$wait", $wait);
    is_deeply [@{$r->{json}}{qw(code reason)}], [503, 'ServiceUnavailable'], "wait=$wait: one more than may wait is refused" or diag $r->{body};
    like $r->{json}{message}, qr/registry\.waiters\); nothing was changed/, '... which says by what limit';
    is $gw->admin(GET => path_of("more-$wait"))->{status}, 404, '... before anything is written';
}
is put('plain')->{status}, 201, 'who does not wait is not refused';
(shift @clients)->close;
eventually { put('next', 'live')->{status} =~ /20[01]/ } 'room for another one', 20;
pass 'a client that leaves makes room, long before its wait would be over';
push @clients, waits('a4');
is put('again', 'live')->{status}, 503, '... for one';
kill CONT => $other->server_pid;
is_deeply [map { $_->response->{status} } @clients], [201, 201, 201], 'those who wait are answered once all have followed';
is put('last', 'fleet')->{status}, 201, '... and there is room again';

# ---- A gateway that stops -----------------------------------------------------------------------------------

kill STOP => $other->server_pid;
@clients = map { waits("b$_") } 1 .. 3;
$clients[0]->close;
is $gw->stop, 0, 'a gateway stops well while some wait, and one has just left';
kill CONT => $other->server_pid;
done_testing;
