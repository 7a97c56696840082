# Browsers log in at a real OpenID provider (oidc-provider), and stay logged in; and nobody does it for them.
use strict;
use warnings;
use Digest::SHA qw(sha256);
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Login qw(metric SESSION PAGE SECRET);
use Gateway::Oidc;

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
my $console = upstream { [200, {}, 'console'] };
my $ext = upstream { [200, {}, 'page'] };

# Those that share the provider, so that it knows them all when it starts.
my %gw = map { $_ => gateway(core => $core->url, console => $console->url, start => 0) } qw(main other crooked api);
my $public = {
    client_id => 'public', token_endpoint_auth_method => 'none', grant_types => ['authorization_code'],
    redirect_uris => [$gw{other}->url . '/-/login/callback'],
};
my $api = {%{Gateway::Login::client($gw{api})}, client_id => 'api', token_endpoint_auth_method => 'client_secret_post'};
my $idp = Gateway::Oidc->new(clients => [Gateway::Login::client(values %gw), $public, $api]);

my @fetch = ('Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Site' => 'same-origin');
my @navigation = ('Sec-Fetch-Mode' => 'navigate', Accept => 'text/html');
my ($page, $session) = (PAGE, SESSION);
my $world = Gateway::Login->new($idp, members => $ext->url, open => $ext->url);

# ---- In --------------------------------------------------------------------------------------------

my $gw = $world->begin($gw{main});
my $base = $gw->url;
my $alice = $world->browser('alice');
{
    my $r = $alice->open("$base$page?a=b&c=%2F");
    is $r->{body}, 'page', 'a browser that is not logged in gets there by way of the provider';
    is $r->{url}, "$base$page?a=b&c=%2F", 'to the very place that it wanted';
    my @way = map { s/\?.*//r } @{$alice->{way}};
    is "@way[0 .. 2]", "$base$page $base/-/login " . $idp->url . '/auth', 'from the page to the login, to the provider';
    is "@way[-2, -1]", "$base/-/login/callback $base$page", 'and back';
    my ($query) = $alice->{way}[2] =~ /\?(.*)/;
    like $query, qr/&state=[\w-]{43}&nonce=[\w-]{43}&code_challenge=[\w-]{43}&code_challenge_method=S256$/, 'with what it will be known by';

    my $h = $ext->last->{headers};
    is $h->{'x-remote-user'}, 'alice', 'the extension is told who it is';
    is $h->{cookie}, undef, 'and gets no cookie of the login';
    is $h->{authorization}, undef, 'nor the token';
    is_deeply [sort keys %{$alice->cookies($base)}], ['XSRF-TOKEN', $session, "$session-done"], 'the browser has its session, and nothing of the way there';

    $alice->cookie($base, lang => 'zh');
    $alice->request(GET => "$base/version", @fetch);
    like $core->last->{headers}{authorization}, qr/^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'the core gets the token where it looks';
    is $core->last->{headers}{cookie}, 'XSRF-TOKEN=' . $alice->cookie($base, 'XSRF-TOKEN') . '; lang=zh', 'and the other cookies';
    $alice->request(GET => "$base/dashboard", @fetch);
    is $console->last->{headers}{cookie}, 'XSRF-TOKEN=' . $alice->cookie($base, 'XSRF-TOKEN') . '; lang=zh', 'the console too';
    is $console->last->{headers}{authorization}, undef, 'and no token';
    $alice->cookie($base, lang => undef);

    $r = $alice->request(GET => "$base/-/login/session");
    is $r->{json}{user}, 'alice', 'a script can ask who is logged in';
    ok $r->{json}{refreshed}, 'and for how long';
    unlike $r->{body}, qr/eyJ/, 'but gets no token';
    is $gw->request(GET => '/-/login/session')->{json}{user}, undef, 'nobody is nobody';

    $r = $alice->request(GET => "$base$page", $gw->as('bob'));
    is $r->{status}, 401, 'a header is meant, and not the session';
    is metric($gw, 'ksgate_logins_total{result="ok"}'), 1, 'a login is counted';
    my ($line) = $gw->access_log(1, sub { $_->{path} eq $page && $_->{status} == 302 });
    is $line->{error}, 'no_token', 'the log says why a browser was sent away';
    my ($token) = $core->last ? ($core->requests)[0]->{headers}{authorization} =~ /Bearer (\S+)/ : ();
    my $all = slurp($gw->dir . '/access.log') . $gw->stderr;
    my ($code) = $alice->{way}[-2] =~ /[?&]code=([^&]+)/;
    ok length $code && length $token, 'there was a code, and is a token';
    is index($all, $_), -1, 'no log has it' for $code, $token, (split /\./, $token)[2], $alice->cookie($base, $session);
    my $case = {id => 1, method => 'GET', url => $page, headers => {$alice->header($base)}};
    my $said = ksgate({in => $json->encode($case) . "\n"}, 'explain', '-c', $gw->file, '--batch');
    my $explained = $json->decode($said->{out});
    is $explained->{subject}{credential}, 'session', 'explain says where the credential is from' or diag $said->{out};
}

# ---- Who is sent there, and who gets an answer ---------------------------------------------------------

my @ws = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => '13', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
for (
    ['a browser', GET => [@navigation], 302],
    ['a browser that says what for', GET => [@navigation, 'Sec-Fetch-Dest' => 'document'], 302],
    ['a frame of another page', GET => [@navigation, 'Sec-Fetch-Dest' => 'iframe'], 401],
    ['one that only wants the head', HEAD => [@navigation], 302],
    ['an old browser', GET => [Accept => 'text/html,*/*;q=0.8'], 302],
    ['a script', GET => [@fetch, Accept => 'text/html'], 401],
    ['an old script', GET => [Accept => 'text/html', 'X-Requested-With' => 'XMLHttpRequest'], 401],
    ['a program', GET => [Accept => '*/*'], 401],
    ['one that says nothing', GET => [], 401],
    ['a picture', GET => ['Sec-Fetch-Mode' => 'no-cors', Accept => 'image/*'], 401],
    ['a form', POST => [@navigation, 'Content-Type' => 'application/x-www-form-urlencoded', body => 'a=b'], 401],
    ['a WebSocket', GET => [@ws, @navigation], 401],
    ['what is fetched in advance', GET => [@navigation, 'Sec-Purpose' => 'prefetch'], 401],
    ['a credential that is no good', GET => [@navigation, Authorization => 'Bearer x.y.z'], 401],
) {
    my ($what, $method, $with, $status) = @$_;
    my $r = $gw->request($method => "$page?q=1", @$with);
    is $r->{status}, $status, "$what: $status";
    if ($status == 302) {
        is $r->{headers}{location}, '/-/login?return=%2Fextensions%2Fmembers%2Fx%3Fq%3D1', '... to the login, which knows the way back';
        is $r->{headers}{'www-authenticate'}, undef, '... without a challenge';
        is $r->{headers}{'cache-control'}, 'no-store', '... and not for ever';
    } else {
        like $r->{headers}{'www-authenticate'}, qr/^Bearer/, '... as ever';
    }
}
is $gw->request(GET => '/extensions/open/x', @navigation)->{status}, 200, 'where all may come, nobody has to log in';
is $gw->request(GET => '/-/login?return=' . $_)->{status}, 400, "a login does not lead to $_"
    for '//evil.example', '/%5Cevil.example', 'https://evil.example', '%2F%09%2Fevil.example', '/-/login', '';
is $gw->request(DELETE => '/-/login')->{status}, 405, 'a login is begun by GET';
{
    my $r = $gw->request(GET => "$page?" . 'x' x 3000, @navigation);
    is $r->{headers}{location}, '/-/login?return=%2F', 'a way back that is too long leads to the beginning';
}

{
    my $r = $gw->request(GET => '/-/login?return=%2Fx%3Faccess_token%3Dverysecret%26a%3Db', @navigation);
    is $r->{status}, 302, 'the way back may have secrets in it';
    my ($line) = $gw->access_log(1, sub { ($_->{query} // '') =~ /return=%2Fx%3F/ });
    is $line->{query}, 'return=%2Fx%3F***', 'that no log has';
    is index(slurp($gw->dir . '/access.log'), 'verysecret'), -1, '... anywhere';
}

# ---- Several tabs, and whose login it is ----------------------------------------------------------------

my $callback = qr{/-/login/callback\?};
{
    my $b = $world->browser('alice');
    my @tabs = map { $b->open("$base$page?tab=$_", stop => $callback)->{next} } 1 .. 3;
    is scalar(grep { /begun/ } keys %{$b->cookies($base)}), 3, 'three tabs log in at the same time';
    is $b->open($tabs[$_ - 1])->{url}, "$base$page?tab=$_", "tab $_ gets back to its own page" for 2, 3, 1;
    is scalar(grep { /begun/ } keys %{$b->cookies($base)}), 0, 'and nothing is left of that';

    my $r = $b->request(GET => $tabs[0], @navigation);
    is $r->{status}, 400, 'an answer that was used before is none';
    like $r->{body}, qr/was not begun in this browser.*Log in/s, 'and says so, with a link';
    is $r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'on a page';
    is $r->{headers}{'content-security-policy'}, q(default-src 'none'; base-uri 'none'; frame-ancestors 'none'), 'that can do nothing';
    is $gw->request(GET => $tabs[0] =~ s/^$base//r)->{json}{reason}, 'BadRequest', 'or as a Status';

    my $many = $world->browser('alice');
    $many->request(GET => "$base/-/login") for 1 .. 20;
    is scalar(keys %{$many->cookies($base)}), 8, 'a browser that begins again and again has 8 at most';
    my %newest = %{$many->cookies($base)};
    $many->cookie($base, "$session-begun-" . $_ x 43 => 'x') for 'A' .. 'T'; # what nobody can open
    $many->request(GET => "$base/-/login");
    my @left = keys %{$many->cookies($base)};
    is scalar(@left), 8, 'also one that had far more';
    is scalar(grep { $newest{$_} } @left), 7, 'of which the newest stay';

    # One cookie, and codes to try.
    my $tries = $world->browser('alice');
    my ($state) = $tries->open("$base$page", stop => $callback)->{next} =~ /[?&]state=([^&]+)/;
    my $before = $idp->asked(qr{POST /token$});
    my @got = map { $tries->copy->request(GET => "$base/-/login/callback?state=$state&code=c$_", @navigation)->{status} } 1 .. 10;
    is "@got", join(' ', 403, (400) x 9), 'a state is good for one code';
    is $idp->asked(qr{POST /token$}) - $before, 1, 'and for one question to the provider';
}
{
    my $mallory = $world->browser('mallory');
    my $hers = $mallory->open("$base$page", stop => $callback)->{next};
    my $victim = $world->browser('alice');
    my $r = $victim->request(GET => $hers, @navigation);
    is $r->{status}, 400, "another browser's login can't be ended here";
    is_deeply $victim->cookies($base), {}, 'so nobody is made to be mallory';

    # Somebody has seen the code, and is faster.
    my $code = ($victim->open("$base$page", stop => $callback)->{next} =~ /[?&]code=([^&]+)/)[0];
    my $own = $mallory->open("$base/-/login", stop => $callback)->{next} =~ s/([?&]code=)[^&]+/$1$code/r;
    $r = $mallory->request(GET => $own, @navigation);
    is $r->{status}, 403, 'a stolen code is worth nothing without the verifier (PKCE)';
    like $r->{body}, qr/login_denied/, 'says the provider';
    is $mallory->cookie($base, $session), undef, 'and there is no session';

    my $state = ($victim->open("$base/-/login", stop => $callback)->{next} =~ /[?&]state=([^&]+)/)[0];
    my $changed = $state =~ s/^./$state =~ m{^A} ? 'B' : 'A'/er;
    is $victim->request(GET => "$base/-/login/callback?state=$_&code=x", @navigation)->{status}, 400, 'a state that nobody gave'
        for $changed, '', 'x', "$state$state", '../../x', '%00';
}
{
    my $b = $world->browser(undef);
    my $r = $b->open("$base$page");
    is $r->{status}, 403, 'whom the provider does not let in is not in';
    like $r->{body}, qr/access_denied/, 'for the reason that it gives';
    unlike $r->{body}, qr/<script/, 'and in no other words of it';
    for (
        ['error=%3Cscript%3Ealert(1)%3C/script%3E', 403, qr/<p>\?<\/p>/],
        ['code=x&iss=https://other.example', 502, qr/another provider/],
        ['', 502, qr/no code/],
    ) {
        my ($query, $status, $says) = @$_;
        my $next = $world->browser('alice');
        my ($state) = $next->open("$base/-/login", stop => $callback)->{next} =~ /[?&]state=([^&]+)/;
        $r = $next->request(GET => "$base/-/login/callback?state=$state&$query", @navigation);
        is $r->{status}, $status, "a callback with '$query': $status";
        like $r->{body}, $says, '... and why';
        unlike $r->{body}, qr/<script/, '... in our words';
    }
}

# ---- A provider whose tokens are not what they should be ---------------------------------------------------

{
    # The real one's tokens, of another login; and what becomes of them on the way.
    my ($file, $other) = ("$gw{crooked}{dir}/answer", $gw{crooked});
    my $crooked = upstream { [200, {'Content-Type' => 'application/json'}, slurp($file)] };
    $world->begin($other, login => {authorization_endpoint => $idp->url . '/auth', token_endpoint => $crooked->url . '/token'});
    my $tokens = sub { # as any client would get them, with our own nonce
        my ($nonce, $id, $secret, $redirect) = @_;
        my $verifier = 'v' x 43;
        my $challenge = encode_base64url(sha256($verifier));
        my $b = $world->browser('alice');
        my $r = $b->open($idp->url . "/auth?response_type=code&client_id=$id&scope=openid&state=s&nonce=$nonce&redirect_uri=$redirect"
            . "&code_challenge=$challenge&code_challenge_method=S256", stop => $callback);
        my ($code) = $r->{next} =~ /[?&]code=([^&]+)/;
        my $got = Gateway::Client->new(to => $idp->url =~ s{http://}{}r)->request(POST => '/token',
            'Content-Type' => 'application/x-www-form-urlencoded',
            ($secret ? (Authorization => 'Basic ' . encode_base64("$id:$secret", '')) : ()),
            body => "grant_type=authorization_code&code=$code&redirect_uri=$redirect&code_verifier=$verifier" . ($secret ? '' : "&client_id=$id"));
        return $got->{json};
    };
    my $come_back = sub { # what is answered to a callback with these tokens
        my ($b, $state, $answer) = @_;
        spew($file, ref $answer ? $json->encode($answer) : $answer);
        return $b->request(GET => $other->url . "/-/login/callback?state=$state&code=c", @navigation);
    };
    my $start = sub {
        my $b = $world->browser('alice');
        my $r = $b->request(GET => $other->url . '/-/login');
        my ($state) = $r->{headers}{location} =~ /[?&]state=([^&]+)/;
        my ($nonce) = $r->{headers}{location} =~ /[?&]nonce=([^&]+)/;
        return ($b, $state, $nonce);
    };
    my $redirect = $other->url . '/-/login/callback';
    {
        my ($b, $state, $nonce) = $start->();
        my $good = $tokens->($nonce, 'ksgate', SECRET, $redirect);
        is $come_back->($b, $state, $good)->{status}, 302, 'tokens of this login are taken';
    }
    for (
        ['of another login', sub { $tokens->('n' x 43, 'ksgate', SECRET, $redirect) }, 502, qr/nonce/],
        ['of another client', sub { $tokens->($_[0], 'public', undef, $gw{other}->url . '/-/login/callback') }, 502, qr/aud/],
        ['that somebody has changed', sub {
            my $t = $tokens->($_[0], 'ksgate', SECRET, $redirect);
            $t->{id_token} =~ s/\.([^.])([^.]*)$/'.' . ($1 eq 'A' ? 'B' : 'A') . $2/e;
            return $t;
        }, 401, qr/token_signature/],
        ['without an ID token', sub { +{access_token => 'x', token_type => 'Bearer'} }, 502, qr/no ID token/],
        ['that are none', sub { '<html>' }, 502, qr/login_failed/],
    ) {
        my ($what, $answer, $status, $says) = @$_;
        my ($b, $state, $nonce) = $start->();
        my $r = $come_back->($b, $state, $answer->($nonce));
        is $r->{status}, $status, "tokens $what: $status";
        like $r->{body}, $says, '... and why';
        is $b->cookie($other->url, $session), undef, '... and no session';
    }
    $other->stop;
}

# ---- A cookie that is not what we gave ------------------------------------------------------------------------

my $good = $alice->cookie($base, $session);
for (
    ['changed', substr($good, 0, 100) . (substr($good, 100, 1) eq 'A' ? 'B' : 'A') . substr($good, 101)],
    ['cut off', substr $good, 0, 200],
    ['a part of which is missing', "2.$good"],
    ['of nobody', 'x'],
    ['of another key', do { $world->logged_in($world->begin($gw{other}))->cookie($gw{other}->url, $session) }],
) {
    my ($what, $value) = @$_;
    my $r = $gw->request(GET => $page, @fetch, Cookie => "$session=$value; a=b");
    is $r->{status}, 401, "a cookie $what is none";
    like join("\n", map { $_->[1] } grep { lc $_->[0] eq 'set-cookie' } @{$r->{lines}}), qr/^$session=; Path=\/; Max-Age=0; HttpOnly; SameSite=Lax$/m, '... and is taken away';
    is $gw->request(GET => $page, @navigation, Cookie => "$session=$value")->{status}, 302, '... and a browser logs in';
    is $gw->request(GET => '/extensions/open/x', @fetch, Cookie => "$session=$value")->{status}, 200, '... where it has to';
    is $ext->last->{headers}{cookie}, undef, '... and the backend sees none of it';
}
srand 1;
for (1 .. 200) {
    my $value = join '', map { ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_', '.', '=')[rand 66] } 1 .. 1 + rand 300;
    my $r = $gw->request(GET => $page, @fetch, Cookie => "$session=$value; $session-2=$value");
    next if $r->{status} == 401;
    is $r->{status}, 401, "a cookie of chance: $value";
}

# ---- What other sites can't do with it ------------------------------------------------------------------------

{
    my @theirs = ('Sec-Fetch-Site' => 'cross-site', Origin => 'https://evil.example');
    my @json = ('Content-Type' => 'application/json', body => '{}');
    is $alice->request(POST => "$base$page", @theirs, @json)->{status}, 403, "another site's page changes nothing";
    is $alice->request(POST => "$base$page", 'Sec-Fetch-Site' => 'same-origin', @json)->{status}, 200, 'one of ours does';
    is $alice->request(GET => "$base$page", @ws, Origin => 'https://evil.example')->{status}, 403, 'nor opens it a WebSocket';
    my $r = $alice->request(POST => "$base/-/logout", @theirs, 'Content-Type' => 'application/x-www-form-urlencoded', body => '');
    is $r->{status}, 403, 'nor logs it anybody out';
    $r = $alice->request(GET => "$base/-/logout", @theirs, @navigation);
    like $r->{body}, qr/<form method="post" action="\/-\/logout">/, 'by a link one comes to a button';
    is $r->{headers}{'referrer-policy'}, 'same-origin', 'whose page lets the browser say that it is ours';
    is $gw->request(POST => '/-/logout', $alice->header($base), Origin => 'null')->{status}, 403, 'which has to be said';
    is $alice->request(GET => "$base$page", @fetch)->{status}, 200, 'and is still logged in';
    is metric($gw, 'ksgate_logouts_total{result="cross_site"}'), 2, 'which is counted';
}

# ---- Out ---------------------------------------------------------------------------------------------------------

{
    my $b = $world->logged_in($gw);
    my $before = $idp->asked(qr{POST /token/revocation});
    my $stale = $b->copy;
    my $r = $b->request(POST => "$base/-/logout", @navigation, 'Sec-Fetch-Site' => 'same-origin', 'Content-Type' => 'application/x-www-form-urlencoded', body => '');
    is $r->{status}, 302, 'a user logs out';
    my $to = $idp->url . '/session/end';
    like $r->{headers}{location}, qr/^\Q$to\E\?client_id=ksgate&id_token_hint=eyJ[\w.-]+&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A\d+%2F-%2Flogout$/,
        'and goes on to the provider, to log out there';
    is_deeply [grep { /session/ } keys %{$b->cookies($base)}], [], 'the session is gone';
    is $b->request(GET => $r->{headers}{location}, @navigation)->{status}, 200, 'the provider takes it as it is';
    eventually { $idp->asked(qr{POST /token/revocation}) == $before + 1 } 'the refresh token to be given back';
    ok 1, 'the refresh token was given back';
    is $b->request(GET => "$base$page", @fetch)->{status}, 401, 'nobody is logged in';
    like $b->request(GET => "$base/-/logout", @navigation)->{body}, qr/You are logged out.*Log in/s, 'says a page';
    $r = $stale->request(POST => "$base/-/logout", 'Sec-Fetch-Site' => 'same-origin', Accept => 'application/json');
    like $r->{json}{location}, qr/^\Q$to\E/, 'a script is told where to go on';
}

# ---- Where the access token says who it is ---------------------------------------------------------------------------

{
    my $gw = $world->begin($gw{api}, login => {client_id => 'api', client_auth => 'post', token => 'access_token', refresh_at => '0%'},
        issuer => {audiences => ['api'], claims => {username => 'username', groups => 'groups'}});
    my $url = $gw->url;
    my $b = $world->logged_in($gw, 'olga');
    is $b->request(GET => "$url$page", @fetch)->{status}, 200, 'an access token is the credential';
    is $ext->last->{headers}{'x-remote-user'}, 'olga', 'and says who it is';
    is $ext->last->{headers}{'x-remote-group'}, 'system:authenticated, testers', 'and of which groups';
    $b->request(GET => "$url/version", @fetch);
    my ($head) = $core->last->{headers}{authorization} =~ /^Bearer ([\w-]+)\./;
    is $json->decode(MIME::Base64::decode_base64url($head))->{typ}, 'at+jwt', 'the core gets it, and not the ID token';
    my ($old, $r) = ($b->copy);
    eventually { $r = $old->request(GET => "$url$page", @fetch); (grep { lc $_->[0] eq 'set-cookie' && $_->[1] =~ /^$session=/ } @{$r->{lines}}) ? 1 : 0 } 'a refresh';
    is $old->request(GET => "$url$page", @fetch)->{status}, 200, 'it is refreshed';
    $r = $old->request(POST => "$url/-/logout", 'Sec-Fetch-Site' => 'same-origin');
    like $r->{headers}{location}, qr/&id_token_hint=eyJ/, 'the ID token is there for the logout';
    $gw->stop;
}

done_testing;
