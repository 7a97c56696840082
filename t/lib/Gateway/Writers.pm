package Gateway::Writers;

# Several who write at the same time, each a process: what they do is drawn, and the same for the
# same seed; which of two writes that overlap comes first is not.
#
#     my $writers = Gateway::Writers->new($ledger, [[$a], [$b], [$a, $b], [$c]]);   the gateways of each
#     $writers->wait_for(40);             so many more answers
#     $writers->stop;                     after their last answers: the ledger has all of it

use strict;
use warnings;
use JSON::PP ();
use POSIX qw(fmod);
use Time::HiRes qw(sleep);
use Gateway::Draws;
use Gateway::Process qw(tempdir eventually);
use Gateway::Writes qw(now);

use constant {
    BEAT => 0.05, # all begin at the same moments, so that they meet
    EACH => 3, # writes of each, then a pause: the machine has other tests to run
    OTHERS => 1000, # numbers of writes that are left to who writes beside them
};

my $json = JSON::PP->new->canonical;

sub new {
    my ($class, $ledger, $gateways) = @_;
    my $self = bless {ledger => $ledger, dir => tempdir(), processes => []}, $class;
    my $writes = $ledger->writes;
    for my $i (0 .. $#$gateways) {
        my $seed = $writes->{draws}->below(1 << 30);
        push @{$self->{processes}}, Gateway::Process->new(
            name => 'writer',
            log => "$self->{dir}/stderr",
            expected_end => 1,
            code => sub {
                run($self->{dir}, $i, Gateway::Writes->new(%$writes, made => {}, draws => Gateway::Draws->new($seed), gateways => $gateways->[$i],
                    first => $writes->{n} + OTHERS + $i, step => scalar @$gateways));
            },
        );
    }
    return $self;
}

# Waits for n more answers.
sub wait_for {
    my ($self, $n) = @_;
    my $until = $self->count + $n;
    eventually { $self->count >= $until } "$n more answers to writers", 30;
    return;
}

sub count {
    my ($self) = @_;
    my $lines = 0;
    for my $i (0 .. $#{$self->{processes}}) {
        open my $fh, '<', "$self->{dir}/$i" or next;
        $lines++ while readline $fh;
    }
    return $lines;
}

sub stop {
    my ($self) = @_;
    open my $stop, '>', "$self->{dir}/stop" or die "stop: $!";
    eventually { !grep { $_->running } @{$self->{processes}} } 'the last answers of the writers', 30;
    for my $i (0 .. $#{$self->{processes}}) {
        open my $fh, '<', "$self->{dir}/$i" or die "writer $i: $!";
        $self->{ledger}->enter(@{$json->decode($_)}) for readline $fh;
        eof $fh && -e "$self->{dir}/$i.end" or die "writer $i did not end well: " . $self->{processes}[$i]->log;
    }
    return;
}

# ---- The process ------------------------------------------------------------------------------

# A lease that nobody renews would keep the fleet from being of one mind for as long as it lasts.
my @kinds = grep { $_ ne 'lapse' } Gateway::Writes::kinds();

sub run {
    my ($dir, $i, $writes) = @_;
    open my $fh, '>', "$dir/$i" or die "$dir/$i: $!";
    $fh->autoflush(1);
    $writes->{book} = bless {fh => $fh, known => {}}, 'Gateway::Writers::Book';
    while (!-e "$dir/stop") { # not a signal: that would end a wait for an answer
        sleep BEAT - fmod(now(), BEAT);
        $writes->make(EACH, @kinds);
    }
    $writes->{book}->line(made => $writes->{n}, $writes->{made});
    open my $end, '>', "$dir/$i.end" or die "$dir/$i.end: $!";
    POSIX::_exit(0);
}

package Gateway::Writers::Book;

sub line { my ($self, @what) = @_; print {$self->{fh}} $json->encode(\@what), "\n" or die "a book: $!"; return }

sub note {
    my ($self, $key, $value, $result, @more) = @_;
    $self->{known}{$key} = $value if $result eq 'done';
    return $self->line(note => $key, $value, $result, @more);
}

sub together { my ($self, @what) = @_; return $self->line(together => @what) }
sub ends { die 'no writer has leases that end' }
sub known { my ($self, $key) = @_; return $self->{known}{$key} // 'none' }

1;
