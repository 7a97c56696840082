# No two objects claim the same: refused when it is written, with who has it; and what got into the
# registry all the same is resolved alike by all gateways.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $group = 'extensions.kubesphere.io/v1alpha1';
my $api = "/-/apis/$group";
my $json = JSON::PP->new->canonical;
my $up = upstream { [200, {}, 'up'] };

sub object {
    my ($kind, $name, $extension, %rest) = @_;
    return {apiVersion => $group, kind => $kind, metadata => {name => $name, ($extension ? (labels => {'kubesphere.io/extension-ref' => $extension}) : ())}, %rest};
}
sub proxy { my ($name, $path, $method, $extension) = @_; return object(ReverseProxy => $name, $extension, spec => {matcher => {path => $path, method => $method // '*'}}) }
sub service { my ($name, $of, $version) = @_; return object(APIService => $name, undef, spec => {group => $of, version => $version}) }
sub bundle { my ($name, $extension, $link, @files) = @_; return object(JSBundle => $name, $extension, spec => {assets => {files => [map { {name => $_, link => $_} } @files]}}, status => {link => $link}) }

my %plural = (ReverseProxy => 'reverseproxies', APIService => 'apiservices', JSBundle => 'jsbundles');
sub where { my ($o, $query) = @_; return "$api/$plural{$o->{kind}}/$o->{metadata}{name}" . ($query // '') }
sub put { my ($gw, $o, $query) = @_; return $gw->admin(PUT => where($o, $query), $o) }
sub post { my ($gw, $o, $query) = @_; return $gw->admin(POST => "$api/$plural{$o->{kind}}" . ($query // ''), $o) }
sub there { my ($gw, $o) = @_; return $gw->admin(GET => where($o))->{status} == 200 }

# The condition that says that it is not used: its message; or nothing, also when it is not (yet) there.
sub held {
    my ($gw, $o, @as) = @_;
    my $r = @as ? $gw->request(GET => where($o), @as) : $gw->admin(GET => where($o));
    return if $r->{status} != 200;
    my ($c) = grep { $_->{type} eq 'ksgate.io/Accepted' } @{$r->{json}{status}{conditions} || []};
    return $c && "$c->{status} $c->{reason}" eq 'False Conflict' ? $c->{message} : undef;
}
sub admin_client { return Gateway::Client->new(to => $_[0]->admin_socket) }
sub flawed { return $_[0]->admin(GET => '/-/metrics')->{body} =~ /^ksgate_registry_objects_flawed (\d+)$/m ? $1 : undef }

sub refused {
    my ($what, $r, $message) = @_;
    subtest $what => sub {
        is $r->{status}, 422, 'refused' or diag $r->{body};
        is $r->{json}{reason}, 'Invalid', '... as Kubernetes says it';
        like $r->{json}{message}, $message, '... with whose it is';
        like $r->{json}{details}{causes}[0]{field}, qr/^(spec|status)\./, '... and the field';
    };
}

subtest 'what is written' => sub {
    my $gw = gateway(objects => [
        proxy('a', '/proxy/a/b', 'GET', 'devops'), proxy('w', '/proxy/w/*'),
        service('v1.x.io', 'x.io', 'v1'), bundle('one', 'devops', '', '/dist/devops/a.css'),
        extension(taken => $up->url)]);

    refused('the same', post($gw, proxy('n', '/proxy/a/b', 'GET')),
        qr{^ReverseProxy "n" is invalid: spec\.matcher\.path: /proxy/a/b with method GET is that of ReverseProxy "a" \(extension devops\); choose another one, or delete the other object$});
    refused('a wildcard over one that is there', put($gw, proxy('n', '/proxy/a/*', 'GET')), qr{/proxy/a/\* with method GET overlaps /proxy/a/b with method GET of ReverseProxy "a"});
    refused('one below a wildcard that is there', put($gw, proxy('n', '/proxy/w/x', 'PUT')), qr{/proxy/w/x with method PUT overlaps /proxy/w/\* with any method of ReverseProxy "w"});
    refused('of the same extension, too', put($gw, proxy('n', '/proxy/a/*', '*', 'devops')), qr{of ReverseProxy "a"});
    refused('in a dry run', put($gw, proxy('n', '/proxy/a/*', '*'), '?dryRun=All'), qr{of ReverseProxy "a"});
    refused('group and version', post($gw, service('other', 'x.io', 'v1')), qr{group "x\.io" with version v1 is that of APIService "v1\.x\.io"});
    refused('a link that nobody has written down', post($gw, bundle('two', 'x', '/dist/devops/index.js')), qr{/dist/devops/index\.js is that of JSBundle "one" \(extension devops\)});
    refused('a file of a bundle', post($gw, bundle('two', 'x', '', '/dist/x/1.js', '/dist/devops/a.css')), qr{spec\.assets\.files\S*: /dist/devops/a\.css is that of JSBundle "one"});
    ok !there($gw, $_), "$_->{kind} $_->{metadata}{name} is not there" for proxy('n', ''), service('other'), bundle('two');
    my $r = $gw->admin(POST => path_of(), extension(taken => $up->url));
    is "$r->{status} $r->{json}{reason}", '409 AlreadyExists', 'the name of an extension';

    my $service = sub { my ($of) = @_; my $o = extension(shared => $up->url); $o->{metadata}{labels} = {'kubesphere.io/extension-ref' => $of} if $of; return $o };
    my $put = sub { my ($o, $query) = @_; return $gw->admin(PUT => path_of('shared', $query), $o) };
    is $put->($service->('one'))->{status}, 201, 'an ExtensionService of an extension';
    for my $query (undef, 'dryRun=All') {
        my $r = $put->($service->('two'), $query);
        is $r->{status}, 422, 'another extension may not have its name';
        like $r->{json}{message}, qr{metadata\.name: the name is that of ExtensionService "shared" of the extension one}, '... which is told';
    }
    is $put->($service->('one'))->{status}, 200, 'its own may write it again';
    is $put->($service->())->{status}, 200, 'whoever takes the label off';
    is $put->($service->('two'))->{status}, 200, '... gives it away';
    my $other = put($gw, proxy('a', '/proxy/else', 'GET', 'other'));
    like $other->{json}{message}, qr{the name is that of ReverseProxy "a" of the extension devops}, 'so it is with the names of the others';

    refused('more links than one may claim', post($gw, bundle('many', 'x', '', map { "/dist/many/$_" } 1 .. 1000)),
        qr{^JSBundle "many" is invalid: spec\.assets\.files: has more than 1000 different links; leave some out});
    is post($gw, bundle('same', 'same', '', ('/dist/same/1.js') x 8_000))->{status}, 201, 'one link many times is one';
    is put($gw, bundle('same', 'same', '', '/dist/same/2.js', ('/dist/same/1.js') x 8_000))->{status}, 200, '... and can be written again';

    is put($gw, proxy('a', '/proxy/a/*', 'GET', 'devops'))->{status}, 200, 'an object is not in its own way';
    is put($gw, proxy('p', '/proxy/a/b', 'POST'))->{status}, 201, 'another method';
    is put($gw, proxy('q', '/proxy/a', 'GET'))->{status}, 201, 'what a wildcard does not match';
    is put($gw, service('v2.x.io', 'x.io', 'v2'))->{status}, 201, 'another version';

    my $patch = sub { $gw->admin(PATCH => where(proxy('q', '')), $json->encode({spec => {matcher => {path => $_[0]}}}), 'Content-Type' => 'application/merge-patch+json') };
    refused('a patch', $patch->('/proxy/a/q'), qr{ReverseProxy "q" is invalid: spec\.matcher\.path: /proxy/a/q with method GET overlaps /proxy/a/\*});
    is $patch->('/proxy/q')->{status}, 200, '... to what is free';
    is $gw->admin(DELETE => where(proxy('w')))->{status}, 200, 'when the other one is deleted';
    is put($gw, proxy('n', '/proxy/w/x', 'PUT'))->{status}, 201, '... it is free';
    is flawed($gw), 0, 'nothing is held';
};

subtest 'together' => sub {
    my $gw = gateway(objects => [proxy('a', '/proxy/a/*'), proxy('b', '/proxy/b/*')]);
    my $apply = sub {
        my $file = spew($gw->dir . '/set.yaml', join "\n---\n", map { $json->encode($_) } @_);
        return $gw->ksgate_here('apply', '--together', '-f', $file);
    };
    my $r = $apply->(proxy('a', '/proxy/b/*'), proxy('b', '/proxy/a/*'));
    is $r->{code}, 0, 'two change places' or diag $r->{err};
    is $gw->admin(GET => where(proxy('a')))->{json}{spec}{matcher}{path}, '/proxy/b/*', '... indeed';
    is $apply->(proxy('a', '/proxy/c'), proxy('new', '/proxy/b/x'))->{code}, 0, 'one moves in where another one moves out';
    $r = $apply->(proxy('x', '/proxy/x/*'), proxy('y', '/proxy/x/y'));
    is $r->{code}, 1, 'two of them that want the same are refused';
    like $r->{err}, qr{/proxy/x/y\S* with any method|of ReverseProxy "[xy]"}, '... with the reason';
    ok !there($gw, $_), '... both' for proxy('x'), proxy('y');
    like $r->{err}, qr{warning: ReverseProxy "y": spec\.matcher\.path: /proxy/x/y with any method overlaps}, '... and warned of before they are sent';
    $r = $apply->(proxy('x', '/proxy/x/*'), proxy('y', '/proxy/a/y'));
    is $r->{code}, 1, 'one that wants what another object has';
    like $r->{err}, qr{ReverseProxy "y" is invalid.*of ReverseProxy "b"}s, '... is named';
    ok !there($gw, proxy('x')), '... and nothing was made';
};

subtest 'many who write at once, here' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis);
    for my $round (1 .. 10) {
        my @clients = map { admin_client($gw) } 1 .. 3;
        my @send = map { proxy("r$round-$_", "/proxy/$round/*") } 1 .. 3;
        $clients[$_]->send_request(POST => "$api/reverseproxies", 'Content-Type' => 'application/json', body => $json->encode($send[$_])) for 0 .. 2;
        my @status = sort map { $_->response->{status} } @clients;
        is "@status", '201 422 422', 'one has it';
    }
};

# The store has not answered, and one of the two will fail: the other's claim counts all the while.
subtest 'two writes of one object at once, and somebody else' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis, config => {workers => 1, registry => {redis => {timeout => '1m'}}}); # Redis answers when it is told to
    my $old = post($gw, proxy('k', '/proxy/old'))->{json};
    my $stale = proxy('k', '/proxy/k2');
    $stale->{metadata}{resourceVersion} = $old->{metadata}{resourceVersion};
    my @send = ([PUT => where($old), proxy('k', '/proxy/k1')], [PUT => where($old), $stale], [POST => "$api/reverseproxies", proxy('other', '/proxy/k1')]);
    my @clients = map { admin_client($gw) } @send;

    $redis->command('CLIENT', 'PAUSE', 60_000, 'WRITE');
    for my $i (0 .. $#send) {
        my ($method, $path, $o) = @{$send[$i]};
        $clients[$i]->send_request($method => $path, 'Content-Type' => 'application/json', body => $json->encode($o));
        is $gw->admin(GET => where($old))->{status}, 200, 'a read goes on, behind what was sent';
    }
    $redis->command('CLIENT', 'UNPAUSE');
    my @status = map { $_->response->{status} } @clients;
    is "@status", '200 409 422', 'the first is written, the second is late, and the third may not have what the first has';
    is flawed($gw), 0, 'nothing is held';
    is post($gw, proxy('third', '/proxy/k2'))->{status}, 201, 'what the second wanted is free again';
};

# ---- What got there in other ways ---------------------------------------------------------------

# Writes it as another program does, by the documented script.
sub write_directly {
    my ($redis, $o, $created) = @_;
    my %o = %$o;
    my $metadata = $json->encode(delete $o{metadata});
    my $text = '{"metadata":' . $metadata . ',' . substr $json->encode(\%o), 1;
    my @r = $redis->command(EVAL => ksgate('registry', 'script')->{out}, 1, '{ksgate}:', 'put', "extensions.kubesphere.io/$o->{kind}//$o->{metadata}{name}", $text, 'any', 0, 0, 'u-' . $o->{metadata}{name}, $created);
    return @r;
}
sub delete_directly {
    my ($redis, $o) = @_;
    return $redis->command(EVAL => ksgate('registry', 'script')->{out}, 1, '{ksgate}:', 'delete', "extensions.kubesphere.io/$o->{kind}//$o->{metadata}{name}", 'any', 0);
}

my @young = (proxy('a-young', '/proxy/x/y', 'GET'), service('a-young', 'x.io', 'v1'), bundle('a-young', 'x', '/dist/x/index.js'));
my @old = (proxy('old', '/proxy/x/*', '*', 'devops'), service('old', 'x.io', 'v1'), bundle('old', 'x', ''));

subtest 'two gateways on one Redis' => sub {
    my $redis = redis();
    my @gw = map { gateway(redis => $redis) } 1 .. 2;
    my $all = sub { my ($true, $what) = @_; eventually { 2 == grep { $true->($_) } @gw } $what; pass $what };

    write_directly($redis, $_, '2026-11-02T00:00:00Z') for @young;
    $all->(sub { my ($gw) = @_; 3 == grep { there($gw, $_) } @young }, 'they are there');
    write_directly($redis, $_, '2026-11-01T00:00:00Z') for @old;
    $all->(sub { my ($gw) = @_; 3 == grep { held($gw, $_) } @young }, 'the older ones have it, although they came later');
    is held($gw[$_], $old[0]), undef, '... and are in use' for 0, 1;
    is held($gw[0], $young[0]), held($gw[1], $young[0]), 'both say the same';
    like held($gw[0], $young[0]), qr{/proxy/x/y with method GET overlaps /proxy/x/\* with any method of ReverseProxy "old" \(extension devops\)}, '... with whose it is';
    is flawed($gw[$_]), 3, 'they are counted' for 0, 1;
    my $line = qr{object extensions\.kubesphere\.io/ReverseProxy//a-young is not used: spec\.matcher\.path: /proxy/x/y};
    is scalar(() = $gw[0]->stderr =~ /$line/g), 1, '... and in the log, once';

    my $changed = proxy('a-young', '/proxy/x/y', 'GET', 'other');
    is put($gw[0], $changed)->{status}, 200, 'one that is held can be changed, when it does not claim more';
    ok held($gw[0], $changed), '... and stays held';
    is scalar(() = $gw[0]->stderr =~ /$line/g), 1, '... which is nothing new';
    my $read = $gw[0]->admin(GET => where($changed))->{json};
    is put($gw[0], $read)->{status}, 200, 'what was read can be written back';
    refused('what another one is waiting for', put($gw[0], proxy('third', '/proxy/x/y')), qr{of ReverseProxy "old"});

    for my $gw (@gw) {
        $gw->stop;
        $gw->start;
    }
    $all->(sub { my ($gw) = @_; 3 == grep { held($gw, $_) } @young }, 'after a restart it is the same');
    my $check = ksgate('registry', 'check', $redis->url);
    is $check->{code}, 1, '`registry check` knows';
    like $check->{out}, qr{^extensions\.kubesphere\.io/$_->{kind}//a-young is not used: .* "old"}m, "... of the $_->{kind}" for @young;

    delete_directly($redis, $_) for @old;
    $all->(sub { my ($gw) = @_; !grep { !there($gw, $_) || held($gw, $_) } @young }, 'when they are gone, the others are in use');
    like $gw[1]->stderr, qr{object extensions\.kubesphere\.io/JSBundle//a-young is used again}, '... which is said';
    is flawed($gw[$_]), 0, '... and no more counted' for 0, 1;

    write_directly($redis, proxy("c$_", '/proxy/same'), '2026-11-03T00:00:00Z') for 2, 1, 3;
    $all->(sub { my ($gw) = @_; held($gw, proxy('c2')) && held($gw, proxy('c3')) }, 'of those of the same age the first by name has it');
    delete_directly($redis, proxy('c1'));
    $all->(sub { my ($gw) = @_; (held($gw, proxy('c3')) // '') =~ /"c2"/ && !held($gw, proxy('c2')) }, '... then the next');

    my $many = bundle('many', 'x', '', map { "/dist/many/$_" } 1 .. 1000);
    write_directly($redis, $many, '2026-11-03T00:00:00Z');
    $all->(sub { there($_[0], $many) }, 'one with too many links, from elsewhere');
    my ($condition) = grep { $_->{type} eq 'ksgate.io/Accepted' } @{$gw[0]->admin(GET => where($many))->{json}{status}{conditions}};
    is "$condition->{status} $condition->{reason}", 'False TooMany', '... is not used, and says so';
    like $condition->{message}, qr/has more than 1000 different links/, '... and why';
    delete_directly($redis, $many);
    $all->(sub { !there($_[0], $many) }, '... and goes');

    subtest 'both are written to at once' => sub {
        for my $round (1 .. 10) {
            my @clients = map { admin_client($_) } @gw;
            my @both = map { proxy("r$round-$_", "/proxy/round$round/*") } 0, 1;
            $clients[$_]->send_request(POST => "$api/reverseproxies", 'Content-Type' => 'application/json', body => $json->encode($both[$_])) for 0, 1;
            my @made = grep { $clients[$_]->response->{status} == 201 } 0, 1;
            $all->(sub { my ($gw) = @_; @made == grep { there($gw, $both[$_]) } @made }, 'all have what was made');
            is_deeply [map { held($gw[0], $both[$_]) // '' } @made], [map { held($gw[1], $both[$_]) // '' } @made], 'and agree';
            is scalar(grep { !held($gw[0], $both[$_]) } @made), 1, '... that one of ' . @made . ' has it';
        }
    };
};

subtest 'files win' => sub {
    my $dir = tempdir();
    my $gw = gateway(objects => [proxy('older', '/proxy/f/x')], config => {registry => {files => [$dir]}});
    spew("$dir/f.json", $json->encode(proxy('of-a-file', '/proxy/f/*')));
    eventually { held($gw, proxy('older')) } 'held';
    like held($gw, proxy('older')), qr/ReverseProxy "of-a-file", which stands in a file/, 'over what is older';
    refused('what is written', put($gw, proxy('n', '/proxy/f/n')), qr/of ReverseProxy "of-a-file"/);
    unlink "$dir/f.json";
    ok eventually { !held($gw, proxy('older')) }, 'until it is gone';
};

sub put_role {
    my ($gw, $name, $user, @rules) = @_;
    my @r = map { $gw->admin(PUT => path_of_object($_), $_)->{status} } role(GlobalRole => $name, [@rules]), binding(GlobalRole => $user, $name, $user);
    return $r[0] == $r[1] ? $r[0] : "@r";
}
sub path_of_object { my ($o) = @_; return "/-/apis/$o->{apiVersion}/" . lc($o->{kind}) . "s/$o->{metadata}{name}" }

subtest 'who may not know of the other one is not told' => sub {
    my $gw = gateway(objects => [
        extension(hidden => $up->url, access => 'authenticated', workspaces => ['ws1']),
        role(GlobalRole => 'writer', [{verbs => ['*'], apiGroups => ['extensions.kubesphere.io'], resources => ['*']}]),
        binding(GlobalRole => 'tom', 'writer', 'tom'),
        proxy('secret-proxy', '/proxy/s/secret', '*', 'hidden'), proxy('plain', '/proxy/p'), proxy('q', '/proxy/q')]);
    is put_role($gw, 'maker', 'eva', {verbs => ['create', 'update'], apiGroups => ['extensions.kubesphere.io'], resources => ['*']}), 201, 'eva may write';
    is put_role($gw, 'one', 'max', {verbs => ['create', 'update'], apiGroups => ['extensions.kubesphere.io'], resources => ['*']},
        {verbs => ['get'], apiGroups => ['extensions.kubesphere.io'], resources => ['reverseproxies'], resourceNames => ['plain', 'q']}), 201, '... max get one of them, too';
    my @tom = $gw->as('tom');
    my $put = sub { my ($o) = @_; return $gw->request(PUT => where($o), @tom, 'Content-Type' => 'application/json', body => $json->encode($o)) };

    my $r = $put->(proxy('n', '/proxy/s/*'));
    refused('that it is taken', $r, qr{/proxy/s/\* with any method is taken by another object; choose another one$});
    unlike $r->{body}, qr/secret|hidden/, '... and nothing else';
    refused('whose it is, where they may know', $put->(proxy('n', '/proxy/p*')), qr/of ReverseProxy "plain"/);

    for my $query (undef, 'dryRun=All') {
        my $by = sub { my ($who, $o) = @_; return $gw->request(POST => "$api/reverseproxies" . ($query ? "?$query" : ''), $gw->as($who), 'Content-Type' => 'application/json', body => $json->encode($o)) };
        my $eva = $by->('eva', proxy('n', '/proxy/p*'));
        refused('that it is taken, to who may not get the other one', $eva, qr{/proxy/p\* with any method is taken by another object; choose another one$});
        unlike $eva->{body}, qr/plain/, '... not by whom';
        refused('by whom, to who may get that one', $by->('max', proxy('n', '/proxy/p*')), qr/of ReverseProxy "plain"/);
    }

    # stored all the same: it is older, by its place in a file
    my $dir = tempdir();
    $gw->configure({registry => {files => [$dir]}});
    $gw->stop;
    spew("$dir/f.json", $json->encode(proxy('secret-file', '/proxy/p*', '*', 'hidden')));
    spew("$dir/q.json", $json->encode(proxy('open-file', '/proxy/q*')));
    $gw->start;
    like held($gw, proxy('q'), @tom), qr/"open-file"/, 'the status of one names another, to who may get that';
    is held($gw, proxy('q'), $gw->as('max')), 'spec.matcher.path: /proxy/q with any method is taken by another object; choose another one', '... and not to who may not';
    like held($gw, proxy('plain')), qr/"secret-file" \(extension hidden\)/, 'the status names it';
    is held($gw, proxy('plain'), @tom), 'spec.matcher.path: /proxy/p with any method is taken by another object; choose another one', '... not to them';
    my $list = $gw->request(GET => "$api/reverseproxies", @tom);
    is $list->{status}, 200, 'a list';
    unlike $list->{body}, qr/secret|hidden/, '... does not, either';
};

done_testing;
