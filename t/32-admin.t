# The gateway's own HTTP interface (docs/reference/api.md): what is not the registry's business.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $gw = gateway();
my $api = '/-/apis/ksgate.io/v1';
my $es = "$api/extensionservices";
my @merge = ('Content-Type' => 'application/merge-patch+json');

# METHOD, path, body, headers; status and reason that must come, and what the message must say.
sub refused {
    my ($name, $want, @request) = @_;
    my $r = $gw->admin(@request);
    my ($status, $reason, $message) = @$want;
    is $r->{status}, $status, "$name: $status";
    is_deeply [@{$r->{json}}{qw(kind status code reason)}], ['Status', 'Failure', $status, $reason],
        "$name: a Status object says $reason";
    like $r->{json}{message}, $message, "$name: in words";
    return $r;
}

subtest 'health' => sub {
    is $gw->request(GET => '/-/healthz')->{body}, "ok\n", 'alive';
    my $r = $gw->request(GET => '/-/readyz');
    is_deeply [@{$r->{json}}{qw(ready workers)}, $r->{json}{registry}{state}], [JSON::PP::true, 2, 'empty'],
        'ready, on a registry that is known to be empty';
    ok !exists $r->{json}{config}{file}, 'strangers are not told where files are';
    is $gw->admin(GET => '/-/readyz')->{json}{config}{file}, $gw->file, 'the admin is';
    like $gw->admin(GET => '/-/version')->{json}{version}, qr/^\d+\.\d+/, 'a version';
    like $gw->admin(GET => '/-/metrics')->{body}, qr/^ksgate_registry_state\{state="empty"\} 1$/m, 'metrics';
    is $gw->request(GET => $_)->{status}, 401, "$_ needs a token"
        for '/-/metrics', '/-/version', "$api/extensions", $es;
    is $gw->request(GET => $es, $gw->as('bob'))->{status}, 403, 'and permission';
};

subtest 'paths and methods' => sub {
    refused('no such path', [404, 'NotFound', qr/has no such path/], GET => '/-/nope');
    refused('a subresource', [404, 'NotFound', qr/has no such path/], GET => "$es/x/status");
    my $r = refused('a wrong method', [405, 'MethodNotAllowed', qr/DELETE is not allowed/], DELETE => $es);
    is $r->{headers}{allow}, 'GET, POST', 'what is allowed stands in Allow';
    refused('a mistyped kind', [404, 'NotFound', qr/did you mean extensionservices/],
        GET => "$api/extensionservice");
    refused('another version', [404, 'NotFound', qr{keeps no extensionservices of ksgate\.io/v2 \(did you mean extensionservices of ksgate\.io/v1\?\)}],
        GET => '/-/apis/ksgate.io/v2/extensionservices');
    refused('another group of a kind', [404, 'NotFound', qr{did you mean roles of iam\.kubesphere\.io/v1beta1\?}],
        GET => '/-/apis/rbac.authorization.k8s.io/v1/roles');
    refused('another group', [404, 'NotFound', qr/keeps no pods/], GET => '/-/api/v1/pods');
    refused('a namespace is missing', [404, 'NotFound', qr/needs namespaces/], GET => '/-/api/v1/configmaps/x');
    refused('a namespace too many', [404, 'NotFound', qr/belong to no namespace/],
        GET => "$api/namespaces/a/extensionservices");
    refused('watch of one object', [400, 'BadRequest', qr/fieldSelector=metadata.name=a/], GET => "$es/a?watch=true");
    is_deeply [map { $_->{name} } @{$gw->admin(GET => '/-/api/v1')->{json}{resources}}],
        [qw(namespaces configmaps secrets)], 'discovery';
    is $gw->admin(GET => '/-/apis')->{json}{kind}, 'APIGroupList', 'of groups, too';
    my $open = $gw->admin(GET => '/-/openapi/v3')->{json}{paths};
    for my $path (sort keys %$open) {
        my $doc = $gw->admin(GET => $open->{$path}{serverRelativeURL})->{json};
        ok keys %{$doc->{paths}}, "OpenAPI of $path";
        is_deeply [sort map { $_->{name} } @{$gw->admin(GET => "/-/$path")->{json}{resources}}],
            [sort map { m{/(\w+)\z} ? $1 : () } keys %{$doc->{paths}}], 'has all of its kinds';
    }
    refused('OpenAPI of another group', [404, 'NotFound', qr/keeps nothing of apps\/v1/], GET => '/-/openapi/v3/apis/apps/v1');
    is $gw->admin(GET => '/-/openapi/v2', undef, Accept => 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf')->{body},
        "\n\x032.0\x12\x0f\n\x06ksgate\x12\x050.1.0", 'v2 as protobuf';
};

subtest 'bodies' => sub {
    my @json = ('Content-Type' => 'application/json');
    refused('broken JSON', [400, 'BadRequest', qr/not JSON: line 1/], POST => $es, '{"a":', @json);
    refused('a key twice', [400, 'BadRequest', qr/not JSON/], POST => $es, '{"a":1,"a":2}', @json);
    refused('no object', [400, 'BadRequest', qr/must be an object/], POST => $es, '[]', @json);
    refused('broken YAML', [400, 'BadRequest', qr/not YAML: line 2/], POST => $es, "a: 1\n b: 2\n",
        'Content-Type' => 'application/yaml');
    refused('two documents', [400, 'BadRequest', qr/holds 2/], POST => $es, "a: 1\n---\nb: 2\n",
        'Content-Type' => 'application/yaml');
    refused('a form', [415, 'UnsupportedMediaType', qr/application\/yaml/], POST => $es, 'a=b',
        'Content-Type' => 'application/x-www-form-urlencoded');
    refused('a JSON patch', [415, 'UnsupportedMediaType', qr/merge-patch/], PATCH => "$es/x", '[]',
        'Content-Type' => 'application/json-patch+json');
    refused('a strategic patch that is more', [415, 'UnsupportedMediaType', qr/members that begin with "\$"/],
        PATCH => "$es/x", '{"spec":{"endpoints":[{"$patch":"delete"}]}}', 'Content-Type' => 'application/strategic-merge-patch+json');
    refused('another name', [400, 'BadRequest', qr/\(b\) is not that of the path \(a\)/],
        PUT => "$es/a", {metadata => {name => 'b'}});
    my $r = refused('all mistakes at once', [422, 'Invalid', qr/spec\.access.*/], PUT => "$es/a",
        {spec => {access => 'nobody', enabld => JSON::PP::true}});
    is scalar @{$r->{json}{details}{causes}}, 2, 'each is a cause';
    ok grep({ ($_->{field} // '') eq 'spec.access' } @{$r->{json}{details}{causes}}), 'with its field';
    is $gw->admin(GET => "$es/a")->{status}, 404, 'and nothing was kept';
};

subtest 'writing' => sub {
    my %spec = (spec => {endpoints => [{url => 'http://127.0.0.1:1'}]});
    is $gw->admin(PUT => "$es/a?dryRun=All", {%spec})->{status}, 201, 'a dry run would create it';
    is $gw->admin(GET => "$es/a")->{status}, 404, 'and does not';
    refused('another dry run', [400, 'BadRequest', qr/only All/], PUT => "$es/a?dryRun=some", {%spec});
    my $first = $gw->admin(PUT => "$es/a", {%spec});
    is $first->{status}, 201, 'created';
    my $same = $gw->admin(PUT => "$es/a", {%spec});
    is_deeply [$same->{status}, $same->{json}], [200, $first->{json}], 'the same again changes nothing';
    my $old = $first->{json}{metadata}{resourceVersion};
    my $r = $gw->admin(PATCH => "$es/a", '{"metadata":{"labels":{"x":"y"}},"spec":{"enabled":false}}', @merge);
    is $r->{status}, 200, 'patched';
    is_deeply $r->{json}{spec}, {%{$spec{spec}}, enabled => JSON::PP::false}, 'what the patch leaves out stays';
    is $r->{json}{metadata}{uid}, $first->{json}{metadata}{uid}, 'it is the same object';
    $r = $gw->admin(PATCH => "$es/a", '{"metadata":{"labels":{"x":"z"}}}', 'Content-Type' => 'application/strategic-merge-patch+json');
    is_deeply [$r->{status}, $r->{json}{metadata}{labels}], [200, {x => 'z'}], "a strategic patch without what is strategic is a patch";
    my @stale = ({metadata => {resourceVersion => $old}, %spec});
    refused('a stale PUT', [409, 'Conflict', qr/has been modified/], PUT => "$es/a", @stale);
    refused('a stale PATCH', [409, 'Conflict', qr/has been modified/],
        PATCH => "$es/a", qq({"metadata":{"resourceVersion":"$old"}}), @merge);
    refused('a stale DELETE', [409, 'Conflict', qr/ResourceVersion in the precondition \($old\) does not match/],
        DELETE => "$es/a", {preconditions => {resourceVersion => $old}});
    refused('created twice', [409, 'AlreadyExists', qr/already exists/],
        POST => $es, {metadata => {name => 'a'}, %spec});
    is $gw->admin(DELETE => "$es/a?wait=live")->{json}{status}, 'Success', 'deleted';
    refused('deleted twice', [404, 'NotFound', qr/"a" not found/], DELETE => "$es/a");
};

subtest 'patches at the same time all arrive' => sub {
    $gw->admin(PUT => "$es/p", {spec => {endpoints => []}});
    my @clients = map { Gateway::Client->new(to => $gw->admin_socket) } 1 .. 6;
    for my $round (1 .. 3) {
        $clients[$_]->send_request(PATCH => "$es/p", @merge,
            body => qq({"metadata":{"labels":{"l$round-$_":"x"}}})) for 0 .. $#clients;
        is $_->response->{status}, 200, "round $round" for @clients;
    }
    is keys %{$gw->admin(GET => "$es/p")->{json}{metadata}{labels}}, 18, 'none was lost';
    $gw->admin(DELETE => "$es/p");
};

subtest 'lists' => sub {
    $gw->admin(PUT => "$es/$_", {metadata => {labels => {tier => $_ lt 'c' ? 'front' : 'back'}},
        spec => {endpoints => []}}) for 'a' .. 'e';
    my $names = sub { join '', map { $_->{metadata}{name} } @{$gw->admin(GET => "$es?$_[0]")->{json}{items}} };
    is $names->(''), 'abcde', 'in the order of names';
    is $names->('labelSelector=tier%3Dfront'), 'ab', 'by label';
    is $names->('labelSelector=tier+in+(front,middle)'), 'ab', 'by one of several';
    is $names->('fieldSelector=metadata.name!%3Da'), 'bcde', 'by name';
    refused('a selector that is not known', [400, 'BadRequest', qr/not understood/],
        GET => "$es?labelSelector=tier+within+(front)");
    my ($all, $after) = ('', '');
    do {
        my $page = $gw->admin(GET => "$es?limit=2&continue=$after")->{json};
        $all .= join('', map { $_->{metadata}{name} } @{$page->{items}}) . ' ';
        $after = $page->{metadata}{continue} // '';
    } while $after ne '';
    is $all, 'ab cd e ', 'in pages';
    refused("the token $_", [400, 'BadRequest', qr/^continue key is not valid: "\Q$_\E"/], GET => "$es?continue=$_")
        for 'xxx', '1:', ':ksgate.io/ExtensionService//a', 'ksgate.io/ExtensionService//a',
        map { "1:ksgate.io/$_" } 'Endpoint//a', 'ExtensionService//', 'ExtensionService/a', 'ExtensionService/a/b';
    refused('a token of another namespace', [400, 'BadRequest', qr/continue key/], GET => '/-/api/v1/namespaces/x/configmaps?continue=1:/ConfigMap/y/a');
    is $gw->admin(GET => '/-/api/v1/configmaps?continue=1:/ConfigMap/y/a')->{status}, 200, '... is one of all';
    is $names->('continue=1:ksgate.io/ExtensionService//bb'), 'cde', 'the object of a token may be gone';
    refused('a token of the list of extensions', [400, 'BadRequest', qr/continue key/], GET => "$api/extensions?continue=xxx");
};

subtest 'how new it has to be' => sub {
    my $now = $gw->admin(GET => $es)->{json}{metadata}{resourceVersion};
    my ($old, $new) = ($now - 1, $now + 1000);
    my $too_large = qr/^Timeout: Too large resource version: $new, current: $now; /;
    for my $path ($es, "$es/a") {
        is $gw->admin(GET => "$path?resourceVersion=$_")->{status}, 200, "$path as of $_" for 0, $old, $now;
        my $r = refused("$path of a revision to come", [504, 'Timeout', $too_large], GET => "$path?resourceVersion=$new");
        is_deeply $r->{json}{details}, {retryAfterSeconds => 1,
            causes => [{reason => 'ResourceVersionTooLarge', message => 'Too large resource version'}]}, "in kube-apiserver's words";
        refused("$path of no number", [400, 'BadRequest', qr/it takes a number/], GET => "$path?resourceVersion=x");
    }
    my $match = "$es?resourceVersionMatch";
    is $gw->admin(GET => "$match=$_&resourceVersion=$now")->{status}, 200, "now, $_" for 'Exact', 'NotOlderThan';
    refused('exactly what was', [410, 'Expired', qr/too old/], GET => "$match=Exact&resourceVersion=$old");
    is $gw->admin(GET => "$match=NotOlderThan&resourceVersion=$old")->{status}, 200, 'or newer';
    refused('exactly nothing', [400, 'BadRequest', qr/Exact/], GET => "$match=Exact&resourceVersion=0");
    refused('another way', [400, 'BadRequest', qr/only NotOlderThan and Exact/], GET => "$match=Older&resourceVersion=$now");
    refused('of none', [400, 'BadRequest', qr/which is missing/], GET => "$match=NotOlderThan");
    my $later = Gateway::Client->new(to => $gw->admin_socket);
    $later->send_request(GET => "$es?resourceVersion=" . ($now + 1));
    $gw->admin(PUT => "$es/later", {spec => {endpoints => []}});
    like $later->response->{body}, qr/"name": ?"later"/, 'what comes in a moment is waited for';
};

subtest 'a client that leaves' => sub {
    for my $i (1 .. 40) {
        my $c = Gateway::Client->new(to => $gw->admin_socket);
        $c->send_request(PUT => "$es/gone?wait=live", 'Content-Type' => 'application/json',
            body => qq({"metadata":{"labels":{"n":"$i"}},"spec":{"endpoints":[]}}));
        $c->close;
    }
    is $gw->admin(GET => '/-/healthz')->{status}, 200, 'leaves a gateway that lives';
};

subtest 'explain' => sub {
    my $r = $gw->admin(GET => "$api/explain?method=GET&path=/-/metrics&as=bob");
    is $r->{json}{decision}, 'deny', 'by GET';
    $r = $gw->admin(POST => "$api/explain",
        {id => 7, method => 'GET', url => '/-/metrics', token => $gw->token('bob')});
    is_deeply [$r->{json}{id}, $r->{json}{subject}{name}], [7, 'bob'], 'by POST, with a token';
    refused('no path', [400, 'BadRequest', qr/path is missing/], GET => "$api/explain?as=bob");
    refused('a wrong case', [400, 'BadRequest', qr/user\.name: expected a text/],
        POST => "$api/explain", {method => 'GET', url => '/', user => {name => [1]}});
};

# What the store adds makes it larger, and it has to be read again all the same.
subtest 'the largest object' => sub {
    my $redis = redis();
    for my $g (gateway(), gateway(redis => $redis)) {
        my $put = sub { my ($n) = @_; return $g->admin(PUT => '/-/api/v1/namespaces/default/configmaps/large', {data => {k => 'v' x $n}}) };
        my ($taken, @unread) = 0;
        for (my $n = 1_048_300; $n < 1_048_500; $n += 20) {
            my $r = $put->($n);
            my $got = $r->{status} < 300 ? $g->admin(GET => '/-/api/v1/namespaces/default/configmaps/large') : next;
            push @unread, $n if $got->{status} != 200 || length $got->{json}{data}{k} != $n;
            $taken++;
        }
        is_deeply \@unread, [], 'what is taken is read';
        cmp_ok $taken, '>', 0, '... up to a MiB';
        like $put->(1_048_600)->{status}, qr{\A4(?:13|22)\z}, '... and no more';
        is $put->(1)->{status}, 200, '... and can be changed';
    }
};

subtest 'an owner that makes it too large' => sub {
    my $long = 'l' x 200;
    my $g = gateway(objects => [extension('shop', undef), role(GlobalRole => 'all', [{verbs => ['register'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]), binding(GlobalRole => 'all', 'all', $long)]);
    my $path = "$es/shop/endpoints/theirs";
    is $g->request(PUT => $path, $g->as($long), 'Content-Type' => 'application/json', body => '{"url":"http://127.0.0.1:1","leaseSeconds":3600}')->{status}, 201, 'one of somebody with a long name';
    my $worst = 0;
    for (my $n = 1_048_100; $n < 1_048_500; $n += 40) {
        my $r = $g->admin(PUT => $path, {url => 'http://127.0.0.1/' . 'u' x $n, leaseSeconds => 3600});
        $worst = $r->{status} if $r->{status} > $worst;
    }
    cmp_ok $worst, '<', 500, 'is refused, or not, and nothing else happens';
    is $g->admin(GET => "$api/endpoints/shop.theirs")->{status}, 200, '... to it, either';
};

subtest 'what is in a file' => sub {
    my $dir = tempdir();
    spew("$dir/f.json", JSON::PP->new->encode({apiVersion => 'ksgate.io/v1', kind => 'ExtensionService', metadata => {name => 'filed'}, spec => {}}));
    my $filed = gateway(config => {registry => {files => [$dir]}});
    my $object = {apiVersion => 'ksgate.io/v1', kind => 'ExtensionService', metadata => {name => 'filed'}, spec => {enabled => JSON::PP::false}};
    my %body = (PUT => [$object], PATCH => ['{"spec":{"enabled":false}}', 'Content-Type' => 'application/merge-patch+json'], DELETE => []);
    for my $method (sort keys %body) {
        for my $dry ('', '?dryRun=All') {
            my $r = $filed->admin($method => "$es/filed$dry", @{$body{$method}});
            is $r->{status}, 409, "can't be changed: $method$dry";
            like $r->{json}{message}, qr/^extensionservices\.ksgate\.io "filed": the object comes from a file \(registry\.files\)/, '... and why';
        }
    }
    for my $dry ('', '?dryRun=All') {
        my $r = $filed->admin(POST => "/-/apply$dry", {items => [{%$object, metadata => {name => 'other'}}, $object]});
        is $r->{status}, 409, "nor together with others$dry";
        like $r->{json}{message}, qr/"filed": the object comes from a file/, '... and which it is';
    }
    is $filed->admin(GET => "$es/other")->{status}, 404, '... and those are not written';
    is $filed->admin(GET => "$es/filed")->{json}{spec}{enabled}, undef, 'it is as it was';
};

subtest 'reload' => sub {
    is $gw->admin(POST => '/-/reload')->{json}{reloaded}, JSON::PP::true, 'by HTTP';
    is $gw->ksgate_here('reload')->{out}, "reloaded\n", 'by the command';
    my $good = slurp($gw->file);
    spew($gw->file, "listeners: 7\n");
    refused('a wrong file', [422, 'Invalid', qr/listeners/], POST => '/-/reload');
    refused('a dry run', [400, 'BadRequest', qr/ksgate check/], POST => '/-/reload?dryRun=All');
    my $r = $gw->ksgate_here('reload', '--socket', $gw->admin_socket);
    is $r->{code}, 1, 'and the command fails';
    like $r->{err}, qr/stays in use.*listeners/s, 'saying why';
    spew($gw->file, $good);
    is $gw->request(GET => '/-/readyz')->{status}, 200, 'the old one was kept';
};

done_testing;
