# A gateway that starts while Redis is away, and has nothing on disk: it does not know what is
# registered, and never says of anything that it is not there, or not allowed.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $up = upstream { [200, {}, 'here'] };
my $redis = redis();
my @config = (core => $up->url, console => $up->url, redis => $redis);
my $reader = role('GlobalRole', 'reader', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}]);

# What a fleet has: an extension, and a role that lets alice in.
my $writer = gateway(@config, objects => [extension('stored', $up->url), $reader,
    binding('GlobalRole', 'reader', 'reader', 'alice')]);
$redis->stop;

sub is_unknown {
    my ($r, $name) = @_;
    is $r->{status}, 503, "$name: 503";
    is $r->{json}{reason}, 'ServiceUnavailable', "$name: as a Status";
    like $r->{json}{message}, qr/not known yet what is registered.*not reached its registry.*try again/, "$name: in words";
    is $r->{headers}{'retry-after'}, 1, "$name: and when to try again";
    return;
}

# A gateway that begins without Redis, and listens.
sub ignorant {
    my $gw = gateway(@config, start => 0, @_);
    $gw->begin;
    eventually { (eval { $gw->request(GET => '/-/healthz')->{status} } // 0) == 200 } 'it listens';
    return $gw;
}

my $gw = ignorant();
my $api = '/-/apis/ksgate.io/v1';

subtest 'nothing is known' => sub {
    my $r = $gw->request(GET => '/-/readyz');
    is_deeply [$r->{status}, $r->{json}{registry}{state}], [503, 'starting'], 'it is not ready';
    my $told = eventually { my $now = $gw->admin(GET => '/-/readyz'); $now->{json}{registry}{reason} =~ /^redis:/ && $now } 'the first try';
    is_deeply [$told->{status}, $told->{json}{registry}{reason}], [503, 'redis://127.0.0.1:' . $redis->port . ': Connection refused'], '... and says why, to operators';
    ok !exists $r->{json}{registry}{reason}, '... alone';
    like $gw->stderr, qr/warn .*serving without any registered object: redis:\S+: Connection refused/, '... in the log, too';
    is $gw->request(GET => '/-/healthz')->{status}, 200, 'it is alive';
    is $gw->request(GET => '/version')->{body}, 'here', 'what is open to all stays open';
    is $gw->request(GET => '/version', $gw->as('alice'))->{body}, 'here', '... with a token, too';
    is $gw->request(GET => '/some/page')->{body}, 'here', 'the console is served';
    is_unknown $gw->request(GET => '/extensions/stored/x'), 'an extension that is stored';
    is_unknown $gw->request(GET => '/extensions/nobody/x'), 'a name that nobody knows';
    is_unknown $gw->request(GET => '/api/v1/nodes'), 'ks-core, asked by nobody';
    is_unknown $gw->request(GET => '/api/v1/nodes', $gw->as('alice')), '... by alice, whose role is not known yet';
    is_unknown $gw->request(GET => "$api/extensionservices", $gw->as('alice')), 'objects';
    is_unknown $gw->request(GET => "$api/extensions", $gw->as('alice')), 'the list of extensions';
    is_unknown $gw->admin(GET => $_), "$_, over the admin socket"
        for "$api/extensions", path_of(), path_of('stored'), path_of(undef, 'watch=true');
    for my $case ([DELETE => path_of('base/endpoints/one')], [DELETE => path_of('stored')], [PUT => path_of('stored'), extension('stored', $up->url)],
        [PUT => path_of('stored'), {%{extension('stored', $up->url)}, metadata => {uid => 'its-own'}}],
        [PUT => path_of('stored/endpoints/one'), {url => $up->url, leaseSeconds => 5}],
        [PATCH => path_of('stored'), '{"spec":{}}', 'Content-Type' => 'application/merge-patch+json']) {
        my $w = $gw->admin(@$case);
        is $w->{status}, 503, "$case->[0] $case->[1]: 503";
        like $w->{json}{message}, qr/; nothing was changed: redis:/, '... and says that nothing was changed';
    }
    unlike $gw->admin(GET => path_of('stored'))->{json}{message}, qr/changed/, '... which a question does not speak of';
    is $gw->request(GET => '/api/v1/nodes', Authorization => 'Bearer rubbish')->{status}, 401,
        'what is wrong by itself is refused for that';
    is $up->seen, 3, 'and no backend hears of what was not decided';
};

subtest 'explain says the same' => sub {
    for my $case (['/extensions/stored/x'], ['/api/v1/nodes', 'alice'], ['/api/v1/nodes']) {
        my ($path, $user) = @$case;
        my $e = $gw->admin(GET => "$api/explain?method=GET&path=$path" . ($user ? "&as=$user" : ''))->{json};
        is_deeply [@$e{qw(decision status)}], ['deny', 503], "$path: 503";
        like $e->{message}, qr/not known yet/, 'and why';
    }
    is_unknown $gw->admin(POST => '/-/apis/authorization.k8s.io/v1/subjectaccessreviews',
        {spec => {user => 'alice', resourceAttributes => {verb => 'get', resource => 'nodes'}}}), 'an access review';
    my $e = $gw->admin(GET => "$api/explain?method=GET&path=/version")->{json};
    is $e->{decision}, 'allow', 'what is open to all is allowed';
};

# ---- Objects in files ----------------------------------------------------------------------------

my $folder = tempdir();
my $files = "$folder/objects.yaml";
spew($files, <<"END");
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: open}
spec: {access: public, endpoints: [{url: "@{[$up->url]}"}]}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: empty}
spec: {access: public}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: off}
spec: {access: public, enabled: false}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: users}
spec: {access: authenticated, endpoints: [{url: "@{[$up->url]}"}]}
---
apiVersion: ksgate.io/v1
kind: ExtensionService
metadata: {name: few}
spec: {access: public, visibility: subscribed, endpoints: [{url: "@{[$up->url]}"}]}
END
my $from_files = ignorant(config => {registry => {files => [$folder]}});

subtest 'objects of files are not the registry' => sub {
    my $r = $from_files->request(GET => '/-/readyz');
    is_deeply [$r->{status}, $r->{json}{registry}{state}], [503, 'starting'], 'it is not ready, either';
    is $from_files->request(GET => '/extensions/open/x')->{body}, 'here', 'an extension of a file that asks for no role is served';
    is $from_files->request(GET => '/extensions/open/x', $from_files->as('alice'))->{body}, 'here', '... whoever asks';
    is $up->last->{headers}{'x-remote-user'}, 'system:anonymous', 'but nobody is vouched for: the token may have been revoked';
    is_unknown $from_files->request(GET => '/extensions/empty/x'), 'one without a backend, which may have registered itself';
    is_unknown $from_files->request(GET => '/extensions/users/x', $from_files->as('alice')), 'one for users, whose tokens may have been revoked';
    is_unknown $from_files->request(GET => '/extensions/few/x', $from_files->as('alice')), 'one for subscribers, who are not known';
    is_unknown $from_files->request(GET => '/extensions/stored/x'), 'one that no file has';
    $r = $from_files->request(GET => '/extensions/off/x');
    like $r->{json}{message}, qr/disabled/, 'one that its file disables is disabled';
    is_unknown $from_files->admin(GET => path_of()), 'and no list is made of files alone';
};

subtest 'a registry, and an issuer, whose names nobody has' => sub {
    my $lost = ignorant(redis => undef, config => {
        registry => {driver => 'redis', sqlite => undef, redis => {url => 'redis://nobody.invalid:6379/0'}},
        authentication => {issuers => [{issuer => 'https://nobody.invalid', discovery => JSON::PP::true}]},
    });
    is $lost->request(GET => '/some/page')->{body}, 'here', 'the gateway starts, and serves what needs neither';
    # it listens after a second, whatever the resolver does meanwhile
    ok eventually { $lost->admin(GET => '/-/readyz')->{json}{registry}{reason} =~ /the name nobody\.invalid is not known/ }, '... and says why it has no more';
};

# ---- Redis comes back ------------------------------------------------------------------------------

$redis->start;
for my $case (['without files', $gw], ['with files', $from_files]) {
    my ($name, $it) = @$case;
    eventually { $it->ready } "$name: ready";
    eventually { $it->request(GET => '/extensions/stored/x')->{status} == 200 } "$name: what is stored is served";
    is $it->request(GET => '/extensions/nobody/x')->{status}, 404, "$name: what is not there is not there";
    is $it->request(GET => '/api/v1/nodes', $it->as('alice'))->{body}, 'here', "$name: alice has her role";
    is $it->request(GET => '/api/v1/nodes', $it->as('bob'))->{status}, 403, "$name: bob has none";
    is $it->request(GET => '/api/v1/nodes')->{status}, 401, "$name: and nobody is asked who they are";
}
is $from_files->request(GET => '/extensions/users/x', $from_files->as('alice'))->{body}, 'here', 'users come in again';
is $from_files->request(GET => '/extensions/few/x', $from_files->as('bob'))->{status}, 404, 'and others see no extension of few';

# An empty registry is known, too.
$redis->stop;
my $nothing = redis();
my $on_empty = gateway(redis => $nothing);
is $on_empty->request(GET => '/extensions/stored/x')->{status}, 404, 'where nothing is registered, nothing is there';

done_testing;
