# check and what the log says of a configuration: no error hides another, and what is unwise is warned of.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Names;

my $dir = tempdir();
my $fine = "listeners: [{address: 127.0.0.1:1}]\ncore: {url: http://127.0.0.1:1}\n";

# The findings of a configuration, without the file's name.
sub findings {
    my ($text) = @_;
    my $file = spew("$dir/c.yaml", $text);
    my $r = ksgate('check', $file);
    return {code => $r->{code}, err => $r->{err} =~ s/^\Q$file\E://mgr};
}

subtest 'errors beside each other' => sub {
    my $r = findings("${fine}authentication:\n  issuers:\n    - issuer: a\n      secret_file: $dir/none\n      algorithms: [HS265]\n      ca_file: $dir/ca\n"
        . "    - issuer: b\n      algorithms: [HS265]\n    - issuer: https://c\n      discovery: true\n      ca_file: $dir/ca\n      algorithms: [HS256, RS265]\n"
        . "  cookie: token\n  form_cookie: a b\n"
        . "authorization: {always_allowed: [/a*b, /c*d]}\n");
    is $r->{code}, 1, 'wrong';
    my @wrong = (
        qr{^6:\d+: error: authentication\.issuers\[0\]\.secret_file: \S+/none can't be read}m,
        qr{^7:\d+: error: authentication\.issuers\[0\]\.algorithms: unknown algorithm "HS265"}m,
        qr{^9:\d+: error: authentication\.issuers\[1\]: exactly one of}m,
        qr{^10:\d+: error: authentication\.issuers\[1\]\.algorithms: unknown algorithm "HS265"}m,
        qr{^13:\d+: error: authentication\.issuers\[2\]\.ca_file: \S+ can't be read}m,
        qr{^14:\d+: error: authentication\.issuers\[2\]\.algorithms: unknown algorithm "RS265"}m,
        qr{^14:\d+: error: authentication\.issuers\[2\]\.algorithms: HS256 needs a secret}m,
        qr{^16:\d+: error: authentication\.form_cookie}m,
        qr{^17:\d+: error: authorization\.always_allowed: .*"/a\*b"}m,
        qr{^17:\d+: error: authorization\.always_allowed: .*"/c\*d"}m,
    );
    like $r->{err}, $_, "$_" for @wrong;
    is scalar(() = $r->{err} =~ /: error: /g), scalar @wrong, 'and nothing else' or diag $r->{err};
};

subtest 'legal, but unwise' => sub {
    for (
        ["${fine}trusted_proxies: [10.0.0.0/8, 0.0.0.0/0, '::/0']\n", qr/^3:31: warning: trusted_proxies\[1\]: 0\.0\.0\.0\/0 is everybody.*\n3:42: warning: trusted_proxies\[2\]: ::\/0 is everybody/m],
        ["${fine}trusted_proxies: 0.0.0.0/0\n", qr/^3:18: warning: trusted_proxies\[0\]/m],
        ["${fine}admin: {mode: \"0666\"}\n", qr/^3:15: warning: admin\.mode: with "0666" every user/m],
        ["${fine}registry:\n  driver: redis\n  redis:\n    url: rediss://r\n    tls:\n      insecure_skip_verify: true\n",
            qr/^8:7: warning: registry\.redis\.tls\.insecure_skip_verify: /m],
        ["${fine}authorization: {mode: allow_all}\n", qr/^3:17: warning: authorization\.mode: allow_all/m],
        ["${fine}authentication: {cookie: token}\n", qr/^3:1: warning: authentication\.issuers: none are set/m],
        ["${fine}authentication: {issuers: []}\n", qr/^3:18: warning: authentication\.issuers: none are set/m],
        [$fine, qr/^1:1: warning: authentication\.issuers: none are set/m],
    ) {
        my $r = findings($_->[0]);
        is $r->{code}, 0, 'fine, but' or diag $r->{err};
        like $r->{err}, $_->[1], "$_->[1]";
    }
    my $r = findings("${fine}trusted_proxies: [10.0.0.0/8, '::1', 0.0.0.0/1]\nadmin: {mode: \"0660\"}\n");
    unlike $r->{err}, qr/trusted_proxies|admin\.mode/, 'what is not is not warned of';
};

# nginx/docker-nginx #669, nginx-proxy-manager #633, NPMplus #3485: one name that nobody has, and nothing starts.
subtest 'names that nobody has' => sub {
    my $up = upstream { [200, {}, 'up'] };
    my $dns = Gateway::Names->new('good.test' => {A => ['127.0.0.1'], ttl => 60}, 'broken.test' => {error => 'SERVFAIL'});
    my $folder = tempdir();
    spew("$folder/objects.yaml", join "---\n", map { my ($name, $host) = @$_;
        "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: $name}\nspec: {access: public, endpoints: [{url: 'http://127.0.0.1:1'}, {url: 'http://$host:80'}]}\n"
    } [well => 'good.test'], [ill => 'broken.test']);
    spew("$folder/wrong.yaml", "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: wrong}\nspec: {access: sometimes}\n");
    my $gw = gateway(start => 0, core => 'http://nobody.test', console => 'http://good.test:' . $up->port,
        config => {dns => {servers => [$dns->at]}, registry => {files => ["$folder/objects.yaml", "$folder/wrong.yaml"]}});
    my $check = sub { my $r = $gw->ksgate_here('check', @_); $r->{err} =~ s/^\Q@{[$gw->file]}\E:/FILE:/mg; return $r };
    my $plain = $check->();
    is $plain->{code}, 0, 'a configuration with such names is fine';
    is $plain->{err}, '', '... and it depends on no name server whether';
    is $dns->asked('nobody.test'), 0, '... which is not asked';
    my $rest = 'the gateway starts all the same, and answers 502 there until it has one';
    my $r = $check->('--names');
    is $r->{code}, 0, '--names: so it is';
    like $r->{err}, qr/^FILE:\d+:\d+: warning: core\.url: nobody\.test: the name has no address; $rest$/m, '... but it says which name has no address';
    like $r->{err}, qr/^\Q$folder\E\/objects\.yaml: warning: ExtensionService ill: spec\.endpoints\[1\]: broken\.test: .*; $rest$/m, '... also of what is in files';
    like $r->{err}, qr/^\Q$folder\E\/wrong\.yaml: warning: registry\.files: not all of it can be read: .*sometimes/m, '... of which it says when it can not look';
    is scalar(() = $r->{err} =~ /^/mg), 3, '... and nothing else' or diag $r->{err};
    my ($line) = $r->{err} =~ /^FILE:(\d+):/m;
    like((split /^/, slurp($gw->file))[$line - 1], qr/"url" : "http:\/\/nobody\.test"/, '... at its place');
    like ksgate({in => scalar slurp($gw->file)}, 'check', '--names', '-')->{err}, qr/^standard input:$line:\d+: warning: core\.url: nobody\.test/m, '... which may be on standard input';
    $r = $check->('--names', '--strict');
    is_deeply [$r->{code}, $r->{out}], [1, ''], '--strict: then it is not fine';
    is $check->('--strict')->{code}, 0, '... and without a warning it is';
    $r = $check->('--names', '--strict', '-o', 'json');
    is_deeply [$r->{code}, @{JSON::PP::decode_json($r->{out})}{qw(fine errors warnings)}], [1, JSON::PP::false, 0, 3], '... as JSON, too';

    $gw->start;
    is $gw->request(GET => '/x')->{body}, 'up', 'the gateway starts, and what has an address is served';
    $r = $gw->request(GET => '/version');
    is $r->{status}, 502, '... and what has none is not';
    like $r->{json}{message}, qr/the name has no address/, '... by its reason';
    $dns->set('nobody.test' => {A => ['127.0.0.1'], ttl => 0});
    is ksgate('check', '--names', $gw->file)->{err} =~ /nobody/, '', 'a name that has got one is fine';
};

subtest 'the log has them' => sub {
    my $gw = gateway(config => {authorization => {mode => 'allow_all'}});
    my $warning = qr/WARN.*configuration: \S+\.yaml:\d+:\d+: authorization\.mode: allow_all/i;
    like $gw->stderr, $warning, 'at the start';
    is scalar(() = $gw->stderr =~ /authorization\.mode: allow_all/g), 1, '... once';
    $gw->reload;
    ok eventually { $gw->stderr =~ /reload: \S+\.yaml:\d+:\d+: authorization\.mode: allow_all/ }, 'at a reload, with line and column';
    spew($gw->file, "workers: none\n");
    $gw->reload;
    ok eventually { $gw->stderr =~ /reload: \S+\.yaml:1:10: workers: expected/ }, 'an error, too';
};

done_testing;
