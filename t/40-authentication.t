# Who asks: every kind of credential, good and broken, and what is told of it to whom.
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'extension'] };
my $idp = 'https://idp.example.com';

# ---- Keys -----------------------------------------------------------------------------------------

my $keys = tempdir();

sub openssl {
    my ($in, @args) = @_;
    my $r = Gateway::Process::run({in => $in}, 'openssl', @args);
    die "openssl @args: $r->{err}" if $r->{code} != 0;
    return $r->{out};
}

openssl('', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', "$keys/$_.key") for qw(idp wrong);
openssl('', 'pkey', '-in', "$keys/$_.key", '-pubout', '-out', "$keys/$_.pem") for qw(idp wrong);
Gateway::Process::give_away("$keys/idp.pem");

sub rs256 {
    my ($key, $claims, %header) = @_;
    my $text = join '.', map { encode_base64url($json->encode($_)) } {alg => 'RS256', typ => 'JWT', %header}, $claims;
    return "$text." . encode_base64url(openssl($text, 'dgst', '-sha256', '-sign', "$keys/$key.key", '-binary'));
}

my $gw = gateway(
    core => $core->url,
    start => 0,
);
$gw->configure({authentication => {issuers => [
    {issuer => Gateway::Token::ISSUER, algorithms => ['HS256'], secret_file => $gw->dir . '/secret'},
    {issuer => $idp, algorithms => ['RS256'], public_key_file => "$keys/idp.pem", audiences => ['kubesphere'],
        token_types => [], claims => {username => 'email', groups => 'groups'}},
]}});
$gw->start;
$gw->apply([
    extension('members', $ext->url, access => 'authenticated'),
    extension('open', $ext->url),
    extension('silent', $ext->url, identity => 'none'),
]);
my $secret = $gw->{secret};
my @sent; # credentials that must not be seen anywhere
my $asked = 0;
my @later; # what must be in the access log, which is written now and then

sub ask {
    my ($path, @headers) = @_;
    push @sent, grep { length > 20 } map { (split / /)[-1] // () } map { ref $_ ? @$_ : $_ // () } @headers;
    return $gw->request(GET => "$path?n=" . ++$asked, @headers);
}

# The access log has these fields of the last request.
sub logged {
    my ($name, %fields) = @_;
    push @later, [$asked, $name, %fields];
    return;
}

sub all_of_the_log {
    eventually { grep { ($_->{query} // '') =~ /\bn=$asked$/ } $gw->access_log } 'the last line of the access log';
    return $gw->access_log;
}

my %claims = %{Gateway::Token::claims('alice')};
my %idp = (iss => $idp, sub => '1', email => 'tom@example.com', groups => ['ops', 'dev'],
    aud => ['x', 'kubesphere'], iat => time, exp => time + 600);
my $head = {alg => 'HS256', typ => 'JWT'};
sub hs { return Gateway::Token::sign($secret, $_[0], $_[1]) }

# ---- Good ones ----------------------------------------------------------------------------------------

{
    my $r = ask('/extensions/members/x', $gw->as('alice'));
    is $r->{status}, 200, 'a token of the shared secret is taken';
    logged('the log says who it was, and how that was found out', user => 'alice', authentication => 'jwt');
    my $h = $ext->last->{headers};
    is $h->{'x-remote-user'}, 'alice', 'the extension is told who asks';
    is $h->{'x-remote-group'}, 'system:authenticated', 'and the groups';
    is $h->{authorization}, undef, 'but does not get the token';

    my $token = $gw->token('alice');
    my $c = $gw->connect; # always the same worker: each remembers by itself
    push @sent, $token;
    $c->request(GET => '/extensions/members/x?n=' . ++$asked, Authorization => "Bearer $token") for 1, 2;
    logged('a token is verified once', user => 'alice', authentication => 'jwt-cached');

    $r = ask('/extensions/members/x', Authorization => 'Bearer ' . rs256('idp', \%idp));
    is $r->{status}, 200, 'a token of a public key is taken';
    is $ext->last->{headers}{'x-remote-user'}, 'tom@example.com', 'with the name from the claim of that issuer';
    is $ext->last->{headers}{'x-remote-group'}, 'system:authenticated, ops, dev', 'and its groups';

    my $minted = ksgate('token', '--issuer', $idp, '--key-file', "$keys/idp.key", '--user', 'ann', '-c', $gw->file,
        '--claim', 'email=ann@example.com', '--claim', 'aud=["kubesphere"]')->{out};
    chomp $minted;
    is(ask('/extensions/members/x', Authorization => "Bearer $minted")->{status}, 200, 'so is one that ksgate token made');

    $r = ask('/extensions/members/x', 'X-KubeSphere-Authorization' => 'Bearer ' . $gw->token('carol'));
    is $ext->last->{headers}{'x-remote-user'}, 'carol', 'X-KubeSphere-Authorization serves as well';
    is $ext->last->{headers}{'x-kubesphere-authorization'}, undef, 'and does not go on either';
    is(ask('/extensions/members/x', Authorization => 'bearer ' . $gw->token('alice'))->{status}, 200, 'the scheme is of any case');
    my $forever = hs($head, do { my %c = (%claims, token_type => 'static_token'); delete $c{exp}; \%c });
    is(ask('/extensions/members/x', Authorization => "Bearer $forever")->{status}, 200, 'a static_token needs no end');
}

# ---- Identity is ours to tell --------------------------------------------------------------------------

{
    my @forged = ('X-Remote-User' => 'admin', 'x_remote_group' => 'system:masters', 'X-Remote-Extra-Scopes' => 'all',
        'Impersonate-User' => 'admin', 'X-REMOTE-UID' => '0');
    ask('/extensions/open/x', @forged);
    my $h = $ext->last->{headers};
    is $h->{'x-remote-user'}, 'system:anonymous', 'who does not say who they are is anonymous';
    is $h->{'x-remote-group'}, 'system:unauthenticated', 'and in that group only';
    is_deeply [grep { /impersonate|extra|uid|x_remote/i } keys %$h], [], 'whatever else the client claims is gone';
    ask('/extensions/silent/x', @forged, $gw->as('alice'));
    is_deeply [grep { /remote|impersonate/i } keys %{$ext->last->{headers}}], [], 'identity: none tells nothing';
    ask('/version', @forged, $gw->as('alice'));
    like $core->last->{headers}{authorization}, qr/^Bearer ey/, 'the core gets the token as it is';
    isnt $core->last->{headers}{'x-remote-user'} // '', 'admin', 'but no forged identity';
    ask('/extensions/members/x', $gw->as("zo\x{c3}\x{ab}"));
    like $ext->last->{headers}{'x-remote-user'}, qr/^zo%C3%AB$/, 'a name that is no ASCII is escaped';
}

# ---- Broken ones ------------------------------------------------------------------------------------------

sub without {
    my ($name) = @_;
    my %c = %claims;
    delete $c{$name};
    return \%c;
}

my $good = $gw->token('alice');
my ($h64, $p64, $s64) = split /\./, $good;
my $pem = slurp("$keys/idp.pem");
my $now = time;
my @broken = (
    ['no token at all', 'token_malformed', 'Bearer'],
    ['an empty token', 'token_malformed', 'Bearer '],
    ['two words', 'token_malformed', "Bearer $good x"],
    ['one part', 'token_malformed', 'Bearer abc'],
    ['two parts', 'token_malformed', "Bearer $h64.$p64"],
    ['four parts', 'token_malformed', "Bearer $good.x"],
    ['an encrypted token', 'token_malformed', 'Bearer a.b.c.d.e'],
    ['no base64', 'token_malformed', "Bearer $h64.!!!.$s64"],
    ['padding', 'token_malformed', "Bearer $h64=.$p64.$s64"],
    ['a header that is no JSON', 'token_malformed', 'Bearer ' . encode_base64url('{nonsense') . ".$p64.$s64"],
    ['a header that is a list', 'token_malformed', 'Bearer ' . encode_base64url('[]') . ".$p64.$s64"],
    ['the same member twice', 'token_malformed', 'Bearer ' . hs($head, '{"iss":"a","iss":"b"}')],
    ['a critical extension', 'token_malformed', 'Bearer ' . hs({%$head, crit => ['x']}, \%claims)],
    ['another type of token', 'token_malformed', 'Bearer ' . hs({%$head, typ => 'logout+jwt'}, \%claims)],
    ['a very long token', 'token_malformed', 'Bearer ' . hs($head, {%claims, x => 'y' x 20_000})],
    ['no algorithm', 'token_algorithm', 'Bearer ' . hs({typ => 'JWT'}, \%claims)],
    ['alg none', 'token_algorithm', 'Bearer ' . encode_base64url('{"alg":"none"}') . ".$p64." . $s64],
    ['alg None', 'token_algorithm', 'Bearer ' . encode_base64url('{"alg":"None"}') . ".$p64." . $s64],
    ['no signature', 'token_malformed', "Bearer $h64.$p64."],
    ['alg none without signature', 'token_malformed', 'Bearer ' . encode_base64url('{"alg":"none"}') . ".$p64."],
    ['another algorithm of the secret', 'token_algorithm', 'Bearer ' . hs({%$head, alg => 'HS512'}, \%claims)],
    ['RS256 for the shared secret', 'token_algorithm', 'Bearer ' . rs256('idp', \%claims)],
    ['HS256 by the public key', 'token_algorithm', 'Bearer ' . Gateway::Token::sign($pem, $head, \%idp)],
    ['HS256 by the public key without its line end', 'token_algorithm',
        'Bearer ' . Gateway::Token::sign($pem =~ s/\n\z//r, $head, \%idp)],
    ['another secret', 'token_signature', 'Bearer ' . Gateway::Token::sign('x' x 64, $head, \%claims)],
    ['another key', 'token_signature', 'Bearer ' . rs256('wrong', \%idp)],
    ['other claims under the signature', 'token_signature',
        "Bearer $h64." . encode_base64url($json->encode({%claims, username => 'admin'})) . ".$s64"],
    ['a cut signature', 'token_signature', "Bearer $h64.$p64." . encode_base64url('short')],
    ['an issuer that nobody knows', 'token_issuer', 'Bearer ' . hs($head, {%claims, iss => 'http://evil.example'})],
    ['no issuer', 'token_claim', 'Bearer ' . hs($head, without('iss'))],
    ['an end in the past', 'token_expired', 'Bearer ' . hs($head, {%claims, exp => $now - 60})],
    ['a begin in the future', 'token_not_yet', 'Bearer ' . hs($head, {%claims, nbf => $now + 600})],
    ['an age below zero', 'token_not_yet', 'Bearer ' . hs($head, {%claims, iat => $now + 600})],
    ['no end', 'token_claim', 'Bearer ' . hs($head, without('exp'))],
    ['an end in words', 'token_claim', 'Bearer ' . hs($head, {%claims, exp => 'tomorrow'})],
    ['no user', 'token_claim', 'Bearer ' . hs($head, without('username'))],
    ['an empty user', 'token_claim', 'Bearer ' . hs($head, {%claims, username => ''})],
    ['a user with a line end', 'token_claim', 'Bearer ' . hs($head, {%claims, username => "a\r\nX-Remote-User: admin"})],
    ['a user that is a list', 'token_claim', 'Bearer ' . hs($head, {%claims, username => ['alice']})],
    ['a refresh token', 'token_type', 'Bearer ' . hs($head, {%claims, token_type => 'refresh_token'})],
    ['no token type', 'token_type', 'Bearer ' . hs($head, without('token_type'))],
    ['another audience', 'token_audience', 'Bearer ' . rs256('idp', {%idp, aud => 'other'})],
    ['Basic', 'bad_scheme', 'Basic ' . encode_base64('alice:secretpassword', '')],
    ['a scheme that nobody knows', 'bad_scheme', 'Negotiate abc'],
    ['a token without a scheme', 'bad_scheme', $good],
);
$ext->forget;
for my $case (@broken) {
    my ($name, $error, $credential) = @$case;
    my $r = ask('/extensions/members/x', Authorization => $credential);
    my $good = $r->{status} == 401 && ($r->{json}{reason} // '') eq 'Unauthorized'
        && ($r->{headers}{'www-authenticate'} // '') =~ /^Bearer/ && $r->{json}{message};
    ok $good, "$name: refused" or diag "$r->{status} $r->{body}";
    logged("$name: $error", error => $error, status => 401);
}
is $ext->seen, 0, 'none of it reached the extension';

{
    my $r = ask('/extensions/members/x');
    is $r->{status}, 401, 'no credential: 401';
    logged('no credential: no_token', error => 'no_token', status => 401);
    like $r->{headers}{'www-authenticate'}, qr/^Bearer/, 'with WWW-Authenticate';
    $r = ask('/extensions/members/x', Authorization => ["Bearer $good", "Bearer $good"]);
    is $r->{status}, 400, 'two Authorization headers: 400';
    $r = ask('/extensions/members/x', $gw->as('alice'), 'X-KubeSphere-Authorization' => 'Bearer ' . $gw->token('bob'));
    is $r->{status}, 400, 'two credentials that disagree: 400';
    logged('two credentials: by name', error => 'two_credentials', status => 400);
    $r = ask('/extensions/members/x', Authorization => "Bearer $good", 'X-KubeSphere-Authorization' => "Bearer $good");
    is $r->{status}, 200, 'the same twice is one';
}

# ---- Where everybody may come -----------------------------------------------------------------------------

{
    my $r = ask('/oauth/token', Authorization => 'Bearer nonsense.nonsense.nonsense');
    is $r->{status}, 200, 'who has a bad token can still log in';
    $r = ask('/oauth/token', Authorization => 'Basic ' . encode_base64('client:clientsecret', ''));
    is $core->last->{headers}{authorization}, 'Basic ' . encode_base64('client:clientsecret', ''), 'Basic goes to the core as it is';
    $r = ask('/version');
    is $r->{status}, 200, 'the version is for everybody';
    $r = ask('/kapis/tenant.kubesphere.io/v1beta1/workspaces');
    is $r->{status}, 401, 'other paths of the core are not';
    $r = ask('/extensions/open/x', Authorization => "Bearer $h64.$p64.AAAA");
    is $r->{status}, 200, 'a public extension answers a bad token';
    is $ext->last->{headers}{'x-remote-user'}, 'system:anonymous', 'as nobody in particular';
    $r = ask('/-/healthz', Authorization => 'Bearer x');
    is $r->{status}, 200, 'healthz too';
}

# ---- A key changes -------------------------------------------------------------------------------------------

{
    spew($gw->dir . '/secret', 'n' x 64);
    $gw->reload;
    eventually { $gw->request(GET => '/extensions/members/x', Authorization => "Bearer $good")->{status} == 401 } 'the new secret';
    pass 'a token of the old secret is not taken after a reload';
    local $gw->{secret} = 'n' x 64;
    # each worker hears of it in its own time
    eventually { ask('/extensions/members/x', $gw->as('alice'))->{status} == 200 } 'the new secret in the other worker';
    pass 'one of the new secret is';
}

# ---- What is written down -------------------------------------------------------------------------------------

{
    ask("/extensions/members/y?access_token=$good&a=b");
    my %log = map { ($_->{query} // '') =~ /\bn=(\d+)$/ ? ($1 => $_) : () } all_of_the_log();
    for my $case (@later) {
        my ($n, $name, %fields) = @$case;
        is_deeply {map { $_ => $log{$n}{$_} } keys %fields}, \%fields, $name;
    }
    is $log{$asked}{query}, "access_token=***&a=b?n=$asked", 'a token in a query is not written down';
    my $written = slurp($gw->dir . '/access.log') . $gw->stderr;
    my @leaked = grep { index($written, $_) >= 0 } $secret, 'n' x 64, 'secretpassword', @sent;
    is scalar(@leaked), 0, scalar(@sent) . ' credentials were sent, and none was written down' or diag "leaked: $leaked[0]";
}

done_testing;
