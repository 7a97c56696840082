# The last decisions are kept, and found by the id of the request: why was that denied?
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, 'core'] };
my $gw = gateway(core => $core->url, workers => 2, objects => slurp('conf/demo/objects.yaml'),
    config => {decisions => {kept => 20, sample => 1}});
my $api = '/-/apis/ksgate.io/v1/decisions';
$gw->apply([
    role(GlobalRole => 'helpdesk', [{apiGroups => ['ksgate.io'], resources => ['decisions'], verbs => ['get', 'list']}]),
    binding(GlobalRole => 'eve-helpdesk', 'helpdesk', 'eve'),
]);

# What is kept of the request; a request is logged when its answer has gone.
sub kept {
    my ($id) = @_;
    my $r;
    eventually(sub { $r = $gw->admin(GET => "$api/$id"); $r->{status} == 200 }, "the decision about $id");
    return $r->{json};
}

subtest 'a denial is what explain says' => sub {
    my $path = '/api/v1/namespaces/other-app/pods';
    my $r = $gw->request(DELETE => "$path/web?access_token=s3cret&x=1", $gw->as('alice'), 'X-Request-Id' => 'denied-1');
    is $r->{status}, 403, 'alice may not';
    my $kept = kept('denied-1');
    my $said = $gw->admin(GET => "/-/apis/ksgate.io/v1/explain?method=DELETE&path=$path/web&as=alice")->{json};
    is_deeply [@$kept{qw(decision reason rule nearest policy status message route)}],
        [@$said{qw(decision reason rule nearest policy status message route)}], 'as explain decides';
    is_deeply {map { $_ => $said->{requestInfo}{$_} } keys %{$kept->{requestInfo}}}, $kept->{requestInfo},
        '... about the same thing';
    is_deeply [@{$kept->{subject}}{qw(name groups)}], ['alice', ['system:authenticated']], '... and the same caller';
    is_deeply [@$kept{qw(id method error)}], ['denied-1', 'DELETE', 'forbidden'], 'which request it was';
    like $kept->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '... when';
    is $kept->{clientIP}, '127.0.0.1', '... from where';
    is $kept->{url}, "$path/web?access_token=***&x=1", 'no secret of the query is kept';
};

subtest 'what was allowed, and by which rule' => sub {
    $gw->request(GET => '/api/v1/namespaces/demo-app/pods', $gw->as('alice'), 'X-Request-Id' => 'allowed-1');
    my $kept = kept('allowed-1');
    is $kept->{decision}, 'allow', 'is kept when it is sampled';
    is $kept->{rule}{name}, 'demo-admin', '... with the role';
    is $kept->{answered}, 200, '... and what the backend answered';
};

subtest 'hostile texts' => sub {
    $gw->raw("GET /api/v1/%22%0a%ff/x HTTP/1.1\r\nHost: a\"b\\\r\nX-Request-Id: hostile-1\r\nConnection: close\r\n\r\n");
    $gw->raw("GET /api/v1/\"q\"/x HTTP/1.1\r\nHost: h\r\nX-Request-Id: hostile-2\r\nConnection: close\r\n\r\n");
    my $list = $gw->admin(GET => $api);
    is $list->{status}, 200, 'the list is JSON whatever was asked' or diag $list->{body};
    ok $list->{json}, '... and parses';
};

subtest 'lists' => sub {
    my $list = sub { $gw->admin(GET => "$api?$_[0]")->{json}{items} };
    is_deeply [map { $_->{id} } @{$list->('user=alice&decision=deny')}], ['denied-1'], 'by user and decision';
    is_deeply [map { $_->{id} } grep { $_->{id} eq 'allowed-1' } @{$list->('decision=allow')}], ['allowed-1'], 'what was allowed';
    is scalar @{$list->('limit=1')}, 1, 'as many as are asked for';
    # by the clock that only goes on; each worker's idea of the time of day may be a millisecond off
    my @ms = map { my ($h, $m, $s) = $_->{time} =~ /T(\d+):(\d+):([\d.]+)Z/; (($h * 60 + $m) * 60 + $s) * 1000 } @{$list->('')};
    is scalar(grep { $ms[$_] > $ms[$_ - 1] + 5 } 1 .. $#ms), 0, 'the newest first' or diag "@ms";
    is $gw->admin(GET => "$api?$_")->{status}, 400, "$_ is refused"
        for 'limit=0', 'limit=100001', 'limit=x', 'limit=99999999999999999999', 'decision=maybe';
};

subtest 'who may ask' => sub {
    is $gw->request(GET => "$api/denied-1", $gw->as('eve'))->{status}, 200, 'who has the right to';
    is $gw->request(GET => "$api/denied-1", $gw->as('alice'))->{status}, 403, 'nobody else: it names roles';
    is $gw->request(GET => $api)->{status}, 401, 'no stranger';
};

subtest 'the command' => sub {
    my $r = $gw->ksgate_here('explain', '--request', 'denied-1');
    is $r->{code}, 0, 'explain --request' or diag $r->{err};
    like $r->{out}, qr/^request +DELETE .*other-app.*\nwhen +\S+Z, from 127\.0\.0\.1\n/m, 'which, when, from where';
    like $r->{out}, qr/^decision +denied: 403$/m, '... what';
    like $r->{out}, qr/^nearest /m, '... and why';
    like $gw->ksgate_here('explain', '--request', 'denied-1', '-o', 'json')->{out}, qr/"id": "denied-1"/, 'as JSON';
    my $gone = $gw->ksgate_here('explain', '--request', 'nobody');
    is $gone->{code}, 1, 'a request that is not known';
    like $gone->{err}, qr/no decision about the request "nobody" is kept; kept are the last `decisions\.kept` denials/, '... is told with what is kept';
    is $gw->ksgate_here('explain', '--request', 'x', '/y')->{code}, 2, 'it goes with no URL';
};

subtest 'the rings are bounded, and strangers take no place from others' => sub {
    my $c = $gw->connect;
    $c->request(GET => '/api/v1/nodes', 'X-Request-Id' => "stranger-$_") for 1 .. 40;
    kept('stranger-40');
    my $all = $gw->admin(GET => "$api?limit=1000&decision=deny")->{json}{items};
    my @strangers = map { $_->{id} =~ /^stranger-(\d+)$/ } @$all;
    is_deeply \@strangers, [reverse 21 .. 40], 'the last twenty of one worker';
    kept('denied-1');
    pass 'what was denied to alice is still there';
    my %config = (core => {url => $core->url}, decisions => {kept => 0});
    my $off = gateway(core => $core->url, config => \%config);
    $off->request(GET => '/api/v1/nodes', 'X-Request-Id' => 'off-1');
    is_deeply $off->admin(GET => $api)->{json}{items}, [], 'none are kept where none are wanted';
};

done_testing;
