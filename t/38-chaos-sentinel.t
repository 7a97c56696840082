# A fleet at a master with replicas that Sentinels watch, and fail-overs at random while several write: no request to a route
# that existed fails, nothing that was acknowledged is lost, and all gateways end up with exactly what the master has.  See
# t/lib/Gateway/Chaos.pm for KSGATE_SEED, KSGATE_CHAOS_SECONDS and KSGATE_CHAOS_ONLY.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Chaos;
use Gateway::RedisFleet;
use Gateway::Writes qw(now);

my $up = upstream { [200, {}, $_[0]{path}] };
my $redis = Gateway::RedisFleet->watched(replicas => 2, sentinels => 3, down_after => 1000, quick => 1);
my $settings = {driver => 'redis', sqlite => undef, redis => {timeout => '1s', sentinels => [$redis->sentinels],
    master => Gateway::RedisFleet::NAME}};
my @fleet = map { gateway(core => $up->url, config => {registry => {%$settings, redis => {%{$settings->{redis}}, replicas => $_ > 2 ? 2 : 1}}},
    crash_ok => $_ > 2) } 1 .. 3;
my $chaos = Gateway::Chaos->new(seconds => 20, url => $up->url, gateways => \@fleet, redis => sub { $redis->master }, replicas => 1);

# Nobody stops the old master before another one is made: what only the other replica has got of it in that second is
# lost, although one of them has it (docs/modules/registry.md).  The third gateway acknowledges what both have: that
# stays.  A fail-over of a master that lives is asked for, or comes by itself where the machine lets it wait for too long:
# each that no attack has waited for is taken for one.
sub says { my ($i, $field) = @_; my %says = @{$redis->ask($i, 'SENTINEL', 'MASTER', Gateway::RedisFleet::NAME)}; return $says{$field} }
sub made { return says(0, 'config-epoch') } # by which fail-over
my ($settled, $known, $doubtful) = (now(), made(), 0);
sub look { my $is = made(); $doubtful ||= $is != $known; $known = $is; return }

# Who is master, just before it dies.
sub master_to_die { my $old = $redis->master; look(); return $old }

sub another_than {
    my ($old) = @_;
    eventually { $redis->follows_another_than($old) } 'another master', 60;
    return;
}

# ... which the old one, that is dead or asleep, can't speak for any more.
sub has_followed {
    my ($old) = @_;
    another_than($old);
    $known = made();
    return;
}

# What becomes of the third gateway meanwhile.
sub beside {
    my ($meanwhile) = @_;
    my $how = $chaos->pick(qw(well well dies asleep away));
    return $chaos->$how($meanwhile) if $how =~ /asleep|away/;
    $chaos->kill_server if $how eq 'dies';
    return $meanwhile->();
}

my %attack = (
    master_dies => sub {
        my $old;
        beside(sub {
            $old = master_to_die();
            $old->kill;
            $chaos->write(3);
            has_followed($old);
            $chaos->write(6);
        });
        $old->start; # and takes itself for the master until a Sentinel tells it otherwise
        $chaos->write(6);
    },
    master_sleeps => sub { # it comes back as an old master, with all that it was told meanwhile
        my $old;
        beside(sub {
            $old = master_to_die();
            $old->freeze;
            $chaos->write(3);
            has_followed($old);
            $chaos->write(6);
        });
        $old->thaw;
        $chaos->write(6);
    },
    replica_dies => sub {
        my $replica = $chaos->pick($redis->replicas);
        $replica->kill;
        $chaos->write(12);
        $replica->start;
        $chaos->write(4);
    },
    replica_sleeps => sub {
        my $replica = $chaos->pick($redis->replicas);
        $replica->freeze;
        $chaos->write(12);
        $replica->thaw;
        $chaos->write(4);
    },
    sentinel_dies => sub {
        my $i = $chaos->pick(0 .. 2);
        $redis->sentinel($i)->stop('KILL');
        $chaos->write(4);
        $redis->master->command('CLIENT', 'KILL', 'TYPE', 'normal'); # so that who it is has to be asked
        $chaos->write(8);
        $redis->revive($i);
    },
    cut => sub {
        for (1 .. 3) {
            $redis->master->command('CLIENT', 'KILL', 'TYPE', 'normal');
            $chaos->write(4);
        }
    },
    asked_for => sub {
        my $old = $redis->master;
        my $i = $chaos->pick(0 .. 2);
        beside(sub {
            eventually { eval { $redis->ask($i, 'SENTINEL', 'FAILOVER', Gateway::RedisFleet::NAME) } } 'a fail-over to begin', 30;
            another_than($old);
            $chaos->write(6);
        });
    },
    gateway_dies => sub { $chaos->kill_server; $chaos->write(8) },
    gateway_sleeps => sub { $chaos->asleep(sub { $chaos->write(10) }); $chaos->write(4) },
);

# For so long that another one is about to be made: then it is back, and goes on for a moment.
$attack{master_stalls} = sub {
    my $old = $redis->master;
    $old->freeze;
    $chaos->write(3);
    eventually { $redis->master != $old || grep { says($_, 'flags') =~ /failover_in_progress/ } 0 .. 2 } 'a fail-over to begin', 30;
    $old->thaw;
    $chaos->write(12);
} if $chaos->is_long || ($ENV{KSGATE_CHAOS_ONLY} // '') =~ /master_stalls/; # Sentinels take their time before the next one

$chaos->run(\%attack, mend => sub {
    eventually { $redis->is_whole } 'a master, and all others after it', 60;
    look();
    $chaos->ledger->doubt($settled, now(), $fleet[2]) if $doubtful;
    ($settled, $doubtful) = (now(), 0);
    $chaos->decide;
});
done_testing;
