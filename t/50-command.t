# What the command is used for, day by day.  (How it is used wrongly is in 33-command.t.)
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $dir = tempdir();
my $up = upstream { [200, {}, 'here'] };

subtest 'check: all that is wrong, at once' => sub {
    my $file = spew("$dir/bad.yaml", <<'YAML');
listeners:
  - adress: 0.0.0.0:8080
  - address: nowhere
wrokers: 3
workers: many
core: {url: "ftp://x", console: 5}
registry: {driver: mysql, redis: {timeout: 5 parsecs}}
authentication:
  issuers:
    - {algorithms: [HS256]}
authorization: {mode: alow_all}
limits: {head: 64KB, headers: -1, body: big}
timeouts: {idle: soon}
log: {level: loud, acces: x}
trusted_proxies: [300.1.1.1/8]
admin: {socket: 7, mode: "0999"}
YAML
    my $r = ksgate('check', $file);
    is $r->{code}, 1, 'it is wrong';
    is $r->{out}, '', 'with nothing on stdout';
    my @wrong = (
        '2:5: listeners[0]: unknown setting "adress" (did you mean "address"?)',
        '2:5: listeners[0].address: is required',
        '3:5: listeners[1].address: expected an IP address and a port',
        '4:1: unknown setting "wrokers" (did you mean "workers"?)',
        '5:10: workers: expected "auto" or a number from 1 to 256, got "many"',
        '6:13: core.url: "ftp://x"',
        '6:33: core.console: expected text, got 5',
        '7:20: registry.driver: expected one of sqlite, redis, got "mysql"',
        '7:44: registry.redis.timeout: expected a duration',
        '10:7: authentication.issuers[0].issuer: is required',
        '11:23: authorization.mode: expected one of rbac, allow_all, got "alow_all" (did you mean "allow_all"?)',
        '12:16: limits.head: expected a size such as 64KiB, got "64KB"',
        '12:31: limits.headers: -1 is below the minimum',
        '12:41: limits.body: expected a size',
        '13:18: timeouts.idle: expected a duration',
        '14:14: log.level: expected one of error, warn, info, debug, got "loud"',
        '14:20: log: unknown setting "acces" (did you mean "access"?)',
        '15:19: trusted_proxies[0]: expected an address',
        '16:17: admin.socket: expected text, got 7',
        '16:26: admin.mode: expected an octal file mode',
    );
    for (@wrong) {
        my ($place, $words) = /^(\d+:\d+): (.*)/;
        like $r->{err}, qr/^\Q$file:$place: error: $words\E/m, $_;
    }
    is scalar(() = $r->{err} =~ /^/mg), scalar @wrong, 'and nothing else' or diag $r->{err};
    is ksgate('serve', '-c', $file)->{code}, 1, 'the gateway does not start with it';
};

subtest 'check: one thing that is wrong' => sub {
    my $fine = "listeners: [{address: 127.0.0.1:1}]\ncore: {url: http://127.0.0.1:1}\n";
    my $issuer = sub { "${fine}authentication: {issuers: [{issuer: a, $_[0]}]}\n" };
    my %text = (
        "a: [1\nb: 2\n" => qr/bad\.yaml:2:\d+: error: .*flow sequence, which starts in line 1/,
        "workers: 2\nworkers: 3\n" => qr/bad\.yaml:2:1: error: duplicate key "workers" \(it stands in line 1 already\)/,
        "${fine}log: {level: \"\${KSGATE_TEST_NOT_SET}\"}\n" => qr/bad\.yaml:3:\d+: error: .*KSGATE_TEST_NOT_SET/,
        "$fine---\n$fine" => qr/bad\.yaml:\d+:\d+: error: .*second one begins here/,
        "- 1\n" => qr/bad\.yaml:1:\d+: error: .*mapping/,
        "\t- 1\n" => qr/bad\.yaml:1:\d+: error: /,
        "a: \xff\n" => qr/bad\.yaml.*UTF-8/i,
        $issuer->("secret_file: $dir/none") => qr{bad\.yaml:3:\d+: error: \S+secret_file: \Q$dir\E/none can't be read: No such file},
        $issuer->('leeway: 1s') => qr/bad\.yaml:3:\d+: error: .*exactly one of secret_file, .* is needed/,
        $issuer->("algorithms: [HS265], secret_file: $dir/secret") => qr/unknown algorithm "HS265" \(did you mean "HS256"\?\)/,
        $issuer->("secret_file: $dir/short") => qr/bad\.yaml:3:\d+: error: .*secret_file: .*short/,
        $issuer->("public_key_file: $dir/secret") => qr/bad\.yaml:3:\d+: error: .*public_key_file/,
    );
    spew("$dir/secret", 's' x 64);
    spew("$dir/short", 'secretword');
    for my $text (sort keys %text) {
        my $r = ksgate('check', spew("$dir/bad.yaml", $text));
        is $r->{code}, 1, 'wrong: ' . $text =~ s/[^ -~]/ /gr;
        like $r->{err}, $text{$text}, '  and said where and how';
        unlike $r->{err}, qr/secretword|ssssssss/, '  without a secret';
    }
    my $r = ksgate('check', spew("$dir/bad.yaml", "${fine}authorization: {mode: allow_all}\n"));
    is $r->{code}, 0, 'what is legal but unwise is fine';
    like $r->{err}, qr/warning: .*allow_all/, 'but warned of';
    spew("$dir/bad.yaml", "${fine}log: {level: \"\${KSGATE_TEST_LEVEL}\"}\n");
    $r = ksgate({env => {KSGATE_TEST_LEVEL => 'warn'}}, 'check', "$dir/bad.yaml");
    is $r->{code}, 0, 'a variable stands for its value' or diag $r->{err};
};

my $gw = gateway(core => $up->url, objects => slurp('conf/demo/objects.yaml'));

subtest 'token' => sub {
    my $token = $gw->ksgate_here('token', '--user', 'alice', '--ttl', '5m')->{out} =~ s/\n\z//r;
    is $gw->request(GET => '/extensions/hello/', Authorization => "Bearer $token")->{status}, 503, 'one that was made is taken';
    my ($head, $claims) = map { $json->decode(decode_base64url($_)) } (split /\./, $token)[0, 1];
    is_deeply $head, {alg => 'HS256', typ => 'JWT'}, 'it is of the issuer\'s algorithm';
    is $claims->{exp} - $claims->{iat}, 300, 'lives as long as was said';
    is_deeply [@$claims{qw(iss sub username token_type)}], [Gateway::Token::ISSUER, 'alice', 'alice', 'access_token'], 'and says who it is for';
    my $r = $gw->ksgate_here('token', '--decode', $token, '-o', 'json');
    is $r->{code}, 0, '--decode: it would be taken';
    is $json->decode($r->{out})->{user}, 'alice', 'and of whom it is';
    is ksgate({in => "$token\n"}, 'token', '-c', $gw->file, '--decode', '-')->{code}, 0, 'from standard input, too';
    for (
        [$gw->token('alice', exp => 1), 'token_expired', qr/exp is in the past/],
        [$gw->token('alice', iss => 'other'), 'token_issuer', qr/./],
        [Gateway::Token::mint('x' x 64, 'alice'), 'token_signature', qr/./],
        ['a.b', 'token_malformed', qr/three parts/],
    ) {
        $r = $gw->ksgate_here('token', '--decode', $_->[0], '-o', 'json');
        is $r->{code}, 1, "--decode: $_->[1]";
        my $said = eval { $json->decode($r->{out}) } // {};
        is $said->{error}, $_->[1], '  by name';
        like $said->{why}, $_->[2], '  and why';
    }
    like $gw->ksgate_here('token', '--decode', $gw->token('alice', exp => 1))->{out},
        qr/^claims:\n(?:.*\n)*^taken: false\n/m, 'for people as YAML';
    is $gw->ksgate_here('token')->{code}, 2, 'a token is for somebody';
    is $gw->ksgate_here('token', '--user', 'a', '--ttl', 'soon')->{code}, 2, 'and for some time';
    is $gw->ksgate_here('token', '--user', 'a', '--alg', 'none')->{code}, 2, 'and signed';
    is $gw->ksgate_here('token', '--user', 'a', '--issuer', 'nobody')->{code}, 1, 'by an issuer that is known';
};

subtest 'apply, get, delete' => sub {
    spew("$dir/two.yaml", "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: one, labels: {team: a}}\nspec: {}\n---\n"
        . "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: two, labels: {team: b}}\nspec: {access: public}\n");
    my $r = $gw->ksgate_here('apply', '-f', "$dir/two.yaml", '--dry-run');
    is $r->{out}, "extensionservice/one created (dry run)\nextensionservice/two created (dry run)\n", 'apply --dry-run says what it would do';
    is $gw->ksgate_here('get', 'es', 'one')->{code}, 1, 'and does nothing';
    is $gw->ksgate_here('apply', '-f', "$dir/two.yaml")->{out}, "extensionservice/one created\nextensionservice/two created\n", 'apply does it';
    like ksgate({in => slurp("$dir/two.yaml")}, 'apply', '-c', $gw->file, '-f', '-')->{out},
        qr/^extensionservice\/one unchanged$/m, 'from standard input, too';

    $r = $gw->ksgate_here('get', 'ExtensionServices');
    is $r->{code}, 0, 'get: a table';
    my ($head, @rows) = split /\n/, $r->{out};
    like $head, qr/^NAME +.*AGE$/, '  with a head';
    is_deeply [map { (split / +/)[0] } @rows], [qw(hello one two)], '  and a row each';
    my $list = $json->decode($gw->ksgate_here('get', 'es', '-o', 'json')->{out});
    is_deeply [map { $_->{metadata}{name} } @{$list->{items}}], [qw(hello one two)], 'get -o json';
    like $gw->ksgate_here('get', 'es', 'two', '-o', 'yaml')->{out}, qr/^kind: ExtensionService\n(?:.*\n)*^  access: public\n/m, 'get -o yaml';
    is $gw->ksgate_here('get', 'es', '-l', 'team=a')->{out} =~ /^one .*\n\z/m, 1, 'get -l';
    like $gw->ksgate_here('get', 'roles', '-n', 'demo-test')->{out}, qr/^operator /m, 'get -n';
    like $gw->ksgate_here('get', 'roles')->{out}, qr/^NAMESPACE .*\ndemo-test +operator /, 'of all namespaces';
    my $yaml = $gw->ksgate_here('get', 'es', 'two', '-o', 'yaml')->{out};
    like ksgate({in => $yaml}, 'apply', '-c', $gw->file, '-f', '-')->{out}, qr/^extensionservice\/two unchanged$/m, 'what get prints can be applied';

    spew("$dir/half.yaml", "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: three}\nspec: {}\n---\n"
        . "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: four}\nspec: {acess: public}\n---\nkind: Nothing\n");
    $r = $gw->ksgate_here('apply', '-f', "$dir/half.yaml");
    is $r->{code}, 1, 'apply of a file with errors fails';
    like $r->{err}, qr/half\.yaml:9:\d+: error: .*"acess" \(did you mean "access"\?\)/, '  and says where';
    like $r->{err}, qr/half\.yaml:11:\d+: error: /, '  all of it';
    is $gw->ksgate_here('get', 'es', 'three')->{code}, 1, '  and changes nothing';
    mkdir "$dir/d" or die;
    spew("$dir/d/a.yaml", slurp("$dir/two.yaml") =~ s/one/five/r =~ s/two/six/r);
    spew("$dir/d/b.json", $json->encode(extension('seven')));
    is $gw->ksgate_here('apply', '-f', "$dir/d")->{out} =~ tr/\n//, 3, 'apply of a folder takes all files';
    is $gw->ksgate_here('delete', '-f', "$dir/d")->{out} =~ tr/\n//, 3, 'and delete deletes them';
    is $gw->ksgate_here('delete', 'es', $_)->{code}, 0, "delete $_" for qw(one two);
};

subtest 'by address and token' => sub {
    my @there = ('--server', $gw->url, '--token', $gw->token('admin'));
    like ksgate('get', 'es', @there)->{out}, qr/^hello /m, 'get asks a gateway elsewhere';
    my $r = ksgate('get', 'es', '--server', $gw->url);
    is $r->{code}, 1, 'without a token';
    like $r->{err}, qr/Unauthorized|bearer token|forbidden/, '  it says what is missing';
    $r = ksgate('get', 'es', '--server', $gw->url, '--token', $gw->token('bob'));
    like $r->{err}, qr/User "bob" cannot list resource "extensionservices"/, 'as who may not, that';
    spew("$dir/token", $gw->token('admin') . "\n");
    spew("$dir/eight.json", $json->encode(extension('eight', $up->url)));
    is ksgate('apply', '-f', "$dir/eight.json", '--server', $gw->url, '--token-file', "$dir/token")->{out},
        "extensionservice/eight created\n", 'apply with a token from a file';
    is $gw->request(GET => '/extensions/eight/x')->{status}, 200, '  which is live';
};

subtest 'explain' => sub {
    my $path = '/extensions/hello/workspaces/demo/greetings/world';
    my $r = $gw->ksgate_here('explain', 'GET', $path, '--as', 'bob');
    is $r->{code}, 0, 'a denial is an answer';
    like $r->{out}, qr/^request +GET \Q$path\E$/m, 'it says what was asked';
    like $r->{out}, qr/^who +bob, in system:authenticated$/m, 'by whom';
    like $r->{out}, qr/^what +get greetings "world" of hello\.ksgate\.io, workspace "demo"/m, 'what that means';
    like $r->{out}, qr/^decision +denied: 403$/m, 'that it is denied';
    like $r->{out}, qr/^answer +.*User "bob" cannot get resource "greetings"/m, 'in which words';
    like $r->{out}, qr/^nearest +\S/m, 'and what comes nearest';
    $r = $gw->ksgate_here('explain', $path, '--as', 'alice');
    like $r->{out}, qr/^decision +allowed, but the answer is 503$/m, 'who may is told what would come';
    like $r->{out}, qr/^because +.*"demo-admin"/m, 'and thanks to which role';
    like $r->{out}, qr/^rule +WorkspaceRole "demo-admin", rules\[0\]$/m, 'and rule';
};

subtest 'plan' => sub {
    like $gw->ksgate_here('plan', '/extensions/x/y')->{out},
        qr/ext_router\n.* jwt\n.* rbac\n.* forward +gateway\n.* send +gateway\n.* access_log\n/s, 'of an extension';
    unlike $gw->ksgate_here('plan', '/kapis/x')->{out}, qr/ext_router/, 'of the core';
    is $gw->ksgate_here('plan')->{code}, 2, 'of something';
};

subtest 'no gateway' => sub {
    is $gw->stop, 0, 'it stops';
    for (['get', 'es'], ['apply', '-f', "$dir/two.yaml"], ['delete', 'es', 'x'], ['explain', '/x'], ['reload']) {
        my $r = $gw->ksgate_here(@$_);
        is $r->{code}, 1, "@$_ fails";
        like $r->{err}, qr/no gateway listens at \S+admin\.sock: is `ksgate serve` running\?/, '  and says why';
    }
};

subtest 'what is generated' => sub {
    for (['docs/reference/config.md', '--markdown'], ['conf/full.yaml', '--yaml'], ['docs/man/ksgate.1', '--man']) {
        my ($file, $form) = @$_;
        ok -e $file && slurp($file) eq ksgate('schema', $form)->{out}, "$file is what ksgate schema $form prints"
            or diag "run: ksgate schema $form >$file (or: make docs)";
    }
    my $schema = $json->decode(ksgate('schema')->{out});
    ok $schema->{properties}{listeners}, 'the JSON Schema has the settings';
    my ($full) = ksgate('schema', '--yaml')->{out};
    my $r = ksgate('check', spew("$dir/full.yaml", $full));
    unlike $r->{err}, qr/unknown setting|expected/, 'and the YAML is a configuration' or diag $r->{err};
    is ksgate('version')->{out}, ksgate('--version')->{out}, 'the version';
};

done_testing;
