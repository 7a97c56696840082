# The verbs of RBAC below /-/: a PUT of what is there is `update`, and of what is not there `create`
# as well, as in Kubernetes; so the command asks for what it does, too.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my %verbs = (
    ute => ['get', 'update'],
    pat => ['get', 'patch'],
    cat => ['get', 'create'],
    sam => ['get', 'create', 'update'],
    one => ['get', 'update'], # and may create one name
);
my @all = (apiGroups => ['*'], resources => ['*']);
my $redis = redis();
my @registrars = map { binding(GlobalRole => "registrar-$_", 'registrar', $_) } 'ute', 'sam', 'reg';
my $gw = gateway(redis => $redis, objects => [
    (map { (role(GlobalRole => $_, [{verbs => $verbs{$_}, @all}]), binding(GlobalRole => $_, $_, $_)) } sort keys %verbs),
    role(GlobalRole => 'one-name', [{verbs => ['create'], @all, resourceNames => ['its-own']}]),
    binding(GlobalRole => 'one-name', 'one-name', 'one'),
    role(GlobalRole => 'registrar', [{verbs => ['register'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]),
    @registrars,
    extension('shop', undef),
    {apiVersion => 'v1', kind => 'Namespace', metadata => {name => 'proj'}},
]);
my $twin = gateway(redis => $redis);

my $json = JSON::PP->new->canonical;
my $api = '/-/apis/ksgate.io/v1';

sub ask {
    my ($user, $method, $path, $body) = @_;
    my $type = $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    return $gw->request($method => $path, $gw->as($user), 'Content-Type' => $type,
        (defined $body ? (body => ref $body ? $json->encode($body) : $body) : ()));
}

sub refused {
    my ($r, $status, $words, $name) = @_;
    is $r->{status}, $status, "$name: $status";
    like $r->{json}{message}, $words, "$name: in words";
    return;
}

# One kind of each way in which writes go: at once, after a look at what is there, and with an owner.
my %kinds = (
    extensionservices => ["$api/extensionservices", {spec => {endpoints => []}}],
    configmaps => ['/-/api/v1/namespaces/proj/configmaps', {data => {a => 'b'}}],
    globalroles => ['/-/apis/iam.kubesphere.io/v1beta1/globalroles', {rules => []}],
    subscriptions => ["$api/subscriptions", {spec => {extension => 'shop', workspace => 'ws'}}],
    endpoints => ["$api/endpoints", {spec => {extension => 'shop', url => 'http://127.0.0.1:1', leaseSeconds => 600}}],
);

for my $kind (sort keys %kinds) {
    my ($base, $object) = @{$kinds{$kind}};
    my $name = $kind eq 'endpoints' ? 'shop.' : '';
    my ($old, $new) = map { "$base/$name$_" } 'old', 'new';
    my %labelled = (%$object, metadata => {labels => {x => 'y'}});

    subtest $kind => sub {
        is ask(sam => PUT => $old, $object)->{status}, 201, 'who may create and update creates by PUT';
        my $made = $gw->admin(GET => $old)->{json}{metadata};
        refused ask(ute => PUT => $new, $object), 403, qr/"\Q${name}\Enew" is forbidden: User "ute" cannot create resource "$kind"/,
            'who may only update does not';
        refused ask(ute => PUT => "$new?dryRun=All", $object), 403, qr/cannot create/, '... nor would';
        isnt ask(ute => PUT => $new, {%$object, metadata => {resourceVersion => '1'}})->{status}, 201, '... nor with a resourceVersion';
        refused ask(pat => PATCH => $new, '{"metadata":{"labels":{"x":"y"}}}'),
            404, qr/new" not found/, 'a PATCH creates nothing';
        is $gw->admin(GET => $new)->{status}, 404, 'and nothing is there';
        if ($kind ne 'endpoints') { # it is sam's
            is ask(ute => PUT => "$old?dryRun=All", \%labelled)->{status}, 200, 'what is there can be updated';
            is ask(ute => PUT => $old, \%labelled)->{status}, 200, '... and is';
            my $now = $gw->admin(GET => $old)->{json}{metadata};
            is_deeply [@$now{qw(uid labels)}], [$made->{uid}, {x => 'y'}], 'as the object that it was';
            is ask(ute => PUT => $old, {%$object, metadata => {resourceVersion => $now->{resourceVersion}}})->{status}, 200,
                '... with its resourceVersion, too';
            refused ask(cat => PUT => $old, $object), 403, qr/cannot update/, 'who may only create does not update';
            is ask(cat => POST => $base, {%$object, metadata => {name => "${name}posted"}})->{status}, 201, 'but creates by POST';
            is ask(cat => POST => $base, {%$object, metadata => {name => "${name}old"}})->{status}, 409, '... and only what is not there';
            is ask(one => PUT => "$base/${name}its-own", $object)->{status}, 201, 'the name that may be created is';
            refused ask(one => PUT => $new, $object), 403, qr/cannot create/, '... and no other';
        }
        $gw->admin(DELETE => "$base/$name$_") for 'old', 'posted', 'its-own';
    };
}

subtest 'a PUT that may only update never creates, whoever deletes meanwhile' => sub {
    for my $kind ('extensionservices', 'configmaps') {
        my ($base, $object) = @{$kinds{$kind}};
        my @clients = map { [$_->connect, $_->as('ute')] } ($gw) x 3, ($twin) x 3;
        my $put = sub {
            my ($path, $n) = @_;
            my ($client, @as) = @{$clients[$n]};
            return $client->send_request(PUT => $path, @as, 'Content-Type' => 'application/json',
                body => $json->encode({%$object, metadata => {labels => {n => "n$n"}}}));
        };
        my $deleter = Gateway::Client->new(to => $gw->admin_socket);
        my %seen;
        for my $round (1 .. 15) {
            my $path = "$base/r$round";
            $gw->admin(PUT => "$path?wait=fleet", $object);
            $put->($path, $_) for 0, 3;
            $deleter->send_request(DELETE => $path);
            $put->($path, $_) for 1, 2, 4, 5;
            $seen{$_->[0]->response->{status}}++ for @clients;
            is $deleter->response->{status}, 200, "$kind, round $round: deleted";
            is $gw->admin(GET => $path)->{status}, 404, '... and it stays so';
        }
        is_deeply [grep { !/^(?:200|403|409)$/ } keys %seen], [], "$kind: updated, or refused";
        ok $seen{403}, "$kind: some came too late";
    }
};

subtest 'backends register themselves as before' => sub {
    my $path = "$api/extensionservices/shop/endpoints/pod-1";
    my %body = (url => 'http://127.0.0.1:1');
    is ask(reg => PUT => $path, \%body)->{status}, 201, 'by the verb register alone';
    is ask(reg => PUT => $path, \%body)->{status}, 200, 'and renew';
    is ask(reg => DELETE => $path)->{status}, 200, 'and leave';
};

subtest 'an access review says so beforehand' => sub {
    my $may = sub {
        my ($user, $verb) = @_;
        my $r = $gw->admin(POST => '/-/apis/authorization.k8s.io/v1/subjectaccessreviews', {spec => {user => $user,
            resourceAttributes => {verb => $verb, group => 'ksgate.io', resource => 'extensionservices', name => 'new'}}});
        return $r->{json}{status}{allowed} ? 1 : 0;
    };
    is_deeply [map { my $u = $_; map { $may->($u, $_) } 'create', 'update' } 'ute', 'cat', 'sam'], [0, 1, 1, 0, 1, 1],
        'as the requests were decided';
};

subtest 'ksgate apply' => sub {
    my $dir = tempdir();
    spew("$dir/a.json", $json->encode(extension('applied', 'http://127.0.0.1:1')));
    my $apply = sub {
        my ($user, @more) = @_;
        return $gw->ksgate_here('apply', '-f', "$dir/a.json", '--server', $gw->url, '--token', $gw->token($user), @more);
    };
    my $r = $apply->('ute');
    is $r->{code}, 1, 'who may not create does not';
    like $r->{err}, qr/extensionservice\/applied: .*cannot create/, '... and is told';
    like $apply->('cat', '--dry-run')->{out}, qr/applied created \(dry run\)/, 'who may create would';
    like $apply->('cat')->{out}, qr/applied created/, '... and does, without the right to update';
    $r = $apply->('cat');
    is $r->{code}, 1, 'who may not update does not';
    like $r->{err}, qr/cannot update/, '... and is told';
    like $apply->('ute')->{out}, qr/applied unchanged/, 'the same again is no change';
    spew("$dir/a.json", $json->encode(extension('applied', 'http://127.0.0.1:2')));
    like $apply->('ute', '--dry-run')->{out}, qr/applied configured \(dry run\)/, 'who may update would';
    like $apply->('ute')->{out}, qr/applied configured/, '... and does, without the right to create';
};

done_testing;
