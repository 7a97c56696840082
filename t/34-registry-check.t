# What is not in order in a store is found, said, and mended where that loses nothing.
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $dir = tempdir();
my $up = upstream { [200, {}, 'up'] };
my $endpoint = '/-/apis/ksgate.io/v1/extensionservices/reg/endpoints/one';
my $key = 'ksgate.io/Endpoint//reg.one';

sub check { return ksgate('registry', 'check', @_) }

sub register {
    my ($gw) = @_;
    $gw->admin(PUT => $endpoint, {url => $up->url, leaseSeconds => 600});
}

sub sql {
    my ($file, $sql) = @_;
    my $said = qx{python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=10); print(c.execute(sys.argv[2]).fetchall()); c.commit()' '$file' "$sql" 2>&1};
    die $said if $?;
    return $said;
}

subtest 'a file' => sub {
    my $gw = gateway(objects => [extension(reg => undef), extension(old => $up->url)]);
    my $file = $gw->dir . '/registry.db';
    register($gw);
    my $r = check("sqlite:$file");
    is $r->{code}, 0, 'in order' or diag $r->{out} . $r->{err};
    is $r->{out}, "3 objects and 1 lease are in order, 0 findings\n", '... and said so';

    sql($file, q{INSERT INTO objects VALUES ('ksgate.io/ExtensionService//bad', 1, 'u', 't', '{rubbish}')});
    sql($file, q{INSERT INTO leases VALUES ('ksgate.io/Endpoint//gone', 99999999999999, 1000)});
    sql($file, qq{DELETE FROM leases WHERE key = '$key'});
    $r = check("sqlite:$file");
    is $r->{code}, 1, 'what is not in order is an exit code';
    like $r->{out}, qr/^ksgate\.io\/ExtensionService\/\/bad can't be read, so no gateway uses it: not JSON.*\(--repair mends it\)$/m, 'an entry that is no object';
    like $r->{out}, qr/^ksgate\.io\/Endpoint\/\/gone has a lease, but there is no such object/m, 'a lease of nothing';
    like $r->{out}, qr/^\Q$key\E says that it has a lease, but has none: it would stay for ever/m, 'an endpoint that would stay for ever';
    like $r->{out}, qr/^3 objects and 0 leases are in order, 3 findings$/m, '... and how much is fine';

    my $saved = "$dir/removed.jsonl";
    $r = check("sqlite:$file", '--repair', '--save', $saved);
    is $r->{code}, 0, 'repaired' or diag $r->{out} . $r->{err};
    like $r->{out}, qr/^3 of 3 repaired\nwhat was removed stands in \Q$saved\E$/m, '... and said';
    is_deeply(JSON::PP->new->decode(slurp($saved)), {key => 'ksgate.io/ExtensionService//bad', value => '{rubbish}'}, 'what was removed is kept');
    is check("sqlite:$file")->{code}, 0, 'now it is in order';
    is $gw->request(GET => '/extensions/reg/x')->{body}, 'up', 'and the gateway has gone on';

    is $gw->stop, 0, 'stops';
    sql($file, q{UPDATE meta SET value = 1 WHERE name = 'revision'});
    sql($file, q{DELETE FROM meta WHERE name = 'epoch'});
    like check("sqlite:$file")->{out}, qr/no epoch.*\n.*the revision is 1, but there is an object or a change of \d+/, 'epoch and revision';
    is check("sqlite:$file", '--repair')->{code}, 0, '... are mended';
    is check("sqlite:$file")->{code}, 0, '... for good';

    my $page = 4096;
    open my $fh, '+<:raw', $file or die $!;
    seek $fh, $page, 0;
    print {$fh} "\xff" x ((-s $file) - $page);
    close $fh;
    $r = check("sqlite:$file");
    is $r->{code}, 1, 'a damaged file';
    like $r->{out} . $r->{err}, qr/damaged|malformed|corrupt/, '... is told';
};

subtest 'Redis' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis, objects => [extension(reg => undef)]);
    register($gw);
    my $r = check($redis->url);
    is $r->{out}, "2 objects and 1 lease are in order, 0 findings\n", 'in order' or diag $r->{err};
    $redis->command(HSET => '{ksgate}:objects', 'ksgate.io/ExtensionService//bad', '{rubbish}');
    $redis->command(HSET => '{ksgate}:objects', "x\0y", '{}');
    $redis->command(ZADD => '{ksgate}:leases', 99999999999999, 'ksgate.io/Endpoint//gone');
    $redis->command(ZREM => '{ksgate}:leases', $key);
    $redis->command(SET => '{ksgate}:revision', 1);
    $r = check($redis->url);
    is $r->{code}, 1, 'not in order';
    like $r->{out}, qr/^$_/m, $_ for 'ksgate.io/ExtensionService//bad can\'t be read', 'there is an entry whose name holds a NUL byte, behind "x"',
        'the revision is \d+, but there is', "$key says that it has a lease, but has none";
    $redis->command(HSET => '{ksgate}:objects', 'ksgate.io/ExtensionService//bytes', "{\xff\xfe}");
    $redis->command(HSET => '{ksgate}:objects', 'ksgate.io/ExtensionService//nul', "{\0}");
    like check($redis->url)->{out}, qr/^ksgate.io\/ExtensionService\/\/nul can't be read.*there is a NUL byte in it; apply a good one over it.*by hand$/m, 'a value with a NUL byte';
    my $saved = "$dir/redis.jsonl";
    $r = check($redis->url, '--repair', '--save', $saved);
    is $r->{code}, 1, 'what has to be done by hand stays';
    like $r->{out}, qr/^(\d) of (?!\1)\d repaired$/m, '... and is counted';
    is $redis->command(HGET => '{ksgate}:objects', 'ksgate.io/ExtensionService//bad'), undef, 'the rest is mended';
    like slurp($saved), qr/\{rubbish\}/, '... and kept';
    my ($bytes) = slurp($saved) =~ /^\{"key":"ksgate.io\/ExtensionService\/\/bytes",.*"valueBase64":"([^"]+)"\}$/m;
    is decode_base64($bytes // ''), "{\xff\xfe}", '... byte for byte';
    is sprintf('%04o', 07777 & (stat $saved)[2]), '0600', '... and nobody else reads it';
    is $redis->command(HGET => '{ksgate}:objects', 'ksgate.io/ExtensionService//nul'), "{\0}", 'what has a NUL byte stays';
    $redis->command(HDEL => '{ksgate}:objects', 'ksgate.io/ExtensionService//nul');
    $redis->command(HDEL => '{ksgate}:objects', "x\0y");
    $r = check($redis->url);
    is $r->{code}, 0, 'in order again' or diag $r->{out} . $r->{err};
    is $gw->request(GET => '/extensions/reg/x')->{body}, 'up', 'and the gateway has gone on';

    $redis->command(RENAME => '{ksgate}:leases', '{ksgate}:away');
    $redis->command(LPUSH => '{ksgate}:leases', 'x');
    like check($redis->url)->{out}, qr/^\{ksgate\}:leases is a list, and not a zset: RENAME it away/m, 'a key of another type';
    $redis->command(DEL => '{ksgate}:beats');
    $redis->command(SET => '{ksgate}:beats', 'x');
    like check($redis->url)->{out}, qr/^\{ksgate\}:beats is a string, and not a stream: RENAME it away/m, '... and one of the fleet';
    $redis->stop;
    $r = check($redis->url);
    is $r->{code}, 1, 'no Redis';
    like $r->{err}, qr/refused/, '... is told';
};

subtest 'usage' => sub {
    is check()->{code}, 2, 'which store?';
    is check("sqlite:$dir/none.db")->{code}, 1, 'a file that is not there';
    ok !-e "$dir/none.db", '... is not made';
    for my $case ([newer => 'PRAGMA user_version = 2', qr/newer\.db: error: it was made by a newer version of ksgate$/],
        [other => 'CREATE TABLE songs (name TEXT)', qr/other\.db: error: it is the database of another program$/],
        [empty => 'VACUUM', qr/empty\.db: error: it is empty: there is no registry in it$/]) {
        my ($name, $sql, $words) = @$case;
        sql("$dir/$name.db", $sql);
        my $before = slurp("$dir/$name.db");
        my $r = check("sqlite:$dir/$name.db", '--repair');
        is $r->{code}, 1, "what is $name is refused";
        like $r->{err}, $words, '... by what it is';
        is slurp("$dir/$name.db"), $before, '... and left alone';
    }
    is ksgate('registry', 'script', 'x')->{code}, 2, 'too many arguments';
};

done_testing;
