package Gateway::Writes;

# Random writes to a registry: by its gateways, or past all of them by the script that others use.
# What was answered to each is told to a book: a ledger, or a writer's own (Gateway::Writers).
#
#     my $writes = Gateway::Writes->new(draws => ..., gateways => [...], url => $up->url, book => ...,
#         redis => sub { the one that is used }, replicas => that must have what is acknowledged);
#     $writes->make(20);                  of any kind; ->make(2, qw(apply register)): of these
#
# Extensions x0... answer with the number of the write that made them: their routes say which one is
# live.  Endpoints are of the extension `base`; some have a lease that is never renewed, and some are never
# written again, until they are tidied away.

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use Gateway::Client;
use Gateway::Objects;
use Gateway::Redis;

use constant {EXTENSIONS => 8, ENDPOINTS => 6, LONG => 3000, SHORT => 6, PREFIX => '{ksgate}:'};

our @EXPORT_OK = qw(extension_key endpoint_key number_of result_of ask now EXTENSIONS LONG SHORT PREFIX);

my $json = JSON::PP->new->canonical;

# first, step: the numbers of writes that are made at the same time differ.
sub new {
    my ($class, %arg) = @_;
    return bless {first => 0, step => 1, replicas => 0, made => {}, %arg, n => $arg{first} // 0}, $class;
}

sub now { return clock_gettime(CLOCK_MONOTONIC) } # of all processes alike

# ---- What is written -----------------------------------------------------------------------------

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

# ---- What is answered ----------------------------------------------------------------------------

# Nothing when there was none; 'unasked' when nobody can have heard the question.
sub ask {
    my ($gw, @request) = @_;
    my $r = eval { $gw->admin(@request) };
    return $r ? $r : $@ =~ /^connect / ? {status => 'unasked', body => ''} : undef;
}

# It is so (done), it is not so (refused; 404: nothing is there; 409: others were faster, again and
# again), or nobody knows (unsure).  Other words than these, no client could make sense of.
sub result_of {
    my ($r, @fine) = @_;
    return 'unsure' if !defined $r;
    return 'refused' if $r->{status} eq 'unasked';
    return 'done' if grep { $r->{status} == $_ } @fine;
    return $r->{status} if $r->{status} =~ /^40[49]$/;
    my $s = $r->{json} // {};
    my $clear = $r->{status} == 503 && ($s->{kind} // '') eq 'Status' && ($s->{reason} // '') eq 'ServiceUnavailable';
    return 'refused' if $clear && $s->{message} =~ /nothing was changed/;
    return 'unsure' if $clear && $s->{message} =~ /whether the change was made is not known/;
    return "unclear: $r->{status} $r->{body}";
}

sub note {
    my ($self, $key, $value, $result) = @_;
    $self->{book}->note($key, $value, $result, $self->{start}, now(), $self->{by});
    return $result;
}

# ---- The kinds of writes ---------------------------------------------------------------------------

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
        $self->{book}->together($n, map { extension_key($_) } @names);
        $self->note(extension_key($_), $n, result_of($r, 200)) for @names;
        return;
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
        return $self->register($gw, 'e' . $self->{draws}->below(ENDPOINTS), $n, LONG);
    },
    once => sub { # by nobody else: no later write hides what becomes of it
        my ($self, $gw, $name, $n) = @_;
        return $self->register($gw, "o$n", $n, LONG);
    },
    renew => sub { # the same again: no change, unless somebody else has been there meanwhile
        my ($self, $gw) = @_;
        my $id = 'e' . $self->{draws}->below(ENDPOINTS);
        my $n = $self->{book}->known(endpoint_key($id));
        return $n eq 'none' ? 'nothing' : $self->register($gw, $id, $n, LONG);
    },
    leave => sub {
        my ($self, $gw) = @_;
        my $id = 'e' . $self->{draws}->below(ENDPOINTS);
        return $self->note(endpoint_key($id), 'none', result_of(ask($gw, DELETE => path_of("base/endpoints/$id")), 200));
    },
    lapse => sub {
        my ($self, $gw, $name, $n) = @_;
        $self->{book}->ends(endpoint_key("s$n"), $self->{start} + SHORT);
        return $self->register($gw, "s$n", $n, SHORT);
    },
);

sub kinds { return sort keys %write }

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

# As a program does it that does not want to lose it.
sub by_script {
    my ($self, @words) = @_;
    my $redis = $self->{redis}->() or return 'refused';
    my $c = eval { Gateway::Client->new(to => '127.0.0.1:' . $redis->port) } or return 'refused';
    my $answer = eval { Gateway::Redis::ask($c, 'EVAL', $self->{script}, 1, PREFIX, @words) };
    return $@ =~ /^Redis: / ? 'refused' : 'unsure' if !$answer;
    return $answer->[0] eq 'not_found' ? 404 : "unclear: $answer->[0]" if $answer->[0] ne 'ok';
    return 'done' if !$self->{replicas};
    return (eval { Gateway::Redis::ask($c, 'WAIT', $self->{replicas}, 1000) } // 0) >= $self->{replicas} ? 'done' : 'unsure';
}

# Takes those away that were registered once.
sub tidy {
    my ($self, @keys) = @_;
    $self->{by} = $self->{gateways}[0]->port;
    for my $key (sort @keys) {
        my ($id) = $key =~ /base\.(o\d+)\z/ or next;
        $self->{start} = now();
        $self->note($key, 'none', result_of(ask($self->{gateways}[0], DELETE => path_of("base/endpoints/$id")), 200));
    }
    return;
}

# So many, each of a kind that is drawn, at a gateway that is drawn.
sub make {
    my ($self, $n, @only) = @_;
    for (1 .. $n) {
        my $kind = $self->{draws}->pick(@only ? @only : kinds());
        my $gw = $self->{draws}->pick(grep { !$_->{gone} } @{$self->{gateways}});
        my $name = 'x' . $self->{draws}->below(EXTENSIONS);
        $self->{made}{$kind}++;
        $self->{n} += $self->{step};
        $self->{start} = now();
        $self->{by} = $kind =~ /^(?:renew|script.*)$/ ? $kind : $gw->port; # a renewal may be no write
        $write{$kind}->($self, $gw, $name, $self->{n});
    }
    return;
}

1;
