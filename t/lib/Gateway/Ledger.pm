package Gateway::Ledger;

# Random writes to a fleet's registry, written down as they were acknowledged; and what every
# gateway has to know by that.
#
#     my $ledger = Gateway::Ledger->new(seed => 7, url => $up->url, gateways => [...], redis => sub { the one that is used });
#     $ledger->write(20);           by any gateway, or past all of them by the script that others use
#     $ledger->settle;              dies unless all gateways, and Redis, have exactly what was acknowledged
#     $ledger->tell_all;            after a loss: who has written or registered something does it again
#
# Extensions x0... answer with the number of the write that made them: their routes say which one is
# live.  Endpoints are of the extension `base`; some have a lease that is never renewed.

use strict;
use warnings;
use JSON::PP ();
use Time::HiRes qw(time);
use Gateway qw(eventually ksgate);
use Gateway::Objects;

use constant {EXTENSIONS => 8, ENDPOINTS => 6, LONG => 3000, SHORT => 6};

my $json = JSON::PP->new->canonical;
my $prefix = '{ksgate}:';

sub new {
    my ($class, %arg) = @_;
    my $self = bless {%arg, state => $arg{seed}, value => {}, maybe => {}, ends => {}, n => 0, said => {}}, $class;
    $self->{script} = ksgate('registry', 'script')->{out};
    return $self;
}

# A number below n, the same ones for the same seed (Knuth's MMIX, the upper bits).
sub draw {
    my ($self, $n) = @_;
    { use integer; $self->{state} = $self->{state} * 6364136223846793005 + 1442695040888963407; }
    return (($self->{state} >> 33) & 0x7fffffff) % $n;
}

sub pick { my ($self, @list) = @_; return $list[$self->draw(scalar @list)] }

sub shuffle {
    my ($self, @list) = @_;
    return map { splice @list, $self->draw(scalar @list), 1 } 1 .. @list;
}

# ---- What is there -------------------------------------------------------------------------------

sub extension_key { return "ksgate.io/ExtensionService//$_[0]" }
sub endpoint_key { return "ksgate.io/Endpoint//base.$_[0]" }

sub numbered { my ($self, $name, $n) = @_; return extension($name, $self->{url}, path => {prepend => "/n$n"}) }

sub registration { my ($self, $n, $lease) = @_; return {url => $self->{url}, version => "n$n", leaseSeconds => $lease} }

# Which write the object is of.
sub number_of {
    my ($o) = @_;
    my $text = $o->{kind} eq 'Endpoint' ? $o->{spec}{version} : $o->{spec}{path}{prepend};
    return ($text // '') =~ /n(\d+)$/ ? $1 : 'unnumbered';
}

# What was answered: it is so, it is not so, or nobody knows.
sub note {
    my ($self, $key, $value, $result) = @_;
    $self->{said}{$result}++;
    if ($result eq 'done') {
        $self->{value}{$key} = $value;
    } elsif ($result eq 'unsure') {
        push @{$self->{maybe}{$key}}, $value;
    }
    return $result;
}

sub result_of {
    my ($r, @fine) = @_;
    return 'unsure' if !defined $r;
    return 'done' if grep { $r->{status} == $_ } @fine;
    return 'refused' if $r->{status} == 503 && $r->{body} =~ /nothing was changed/;
    return 'unsure' if $r->{status} == 503;
    return "$r->{status}";
}

# Nothing when there was no answer.
sub ask { my ($gw, @request) = @_; return scalar eval { $gw->admin(@request) } }

# ---- Writes ----------------------------------------------------------------------------------------

my %write = (
    apply => sub {
        my ($self, $gw, $name, $n) = @_;
        return $self->note(extension_key($name), $n, result_of(ask($gw, PUT => path_of($name), $self->numbered($name, $n)), 200, 201));
    },
    patch => sub {
        my ($self, $gw, $name, $n) = @_;
        my $r = ask($gw, PATCH => path_of($name), $json->encode({spec => {path => {prepend => "/n$n"}}}),
            'Content-Type' => 'application/merge-patch+json');
        return $self->note(extension_key($name), $n, result_of($r, 200));
    },
    delete => sub {
        my ($self, $gw, $name) = @_;
        return $self->note(extension_key($name), 'none', result_of(ask($gw, DELETE => path_of($name)), 200));
    },
    together => sub {
        my ($self, $gw, $name, $n) = @_;
        my @names = map { 'x' . (($_ + substr $name, 1) % EXTENSIONS) } 0 .. 2;
        my $r = ask($gw, POST => '/-/apply', {apiVersion => 'v1', kind => 'List', items => [map { $self->numbered($_, $n) } @names]});
        $self->note(extension_key($_), $n, result_of($r, 200)) for @names;
        return $self->{together} = {n => $n, names => \@names};
    },
    script_put => sub {
        my ($self, undef, $name, $n) = @_;
        return $self->note(extension_key($name), $n, $self->by_script('put', extension_key($name), bare($self->numbered($name, $n)), 'any', 0, 0));
    },
    script_delete => sub {
        my ($self, undef, $name) = @_;
        return $self->note(extension_key($name), 'none', $self->by_script('delete', extension_key($name), 'any', 0));
    },
    register => sub {
        my ($self, $gw, $name, $n) = @_;
        return $self->register($gw, 'e' . $self->draw(ENDPOINTS), $n, LONG);
    },
    renew => sub {
        my ($self, $gw) = @_;
        my $id = 'e' . $self->draw(ENDPOINTS);
        my $n = $self->{value}{endpoint_key($id)} // 'none';
        return $n eq 'none' || $self->{maybe}{endpoint_key($id)} ? 'nothing' : $self->register($gw, $id, $n, LONG);
    },
    leave => sub {
        my ($self, $gw) = @_;
        my $id = 'e' . $self->draw(ENDPOINTS);
        return $self->note(endpoint_key($id), 'none', result_of(ask($gw, DELETE => path_of("base/endpoints/$id")), 200));
    },
    lapse => sub {
        my ($self, $gw, $name, $n) = @_;
        my $start = time;
        my $result = $self->register($gw, "s$n", $n, SHORT);
        $self->{ends}{endpoint_key("s$n")} = $start + SHORT;
        return $result;
    },
);

# Registers, or renews when it is the same again.
sub register {
    my ($self, $gw, $id, $n, $lease) = @_;
    my $r = ask($gw, PUT => path_of("base/endpoints/$id"), $self->registration($n, $lease));
    return $self->note(endpoint_key($id), $n, result_of($r, 200, 201));
}

sub bare {
    my ($o) = @_;
    return '{"metadata":' . $json->encode($o->{metadata}) . ',' . substr $json->encode({map { $_ => $o->{$_} } qw(apiVersion kind spec)}), 1;
}

sub by_script {
    my ($self, @words) = @_;
    my $answer = eval { $self->{redis}->()->command('EVAL', $self->{script}, 1, $prefix, @words) };
    return $answer->[0] eq 'ok' ? 'done' : $answer->[0] if $answer;
    return $@ =~ /^Redis: / ? 'refused' : 'unsure';
}

# So many, each of a kind that is drawn, at a gateway that is drawn.
sub write {
    my ($self, $n, @only) = @_;
    for (1 .. $n) {
        my $kind = $self->pick(@only ? @only : sort keys %write);
        my $gw = $self->pick(grep { !$_->{gone} } @{$self->{gateways}});
        my $name = 'x' . $self->draw(EXTENSIONS);
        $self->{made}{$kind}++;
        $write{$kind}->($self, $gw, $name, ++$self->{n});
    }
    return;
}

# ---- What has to be so -----------------------------------------------------------------------------

# Waits until all gateways follow Redis and are of the same mind.  Returns {key => object} of Redis.
sub agree {
    my ($self, $seconds) = @_;
    my ($was, %states) = ('', ());
    my $same = sub {
        %states = map { $_->port => (eval { $_->admin(GET => '/-/readyz')->{json}{registry} } // {state => 'away'}) } @{$self->{gateways}};
        return 0 if grep { $_->{state} !~ /^(?:fresh|empty)$/ } values %states;
        my %sums = map { join(' ', $_->{revision}, @{$_->{live}}{qw(revision checksum)}) => 1 } values %states;
        return 0 if keys %sums != 1;
        my $revision = eval { $self->{redis}->()->command('GET', "${prefix}revision") } // 0;
        return $revision =~ /^\d+\z/ && (values %states)[0]{live}{revision} == $revision; # it may be rubbish for a moment
    };
    eval { eventually(sub { $same->() }, 'all gateways to be of the same mind', $seconds // 30) } or die "$@" . $json->pretty->encode(\%states);
    return $self->stored;
}

sub stored {
    my ($self) = @_;
    my %all = @{$self->{redis}->()->command('HGETALL', "${prefix}objects")};
    return {map { my $o = eval { $json->decode($all{$_}) }; $o ? ($_ => $o) : () } keys %all};
}

# May the key have this value?  The lease of some ends, not before its time.
sub is_allowed {
    my ($self, $key, $value) = @_;
    return 1 if grep { $_ eq $value } $self->{value}{$key} // 'none', @{$self->{maybe}{$key} // []};
    return $value eq 'none' && $self->{ends}{$key} && time > $self->{ends}{$key};
}

sub differences {
    my ($self, $stored) = @_;
    my %keys = map { $_ => 1 } keys %{$self->{value}}, keys %{$self->{maybe}}, grep { number_of($stored->{$_}) ne 'unnumbered' } keys %$stored;
    return map {
        my $is = $stored->{$_} ? number_of($stored->{$_}) : 'none';
        $self->is_allowed($_, $is) ? () : "$_ is $is, and has to be " . join ' or ', $self->{value}{$_} // 'none', @{$self->{maybe}{$_} // []};
    } sort keys %keys;
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

sub route_differences {
    my ($self, $gw) = @_;
    return map {
        my $n = $self->{value}{extension_key("x$_")} // 'none';
        my $r = $gw->request(GET => "/extensions/x$_/y");
        my $is = $r->{status} == 200 ? $r->{body} : $r->{status};
        $is eq ($n eq 'none' ? 404 : "/n$n/y") ? () : "the route of x$_ is $is, and has to be of $n at " . $gw->port;
    } 0 .. EXTENSIONS - 1;
}

# What Redis has is what was acknowledged; what gateways have is what Redis has; what requests meet is that.
sub settle {
    my ($self, $seconds) = @_;
    my $stored;
    my @wrong;
    # leases end while we look: then once more
    eventually {
        $stored = $self->agree($seconds);
        my %redis = map { $_ => "$stored->{$_}{metadata}{uid} $stored->{$_}{metadata}{resourceVersion}" } keys %$stored;
        @wrong = $self->differences($stored);
        for my $gw (@{$self->{gateways}}) {
            my $view = view($gw);
            push @wrong, map { "$_ is " . ($view->{$_} // 'none') . ' at ' . $gw->port . ', and in Redis ' . ($redis{$_} // 'none') }
                grep { ($view->{$_} // '') ne ($redis{$_} // '') } sort keys %{{%$view, %redis}};
        }
        my $now = $self->stored;
        return join(' ', sort keys %$now) eq join ' ', sort keys %$stored;
    } 'a moment in which no lease ends';
    if (!@wrong) {
        $self->{value} = {map { $_ => number_of($stored->{$_}) } grep { number_of($stored->{$_}) ne 'unnumbered' } keys %$stored};
        $self->{maybe} = {};
        @wrong = map { $self->route_differences($_) } @{$self->{gateways}};
    }
    return @wrong;
}

# ---- After a loss ------------------------------------------------------------------------------------

# All that was acknowledged is written again, as operators and services do; what is there and was
# deleted goes again.  What nobody knew is decided.
sub tell_all {
    my ($self, @base) = @_;
    my $gw = $self->{gateways}[0];
    my $must = sub {
        my ($what, @request) = @_;
        eventually { my $r = ask($gw, @request); $r && $r->{status} =~ /^(?:200|201|404)$/ } $what, 20;
    };
    my %keys = (%{$self->{value}}, map({ $_ => 'none' } keys %{$self->stored}), %{$self->{value}});
    $must->('the base', PUT => path_of($_->{metadata}{name}), $_) for @base;
    delete $keys{extension_key($_->{metadata}{name})} for @base;
    for my $key (sort keys %keys) {
        my ($kind, $name) = $key =~ m{^ksgate\.io/(\w+)//(.*)} or next;
        my $path = $kind eq 'Endpoint' ? path_of('base/endpoints/' . substr $name, 5) : path_of($name);
        if ($keys{$key} eq 'none' || $self->{ends}{$key}) {
            $must->("the end of $key", DELETE => $path);
            $self->{value}{$key} = 'none';
        } else {
            $must->($key, PUT => $path, $kind eq 'Endpoint' ? $self->registration($keys{$key}, LONG) : $self->numbered($name, $keys{$key}));
        }
    }
    $self->{maybe} = {};
    return;
}

1;
