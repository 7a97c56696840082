package Gateway::Names;

# A name server on a loopback port that answers what the test says, and remembers what it was
# asked.
#
#     my $dns = Gateway::Names->new('backend.test' => {A => ['127.0.0.1'], AAAA => ['::1'], ttl => 5});
#     gateway(core => 'http://backend.test:8080', config => {dns => {servers => [$dns->at]}});
#     $dns->set('backend.test' => {A => ['127.0.0.2']}); # from the next question on
#     is $dns->asked('backend.test'), 2, 'asked for both families';
#
# What a name may have besides: error => 'SERVFAIL' (or NXDOMAIN, REFUSED), for both families or,
# as A_error, for one; mute => 1, A_mute => 1: no answer at all; truncated => 1: the whole answer by
# TCP only; alias => NAME: a CNAME to where the addresses are.  A name that it does not know
# does not exist.

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(AF_INET AF_INET6 inet_pton);

use Gateway::Process qw(tempdir eventually);

my $json = JSON::PP->new->canonical;
my %types = (1 => 'A', 28 => 'AAAA');
my %errors = (SERVFAIL => 2, NXDOMAIN => 3, REFUSED => 5);

sub new {
    my ($class, @names) = @_;
    my $self = bless {dir => tempdir(), port => Gateway::Process::free_port(), names => {}}, $class;
    $self->set(@names);
    return $self->start;
}

sub at { return "127.0.0.1:$_[0]{port}" }

sub set {
    my ($self, %names) = @_;
    $self->{names}{$_} = $names{$_} for keys %names;
    open my $fh, '>', "$self->{dir}/new" or die "names: $!";
    print $fh $json->encode($self->{names});
    close $fh or die "names: $!";
    return rename "$self->{dir}/new", "$self->{dir}/names";
}

# How often it was asked for this name, for an address of whichever family.
sub asked {
    my ($self, $name) = @_;
    open my $fh, '<', "$self->{dir}/asked" or return 0;
    return scalar grep { /^\Q$name\E (?:A|AAAA)$/ } <$fh>;
}

sub forget { return unlink "$_[0]{dir}/asked" }
sub stop { return $_[0]{process}->kill_group }

sub start {
    my ($self) = @_;
    my @at = (LocalAddr => '127.0.0.1', LocalPort => $self->{port}, ReuseAddr => 1);
    my $udp = IO::Socket::INET->new(@at, Proto => 'udp') or die "name server: $!";
    my $tcp = IO::Socket::INET->new(@at, Proto => 'tcp', Listen => 16) or die "name server: $!";
    $self->{process} = Gateway::Process->new(
        name => 'name server',
        log => "$self->{dir}/log",
        code => sub { $self->serve($udp, $tcp) },
        expected_end => 1,
    );
    close $_ for $udp, $tcp;
    return $self;
}

# ---- The process ------------------------------------------------------------------------------

sub serve {
    my ($self, $udp, $tcp) = @_;
    my $select = IO::Select->new($udp, $tcp);
    while (my @ready = $select->can_read) {
        for my $sock (@ready) {
            if ($sock == $tcp) {
                $select->add($sock->accept || next);
            } elsif ($sock == $udp) {
                my $from = recv $udp, my $question, 4096, 0;
                my $answer = defined $from ? $self->answer($question, 0) : undef;
                send $udp, $answer, 0, $from if defined $answer;
            } else {
                my $n = sysread $sock, my $size, 2;
                $n = sysread $sock, my $question, unpack 'n', $size if $n;
                my $answer = $n ? $self->answer($question, 1) : undef;
                syswrite $sock, pack 'n/a*', $answer if defined $answer;
                $select->remove($sock) if !$n;
            }
        }
    }
    return;
}

sub answer {
    my ($self, $question, $by_tcp) = @_;
    my $asked = substr $question, 12, 5 + index substr($question, 12), "\0"; # it ends the name
    my ($labels, $type) = ($asked =~ s/....\z//sr, $types{unpack 'n', substr $asked, -4, 2} // 'other');
    my $name = join '.', grep { length } unpack '(C/a)*', $labels;
    open my $log, '>>', "$self->{dir}/asked" or die "asked: $!";
    syswrite $log, lc($name) . " $type\n";
    my $facts = $self->names->{lc $name} // {error => 'NXDOMAIN'};
    return undef if $facts->{mute} || $facts->{"${type}_mute"};
    my $error = $facts->{"${type}_error"} // $facts->{error};
    my $short = $facts->{truncated} && !$by_tcp;
    my @records = $error || $short ? () : records($facts, $type);
    my $flags = 0x8180 | ($short ? 0x0200 : 0) | ($error ? $errors{$error} : 0);
    return pack('a2 n5', $question, $flags, 1, scalar @records, 0, 0) . $asked . join '', @records;
}

sub names {
    my ($self) = @_;
    open my $fh, '<', "$self->{dir}/names" or die "names: $!";
    local $/;
    return $json->decode(scalar <$fh>);
}

# In answer to the name at offset 12, or to its alias behind that.
sub records {
    my ($facts, $type) = @_;
    my ($owner, @records) = ("\xc0\x0c");
    if (my $alias = $facts->{alias}) {
        my $target = join('', map { pack 'C/a*', $_ } split /\./, $alias) . "\0";
        push @records, record($owner, 5, $facts->{alias_ttl} // $facts->{ttl}, $target);
        $owner = $target;
    }
    my ($number, $family) = $type eq 'A' ? (1, AF_INET) : (28, AF_INET6);
    push @records, map { record($owner, $number, $facts->{ttl}, inet_pton($family, $_)) } @{$facts->{$type} || []};
    return @records;
}

sub record {
    my ($owner, $type, $ttl, $data) = @_;
    return $owner . pack 'n n N n/a*', $type, 1, $ttl // 300, $data;
}

1;
