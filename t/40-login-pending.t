# Who asks again and again to log in does not keep the sessions of others from being refreshed: half of login.pending is theirs alone.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Login qw(metric PAGE);
use Gateway::Oidc;

my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'page'] };
my $tokens = upstream { $_[0]->hold; [503, {}, 'not now'] }; # a provider that takes its time
my $gw = gateway(core => $core->url, start => 0, workers => 2);
my $idp = Gateway::Oidc->new(clients => [Gateway::Login::client($gw)]);
my $world = Gateway::Login->new($idp, members => $ext->url, open => $ext->url);

my ($pending, $share) = (8, 4);
my %login = (refresh_at => '0%', pending => $pending, timeout => '60s', refresh_retry => '1h');
my @fetch = ('Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Site' => 'same-origin');
my $failed = 'ksgate_login_refreshes_total{result="failed"}';
my $unavailable = 'ksgate_logins_total{result="login_unavailable"}';

$world->begin($gw, login => {%login, refresh_at => '80%'});
my $url = $gw->url;
my @sessions = map { $world->logged_in($gw, "user$_") } 1 .. $share + 1;
$gw->stop;
$world->configure($gw, login => {%login, token_endpoint => $tokens->url . '/token'});
$gw->start;

# Ways back from the provider, as anybody can make them: the code is no good, and the provider has to be asked about it.
sub begin { return $world->browser('mallory')->request(GET => "$url/-/login?return=/x", 'Sec-Fetch-Mode' => 'navigate', Accept => 'text/html') }
my @begun = map {
    my $r = begin();
    my ($state) = $r->{headers}{location} =~ /[?&]state=([^&]+)/;
    my ($cookie) = map { $_->[1] =~ /^([^;]+)/ } grep { lc $_->[0] eq 'set-cookie' } @{$r->{lines}};
    [$state, $cookie];
} 1 .. $share + 7;
my $issuer = $idp->url =~ s/([:\/])/sprintf '%%%02X', ord $1/ger;
sub way_back {
    my ($state, $cookie) = @{shift @begun};
    my $c = $gw->connect;
    $c->send_request(GET => "/-/login/callback?code=nonsense&state=$state&iss=$issuer", Cookie => $cookie, Accept => 'text/html');
    return $c;
}
sub page { my ($b) = @_; return $b->copy->request(GET => "$url@{[PAGE]}", @fetch)->{status} }

my @flood = map { way_back() } 1 .. $share;
eventually { $tokens->seen == $share } 'all of them to be under way';
for (1 .. 3) {
    my $r = way_back()->response;
    is $r->{status}, 503, 'one login more than may be under way is refused';
    like $r->{body}, qr/login_unavailable/, '... at once, in words';
}
is begin()->{status}, 503, '... nor is one begun';
is metric($gw, $unavailable), 4, '... which is counted';
is $tokens->seen, $share, '... and the provider is asked nothing for it';

is page($sessions[$_ - 1]), 200, "session $_ goes on" for 1 .. $share;
eventually { $tokens->seen == $pending } 'each to be refreshed beside the flood';
my @asked = map { $_->{body} =~ /grant_type=(\w+)/ ? $1 : '' } $tokens->requests;
is_deeply \@asked, [('authorization_code') x $share, ('refresh_token') x $share], 'what is kept for refreshes is used by them alone';
is metric($gw, $failed), 0, '... and none was in vain';
is page($sessions[-1]), 200, 'one more goes on, too';
eventually { metric($gw, $failed) == 1 } 'its refresh to be in vain';
is $tokens->seen, $pending, '... since not more than login.pending are under way';
is way_back()->response->{status}, 503, 'nor does a login take a place that is a refresh\'s';

my $stays = shift @flood;
$_->close for @flood; # a client that leaves gives nothing back before the provider has answered
is way_back()->response->{status}, 503, 'who leaves and comes again gets no further';
$tokens->release($pending);
eventually { metric($gw, $failed) == $share + 1 } 'the answers';
is $stays->response->{status}, 503, 'also to a login'; # which has its place no more; the others may still have theirs
my $again = way_back();
eventually { $tokens->seen == $pending + 1 } 'a login to be let through';
ok 1, 'then the places are free again';
$tokens->release;
is $again->response->{status}, 503, '... and it hears what the provider says';

done_testing;
