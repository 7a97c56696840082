# Random worlds, decided three times: by the model (t/lib/model_*.h, written from KubeSphere's rules
# alone), by `ksgate explain` from files, and by a running gateway, request by request.  All three
# have to come to the same answer, by the same binding, role and rule.
#
# KSGATE_SEED=n draws the same worlds again.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Explain;
use Gateway;
use Gateway::Deciding;

use constant {WORLDS => 8, QUESTIONS => 2500, LIVE => 500}; # LIVE: of a world's questions, by requests

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $seed = $ENV{KSGATE_SEED} // time;
note "KSGATE_SEED=$seed";

my $up = upstream { [200, {}, 'here'] };
my $worlds = draw($seed, WORLDS, QUESTIONS, $up->url);

# The worlds: [{objects => [...], questions => [...]}, ...]
sub draw {
    my $program = ($ENV{KSGATE} // 'build/ksgate') =~ s{[^/]*\z}{t/lib/draw}r;
    my $r = Gateway::Process::run({}, $program, @_);
    $r->{code} == 0 or die "draw: $r->{err}";
    my @worlds;
    for (split /\n/, $r->{out}) {
        my $line = $json->decode($_);
        $line->{objects} ? push @worlds, $line : push @{$worlds[-1]{questions}}, $line;
    }
    return \@worlds;
}

# What is wrong with an answer of explain or of the ring of decisions, or ''.
sub wrong {
    my ($question, $is, $offline) = @_;
    my $expect = $question->{expect};
    my @what = is_right_status($expect, $is->{status}) ? () : 'status';
    # Where nothing was asked of a policy (400, 404 and 503 before that), there is no more to compare.
    push @what, qw(decision policy rule) if $expect->{policy};
    push @what, 'reason' if $expect->{policy} && $offline; # live, nobody would read it
    return join '; ', map { "$_ is " . $json->encode($is->{$_}) . ', not ' . $json->encode($expect->{$_}) }
        grep { $json->encode($is->{$_}) ne $json->encode($expect->{$_}) } @what;
}

sub is_right_status {
    my ($expect, $status) = @_;
    return grep { ($status // 200) == $_ } $expect->{status}, $expect->{orStatus};
}

sub asked {
    my ($q) = @_;
    return ($q->{user}{name}, "[@{$q->{user}{groups}}]", $q->{method}, $q->{url});
}

my %seen;
my ($shown, $live) = (0, 0);

sub complain { my ($q, $who, $what) = @_; return $shown++ < 10 && diag join ' ', asked($q), "\n  $who: $what" }

# ---- Offline -------------------------------------------------------------------------------------

my $failed = 0;
for my $world (@$worlds) {
    my @questions = map { my $q = $_; +{map { $_ => $q->{$_} } qw(method url user)} } @{$world->{questions}};
    $_->{user}{name} eq 'system:anonymous' and delete $_->{user} for @questions;
    my @answers = explain($world->{objects}, @questions);
    for my $i (0 .. $#answers) {
        my $q = $world->{questions}[$i];
        $seen{$q->{expect}{status}}++;
        my $wrong = wrong($q, $answers[$i], 1) or next;
        $failed++;
        complain($q, 'explain', $wrong);
    }
}
is $failed, 0, 'explain decides as the model does: ' . WORLDS * QUESTIONS . ' questions';
note join ', ', map { "$seen{$_} of status $_" } sort keys %seen;
cmp_ok $seen{$_}, '>', WORLDS * QUESTIONS / 10, "many are answered $_" for 200, 403;

# ---- Live ----------------------------------------------------------------------------------------

for my $world (@$worlds) {
    my $gw = deciding_gateway($up, $world->{objects});
    my $client = $gw->connect;
    my @asked = @{$world->{questions}}[0 .. LIVE - 1];
    my %question;
    for my $q (@asked) {
        my $id = sprintf 'q%05d', $live++;
        $question{$id} = $q;
        my $r = eval { $client->request($q->{method} => $q->{url}, credential($gw, $q->{user}), 'X-Request-Id' => $id) };
        if (!$r) { # a path that is no path at all ends the connection
            $client = $gw->connect;
            $r = {status => 400};
        }
        $client = $gw->connect if ($r->{headers}{connection} // '') eq 'close';
        next if is_right_status($q->{expect}, $r->{status});
        $failed++;
        complain($q, 'the gateway', "answers $r->{status}, not $q->{expect}{status}");
    }
    # Why: what it has written down of each.
    my $kept = decisions($gw);
    for my $id (grep { $question{$_}{expect}{policy} } sort keys %question) {
        my $wrong = $kept->{$id} ? wrong($question{$id}, {%{$kept->{$id}}, status => $question{$id}{expect}{status}}) : 'is not kept';
        next if $wrong eq '';
        $failed++;
        complain($question{$id}, 'the decision', $wrong);
    }
}
is $failed, 0, "a running gateway answers $live requests as the model does, and for the same reasons";
diag "KSGATE_SEED=$seed" if $failed;
done_testing;
