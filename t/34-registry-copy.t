# From the file to Redis and back, beside gateways that run.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $up = upstream { [200, {}, 'up'] };
my $redis = redis(password => 's3cret');
my $dir = tempdir();
my $password = spew("$dir/redis.pw", "s3cret\n");
chmod 0644, $password;
my $gw = gateway(objects => slurp('conf/demo/objects.yaml'));
my $file = 'sqlite:' . $gw->dir . '/registry.db';
my $to = $redis->url;
my $endpoint = '/-/apis/ksgate.io/v1/extensionservices/reg/endpoints/one';

sub copy { return ksgate('registry', 'copy', @_) }
sub to_redis { return copy('--from', $file, '--to', $to, '--to-password-file', $password, @_) }

# All objects, by kind and name, without what is each store's own.
sub all_of {
    my ($gateway) = @_;
    my %all;
    for my $path (qw(iam.kubesphere.io/v1beta1/users iam.kubesphere.io/v1beta1/workspaceroles
            tenant.kubesphere.io/v1beta1/workspaces ksgate.io/v1/extensionservices ksgate.io/v1/endpoints)) {
        for my $o (@{$gateway->admin(GET => "/-/apis/$path")->{json}{items}}) {
            delete $o->{metadata}{resourceVersion};
            delete $o->{status} if $path =~ /endpoints/;
            $all{"$path/$o->{metadata}{name}"} = $o;
        }
    }
    return \%all;
}

$gw->apply([extension(reg => undef)]);
is $gw->admin(PUT => $endpoint, {url => $up->url, leaseSeconds => 600})->{status}, 201, 'an endpoint registers itself';
my $n; # objects

# When leases end in that file, after that SQL.
sub leases {
    my ($path, $sql) = @_;
    return scalar qx{python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=10); c.execute(sys.argv[2]); c.commit(); print(c.execute("SELECT key, deadline_ms FROM leases").fetchall())' '$path' "@{[$sql // 'SELECT 1']}"};
}

subtest 'what would be' => sub {
    my $r = to_redis('--dry-run');
    like $r->{out}, qr/^\d+ created, 0 replaced, 0 deleted, 0 unchanged \(dry run\)\n\z/, 'is said';
    ($n) = $r->{out} =~ /^(\d+)/;
    is $redis->command('DBSIZE'), 0, '... and nothing is';
    my $none = copy('--from', $file, '--to', "sqlite:$dir/none.db", '--dry-run');
    like $none->{out}, qr/^$n created/, 'a file that is not there yet';
    ok !-e "$dir/none.db", '... is not made';
};

# Who copies is no gateway: nobody is kept alive by it, and nobody ends.
subtest 'leases of the source' => sub {
    my $db = $gw->dir . '/registry.db';
    my $before = leases($db);
    like $before, qr/reg\.one/, 'there is one';
    to_redis('--dry-run');
    is leases($db), $before, 'it is not renewed by a copy';
    leases($db, "VACUUM INTO '$dir/old.db'");
    my $over = leases("$dir/old.db", 'UPDATE leases SET deadline_ms = 1');
    like copy('--from', "sqlite:$dir/old.db", '--to', "sqlite:$dir/new.db")->{out}, qr/^$n created/, 'one that is over is copied';
    is leases("$dir/old.db"), $over, '... and stays as it is';
};

subtest 'to Redis' => sub {
    my $r = to_redis();
    is $r->{code}, 0, 'copied' or diag $r->{err};
    is $r->{out}, "$n created, 0 replaced, 0 deleted, 0 unchanged\n", 'all of it';
    my $fleet = gateway(redis => $redis, config => {registry => {redis => {password_file => $password}}});
    is_deeply all_of($fleet), all_of($gw), 'a gateway on Redis has the same objects, with their uids and times';
    is $fleet->request(GET => '/extensions/reg/x')->{body}, 'up', '... and the endpoint, which';
    my ($till) = @{$redis->command(ZRANGE => '{ksgate}:leases', 0, -1, 'WITHSCORES')}[1];
    ok $till > 1000 * (time + 500) && $till < 1000 * (time + 601), '... has its whole lease';
    is to_redis()->{out}, "0 created, 0 replaced, 0 deleted, $n unchanged\n", 'the same again changes nothing';
    is $fleet->stop, 0, 'stops';
};

subtest 'what is there and differs' => sub {
    my $fleet = gateway(redis => $redis, config => {registry => {redis => {password_file => $password}}});
    $fleet->apply([extension(reg => 'http://127.0.0.1:9'), extension(only => undef)]);
    $gw->apply([extension(new => undef)]);
    my $r = to_redis();
    is $r->{code}, 1, 'is not replaced unasked';
    like $r->{err}, qr/\Q$to\E has 1 object that differs .*nothing was written \(--replace replaces them\):\n  ksgate\.io\/ExtensionService\/\/reg$/m, '... and named';
    is $fleet->admin(GET => path_of('new'))->{status}, 404, '... and nothing else is written';
    $r = to_redis('--replace');
    like $r->{out}, qr/^1 created, 1 replaced, 0 deleted, \d+ unchanged\n1 that only \Q$to\E has were left there; --prune deletes them$/m, 'asked, it is';
    is $fleet->request(GET => '/extensions/reg/x')->{body}, 'up', '... and live on the gateway there';
    is $fleet->admin(GET => path_of('only'))->{status}, 200, 'what only Redis has stays';
    like to_redis('--prune')->{out}, qr/^0 created, 0 replaced, 1 deleted/, '... until it is pruned';
    is $fleet->admin(GET => path_of('only'))->{status}, 404, '... for the gateway too';
};

subtest 'a source that is not whole' => sub {
    my $odd = 'ksgate.io/ExtensionService//odd';
    my @args = ('--from', $to, '--from-password-file', $password, '--to', "sqlite:$dir/part.db");
    is copy(@args)->{code}, 0, 'a copy';
    $redis->command(HSET => '{ksgate}:objects', $odd, '{"half":');
    for my $more ([], ['--dry-run'], ['--replace', '--prune']) {
        my $r = copy(@args, @$more);
        is $r->{code}, 1, "what can't be read there: nothing is copied (@$more)";
        like $r->{err}, qr/\Q$to\E: 1 of its entries can't be read .*nothing was written/, '... and why';
        like $r->{err}, qr/field "\Q$odd\E"/, '... by its name';
    }
    my $r = copy(@args, '--skip-unreadable');
    is $r->{code}, 0, 'asked to, the others are' or diag $r->{err};
    like $r->{out}, qr/^0 created, 0 replaced, 0 deleted, \d+ unchanged$/m, '... and only they';
    $r = copy(@args, '--skip-unreadable', '--prune');
    is $r->{code}, 2, '... but nothing is deleted';
    like $r->{err}, qr/exclude each other/, '... and why';
    $redis->command(HDEL => '{ksgate}:objects', $odd);

    $r = copy(@args, '--from-prefix', '{typo}:', '--prune');
    is $r->{code}, 1, 'a source without any object does not empty the other store';
    like $r->{err}, qr/it has no object at all.*nothing was written/, '... and why';
    is copy(@args, '--from-prefix', '{typo}:')->{code}, 0, '... without --prune it may be empty';
    like copy(@args, '--prune')->{out}, qr/^0 created, 0 replaced, 0 deleted, \d+ unchanged$/, '... and all is there still';

    my $sql = 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("UPDATE objects SET json = ? WHERE key = ?", ("{", sys.argv[2])); c.commit()';
    is system('python3', '-c', $sql, "$dir/part.db", 'ksgate.io/ExtensionService//reg'), 0, 'a file with a row that is no object';
    $r = copy('--from', "sqlite:$dir/part.db", '--to', $to, '--to-password-file', $password, '--prune');
    is $r->{code}, 1, '... is found, too';
    like $r->{err}, qr/part\.db: 1 of its entries can't be read/, '... and said';
};

subtest 'and back' => sub {
    my @back = ('--from', $to, '--from-password-file', $password, '--to', "sqlite:$dir/back.db");
    my $r = copy(@back);
    is $r->{code}, 0, 'copied' or diag $r->{err};
    is copy('--from', $file, '--to', "sqlite:$dir/back.db")->{out}, "0 created, 0 replaced, 0 deleted, " . ($n + 1) . " unchanged\n",
        'what came back is what went';
    chmod 0777, $dir;
    chmod 0666, "$dir/back.db", glob "$dir/back.db-*";
    my $again = gateway(config => {registry => {sqlite => {path => "$dir/back.db"}}});
    is_deeply all_of($again), all_of($gw), '... for a gateway too';
};

subtest 'many' => sub {
    my $many = join "\n---\n", map { $json->encode({apiVersion => 'v1', kind => 'ConfigMap',
        metadata => {name => "c$_", namespace => 'demo-app'}, data => {x => "$_" x 50}}) } 1 .. 3000;
    $gw->apply($many);
    like to_redis()->{out}, qr/^3000 created/, 'three thousand objects';
    is $redis->command(HLEN => '{ksgate}:objects'), $n + 1 + 3000, '... are there';
};

subtest 'what is wrong is said' => sub {
    my @wrong = (
        [['--from', $file, '--to', $to], 1, qr/\Q$to\E: .*(?:NOAUTH|password)/i, 'no password'],
        [['--from', $file, '--to', 'redis://127.0.0.1:1/0'], 1, qr/127\.0\.0\.1:1.*refused/i, 'no Redis'],
        [['--from', "sqlite:$dir/typo.db", '--to', "sqlite:$dir/x.db"], 1, qr/typo\.db: there is no such file/, 'no source'],
        [['--from', "sqlite:$password", '--to', "sqlite:$dir/y.db"], 1, qr/can't be opened/, 'a source that is none'],
        [['--from', $file], 2, qr/--from STORE and --to STORE/, 'no target'],
        [['--from', $file, '--to', 'postgres:x'], 2, qr/"postgres:x" is no store: write sqlite:PATH/, 'no store'],
        [['--from', 'sqlite:', '--to', $to], 2, qr/names no file/, 'no path'],
    );
    for (@wrong) {
        my ($args, $code, $text, $name) = @$_;
        my $r = copy(@$args);
        is $r->{code}, $code, "$name: exit code";
        like $r->{err}, $text, "$name: said";
    }
    ok !-e "$dir/typo.db", 'a source is not made';
};

subtest 'Redis takes no more' => sub {
    $redis->command(CONFIG => 'SET', 'maxmemory', '1');
    $gw->apply([extension(late => undef)]);
    my $r = to_redis();
    is $r->{code}, 1, 'the copy fails';
    like $r->{err}, qr/1 were not written, the first: ksgate\.io\/ExtensionService\/\/late: OOM/, '... and says what is missing, and why';
    $redis->command(CONFIG => 'SET', 'maxmemory', '0');
    like to_redis()->{out}, qr/^1 created/, 'a second run does the rest';
};

done_testing;
