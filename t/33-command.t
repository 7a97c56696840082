# The command: its options, its exit codes, and what it says when it is used wrongly.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

my $none = tempdir();

# The words, the exit code, and what is said on stderr.
my @wrong = (
    [[], 2, undef],
    [['chekc'], 2, qr/there is no command 'chekc' \(did you mean 'check'\?\)/],
    [['-c'], 2, qr/-c needs a file/],
    [['get'], 2, qr/too few arguments/],
    [['get', 'a', 'b', 'c'], 2, qr/'c' is one argument too many/],
    [['get', 'extensionservce'], 2, qr/did you mean 'extensionservices'\?/],
    [['get', 'es', '--outptu', 'json'], 2, qr/there is no option --outptu \(did you mean --output\?\)/],
    [['get', 'es', '-o', 'xml'], 2, qr/the formats are table, json and yaml/],
    [['get', 'role', 'admin'], 2, qr/say -n NAMESPACE/],
    [['get', 'es', '--token', 'x'], 2, qr/a token goes with --server/],
    [['get', 'es', '--socket', "$none/s"], 1, qr/no gateway listens at .*: is `ksgate serve` running\?/],
    [['get', 'es', '--server', 'http://127.0.0.1:1'], 1, qr/no gateway answers at/],
    [['get', 'es', '--server', 'https://127.0.0.1'], 2, qr{it takes http://HOST:PORT}],
    [['register', 'devops', 'http://x', '--server', '127.0.0.1:8080'], 2, qr{it takes http://HOST:PORT; it must begin with}],
    [['get', 'es', '-c', "$none/none.yaml"], 1, qr/none\.yaml/],
    [['apply'], 2, qr/say what to apply/],
    [['apply', '-f', "$none/none.yaml"], 1, qr/none\.yaml.*nothing was changed/s],
    [['delete', 'es'], 2, qr/say which/],
    [['delete'], 2, qr/either KIND NAME or -f FILE/],
    [['register', 'devops', 'htp://x'], 2, qr{htp://x: it must begin with}],
    [['register', 'devops', 'http://x', '--lease', '2h'], 2, qr/it takes 2s to 1h/],
    [['register', 'devops', 'http://x', '--wait', 'all'], 2, qr/it takes live or fleet/],
    [['register', 'devops', 'http://x', '--lease', '1s'], 2, qr/it takes 2s to 1h/],
    [['register', 'devops', 'http://x', '--lease', '2500ms'], 2, qr/in whole seconds/],
    [['registry', 'scrpt'], 2, qr/did you mean `registry script`/],
    [['schema', '--yaml', '--man'], 2, qr/one form at a time/],
    [['check', "$none/none.yaml"], 1, qr/none\.yaml/],
    [['serve', 'now'], 2, qr/'now' is one argument too many/],
);

for my $case (@wrong) {
    my ($words, $code, $said) = @$case;
    my $r = ksgate(@$words);
    is $r->{code}, $code, "ksgate @$words: $code" or diag $r->{err};
    like $r->{err}, $said, '  and says why' if $said;
    is $r->{out}, '', '  with nothing on stdout' if $said;
}

subtest 'help' => sub {
    my $r = ksgate('--help');
    is $r->{code}, 0, 'fine';
    my @commands = $r->{out} =~ /^  (\w+) /mg;
    cmp_ok scalar @commands, '>=', 13, 'all commands are there';
    ok !grep({ $_ eq 'server' } @commands), 'but the one that is not for people';
    for (@commands) {
        my $help = ksgate($_, '--help');
        is $help->{code}, 0, "$_ --help";
        like $help->{out}, qr/^usage: ksgate $_.*^options:/ms, '  has usage and options';
    }
};

subtest 'checking a configuration' => sub {
    my $file = spew("$none/bad.yaml", "listners: []\nlimits: {head: 1}\nworkers: [1]\n");
    my $r = ksgate('check', '-c', $file);
    is $r->{code}, 1, 'is wrong';
    like $r->{err}, qr/^\Q$file\E:1:\d+: error: .*did you mean "?listeners/m, 'the mistyped key';
    like $r->{err}, qr/^\Q$file\E:2:\d+: error: .*limits\.head/m, 'and the limit, at once';
    my $gw = gateway(start => 0);
    $r = ksgate('check', $gw->file);
    is $r->{code}, 0, 'a good one';
    like $r->{out}, qr/is fine: 1 listener, 2 workers/, 'is fine';
    $r = ksgate('-c', $gw->file, 'plan', '/a/../b');
    is $r->{code}, 1, 'a path that no setting lets through';
    like $r->{err}, qr/would be refused: a dot segment/, '  and says why';
    $r = ksgate('-c', $gw->file, 'plan', '/extensions/devops/x');
    like $r->{out}, qr/^1 +find +request_info\n2 +find +ext_router\n/m, 'plan prints the steps in order';
    like ksgate('plan', '/-/healthz', '-o', 'json', '-c', $gw->file)->{out}, qr/"module": "admin"/,
        'and those of the admin interface';
};

subtest 'what is printed from tables' => sub {
    is ksgate('schema', '--man')->{out}, slurp('docs/man/ksgate.1'),
        'docs/man/ksgate.1 is what `ksgate schema --man` prints (make docs)';
    like ksgate('schema')->{out}, qr/"\$schema"/, 'JSON Schema';
    like ksgate('registry', 'script')->{out}, qr/redis\.call/, 'the Redis script';
    like ksgate('--version')->{out}, qr/^ksgate \d/, 'the version';
};

done_testing;
