# A fleet is attacked at random, and compared with a model of what was acknowledged: no request to a route that existed fails,
# nothing that was acknowledged is lost, and all gateways end up with exactly the same.  See t/lib/Gateway/Chaos.pm for
# KSGATE_SEED, KSGATE_CHAOS_SECONDS and KSGATE_CHAOS_ONLY.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Chaos;
use Gateway::Process qw(tempdir);
use Gateway::Writes qw(now);
use Time::HiRes qw(sleep);

my $up = upstream { [200, {}, $_[0]{path}] };
my $redis = redis(config => ['--appendfsync always', '--enable-debug-command yes']);
my $settings = {registry => {redis => {timeout => '500ms'}}};
my @fleet = map { gateway(core => $up->url, redis => $redis, config => $settings, crash_ok => $_ > 2) } 1 .. 3;
my $chaos = Gateway::Chaos->new(seconds => 20, url => $up->url, gateways => \@fleet, redis => sub { $redis });
my $ledger = $chaos->ledger;
my $backup = tempdir();

sub key { return "{ksgate}:$_[0]" }

# A minute, once in the ten of `make chaos`; else longer than any lease of theirs.
sub how_long {
    my $seconds = $chaos->is_long && !$chaos->{minute}++ ? 60 : 8;
    return now() + $seconds;
}

my %attack = (
    kill => sub { # what it has answered, it has given to the kernel; with `everysec` it would not always
        $redis->command('CONFIG', 'SET', 'appendfsync', $chaos->pick(qw(always no)));
        $redis->kill;
        $chaos->write(4);
        $redis->start;
        $chaos->write(4);
    },
    stop => sub {
        $redis->freeze;
        eventually { $chaos->all_are('stale') } 'all to miss Redis';
        $chaos->write(2, qw(apply register patch together once));
        $redis->thaw;
        $chaos->write(4);
    },
    minute => sub { # nothing expires while it is away, nor before those who are there had the time to say so
        $chaos->write(3, 'lapse');
        my $end = how_long();
        my $stored = $ledger->stored;
        $redis->freeze;
        my @alive = grep { $stored->{$_} && $ledger->{ends}{$_} > now() } keys %{$ledger->{ends}}; # still, when it hangs
        my $left = $end - now();
        while ($left > 0) {
            $chaos->write(2, qw(apply register once patch together lapse delete leave));
            sleep($left > 0.2 ? 0.2 : $left); # it is away for as long: nothing else happens
            $left = $end - now();
        }
        $ledger->ends($_, now() + Gateway::Writes::SHORT) for @alive;
        $redis->thaw;
        eventually { $chaos->all_are('fresh') } 'all to have it back';
        my $now = $ledger->stored;
        is_deeply [grep { !$now->{$_} && $ledger->{ends}{$_} > now() } @alive], [], 'no lease has ended by a Redis that hung';
        $chaos->write(4);
    },
    cut => sub {
        for (1 .. 3) {
            $redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
            $chaos->write(4);
        }
    },
    reload => sub { $redis->command('DEBUG', 'RELOAD'); $chaos->write(6) },
    wipe => sub {
        $chaos->quiet;
        $redis->command('FLUSHALL');
        eventually { $chaos->all_are('stale') } 'all to notice';
        $chaos->tell_all;
    },
    empty => sub { # one that keeps nothing
        $chaos->quiet;
        $redis->kill;
        system('rm', '-rf', $redis->{dir} . '/appendonlydir') == 0 or die 'rm';
        $redis->start;
        eventually { $chaos->all_are('stale') } 'all to notice';
        $chaos->tell_all;
    },
    restore => sub {
        $redis->stop;
        system('cp', '-a', $redis->{dir} . '/appendonlydir', "$backup/new") == 0 or die 'cp';
        $redis->start;
        $chaos->write(12);
        $chaos->quiet;
        $redis->kill;
        system('rm', '-rf', $redis->{dir} . '/appendonlydir') == 0 or die 'rm';
        system('mv', "$backup/new", $redis->{dir} . '/appendonlydir') == 0 or die 'mv';
        $redis->start;
        eventually { $chaos->all_are(qr/fresh|stale/) } 'all to be back';
        $chaos->tell_all;
    },
    gateway_dies => sub { $chaos->kill_server; $chaos->write(8) },
    gateway_starts => sub { $chaos->away(sub { $chaos->write(8) }); $chaos->write(4) },
    gateway_sleeps => sub { $chaos->asleep(sub { $chaos->write(10) }); $chaos->write(4) },
    trim => sub {
        $chaos->asleep(sub {
            $chaos->write(10);
            $redis->command('XTRIM', key('changes'), 'MAXLEN', 1);
        });
    },
    foreign_entries => sub {
        my $put = sub { # somebody else's writes come in between: then their number is taken
            my ($at, @fields) = @_;
            eventually { eval { $redis->command('XADD', key('changes'), ($redis->command('GET', key('revision')) + 1) . "-$at", @fields) } } 'a number';
        };
        $put->(0, 'who', 'knows');
        $put->(7, 'op', 'put');
        $chaos->write(3);
        $redis->command('XADD', key('changes'), '*', 'field', 'nobody/Nothing//there', 'op', 'jump');
        $chaos->write(3);
    },
    rubbish => sub {
        $redis->command('HSET', key('objects'), 'half', '{"metadata":{"name":', 'ksgate.io/Endpoint//base.e0x', 'null', "nul\0byte", '{}');
        $chaos->write(4);
        $redis->command('HDEL', key('objects'), 'half', 'ksgate.io/Endpoint//base.e0x', "nul\0byte");
    },
    wrong_types => sub {
        my $name = $chaos->pick(qw(changes leases revision epoch));
        # there is one, because `base` has an endpoint; all in one step, because others write
        my $swap = "redis.call('RENAME', KEYS[1], KEYS[2]) if #ARGV > 0 then redis.call('SADD', KEYS[1], ARGV[1]) end";
        $redis->command('EVAL', $swap, 2, key($name), 'aside', 'another');
        $chaos->write(3);
        $redis->command('EVAL', $swap, 2, 'aside', key($name));
        $chaos->write(3);
    },
    counter => sub {
        $redis->command('SET', key('revision'), $chaos->pick(3, 'rubbish', -1, ''));
        $chaos->write(4);
    },
    no_stream => sub { $redis->command('DEL', key('changes')); $chaos->write(4) },
);

$chaos->run(\%attack);
done_testing;
