# -o json and -o yaml, of every command that prints something: what a script has of it.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $dir = tempdir();
my $up = upstream { [200, {}, 'here'] };
my $gw = gateway(core => $up->url);
my @es = (apiVersion => 'ksgate.io/v1', kind => 'ExtensionService');

sub decoded { return eval { $json->decode($_[0]{out}) } // {unreadable => $_[0]{out}} }

sub item {
    my ($name, $result) = @_;
    return {@es, name => $name, result => $result};
}

sub status { return {apiVersion => 'v1', kind => 'Status', status => 'Failure', message => $_[0]} }

# Nobody knows where the gateway is.
sub nowhere {
    my ($command, @args) = @_;
    for ([qr/nofile.*No such file/, '-c', "$dir/nofile"], [qr/--token-file \S+none can't be read: No such file/, '--server', 'http://127.0.0.1:1', '--token-file', "$dir/none"]) {
        my ($words, @where) = @$_;
        my $r = ksgate($command, @where, @args, '-o', 'json');
        is $r->{code}, 1, "$command @args @where";
        my $said = decoded($r);
        like $said->{error}{message}, $words, '... says why';
        is_deeply $said, {dryRun => JSON::PP::false, items => [], error => status($said->{error}{message})}, '... in one document';
        like $r->{err}, $words, '... and for people, too';
        is ksgate($command, @where, @args)->{out}, '', '... and nothing as a table';
    }
    return;
}

subtest 'apply' => sub {
    my $file = spew("$dir/two.json", $json->encode({apiVersion => 'v1', kind => 'List', items => [extension(one => $up->url), extension(two => $up->url)]}));
    my $r = $gw->ksgate_here('apply', '-f', $file, '-o', 'json', '--dry-run');
    is_deeply decoded($r), {dryRun => JSON::PP::true, items => [item(one => 'created'), item(two => 'created')]}, 'what would be';
    $r = $gw->ksgate_here('apply', '-f', $file, '-o', 'json');
    is $r->{code}, 0, 'fine';
    is_deeply decoded($r), {dryRun => JSON::PP::false, items => [item(one => 'created'), item(two => 'created')]}, 'each with its result';
    spew($file, $json->encode({apiVersion => 'v1', kind => 'List', items => [extension(one => $up->url), extension(two => $up->url, access => 'authenticated')]}));
    for my $how ([], ['--together']) {
        $r = $gw->ksgate_here('apply', '-f', $file, '-o', 'json', '--dry-run', @$how);
        is_deeply decoded($r)->{items}, [item(one => 'unchanged'), item(two => 'configured')], "what changes and what does not (@$how)";
    }
    like $gw->ksgate_here('apply', '-f', $file, '-o', 'yaml')->{out}, qr/^items:\n(?:.*\n)*.*name: two\n(?:.*\n)*.*result: configured$/m, 'as YAML';

    my $old = extension(one => $up->url);
    $old->{metadata}{resourceVersion} = '7777777';
    spew($file, $json->encode({apiVersion => 'v1', kind => 'List', items => [$old, extension(three => $up->url)]}));
    $r = $gw->ksgate_here('apply', '-f', $file, '-o', 'json');
    is $r->{code}, 1, 'one that is refused';
    my $said = decoded($r);
    is_deeply [map { $_->{result} } @{$said->{items}}], [qw(failed created)], '... is the only one';
    my $error = $said->{items}[0]{error};
    is_deeply [@$error{qw(kind status reason code)}], ['Status', 'Failure', 'Conflict', 409], '... and has its Status';
    like $r->{err}, qr{extensionservice/one: \Q$error->{message}\E}, '... whose words are for people, too';
    $r = $gw->ksgate_here('apply', '-f', $file, '-o', 'json', '--together');
    is $r->{code}, 1, 'together';
    is decoded($r)->{error}{code}, 409, '... it is that of all';
    is_deeply decoded($r)->{items}, [], '... and nothing was written';

    for my $lease ({leaseSeconds => 3600}, {}) {
        my $spec = {extension => 'one', url => $up->url, %$lease};
        my $with = %$lease ? 'with' : 'without';
        spew($file, $json->encode({apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'one.hand'}, spec => $spec}));
        for my $case (['created', '--together', '--dry-run'], ['created', '--dry-run'], ['created'], map { ['unchanged', @$_] } [], ['--dry-run'], ['--together', '--dry-run'], ['--together']) {
            my ($result, @how) = @$case;
            is decoded($gw->ksgate_here('apply', '-f', $file, '-o', 'json', @how))->{items}[0]{result}, $result, "an Endpoint $with a lease (@how): $result";
        }
        spew($file, $json->encode({apiVersion => 'ksgate.io/v1', kind => 'Endpoint', metadata => {name => 'one.hand'}, spec => {%$spec, weight => 2}}));
        is decoded($gw->ksgate_here('apply', '-f', $file, '-o', 'json', @$_))->{items}[0]{result}, 'configured', "... that changes (@$_)" for ['--together', '--dry-run'], ['--together'];
        $gw->admin(DELETE => '/-/apis/ksgate.io/v1/endpoints/one.hand?wait=live');
    }

    spew("$dir/bad.yaml", "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: four}\nspec: {acess: public}\n");
    $r = $gw->ksgate_here('apply', '-f', "$dir/bad.yaml", '-o', 'json');
    is $r->{code}, 1, 'a file that is wrong';
    my ($finding) = @{decoded($r)->{findings}};
    like delete $finding->{message}, qr/unknown setting "acess"/, '... is told';
    is_deeply $finding, {file => "$dir/bad.yaml", line => 4, column => 8, severity => 'error', hint => 'access'}, '... by place, with a hint';
    is decoded($r)->{error}{message}, 'nothing was changed', '... and what came of it';

    $r = ksgate('apply', '-f', $file, '-o', 'json', '--socket', "$dir/none");
    is $r->{code}, 1, 'no gateway';
    like decoded($r)->{items}[0]{error}{message}, qr/no gateway listens/, '... is why each failed';

    spew("$dir/empty.yaml", "");
    for my $how ([], ['--together'], ['--dry-run']) {
        $r = $gw->ksgate_here('apply', '-f', "$dir/empty.yaml", '-o', 'json', @$how);
        is $r->{code}, 1, "a file without objects (@$how)";
        is_deeply decoded($r), {dryRun => ("@$how" eq '--dry-run' ? JSON::PP::true : JSON::PP::false), items => [], error => status('no objects were found there')}, '... is why nothing was done';
        like $r->{err}, qr/^ksgate apply: no objects were found there$/m, '... for people, too';
    }
    nowhere('apply', '-f', $file);
    $r = ksgate('apply', '-f', $file, '-o', 'json', '--socket', "$dir/none", '--server', 'http://127.0.0.1:1');
    is_deeply [@$r{qw(code out)}], [2, ''], 'wrong usage prints nothing but what is wrong';
};

subtest 'delete' => sub {
    my $r = $gw->ksgate_here('delete', 'es', 'three', 'nobody', '-o', 'json');
    is $r->{code}, 1, 'one that is not there';
    my $items = decoded($r)->{items};
    is_deeply $items->[0], item(three => 'deleted'), 'what went';
    is $items->[1]{error}{code}, 404, '... and what was not there';
    $r = $gw->ksgate_here('delete', 'es', 'nobody', '--ignore-not-found', '-o', 'json');
    is $r->{code}, 0, 'when that does not matter';
    is_deeply decoded($r)->{items}, [item(nobody => 'missing')], '... it is said all the same';
    is $gw->ksgate_here('delete', 'es', 'two', '-o', 'xml')->{code}, 2, 'another format';
    is $gw->ksgate_here('get', 'es', 'two')->{code}, 0, '... deletes nothing';
    nowhere('delete', 'es', 'two');
    nowhere('delete', '-f', "$dir/two.json");
    $r = $gw->ksgate_here('delete', '-f', "$dir/bad.yaml", '-o', 'json');
    is decoded($r)->{error}{message}, 'nothing was deleted', 'a file that is wrong: nothing goes';
};

subtest 'check' => sub {
    my $r = $gw->ksgate_here('check', '-o', 'json');
    is $r->{code}, 0, 'fine';
    my $said = decoded($r);
    ok $said->{fine}, '... and said so';
    is_deeply $said->{summary}, {listeners => 1, workers => 2, core => $up->url, console => undef, registry => 'sqlite'}, '... with a summary';
    my $file = spew("$dir/bad.conf", "listners: []\nlog:\n  level: wran\nauthorization: {mode: allow_all}\n");
    $r = ksgate('check', $file, '-o', 'json');
    is $r->{code}, 1, 'wrong';
    is $r->{err}, '', '... and all of it is on standard output';
    $said = decoded($r);
    is_deeply [@$said{qw(file fine)}], [$file, JSON::PP::false], '... of which file';
    is scalar(grep { $_->{severity} eq 'error' } @{$said->{findings}}), $said->{errors}, '... counted';
    my ($key) = grep { ($_->{line} // 0) == 1 && ($_->{hint} // '') eq 'listeners' } @{$said->{findings}};
    is_deeply [@$key{qw(file column severity)}], [$file, 1, 'error'], 'a mistyped key with its place and what was meant';
    my ($level) = grep { ($_->{line} // 0) == 3 } @{$said->{findings}};
    is_deeply [@$level{qw(column hint)}], [10, 'warn'], 'a mistyped word, too';
    like ksgate('check', $file, '-o', 'yaml')->{out}, qr/^fine: false$/m, 'as YAML';
    my $odd = "$dir/\xff.conf";
    like ksgate('check', $odd, '-o', 'json')->{out}, qr{"file": "\Q$dir\E/\xef\xbf\xbd\.conf"}, 'a name that is no UTF-8 is JSON all the same';
};

subtest 'token' => sub {
    my $said = decoded($gw->ksgate_here('token', '--user', 'alice', '--ttl', '5m', '-o', 'json'));
    is $said->{claims}{username}, 'alice', 'what stands in it';
    is $said->{claims}{exp} - $said->{claims}{iat}, 300, '... and for how long';
    like $said->{expires}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/, '... until when';
    is $gw->ksgate_here('token', '--decode', $said->{token})->{code}, 0, '... and itself, which is taken';
    $said = decoded($gw->ksgate_here('token', '--user', 'robot', '--ttl', '0', '-o', 'json'));
    is $said->{expires}, undef, 'one that does not end';
    like $gw->ksgate_here('token', '--user', 'alice', '-o', 'yaml')->{out}, qr/^token: \S+\.\S+\.\S+$/m, 'as YAML';
};

subtest 'schema' => sub {
    for (['json', '--json'], ['yaml', '--yaml'], ['table', '--markdown']) {
        my ($format, $switch) = @$_;
        is ksgate('schema', '-o', $format)->{out}, ksgate('schema', $switch)->{out}, "-o $format is $switch";
    }
    is ksgate('schema', '-o', 'json', '--yaml')->{code}, 2, 'one of them';
};

subtest 'the registry' => sub {
    my $file = 'sqlite:' . $gw->dir . '/registry.db';
    my $r = ksgate('registry', 'check', $file, '-o', 'json');
    is_deeply decoded($r), {objects => 2, leases => 0, findings => []}, 'in order';
    my $redis = redis();
    my @copy = ('registry', 'copy', '--from', $file, '--to', $redis->url, '-o', 'json');
    my %counts = (from => $file, to => $redis->url, dryRun => JSON::PP::false, created => 0, replaced => 0, deleted => 0,
        unchanged => 0, onlyThere => 0, differ => 0, differing => [], failed => 0);
    is_deeply decoded(ksgate(@copy)), {%counts, created => 2}, 'copied, in numbers';
    is_deeply decoded(ksgate(@copy)), {%counts, unchanged => 2}, '... and again';
    $gw->apply([extension(two => $up->url, access => 'authorized'), extension(fresh => $up->url)]);
    my %differs = (%counts, unchanged => 1, differ => 1, differing => ['ksgate.io/ExtensionService//two']);
    is_deeply decoded(ksgate(@copy, '--dry-run')), {%differs, dryRun => JSON::PP::true, created => 1}, 'what a dry run finds';
    $r = ksgate(@copy);
    is $r->{code}, 1, 'one that differs';
    is_deeply decoded($r), \%differs, '... is named, and nothing was created';

    $redis->command(HSET => '{ksgate}:objects', 'ksgate.io/ExtensionService//bad', '{rubbish}');
    $redis->command(ZADD => '{ksgate}:leases', 99999999999999, 'ksgate.io/Endpoint//gone');
    $r = ksgate('registry', 'check', $redis->url, '-o', 'json');
    is $r->{code}, 1, 'not in order';
    my @found = sort { $a->{key} cmp $b->{key} } @{decoded($r)->{findings}};
    is_deeply [map { [@$_{qw(key repair)}] } @found],
        [['ksgate.io/Endpoint//gone', 'removeLease'], ['ksgate.io/ExtensionService//bad', 'remove']], 'what, and how it would be mended';
    like $found[1]{message}, qr/can't be read/, '... in words';
    $r = ksgate('registry', 'check', $redis->url, '--repair', '--save', "$dir/removed", '-o', 'json');
    is $r->{code}, 0, 'mended' or diag $r->{err};
    my $said = decoded($r);
    is_deeply [@$said{qw(repaired saved)}], [2, "$dir/removed"], '... how many, and where what went is kept';
    is ksgate('registry', 'script', '-o', 'json')->{code}, 2, 'the script is no JSON';
};

done_testing;
