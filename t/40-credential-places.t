# Where else a credential may stand: the console's cookie, the protocols of a WebSocket, a query; what must
# come with it, what the backends see of it, and that nothing of it is written down.
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $backend = sub {
    my ($r) = @_;
    return [200, {}, 'fine'] if !$r->{headers}{upgrade};
    my ($protocol) = split /, */, $r->{headers}{'sec-websocket-protocol'} // '';
    return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        . ($protocol ? "Sec-WebSocket-Protocol: $protocol\r\n" : '') . "\r\n";
};
my $core = upstream { $backend->(@_) };
my $console = upstream { $backend->(@_) };
my $ext = upstream { $backend->(@_) };

my $gw = gateway(core => $core->url, console => $console->url, start => 0);
my %issuers = (issuers => [{issuer => Gateway::Token::ISSUER, secret_file => $gw->dir . '/secret'}]);
my $ours = $gw->url; # the origin of our own pages
$gw->configure({
    authentication => {%issuers, cookie => 'token', cookie_origins => ['https://console.example'], query_token => JSON::PP::true},
    log => {flush => '0s'},
});
$gw->start;
$gw->apply([
    extension('members', $ext->url, access => 'authenticated'),
    extension('open', $ext->url),
    extension('based', $ext->url, access => 'authenticated', path => {stripPrefix => JSON::PP::true, prepend => '/base'}),
]);

my $alice = $gw->token('alice');
my $bob = $gw->token('bob');
my @ws = (Connection => 'Upgrade', Upgrade => 'websocket', 'Sec-WebSocket-Version' => '13', 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==');
sub protocol { return 'base64url.bearer.authorization.k8s.io.' . encode_base64url($_[0]) }
sub cookie { return (Cookie => "lang=zh; token=$_[0]; token.sig=s1gn4ture; refreshToken=r3fresh; refreshToken.sig=s1gn4ture; a=b") }

sub upgrade {
    my ($path, @headers) = @_;
    my $c = $gw->connect;
    $c->send_request(GET => $path, @ws, @headers);
    return $c->response;
}

# ---- The console's cookie ---------------------------------------------------------------------

{
    my $r = $gw->request(GET => '/extensions/members/x', cookie($alice));
    is $r->{status}, 200, 'the cookie is a credential';
    my $h = $ext->last->{headers};
    is $h->{'x-remote-user'}, 'alice', 'of whom it names';
    is $h->{cookie}, 'lang=zh; a=b', 'the extension gets the other cookies, and none of the session';
    is $h->{authorization}, undef, 'and no token in another place either';
    my ($form) = ($r->{headers}{'set-cookie'} // '') =~ /^XSRF-TOKEN=([0-9a-f]{32}); Path=\/; SameSite=Strict$/;
    ok $form, 'the browser is given a value for its forms';

    $r = $gw->request(GET => '/version', cookie($alice));
    is $core->last->{headers}{authorization}, "Bearer $alice", 'the core gets the token where it looks for it';
    is $core->last->{headers}{cookie}, 'lang=zh; a=b', 'and not in the cookie';
    $gw->request(GET => '/anything', cookie($alice));
    is $console->last->{headers}{cookie}, {cookie($alice)}->{Cookie}, 'the console gets its cookies as they came';
    is $console->last->{headers}{authorization}, undef, 'and nothing else';

    $gw->request(GET => '/extensions/members/x', cookie($alice), $gw->as('bob'));
    is $ext->last->{headers}{'x-remote-user'}, 'bob', 'a header is meant, a cookie is only there';
    is $ext->last->{headers}{cookie}, 'lang=zh; a=b', 'it goes to no extension all the same';

    is $gw->request(GET => '/extensions/members/x', Cookie => 'token=')->{status}, 401, 'an empty cookie is none';
    is $gw->request(GET => '/extensions/members/x', Cookie => "Token=$alice")->{status}, 401, 'nor is one of another name';
    is $gw->request(GET => '/extensions/members/x', Cookie => "token=$alice.x")->{status}, 401, 'a bad one is refused';
    $r = $gw->request(GET => '/extensions/open/x', Cookie => "token=$alice.x");
    is $ext->last->{headers}{'x-remote-user'}, 'system:anonymous', 'or makes nobody, where all may come';
    is $ext->last->{headers}{cookie}, undef, 'and goes nowhere';
    $r = $gw->request(GET => '/extensions/members/x', Cookie => "token=$alice; token=$bob");
    is $r->{status}, 400, 'two that differ are refused';
}

# ---- A cookie alone changes nothing -----------------------------------------------------------

my @form = ('Content-Type' => 'application/x-www-form-urlencoded', body => 'a=b');
my @json = ('Content-Type' => 'application/json', body => '{}');
my @file = ('Content-Type' => 'multipart/form-data; boundary=x', body => "--x--\r\n");
my @ours = ('Sec-Fetch-Site' => 'same-origin');
my @theirs = ('Sec-Fetch-Site' => 'cross-site', Origin => 'https://evil.example');
my @pair = (Cookie => "token=$alice; XSRF-TOKEN=f00", 'X-XSRF-TOKEN' => 'f00');
for (
    # method, what comes with it, the answer, and what it says is missing
    ['a page of another site', POST => [cookie($alice), @theirs, @json], 403, qr/Sec-Fetch-Site/],
    ['one of a neighbour', POST => [cookie($alice), 'Sec-Fetch-Site' => 'same-site', @json], 403, qr/Sec-Fetch-Site/],
    ['nobody in particular', DELETE => [cookie($alice)], 403, qr/no Sec-Fetch-Site and no Origin.*Authorization instead/],
    ['an old browser on another site', POST => [cookie($alice), Origin => 'http://evil.example', @json], 403, qr/the Origin is not \Q$ours\E/],
    ['a page without an origin', POST => [cookie($alice), Origin => 'null', @json], 403, qr/the Origin is not/],
    ['a page of ours', POST => [cookie($alice), @ours, @json], 200],
    ['the user', PUT => [cookie($alice), 'Sec-Fetch-Site' => 'none', @json], 200],
    ['an old browser on a page of ours', PATCH => [cookie($alice), Origin => $ours, @json], 200],
    ['a site that is listed', POST => [cookie($alice), 'Sec-Fetch-Site' => 'cross-site', Origin => 'https://console.example', @json], 200],
    ['a form of ours that shows no value', POST => [cookie($alice), @ours, @form], 403, qr/the cookie XSRF-TOKEN in the header X-XSRF-TOKEN/],
    ['a file of ours that shows no value', POST => [cookie($alice), @ours, @file], 403, qr/XSRF-TOKEN/],
    ['a form with another value', POST => [Cookie => "token=$alice; XSRF-TOKEN=f00", 'X-XSRF-TOKEN' => 'f01', @ours, @form], 403, qr/XSRF-TOKEN/],
    ['a form of ours', POST => [@pair, @ours, @form], 200],
    ['a file of ours', POST => [@pair, @ours, @file], 200],
    ['a form of theirs', POST => [@pair, @theirs, @form], 403, qr/Sec-Fetch-Site/],
    ['a program with a header', POST => [$gw->as('alice'), @form], 200],
    ['a program with a header that has a cookie', POST => [$gw->as('alice'), cookie($bob), @form], 200],
) {
    my ($name, $method, $with, $status, $says) = @$_;
    $ext->forget;
    my $r = $gw->request($method => '/extensions/members/x', @$with);
    is $r->{status}, $status, "$name: $status";
    is $ext->seen, $status == 200 ? 1 : 0, '... and that is what the extension sees of it';
    next if $status != 403;
    is $r->{json}{reason}, 'Forbidden', '... with the reason of a Kubernetes Status';
    like $r->{json}{message}, $says, '... that says what is missing';
}
is scalar(() = $gw->access_log(9, sub { ($_->{error} // '') eq 'cross_site' })), 9, 'the log has a name for it';
{
    # An identity provider sends the browser back by a form: who comes by it is nobody yet.
    my $r = $gw->request(POST => '/oauth/callback/idp', cookie($alice), @theirs, @form);
    is $r->{status}, 200, 'a page of another site may use what is open to all';
    is $core->last->{headers}{authorization}, undef, 'but not in the name of the cookie';
    is $core->last->{headers}{cookie}, 'lang=zh; a=b', 'which is not passed on';
    is $gw->request(GET => '/extensions/members/x', cookie($alice), @theirs)->{status}, 200, 'a link on another site leads here';
}

# ---- WebSockets -------------------------------------------------------------------------------

for (
    # path, what comes with it, the answer, who it is, and further what the backend sees
    ['a cookie from a page of ours', members => '/x', [cookie($alice), Origin => $ours], 101, 'alice', {cookie => 'lang=zh; a=b'}],
    ['a cookie from another page', members => '/x', [cookie($alice), Origin => 'http://evil.example'], 403],
    ['a cookie and no origin', members => '/x', [cookie($alice)], 403],
    ['a token among the protocols', members => '/x', ['Sec-WebSocket-Protocol' => 'v4.channel.k8s.io, ' . protocol($alice) . ', chat'],
        101, 'alice', {'sec-websocket-protocol' => 'v4.channel.k8s.io, chat'}],
    ['a token on a line of its own', members => '/x', ['Sec-WebSocket-Protocol' => [protocol($alice), 'chat']],
        101, 'alice', {'sec-websocket-protocol' => 'chat'}],
    ['a token and no protocol', members => '/x', ['Sec-WebSocket-Protocol' => protocol($alice)], 401],
    ['a token that is none', members => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol('x')], 401],
    ['two tokens', members => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice) . ', ' . protocol($alice)], 400],
    ['a token beside another header', members => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice), $gw->as('bob')], 400],
    ['a token beside the same in a header', members => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice), Authorization => "Bearer $alice"],
        101, 'alice', {'sec-websocket-protocol' => 'chat', authorization => undef}],
    ['a token beside another cookie', members => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice), cookie($bob), Origin => $ours], 400],
    ['a bad token where all may come', open => '/x', ['Sec-WebSocket-Protocol' => 'chat, ' . protocol('x')],
        101, 'system:anonymous', {'sec-websocket-protocol' => 'chat'}],
    ['a token in the query', members => "/x?access_token=$alice", [], 101, 'alice', {}, '/x'],
    ['a token in the middle of a query', members => "/x?a=%61+b&&access_token=$alice&c=?&", [], 101, 'alice', {}, '/x?a=%61+b&&c=?&'],
    ['a token in the query of a prefix', based => "/x?access_token=$alice&b", [], 101, 'alice', {}, '/base/x?b'],
    ['two tokens in a query', members => "/x?access_token=$alice&access_token=$bob", [], 400],
    ['a token in the query and another in the cookie', members => "/x?access_token=$alice", [cookie($bob), Origin => $ours], 400],
) {
    my ($name, $extension, $path, $with, $status, $user, $sees, $target) = @$_;
    $ext->forget;
    my $r = upgrade("/extensions/$extension$path", @$with);
    is $r->{status}, $status, "$name: $status";
    if ($status != 101) {
        is $ext->seen, 0, '... and nothing for the extension';
        next;
    }
    my $h = $ext->last->{headers};
    is_deeply {map { $_ => $h->{$_} } 'x-remote-user', keys %$sees}, {'x-remote-user' => $user, %$sees}, '... and the extension sees who it is, and not how';
    is $ext->last->{target}, $target, '... and the rest of the query to the byte' if $target;
    my ($protocol) = split /, /, $sees->{'sec-websocket-protocol'} // '';
    is $r->{headers}{'sec-websocket-protocol'}, $protocol, '... and its answer is the client\'s' if $protocol;
}
{
    is $gw->request(GET => "/extensions/members/x?access_token=$alice")->{status}, 401, 'a query is no place for it without an upgrade';
    $gw->request(GET => '/extensions/open/x', 'Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice));
    is $ext->last->{headers}{'x-remote-user'}, 'system:anonymous', 'nor is a protocol';
    is $ext->last->{headers}{'sec-websocket-protocol'}, 'chat', 'but it is taken out';
    for (['Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice)], [cookie($alice), Origin => $ours]) {
        is upgrade('/version', @$_)->{status}, 101, "the core: $_->[0]";
        is $core->last->{headers}{authorization}, "Bearer $alice", '... it gets the token where it looks for it';
    }
    is upgrade("/version?a&access_token=$alice&b")->{status}, 101, 'the core: a query';
    is $core->last->{target}, '/version?a&b', '... which goes on without it';
    is $core->last->{headers}{authorization}, "Bearer $alice", '... that is in the header';
}

# ---- explain ----------------------------------------------------------------------------------

{
    my @asked = (
        [{token => $alice}, 'Authorization', 'allow'],
        [{headers => {'X-KubeSphere-Authorization' => "Bearer $alice"}}, 'X-KubeSphere-Authorization', 'allow'],
        [{headers => {Cookie => "token=$alice"}}, 'cookie', 'allow'],
        [{headers => {Cookie => "token=$alice"}, method => 'POST'}, 'cookie', 'deny', qr/no Sec-Fetch-Site and no Origin/],
        [{headers => {@ws, 'Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice)}}, 'Sec-WebSocket-Protocol', 'allow'],
        [{headers => {@ws}, url => "/extensions/members/x?access_token=$alice"}, 'access_token', 'allow'],
        [{}, undef, 'deny'],
    );
    my $in = join '', map { $json->encode({method => 'GET', url => '/extensions/members/x', %{$_->[0]}}) . "\n" } @asked;
    my $r = Gateway::Process::run({in => $in}, $ENV{KSGATE} // 'build/ksgate', 'explain', '-c', $gw->file, '--batch');
    my @answers = map { $json->decode($_) } split /\n/, $r->{out};
    for my $i (0 .. $#asked) {
        my ($q, $from, $decision, $message) = @{$asked[$i]};
        is $answers[$i]{subject}{credential}, $from, 'explain names the place: ' . ($from // 'none');
        is $answers[$i]{decision}, $decision, "... and decides: $decision";
        like $answers[$i]{message}, $message, '... and says what is missing' if $message;
    }
    is index($r->{out}, $alice), -1, 'and does not repeat the token';
    $r = $gw->ksgate_here('explain', 'GET', '/extensions/members/x', '--token', $alice);
    like $r->{out}, qr/^credential +jwt, from Authorization$/m, 'for people too';
    $r = $gw->ksgate_here('explain', 'GET', "/extensions/members/x?a=b&access_token=$alice");
    like $r->{out}, qr{^request +GET /extensions/members/x\?a=b&access_token=\*\*\*$}m, 'who do not see a token in the question either';
}

# ---- Nothing is written down ------------------------------------------------------------------

{
    $gw->request(GET => '/extensions/open/last');
    eventually { grep { ($_->{path} // '') eq '/extensions/open/last' } $gw->access_log } 'the last line of the access log';
    my $written = slurp($gw->dir . '/access.log') . $gw->stderr . $gw->admin(GET => '/-/metrics')->{body};
    my @leaked = grep { index($written, $_) >= 0 } (map { ($_, (split /\./)[2], encode_base64url($_)) } $alice, $bob), 's1gn4ture', 'r3fresh', $gw->{secret};
    is_deeply \@leaked, [], 'no credential is in any log or metric';
}

# ---- Off, as it is by default -----------------------------------------------------------------

{
    $gw->configure({authentication => \%issuers});
    is $gw->ksgate_here('reload')->{code}, 0, 'other settings'; # a signal would leave open which workers have heard of them
    eventually { $gw->request(GET => '/extensions/members/x', cookie($alice))->{status} == 401 } 'a cookie is no credential unless that is said';
    $gw->request(POST => '/extensions/open/x', cookie($alice), @form);
    is $ext->last->{headers}{'x-remote-user'}, 'system:anonymous', 'it makes nobody';
    is $ext->last->{headers}{cookie}, {cookie($alice)}->{Cookie}, 'and is none of our business';
    upgrade("/extensions/open/x?access_token=$alice");
    is $ext->last->{target}, "/x?access_token=$alice", 'nor is a query';
    is upgrade('/extensions/members/x', 'Sec-WebSocket-Protocol' => 'chat, ' . protocol($alice))->{status}, 101, 'the protocols are always read';
}

# ---- A session that has ended in KubeSphere ---------------------------------------------------

{
    my $redis = redis();
    my $dir = tempdir();
    my $one = gateway(core => $core->url, dir => $dir, config => {authentication => {cookie => 'token',
        issuers => [{issuer => Gateway::Token::ISSUER, secret_file => "$dir/secret", token_cache => 'redis'}],
        token_cache_redis => {url => $redis->url}}});
    my ($in, $out) = ($one->token('alice'), $one->token('alice', iat => time - 1));
    $redis->command('SET', "kubesphere:user:alice:token:$in", $in);
    $one->request(GET => '/version', Cookie => "token=$in");
    is $core->last->{headers}{authorization}, "Bearer $in", 'the core gets the token of a session';
    is $one->request(GET => '/version', Cookie => "token=$out")->{status}, 200, 'who has logged out may come where all may';
    is $core->last->{headers}{authorization}, undef, '... but the core does not get that token';
    is $core->last->{headers}{cookie}, undef, '... nor the cookie';
    is $one->request(GET => '/kapis/x', Cookie => "token=$out")->{status}, 401, '... and nowhere else';
}

# ---- Mistakes ---------------------------------------------------------------------------------

for (
    [{cookie => 'to ken'}, qr/authentication\.cookie: "to ken" is not a name/],
    [{cookie_origins => ['console.example']}, qr/authentication\.cookie_origins: "console\.example" is not an origin, such as https:/],
) {
    my ($wrong, $says) = @$_;
    my $bad = gateway(start => 0);
    $bad->configure({authentication => $wrong});
    my $r = $bad->ksgate_here('check');
    is $r->{code}, 1, 'a mistake in the configuration is found';
    like $r->{out} . $r->{err}, $says, 'and told';
}
done_testing;
