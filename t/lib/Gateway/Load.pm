package Gateway::Load;

# Requests that go on beside a test: a process that asks one after the other, over a few
# connections, and counts what was not answered as it should be.
#
#     my $load = Gateway::Load->new($gw, paths => ['/extensions/a/', '/version']);
#     ... what must not disturb it ...
#     my $seen = $load->stop;
#     is $seen->{failed}, 0, "none of $seen->{requests} requests failed";

use strict;
use warnings;
use Gateway::Client;
use Gateway::Process qw(tempdir eventually slow);
use JSON::PP ();
use Time::HiRes qw(time sleep);

use constant SHOWN => 10; # failures of which the words are kept

my $json = JSON::PP->new->canonical;

# new(GATEWAY, paths => [...], headers => [...], status => 200, connections => 2,
# pause => seconds between two requests: the machine has other tests to run)
sub new {
    my ($class, $gw, %arg) = @_;
    my $dir = tempdir();
    my $self = bless {dir => $dir}, $class;
    $self->{process} = Gateway::Process->new(
        name => 'load',
        log => "$dir/stderr",
        expected_end => 1,
        code => sub { run($dir, '127.0.0.1:' . $gw->port, connections => 2, status => 200, pause => 0.001, headers => [], %arg) },
    );
    $self->wait_for(1);
    return $self;
}

# How many were asked so far.
sub count {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/count" or return 0;
    return 0 + (readline($fh) // 0);
}

# Waits until n more were asked.
sub wait_for {
    my ($self, $n, $seconds) = @_;
    my $end = $self->count + $n;
    return eventually(sub { $self->count >= $end }, "$n more requests of the load", $seconds);
}

# Ends it: {requests, failed, median, slowest (seconds), words => [what the first failures were]}.
sub stop {
    my ($self) = @_;
    open my $stop, '>', "$self->{dir}/stop" or die "stop: $!";
    eventually(sub { !$self->{process}->running }, 'the last answer of the load', 15);
    open my $fh, '<', "$self->{dir}/seen" or die 'the load did not end well: ' . $self->{process}->log;
    return $json->decode(readline $fh);
}

# ---- The process ------------------------------------------------------------------------------

sub run {
    my ($dir, $to, %arg) = @_;
    my %seen = (requests => 0, failed => 0, slowest => 0, words => []);
    my (@connections, @took);
    open my $count, '>', "$dir/count" or die "count: $!";
    while (!-e "$dir/stop") { # not a signal: that would end a wait for an answer
        my $path = $arg{paths}[$seen{requests} % @{$arg{paths}}];
        my $c = \$connections[$seen{requests} % $arg{connections}];
        my $start = time;
        my $wrong = ask($c, $to, $path, \%arg);
        my $took = time - $start;
        $seen{requests}++;
        $seen{slowest} = $took if $took > $seen{slowest};
        push @took, $took;
        if ($wrong) {
            push @{$seen{words}}, "$path: $wrong" if $seen{failed}++ < SHOWN;
        }
        sysseek $count, 0, 0;
        syswrite $count, "$seen{requests}\n";
        sleep $arg{pause};
    }
    $seen{median} = (sort { $a <=> $b } @took)[@took / 2];
    open my $fh, '>', "$dir/seen" or die "seen: $!";
    print {$fh} $json->encode(\%seen);
    close $fh or die "seen: $!";
    POSIX::_exit(0);
}

# '' when the answer is what it should be.
sub ask {
    my ($c, $to, $path, $arg) = @_;
    my $wrong = eval {
        $$c //= Gateway::Client->new(to => $to);
        my $r = $$c->request(GET => $path, @{$arg->{headers}});
        $$c = undef if ($r->{headers}{connection} // '') eq 'close';
        $r->{status} == $arg->{status} ? '' : "$r->{status} $r->{body}";
    };
    return $wrong if defined $wrong;
    $$c = undef;
    return "$@";
}

1;
