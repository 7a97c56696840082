package Gateway::Chaos;

# A fleet that is attacked at random, under load, while several write to it; compared with a model of
# what was acknowledged (Gateway::Ledger) after each attack.
#
#     my $chaos = Gateway::Chaos->new(seconds => 45, url => $up->url, gateways => [three], redis => sub { ... });
#     $chaos->run({name => sub { ... }, ...}, mend => sub { ... before it is looked at, when nobody writes any more });
#
# The environment: KSGATE_SEED=n: the same writes and attacks again (but for the order of what overlaps, and
# how much is written meanwhile).  KSGATE_CHAOS_SECONDS=600: for ten minutes (make chaos).
# KSGATE_CHAOS_ONLY=kill,wipe: these attacks.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use Gateway;
use Gateway::Draws;
use Gateway::Ledger;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Residents;
use Gateway::Writers;

use constant ANSWERS => 30; # to writers, at least, before and after an attack

my @names = qw(base other third);

sub new {
    my ($class, %arg) = @_;
    my $seed = $ENV{KSGATE_SEED} // (time * 1000) % 1_000_000;
    my $seconds = $ENV{KSGATE_CHAOS_SECONDS} // $arg{seconds};
    alarm((300 + 3 * $seconds) * Gateway::Process::slow());
    diag "KSGATE_SEED=$seed, $seconds seconds";
    my $draws = Gateway::Draws->new($seed);
    my $self = bless {%arg, seed => $seed, seconds => $seconds, draws => $draws, base => [map { extension($_, $arg{url}) } @names]}, $class;
    $self->{gateways}[0]->apply($self->{base});
    $self->{ledger} = Gateway::Ledger->new(draws => Gateway::Draws->new($seed), map { $_ => $arg{$_} } grep { exists $arg{$_} } qw(url gateways redis replicas));
    return $self;
}

sub ledger { return $_[0]{ledger} }
sub write { my ($self, @what) = @_; return $self->{ledger}->write(@what) }
sub pick { my ($self, @list) = @_; return $self->{draws}->pick(@list) }
sub is_long { return $_[0]{seconds} >= 600 }

sub all_are {
    my ($self, $word) = @_;
    return !grep { Gateway::Ledger::state_of($_)->{state} !~ $word } @{$self->{gateways}};
}

# ---- The third gateway is the one that suffers: the load is on the other two -------------------------

sub kill_server { return CORE::kill('KILL', $_[0]{gateways}[2]->server_pid) } # its supervisor starts another one

sub asleep {
    my ($self, $meanwhile) = @_;
    my $gw = $self->{gateways}[2];
    my $pid = $gw->server_pid;
    CORE::kill('STOP', $pid);
    $gw->{gone} = 1;
    my $fine = eval { $meanwhile->(); 1 };
    my $why = $@;
    CORE::kill('CONT', $pid);
    $gw->{gone} = 0;
    die $why if !$fine;
    return;
}

sub away {
    my ($self, $meanwhile) = @_;
    my $gw = $self->{gateways}[2];
    $gw->{process}->kill_group;
    eventually { !eval { $gw->connect } } 'the end of its sockets';
    $gw->{gone} = 1;
    $meanwhile->();
    $gw->begin;
    $gw->{gone} = 0;
    return;
}

# ---- Writers ------------------------------------------------------------------------------------------

# Each of the two has one of its own, one takes either, and the one at the third may have to wait with it.
sub begin_writers {
    my ($self) = @_;
    my ($first, $second, $third) = @{$self->{gateways}};
    $self->{writers} = Gateway::Writers->new($self->{ledger}, [[$first], [$second], [$first, $second], [$third]]);
    $self->{writers}->wait_for(ANSWERS);
    return;
}

sub end_writers {
    my ($self) = @_;
    my $writers = delete $self->{writers} or return;
    $writers->stop;
    return;
}

# Before what is written is lost: nobody writes, and what is known is exact.
sub quiet {
    my ($self) = @_;
    $self->end_writers;
    my @wrong = $self->{ledger}->settle;
    die join("\n", @wrong) . "\n" if @wrong;
    return;
}

# After a loss.  A gateway that dies in the second before its last state is on disk begins with the one of
# before: what was lost then is an orphan to it once more, and has its time to settle.
sub tell_all {
    my ($self) = @_;
    my $ledger = $self->{ledger};
    $ledger->tell_all(@{$self->{base}});
    $ledger->agree;
    my ($epoch, $revision) = map { $self->{redis}->()->command('GET', Gateway::Writes::PREFIX . $_) } qw(epoch revision);
    my $has = sub {
        my ($is) = (eval { slurp("$_[0]{dir}/snapshot") } // '') =~ /\n\{[^\n]*"epoch":"$epoch","revision":(\d+),/;
        return defined $is && $is >= $revision;
    };
    eventually(sub { !grep { !$has->($_) } @{$self->{gateways}} }, 'the state on disk');
    $self->{lost} = 1;
    return;
}

# A fail-over may lose what was not acknowledged; who has seen it keeps it for a while, if it is decided by
# nobody.  But what was acknowledged has to be there.
sub decide {
    my ($self) = @_;
    my $ledger = $self->{ledger};
    my @states;
    eventually {
        @states = map { Gateway::Ledger::state_of($_) } @{$self->{gateways}};
        return !grep { $_->{state} !~ /^(?:fresh|empty)$/ && ($_->{reason} // '') !~ /wiped or replaced/ } @states;
    } 'all gateways to follow the master', 30;
    return if !grep { $_->{state} eq 'stale' } @states;
    my $stored = $ledger->stored;
    my @wrong = $ledger->differences($stored);
    die join("\n", @wrong) . "\n" if @wrong;
    my @keys = map { keys %{$ledger->{$_}} } qw(value since);
    $ledger->decided($stored);
    $ledger->{value}{$_} //= 'none' for @keys; # those that are gone, too
    $ledger->tell_all(@{$self->{base}});
    return;
}

# ---- The run --------------------------------------------------------------------------------------------

sub attack {
    my ($self, $attack, $mend) = @_;
    my $ledger = $self->{ledger};
    $self->{lost} = 0;
    # anew: how many were drawn in the last one may have been a matter of time
    $ledger->writes->{draws} = Gateway::Draws->new($self->{seed} * 10_000 + ++$self->{attacks});
    my @wrong = eval {
        $self->begin_writers;
        $ledger->tidy;
        $ledger->write(6);
        $attack->();
        $self->begin_writers if !$self->{writers}; # at what there is after a loss
        $self->{writers}->wait_for(ANSWERS);
        $self->end_writers;
        $mend->() if $mend;
        $ledger->settle;
    };
    push @wrong, $@ if $@;
    return @wrong if @wrong;
    return $self->{residents}->back if $self->{lost};
    return $self->{residents}->wrong($ledger->stored);
}

sub run {
    my ($self, $attacks, %arg) = @_;
    my $ledger = $self->{ledger};
    my @two = @{$self->{gateways}}[0, 1];
    my @load = map { Gateway::Load->new($_, paths => [map { "/extensions/$_/x" } @names], pause => 0.005) } @two;
    $self->{residents} = Gateway::Residents->new($ledger, \@two);
    my @names = $ENV{KSGATE_CHAOS_ONLY} ? split /,/, $ENV{KSGATE_CHAOS_ONLY} : sort keys %$attacks;
    my $end = time + $self->{seconds};
    my @left;
    my $fine = 1;
    while ($fine && (time < $end || @left)) {
        @left = $self->{draws}->shuffle(@names) if !@left; # each once before any is seen twice
        my $name = shift @left;
        my $start = time;
        my @wrong = $self->attack($attacks->{$name}, $arg{mend});
        $fine = ok !@wrong, sprintf '%s: all gateways have what was acknowledged (%.1f s)', $name, time - $start;
        next if $fine;
        diag "KSGATE_SEED=$self->{seed}: $_" for @wrong;
        diag $_->port . ': ' . substr $_->stderr, -3000 for @{$self->{gateways}};
    }
    $self->end_writers;
    for my $load (@load) {
        my $seen = $load->stop;
        is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    }
    my $kept = $self->{residents}->stop;
    is_deeply $kept->{unclear}, [], "whoever renews is told clearly: $kept->{renewed} times yes, $kept->{refused} times no";
    eventually { !grep { /base\.[rs]/ } keys %{$ledger->stored} } 'the end of all leases that nobody renewed', 60;
    is_deeply [$ledger->settle], [], 'a lease that nobody renews ends, at all gateways';
    cmp_ok $ledger->{met}, '>', 0, "writes of one key have met, and one of them won everywhere: $ledger->{met} times";
    for my $counted ($ledger->made, $ledger->{said}) {
        diag join ', ', map { "$_ $counted->{$_}" } sort keys %$counted;
    }
    return;
}

1;
