# Tokens that are revoked before their end: at all gateways of a fleet, in all that is open.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex sha256_base64);
use JSON::PP ();
use List::Util qw(max);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes ();
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::WebSocket;

my $json = JSON::PP->new->canonical;
my $revocations = '/-/apis/ksgate.io/v1/revocations';

sub rfc3339 { return strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $_[0] }

sub revocation {
    my ($name, %spec) = @_;
    return {apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => $name}, spec => \%spec};
}

# What the backend heard on the WebSockets, and an answer that never ends.
my $up = upstream {
    my ($r) = @_;
    if ($r->{headers}{upgrade}) {
        if ($r->{headers}{upgrade} =~ /^SPDY/) {
            $r->hold if $r->{path} =~ /late/;
            $r->write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
            $r->write($r->{client}->take(length $r->{client}{in})) while $r->{client}->read_some;
            return;
        }
        my $ws = Gateway::WebSocket->server($r);
        while (1) {
            my $got = $ws->read;
            $r->{upstream}->record({of => $r->{path}, type => $got->{type}, code => $got->{code}, data => $got->{data}});
            return if $got->{type} eq 'end';
            $ws->send($got->{type} => $got->{data});
            return if $got->{type} eq 'close';
        }
    }
    if ($r->{path} =~ /stream/) {
        $r->write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegin");
        $r->hold;
        $r->write('x' x 995);
        return;
    }
    return [200, {}, 'here'];
};

my $everybody = [role(GlobalRole => 'all', [{verbs => ['*'], apiGroups => ['*'], resources => ['*'], nonResourceURLs => ['*']}]),
    map { binding(GlobalRole => "all-$_", 'all', $_) } qw(alice bob carol dave)];

sub whoami {
    my ($gw, @as) = @_;
    return $gw->request(GET => '/kapis/x', @as);
}

# ---- One gateway, SQLite ------------------------------------------------------------------------

my $gw = gateway(core => $up->url, objects => $everybody, config => {timeouts => {revoked => '200ms'}});

sub last_error { return ($gw->access_log(1, sub { $_->{path} eq $_[0] }))[-1]{error} }

{
    my @alice = $gw->as('alice');
    my @bob = $gw->as('bob');
    my $before = time + 2; # of all that is made here
    my @later = $gw->as('alice', iat => $before + 3);
    is whoami($gw, @alice)->{status}, 200, 'a token is good';
    $gw->apply([revocation('alice-1', user => 'alice', before => rfc3339($before), reason => 'a lost laptop')]);
    my $r = whoami($gw, @alice);
    is $r->{status}, 401, 'until its user is revoked';
    is $r->{json}{message}, 'the token has been revoked', '... as which it is refused';
    is whoami($gw, @alice)->{status}, 401, '... each time';
    is whoami($gw, $gw->as('alice', iat => undef))->{status}, 401, '... also one without a time of issue';
    is whoami($gw, @later)->{status}, 200, 'a token that was issued later is good';
    is whoami($gw, @bob)->{status}, 200, "and another user's";
    is $gw->request(GET => '/version', @alice)->{status}, 200, 'what is open to all stays open';
    is +($gw->access_log(1, sub { $_->{status} == 401 }))[0]{error}, 'token_revoked', 'the log has the name of the error';
    my $metrics = $gw->admin(GET => '/-/metrics')->{body};
    like $metrics, qr/^ksgate_tokens_total\{result="revoked"\} 4$/m, 'it is counted';
    like $metrics, qr/^ksgate_revocations 1$/m, 'and the revocations, too';
    like $gw->ksgate_here('get', 'revocations')->{out}, qr/^NAME +REVOKED +BEFORE +EXPIRES .*\nalice-1 +user alice +20\S+Z +never/, 'ksgate get shows it';
    my $explained = $gw->ksgate_here('explain', 'GET', '/kapis/x', '--token', $alice[1] =~ s/^Bearer //r);
    like $explained->{out}, qr/^answer +the token has been revoked/m, 'explain says why';
    is $gw->admin(DELETE => "$revocations/alice-1?wait=live")->{status}, 200, 'it was an error, and is taken back';
    is whoami($gw, @alice)->{status}, 200, 'then the token is good again';
}

{
    my $token = $gw->token('alice');
    my $made = $gw->ksgate_here('token', '--revocation', $token);
    is $made->{code}, 0, 'ksgate token --revocation';
    like $made->{out}, qr/tokenHash: \S+/, '... makes an object';
    my $hash = sha256_base64($token =~ s/\.[^.]*\z//r) =~ tr{+/}{-_}r;
    like $made->{out}, qr/\Q$hash\E/, '... with the SHA-256 of what is signed';
    like $gw->ksgate_here('token', '--decode', $token)->{out}, qr/\Q$hash\E/, '... which --decode shows, too';
    unlike $made->{out}, qr/\Q$token\E/, '... and not the token';
    $gw->apply($made->{out});
    is whoami($gw, Authorization => "Bearer $token")->{status}, 401, '... that ends this token';
    is whoami($gw, $gw->as('alice', jti => 'x'))->{status}, 200, '... and no other';
    my $hex = $gw->token('bob', jti => 'hex');
    $gw->apply([revocation('hex', tokenHash => sha256_hex($hex))]);
    is whoami($gw, Authorization => "Bearer $hex")->{status}, 401, 'the hash of the whole token, and in hex: it is the same';
    is $gw->ksgate_here('token', '--revocation', 'nonsense')->{code}, 1, 'what is no token makes no object';
}

{
    my $iss = Gateway::Token::ISSUER;
    $gw->apply([revocation('one', jti => 'number-1', issuer => $iss), revocation('others', jti => 'number-2', issuer => 'http://elsewhere')]);
    is whoami($gw, $gw->as('bob', jti => 'number-1'))->{status}, 401, 'a token by its jti';
    is whoami($gw, $gw->as('bob', jti => 'number-2'))->{status}, 200, "not another issuer's";
    is whoami($gw, $gw->as('bob'))->{status}, 200, 'and not one without';
}

{
    my @carol = $gw->as('carol', iat => time - 60);
    $gw->apply([revocation('soon', user => 'carol', before => rfc3339(time), expires => rfc3339(time + 3600))]);
    is whoami($gw, @carol)->{status}, 401, 'a revocation that expires';
    my $end = time + 2;
    $gw->apply([revocation('soon', user => 'carol', before => rfc3339(time), expires => rfc3339($end))]);
    my @before; # what was answered before its end, whenever we got to ask
    eventually {
        my $status = whoami($gw, @carol)->{status};
        push @before, $status if time < $end;
        $status == 200;
    } 'its end';
    is_deeply [grep { $_ != 401 } @before], [], 'counts until then';
    eventually { $gw->admin(GET => "$revocations/soon")->{status} == 404 } 'the registry to forget it';
    pass 'and is forgotten by the registry';
}

{
    my @as = $gw->as('bob', iat => time - 60);
    my %all = (before => rfc3339(time - 30));
    $gw->apply([revocation('changed', user => 'bob', %all)]);
    is whoami($gw, @as)->{status}, 401, 'an object is for one user';
    $gw->apply([revocation('changed', user => 'nobody', %all)]);
    is whoami($gw, @as)->{status}, 200, 'and then for another one: the first is free';
}

for my $case (
    [{user => 'alice'}, qr/spec\.before: is needed with user/],
    [{jti => 'x'}, qr/spec\.issuer: is needed with jti/],
    [{tokenHash => 'abc'}, qr/spec\.tokenHash: expected the SHA-256 of a token/],
    [{}, qr/spec: exactly one of jti, tokenHash and user/],
    [{user => 'alice', before => 'now'}, qr/spec\.before: expected a time such as/],
) {
    my $r = $gw->admin(PUT => "$revocations/bad", revocation('bad', %{$case->[0]}));
    is $r->{status}, 422, 'an object that is not valid is refused: ' . $json->encode($case->[0]);
    like $r->{json}{message}, $case->[1], '... in words';
}

# ---- What is open -------------------------------------------------------------------------------

{
    my $since = time - 60;
    my $exec = sub {
        my $c = $gw->connect;
        $c->send_request(POST => '/kapis/exec', Connection => 'Upgrade', Upgrade => 'SPDY/3.1', @_);
        $c->head->{status} == 101 or die;
        return $c;
    };
    my %ws = map { $_ => Gateway::WebSocket->client($gw, "/kapis/ws-$_", $gw->as($_, iat => $since)) } qw(alice bob);
    my %half = map { $_ => Gateway::WebSocket->client($gw, "/kapis/half-$_", $gw->as($_, iat => $since)) } qw(alice);
    my %exec = map { $_ => $exec->($gw->as($_, iat => $since)) } qw(alice bob);
    my %stream = map { $_ => $gw->connect } qw(alice bob);
    $stream{$_}->send_request(GET => "/kapis/stream-$_", $gw->as($_, iat => $since)) for qw(alice bob);
    $stream{$_}->read_until(qr/begin/) for qw(alice bob);
    my $frame = $half{alice}->frame(text => 'y' x 1000);
    $half{alice}->connection->write(substr $frame, 0, 500); # in the middle of a message
    $gw->apply([revocation('alice-all', user => 'alice', before => rfc3339($since + 30))]);

    my $got = $ws{alice}->read;
    is $got->{type}, 'close', 'the WebSocket of a revoked user is closed';
    is $got->{code}, 1008, '... with "policy violation"';
    $ws{alice}->send(text => 'one more');
    $ws{alice}->close(1008);
    is $ws{alice}->read->{type}, 'end', '... and ends';
    my @heard = sub { grep { ($_->{of} // '') eq '/kapis/ws-alice' } $up->records };
    eventually { grep { $_->{type} eq 'close' } $heard[0]->() } 'the backend to hear of it';
    is +(grep { $_->{type} eq 'close' } $heard[0]->())[0]{code}, 1001, '... its backend hears that its client goes away';
    is scalar(grep { $_->{type} eq 'text' } $heard[0]->()), 0, '... and nothing that was said after the revocation';
    is +($gw->access_log(1, sub { $_->{path} eq '/kapis/ws-alice' }))[0]{end}, 'revoked', '... the log says why';

    ok $exec{alice}->at_end, 'another tunnel of theirs is closed at once';
    is $half{alice}->read->{code}, 1008, 'who is in the middle of a message is told, too';
    eventually { $gw->access_log(0, sub { $_->{path} eq '/kapis/half-alice' }) } 'the end of who never ends it';
    is +($gw->access_log(1, sub { $_->{path} eq '/kapis/half-alice' }))[0]{end}, 'revoked', '... and closed if it is never ended';

    eval { $stream{alice}->read_bytes(1000) };
    is +($gw->access_log(1, sub { $_->{path} eq '/kapis/stream-alice' }))[0]{end}, 'revoked', 'a long answer is cut off after timeouts.revoked';
    is +($gw->access_log(1, sub { $_->{path} eq '/kapis/stream-alice' }))[0]{error}, 'token_revoked', '... for that reason';

    $ws{bob}->send(text => 'still here');
    is $ws{bob}->read->{data}, 'still here', 'the WebSockets of others stay open';
    $exec{bob}->write('bytes');
    is $exec{bob}->read_bytes(5), 'bytes', 'and their other tunnels';
    $up->release for 1, 2;
    is length $stream{bob}->read_until(qr/x{995}/), 995, 'and their answers come whole';
    like $gw->admin(GET => '/-/metrics')->{body}, qr/^ksgate_tunnels_ended_total\{end="revoked"\} 3$/m, 'what was closed is counted';
    $_->connection->close for values %ws, values %half;
    $_->close for values %exec, values %stream;
}

is $gw->stop, 0, 'a good end';

# ---- What is under way --------------------------------------------------------------------------

# Where it may end: by the test, not by timeouts.revoked.
my $patient = gateway(core => $up->url, objects => $everybody, config => {timeouts => {revoked => '60s'}});

# The backend takes its time to agree to a tunnel.
{
    my $since = time - 60;
    my $c = $patient->connect;
    $up->forget;
    # GET: the connection that it is sent on may be one that the backend is just closing
    $c->send_request(GET => '/kapis/late', Connection => 'Upgrade', Upgrade => 'SPDY/3.1', $patient->as('dave', iat => $since));
    $up->wait_for(1);
    $patient->apply([revocation('dave-all', user => 'dave', before => rfc3339($since + 30))]);
    is whoami($patient, $patient->as('dave', iat => $since))->{status}, 401, 'revoked while the backend makes up its mind';
    $up->release;
    is $c->head->{status}, 101, 'it agrees';
    ok $c->at_end, 'what becomes a tunnel only then is closed at once';
    is +($patient->access_log(1, sub { $_->{path} eq '/kapis/late' }))[0]{end}, 'revoked', '... for that reason';
    $patient->admin(DELETE => "$revocations/dave-all?wait=live");
}

# The request by which the token is ended gets its answer.
{
    my $c = $patient->connect;
    my @as = $patient->as('dave', iat => time - 60);
    $c->send_request(GET => '/kapis/stream-dave', @as);
    $c->read_until(qr/begin/);
    $patient->apply([revocation('dave', user => 'dave', before => rfc3339(time - 30))]);
    $up->release;
    is length $c->read_until(qr/x{995}/), 995, 'a request under way has timeouts.revoked to end';
    is whoami($patient, @as)->{status}, 401, 'and is the last one';
}
is $patient->stop, 0, 'another';

# ---- Files ----------------------------------------------------------------------------------------

{
    my $folder = Gateway::Process::tempdir();
    my $file = spew("$folder/lost.yaml", $json->encode(revocation('lost', user => 'alice', before => rfc3339(time + 5))));
    my $one = gateway(core => $up->url, objects => $everybody, config => {registry => {files => [$folder]}});
    my @as = $one->as('alice');
    my @bob = $one->as('bob'); # issued before what the file will say, however long that takes
    is whoami($one, @as)->{status}, 401, 'a revocation may stand in a file';
    spew($file, $json->encode(revocation('lost', user => 'bob', before => rfc3339(time + 5))));
    eventually { whoami($one, @as)->{status} == 200 } 'the file';
    eventually { whoami($one, @bob)->{status} == 401 } 'what stands there now'; # each worker hears of it in its own time
    pass 'which may change';
    unlink $file;
    eventually { whoami($one, @bob)->{status} == 200 } 'the end of the file';
    pass 'or go';
    is $one->stop, 0, 'well';
}

# ---- A fleet ------------------------------------------------------------------------------------

my $redis = redis();
my @fleet = map { gateway(core => $up->url, redis => $redis, workers => 2) } 1 .. 4;
my $secret = Gateway::slurp("$fleet[0]{dir}/secret");
for my $one (@fleet[1 .. 3]) { # one issuer for all
    Gateway::spew("$one->{dir}/secret", $secret);
    $one->{secret} = $secret;
    $one->reload;
    eventually { $one->stderr =~ /was reloaded/ } 'the reload';
}
$fleet[0]->apply($everybody);

my $script = ksgate('registry', 'script')->{out};
my $sha = $redis->command('SCRIPT', 'LOAD', $script);

# As another program does it, in one command.
sub write_by_script {
    my ($object) = @_;
    my $text = '{"metadata":' . $json->encode($object->{metadata}) . ','
        . substr $json->encode({map { $_ => $object->{$_} } qw(apiVersion kind spec)}), 1;
    my ($result) = @{$redis->command('EVALSHA', $sha, 1, '{ksgate}:', 'put', "ksgate.io/Revocation//$object->{metadata}{name}", $text, 'any', 0, 0)};
    $result eq 'ok' or die "the script says $result";
    return;
}

my $since = time - 60;
my @as = $fleet[0]->as('alice', iat => $since);
for my $as (\@as, [$fleet[0]->as('bob', iat => $since)]) { # each is bound by an object of its own
    eventually { (grep { whoami($_, @$as)->{status} == 200 } @fleet) == 4 } 'the fleet';
}
my @ws = map { my $one = $_; map { [$_, Gateway::WebSocket->client($one, '/kapis/ws-fleet', $one->as($_, iat => $since))] } qw(alice bob) } @fleet;
write_by_script(revocation('fleet', user => 'alice', before => rfc3339(time - 30)));
for my $pair (@ws) {
    my ($user, $ws) = @$pair;
    next if $user eq 'bob';
    is $ws->read->{code}, 1008, 'written in Redis, it closes what is open at each gateway';
}
is whoami($_, @as)->{status}, 401, 'and the next request is refused there' for @fleet;
for my $pair (grep { $_->[0] eq 'bob' } @ws) {
    $pair->[1]->send(text => 'still here');
    is $pair->[1]->read->{data}, 'still here', "others' stay open";
}
$_->[1]->connection->close for @ws;

# How long it takes, from before the write until each gateway refuses: only told.
{
    my @times;
    for my $n (1 .. 50) {
        my $token = $fleet[0]->token('bob', jti => "measured-$n");
        my @auth = (Authorization => "Bearer $token");
        my @c = map { $_->connect } @fleet;
        $_->request(GET => '/kapis/x', @auth)->{status} == 200 or die for @c;
        my $start = Time::HiRes::time;
        write_by_script(revocation("m-$n", jti => "measured-$n", issuer => Gateway::Token::ISSUER));
        for my $c (@c) {
            eventually { $c->request(GET => '/kapis/x', @auth)->{status} == 401 } 'the revocation';
        }
        push @times, 1000 * (Time::HiRes::time() - $start);
        $_->close for @c;
    }
    @times = sort { $a <=> $b } @times;
    pass 'fifty more, at all four';
    note sprintf 'from the write until all four refuse: median %.1f ms, the slowest of 50 %.1f ms', $times[25], $times[-1];
}

# ---- Redis is away ------------------------------------------------------------------------------

$redis->stop;
eventually { $fleet[0]->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'stale' } 'it to be missed';
is whoami($_, @as)->{status}, 401, 'while Redis is away, what was revoked stays so' for @fleet;
is $fleet[1]->stop, 0, 'even for a gateway that ends';
$fleet[1]->start;
is whoami($fleet[1], @as)->{status}, 401, 'and starts again';
is whoami($fleet[1], $fleet[1]->as('bob'))->{status}, 200, 'and nothing else is';
$redis->start;
eventually { $fleet[0]->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'fresh' } 'it to be back';
$redis->command('SCRIPT', 'LOAD', $script); # which the new process may not have been told yet
write_by_script(revocation('back', user => 'bob', before => rfc3339(time + 5)));
eventually { whoami($_, $_->as('bob'))->{status} == 401 } 'a new one' for @fleet;
pass 'when it is back, new ones come';

done_testing;
