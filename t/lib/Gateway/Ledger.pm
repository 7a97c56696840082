package Gateway::Ledger;

# Writes to a fleet's registry, written down as they were acknowledged; and what every gateway has to
# know by that.
#
#     my $ledger = Gateway::Ledger->new(draws => Gateway::Draws->new(7), url => $up->url, gateways => [...],
#         redis => sub { the one that is used }, replicas => of it that have what is acknowledged);
#     $ledger->write(20);           see Gateway::Writes; others may write meanwhile: Gateway::Writers
#     $ledger->settle;              what is wrong: all gateways, and Redis, must have exactly what was acknowledged
#     $ledger->tell_all;            after a loss: who has written or registered something does it again
#
# Of writes of one key that overlap, any of the last ones may have won: the one that all have.

use strict;
use warnings;
use JSON::PP ();
use List::Util qw(max);
use Gateway qw(eventually ksgate);
use Gateway::Objects;
use Gateway::Writes qw(extension_key endpoint_key number_of result_of ask now EXTENSIONS LONG SHORT PREFIX);

my $json = JSON::PP->new->canonical;

# value: of each key, when all was last settled; since: the writes of each since then; ends: when a
# lease ends that nobody renews; sets: keys that were written in one step, by number; met: how often any of
# several could have won.
sub new {
    my ($class, %arg) = @_;
    my $self = bless {%arg, value => {}, since => {}, ends => {}, sets => {}, said => {}, unclear => [], met => 0}, $class;
    $self->{writes} = Gateway::Writes->new(%arg, script => ksgate('registry', 'script')->{out}, book => $self);
    return $self;
}

sub writes { return $_[0]{writes} }
sub write { my ($self, @what) = @_; return $self->{writes}->make(@what) }
sub tidy { my ($self) = @_; return $self->{writes}->tidy(keys %{$self->{value}}) }
sub made { return $_[0]{writes}{made} }

# ---- What was answered -----------------------------------------------------------------------------

sub note {
    my ($self, $key, $value, $result, $start, $end, $by) = @_;
    push @{$self->{unclear}}, "$key: $result" if $result =~ /^unclear/;
    $self->{said}{$result =~ s/:.*//sr}++;
    return if $result !~ /^(?:done|unsure)$/;
    push @{$self->{since}{$key}}, {value => $value, sure => $result eq 'done', start => $start, end => $end, by => $by};
    return;
}

sub together { my ($self, $n, @keys) = @_; $self->{sets}{$n} = \@keys; return }
sub ends { my ($self, $key, $when) = @_; $self->{ends}{$key} = $when; return }

# A line of what a writer has written down.
sub enter {
    my ($self, $what, @rest) = @_;
    return $self->$what(@rest) if $what ne 'made';
    my ($n, $made) = @rest;
    $self->{writes}{n} = max($self->{writes}{n}, $n);
    $self->made->{$_} += $made->{$_} for keys %$made;
    return;
}

# All that the key may be: what was written last for sure, or at the same time as that; and what nobody knows of.
sub possible {
    my ($self, $key) = @_;
    my @since = @{$self->{since}{$key} // []};
    my @sure = grep { $_->{sure} } @since;
    my $latest = max map { $_->{start} } @sure;
    my %all = map { $_->{value} => 1 } @sure ? grep({ $_->{end} >= $latest } @sure) : {value => $self->{value}{$key} // 'none'}, grep { !$_->{sure} } @since;
    return sort keys %all;
}

# The one that it is; 'none' when it is not there, or that is not known.
sub known {
    my ($self, $key) = @_;
    my @all = $self->possible($key);
    return @all == 1 ? $all[0] : 'none';
}

# What was acknowledged in that time may be lost all the same, unless that gateway did it.
sub doubt {
    my ($self, $from, $to, $safe) = @_;
    for my $w (map { @$_ } values %{$self->{since}}) {
        $w->{sure} = 0 if $w->{end} >= $from && $w->{start} <= $to && $w->{by} ne $safe->port;
    }
    return;
}

# ---- What has to be so -----------------------------------------------------------------------------

sub state_of { return eval { $_[0]->admin(GET => '/-/readyz')->{json}{registry} } // {state => 'away'} }

# Waits until all gateways follow Redis and are of the same mind, at {agreed}.  Returns {key => object} of Redis.
sub agree {
    my ($self, $seconds) = @_;
    my %states;
    my $same = sub {
        %states = map { $_->port => state_of($_) } @{$self->{gateways}};
        return 0 if grep { $_->{state} !~ /^(?:fresh|empty)$/ } values %states;
        my %sums = map { join(' ', $_->{revision}, @{$_->{live}}{qw(revision checksum)}) => 1 } values %states;
        return 0 if keys %sums != 1;
        $self->{agreed} = $self->revision;
        return $self->{agreed} =~ /^\d+\z/ && (values %states)[0]{live}{revision} == $self->{agreed}; # it may be rubbish for a moment
    };
    eval { eventually(sub { $same->() }, 'all gateways to be of the same mind', $seconds // 30) }
        or die "$@" . join("\n", $self->view_differences($self->stored)) . "\n" . $json->pretty->encode(\%states);
    return $self->stored;
}

sub revision { return eval { $_[0]{redis}->()->command('GET', PREFIX . 'revision') } // 0 }

sub stored {
    my ($self) = @_;
    my %all = @{$self->{redis}->()->command('HGETALL', PREFIX . 'objects')};
    return {map { my $o = eval { $json->decode($all{$_}) }; $o ? ($_ => $o) : () } keys %all};
}

# The lease of some ends, not before its time.
sub is_allowed {
    my ($self, $key, $value) = @_;
    return 1 if grep { $_ eq $value } $self->possible($key);
    return $value eq 'none' && $self->{ends}{$key} && now() > $self->{ends}{$key};
}

# What is in Redis and should not be, or the other way round.
sub differences {
    my ($self, $stored) = @_;
    my %is = map { $_ => number_of($stored->{$_}) } keys %$stored;
    my %keys = map { $_ => 1 } keys %{$self->{value}}, keys %{$self->{since}}, grep { $is{$_} ne 'unnumbered' } keys %is;
    my @wrong = map {
        my $is = $is{$_} // 'none';
        $self->is_allowed($_, $is) ? () : "$_ is $is, and has to be " . join ' or ', $self->possible($_);
    } sort keys %keys;
    for my $n (sort keys %{$self->{sets}}) { # in one step: with the numbers of one
        my @at = map { ($is{$_} // '') eq $n ? $stored->{$_}{metadata}{resourceVersion} : undef } @{$self->{sets}{$n}};
        my %first = map { $at[$_] - $_ => 1 } grep { defined $at[$_] } 0 .. $#at;
        push @wrong, "write $n was not made in one step: " . join ' ', map { $_ // '-' } @at if keys %first > 1;
    }
    return (@wrong, splice @{$self->{unclear}});
}

# What a gateway says of all objects, as {key => uid and resourceVersion}.
sub view {
    my ($gw) = @_;
    my %view;
    for my $plural (qw(extensionservices endpoints)) {
        for my $o (@{$gw->admin(GET => "/-/apis/ksgate.io/v1/$plural")->{json}{items}}) {
            $view{"ksgate.io/$o->{kind}//$o->{metadata}{name}"} = "$o->{metadata}{uid} $o->{metadata}{resourceVersion}";
        }
    }
    return \%view;
}

# What gateways have is not what Redis has; with how it was written last.
sub view_differences {
    my ($self, $stored) = @_;
    my %redis = map { $_ => "$stored->{$_}{metadata}{uid} $stored->{$_}{metadata}{resourceVersion}" } keys %$stored;
    my @wrong;
    for my $gw (@{$self->{gateways}}) {
        my $view = view($gw);
        for my $key (grep { ($view->{$_} // '') ne ($redis{$_} // '') } sort keys %{{%$view, %redis}}) {
            my @history = map { sprintf '%s %s %.3f-%.3f by %s', $_->{value}, $_->{sure} ? 'sure' : 'unsure', @$_{qw(start end by)} }
                @{$self->{since}{$key} // $self->{before}{$key} // []};
            push @wrong, "$key is " . ($view->{$key} // 'none') . ' at ' . $gw->port . ', and in Redis ' . ($redis{$key} // 'none')
                . '; written: ' . join ', ', @history;
        }
    }
    return @wrong;
}

sub route_differences {
    my ($self, $gw) = @_;
    return map {
        my $n = $self->{value}{extension_key("x$_")} // 'none';
        my $r = $gw->request(GET => "/extensions/x$_/y");
        my $is = $r->{status} == 200 ? $r->{body} : $r->{status};
        $is eq ($n eq 'none' ? 404 : "/n$n/y") ? () : "the route of x$_ is $is, and has to be of $n at " . $gw->port;
    } 0 .. EXTENSIONS - 1;
}

# What is there was allowed, and is what has to be there from now on.
sub decided {
    my ($self, $stored) = @_;
    $self->{met} += grep { 1 < (() = $self->possible($_)) } keys %{$self->{since}};
    $self->{value} = {map { $_ => number_of($stored->{$_}) } grep { number_of($stored->{$_}) ne 'unnumbered' } keys %$stored};
    $self->{before} = $self->{since};
    $self->{since} = {};
    $self->{sets} = {};
    return;
}

# What Redis has is what was acknowledged; what gateways have is what Redis has; what requests meet is that.
sub settle {
    my ($self, $seconds) = @_;
    my $stored;
    my @wrong;
    # leases end while we look: then once more
    eventually {
        $stored = $self->agree($seconds);
        @wrong = $self->differences($stored);
        push @wrong, $self->view_differences($stored);
        return $self->revision eq $self->{agreed};
    } 'a moment in which no lease ends';
    if (!@wrong) {
        $self->decided($stored);
        @wrong = map { $self->route_differences($_) } @{$self->{gateways}};
    }
    return @wrong;
}

# ---- After a loss ------------------------------------------------------------------------------------

# All that was acknowledged is written again, as operators and services do; what is there and was
# deleted goes again, from each gateway that still knows it.  What nobody knew is decided.
sub tell_all {
    my ($self, @base) = @_;
    my $must = sub {
        my ($what, $gw, @request) = @_;
        eventually { my $r = ask($gw, @request); $r && $r->{status} =~ /^(?:200|201|404)$/ } $what, 20;
    };
    my $first = $self->{gateways}[0];
    my $stored = $self->stored;
    my %keys = map { $_ => $self->known($_) } keys %{$self->{value}}, keys %{$self->{since}},
        grep { number_of($stored->{$_}) ne 'unnumbered' } keys %$stored;
    $must->('the base', $first, PUT => path_of($_->{metadata}{name}), $_) for @base;
    for my $key (sort keys %keys) {
        my ($kind, $name) = $key =~ m{^ksgate\.io/(\w+)//(.*)} or next;
        my $path = $kind eq 'Endpoint' ? path_of('base/endpoints/' . substr $name, 5) : path_of($name);
        if ($keys{$key} eq 'none' || $self->{ends}{$key}) {
            $must->("the end of $key", $_, DELETE => $path) for @{$self->{gateways}};
            $keys{$key} = 'none';
        } else {
            $must->($key, $first, PUT => $path, $kind eq 'Endpoint' ? $self->{writes}->registration($keys{$key}, LONG)
                : $self->{writes}->numbered($name, $keys{$key}));
        }
    }
    $self->{value} = \%keys;
    $self->{since} = {};
    $self->{sets} = {};
    return;
}

1;
