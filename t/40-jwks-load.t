# An issuer changes its keys, or is frozen, while fifty clients go on asking: none of them notices.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Keys;
use Gateway::Objects;

use constant CLIENTS => 50;

my $dir = tempdir();
my $iss = 'https://idp.example.com';
my $up = upstream { [200, {}, 'extension'] };
my @key = map { Gateway::Keys->new("k$_") } 0 .. 5;

sub publish { spew("$dir/set.tmp", Gateway::Keys::set(@_)); return rename "$dir/set.tmp", "$dir/set" }

publish($key[0]);
my $issuer = upstream {
    my ($r) = @_;
    $r->hold if -e "$dir/hold";
    return [200, {'Cache-Control' => 'max-age=3600'}, slurp("$dir/set")];
};
my $gw = gateway(core => $up->url, workers => 2, config => {authentication => {
    issuers => [{issuer => $iss, jwks_url => $issuer->url, token_types => []}],
    key_sets => {file => "$dir/known", refetch => '1s', wait => '10s', timeout => '20s'},
}});
$gw->apply([extension('members', $up->url, access => 'authenticated')]);

sub token { my ($n) = @_; return $key[$n]->token({iss => $iss, username => 'alice', iat => time, exp => time + 6000}) }

# All clients at once: {status => how many}.
my @client = map { Gateway::Client->new(to => '127.0.0.1:' . $gw->port, seconds => 30) } 1 .. CLIENTS;
sub send_all { my ($token) = @_; $_->send_request(GET => '/extensions/members/x', Authorization => "Bearer $token") for @client; return }
sub answers { my %n; $n{$_->response->{status}}++ for @client; return \%n }
sub ask_all { send_all(@_); return answers() }
my $all_good = {200 => CLIENTS};

is_deeply ask_all(token(0)), $all_good, 'fifty clients with a token of the first key';

# ---- A new key, at once and without notice ----------------------------------------------------------

$issuer->forget;
spew("$dir/hold", '');
publish($key[1]);
send_all(token(1));
$issuer->wait_for(1);
eventually { $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_requests_active (\d+)/m && $1 > CLIENTS } 'all of them to wait';
unlink "$dir/hold";
$issuer->release(10);
is_deeply answers(), $all_good, 'they come with a token of the next key: all wait for it, and are good';
is $issuer->seen, 1, 'and the issuer is asked once for all of them';

my $nobody = Gateway::Keys->new('nobody');
$issuer->forget;
my $began = time;
is_deeply ask_all($nobody->token({iss => $iss, username => 'eve', iat => time - 600, exp => time + 600})), {401 => CLIENTS},
    'with a token of nobody\'s key: all are refused';
cmp_ok $issuer->seen, '<=', 1 + time - $began, 'and the issuer is asked once at most in key_sets.refetch';
$issuer->forget;
$began = time;

# ---- Changes that are faster than the issuer may be asked ------------------------------------------------

for my $n (2 .. 5) {
    my $old = token($n - 1);
    send_all($old);
    publish($key[$n]);
    is_deeply answers(), $all_good, "the change to key $n: those that are on their way";
    is_deeply ask_all(token($n)), $all_good, 'those that come with the new key';
    is_deeply ask_all($old), $all_good, 'those that still have the old one';
}
cmp_ok $issuer->seen, '<=', 1 + time - $began, 'the issuer was asked once for each change'; # no more often than that it may be

# ---- Frozen --------------------------------------------------------------------------------------------------

$issuer->freeze;
for my $round (1 .. 20) {
    my $n = $round % 6;
    my $seen = ask_all(token($n));
    is_deeply $seen, $all_good, "a frozen issuer: the known keys go on, round $round" if $round % 5 == 0 || ($seen->{200} // 0) != CLIENTS;
}
$client[0]->send_request(GET => '/extensions/members/x',
    Authorization => 'Bearer ' . Gateway::Keys->new('nobody')->token({iss => $iss, username => 'eve', exp => time + 600}));
is_deeply {map { $_->send_request(GET => '/extensions/members/x', Authorization => 'Bearer ' . token(5)); $_->response->{status} => 1 } @client[1 .. 20]},
    {200 => 1}, 'one who waits for a frozen issuer is in nobody\'s way';
$client[0]->close;
$gw->stop;
$gw->start;
@client = map { Gateway::Client->new(to => '127.0.0.1:' . $gw->port, seconds => 30) } 1 .. CLIENTS;
is_deeply ask_all(token($_)), $all_good, "after a restart with the issuer frozen: key $_" for 4, 5;
$issuer->thaw;

done_testing;
