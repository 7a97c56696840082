# Other roles are tried on the requests of late, before anybody has to live with them.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, 'core'] };
my $gw = gateway(core => $core->url, workers => 2, objects => slurp('conf/demo/objects.yaml'),
    config => {decisions => {kept => 500, sample => 1}});

sub candidate {
    my ($name, @objects) = @_;
    return spew($gw->dir . "/$name.yaml", join "\n---\n", map { JSON::PP->new->encode($_) } @objects);
}

sub replay {
    my ($file, @options) = @_;
    my $r = $gw->ksgate_here('explain', '--replay', $file, @options);
    $r->{json} = eval { JSON::PP->new->decode($r->{out}) };
    return $r;
}

# All that is asked below; a request is logged when its answer has gone.
my ($demo, $other) = map { "/api/v1/namespaces/$_/pods" } 'demo-app', 'other-app';
my $asked = 0;
sub ask { my ($method, $path, @as) = @_; return $gw->request($method => $path, @as, 'X-Request-Id' => 'asked-' . ++$asked) }
ask(GET => $demo, $gw->as('alice')) for 1 .. 3;
ask(DELETE => "$demo/web?token=s3cret", $gw->as('alice'));
ask(GET => $other, $gw->as('alice')) for 1 .. 2;
ask(GET => $other, $gw->as('bob'));
ask(GET => $demo);
ask(GET => $demo, Authorization => 'Bearer rubbish');
ask(GET => '/api/v1/' . 'x' x 1200, $gw->as('alice'));
eventually(sub { # by name: what we ask here is a decision, too
    my $kept = $gw->admin(GET => '/-/apis/ksgate.io/v1/decisions?limit=1000')->{json}{items};
    return $asked == grep { $_->{id} =~ /^asked-/ } @$kept;
}, 'ten decisions');

my $viewer = role(WorkspaceRole => 'demo-admin', [{apiGroups => ['*'], resources => ['*'], verbs => ['get', 'list']}], 'demo');

subtest 'the same roles change nothing' => sub {
    my $r = replay(candidate(same => role(GlobalRole => 'unused', [])), '-o', 'json');
    is $r->{code}, 0, 'replayed' or diag $r->{err};
    is_deeply [@{$r->{json}}{qw(replayed users newlyDenied newlyAllowed changedSince)}], [8, 3, 0, 0, 0], 'eight, of three callers';
    is $r->{json}{skipped}{cut}, 1, 'a URL that is kept in part is not asked about';
    ok $r->{json}{skipped}{roleless} >= 1, '... nor what a bad credential decided, and the admin socket';
    is_deeply $r->{json}{differences}, [], 'no difference';
};

subtest 'a role that shrinks' => sub {
    my $file = candidate(shrink => $viewer);
    my $j = replay($file, '-o', 'json')->{json};
    is_deeply [@$j{qw(newlyDenied newlyAllowed)}], [1, 0], 'one would be denied';
    my $d = $j->{differences}[0];
    is_deeply [@$d{qw(change user method count)}], ['denied', 'alice', 'DELETE', 1], 'whose, and what';
    is $d->{requestInfo}{verb}, 'delete', '... asked for';
    like $d->{before}, qr/"demo-admin"/, 'what allows it now';
    like $d->{nearest}, qr/^get, list are allowed by WorkspaceRole "demo-admin".*asked was delete/, '... and what is nearest then';
    my $said = replay($file)->{out};
    like $said, qr/\Awould newly deny 1 and newly allow 0 of 8 decisions, by 3 callers\n/, 'the same in words';
    like $said, qr/^alice: newly denied, 1 time, last \S+\n  delete pods "web", namespace "demo-app" \(scope Namespace\)\n  DELETE \S+web\?token=\*\*\*\n  now      \S.*\n  nearest  get, list/m,
        '... with the request, and no secret of it';
    is $gw->request(DELETE => "$demo/web", $gw->as('alice'))->{status}, 200, 'nothing has changed';
};

subtest 'a right that is given' => sub {
    my $bound = binding(WorkspaceRole => 'alice-too', 'other-viewer', 'alice', 'other');
    my $j = replay(candidate(grow => $bound), '-o', 'json')->{json};
    is_deeply [@$j{qw(newlyDenied newlyAllowed)}], [0, 2], 'two would be allowed';
    is_deeply [map { [@$_{qw(change user count)}] } @{$j->{differences}}], [['allowed', 'alice', 2]], '... which are one difference';
    like $j->{differences}[0]{after}, qr/"other-viewer"/, '... by which role';
};

subtest 'a candidate that is all there is' => sub {
    my $j = replay(candidate(all => role(GlobalRole => 'nobody', [])), '--instead', '-o', 'json')->{json};
    is_deeply [@$j{qw(newlyDenied newlyAllowed)}], [6, 0], 'all that was allowed would be denied';
};

subtest 'roles that have changed since' => sub {
    $gw->apply([$viewer]);
    my $r = replay(candidate(none => role(GlobalRole => 'unused', [])), '-o', 'json');
    is $r->{json}{changedSince}, 2, 'are told: two deletions would be denied by now';
    is $r->{json}{newlyDenied}, 0, '... and are not the candidate\'s doing';
};

subtest 'what is wrong is said' => sub {
    my $bad = replay(spew($gw->dir . '/bad.yaml', "apiVersion: iam.kubesphere.io/v1beta1\nkind: Roll\nmetadata: {name: x}\n"));
    is $bad->{code}, 1, 'a file that is none';
    like $bad->{err}, qr/bad\.yaml:2.*Roll/, '... with its place';
    is replay('/nowhere.yaml')->{code}, 1, 'one that is not there';
    for (['--instead', '/x'], ['--replay', 'x.yaml', '/y'], ['--replay', 'x.yaml', '--as', 'tom'], ['--replay', 'x.yaml', '--request', 'r']) {
        is $gw->ksgate_here('explain', @$_)->{code}, 2, "@$_ is misuse";
    }
};

done_testing;
