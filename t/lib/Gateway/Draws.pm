package Gateway::Draws;

# Numbers that look like chance and are the same ones for the same seed.
#
#     my $draws = Gateway::Draws->new(7);
#     $draws->below(10);            0 to 9
#     $draws->pick(qw(a b c));      one of them
#     $draws->shuffle(1 .. 9);      all of them

use strict;
use warnings;

sub new { my ($class, $seed) = @_; return bless {state => $seed}, $class }

# Knuth's MMIX, the upper bits.
sub below {
    my ($self, $n) = @_;
    { use integer; $self->{state} = $self->{state} * 6364136223846793005 + 1442695040888963407; }
    return (($self->{state} >> 33) & 0x7fffffff) % $n;
}

sub pick { my ($self, @list) = @_; return $list[$self->below(scalar @list)] }

sub shuffle {
    my ($self, @list) = @_;
    return map { splice @list, $self->below(scalar @list), 1 } 1 .. @list;
}

1;
