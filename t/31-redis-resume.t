# A connection to Redis that is lost and is back is gone on with where it was: by the changes alone. Where that can't be told, all is listed.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Watch;

my $up = upstream { [200, {}, $_[0]{path}] };
my $redis = redis();
my $gw = gateway(redis => $redis, objects => [map { extension($_, $up->url) } qw(a b c)]);
my $writer = gateway(redis => $redis);

sub status { return $gw->request(GET => "/extensions/$_[0]/x")->{status} }
sub registry { return $gw->admin(GET => '/-/readyz')->{json}{registry} }
sub said { return scalar(() = $gw->stderr =~ /$_[0]/g) }
sub listed { return said(qr/listed again, because/) }
# The writer may still be on its way back to Redis.
sub written { my ($name, $query) = @_; return eventually { $writer->admin(PUT => path_of($name, $query), extension($name, $up->url))->{status} =~ /20[01]/ } "$name to be written" }
sub deleted { my ($name) = @_; return eventually { $writer->admin(DELETE => path_of($name))->{status} =~ /200|404/ } "$name to be deleted" }

# These commands, and the end of all other connections, in one step: nobody sees what is between.
sub cut {
    my (@commands) = @_;
    return $redis->in_one_step(sub { $redis->command(@$_) for @commands, ['CLIENT', 'KILL', 'TYPE', 'normal'] });
}

my $load = Gateway::Load->new($gw, paths => [map { "/extensions/$_/x" } qw(a b)]);
my $revision = $redis->command('GET', '{ksgate}:revision');
eventually { registry()->{live}{revision} == $revision } 'all to be known';
my $watch = watching($gw, '/-/apis/ksgate.io/v1/extensionservices', {resourceVersion => $revision});

my $lists = listed(); # when it was written to for the first time
for my $round (1 .. 5) {
    my $was = said(qr/followed on from revision \d+/);
    cut();
    written("new$round");
    eventually { status("new$round") == 200 } 'what came meanwhile';
    deleted("new$round");
    eventually { status("new$round") == 404 } 'what went';
    eventually { said(qr/followed on from revision \d+/) > $was } 'it to be said';
    is $watch->words(2), "ADDED new$round, DELETED new$round", 'a cut: what changed meanwhile comes, once, in order, also to who watches';
}
is listed(), $lists, 'nothing was listed anew';

subtest 'Redis is killed, and comes back with all' => sub {
    $redis->command('CONFIG', 'SET', 'appendfsync', 'always');
    written('kept');
    eventually { status('kept') == 200 } 'a last write';
    my $was = said(qr/followed on from revision \d+/);
    $redis->kill;
    eventually { registry()->{state} eq 'stale' } 'it to be missed';
    $redis->start;
    eventually { registry()->{state} eq 'fresh' } 'it to be back';
    is said(qr/followed on from revision \d+/), $was + 1, 'it is gone on with';
    is listed(), $lists, '... without a list';
    is status('kept'), 200, '... and all is there';
};

subtest 'a master that is told to be a replica, and is one again' => sub {
    my $other = redis();
    $other->freeze; # so that nothing is taken over
    my $lists = listed();
    for (1 .. 3) {
        written('kept');
        eventually { registry()->{state} eq 'fresh' } 'it to be followed';
        $redis->command('REPLICAOF', '127.0.0.1', $other->port); # ends what blocks
        $redis->command('REPLICAOF', 'NO', 'ONE');
        written("after$_");
        eventually { status("after$_") == 200 } 'what is written then';
    }
    is listed(), $lists, 'it is followed on, without a list';
};

subtest 'what can be used no more' => sub {
    my $lists = listed();
    my $script = ksgate('registry', 'script')->{out};
    written('worse');
    eventually { status('worse') == 200 } 'one that is good';
    for (1, 2) {
        my $r = $redis->command('EVAL', $script, 1, '{ksgate}:', 'put', 'ksgate.io/ExtensionService//worse',
            '{"metadata":{"name":"worse"},"apiVersion":"ksgate.io/v1","kind":"ExtensionService","spec":{"access":"public","access":"public"}}', 'any', 0, 0); # Redis' reader of JSON takes it
        is $r->[0], 'ok', 'becomes one that is bad';
        eventually { status('worse') == 404 } 'it to be used no more';
        written('worse');
        eventually { status('worse') == 200 } 'it to be mended';
    }
    eventually { my $m = $gw->admin(GET => '/-/metrics')->{body}; $m =~ /^ksgate_registry_quarantined 0$/m } 'nothing in quarantine';
    is listed(), $lists, '... and nothing is taken for something that was changed past the script';
};

# What of the stream's last entry is left.
sub last_is { my ($rest) = @_; return ['EVAL', "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    redis.call('DEL', KEYS[1])
    return redis.call('XADD', KEYS[1], last[1], 'op', 'put', 'field', 'ksgate.io/ExtensionService//a'$rest)", 1, '{ksgate}:changes'] }
sub revision { return $redis->command('GET', '{ksgate}:revision') }

my %case = (
    'the stream was trimmed beyond what it knows' => sub {
        my $n = revision();
        return (qr/changes were missed that are no longer kept/, ['INCRBY', '{ksgate}:revision', 3],
            (map { ['XADD', '{ksgate}:changes', $n + $_ . '-0', 'op', 'put', 'field', 'ksgate.io/ExtensionService//a'] } 1 .. 3), ['XTRIM', '{ksgate}:changes', 'MAXLEN', 1]);
    },
    'there is no stream any more' => sub { return (qr/the connection was lost and is back/, ['DEL', '{ksgate}:changes']) },
    'the change that it knows last is another one now' => sub { return (qr/the registry went back, and on from there with other changes/, last_is(", 'at', '17'")) },
    'the change that it knows last does not say when it was made' => sub { return (qr/the connection was lost and is back/, last_is('')) },
    'it is another registry' => sub { return (qr/its epoch changed/, ['SET', '{ksgate}:epoch', 'another']) },
    'it went back' => sub {
        my $n = revision();
        return (qr/the registry went back to an older revision/, ['SET', '{ksgate}:revision', $n - 2], map { ['XDEL', '{ksgate}:changes', $n - $_ . '-0'] } 0, 1);
    },
);
for my $case (sort keys %case) {
    subtest $case => sub {
        my $name = 'x' . length $case;
        written("$name-$_") for 1 .. 3;
        eventually { status("$name-3") == 200 } 'it to be known';
        my $log = length $gw->stderr;
        my ($why, @commands) = $case{$case}->();
        cut(@commands);
        eventually { substr($gw->stderr, $log) =~ $why && substr($gw->stderr, $log) =~ /registry: reached/ } "a list because of $why";
        unlike substr($gw->stderr, $log), qr/followed on from/, 'it is listed';
        is status($_), 200, "... $_ stays" for 'a', "$name-1";
        written("$name-4", 'wait=fleet');
        is status("$name-4"), 200, '... and it goes on';
    };
}

my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
done_testing;
