package Gateway::Residents;

# Backends that keep themselves registered at a fleet, as their clients do: a process that renews the
# leases of all, at the next gateway when one does not take it.
#
#     my $residents = Gateway::Residents->new($ledger, [$a, $b]);
#     $residents->wrong($stored);         who of them is not there, or was gone in between
#     $residents->back($stored);          after a loss: all are there again
#     $residents->stop;                   {renewed, refused, unclear => [...]}

use strict;
use warnings;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep);
use Gateway::Objects;
use Gateway::Process qw(tempdir eventually);
use Gateway::Writes qw(endpoint_key result_of ask now SHORT);

use constant NAMES => qw(r0 r1 r2);

my $json = JSON::PP->new->canonical;

sub new {
    my ($class, $ledger, $gateways) = @_;
    my $self = bless {dir => tempdir(), ledger => $ledger}, $class;
    $self->{process} = Gateway::Process->new(
        name => 'residents',
        log => "$self->{dir}/stderr",
        expected_end => 1,
        code => sub { run($self->{dir}, $ledger->writes->{url}, $gateways) },
    );
    $self->back;
    return $self;
}

sub uids { my ($stored) = @_; return map { ($stored->{endpoint_key($_)} // {})->{metadata}{uid} // 'none' } NAMES }

sub back {
    my ($self) = @_;
    eventually { $self->{uids} = [uids($self->{ledger}->stored)]; !grep { $_ eq 'none' } @{$self->{uids}} } 'all residents to be registered';
    return;
}

# An endpoint that ended and came back has another uid.
sub wrong {
    my ($self, $stored) = @_;
    my @is = uids($stored);
    return map { "$_ was renewed, and has ended: $is[$_] for $self->{uids}[$_]" } grep { $is[$_] ne $self->{uids}[$_] } 0 .. $#is;
}

sub stop {
    my ($self) = @_;
    open my $stop, '>', "$self->{dir}/stop" or die "stop: $!";
    eventually { !$self->{process}->running } 'the last answer of the residents', 15;
    open my $fh, '<', "$self->{dir}/seen" or die 'the residents did not end well: ' . $self->{process}->log;
    return $json->decode(readline $fh);
}

# ---- The process ------------------------------------------------------------------------------

sub run {
    my ($dir, $url, $gateways) = @_;
    my %seen = (renewed => 0, refused => 0, unclear => []);
    my $at = 0;
    while (!-e "$dir/stop") {
        my $next = now() + SHORT / 6;
        for my $name (NAMES) {
            my $r = ask($gateways->[$at % @$gateways], PUT => path_of("base/endpoints/$name"), {url => $url, leaseSeconds => SHORT});
            my $result = result_of($r, 200, 201);
            push @{$seen{unclear}}, "$name: $result" if $result =~ /^unclear/;
            $seen{$result eq 'done' ? 'renewed' : 'refused'}++;
            $at++ if $result ne 'done';
        }
        $at++; # none is always at the same one
        my $rest = $next - now();
        sleep $rest if $rest > 0;
    }
    open my $fh, '>', "$dir/seen" or die "seen: $!";
    print {$fh} $json->encode(\%seen);
    close $fh or die "seen: $!";
    POSIX::_exit(0);
}

1;
