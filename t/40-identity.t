# How backends are told who asks: by headers, by a signed assertion, or not at all; and never by the client.
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Assertion;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $ext = upstream { [200, {}, 'extension'] };
my $core = upstream { [200, {}, 'core'] };
my $console = upstream { [200, {}, 'console'] };
my @extensions = (
    extension('signed', $ext->url, access => 'authenticated', identity => 'assertion'),
    extension('other', $ext->url, identity => 'assertion'),
    extension('told', $ext->url),
    extension('silent', $ext->url, identity => 'none'),
);
my $gw = gateway(core => $core->url, console => $console->url, workers => 1, objects => [@extensions,
    role('GlobalRole', 'all', [{verbs => ['*'], nonResourceURLs => ['*']}, {verbs => ['*'], apiGroups => ['*'], resources => ['*']}]),
    binding('GlobalRole', 'all', 'all', 'alice')]);

# The assertion that the extension was sent for this request.
sub assertion {
    my ($g, $path, @headers) = @_;
    my $r = $g->request(GET => "/extensions/$path", @headers);
    is $r->{status}, 200, "GET $path" or diag $r->{body};
    my @sent = map { $_->[1] } grep { lc $_->[0] eq 'x-ksgate-assertion' } @{$ext->last->{lines}};
    is scalar(@sent), 1, 'one assertion is sent';
    return $sent[0];
}

sub jwks {
    my ($g) = @_;
    return $g->request(GET => '/-/jwks.json')->{json};
}

sub refusal {
    my (@args) = @_;
    return eval { Gateway::Assertion::verify(@args); 1 } ? 'believed' : $@ =~ s/\n\z//r;
}

# ---- The keys are for everybody ----------------------------------------------------------------

my $r = $gw->request(GET => '/-/jwks.json');
is $r->{status}, 200, 'the keys are there without a token';
is $r->{headers}{'content-type'}, 'application/jwk-set+json', 'as what they are';
is $r->{headers}{'cache-control'}, 'public, max-age=300', 'and may be kept for a while';
my $set = $r->{json};
is scalar(@{$set->{keys}}), 1, 'there is one';
my $kid = $set->{keys}[0]{kid};
is $kid, Gateway::Assertion::thumbprint($set->{keys}[0]), 'which is called by its thumbprint';
is_deeply [sort keys %{$set->{keys}[0]}], [sort qw(kty crv x y use alg kid)], 'and has nothing that is private';
is $gw->request(GET => '/-/jwks.json', Authorization => 'Bearer x.y.z')->{status}, 200, 'a bad token is not in the way';
is $gw->request(HEAD => '/-/jwks.json')->{headers}{'content-length'}, length $r->{body}, 'HEAD';
is $gw->request(POST => '/-/jwks.json', $gw->as('alice'))->{status}, 405, 'nobody writes them';
like $gw->stderr, qr/assertions are signed by the key \Q$kid\E/, 'the log says which key it is';

# ---- An assertion -------------------------------------------------------------------------------

my $alice = $gw->token('alice', extra => {scopes => ['a', 'b'], team => ['x']});
my @alice = (Authorization => "Bearer $alice");
my $first = assertion($gw, 'signed/x', @alice);
my $then = time; # it is good for a minute, and this test may take longer
{
    my $claims = Gateway::Assertion::verify($first, $set, aud => 'signed');
    my $now = time;
    cmp_ok abs($claims->{iat} - $now), '<=', 30, 'it was made a moment ago';
    is $claims->{exp} - $claims->{iat}, 60, 'for a minute';
    is $claims->{iat} - $claims->{nbf}, 5, 'for clocks that are a little behind, too';
    like delete $claims->{jti}, qr/^[\w-]{22}\z/, 'it has a name of its own';
    delete @$claims{qw(iat nbf exp)};
    is_deeply $claims, {iss => 'ksgate', aud => 'signed', sub => 'alice', username => 'alice', token_type => 'assertion',
        groups => ['system:authenticated'], extra => {scopes => ['a', 'b'], team => ['x']}}, 'and says who asks';
    my $h = $ext->last->{headers};
    is_deeply [grep { /remote|authorization/ } keys %$h], [], 'nothing else does';
}
is assertion($gw, 'signed/y', @alice), $first, 'the same user gets the same again: it was signed once';
isnt assertion($gw, 'signed/x', $gw->as('alice')), $first, 'not with a token that says something else';
isnt assertion($gw, 'other/x', @alice), $first, 'nor for another extension';
isnt assertion($gw, 'signed/x', $gw->as('bob')), $first, 'nor does another user';
{
    my $claims = Gateway::Assertion::verify(assertion($gw, 'other/x'), $set, aud => 'other');
    is_deeply [@$claims{qw(sub groups)}], ['system:anonymous', ['system:unauthenticated']], 'nobody is said to be nobody';
    $claims = Gateway::Assertion::verify(assertion($gw, 'signed/x', $gw->as("zo\xc3\xab \"x\"\\")), $set, aud => 'signed');
    is $claims->{sub}, "zo\xc3\xab \"x\"\\", 'a name of other letters is that name';
}

# ---- What a backend refuses ----------------------------------------------------------------------

my ($h64, $c64, $s64) = split /\./, $first;
is refusal($first, $set, aud => 'other', now => $then), 'for signed', 'an assertion is for one extension';
is refusal($first, $set, aud => 'signed', now => $then + 61), 'expired', 'and for a minute';
my $forged = encode_base64url($json->encode({%{$json->decode(decode_base64url($c64))}, sub => 'admin'}));
is refusal("$h64.$forged.$s64", $set, aud => 'signed'), 'the signature is wrong', 'other claims are noticed';
is $gw->request(GET => '/extensions/signed/x', Authorization => "Bearer $first")->{status}, 401, 'it is no credential for the gateway';

# ---- Nobody else's word ----------------------------------------------------------------------------

my @names = (
    qw(X-Remote-User x_remote_user X.Remote.Group X-Remote-Group X-Remote-Extra-Key X_Remote_Extra_Key X-Remote-Uid x-REMOTE_user),
    qw(Impersonate-User Impersonate_Group IMPERSONATE-EXTRA-X Impersonate.Uid X-Forwarded-User x_forwarded_email),
    qw(X-Ksgate-Assertion x-ksgate-assertion X-KSGATE-ASSERTION X_Ksgate_Assertion X.Ksgate.Assertion x-ksgate_assertion),
);
my @evil = map { $_ => 'evil' } @names;
my %upgrade = (Connection => 'Upgrade', Upgrade => 'websocket');
my $named = join ', ', @names;
my %ours = ( # what the backend is to be told by us, by the first segments of the path
    'extensions/signed' => [qw(x-ksgate-assertion)],
    'extensions/told' => [qw(x-remote-extra-scopes x-remote-extra-team x-remote-group x-remote-user)],
    'extensions/silent' => [],
    'kapis/x' => [],
    'page' => [],
);
for my $path (sort keys %ours) {
    my %ways = (
        'as headers' => [GET => "/$path/", @evil],
        'twice' => [GET => "/$path/", map { $_ => ['evil', 'evil'] } @names],
        'named by Connection' => [GET => "/$path/", @evil, Connection => $named],
        'Connection names them in capitals' => [GET => "/$path/", @evil, Connection => uc $named],
        'at an upgrade' => [GET => "/$path/", @evil, %upgrade],
        'at an upgrade that names them' => [GET => "/$path/", @evil, %upgrade, Connection => "Upgrade, $named"],
        'as trailers' => [POST => "/$path/", 'Transfer-Encoding' => 'chunked', TE => 'trailers', Connection => 'TE',
            Trailer => $named, body => "1\r\nx\r\n0\r\n" . join('', map { "$_: evil\r\n" } @names) . "X-Sum: 1\r\n\r\n"],
    );
    for my $way (sort keys %ways) {
        my $up = $path eq 'page' ? $console : $path eq 'kapis/x' ? $core : $ext;
        $up->forget;
        my $method = shift @{$ways{$way}};
        my $answer = $gw->request($method => @{$ways{$way}}, @alice);
        my $seen = $up->last or fail("$path, $way: it got there ($answer->{status} $answer->{body})"), next;
        my $text = $json->encode($seen);
        unlike $text, qr/evil/, "$path, $way: nothing of it arrives";
        is_deeply [sort grep { /remote|ksgate|impersonate|forwarded.(?:user|email)/ } keys %{$seen->{headers}}], $ours{$path},
            "$path, $way: only what we say" or diag $text;
    }
}

# ---- explain ------------------------------------------------------------------------------------------

for my $case (['signed', 'assertion', 'X-Ksgate-Assertion'], ['told', 'headers', 'X-Remote-'], ['silent', 'none', 'nothing']) {
    my ($name, $mode, $words) = @$case;
    my $text = $gw->ksgate_here('explain', 'GET', "/extensions/$name/x", '--as', 'alice')->{out};
    like $text, qr/^told +.*\Q$words\E/m, "explain says what $name is told";
    my $said = $json->decode($gw->ksgate_here('explain', 'GET', "/extensions/$name/x", '--as', 'alice', '-o', 'json')->{out});
    is $said->{identity}, $mode, 'in JSON too';
    is $said->{status}, undef, 'and no error';
}

# ---- The key lasts, and changes ---------------------------------------------------------------------------

my $file = $gw->dir . '/identity.key';
is sprintf('%o', (stat $file)[2] & 07777), '600', 'the key is kept for its owner only';
is_deeply [glob $gw->dir . '/identity.key.*'], [], 'and nothing is left beside it';
$gw->stop;
$gw->start;
is_deeply jwks($gw), $set, 'it is the same after a restart';
is refusal($first, jwks($gw), aud => 'signed', now => $then), 'believed', 'so that what was signed before is good';

rename $file, $gw->dir . '/identity-old.key' or die $!;
$gw->configure({identity => {previous_key_files => [$gw->dir . '/identity-old.key'], issuer => 'https://gw.example', lifetime => '10m',
    leeway => '0', jwks_max_age => '10s'}});
$gw->reload;
eventually { jwks($gw)->{keys}[0]{kid} ne $kid } 'another key';
$set = jwks($gw);
is scalar(@{$set->{keys}}), 2, 'with a new key the old one is still published';
is refusal($first, $set, aud => 'signed', now => $then), 'believed', 'what the old one has signed is good';
my $second = assertion($gw, 'signed/x', @alice);
my $claims = Gateway::Assertion::verify($second, $set, aud => 'signed');
is $json->decode(decode_base64url((split /\./, $second)[0]))->{kid}, $set->{keys}[0]{kid}, 'the new one signs';
is $claims->{iss}, 'https://gw.example', 'under the name that was set';
is $claims->{exp} - $claims->{nbf}, 600, 'for as long as was set';
is $gw->request(GET => '/-/jwks.json')->{headers}{'cache-control'}, 'public, max-age=10', 'the keys likewise';
$gw->configure({identity => {signing_key_file => $gw->dir . '/secret'}});
$gw->reload;
eventually { $gw->stderr =~ /not reloaded/ } 'the word about a bad file';
like $gw->stderr, qr/identity\.signing_key_file: \S+secret: holds no PEM private key/, 'a file that is no key is refused by name';
is_deeply jwks($gw), $set, 'and the old settings stay';
like $gw->admin(GET => '/-/metrics')->{body}, qr/^ksgate_assertion_key_info\{kid="\Q$set->{keys}[0]{kid}\E"\} 1$/m, 'metrics name the key';
like $gw->admin(GET => '/-/metrics')->{body}, qr/^ksgate_assertions_total\{result="signed"\} [1-9]/m, 'and count assertions';

# ---- Several gateways ------------------------------------------------------------------------------------------

my $redis = redis();
my $shared = spew($gw->dir . '/shared.key', slurp($gw->dir . '/identity-old.key'));
chmod 0600, $shared;
my ($one, $two) = map { gateway(redis => $redis, workers => 1, config => {identity => {signing_key_file => $shared}}) } 1, 2;
$one->apply(\@extensions);
eventually { $two->request(GET => '/extensions/other/x')->{status} == 200 } 'the extensions at the second gateway';
my $by_one = assertion($one, 'other/x');
my $by_two = assertion($two, 'other/x');
isnt $by_one, $by_two, 'each gateway signs its own';
is refusal($by_one, jwks($two), aud => 'other'), 'believed', 'and the keys of the other are good for it';
is refusal($by_two, jwks($one), aud => 'other'), 'believed', 'both ways';

my $keyless = gateway(redis => $redis, workers => 1);
eventually { $keyless->request(GET => '/extensions/told/x')->{status} == 200 } 'the extensions at the third gateway';
$r = $keyless->request(GET => '/extensions/other/x');
is $r->{status}, 503, 'one that shares the registry but was given no key makes none of its own';
like $r->{json}{message}, qr/identity\.signing_key_file.*same key/, 'and says what to do';
is_deeply jwks($keyless), {keys => []}, 'it publishes none';
is $keyless->request(GET => '/-/jwks.json')->{headers}{'cache-control'}, 'no-store', 'for no time';
like $keyless->ksgate_here('explain', 'GET', '/extensions/other/x')->{out}, qr/503/, 'explain says so as well';
ok $keyless->access_log(1, sub { ($_->{error} // '') eq 'no_signing_key' }), 'so does the log';

done_testing;
