# KubeSphere's own token cache: a token must be in its Redis, which may be slow, gone or wrong.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes ();
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::WebSocket;

my $up = upstream { [200, {}, 'here'] };
my $redis = redis(password => 'kubesphere');
my $everybody = [role(GlobalRole => 'all', [{verbs => ['*'], apiGroups => ['*'], resources => ['*'], nonResourceURLs => ['*']}]),
    binding(GlobalRole => 'all', 'all', 'system:authenticated')];

# One that asks, with more settings of the section.
sub settings {
    my ($dir, %more) = @_;
    return {authentication => {
        issuers => [{issuer => Gateway::Token::ISSUER, secret_file => "$dir/secret", token_cache => 'redis'}],
        token_cache_redis => {url => $redis->url, password_file => spew("$dir/redis.pw", "kubesphere\n"), %more},
    }};
}

sub asking {
    my (%more) = @_;
    my $dir = tempdir();
    return gateway(core => $up->url, dir => $dir, workers => 1, objects => $everybody, config => settings($dir, %more));
}

sub reload {
    my ($gw, %more) = @_;
    my $before = () = $gw->stderr =~ /was reloaded/g;
    $gw->configure(settings($gw->dir, %more));
    $gw->reload;
    eventually { $before < (() = $gw->stderr =~ /was reloaded/g) } 'the reload';
    return;
}

# As ks-core does it.
sub log_in {
    my ($gw, $user, %claims) = @_;
    my $token = $gw->token($user, %claims);
    $redis->command('SET', "kubesphere:user:$user:token:$token", $token, 'EX', 3600);
    return $token;
}

sub log_out { my ($user, $token) = @_; return $redis->command('DEL', "kubesphere:user:$user:token:$token") }

sub ask { my ($gw, $token, $path) = @_; return $gw->request(GET => $path // '/kapis/x', Authorization => "Bearer $token") }
sub questions { return $redis->command('INFO', 'commandstats') =~ /cmdstat_exists:calls=(\d+)/ ? $1 : 0 }

sub lookups {
    my ($gw, $result) = @_;
    return $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_kubesphere_token_lookups_total\{result="$result"\} (\d+)$/m ? $1 : undef;
}

# ---- It is there, or not -------------------------------------------------------------------------

my $gw = asking(remember => '0s');
my $token = log_in($gw, 'alice');
is ask($gw, $token)->{status}, 200, 'a token that is in the cache is good';
is ask($gw, $token)->{status}, 200, 'each time';
my $r = ask($gw, $gw->token('alice', jti => 'other'));
is $r->{status}, 401, 'one that is not is refused';
like $r->{json}{message}, qr/^the token was not found in the token cache/, '... as that';
log_out('alice', $token);
is ask($gw, $token)->{status}, 401, 'after a logout it is refused';
is +($gw->access_log(2, sub { $_->{status} == 401 }))[-1]{error}, 'token_not_cached', '... the log has the name of the error';
is ask($gw, $token, '/version')->{status}, 200, '... what is open to all stays open';
$redis->command('SET', "kubesphere:user:alice:token:$token", $token);
is ask($gw, $token)->{status}, 200, 'it is good again when it is back';
my $bobs = log_in($gw, 'bob');
$redis->command('RENAME', "kubesphere:user:bob:token:$bobs", "kubesphere:user:carol:token:$bobs");
is ask($gw, $bobs)->{status}, 401, "another user's place does not count";
my $before = questions();
is ask($gw, $gw->token('robot', token_type => 'static_token', exp => undef))->{status}, 200, 'a static token need not be there';
is questions(), $before, '... and is not asked for';
is ask($gw, $gw->token('alice', exp => time - 60))->{status}, 401, 'nor is one that is no good';
is questions(), $before, '... for other reasons';
ok !eval { Gateway::WebSocket->client($gw, '/kapis/ws', $gw->as('dave')); 1 }, 'no WebSocket either for one that is not there';
is lookups($gw, 'present'), 3, 'the answers are counted: there';
is lookups($gw, 'absent'), 5, 'not there';
is $gw->ksgate_here('explain', 'GET', '/kapis/x', '--token', $token)->{code}, 0, 'explain does not ask';
$gw->apply([{apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => 'a'}, spec => {user => 'alice', before => '2100-01-01T00:00:00Z'}}]);
like ask($gw, $token)->{json}{message}, qr/revoked/, 'what is revoked by us is refused, in the cache or not';
$gw->admin(DELETE => '/-/apis/ksgate.io/v1/revocations/a?wait=live');

# ---- Remembered for a while ---------------------------------------------------------------------

reload($gw, remember => '10m');
$before = questions();
is ask($gw, $token)->{status}, 200, 'with `remember`' for 1 .. 5;
is questions() - $before, 1, '... it is asked for once';
log_out('alice', $token);
is ask($gw, $token)->{status}, 200, '... so a logout is not noticed until then';
reload($gw, remember => '200ms');
$token = log_in($gw, 'alice', jti => 'next');
is ask($gw, $token)->{status}, 200, 'with a short one';
log_out('alice', $token);
eventually { ask($gw, $token)->{status} == 401 } 'the logout';
pass 'it is noticed soon';

# ---- Many at once ask once --------------------------------------------------------------------------

reload($gw, remember => '0s', timeout => '20s');
$token = log_in($gw, 'alice', jti => 'many');
is ask($gw, $token)->{status}, 200, 'the connection is there';
$before = questions();
$redis->freeze;
my @waiting = map { my $c = $gw->connect; $c->send_request(GET => '/kapis/x', Authorization => "Bearer $token"); $c } 1 .. 20;
my $other = log_out_later(); # a client that does not wait for it
eventually { $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_requests_active (\d+)$/m && $1 >= 21 } 'all of them to wait';
is $gw->request(GET => '/version')->{status}, 200, 'meanwhile others are served';
reload($gw, remember => '1ms', timeout => '20s'); # while they wait
$redis->thaw;
is $_->response->{status}, 200, 'twenty that wait for the same' for @waiting;
is questions() - $before, 1, '... have asked once';

sub log_out_later {
    my $c = $gw->connect;
    $c->send_request(GET => '/kapis/x', Authorization => "Bearer $token");
    $c->close;
    return;
}
is ask($gw, $token)->{status}, 200, 'after a reload the next ones ask by the new settings';

# ---- It is away --------------------------------------------------------------------------------------

reload($gw, remember => '0s', timeout => '300ms');
eventually { ask($gw, $token)->{status} == 200 } 'it to be there'; # within the 300 ms
my %leave = (
    'is frozen' => [sub { $redis->freeze }, sub { $redis->thaw }],
    'was killed' => [sub { $redis->kill }, sub { $redis->start }],
);
for my $fail (qw(closed open)) {
    reload($gw, remember => '0s', timeout => '300ms', fail => $fail);
    eventually { ask($gw, $token)->{status} == 200 } 'it to be there';
    for my $how (sort keys %leave) {
        my $failed = lookups($gw, 'failed');
        $leave{$how}[0]->();
        my $path = "/kapis/$fail/" . $how =~ s/ /-/r;
        my $r = ask($gw, $token, $path);
        if ($fail eq 'closed') {
            is $r->{status}, 503, "fail: closed, and Redis $how: refused";
            like $r->{json}{message}, qr/^the token cache can't be reached/, '... in words';
            ok $r->{headers}{'retry-after'}, '... and when to come again';
            is +($gw->access_log(1, sub { $_->{path} eq $path }))[0]{error}, 'token_cache_down', '... the log says why';
            is ask($gw, $token, '/version')->{status}, 200, '... what is open to all stays open';
        } else {
            is $r->{status}, 200, "fail: open, and Redis $how: let in";
            is +($gw->access_log(1, sub { $_->{path} eq $path }))[0]{authentication}, 'jwt-unconfirmed', '... the log tells it apart';
            is ask($gw, $gw->token('alice', exp => time - 60))->{status}, 401, '... but not with a token that is no good';
        }
        is ask($gw, $gw->token('robot', token_type => 'static_token', exp => undef))->{status}, 200, '... a static token needs no Redis';
        cmp_ok lookups($gw, 'failed'), '>', $failed, '... it is counted';
        eventually { $gw->stderr =~ /the token cache can't be reached: .*\(fail: $fail\)/ } 'the log';
        $leave{$how}[1]->();
        eventually { ask($gw, $token)->{status} == 200 && $gw->stderr =~ /the token cache \S+ is back/ } 'it to be back';
        pass '... when it is back, tokens are good again';
        log_out('alice', $token);
        eventually { ask($gw, $token)->{status} == 401 } 'the logout';
        $redis->command('SET', "kubesphere:user:alice:token:$token", $token);
        eventually { ask($gw, $token)->{status} == 200 } 'the login';
    }
}

# It answers, but not what was asked for.
$gw->configure(settings($gw->dir));
spew($gw->dir . '/redis.pw', "wrong\n");
$gw->reload;
eventually { ask($gw, $token)->{status} == 503 } 'a wrong password';
eventually { $gw->stderr =~ /the token cache can't be reached: \S+ (?:WRONGPASS|ERR)/ } 'the log';
unlike $gw->stderr, qr/kubesphere\n|\Q$token\E/, 'neither password nor token is in the log';

# A gateway that ends while it waits.
my $last = asking(timeout => '20s', remember => '0s');
$token = log_in($last, 'alice');
is ask($last, $token)->{status}, 200, 'one more';
$redis->freeze;
my $c = $last->connect;
$c->send_request(GET => '/kapis/x', Authorization => "Bearer $token");
eventually { $last->admin(GET => '/-/metrics')->{body} =~ /^ksgate_requests_active 2$/m } 'it to wait';
$last->kill('TERM');
$last->kill('TERM'); # asked twice: no more waiting
is $last->stop, 0, 'a gateway ends in good order while a request waits';
$redis->thaw;

# ---- What is wrong is said before ---------------------------------------------------------------------

for my $case (
    [{url => ''}, qr/authentication\.token_cache_redis\.url: is required, because an issuer has token_cache: redis/],
    [{url => 'http://redis'}, qr/authentication\.token_cache_redis\.url: /],
    [{url => $redis->url, password_file => '/nowhere/pw'}, qr{token_cache_redis\.password_file: /nowhere/pw can't be read}],
    [{url => $redis->url, fail => 'maybe'}, qr/authentication\.token_cache_redis\.fail: /],
) {
    my $dir = tempdir();
    my $bad = gateway(core => $up->url, dir => $dir, start => 0, config => {authentication => {
        issuers => [{issuer => 'http://iss', secret_file => "$dir/secret", token_cache => 'redis'}], token_cache_redis => $case->[0],
    }});
    my $r = $bad->ksgate_here('check');
    is $r->{code}, 1, 'check refuses ' . JSON::PP::encode_json($case->[0]);
    like $r->{out} . $r->{err}, $case->[1], '... in words';
}

done_testing;
