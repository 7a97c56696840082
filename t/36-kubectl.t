# The real kubectl at the gateway's own interface: get, get -w, apply, describe, delete.
#
# It sends a token over https only, so there is a TLS front before the gateway, as in most places.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Keys;
use Gateway::Objects;
use Gateway::Process;

my $kubectl = $ENV{KUBECTL} // 'kubectl';
if (!grep { -x "$_/$kubectl" } split(/:/, $ENV{PATH}), '') {
    die "kubectl is not installed, but CI runs it\n" if $ENV{KSGATE_CI};
    plan skip_all => 'there is no kubectl (kubernetes-client)';
}

my $everything = {verbs => ['*'], apiGroups => ['*'], resources => ['*']};
my $discovery = {verbs => ['GET'], nonResourceURLs => [map { ("/-/$_", "/-/$_/*") } qw(api apis openapi version)]};
my $gw = gateway(objects => [
    role(GlobalRole => 'all', [$everything, $discovery]),
    role(GlobalRole => 'reader', [$discovery, {verbs => ['get', 'list', 'watch'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]),
    binding(GlobalRole => 'alice', 'all', 'alice'),
    binding(GlobalRole => 'bob', 'reader', 'bob'),
    binding(GlobalRole => 'anybody', 'reader', 'system:unauthenticated'),
]);

my ($dir, $port) = (tempdir(), free_port());
Gateway::Keys::openssl('', qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost),
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$dir/tls.key", '-out', "$dir/tls.crt");
spew("$dir/front.py", <<'PY');
import socket, ssl, sys, threading
folder, port, to = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + '/tls.crt', folder + '/tls.key')

def copy(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

def serve(client):
    try:
        client = context.wrap_socket(client, server_side=True)
        server = socket.create_connection(('127.0.0.1', to))
    except OSError:
        return
    threading.Thread(target=copy, args=(client, server), daemon=True).start()
    copy(server, client)

listener = socket.create_server(('127.0.0.1', port))
print('listening', flush=True)
while True:
    client = None
    try:
        client = listener.accept()[0]
        threading.Thread(target=serve, args=(client,), daemon=True).start()
    except (OSError, RuntimeError) as e: # the machine is short of something
        print('front:', e, flush=True)
        if client:
            client.close()
PY
my $front = Gateway::Process->new(name => 'front', log => "$dir/log", expected_end => 1,
    command => ['python3', "$dir/front.py", $dir, $port, $gw->port]);
$front->wait_until('listens', sub { $front->log =~ /listening/ });

spew("$dir/config", "apiVersion: v1\nkind: Config\n");
my @env = (env => {HOME => $dir, KUBECONFIG => "$dir/config"});
sub as {
    my ($user) = @_;
    return ($kubectl, '--server', "https://localhost:$port/-", '--certificate-authority', "$dir/tls.crt",
        '--cache-dir', "$dir/cache", '--token', $gw->token($user));
}

# kubectl(USER, WORD...): {out, err, code}
sub kubectl {
    my ($user, @words) = @_;
    return Gateway::Process::run({@env}, as($user), @words);
}

sub yaml {
    my ($tier) = @_;
    return spew("$dir/objects.yaml", <<"YAML");
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: devops, labels: {tier: $tier}}
spec: {endpoints: [{url: "http://127.0.0.1:1"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words, namespace: default}
data: {tier: $tier, $tier: here}
---
apiVersion: iam.kubesphere.io/v1beta1
kind: Role
metadata: {name: helper, namespace: default}
rules: [{verbs: [get], apiGroups: [""], resources: [$tier]}]
YAML
}

subtest 'apply and get' => sub {
    my $r = kubectl('alice', 'apply', '-f', yaml('front'));
    is_deeply [$r->{code}, $r->{err}], [0, ''], 'applied' or diag $r->{err};
    like $r->{out}, qr{^extensionservice\.ksgate\.io/devops created\nconfigmap/words created\nrole\.iam\.kubesphere\.io/helper created$}m, 'made';
    like kubectl('alice', 'apply', '-f', "$dir/objects.yaml")->{out},
        qr/devops unchanged\nconfigmap\/words unchanged\nrole\S+ unchanged/, 'the same again is nothing';
    $r = kubectl('alice', 'apply', '-f', yaml('back'));
    like $r->{out}, qr/devops configured\nconfigmap\/words configured\nrole\S+ configured/, 'changed' or diag $r->{err};
    is_deeply $gw->admin(GET => '/-/api/v1/namespaces/default/configmaps/words')->{json}{data},
        {tier => 'back', back => 'here'}, 'what is no longer in the file goes';
    is_deeply $gw->admin(GET => path_of('devops'))->{json}{metadata}{labels}, {tier => 'back'}, 'as the file has it';
    like kubectl('bob', 'get', 'es')->{out}, qr/^NAME +ENABLED +ACCESS +FOR +STATIC +USED +AGE\ndevops +yes +authorized +all +1 +yes +\d+s$/m, 'a list, by the short name, in columns';
    like kubectl('alice', 'get', 'globalrolebindings', 'alice')->{out}, qr/^NAME +ROLE +SUBJECTS +USED +AGE\nalice +GlobalRole\/all +alice +yes +\d+s$/m, 'one object';
    like kubectl('alice', 'get', 'roles', '-A')->{out}, qr/^NAMESPACE +NAME +RULES +USED +AGE\ndefault +helper +1 +yes +\d+s$/m, 'with namespaces';
    like kubectl('bob', 'get', 'es', '--show-labels')->{out}, qr/^devops .* tier=back$/m, 'with labels, which are in the metadata';
    like kubectl('alice', 'get', 'globalroles', '--sort-by', '.metadata.creationTimestamp')->{out}, qr/^NAME +RULES .*^all .*^reader /ms, 'sorted, by what is in the object';
    like kubectl('bob', 'get', 'es', '-l', 'tier in (back,middle)', '-o', 'name')->{out}, qr{^extensionservice\.ksgate\.io/devops$}m, 'by label';
    like kubectl('bob', 'get', 'es', '-l', 'tier=front')->{err}, qr/No resources found/, 'or not';
    like kubectl('alice', 'get', 'cm', '-A')->{out}, qr/^default +words/m, 'of all namespaces';
    like kubectl('alice', 'get', 'cm', 'words', '-o', 'jsonpath={.data.tier}')->{out}, qr/^back$/, 'a part of one';
};

subtest 'describe' => sub {
    my $r = kubectl('alice', 'describe', 'es', 'devops');
    is $r->{code}, 0, 'an object of ours' or diag $r->{err};
    like $r->{out}, qr/^Labels: +tier=back\n.*^Kind: +ExtensionService\n.*^ +URL: +http:\/\/127\.0\.0\.1:1\n/ms, 'all of it';
    $r = kubectl('alice', 'describe', 'cm', 'words');
    like $r->{out}, qr/^Name: +words\n.*^tier:\n----\nback\n/ms, 'one that kubectl knows' or diag $r->{err};
};

subtest 'what is refused' => sub {
    my $r = kubectl('alice', 'get', 'es', 'nope');
    like $r->{err}, qr/Error from server \(NotFound\): extensionservices\.ksgate\.io "nope" not found/, 'in its own words';
    $r = kubectl('bob', 'delete', 'es', 'devops');
    like $r->{err}, qr/Error from server \(Forbidden\): .*cannot delete resource "extensionservices"/, 'what is not allowed';
    isnt $r->{code}, 0, 'is a failure';
    spew("$dir/wrong.yaml", "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: x}\nspec: {acess: public}\n");
    $r = kubectl('alice', 'apply', '-f', "$dir/wrong.yaml");
    like $r->{err}, qr/unknown setting "acess"/, 'what is wrong';
    $r = kubectl('alice', 'apply', '--dry-run=server', '-f', yaml('dry'));
    # kubectls before 1.27 ask OpenAPI v2, which we have no more of than they need to apply
    like "$r->{out}$r->{err}", qr/devops configured \(server dry run\)|doesn't support dry-run/, 'a dry run' or diag $r->{err};
    is $gw->admin(GET => path_of('devops'))->{json}{metadata}{labels}{tier}, 'back', 'changes nothing';
    $r = Gateway::Process::run({@env}, $kubectl, '--server', $gw->url . '/-', '--cache-dir', "$dir/plain", 'get', 'es', '-o', 'name');
    like $r->{out}, qr{/devops$}m, 'without TLS nobody is named, which can be enough';
};

subtest 'create without a file' => sub {
    my $r = kubectl('alice', 'create', 'namespace', 'demo');
    if ($r->{code}) { # some versions send JSON
        like $r->{err}, qr/protobuf" is not understood: .*--dry-run=client -o yaml \| kubectl create -f -/, 'says how it is done';
        $r = kubectl('alice', 'create', 'namespace', 'demo', '--dry-run=client', '-o', 'yaml');
        $r = kubectl('alice', 'create', '-f', spew("$dir/namespace.yaml", $r->{out}));
        is $r->{code}, 0, '... which it is' or diag $r->{err};
    }
    is $gw->admin(GET => '/-/api/v1/namespaces/demo')->{status}, 200, 'and it is there';
};

subtest 'delete, with what it says of how' => sub {
    my $r = kubectl('alice', 'delete', 'cm', 'words', '--dry-run=server');
    # see above, of kubectls before 1.27
    like "$r->{out}$r->{err}", qr/"words" deleted \(server dry run\)|doesn't support dry-run/, 'a dry run' or diag $r->{err};
    is $gw->admin(GET => '/-/api/v1/namespaces/default/configmaps/words')->{status}, 200, '... deletes nothing';
    for my $how ([], ['--cascade=foreground'], ['--cascade=orphan', '--grace-period=5'], ['--now']) {
        $gw->admin(PUT => path_of('brief', 'wait=live'), {spec => {endpoints => []}});
        $r = kubectl('alice', 'delete', 'es', 'brief', @$how);
        is_deeply [$r->{code}, $r->{err}], [0, ''], "delete @$how" or diag $r->{err};
        is $gw->admin(GET => path_of('brief'))->{status}, 404, '... and it is gone';
    }
};

subtest 'get -w' => sub {
    my $log = "$dir/watch";
    my $w = Gateway::Process->new(name => 'kubectl', log => $log, expected_end => 1, @env,
        command => [as('bob'), 'get', 'es', '-w', '--output-watch-events']);
    $w->wait_until('lists', sub { $w->log =~ /ADDED +devops/ });
    like $w->log, qr/^EVENT +NAME +ENABLED .*AGE\nADDED +devops +yes /m, '... in columns';
    eventually { $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_watches 1$/m } 'it watches';
    kubectl('alice', 'label', 'es', 'devops', 'tier=top', '--overwrite');
    $w->wait_until('hears of a change', sub { $w->log =~ /MODIFIED +devops/ });
    kubectl('alice', 'apply', '-f', yaml('back'));
    my $r = kubectl('alice', 'delete', '-f', "$dir/objects.yaml");
    like $r->{out}, qr/"devops" deleted.*"words" deleted.*"helper" deleted/s, 'deleted' or diag $r->{err};
    $w->wait_until('hears of the end', sub { $w->log =~ /DELETED +devops/ });
    is_deeply [$w->log =~ /^(ADDED|MODIFIED|DELETED)/mg], [qw(ADDED MODIFIED MODIFIED DELETED)], 'each once, in order';
    is scalar(() = $w->log =~ /^EVENT/mg), 1, 'all in the same columns';
    $gw->admin(DELETE => '/-/apis/iam.kubesphere.io/v1beta1/globalrolebindings/bob');
    eventually { !$w->running } 'who may no longer watch ends';
    like $w->log, qr/permission|forbidden/i, 'and knows why';
    is $gw->admin(GET => path_of('devops'))->{status}, 404, 'and it is gone';
};

done_testing;
