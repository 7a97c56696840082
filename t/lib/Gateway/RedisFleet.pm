package Gateway::RedisFleet;

# Several real redis-servers: a master with replicas and Sentinels, or a Cluster.
#
#     my $fleet = Gateway::RedisFleet->watched(replicas => 2, sentinels => 3, password => of the Sentinels,
#         down_after => 2000 (ms), quick => 1: Sentinels look more often than they usually do);
#     $fleet->master, ->replicas         Gateway::Redis each, as they are now by what they say
#     $fleet->sentinels                  their "host:port"; ->sentinel(0): its process, ->ask(0, WORD...)
#     $fleet->revive(0)                  starts it again; ->is_whole: all are there, and all Sentinels say so
#     $fleet->may_fail_over(0)           a master that dies is missed until ->may_fail_over(1)
#     $fleet->follows_another_than($old) is there another master, which the other replicas follow?
#
#     my $fleet = Gateway::RedisFleet->cluster(3, 1);   masters, and replicas of each
#     $fleet->addresses, ->owner($key), ->others($key)

use strict;
use warnings;
use Gateway::Client;
use Gateway::Process qw(tempdir free_port eventually);
use Gateway::Redis;

use constant {NAME => 'mymaster', QUORUM => 2};

# ---- Sentinels ------------------------------------------------------------------------------------

sub watched {
    my ($class, %arg) = @_;
    my $self = bless {%arg, servers => [Gateway::Redis->new], watchers => []}, $class;
    my $master = $self->{servers}[0];
    push @{$self->{servers}}, Gateway::Redis->new(config => ['--replicaof 127.0.0.1 ' . $master->port]) for 1 .. $arg{replicas};
    eventually { $master->command('INFO', 'replication') =~ /connected_slaves:$arg{replicas}/ } 'the replicas';
    eventually { $_->command('INFO', 'replication') =~ /master_link_status:up/ } 'a replica' for @{$self->{servers}}[1 .. $arg{replicas}];
    $self->watch(NAME, $master->port, QUORUM) for 1 .. $arg{sentinels};
    eventually {
        !grep { my $m = {@{$self->ask($_, 'SENTINEL', 'MASTER', NAME)}};
            $m->{'num-other-sentinels'} != $arg{sentinels} - 1 || $m->{'num-slaves'} != $arg{replicas} } 0 .. $arg{sentinels} - 1;
    } 'the Sentinels to know each other', 30;
    return $self;
}

# One more Sentinel.
sub watch {
    my ($self, $name, $port, $quorum) = @_;
    my $dir = tempdir();
    my $own = free_port();
    open my $fh, '>', "$dir/conf" or die "$dir/conf: $!";
    print $fh "port $own\nbind 127.0.0.1\ndir $dir\nsentinel monitor $name 127.0.0.1 $port $quorum\n",
        "sentinel down-after-milliseconds $name ", $self->{down_after} // 2000, "\nsentinel failover-timeout $name 6000\n",
        defined $self->{password} ? "requirepass $self->{password}\nsentinel sentinel-pass $self->{password}\n" : '';
    close $fh or die "$dir/conf: $!";
    push @{$self->{watchers}}, {port => $own, dir => $dir};
    return $self->revive($#{$self->{watchers}});
}

sub revive {
    my ($self, $i) = @_;
    my $watcher = $self->{watchers}[$i];
    $watcher->{process} = Gateway::Process->new(name => 'sentinel', log => "$watcher->{dir}/log",
        command => ['redis-server', "$watcher->{dir}/conf", '--sentinel']);
    $watcher->{process}{expected_end} = 1;
    $watcher->{process}->wait_until('ready', sub { (eval { $self->ask($i, 'PING') } // '') eq 'PONG' });
    # a master that is back is made a replica after four of these periods
    $self->ask($i, 'SENTINEL', 'DEBUG', 'PUBLISH-PERIOD', 500, 'INFO-PERIOD', 1000) if $self->{quick};
    return $i;
}

sub sentinels { return map { "127.0.0.1:$_->{port}" } @{$_[0]{watchers}} }
sub sentinel { return $_[0]{watchers}[$_[1]]{process} }

sub ask {
    my ($self, $i, @words) = @_;
    my $c = Gateway::Client->new(to => "127.0.0.1:$self->{watchers}[$i]{port}");
    Gateway::Redis::ask($c, 'AUTH', $self->{password}) if defined $self->{password};
    return Gateway::Redis::ask($c, @words);
}

sub role { return (eval { $_[0]->command('ROLE') } // ['away'])->[0] }

sub master { # by the first Sentinel that lives
    my ($self) = @_;
    for my $i (0 .. $#{$self->{watchers}}) {
        my $at = eval { $self->ask($i, 'SENTINEL', 'get-master-addr-by-name', NAME) } or next;
        my ($server) = grep { $_->port == $at->[1] } @{$self->{servers}};
        return $server;
    }
    return undef;
}

# Of one more than there are, all would have to say that the master is gone.
sub may_fail_over {
    my ($self, $may) = @_;
    my @watchers = 0 .. $#{$self->{watchers}};
    $self->ask($_, 'SENTINEL', 'SET', NAME, 'quorum', $may ? QUORUM : 1 + @watchers) for @watchers;
    return;
}

# A master that is gone for all of them.
sub follows_another_than {
    my ($self, $old) = @_;
    my $master = $self->master or return 0;
    return 0 if $master == $old || role($master) ne 'master';
    return !grep { $_ != $old && $_ != $master && (eval { $_->command('INFO', 'replication') } // '') !~ /master_port:@{[$master->port]}\r/ } @{$self->{servers}};
}

# One master, of which all Sentinels know and which all others follow.
sub is_whole {
    my ($self) = @_;
    my $master = $self->master or return 0;
    my @others = grep { $_ != $master } @{$self->{servers}};
    return 0 if role($master) ne 'master' || $master->command('INFO', 'replication') !~ /connected_slaves:@{[scalar @others]}\r/;
    for my $other (@others) {
        my $says = eval { $other->command('INFO', 'replication') } // '';
        return 0 if $says !~ /master_port:@{[$master->port]}\r/ || $says !~ /master_link_status:up/;
    }
    for my $i (0 .. $#{$self->{watchers}}) {
        my $m = eval { +{@{$self->ask($i, 'SENTINEL', 'MASTER', NAME)}} } or return 0;
        return 0 if $m->{port} != $master->port || $m->{flags} ne 'master' || $m->{'num-slaves'} != @others
            || $m->{'num-other-sentinels'} != $#{$self->{watchers}};
        for my $slave (@{$self->ask($i, 'SENTINEL', 'REPLICAS', NAME)}) {
            return 0 if {@$slave}->{flags} ne 'slave';
        }
    }
    return 1;
}

sub replicas { my ($self) = @_; return grep { role($_) eq 'slave' } @{$self->{servers}} }

# ---- Cluster ------------------------------------------------------------------------------------------

sub cluster {
    my ($class, $masters, $replicas) = @_;
    my $self = bless {}, $class;
    $self->{servers} = [map {
        Gateway::Redis->new(config => ['--cluster-enabled yes', '--cluster-node-timeout 3000', '--cluster-config-file nodes.conf',
            '--cluster-port ' . free_port(), # usually 10 000 more than the other, which may be taken by a connection
            '--cluster-replica-validity-factor 0', '--cluster-allow-replica-migration no'])
    } 1 .. $masters * (1 + $replicas)];
    my $r = Gateway::Process::run({}, 'redis-cli', '--cluster', 'create', $self->addresses, '--cluster-replicas', $replicas, '--cluster-yes');
    die "redis-cli --cluster create: $r->{out}$r->{err}" if $r->{code} != 0;
    eventually { !grep { $_->command('CLUSTER', 'INFO') !~ /cluster_state:ok/ } @{$self->{servers}} } 'the Cluster', 30;
    eventually { (() = $self->{servers}[0]->command('CLUSTER', 'NODES') =~ /\bslave\b/g) == $masters * $replicas } 'its replicas', 30;
    eventually { !grep { role($_) eq 'slave' && $_->command('INFO', 'replication') !~ /master_link_status:up/ } @{$self->{servers}} } 'their data', 30;
    return $self;
}

sub servers { return @{$_[0]{servers}} }
sub addresses { return map { '127.0.0.1:' . $_->port } @{$_[0]{servers}} }

# The server that has the key's slot, by one that lives.
sub owner {
    my ($self, $key) = @_;
    for my $server (@{$self->{servers}}) {
        my $slot = eval { $server->command('CLUSTER', 'KEYSLOT', $key) } // next;
        for my $range (@{$server->command('CLUSTER', 'SLOTS')}) {
            next if $slot < $range->[0] || $slot > $range->[1];
            my ($owner) = grep { $_->port == $range->[2][1] } @{$self->{servers}};
            return $owner;
        }
    }
    return undef;
}

sub id { return $_[1]->command('CLUSTER', 'MYID') }

1;
