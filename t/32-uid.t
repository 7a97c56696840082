# PUT and PATCH that name a metadata.uid are for that object alone, as in Kubernetes: one that was made anew under its name stays as it is,
# at every store, also where the gateway's memory is behind it.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $redis = redis();
my $dir = tempdir();
my %pair = (
    sqlite => [map { gateway(workers => 1, config => {registry => {driver => 'sqlite', sqlite => {path => "$dir/registry.db"}}}) } 1, 2],
    redis => [map { gateway(workers => 1, redis => $redis) } 1, 2],
);
my @patch = ('Content-Type' => 'application/merge-patch+json');
my $meant_another = qr/^Operation cannot be fulfilled on extensionservices\.ksgate\.io "x": the UID in the precondition \((\S*)\) does not match the UID in record \((\S*)\)\. The object might have been deleted and then recreated$/;
my $modified = qr/^Operation cannot be fulfilled on extensionservices\.ksgate\.io "x": the object has been modified; please apply your changes to the latest version and try again$/;

sub got { my ($gw) = @_; return $gw->admin(GET => path_of('x'))->{json} }
sub remove { my ($gw) = @_; return $gw->admin(DELETE => path_of('x', 'wait=live')) }

# Makes it anew: another object of the same name.
sub remade {
    my ($gw, $query) = @_;
    remove($gw);
    my $r = $gw->admin(PUT => path_of('x', $query // 'wait=live'), {spec => {endpoints => []}});
    return $r->{status} == 201 ? $r->{json}{metadata} : die "PUT: $r->{status} $r->{body}";
}

# What is written says so in its title.
sub body { my ($title, %metadata) = @_; return {metadata => {%metadata, annotations => {title => $title}}, spec => {endpoints => []}} }
sub title { my ($gw) = @_; return got($gw)->{metadata}{annotations}{title} }

sub refused {
    my ($what, $r, $message) = @_;
    my $j = $r->{json};
    is_deeply [$r->{status}, @$j{qw(kind status code reason)}], [409, 'Status', 'Failure', 409, 'Conflict'], $what or diag $r->{body};
    like $j->{message}, $message, '... in words';
    return;
}

for my $store (qw(sqlite redis)) {
    my ($gw, $other) = @{$pair{$store}};
    my %write = (
        PUT => sub { my ($g, $body, @query) = @_; return $g->admin(PUT => path_of('x', @query), $body) },
        PATCH => sub { my ($g, $body, @query) = @_; return $g->admin(PATCH => path_of('x', @query), $body, @patch) },
    );
    for my $method (sort keys %write) {
        my $write = $write{$method};
        subtest "$store: $method" => sub {
            my $old = remade($gw);
            my $now = remade($gw);
            for my $query ([], ['dryRun=All']) {
                my $r = $write->($gw, body('old', uid => $old->{uid}), @$query);
                refused("of the one before @$query", $r, $meant_another);
                is_deeply [$r->{json}{message} =~ $meant_another], [$old->{uid}, $now->{uid}], '... and of which';
                $r = $write->($gw, body('old', uid => $old->{uid}, resourceVersion => $now->{resourceVersion}), @$query);
                refused("... with the revision of this one @$query", $r, $meant_another);
                $r = $write->($gw, body('old', uid => $now->{uid}, resourceVersion => $old->{resourceVersion}), @$query);
                refused("the other way round @$query", $r, $modified);
            }
            is_deeply got($gw)->{metadata}, $now, 'nothing was changed';
            is $write->($gw, body('dry', uid => $now->{uid}), 'dryRun=All')->{json}{metadata}{annotations}{title}, 'dry', 'its own, dry';
            is_deeply got($gw)->{metadata}, $now, '... changes nothing';
            my $r = $write->($gw, body('one', uid => $now->{uid}), 'wait=live');
            is_deeply [$r->{status}, $r->{json}{metadata}{uid}, title($gw)], [200, $now->{uid}, 'one'], 'its own' or diag $r->{body};
            $r = $write->($gw, body('two', uid => $now->{uid}, resourceVersion => $r->{json}{metadata}{resourceVersion}), 'wait=live');
            is_deeply [$r->{status}, title($gw)], [200, 'two'], '... with its revision' or diag $r->{body};
            $r = $write->($gw, body('three', uid => ''), 'wait=live');
            is_deeply [$r->{status}, $r->{json}{metadata}{uid}, title($gw)], [200, $now->{uid}, 'three'], 'an empty one is none' or diag $r->{body};
        };

        # The memory of the one is a moment behind what the other one has written.
        subtest "$store: $method at the same moment" => sub {
            my ($wrong, $missed) = (0, 0);
            for (1 .. 15) {
                my $old = remade($other, 'wait=fleet');
                my $now = remade($other);
                my $r = $write->($gw, body('old', uid => $old->{uid}));
                $wrong++ if $r->{status} !~ /^40[49]$/ || got($other)->{metadata}{uid} ne $now->{uid}; # 404: it is deleted, as far as this one knows
                $r = $write->($gw, body('new', uid => remade($other)->{uid}));
                $missed++ if $r->{status} != 200 || !eventually { (title($other) // '') eq 'new' } 'it to be live';
            }
            is $wrong, 0, 'the one that came after it stays';
            is $missed, 0, 'one that has just come is written over';
        };
    }

    subtest "$store: what is not there" => sub {
        my $old = remade($gw);
        remove($gw);
        for my $query ([], ['dryRun=All']) {
            my $r = $write{PUT}->($gw, body('old', uid => $old->{uid}), @$query);
            refused("PUT does not make another @$query", $r, $meant_another);
            is_deeply [$r->{json}{message} =~ $meant_another], [$old->{uid}, ''], '... and says so';
            is $write{PATCH}->($gw, body('old', uid => $old->{uid}), @$query)->{status}, 404, 'PATCH never does';
        }
        is $gw->admin(GET => path_of('x'))->{status}, 404, 'nothing was made';
        is $gw->admin(POST => path_of(''), {apiVersion => 'ksgate.io/v1', kind => 'ExtensionService', %{body('new', name => 'x', uid => $old->{uid})}})->{status}, 201, 'POST makes one';
        isnt got($gw)->{metadata}{uid}, $old->{uid}, '... which has a uid of its own';
    };
}

subtest 'a memory that is behind' => sub {
    my $apart = redis();
    $apart->command(ACL => 'SETUSER', $_, 'on', 'nopass', '~*', '&*', '+@all') for qw(a b);
    my ($x, $y) = map { gateway(workers => 1, redis => $apart, config => {registry => {redis => {url => "redis://$_\@127.0.0.1:" . $apart->port . '/0'}}}) } qw(a b);
    my $old = remade($x, 'wait=fleet');
    $apart->command(ACL => 'SETUSER', 'b', '-xread', '-hscan');
    eventually { $y->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'stale' } 'it to be cut off';
    my $now = remade($x);
    for my $uid ($old->{uid}, $now->{uid}) {
        refused('it writes over nothing that it does not know', $y->admin(PUT => path_of('x'), body('y', uid => $uid)), $modified);
        refused('... nor patches it', $y->admin(PATCH => path_of('x'), body('y', uid => $uid), @patch), $modified);
    }
    is_deeply got($x)->{metadata}, $now, '... indeed';
};

done_testing;
