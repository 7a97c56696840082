package Gateway::RedisProxy;

# Between a gateway and its Redis: passes on what both say, command by command, until it is told to do
# something else with one.
#
#     my $proxy = Gateway::RedisProxy->new($redis);     # ->url, ->port
#     $proxy->on('^XREAD', 'silence');                  # of the next XREAD's answer nothing comes, nor later
#     $proxy->on('^HSCAN', 'cut', bytes => 40);         # 40 bytes of it, then the connection is closed
#     $proxy->on('^changes', answer => "-LOADING ...\r\n", times => 3);
#     $proxy->forget;                                   # of all that
#
# A command is known by its words, in one line; a call of ksgate's script by the words after the prefix:
# "changes 17 256".  What is done with it:
#
#     swallow     Redis never sees it, and nothing passes on this connection any more
#     silence     `bytes` of the answer (0), then nothing passes any more; the connection stays open
#     cut         `bytes` of the answer (0), then both connections are closed
#     answer      this instead; Redis does not see the command
#     hold        the answer waits for ->release, and with it all that are behind
#
# `times`: so often (1); 0: always.  The rule that was made first is asked first.

use strict;
use warnings;
use Gateway::Process qw(free_port tempdir eventually);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

my $json = JSON::PP->new->ascii->canonical;

sub new {
    my ($class, $redis) = @_;
    my $self = bless {port => free_port()}, $class;
    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$self->{port}", Listen => 64, ReuseAddr => 1)
        or die "listen: $!";
    socketpair $self->{control}, my $other, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
    my $mine = $self->{control};
    $self->{process} = Gateway::Process->new(
        name => 'Redis proxy',
        log => tempdir() . '/log',
        expected_end => 1,
        code => sub { close $mine; run($listener, $other, $redis->port) },
    );
    close $other;
    return $self;
}

sub port { return $_[0]{port} }
sub url { return "redis://127.0.0.1:$_[0]{port}/0" }

sub on {
    my ($self, $match, $do, @rest) = @_;
    my %rule = (match => "$match", do => $do, times => 1, bytes => 0, ($do eq 'answer' ? (text => shift @rest) : ()), @rest);
    return $self->tell(on => \%rule);
}

sub forget { return $_[0]->tell('forget') } # the rules; connections on which nothing passes any more are closed
sub release { return $_[0]->tell('release') } # what is held
sub cut { return $_[0]->tell('cut') } # closes all connections
sub met { return $_[0]->tell(met => "$_[1]") } # how often a rule for this was used

# The commands so far that fit, each as [words, bytes of the answer].
sub seen { return @{$_[0]->tell(seen => "$_[1]")} }

sub wait_for {
    my ($self, $match, $n) = @_;
    $n //= 1;
    return eventually { $self->met($match) >= $n } "the command $match";
}

sub tell {
    my ($self, @words) = @_;
    my $line = $json->encode(\@words) . "\n";
    syswrite($self->{control}, $line) == length $line or die "the Redis proxy is gone: $!";
    my $answer = readline $self->{control} // die 'the Redis proxy is gone: ' . $self->{process}->log;
    return $json->decode($answer)->[0];
}

# ---- The process ------------------------------------------------------------------------------------

my (@rules, @seen, %met, @pairs);

sub run {
    my ($listener, $control, $port) = @_;
    my $select = IO::Select->new($listener, $control);
    my %of; # a socket's pair
    while (1) {
        for my $ready ($select->can_read) {
            if ($ready == $listener) {
                my $client = $listener->accept or next;
                my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or next; # which closes the client's
                my $pair = {client => $client, server => $server, asked => '', said => '', slots => []};
                $of{$_} = $pair for $client, $server;
                $select->add($client, $server);
                push @pairs, $pair;
            } elsif ($ready == $control) {
                my $line = readline($control) // POSIX::_exit(0);
                syswrite $control, $json->encode([command(@{$json->decode($line)})]) . "\n";
            } elsif (my $pair = $of{$ready}) {
                my $from_client = $ready == $pair->{client};
                my $n = sysread $ready, $pair->{$from_client ? 'asked' : 'said'}, 65_536, length $pair->{$from_client ? 'asked' : 'said'};
                $n ? $from_client ? take_commands($pair) : take_answers($pair) : ($pair->{end} = 1);
            }
        }
        for my $pair (grep { $_->{end} } @pairs) {
            $select->remove(@$pair{qw(client server)});
            delete @of{@$pair{qw(client server)}};
            close $_ for @$pair{qw(client server)};
        }
        @pairs = grep { !$_->{end} } @pairs;
    }
    return;
}

sub command {
    my ($verb, $what) = @_;
    return push @rules, $what if $verb eq 'on';
    return $met{$what} // 0 if $verb eq 'met';
    return [grep { $_->[0] =~ $what } @seen] if $verb eq 'seen';
    if ($verb eq 'forget') {
        @rules = ();
        $_->{end} = 1 for grep { $_->{deaf} } @pairs;
    }
    if ($verb eq 'release') {
        delete $_->{held} for map { @{$_->{slots}} } @pairs;
        give($_) for @pairs;
    }
    $_->{end} = 1 for $verb eq 'cut' ? @pairs : ();
    return 1;
}

# The rule for a command, used.
sub rule_for {
    my ($words) = @_;
    for my $i (0 .. $#rules) {
        my $r = $rules[$i];
        next if $words !~ $r->{match};
        $met{$r->{match}}++;
        splice @rules, $i, 1 if $r->{times} && --$r->{times} == 0;
        return $r;
    }
    return undef;
}

sub take_commands {
    my ($pair) = @_;
    while (defined(my $end = end_of(\$pair->{asked}, 0))) {
        my $bytes = substr $pair->{asked}, 0, $end, '';
        my @words = words_of($bytes);
        my $words = join ' ', $words[0] =~ /^EVAL/i ? @words[4 .. $#words] : @words;
        my $slot = {seen => [substr($words, 0, 300), 0], rule => rule_for($words)};
        my $do = $slot->{rule} ? $slot->{rule}{do} : '';
        push @seen, $slot->{seen};
        return $pair->{deaf} = 1 if $pair->{deaf} || $do eq 'swallow';
        $slot->{held} = 1 if $do eq 'hold';
        $slot->{answer} = $slot->{rule}{text} if $do eq 'answer';
        push @{$pair->{slots}}, $slot;
        print {$pair->{server}} $bytes if !defined $slot->{answer};
        $pair->{server}->flush;
    }
    give($pair);
    return;
}

sub take_answers {
    my ($pair) = @_;
    while (defined(my $end = end_of(\$pair->{said}, 0))) {
        my $bytes = substr $pair->{said}, 0, $end, '';
        my ($slot) = grep { !defined $_->{answer} } @{$pair->{slots}};
        next if !$slot;
        $slot->{answer} = $bytes;
        $slot->{seen}[1] = length $bytes;
    }
    give($pair);
    return;
}

# Answers that are there, in order.
sub give {
    my ($pair) = @_;
    while (!$pair->{deaf} && !$pair->{end} && @{$pair->{slots}}) {
        my $slot = $pair->{slots}[0];
        return if $slot->{held} || !defined $slot->{answer};
        shift @{$pair->{slots}};
        my $do = $slot->{rule} ? $slot->{rule}{do} : '';
        my $part = $do eq 'silence' || $do eq 'cut';
        print {$pair->{client}} $part ? substr $slot->{answer}, 0, $slot->{rule}{bytes} : $slot->{answer};
        $pair->{client}->flush;
        $pair->{deaf} = 1 if $do eq 'silence';
        $pair->{end} = 1 if $do eq 'cut';
    }
    return;
}

# Where the value that begins at a place of the text ends; undef: it is not whole.
sub end_of {
    my ($text, $at) = @_;
    my $left = 1;
    while ($left-- > 0) {
        my $line = index $$text, "\r\n", $at;
        return undef if $line < 0;
        my $type = substr $$text, $at, 1;
        my $n = $type =~ /[*\$]/ ? substr $$text, $at + 1, $line - $at - 1 : 0;
        $at = $line + 2;
        $at += $n + 2 if $type eq '$' && $n >= 0;
        $left += $n if $type eq '*' && $n > 0;
    }
    return $at <= length $$text ? $at : undef;
}

sub words_of {
    my ($bytes) = @_;
    my @words;
    my $at = index($bytes, "\r\n") + 2;
    while ($at < length $bytes) {
        my $line = index $bytes, "\r\n", $at;
        my $n = substr $bytes, $at + 1, $line - $at - 1;
        push @words, substr $bytes, $line + 2, $n;
        $at = $line + 2 + $n + 2;
    }
    return @words;
}

1;
