# A candidate set of roles decides beside the one that is in force: differences are counted and listed, and nothing else.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(tempdir);

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
my $dir = tempdir();
my $pods = '/api/v1/namespaces/demo-app/pods';

sub candidate { return spew("$dir/candidate.yaml", join "\n---\n", map { $json->encode($_) } @_) }
sub viewer { return role(WorkspaceRole => 'demo-admin', [{apiGroups => ['*'], resources => ['*'], verbs => ['get', 'list', @_]}], 'demo') }

candidate(viewer());
chmod 0755, $dir;
my $gw = gateway(core => $core->url, workers => 2, objects => slurp('conf/demo/objects.yaml'),
    config => {shadow => {files => $dir}, decisions => {sample => 0}});

sub counts {
    my %n = $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_shadow_decisions_total\{result="(\w+)"\} (\d+)$/mg;
    return \%n;
}

sub otherwise { return $gw->admin(GET => '/-/apis/ksgate.io/v1/decisions?decision=otherwise')->{json}{items} }

sub comes_to {
    my ($want, $name) = @_;
    my $n;
    eval { eventually { $n = counts(); "@$n{qw(same newly_denied newly_allowed)}" eq "@$want" } $name };
    is_deeply [@$n{qw(same newly_denied newly_allowed)}], $want, $name;
    return;
}

subtest 'a role that shrinks' => sub {
    is $gw->request(GET => $pods, $gw->as('alice'))->{status}, 200, 'what both allow';
    is $gw->request(DELETE => "$pods/web", $gw->as('alice'), 'X-Request-Id' => 'differs-1')->{status}, 200,
        'what the candidate would deny is allowed all the same';
    is $gw->request(GET => $pods, $gw->as('bob'))->{status}, 403, 'what neither allows';
    $gw->request(GET => '/version');
    comes_to([2, 1, 0], 'each is counted; where no role is asked, there is nothing to compare');
    my ($d, @more) = @{otherwise()};
    is scalar @more, 0, 'the difference is kept, although nothing that is allowed is sampled';
    is_deeply [@$d{qw(id decision candidate)}], [qw(differs-1 allow deny)], '... with both decisions';
    like $d->{candidateReason}, qr/^get, list are allowed by WorkspaceRole "demo-admin".*asked was delete$/, '... and why';
    like $gw->ksgate_here('explain', '--request', 'differs-1')->{out}, qr/^candidate +deny: get, list are/m, 'explain says it';
};

subtest 'what is registered changes below it' => sub {
    $gw->apply([binding(WorkspaceRole => 'bob-too', 'demo-admin', 'bob', 'demo')]);
    $gw->request(DELETE => "$pods/web", $gw->as('bob'));
    comes_to([2, 2, 0], 'a new binding gives the candidate\'s role');
    $gw->request(GET => $pods, $gw->as('bob'));
    comes_to([3, 2, 0], '... no less');
};

subtest 'another candidate' => sub {
    candidate(viewer('delete'), binding(WorkspaceRole => 'alice-too', 'other-viewer', 'alice', 'other'));
    eventually {
        $gw->request(GET => '/api/v1/namespaces/other-app/pods', $gw->as('alice'), 'X-Request-Id' => 'differs-2');
        (counts()->{newly_allowed} // 0) > 0;
    } 'the changed file';
    is $gw->ksgate_here('reload')->{code}, 0, 'a reload'; # by which the other worker has it, too
    my $d;
    eventually { ($d) = grep { $_->{id} eq 'differs-2' } @{otherwise()} } 'the decision';
    is_deeply [@$d{qw(decision candidate)}], [qw(deny allow)], 'is followed: what it would newly allow';
    like $d->{candidateReason}, qr/"alice-too" of WorkspaceRole "other-viewer"/, '... and by what';
    my $n = counts();
    $gw->request(DELETE => "$pods/web", $gw->as('alice'));
    comes_to([$n->{same} + 1, @$n{qw(newly_denied newly_allowed)}], 'what it gives back is the same again');
};

subtest 'extensions that are not for everybody' => sub {
    my $up = upstream { [200, {}, 'it'] };
    my @rows = (permissions => [{path => '/workspaces/{workspace}/things/{name}', group => 'x.io', resource => 'things'}]);
    my $see = tempdir();
    chmod 0755, $see;
    spew("$see/c.yaml", join "\n---\n", map { $json->encode($_) } {%{binding(WorkspaceRole => 'ann', 'thing', 'ann', 'ws1')}, subjects => []}, binding(WorkspaceRole => 'ben', 'thing', 'ben', 'ws1'));
    my $before = $gw;
    $gw = gateway(core => $core->url, config => {shadow => {files => $see}, decisions => {sample => 0}}, objects => [
        extension('club', $up->url, access => 'authenticated', workspaces => ['ws1'], @rows), extension('strict', $up->url, access => 'authorized', workspaces => ['ws1'], @rows), extension('all', $up->url, access => 'authenticated'),
        role(WorkspaceRole => 'thing', [{verbs => ['get'], apiGroups => ['x.io'], resources => ['things']}], 'ws1'), binding(WorkspaceRole => 'ann', 'thing', 'ann', 'ws1')]);
    my $get = sub { my ($user, $path, $id) = @_; return $gw->request(GET => "/extensions/$path", $gw->as($user), 'X-Request-Id' => $id)->{status} };
    is $get->(ann => 'club/x', 'sees-1'), 200, 'a member';
    comes_to([0, 1, 0], 'would be none: the extension would not be there');
    is $get->(ann => 'strict/workspaces/ws1/things/a', 'sees-2'), 200, '... and where a role is asked';
    comes_to([0, 2, 0], 'neither');
    is $get->(ben => 'club/x', 'sees-3'), 404, 'somebody else';
    comes_to([0, 2, 1], 'would be one');
    is $get->(ben => 'strict/workspaces/ws1/things/a', 'sees-4'), 404, '... there, too';
    comes_to([0, 2, 2], '... by the role, on what the extension says is a resource');
    is $get->(ben => 'strict/other', 'sees-5'), 404, 'what the role does not give';
    is $get->(ben => 'strict/workspaces/ws2/things/a', 'sees-6'), 404, '... what is of another place';
    is $get->(cid => 'club/x', 'sees-7'), 404, '... who is bound nowhere';
    is $get->(cid => 'none/x', 'sees-8'), 404, '... a name that is not there';
    is $get->(cid => 'all/x', 'sees-9'), 200, '... and where no role is asked at all';
    comes_to([4, 2, 2], 'is the same');
    my %why = map { $_->{id} => $_->{candidateReason} } @{otherwise()};
    is $why{'sees-1'}, 'the extension would not be there for the caller', 'it is said why';
    is $why{'sees-3'}, 'the extension would be there for the caller, and asks for no role', '... each time';
    like $why{'sees-4'}, qr/"ben" of WorkspaceRole "thing"/, '... and by which role';
    $gw = $before;
};

subtest 'switched off' => sub {
    my $n = counts();
    $gw->configure({shadow => {files => []}, decisions => {sample => 0}});
    is $gw->ksgate_here('reload')->{code}, 0, 'reloaded';
    $gw->request(DELETE => "$pods/web", $gw->as('alice'));
    is_deeply counts(), $n, 'nothing is compared any more';
    unlike $gw->ksgate_here('plan', $pods)->{out}, qr/shadow/, '... and no step left';
};

subtest 'what is wrong is said by check' => sub {
    my $check = sub {
        my ($file) = @_;
        spew("$dir/gw.yaml", $json->encode({core => {url => $core->url}, shadow => {files => $file}, registry => {sqlite => {path => "$dir/x.db"}}}));
        return ksgate('check', "$dir/gw.yaml");
    };
    my $r = $check->(spew("$dir/wrong.yaml", "apiVersion: iam.kubesphere.io/v1beta1\nkind: GlobalRole\nmetadata: {name: x}\nrules: 7\n"));
    is $r->{code}, 1, 'a role that is none';
    like $r->{err}, qr/wrong\.yaml:4:.*rules/, '... with its place';
    is $check->("$dir/none.yaml")->{code}, 1, 'a file that is not there';
    $r = $check->(spew("$dir/other.yaml", $json->encode(extension('x', undef))));
    like $r->{err}, qr/warning: shadow\.files: ksgate\.io\/ExtensionService\/\/x is no role, binding or namespace/, 'what is not looked at';
    $r = $check->(spew("$dir/many.yaml", join "\n---\n", map { $json->encode(role(GlobalRole => "r$_", [])) } 1 .. 1001));
    is $r->{code}, 1, 'too many';
    like $r->{err}, qr/1001 objects are more than 1000/, '... with the limit';
};

done_testing;
