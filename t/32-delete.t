# DELETE and the DeleteOptions of its body, as Kubernetes has them: preconditions hold at the store, in a file and in Redis,
# also where the gateway's memory is behind it or somebody else writes at the same moment; what is no DeleteOptions deletes nothing.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $api = '/-/apis/ksgate.io/v1';
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# Makes it anew: another object of the same name.  Live at that gateway, at the least.
sub remade {
    my ($gw, $name, $query) = @_;
    $gw->admin(DELETE => path_of($name, 'wait=live'));
    my $r = $gw->admin(PUT => path_of($name, $query // 'wait=live'), {spec => {endpoints => []}});
    return $r->{status} =~ /^20[01]$/ ? $gw->admin(GET => path_of($name))->{json}{metadata} : die "PUT $name: $r->{status} $r->{body}";
}

sub refused {
    my ($what, $r, $status, $reason, $message) = @_;
    my $j = $r->{json};
    is_deeply [$r->{status}, @$j{qw(kind status code reason)}], [$status, 'Status', 'Failure', $status, $reason], $what or diag $r->{body};
    like $j->{message}, $message, '... in words';
    return;
}

sub uid_of { my ($gw, $name) = @_; return $gw->admin(GET => path_of($name))->{json}{metadata}{uid} }

# ---- what every store does -------------------------------------------------------------------------------

my $recreated = qr/^Operation cannot be fulfilled on extensionservices\.ksgate\.io "x": the UID in the precondition \((\S*)\) does not match the UID in record \((\S+)\)\. The object might have been deleted and then recreated$/;
my $modified = qr/^Operation cannot be fulfilled on extensionservices\.ksgate\.io "x": the ResourceVersion in the precondition \((\S+)\) does not match the ResourceVersion in record \((\S+)\)\. The object might have been modified$/;

my $redis = redis();
my $dir = tempdir();
my %pair = (
    sqlite => [map { gateway(workers => 1, config => {registry => {driver => 'sqlite', sqlite => {path => "$dir/registry.db"}}}) } 1, 2],
    redis => [map { gateway(workers => 1, redis => $redis) } 1, 2],
);

for my $store (qw(sqlite redis)) {
    my ($gw, $other) = @{$pair{$store}};
    my $delete = sub { my ($options, $name, @query) = @_; return $gw->admin(DELETE => path_of($name // 'x', @query), $options) };

    subtest "$store: uid" => sub {
        my $old = remade($gw, 'x');
        my $now = remade($gw, 'x');
        for my $query ([], ['dryRun=All']) {
            my $r = $delete->({preconditions => {uid => $old->{uid}}}, 'x', @$query);
            refused("of the one before @$query", $r, 409, 'Conflict', $recreated);
            is_deeply [$r->{json}{message} =~ $recreated], [$old->{uid}, $now->{uid}], '... and of which';
            is_deeply [@{$r->{json}{details}}{qw(name group kind)}], ['x', 'ksgate.io', 'extensionservices'], '... by its name';
        }
        refused('an empty one is of none', $delete->({preconditions => {uid => ''}}), 409, 'Conflict', $recreated);
        is uid_of($gw, 'x'), $now->{uid}, 'nothing has gone';
        is $delete->({preconditions => {uid => $now->{uid}}}, 'x', 'dryRun=All')->{status}, 200, 'its own, dry';
        is $delete->({dryRun => ['All'], preconditions => {uid => $now->{uid}}})->{status}, 200, '... in the body';
        is uid_of($gw, 'x'), $now->{uid}, '... deletes nothing';
        my $r = $delete->({preconditions => {uid => $now->{uid}}});
        is_deeply [$r->{status}, @{$r->{json}}{qw(kind status)}], [200, 'Status', 'Success'], 'its own' or diag $r->{body};
        is $gw->admin(GET => path_of('x'))->{status}, 404, '... deletes it';
        refused('what is not there', $delete->({preconditions => {uid => $now->{uid}}}), 404, 'NotFound', qr/"x" not found/);
    };

    subtest "$store: resourceVersion" => sub {
        my $old = remade($gw, 'x')->{resourceVersion};
        my $now = $gw->admin(PUT => path_of('x'), {spec => {enabled => $false}})->{json}{metadata};
        for my $query ([], ['dryRun=All']) {
            my $r = $delete->({preconditions => {resourceVersion => $old}}, 'x', @$query);
            refused("the one before @$query", $r, 409, 'Conflict', $modified);
            is_deeply [$r->{json}{message} =~ $modified], [$old, $now->{resourceVersion}], '... and which';
        }
        refused('0 is none', $delete->({preconditions => {resourceVersion => '0'}}), 409, 'Conflict', $modified);
        refused('both, one of another', $delete->({preconditions => {uid => $now->{uid}, resourceVersion => $old}}), 409, 'Conflict', $modified);
        refused('both, the other of another', $delete->({preconditions => {uid => 'x', resourceVersion => $now->{resourceVersion}}}), 409, 'Conflict', $recreated);
        is uid_of($gw, 'x'), $now->{uid}, 'nothing has gone';
        is $delete->({preconditions => {uid => $now->{uid}, resourceVersion => $now->{resourceVersion}}})->{status}, 200, 'both its own';
        refused('what is not there', $delete->({preconditions => {resourceVersion => $old}}), 404, 'NotFound', qr/"x" not found/);
    };

    # The memory of the one is a moment behind what the other one has written.
    subtest "$store: whoever writes at the same moment" => sub {
        my ($wrong, $missed) = (0, 0);
        for (1 .. 15) {
            my $old = remade($other, 'race', 'wait=fleet');
            my $now = remade($other, 'race');
            my $r = $delete->({preconditions => {uid => $old->{uid}}}, 'race');
            $wrong++ if $r->{status} != 409 || uid_of($other, 'race') ne $now->{uid};
            $r = $delete->({preconditions => {uid => remade($other, 'race')->{uid}}}, 'race');
            $missed++ if $r->{status} != 200 || $other->admin(DELETE => path_of('race'))->{status} != 404;
        }
        is $wrong, 0, 'the one that came after it stays';
        is $missed, 0, 'one that has just come goes';
    };
}

# ---- what the body says ----------------------------------------------------------------------------------

my $gw = $pair{sqlite}[0];

subtest 'what changes nothing' => sub {
    for my $options (
        {}, undef,
        {kind => 'DeleteOptions', apiVersion => 'v1'},
        {kind => 'DeleteOptions', apiVersion => 'meta.k8s.io/v1', gracePeriodSeconds => 0, orphanDependents => $false},
        {kind => 'DeleteOptions', apiVersion => 'ksgate.io/v1', gracePeriodSeconds => 30, preconditions => undef, dryRun => undef},
        {preconditions => {}, dryRun => [], ignoreStoreReadErrorWithClusterBreakingPotential => $false},
        map({ {propagationPolicy => $_} } qw(Orphan Background Foreground)),
    ) {
        remade($gw, 'x');
        my $what = JSON::PP->new->canonical->allow_nonref->encode($options);
        is $gw->admin(DELETE => path_of('x'), $options)->{status}, 200, $what;
        is $gw->admin(GET => path_of('x'))->{status}, 404, '... and it is gone';
    }
    remade($gw, 'x');
    is $gw->admin(DELETE => path_of('x'), "preconditions:\n  uid: @{[uid_of($gw, 'x')]}\n", 'Content-Type' => 'application/yaml')->{status}, 200, 'YAML';
};

subtest 'what is no DeleteOptions' => sub {
    my $uid = remade($gw, 'x')->{uid};
    for my $case (
        [{precondition => {uid => $uid}}, 422, qr/unknown setting "precondition".*preconditions/],
        [{preconditions => {UID => $uid}}, 422, qr/preconditions.*unknown setting "UID"/],
        [{preconditions => {uid => 7}}, 422, qr/preconditions\.uid.*expected text/],
        [{preconditions => [$uid]}, 422, qr/preconditions/],
        [{preconditions => {resourceVersion => 7}}, 422, qr/preconditions\.resourceVersion.*expected text/],
        [{preconditions => {resourceVersion => 'seven'}}, 422, qr/preconditions\.resourceVersion.*"seven"/],
        [{preconditions => {resourceVersion => ''}}, 422, qr/preconditions\.resourceVersion/],
        [{dryRun => ['Some']}, 422, qr/dryRun.*All/],
        [{dryRun => $true}, 422, qr/dryRun/],
        [{propagationPolicy => 'Foregroud'}, 422, qr/propagationPolicy.*did you mean "Foreground"/],
        [{propagationPolicy => 'Orphan', orphanDependents => $true}, 422, qr/orphanDependents and propagationPolicy/],
        [{gracePeriodSeconds => 'now'}, 422, qr/gracePeriodSeconds.*whole number/],
        [{kind => 'DeleteOption', apiVersion => 'v1'}, 422, qr/kind.*DeleteOptions/],
        [{kind => 'DeleteOptions', apiVersion => 'apps/v1'}, 422, qr/apiVersion.*"apps\/v1"/],
        [$gw->admin(GET => path_of('x'))->{json}, 422, qr/kind.*"ExtensionService"/],
        [[], 400, qr/must be an object/],
        ['null', 400, qr/not JSON/],
        ['{"dryRun":', 400, qr/not JSON/],
    ) {
        my ($options, $status, $message) = @$case;
        my $what = ref $options ? JSON::PP->new->canonical->encode($options) : $options;
        my @type = ref $options ? () : ('Content-Type' => 'application/json');
        refused($what, $gw->admin(DELETE => path_of('x'), $options, @type), $status, $status == 422 ? 'Invalid' : 'BadRequest', $message);
    }
    is uid_of($gw, 'x'), $uid, 'nothing has gone';
};

# ---- whose right depends on what stands there ------------------------------------------------------------

subtest 'a backend, by who registers it' => sub {
    my $g = $pair{redis}[0];
    my @may = ({apiGroups => ['ksgate.io'], resources => ['extensionservices'], verbs => ['register']}, {apiGroups => ['ksgate.io'], resources => ['endpoints'], resourceNames => ['shop.pod'], verbs => [qw(get delete)]});
    $g->apply([extension(shop => undef), map { (role(GlobalRole => "$_-may", [@may]), binding(GlobalRole => $_, "$_-may", $_)) } qw(blue red)]);
    my $ask = sub {
        my ($user, $method, $path, $body) = @_;
        return $g->request($method => "$api/$path", $g->as($user), 'Content-Type' => 'application/json', body => JSON::PP::encode_json($body // {}));
    };
    my $register = sub {
        $ask->(blue => PUT => 'extensionservices/shop/endpoints/pod?wait=live', {url => 'http://127.0.0.1:1', leaseSeconds => 600});
        return $g->admin(GET => "$api/endpoints/shop.pod")->{json}{metadata};
    };
    my $old = $register->();
    is $ask->(blue => DELETE => 'endpoints/shop.pod', {preconditions => {uid => $old->{uid}}})->{status}, 200, 'its owner takes it out';
    my $now = $register->();
    my $r = $ask->(blue => DELETE => 'endpoints/shop.pod', {preconditions => {uid => $old->{uid}}});
    refused('the one before', $r, 409, 'Conflict', qr/the UID in the precondition \($old->{uid}\) does not match the UID in record \($now->{uid}\)/);
    is $ask->(red => DELETE => 'endpoints/shop.pod', {preconditions => {uid => $now->{uid}}})->{status}, 403, "it is not red's, whatever red knows";
    $r = $ask->(blue => DELETE => 'endpoints/shop.pod', {preconditions => {uid => $now->{uid}, resourceVersion => $now->{resourceVersion}}});
    is $r->{status}, 200, 'its owner, with both' or diag $r->{body};
};

# ---- a gateway that does not follow any more -------------------------------------------------------------

subtest 'a memory that is behind' => sub {
    my $apart = redis();
    $apart->command(ACL => 'SETUSER', $_, 'on', 'nopass', '~*', '&*', '+@all') for qw(a b);
    my ($a, $b) = map { gateway(workers => 1, redis => $apart, config => {registry => {redis => {url => "redis://$_\@127.0.0.1:" . $apart->port . '/0'}}}) } qw(a b);
    my $old = remade($a, 'x', 'wait=fleet');
    $apart->command(ACL => 'SETUSER', 'b', '-xread', '-hscan');
    eventually { $b->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'stale' } 'b to be cut off';
    my $now = remade($a, 'x');
    is uid_of($b, 'x'), $old->{uid}, 'b has not heard of it';
    for my $uid ($old->{uid}, $now->{uid}) {
        refused('it deletes nothing that it does not know', $b->admin(DELETE => path_of('x'), {preconditions => {uid => $uid}}), 409, 'Conflict', qr/has been modified/);
        is uid_of($a, 'x'), $now->{uid}, '... indeed';
    }
    my $r = $b->admin(DELETE => path_of('x'), {preconditions => {resourceVersion => $old->{resourceVersion}}});
    is_deeply [$r->{json}{message} =~ $modified], [$old->{resourceVersion}, $now->{resourceVersion}], 'a resourceVersion is for the store to know';
    is $b->admin(DELETE => path_of('x'), {preconditions => {resourceVersion => $now->{resourceVersion}}})->{status}, 200, '... also the right one';
    $now = remade($a, 'x');
    $apart->command(ACL => 'SETUSER', 'b', '+xread', '+hscan');
    eventually { (uid_of($b, 'x') // '') eq $now->{uid} } 'b follows again';
    is $b->admin(DELETE => path_of('x'), {preconditions => {uid => $now->{uid}}})->{status}, 200, 'and deletes it';
};

done_testing;
