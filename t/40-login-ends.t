# A browser's session that is to end does: by a revocation and by a logout, also for who has a copy of its cookie; and no other way.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Login qw(cookie_key metric renewed SESSION PAGE);
use Gateway::Oidc;

my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'page'] };
my $slow = upstream { $_[0]->hold; [200, {}, 'late'] };
my $away = upstream { [503, {}, 'not now'] };
my %gw = map { $_ => gateway(core => $core->url, start => 0, workers => 2) } qw(one two away);
$gw{two}{cookie_keys} = $gw{one}{cookie_keys} = cookie_key();
my $idp = Gateway::Oidc->new(clients => [Gateway::Login::client(values %gw)]);
my $world = Gateway::Login->new($idp, members => $ext->url, open => $ext->url, slow => $slow->url);

my ($page, $session) = (PAGE, SESSION);
my @fetch = ('Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Site' => 'same-origin');
my @navigation = ('Sec-Fetch-Mode' => 'navigate', Accept => 'text/html');
my $token = qr{POST /token$};
my $refreshed = 'ksgate_login_refreshes_total{result="ok"}';
my $ended = 'ksgate_login_refreshes_total{result="ended"}';
sub stamp { my @t = gmtime $_[0]; return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0] }
sub revocation { my ($name, %spec) = @_; return {apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => $name}, spec => \%spec} }

# On several connections, so that several workers are asked.
sub is_out {
    my ($b, $url, $says, $what) = @_;
    my @answers = map { $b->copy->request(GET => "$url$page", @fetch) } 1 .. 6;
    is scalar(grep { $_->{status} == 401 && $_->{json}{message} =~ $says } @answers), 6, $what or diag "$_->{status} $_->{body}" for @answers[0 .. 0];
    ok !(grep { renewed($_) } @answers), '... and gets no new one';
    return;
}

# A new session of which there is a copy with the cookie of before a refresh, and that refresh is over.
sub session_and_copy {
    my ($gw, $who) = @_;
    my $b = $world->logged_in($gw, $who);
    my $copy = $b->copy;
    eventually { renewed($b->request(GET => $gw->url . $page, @fetch)) } 'a refresh';
    return ($b, $copy);
}

# ---- Revoked -----------------------------------------------------------------------------------------

my $gw = $world->begin($gw{one}, login => {refresh_at => '0%', refresh_remember => '1s', revocation_endpoint => $away->url . '/revoke'});
my $url = $gw->url;
{
    my ($b, $copy) = session_and_copy($gw, 'alice');
    my $now = time;
    eventually { time > $now } 'the second of the login to be over';
    $gw->apply([revocation('alice', user => 'alice', before => stamp(time))]);
    my $r;
    eventually { $r = $b->request(GET => "$url$page", @fetch); $r->{status} != 200 } 'the revocation';
    like $r->{json}{message}, qr/the token has been revoked/, 'a revocation of all before now ends a session that is refreshed at each request';
    is $b->cookie($url, $session), undef, 'and its cookie is taken away';
    my $before = $idp->asked($token);
    is_out($copy, $url, qr/has been revoked/, 'a copy of its cookie is none either');
    is $idp->asked($token), $before, 'and the provider is not asked for another';
    $r = $copy->copy->request(GET => "$url/-/login/session");
    is_deeply [$r->{status}, $r->{json}], [200, {user => undef}], 'nobody is logged in, says the path that scripts ask';
    is $r->{headers}{'cache-control'}, 'no-store', 'to nobody else';
    ok renewed($world->browser('alice')->open("$url/-/login?return=/extensions/open/x", stop => qr{/extensions/open/x$})), 'who logs in for later is in';
    $gw->apply([revocation('carol', user => 'carol', before => stamp(time + 3600))]);
    eventually { my $o = $world->browser('carol')->open("$url$page"); $o->{body} =~ /has been revoked.*token_revoked/s } 'a login to be refused';
    ok 1, 'nobody logs in before a time that is still to come';
}
{
    my $b = $world->logged_in($gw, 'bob');
    my $copy = $b->copy;
    $b->request(GET => "$url/version", @fetch);
    my ($text) = $core->last->{headers}{authorization} =~ /^Bearer ([\w-]+\.[\w-]+)\./;
    $gw->apply([revocation('bobs', tokenHash => encode_base64url(sha256($text)))]);
    my $r;
    eventually { $r = $copy->copy->request(GET => "$url$page", @fetch); $r->{status} != 200 } 'the revocation of one token';
    is_out($copy, $url, qr/has been revoked/, 'a token that is revoked is not refreshed');
    is $copy->request(GET => "$url$page", @fetch)->{status}, 401, 'the session is over';
    is $copy->cookie($url, $session), undef, 'and taken away';
}

# ---- Logged out --------------------------------------------------------------------------------------

{
    my ($b, $copy) = session_and_copy($gw, 'dave');
    my $late = $copy->copy;
    my $c = $gw->connect; # a request of before the logout, whose answer comes after it
    my $asked = $slow->seen;
    $c->send_request(GET => '/extensions/slow/x', $late->header($url), @fetch);
    eventually { $slow->seen > $asked } 'the backend to be asked';
    $copy->request(POST => "$url/-/logout", @fetch, Accept => 'application/json', 'Content-Type' => 'application/json', body => '{}');
    is $copy->cookie($url, $session), undef, 'a logout';
    $slow->release;
    my $r = $c->response;
    is "$r->{status} $r->{body}", '200 late', 'what was under way is answered';
    ok !(grep { lc $_->[0] eq 'set-cookie' && $_->[1] =~ /^$session/ } @{$r->{lines}}), 'without a word of the session';
    my $before = $idp->asked($token);
    is_out($b, $url, qr/session is over/, 'a copy of the cookie is none any more');
    is_out($late, $url, qr/session is over/, 'nor is an older one');
    is $idp->asked($token), $before, 'and no refresh is tried';
    like $late->request(GET => "$url/-/logout", @navigation)->{body}, qr/You are logged out/, 'which a page says, too';

    # Given back is what is good, and once more when that fails.
    eventually { $away->seen >= 2 } 'the refresh token to be given back';
    $b->request(POST => "$url/-/logout", @fetch, Accept => 'application/json', 'Content-Type' => 'application/json', body => '{}');
    eventually { $away->seen >= 4 } 'that of the newest cookie';
    my @given = map { $_->{body} } $away->requests;
    is scalar(@given), 4, 'each is tried twice';
    like $given[0], qr/^token=[\w%.-]+&token_type_hint=refresh_token/, 'as RFC 7009 has it';
    is $given[0], $given[2], 'and from the older cookie the newest token is given back';
    like $gw->stderr, qr/has not taken back a refresh token/, 'the log has it when that does not help';
}

# ---- Not for less ------------------------------------------------------------------------------------

{
    # The answer with the new cookie is lost, and the old one comes again, later than login.refresh_remember.
    my ($b, $copy) = session_and_copy($gw, 'erin');
    my $then = time;
    eventually { time > $then + 2 } 'login.refresh_remember to be over';
    ok renewed($copy->copy->request(GET => "$url$page", @fetch)), 'while a token is good, what came of its refresh is remembered';
    is metric($gw, $ended), 0, 'no refresh token was used twice';

    # Another gateway does not know of that.
    my $two = $world->begin($gw{two}, login => {refresh_at => '0%'});
    $copy->cookie($two->url, $_ => $copy->cookie($url, $_)) for keys %{$copy->cookies($url)};
    eventually { $copy->request(GET => $two->url . $page, @fetch); metric($two, $ended) >= 1 } 'the provider to refuse it';
    is $copy->request(GET => $two->url . $page, @fetch)->{status}, 200, 'a refresh that is refused ends no session whose token is good';
    ok defined $copy->cookie($two->url, $session), 'the browser keeps it';

    # What reaches all gateways is a revocation (here by hand, as there is no registry that they share).
    my $now = time;
    eventually { time > $now } 'the second to be over';
    $two->apply([revocation('erin', user => 'erin', before => stamp(time))]);
    eventually { $copy->copy->request(GET => $two->url . $page, @fetch)->{status} == 401 } 'a revocation';
    is_out($copy, $two->url, qr/has been revoked/, 'and it ends the session there');
    $two->stop;
}
$gw->stop;
{
    my $gw = $world->begin($gw{away}, login => {refresh_at => '0%', refresh_retry => '1h', token_endpoint => $idp->url . '/token'});
    my $b = $world->logged_in($gw, 'frank');
    $world->configure($gw, login => {refresh_at => '0%', refresh_retry => '1h', token_endpoint => $away->url . '/token'});
    $gw->stop;
    $gw->start;
    $away->forget;
    my $failed = 'ksgate_login_refreshes_total{result="failed"}';
    eventually { $b->request(GET => $gw->url . $page, @fetch); metric($gw, $failed) >= 1 } 'a refresh to fail';
    is $b->request(GET => $gw->url . $page, @fetch)->{status}, 200, 'a good token goes on' for 1 .. 8;
    is $away->seen, 1, 'and for login.refresh_retry the provider is not asked again, by any worker';
    $gw->stop;
}

# ---- Answers of all kinds ---------------------------------------------------------------------------------

{
    # A provider that gives no ID token with a refresh, and each refresh token for one use.
    my $gw = $world->begin($gw{away}, login => {refresh_at => '0%', token_endpoint => $idp->url . '/token'});
    my $b = $world->logged_in($gw, 'gina');
    $gw->stop;
    my $brief = upstream { [200, {'Content-Type' => 'application/json'}, '{"access_token":"a","token_type":"Bearer","refresh_token":"next-' . "$$-$_[0]{n}" . '"}'] };
    my $cached = upstream { my ($r) = @_; [200, {'Cache-Control' => $r->{target} =~ m{/([\w=,-]+)$} ? $1 =~ s/,/, /gr : ''}, 'page'] };
    local $world->{extensions}{open} = $cached->url;
    $world->begin($gw, login => {refresh_at => '0%', token_endpoint => $brief->url . '/token'});
    for my $n (1 .. 3) {
        my $seen = $brief->seen;
        eventually { $b->request(GET => $gw->url . $page, @fetch); $brief->seen > $seen } 'a refresh';
    }
    my @used = map { $_->{body} =~ /refresh_token=([^&]+)/ } $brief->requests;
    ok !(grep { my $one = $_; 1 < grep { $_ eq $one } @used } @used), 'a refresh token that came without an ID token is kept: none is used twice' or diag "@used";
    is $b->request(GET => $gw->url . $page, @fetch)->{status}, 200, 'and the token is the one that it was';

    # What the backend says of caches, beside a cookie that is taken away.
    for (
        ['public,max-age=60', 'private'], ['max-age=60', 'private'], ['s-maxage=60', 'private'], ['private', 'private'],
        ['no-store', 'no-store'], ['no-cache,max-age=0', 'no-cache, max-age=0'], ['private,max-age=60', 'private, max-age=60'],
    ) {
        my ($backend, $browser) = @$_;
        my $r = $gw->request(GET => "/extensions/open/$backend", Cookie => "$session=x");
        is $r->{headers}{'cache-control'}, $browser, "a cookie is taken away by an answer of '$backend'";
        is $gw->request(GET => "/extensions/open/$backend")->{headers}{'cache-control'}, $backend =~ s/,/, /gr, '... which is else left alone';
    }
    $gw->stop;
}

# ---- A provider whose document can't be had ----------------------------------------------------------------

{
    my $file = $gw{away}->dir . '/document';
    my $document = upstream { -e $file ? [200, {'Content-Type' => 'application/json'}, slurp($file)] : [503, {}, ''] };
    my $world = Gateway::Login->new($document, open => $ext->url);
    my $gw = $world->begin($gw{away}, login => {refresh_retry => '1h'}, issuer => {discovery => undef, secret_file => $gw{away}->dir . '/client', allow_weak_secret => JSON::PP::true});
    my $asked = sub { scalar grep { $_->{target} =~ /openid-configuration/ } $document->requests };
    is $gw->request(GET => '/-/login', @navigation)->{status}, 503, 'where the provider is, is not known' for 1 .. 5;
    is $asked->(), 1, 'and not asked again and again';
    my $n = () = $gw->stderr =~ /login: the provider \S+ the answer's status is not 200/g;
    is $n, 1, 'which is a line of the log';
    $gw->stop;

    spew($file, JSON::PP->new->encode({issuer => $document->url, map { ("${_}_endpoint" => $document->url . "/$_") } qw(authorization token)}));
    $world->configure($gw, login => {refresh_retry => '1s', discovery_refresh => '1s'}, issuer => {discovery => undef, secret_file => $gw->dir . '/client', allow_weak_secret => JSON::PP::true});
    $document->forget;
    $gw->start;
    is $gw->request(GET => '/-/login', @navigation)->{status}, 302, 'when it is known';
    unlink $file;
    eventually { is_good($gw); $asked->() >= 3 } 'the document to be asked for again';
    is $gw->request(GET => '/-/login', @navigation)->{status}, 302, 'logins go on, also when that is in vain';
    like $gw->stderr, qr/login: the provider \S+ the answer's status is not 200/, 'which the log has';
    $gw->stop;
}
sub is_good { my ($gw) = @_; my $r = $gw->request(GET => '/-/login', @navigation); die "no login: $r->{status}" if $r->{status} != 302; return }

done_testing;
