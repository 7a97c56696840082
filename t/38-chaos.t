# A fleet is attacked at random, and compared with a model of what was acknowledged: no request to a route that existed fails,
# nothing that was acknowledged is lost, and all gateways end up with exactly the same.
#   KSGATE_SEED=n: the same writes and attacks again.  KSGATE_CHAOS_SECONDS=600: for ten minutes (make chaos).
#   KSGATE_CHAOS_ONLY=kill,wipe: these attacks.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Ledger;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);

my $seed = $ENV{KSGATE_SEED} // (time * 1000) % 1_000_000;
my $seconds = $ENV{KSGATE_CHAOS_SECONDS} // 45;
alarm((300 + 2 * $seconds) * Gateway::Process::slow());
diag "KSGATE_SEED=$seed, $seconds seconds";

my $up = upstream { [200, {}, $_[0]{path}] };
my $redis = redis(config => ['--appendfsync always', '--enable-debug-command yes']);
my @base = map { extension($_, $up->url) } qw(base other third);
my $settings = {registry => {redis => {timeout => '500ms'}}};
my @fleet = map { gateway(core => $up->url, redis => $redis, config => $settings, crash_ok => $_ > 2) } 1 .. 3;
$fleet[0]->apply(\@base);
my $ledger = Gateway::Ledger->new(seed => $seed, url => $up->url, gateways => \@fleet, redis => sub { $redis });

sub state_of { return eval { $_[0]->admin(GET => '/-/readyz')->{json}{registry}{state} } // 'away' }
sub all_are { my ($word) = @_; return !grep { state_of($_) ne $word } @fleet }
sub key { return "{ksgate}:$_[0]" }

# A gateway that dies in the second before its last state is on disk begins with the one of before: what was lost
# then is an orphan to it once more, and has its time to settle.
sub on_disk {
    $ledger->agree;
    my ($epoch, $revision) = map { $redis->command('GET', key($_)) } qw(epoch revision);
    eventually { !grep { (eval { slurp($_->dir . '/snapshot') } // '') !~ /\n\{[^\n]*"epoch":"$epoch","revision":$revision,/ } @fleet } 'the state on disk';
    return;
}

# ---- The attacks -----------------------------------------------------------------------------------

# The third gateway is the one that suffers: the load is on the other two.
my $backup = tempdir();
my %attack = (
    kill => sub { # what it has answered, it has given to the kernel; with `everysec` it would not always
        $redis->command('CONFIG', 'SET', 'appendfsync', $ledger->pick(qw(always no)));
        $redis->kill;
        $ledger->write(4);
        $redis->start;
        $ledger->write(4);
    },
    stop => sub {
        $redis->freeze;
        eventually { all_are('stale') } 'all to miss Redis';
        $ledger->write(2, qw(apply register patch together));
        $redis->thaw;
        $ledger->write(4);
    },
    cut => sub {
        for (1 .. 3) {
            $redis->command('CLIENT', 'KILL', 'TYPE', 'normal');
            $ledger->write(4);
        }
    },
    reload => sub { $redis->command('DEBUG', 'RELOAD'); $ledger->write(6) },
    wipe => sub {
        $redis->command('FLUSHALL');
        eventually { all_are('stale') } 'all to notice';
        $ledger->tell_all(@base);
        on_disk();
    },
    empty => sub { # one that keeps nothing
        $redis->kill;
        system('rm', '-rf', $redis->{dir} . '/appendonlydir') == 0 or die 'rm';
        $redis->start;
        eventually { all_are('stale') } 'all to notice';
        $ledger->tell_all(@base);
        on_disk();
    },
    restore => sub {
        $redis->stop;
        system('cp', '-a', $redis->{dir} . '/appendonlydir', "$backup/new") == 0 or die 'cp';
        $redis->start;
        $ledger->write(12);
        $redis->kill;
        system('rm', '-rf', $redis->{dir} . '/appendonlydir') == 0 or die 'rm';
        system('mv', "$backup/new", $redis->{dir} . '/appendonlydir') == 0 or die 'mv';
        $redis->start;
        $ledger->{maybe} = {}; # none of it comes late any more
        eventually { !grep { state_of($_) !~ /fresh|stale/ } @fleet } 'all to be back';
        $ledger->tell_all(@base);
        on_disk();
    },
    gateway_dies => sub {
        CORE::kill('KILL', $fleet[2]->server_pid);
        $ledger->write(8);
    },
    gateway_starts => sub {
        $fleet[2]{process}->kill_group;
        eventually { !eval { $fleet[2]->connect } } 'the end of its sockets';
        $fleet[2]{gone} = 1;
        $ledger->write(8);
        $fleet[2]->begin;
        $fleet[2]{gone} = 0;
        $ledger->write(4);
    },
    gateway_sleeps => sub {
        my $pid = $fleet[2]->server_pid;
        CORE::kill('STOP', $pid);
        $fleet[2]{gone} = 1;
        $ledger->write(10);
        CORE::kill('CONT', $pid);
        $fleet[2]{gone} = 0;
        $ledger->write(4);
    },
    trim => sub {
        my $pid = $fleet[2]->server_pid;
        CORE::kill('STOP', $pid);
        $fleet[2]{gone} = 1;
        $ledger->write(10);
        $redis->command('XTRIM', key('changes'), 'MAXLEN', 1);
        CORE::kill('CONT', $pid);
        $fleet[2]{gone} = 0;
    },
    foreign_entries => sub {
        my $revision = $redis->command('GET', key('revision'));
        $redis->command('XADD', key('changes'), ($revision + 1) . '-0', 'who', 'knows');
        $redis->command('XADD', key('changes'), ($revision + 1) . '-7', 'op', 'put');
        $ledger->write(3);
        $redis->command('XADD', key('changes'), '*', 'field', 'nobody/Nothing//there', 'op', 'jump');
        $ledger->write(3);
    },
    rubbish => sub {
        $redis->command('HSET', key('objects'), 'half', '{"metadata":{"name":', 'ksgate.io/Endpoint//base.e0x', 'null', "nul\0byte", '{}');
        $ledger->write(4);
        $redis->command('HDEL', key('objects'), 'half', 'ksgate.io/Endpoint//base.e0x', "nul\0byte");
    },
    wrong_types => sub {
        my $name = $ledger->pick(qw(changes leases revision epoch));
        $redis->command('RENAME', key($name), 'aside'); # there is one: `base` has an endpoint
        $redis->command(@$_) for ['SADD', key($name), 'of', 'another'];
        $ledger->write(3);
        $redis->command('RENAME', 'aside', key($name));
        $ledger->write(3);
    },
    counter => sub {
        $redis->command('SET', key('revision'), $ledger->pick(3, 'rubbish', -1, ''));
        $ledger->write(4);
    },
    no_stream => sub { $redis->command('DEL', key('changes')); $ledger->write(4) },
);

# ---- The run ------------------------------------------------------------------------------------------

my @load = map { Gateway::Load->new($_, paths => [map { "/extensions/$_->{metadata}{name}/x" } @base], pause => 0.005) } @fleet[0, 1];
my @names = $ENV{KSGATE_CHAOS_ONLY} ? split /,/, $ENV{KSGATE_CHAOS_ONLY} : sort keys %attack;
my $end = time + $seconds;
my (%done, @left);
while (time < $end || @left) {
    @left = $ledger->shuffle(@names) if !@left; # each once before any is seen twice
    my $name = shift @left;
    $ledger->write(6);
    my $start = time;
    my @wrong = eval { $attack{$name}->(); $ledger->settle };
    push @wrong, $@ if $@;
    ok !@wrong, sprintf '%s: all gateways have what was acknowledged (%.1f s)', $name, time - $start or do {
        diag "KSGATE_SEED=$seed: $_" for @wrong;
        diag $_->port . ': ' . substr $_->stderr, -3000 for @fleet;
        last;
    };
    $done{$name}++;
}
for my $load (@load) {
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
}
eventually { !grep { /base\.s/ } keys %{$ledger->stored} } 'the end of all leases that nobody renewed', 60;
is_deeply [$ledger->settle], [], 'a lease that nobody renews ends, at all gateways';
diag join ', ', map { "$_ $ledger->{made}{$_}" } sort keys %{$ledger->{made}};
diag join ', ', map { "$_ $ledger->{said}{$_}" } sort keys %{$ledger->{said}};

done_testing;
