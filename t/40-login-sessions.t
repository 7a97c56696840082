# What becomes of a browser's session: refreshed once whoever asks, kept while the provider is away, and ended when it has to end.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Login qw(cookie_key metric together renewed SESSION PAGE);
use Gateway::Oidc;

my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {'Cache-Control' => 'public, max-age=3600'}, 'page'] };
my %gw = map { $_ => gateway(core => $core->url, start => 0, workers => 2) } qw(rotating brief ended keys outside large strangers plain);
my $idp = Gateway::Oidc->new(clients => [Gateway::Login::client(values %gw)]);
my $world = Gateway::Login->new($idp, members => $ext->url, open => $ext->url);

my ($page, $session) = (PAGE, SESSION);
my @fetch = ('Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Site' => 'same-origin');
my @navigation = ('Sec-Fetch-Mode' => 'navigate', Accept => 'text/html');
my $token = qr{POST /token$};
# Other settings, of which all workers have heard; and where the provider is, is known again.
sub reload_with {
    my ($gw, %login) = @_;
    $world->configure($gw, login => \%login);
    my $r = $gw->ksgate_here('reload');
    $r->{code} == 0 or die "reload: $r->{err}";
    $r = $gw->request(GET => '/-/login', @navigation);
    $r->{status} == 302 or die "login: $r->{body}";
    return;
}
sub all_are { my ($status, @answers) = @_; return !grep { $_->{status} != $status } @answers }

# ---- Refreshed, once ------------------------------------------------------------------------------

{
    my %login = (refresh_at => '0%', refresh_retry => '100ms');
    my $gw = $world->begin($gw{rotating}, login => {%login, timeout => '60s'}); # or a token might be used twice
    my $url = $gw->url;
    my $b = $world->logged_in($gw, 'carol');
    my ($before, $old) = ($idp->asked($token), $b->copy);
    $idp->freeze; # so that they all come meanwhile
    ok all_are(200, together($b, $gw, 20, @fetch)), 'no request is kept out while the session is refreshed';
    $idp->thaw;
    my $ok = 'ksgate_login_refreshes_total{result="ok"}';
    eventually { metric($gw, $ok) >= 1 } 'the refresh to be over';
    is $idp->asked($token) - $before, 1, 'which is done once for all of them, in all workers';
    my $r;
    eventually { renewed($r = $old->request(GET => "$url$page", @fetch)) } 'a request with the old cookie that gets what came of it';
    is $r->{status}, 200, 'and is let in';
    is $r->{headers}{'cache-control'}, 'private', 'with an answer that no cache gives to others';
    isnt $old->cookie($url, $session), $b->cookie($url, $session), 'a new session';
    for my $round (1 .. 5) { # the provider ends a grant of which a token is used twice
        ok all_are(200, together($old, $gw, 6, @fetch)), "all are let in, round $round";
        eventually { renewed($r = $old->request(GET => "$url$page", @fetch)) } 'a new session';
    }
    is $b->request(GET => "$url$page", @fetch)->{status}, 200, 'also with the cookie of before all that';
    is metric($gw, 'ksgate_login_refreshes_total{result="ended"}'), 0, 'no refresh token was used twice: the provider has ended nothing';

    reload_with($gw, %login, timeout => '1s');
    $idp->freeze;
    ok all_are(200, together($old, $gw, 4, @fetch)), 'while the provider is away, a good token goes on';
    eventually { $old->request(GET => "$url$page", @fetch); metric($gw, 'ksgate_login_refreshes_total{result="failed"}') >= 1 } 'a refresh to be in vain';
    is $old->request(GET => "$url$page", @fetch)->{status}, 200, 'also when that is known';
    $r = $world->browser('dave')->request(GET => "$url/-/login?return=/x", @navigation);
    is $r->{status}, 302, 'where the provider is, is known for an hour';
    $idp->thaw;
    $gw->stop;
}

# ---- A token that has expired ------------------------------------------------------------------------

{
    my %login = (refresh_retry => '100ms', timeout => '60s');
    my $gw = $world->begin($gw{brief}, login => \%login);
    my $url = $gw->url;
    my $b = $world->logged_in($gw, 'brief');
    my $ends = $b->request(GET => "$url/-/login/session")->{json}{tokenExpires};
    my $over = sub { # the token that this session has just now
        my ($seconds) = $_[0] =~ /:(\d\d)\.\d+Z$/;
        eventually { my $now = (gmtime)[0]; my $since = ($now - $seconds) % 60; $since > 0 && $since < 30 } 'the token to expire';
    };
    $over->($ends);
    my $before = $idp->asked($token);
    $idp->freeze; # until all of them have come
    my @open = map { my $c = $gw->connect; $c->send_request(GET => $page, $b->header($url), @fetch); $c } 1 .. 8;
    eventually { metric($gw, 'ksgate_requests_active') > 8 } 'all of them to wait';
    $idp->thaw;
    my @all = map { $_->response } @open;
    ok all_are(200, @all), 'requests whose token has expired wait for the refresh, and are let in';
    is $idp->asked($token) - $before, 1, 'for one refresh';
    is scalar(grep { renewed($_) } @all), 8, 'and all get what came of it';

    # The provider does not answer, and then it does again.
    $b->keep("$url/", $all[0]);
    $over->($b->request(GET => "$url/-/login/session")->{json}{tokenExpires});
    reload_with($gw, %login, timeout => '1s');
    $idp->freeze;
    my $r = $b->request(GET => "$url$page", @fetch);
    is $r->{status}, 503, 'a provider that does not answer is nobody\'s fault: 503';
    is $r->{headers}{'retry-after'}, 1, 'and not for long';
    like $r->{json}{message}, qr/identity provider can't be reached/, 'which is said';
    is $b->request(GET => "$url/extensions/open/x", @fetch)->{status}, 200, 'where all may come, it does not matter';
    ok defined $b->cookie($url, $session), 'the session stays';
    $idp->thaw;
    eventually { $b->request(GET => "$url$page", @fetch)->{status} != 503 } 'the provider to be back';
    # What was on its way to a provider that was frozen has arrived there after all, so its token was used: nobody knows what came of it.
    is $b->request(GET => "$url/extensions/open/x", @fetch)->{status}, 200, 'and all goes on';
    reload_with($gw, %login);

    my $c = $world->logged_in($gw, 'brief');
    $over->($c->request(GET => "$url/-/login/session")->{json}{tokenExpires});
    $idp->stop;
    is $c->request(GET => "$url$page", @fetch)->{status}, 503, 'a provider that is not there: 503';
    is $world->browser('eve')->request(GET => "$url/-/login", @navigation)->{status}, 302, 'the way to it is still known';
    $idp->start; # it has forgotten all it ever gave out
    eventually { $c->request(GET => "$url/extensions/open/x", @fetch); !defined $c->cookie($url, $session) } 'the provider to refuse the refresh token';
    ok 1, 'a session whose refresh is refused is over';
    $c->cookie($url, "$session-done" => undef); # its ten seconds are over
    $r = $c->request(GET => "$url$page", @navigation);
    is $r->{status}, 302, 'and its browser logs in';
    $c->cookie($idp->url, $_ => undef) for grep { $_ ne 'who' } keys %{$c->cookies($idp->url)};
    is $c->open("$url$page")->{status}, 200, 'and is in again';
    $gw->stop;
}

# ---- Sessions that have to end ------------------------------------------------------------------------

{
    my $gw = $world->begin($gw{ended}, login => {session_max => '1h'});
    my $url = $gw->url;
    my $b = $world->logged_in($gw, 'frank');
    is $b->request(GET => "$url$page", @fetch)->{status}, 200, 'a session';
    my $r;
    my $old = $b->copy;
    my $cookie = $session . '=' . $b->cookie($url, $session); # which the browser may have dropped by then
    reload_with($gw, session_max => '1s');
    eventually { $r = $b->request(GET => "$url$page", @fetch); $r->{status} != 200 } 'its end';
    is $r->{status}, 401, 'ends at session_max, however good its token is';
    like $gw->request(GET => $page, @fetch, Cookie => $cookie)->{json}{message}, qr/the session is over: log in again/, 'and says so';
    is $b->cookie($url, $session), undef, 'its cookie is taken away';
    $old->cookie($url, "$session-done" => undef);
    is $old->request(GET => "$url$page", @navigation)->{status}, 302, 'a browser is sent to log in';
    $gw->stop;

    # Revoked, like any token.
    $world->configure($gw, login => {session_max => '1h'});
    $gw->start;
    $b = $world->logged_in($gw, 'grace');
    is $b->request(GET => "$url$page", @fetch)->{status}, 200, 'another session';
    my $navigating = $b->copy;
    $gw->apply([{apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => 'grace'},
        spec => {user => 'grace', before => stamp(time + 5), expires => stamp(time + 3600)}}]);
    eventually { $r = $b->request(GET => "$url$page", @fetch); $r->{status} != 200 } 'the revocation';
    like $r->{json}{message}, qr/the token has been revoked/, 'a revocation ends it';
    is $b->cookie($url, $session), undef, 'and takes its cookie away';
    $r = $navigating->request(GET => "$url$page", @navigation);
    is $r->{status}, 401, 'a browser that has just logged in is not sent round in a circle';
    like $r->{body}, qr/the token has been revoked.*You have just logged in/s, 'but told why';
    like $r->{body}, qr{<a href="/-/login\?return=%2Fextensions%2Fmembers%2Fx">}, 'and may try again';
    $b->cookie($url, "$session-done" => undef);
    is $b->request(GET => "$url$page", @navigation)->{status}, 302, 'later, it is sent there';
    $gw->stop;

    # Whom the provider knows, and we don't.
    my $strangers = $world->begin($gw{strangers}, more => {authentication => {users => 'registered'}});
    $r = $world->browser('heidi')->open($strangers->url . $page);
    is $r->{status}, 401, 'a user who is not registered is not in';
    like $r->{body}, qr/not registered.*token_user/s, 'and told so after the first login';
    $strangers->stop;
}
sub stamp { my @t = gmtime $_[0]; return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0] }

# ---- Keys of the cookies -----------------------------------------------------------------------------

{
    my $gw = $gw{keys};
    my ($first, $second) = (cookie_key(), cookie_key());
    my $reload = sub {
        my ($keys) = @_;
        $gw->{cookie_keys} = $keys;
        return reload_with($gw);
    };
    $gw->{cookie_keys} = $first;
    $world->begin($gw);
    my $url = $gw->url;
    my $b = $world->logged_in($gw, 'ivan');
    my $is_in = sub { return $_[0]->copy->request(GET => "$url$page", @fetch)->{status} == 200 };
    $reload->("$second$first");
    ok $is_in->($b), 'a new key in front logs nobody out';
    my $c = $world->logged_in($gw, 'judy');
    $reload->($second);
    ok $is_in->($c), 'when the old key is gone, sessions of the new one stay';
    ok !$is_in->($b), 'and those of the old one end';
    $gw->stop;
    $gw->start;
    ok $is_in->($c), 'a restart ends none';
    $gw->stop;

    $world->configure($gw, login => {cookie_keys_file => undef});
    $gw->start;
    like $gw->stderr, qr/login\.cookie_keys_file: none is named: every session ends when the gateway is started again/, 'without a file of keys there is a warning';
    my $d = $world->logged_in($gw, 'ken');
    reload_with($gw, cookie_keys_file => undef);
    ok $is_in->($d), 'a reload ends no session';
    $gw->stop;
    $gw->start;
    ok !$is_in->($d), 'a restart does';
    $gw->stop;
}

# ---- Behind a TLS terminator -------------------------------------------------------------------------

for my $written ('https://gate.example', '') {
    my $gw = $world->begin($gw{outside}, login => {external_url => $written}, more => {trusted_proxies => ['127.0.0.1']});
    my @proxy = $written ? () : ('X-Forwarded-Proto' => 'https', 'X-Forwarded-Host' => 'gate.example');
    my $how = $written ? 'by external_url' : 'by X-Forwarded-Proto';
    my $b = $world->browser('laura');
    my ($here, $host) = ('https://gate.example', '127.0.0.1:' . $gw->port);
    my $at_gate = sub { # the part of the way that leads through the terminator
        my ($path) = @_;
        local $b->{through} = $host;
        return $b->request(GET => "$here$path", @navigation, @proxy);
    };
    my $r = $at_gate->($page);
    $r = $at_gate->($r->{headers}{location});
    like $r->{headers}{location}, qr/&redirect_uri=https%3A%2F%2Fgate.example%2F-%2Flogin%2Fcallback&/, "$how, the provider sends browsers back by https";
    $r = $b->open($r->{headers}{location}, stop => qr/callback/);
    $r = $at_gate->($r->{next} =~ s/^\Q$here\E//r);
    my @cookies = map { $_->[1] } grep { lc $_->[0] eq 'set-cookie' } @{$r->{lines}};
    is scalar(grep { /^__Host-$session[\w-]*=.*; Path=\/.*; HttpOnly; SameSite=Lax; Secure$/ } @cookies), scalar @cookies,
        'and all cookies are this host\'s alone, and secure' or diag explain \@cookies;
    $r = $at_gate->($page);
    is $r->{body}, 'page', 'they are taken';
    is $ext->last->{headers}{cookie}, undef, 'and kept from the backend';
    my ($value) = map { $b->cookies($here)->{$_} } "__Host-$session";
    is $gw->request(GET => $page, @fetch, Cookie => "$session=$value", $written ? () : (@proxy))->{status}, 401, 'under the other name they are none';
    is $ext->last->{headers}{cookie}, undef, 'and go nowhere either';
    $gw->stop;
}

# ---- Large tokens --------------------------------------------------------------------------------------

{
    my $gw = $world->begin($gw{large});
    my $url = $gw->url;
    my $b = $world->browser('large-6000');
    is $b->open("$url$page")->{status}, 200, 'a token that is larger than a cookie';
    is_deeply [sort grep { /^$session/ } keys %{$b->cookies($url)}], [$session, "$session-2", "$session-3", "$session-done"], 'is in several';
    is $ext->last->{headers}{cookie}, undef, 'of which the backend gets none';
    my $part = $b->copy;
    $part->cookie($url, "$session-2" => undef);
    is $part->request(GET => "$url$page", @fetch)->{status}, 401, 'without one of them it is none';
    is_deeply [sort grep { /^$session/ } keys %{$part->cookies($url)}], ["$session-done"], 'and the rest is taken away';
    my $r = $b->request(POST => "$url/-/logout", 'Sec-Fetch-Site' => 'same-origin');
    is_deeply [grep { /^$session/ } keys %{$b->cookies($url)}], [], 'a logout takes all of them';
    $r = $world->browser('large-10000')->open("$url$page");
    is $r->{status}, 502, 'one that is larger than login.cookie_bytes';
    like $r->{body}, qr/larger than a session may be \(login\.cookie_bytes\)/, 'is said to be';
    $r = $world->browser('large-14000')->open("$url$page");
    is $r->{status}, 502, 'one that is larger than a token may be';
    like $r->{body}, qr/login_failed/, 'is none';
    $gw->stop;
}

# ---- Without it, and wrong ------------------------------------------------------------------------------

{
    my $plain = $gw{plain};
    $world->configure($plain, login => {issuer => undef, client_id => undef, client_secret_file => undef, cookie_keys_file => undef});
    my $r = $plain->ksgate_here('plan', '/extensions/x');
    unlike $r->{out}, qr/login/, 'without `login.issuer`, requests have no step of it';
    $plain->start;
    is $plain->request(GET => '/kapis/x', @navigation)->{status}, 401, 'and browsers get what they got before';
    is $plain->request(GET => '/-/login', @navigation)->{status}, 401, 'there is no login';
    $plain->stop;
    $world->configure($plain);
    like $plain->ksgate_here('plan', '/extensions/x')->{out}, qr/login/, 'with it, they have';
    spew($plain->dir . '/bad.keys', cookie_key() . "no key\n");
    for (
        [{issuer => 'https://other.example'}, qr/login\.issuer: "https:\/\/other\.example" is none of authentication\.issuers/],
        [{client_id => ''}, qr/login\.client_id: is required/],
        [{client_secret_file => '/nonexistent'}, qr/login\.client_secret_file: \/nonexistent: No such file/],
        [{cookie_keys_file => $plain->dir . '/bad.keys'}, qr/login\.cookie_keys_file: \S+ line 2 is not the base64 of 32 bytes/],
        [{external_url => 'https://gate.example/path'}, qr/login\.external_url: .* is not an address without a path/],
        [{external_url => 'gate.example'}, qr/login\.external_url/],
        [{cookie => 'a b'}, qr/login\.cookie: "a b" is no name/],
        [{scopes => ['profile']}, qr/login\.scopes: without openid/],
        [{after_login => '//evil.example'}, qr/login\.after_login: .* is no path of this site/],
        [{after_logout => 'javascript:x'}, qr/login\.after_logout: it is neither a path/],
        [{token_endpoint => 'ftp://idp/'}, qr/login\.token_endpoint: it is no URL/],
        [{token_endpoint => 'https://a:b@idp/'}, qr/login\.token_endpoint: it has a user's name/],
        [{ca_file => '/nonexistent'}, qr/login\.ca_file: \/nonexistent can't be read/],
        [{tokn => 'id_token'}, qr/login: unknown setting "tokn" \(did you mean "token"/],
    ) {
        my ($login, $says) = @$_;
        $world->configure($plain, login => $login);
        $r = ksgate('check', $plain->file);
        isnt $r->{code}, 0, 'a mistake: ' . join ', ', %$login;
        like $r->{out} . $r->{err}, $says, '... is told';
    }
    $world->configure($plain, login => {external_url => 'http://gate.example', token_endpoint => 'http://idp.example/t'});
    $r = ksgate('check', $plain->file);
    is $r->{code}, 0, 'what is unwise is no mistake';
    like $r->{out} . $r->{err}, qr/login\.token_endpoint: whoever is between here and there/, 'but told';
}

done_testing;
