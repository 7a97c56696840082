# Keys that an issuer publishes: fetched, followed when they change, and kept when it is away.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Client;
use Gateway::Keys;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my %key = map { $_ => Gateway::Keys->new($_) } qw(a b c d e);
my $dir = tempdir();
my $up = upstream { [200, {}, 'extension'] };

# ---- The issuer: what it answers stands in a file -----------------------------------------------------

sub publish { return spew("$dir/set.tmp", Gateway::Keys::set(map { $key{$_} // $_ } @_)) && rename "$dir/set.tmp", "$dir/set" }
sub issuer_says { my ($what) = @_; spew("$dir/answer.tmp", $what); return rename "$dir/answer.tmp", "$dir/answer" }

publish('a');
issuer_says('set');
my $issuer = upstream {
    my ($r) = @_;
    my $answer = slurp("$dir/answer");
    my %headers = ('Content-Type' => 'application/json', 'Cache-Control' => 'public, max-age=3600');
    $r->hold if $answer eq 'hold';
    return $answer =~ /^HTTP/ ? $answer : $answer eq 'set' || $answer eq 'hold' ? [200, \%headers, slurp("$dir/set")] : [200, \%headers, $answer];
};
my $iss = 'https://idp.example.com';
my %row = (issuer => $iss, jwks_url => $issuer->url . '/keys', token_types => []);
my %sets = (file => "$dir/known", refetch => '300ms', wait => '10s', timeout => '20s');

my $gw = gateway(core => $up->url, start => 0);
sub configured { # further members of the row; and of key_sets
    my ($row, $sets) = @_;
    return $gw->configure({authentication => {issuers => [{%row, %$row}], key_sets => {%sets, %{$sets || {}}}}});
}
configured({});
$gw->start;
$gw->apply([extension('members', $up->url, access => 'authenticated'), extension('open', $up->url, access => 'public')]);

my %claims = (iss => $iss, username => 'alice', exp => time + 6000);
sub ask {
    my ($name, %more) = @_;
    my $token = $key{$name}->token({%claims, iat => $more{iat} // time}, %{$more{header} || {}});
    return $gw->request($more{method} // 'GET' => $more{path} // '/extensions/members/x', Authorization => "Bearer $token",
        exists $more{body} ? (body => $more{body}) : ());
}
sub log_says { my ($words) = @_; return eventually { $gw->stderr =~ $words } "the log to say $words" }
sub metric {
    my ($name) = @_;
    my ($value) = $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_jwks_\Q$name\E (\S+)$/m;
    return $value;
}
my $labels = qq(issuer="$iss",url="$row{jwks_url}");

# ---- Fetched, and followed -----------------------------------------------------------------------------

is ask('a')->{status}, 200, 'a token of the published key';
is $issuer->seen, 1, 'for which the issuer was asked once';
is $issuer->last->{headers}{accept}, 'application/json, application/jwk-set+json', 'for JSON';
is ask('a', header => {kid => undef})->{status}, 200, 'also when it does not name its key';
log_says(qr/issuer \Q$iss\E: its keys were fetched: 1 key \(a\)/);

publish('b');
is ask('b')->{status}, 200, 'the first token of a new key waits for the key, and is good';
is $issuer->seen, 2, 'after one more question';
is ask('a')->{status}, 200, 'the key that left the set is still taken';
log_says(qr/its keys have changed: 1 key \(b\), and 1 that left the set/);
is metric("keys{$labels}"), 2, 'the metrics count them';
is metric("fetches_total{$labels,result=\"changed\"}"), 2, 'and the questions';
ok metric("age_seconds{$labels}") < 3600, 'and say how old they are';

publish('b', 'c');
is ask('c', method => 'POST', body => 'x' x 200_000)->{status}, 200, 'a request with a body waits, too';
is length $up->last->{body}, 200_000, 'and loses nothing of it';

my $ready = $gw->admin(GET => '/-/readyz')->{json}{keys};
is $ready->{state}, 'complete', 'readyz tells that all issuers have keys';
is_deeply [@{$ready->{issuers}[0]}{qw(issuer keys left_the_set)}], [$iss, 3, 1], 'and which';
is_deeply [keys %{$gw->request(GET => '/-/readyz')->{json}{keys}}], ['state'], 'but not to everybody';

# ---- Unknown keys ----------------------------------------------------------------------------------------

{
    my $r = ask('d', iat => time - 600);
    is $r->{status}, 401, 'a token of an unknown key';
    is $r->{json}{message}, 'no key is known for the token', 'and that is what is said';
    configured({}, {refetch => '1h'});
    $gw->ksgate_here('reload');
    eventually { ask('d', iat => time - 600); $issuer->seen } 'a question';
    my $before = $issuer->seen;
    my @status = map { ask('d', iat => time - 600, header => {kid => "unknown-$_"})->{status} } 1 .. 50;
    is_deeply [grep { $_ != 401 } @status], [], 'fifty tokens of unknown keys';
    ok $issuer->seen - $before <= 1, 'do not make the issuer be asked more than once in key_sets.refetch';
    $r = ask('d', iat => time + 5);
    is $r->{status}, 503, 'a token that is younger than the last answer may be good: not 401';
    is $r->{json}{reason}, 'ServiceUnavailable', 'as nobody knows yet';
    ok $r->{headers}{'retry-after'} > 60, 'and it is said when to come back';
    $r = ask('d', iat => time - 600, path => '/extensions/open/x');
    is $r->{status}, 200, 'where everybody may come it is in nobody\'s way';
    my $dry = $gw->ksgate_here('explain', 'GET', '/extensions/members/x', '--token', $key{d}->token({%claims}), '-o', 'json');
    like $dry->{out}, qr/token_key/, 'explain says so, and asks nobody' or diag $dry->{err};
    configured({});
    $gw->ksgate_here('reload');
}

# ---- An issuer that is away, slow, or talks rubbish -----------------------------------------------------

my @bad = (
    ['rubbish', '<html>please log in</html>', qr/the answer is no set with a key for tokens/],
    ['an error', "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", qr/the answer's status is not 200/],
    ['a set of secrets', '{"keys":[{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}', qr/is a secret, and everybody can read it here/],
    ['an answer without end', 'x' x 300_000, qr/the answer is larger than 256 KiB/],
    ['an empty set', '{"keys":[]}', qr/the answer is no set with a key for tokens/],
    ['another scheme', "HTTP/1.1 302 There\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", qr/Unsupported protocol/],
    ['silence', 'hold', qr/Timeout was reached/],
);
for my $case (@bad) {
    my ($what, $answer, $words) = @$case;
    if ($what eq 'silence') { # which alone is found by the clock
        configured({}, {timeout => '1s'});
        is $gw->ksgate_here('reload')->{code}, 0, 'a second is enough';
    }
    issuer_says($answer);
    my $failed = metric("fetches_total{$labels,result=\"failed\"}");
    eventually {
        is ask('b')->{status}, 200, "$what: the known keys go on" if ask('d')->{status} != 503;
        metric("fetches_total{$labels,result=\"failed\"}") > $failed;
    } "$what: a question";
    my $r = ask('d');
    is $r->{status}, 503, "$what: whether a token of another key is good, nobody knows";
    is ask('b')->{status}, 200, "$what: the known keys go on";
    log_says($words);
}
$issuer->release(20);
configured({});
is $gw->ksgate_here('reload')->{code}, 0, 'and 20 are, too';
issuer_says('set');
publish('b', 'c', 'd');
eventually { ask('d')->{status} == 200 } 'the issuer is well again';
pass 'an issuer that is well again is heard';
log_says(qr/its keys have changed: 3 keys \(b, c, d\)/);

# ---- A restart while it is away --------------------------------------------------------------------------

$issuer->stop;
$gw->stop;
$gw->start;
is ask($_)->{status}, 200, "after a restart without the issuer, key $_ is still known" for qw(a b c d);
my $decoded = $gw->ksgate_here('token', '--decode', $key{b}->token({%claims}));
is $decoded->{code}, 0, 'ksgate token --decode knows it, too' or diag $decoded->{out}, $decoded->{err};
log_says(qr/its keys can't be fetched from \S+ \(.*connect.*\): those that are known go on being used/i);
like $gw->admin(GET => '/-/readyz')->{body}, qr/"reason": *"Couldn't connect/, 'readyz tells why they are old';
$gw->stop;

my $known = slurp("$dir/known");
is((stat "$dir/known")[2] & 0777, 0600, 'the file is the server\'s alone');
spew("$dir/known", $known =~ s/"kty"/"ktx"/r);
$gw->start;
is ask('b')->{status}, 503, 'a file that is not as it was written is not believed: no key is known';
is $gw->admin(GET => '/-/readyz')->{json}{keys}{state}, 'missing', 'which readyz tells';
is $gw->admin(GET => '/-/readyz')->{status}, 200, 'but other issuers\' tokens can be judged';
like $gw->ksgate_here('explain', 'GET', '/extensions/members/x', '--token', $key{b}->token({%claims}), '-o', 'json')->{out},
    qr/keys_unavailable/, 'and explain tells why a token is not judged';
log_says(qr/none are known, and its tokens are answered 503/);
eventually { -e "$dir/known.bad" } 'the file to be set aside';
pass 'it is set aside';
$issuer->start;
eventually { ask('b')->{status} == 200 } 'the keys, once the issuer is there';
pass 'the issuer comes back: the keys are fetched without anybody\'s doing';
$gw->stop;
chmod 0666, "$dir/known";
like $gw->ksgate_here('check')->{err}, qr/warning: .*can be written by others/, 'a file that others can write is not believed';
unlink "$dir/known";

# ---- What is known is also what the file knows ------------------------------------------------------------------

sub file_has { my ($file, @names) = @_; return eventually { -e $file && !grep { slurp($file) !~ /"kid":"$_"/ } @names } "$file to have @names" }
publish('a');
configured({});
$gw->start;
is ask('a')->{status}, 200, 'a key';
file_has("$dir/known", 'a');
$issuer->stop;
for my $case (['another file', {}, {file => "$dir/known-2"}], ['another old_keys', {old_keys => '3h'}, {}]) {
    my ($what, $row, $sets) = @$case;
    unlink "$dir/known";
    configured($row, $sets);
    is $gw->ksgate_here('reload')->{code}, 0, "a reload to $what, while the issuer is away";
    is ask('a')->{status}, 200, 'takes no key away';
    file_has($sets->{file} // "$dir/known", 'a');
}
$issuer->start;
configured({}, {file => "$dir/known-3"});
mkdir "$dir/known-3.new";
is $gw->ksgate_here('reload')->{code}, 0, 'a reload to a file that can not be written';
log_says(qr/keys can't be kept in \S+known-3: /);
rmdir "$dir/known-3.new";
eventually { ask('d', iat => time + 5); -e "$dir/known-3" } 'the file, once it can be written';
file_has("$dir/known-3", 'a');
log_says(qr/keys are kept in \S+known-3 again/);
$gw->stop;

# ---- The end of a key ---------------------------------------------------------------------------------------

publish('a', 'b');
configured({old_keys => 0});
$gw->start;
is ask('a')->{status}, 200, 'two keys';
my $token = $key{a}->token({%claims, iat => time - 600});
my $other = $key{b}->token({%claims, iat => time - 600});
my $client = $gw->connect; # always the same: each worker remembers by itself
sub status_of { return $client->request(GET => '/extensions/members/x', Authorization => "Bearer $_[0]")->{status} }
is status_of($_), 200, 'a token that will be remembered' for $token, $other, $token, $other;
publish('b', 'c');
is ask('c')->{status}, 200, 'a new key, in the place of one';
eventually { status_of($token) == 401 } 'the end of what the old one had signed';
pass 'with the key go the remembered tokens that it had signed';
my $entries = sub { my ($n) = $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_tokens_total\{result="cached"\} (\d+)/m; $n };
my $cached = $entries->();
is status_of($other), 200, 'a token of a key that stayed';
is $entries->(), $cached + 1, 'is still remembered';
$gw->stop;

publish('d');
configured({old_keys => '1s'});
$gw->start;
is ask('d')->{status}, 200, 'one key';
publish('e');
is ask('e')->{status}, 200, 'another one in its place';
eventually { ask('d', iat => time - 600)->{status} == 401 } 'the end of old_keys';
pass 'a key that has left the set is taken for old_keys';
log_says(qr/keys that left the set a while ago are no longer taken: 1 key \(e\)$/m);
$gw->stop;

publish('a', 'b');
configured({old_keys => '1h'});
$gw->start;
is ask('a')->{status}, 200, 'two keys';
publish('b', 'c');
is ask('c')->{status}, 200, 'another one in the place of the first';
is ask('a', iat => time - 600)->{status}, 200, 'which is taken for an hour';
$issuer->stop;
configured({old_keys => 0});
is $gw->ksgate_here('reload')->{code}, 0, 'a reload with old_keys: 0, even while the issuer is away';
eventually { ask('a')->{status} != 200 } 'its end';
is ask('b')->{status}, 200, 'ends what had left the set, and nothing else';
$issuer->start;
$gw->stop;

# ---- How long an answer is good ------------------------------------------------------------------------------

publish('a');
issuer_says("HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nConnection: close\r\n\r\n" . slurp("$dir/set"));
$issuer->forget;
configured({}, {refresh_min => '200ms'});
$gw->start;
$issuer->wait_for(3);
pass 'an answer that is good for a second is asked for again';
$gw->stop;
for my $age ('-1', '"60"', 'soon', '') {
    issuer_says("HTTP/1.1 200 OK\r\nCache-Control: max-age=$age\r\nConnection: close\r\n\r\n" . slurp("$dir/set"));
    $issuer->forget;
    $gw->start;
    $issuer->wait_for(3);
    pass "an answer that is good for '$age', which nobody understands, is not good for ever";
    $gw->stop;
}
issuer_says('set');

# ---- A reload without the issuer -----------------------------------------------------------------------------

my $slow = upstream { my ($r) = @_; $r->hold if -e "$dir/hold"; return [200, {}, slurp("$dir/set")] };
configured({jwks_url => $slow->url . '/keys'}, {wait => '60s', timeout => '60s'});
$gw->start;
is ask('a')->{status}, 200, 'a known key';
spew("$dir/hold", '');
$slow->forget;
$client = $gw->connect;
$client->send_request(GET => '/extensions/members/x', Authorization => 'Bearer ' . $key{d}->token({%claims, iat => time}));
$slow->wait_for(1);
configured({jwks_url => $issuer->url . '/others?secret=s3cret'}, {wait => '60s', timeout => '60s'});
is $gw->ksgate_here('reload')->{code}, 0, 'a reload to other keys, while a request waits for one of before';
is $client->response->{status}, 503, 'it is answered, and does not wait for who is no longer asked';
$slow->release(1);
eventually { metric(qq(keys{issuer="$iss",url="@{[$issuer->url]}/others"})) } 'the metrics of the new one';
unlike $gw->admin(GET => '/-/metrics')->{body} . $gw->stderr, qr/s3cret/, 'what a URL has as its query is not shown';
$gw->stop;

# ---- A token that is as young as the question ------------------------------------------------------------

publish('a');
configured({}, {refetch => '1h'});
$gw->start;
eventually { metric("keys{$labels}") } 'the keys'; # who comes before them causes the question
is ask('a')->{status}, 200, 'a known key, and an issuer that may be asked once more in this hour';
is ask('d', iat => time + 5)->{status}, 401, 'who has caused a question is answered by it, whatever the token says of its age';
is ask('d', iat => time + 5)->{status}, 503, 'who comes later is not';
$gw->stop;

# ---- Two rows of one issuer ----------------------------------------------------------------------------------

my @half = map { my $n = $_; upstream { -e "$dir/away-$n" ? [500, {}, ''] : [200, {}, slurp("$dir/half-$n")] } } 0, 1;
sub publish_half { my ($n, @names) = @_; spew("$dir/tmp", Gateway::Keys::set(map { $key{$_} } @names)); return rename "$dir/tmp", "$dir/half-$n" }
publish_half(0, 'a');
publish_half(1, 'b');
$gw->configure({authentication => {
    issuers => [map { {issuer => $iss, jwks_url => $_->url . '/keys', token_types => []} } @half],
    key_sets => {%sets, refetch => '300ms', refresh => '1h'},
}});
$gw->start;
is ask($_)->{status}, 200, "two rows of one issuer: key $_" for qw(a b);
publish_half(1, 'b', 'c');
is ask('c')->{status}, 200, 'a key that is new in the second is found there';
publish_half(0, 'a', 'd');
is ask('d')->{status}, 200, 'and one that is new in the first, there';
is ask('e')->{status}, 401, 'one that neither has is refused';
spew("$dir/away-1", '');
eventually { ask('e'); $gw->stderr =~ /status is not 200/ } 'the second to be away';
is ask('e')->{status}, 503, 'while one of them is away, nobody knows';
publish_half(0, 'a', 'e');
eventually { ask('e')->{status} == 200 } 'the key, in the first';
pass 'what the other has is found all the same';
$gw->stop;

# ---- Discovery ---------------------------------------------------------------------------------------------

my $finder = upstream {
    my ($r) = @_;
    return [200, {}, slurp($r->{target} eq '/.well-known/openid-configuration' ? "$dir/document" : "$dir/set")];
};
$row{issuer} = $claims{iss} = $finder->url;
my $document = sub { my (%more) = @_; return $json->encode({issuer => $finder->url, jwks_uri => $finder->url . '/keys', %more}) };
my @documents = (
    ['another issuer\'s', $document->(issuer => $finder->url . '/'), qr/the document is another issuer's/],
    ['one without jwks_uri', $json->encode({issuer => $finder->url}), qr/the document names no jwks_uri/],
    ['one with a strange jwks_uri', $document->(jwks_uri => 'file:///etc/passwd'), qr/jwks_uri is neither http nor https/],
    ['one with a password in its jwks_uri', $document->(jwks_uri => $finder->url =~ s{//}{//user:s3cret@}r . '/keys'), qr/jwks_uri has a user's name in it/],
    ['rubbish', '[]', qr/the document is no JSON object/],
);
spew("$dir/document", $document->(issuer => $finder->url . '/'));
configured({jwks_url => '', discovery => JSON::PP::true});
$gw->start;
log_says(qr/the document is another issuer's/);
for my $case (@documents[1 .. $#documents]) {
    spew("$dir/document", $case->[1]);
    eventually { ask('a'); $gw->stderr =~ $case->[2] } "$case->[0]: its refusal";
    is ask('a')->{status}, 503, "a document that is $case->[0] is not followed";
}
spew("$dir/document", $document->());
eventually { ask('a')->{status} == 200 } 'the keys, by way of the document';
pass 'the document of the issuer leads to its keys';
$gw->stop;

# ---- What is wrong in a configuration ------------------------------------------------------------------------

my @wrong = (
    [{jwks_url => 'ftp://x/keys'}, qr/is no URL with http/],
    [{discovery => JSON::PP::true}, qr/exactly one of/],
    [{jwks_url => '', discovery => JSON::PP::true, issuer => 'idp'}, qr/is no URL with http/],
    [{jwks_url => 'https://user:s3cret@idp.example.com/keys'}, qr/jwks_url: the URL has a user's name/],
    [{jwks_url => 'user:s3cret@idp.example.com/keys'}, qr/jwks_url: the URL has a user's name/],
    [{jwks_url => '', discovery => JSON::PP::true, issuer => 'https://user:s3cret@idp.example.com'}, qr/issuer: the URL has a user's name/],
    [{jwks_url => 'idp.example.com/keys?token=s3cret'}, qr/is no URL with http/],
    [{algorithms => ['HS256']}, qr/HS256 needs a secret, and keys that are published are none/],
    [{ca_file => "$dir/nowhere"}, qr/ca_file: \S+ can't be read/],
    [{jwks_url => 'http://idp.example.com/keys'}, qr/warning: .*whoever is between/],
);
for my $case (@wrong) {
    configured($case->[0]);
    my $said = $gw->ksgate_here('check')->{err};
    like $said, $case->[1], "check finds " . $json->encode($case->[0]);
    unlike $said, qr/s3cret/, 'and tells no secrets';
}

done_testing;
