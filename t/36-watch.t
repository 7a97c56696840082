# Who watches registered objects: what they are told, from where, and how it ends.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(SO_RCVBUF SOL_SOCKET);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Watch;

my $es = path_of();
my $maps = '/-/api/v1/namespaces/x/configmaps';
my @rbac = (
    role(GlobalRole => 'watcher', [{verbs => ['list', 'watch'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]),
    role(GlobalRole => 'lister', [{verbs => ['get', 'list'], apiGroups => ['ksgate.io'], resources => ['extensionservices']}]),
    binding(GlobalRole => 'bob', 'watcher', 'bob'),
    binding(GlobalRole => 'carol', 'lister', 'carol'),
);

sub put {
    my ($gw, $name, %metadata) = @_;
    my $r = $gw->admin(PUT => "$es/$name", {metadata => \%metadata, spec => {endpoints => []}});
    die "$name: $r->{body}" if $r->{status} > 201;
    return $r->{json}{metadata}{resourceVersion};
}

sub revision { return $_[0]->admin(GET => $es)->{json}{metadata}{resourceVersion} }

sub metric {
    my ($gw, $name) = @_;
    return $gw->admin(GET => '/-/metrics')->{body} =~ /^$name (\d+)$/m ? $1 : undef;
}

my $gw = gateway(objects => \@rbac, config => {timeouts => {watch_bookmark => '200ms', half_closed => '200ms'}});

subtest 'what there is, and what comes' => sub {
    put($gw, $_) for 'a', 'b';
    my $w = watching($gw, $es);
    is $w->head->{headers}{'content-type'}, 'application/json', 'JSON';
    is $w->words(2), 'ADDED a, ADDED b', 'all that is there comes first';
    put($gw, 'c');
    put($gw, 'a', labels => {x => 'y'});
    my $rv = put($gw, 'b', labels => {x => 'y'});
    is $w->words(3), 'ADDED c, MODIFIED a, MODIFIED b', 'then each change, in order';
    is $w->last->{object}{metadata}{resourceVersion}, $rv, 'with its revision';
    is_deeply $w->last->{object}, $gw->admin(GET => "$es/b")->{json}, 'and the object as a GET has it';
    $gw->admin(DELETE => "$es/b");
    is $w->words(1), 'DELETED b', 'and what goes';
    is_deeply [@{$w->last->{object}{metadata}}{qw(resourceVersion labels)}], [$rv + 1, {x => 'y'}],
        'as it was last, at the revision at which it went';
    put($gw, 'c'); # the same again
    put($gw, 'd');
    is $w->words(1), 'ADDED d', 'what changes nothing is no event';
    $w->close;
};

subtest 'from a revision on' => sub {
    my $rv = revision($gw);
    is watching($gw, $es, {resourceVersion => $rv, timeoutSeconds => 1})->words, '', 'nothing has come since';
    put($gw, 'e');
    $gw->admin(DELETE => "$es/$_") for 'd', 'e';
    my $w = watching($gw, $es, {resourceVersion => $rv});
    is $w->words(3), 'ADDED e, DELETED d, DELETED e', 'what came meanwhile comes now';
    put($gw, 'f');
    is $w->words(1), 'ADDED f', 'and then the rest';
    is watching($gw, $es, {resourceVersion => $rv + 1})->words(2), 'DELETED d, DELETED e', 'exactly';
    is watching($gw, $es, {resourceVersion => 0})->words(3), 'ADDED a, ADDED c, ADDED f', '0 is all';
    my $now = watching($gw, $es, {sendInitialEvents => 'false'});
    put($gw, 'g');
    is $now->words(1), 'ADDED g', 'or only what is to come';
    my $r = watching($gw, $es, {resourceVersion => 'x'})->head;
    is_deeply [@$r{'status', 'json'}]->[0], 400, 'a revision is a number';
};

subtest 'from the revision of a list in pages' => sub {
    put($gw, $_) for 'p1', 'p2';
    my $page = $gw->admin(GET => "$es?limit=1&fieldSelector=metadata.name!%3Da,metadata.name!%3Dc")->{json};
    my $first = $page->{items}[0]{metadata}{name};
    put($gw, $first, labels => {page => 'turned'});
    my $next = $gw->admin(GET => "$es?limit=1&continue=$page->{metadata}{continue}")->{json};
    is $next->{metadata}{resourceVersion}, $page->{metadata}{resourceVersion}, 'a page has that of the first';
    is watching($gw, $es, {resourceVersion => $next->{metadata}{resourceVersion}})->words(1), "MODIFIED $first",
        'what was changed after it had been shown is not missed';
    like $gw->admin(GET => "$es?limit=1&continue=" . (revision($gw) + 1000) . ":ksgate.io/ExtensionService//a")->{json}{message},
        qr/^Timeout: Too large resource version/, 'a gateway that is behind the one of the first page does not answer with what is older';
    $gw->admin(DELETE => "$es/$_") for 'p1', 'p2';
};

subtest 'selectors' => sub {
    my $w = watching($gw, $es, {labelSelector => 'tier+in+(front,edge)', sendInitialEvents => 'false'});
    my $named = watching($gw, $es, {fieldSelector => 'metadata.name%3Dt', sendInitialEvents => 'false'});
    put($gw, 'other', labels => {tier => 'back'});
    put($gw, 't', labels => {tier => 'front'});
    put($gw, 't', labels => {tier => 'edge'});
    my $rv = put($gw, 't', labels => {tier => 'back'});
    is $w->words(3), 'ADDED t, MODIFIED t, DELETED t', 'what no longer fits is gone for whoever asked';
    is_deeply [@{$w->last->{object}{metadata}}{qw(resourceVersion labels)}], [$rv, {tier => 'edge'}],
        'as it was when it fitted, at the revision at which it no longer did';
    put($gw, 't', labels => {tier => 'front'});
    $gw->admin(DELETE => "$es/t");
    is $w->words(2), 'ADDED t, DELETED t', 'and comes again';
    is $named->words(5), 'ADDED t, MODIFIED t, MODIFIED t, MODIFIED t, DELETED t', 'by name';
    is watching($gw, $es, {resourceVersion => $rv, labelSelector => 'tier%3Dfront'})->words(2),
        'ADDED t, DELETED t', 'also of what came meanwhile';
    is watching($gw, $es, {labelSelector => 'a+within+(b)'})->head->{status}, 400, 'not understood';
};

subtest 'namespaces and kinds' => sub {
    my $x = watching($gw, $maps);
    my $all = watching($gw, '/-/api/v1/configmaps');
    $gw->admin(PUT => "/-/api/v1/namespaces/$_/configmaps/m", {data => {a => $_}}) for 'y', 'x';
    put($gw, 'not-a-map');
    $gw->admin(DELETE => "$maps/m");
    is $x->words(2), 'ADDED m, DELETED m', 'one namespace';
    is $x->last->{object}{data}{a}, 'x', 'that one';
    is $all->words(3), 'ADDED m, ADDED m, DELETED m', 'or all';
};

subtest 'the end, and bookmarks' => sub {
    my $rv = put($gw, 'mark');
    my $w = watching($gw, $es, {resourceVersion => $rv, allowWatchBookmarks => 'true'});
    is_deeply [map { $w->next->{type} } 1, 2], ['BOOKMARK', 'BOOKMARK'], 'bookmarks come while nothing else does';
    $w->close;
    $w = watching($gw, $es, {resourceVersion => $rv, timeoutSeconds => 1, allowWatchBookmarks => 'true'});
    my @events;
    while (my $e = $w->next) {
        push @events, $e;
    }
    is_deeply [map { @$_{qw(type)}, $_->{object}{metadata}{resourceVersion}, $_->{object}{kind} } $events[-1]],
        ['BOOKMARK', $rv, 'ExtensionService'], 'with the revision to go on from';
    put($gw, 'after');
    is watching($gw, $es, {resourceVersion => $rv})->words(1), 'ADDED after', 'and so it does';
    is $w->client->request(GET => $es)->{status}, 200, 'the connection goes on after the end';
    $w = watching($gw, "$es", {sendInitialEvents => 'true', allowWatchBookmarks => 'true', resourceVersionMatch => 'NotOlderThan',
        fieldSelector => 'metadata.name%3Dmark'});
    is $w->words(2), 'ADDED mark, BOOKMARK', 'the first bookmark ends what was there before';
    is $w->last->{object}{metadata}{annotations}{'k8s.io/initial-events-end'}, 'true', 'and says so';
    my $old = $gw->connect;
    $old->write("GET $es?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dmark HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer "
        . $gw->token('bob') . "\r\n\r\n");
    my $text = $old->read_all;
    like $text, qr/\r\n\r\n\{"type":"ADDED".*\}\n\z/s, 'HTTP/1.0 ends with the connection';
    unlike $text, qr/chunked/i, 'and knows no chunks';
    my ($head) = $gw->admin(HEAD => "$es?watch=true");
    is $head->{status}, 200, 'HEAD has no body, and no wait';
};

subtest 'who may' => sub {
    is watching($gw, $es, {}, Accept => '*/*')->head->{status}, 401, 'not strangers';
    my $r = watching($gw, $es, {}, $gw->as('carol'))->head;
    is $r->{status}, 403, 'not who may only list';
    like $r->{json}{message}, qr/cannot watch resource "extensionservices"/, 'and is told which verb it takes';
    my @as = $gw->as('bob');
    my $bob = watching($gw, $es, {sendInitialEvents => 'false'}, @as);
    my $admin = watching($gw, $es, {sendInitialEvents => 'false'});
    put($gw, 'seen');
    is $bob->words(1), 'ADDED seen', 'who has the verb';
    $gw->apply([role(GlobalRole => 'other', [])]);
    put($gw, 'seen', labels => {a => 'b'});
    is $bob->words(1), 'MODIFIED seen', 'other roles do not matter';
    $gw->admin(DELETE => '/-/apis/iam.kubesphere.io/v1beta1/globalrolebindings/bob');
    put($gw, 'unseen');
    is $bob->words(2), 'ERROR 403, end', 'who loses it is told, and nothing else is';
    is $bob->last->{object}{reason}, 'Forbidden', 'why';
    is $admin->words(3), 'ADDED seen, MODIFIED seen, ADDED unseen', 'others go on';
    is watching($gw, $es, {}, @as)->head->{status}, 403, 'and it does not begin again';
    $gw->apply([$rbac[2]]);
    $bob = watching($gw, $es, {sendInitialEvents => 'false'}, @as);
    is $bob->head->{status}, 200, 'until the role is back';
    $gw->apply([{apiVersion => 'ksgate.io/v1', kind => 'Revocation', metadata => {name => 'bob'},
        spec => {user => 'bob', before => '2099-01-01T00:00:00Z'}}]);
    is $bob->words(2), 'ERROR 401, end', 'a token that is revoked ends it, too';
    $gw->admin(DELETE => '/-/apis/ksgate.io/v1/revocations/bob?wait=live');
};

subtest 'who may by a policy that looks at more than the resource' => sub {
    my $role = role(GlobalRole => 'kube', []);
    $role->{metadata}{annotations}{'ksgate.io/policy'} = '[{"verbs": ["list", "watch"], "kubernetesRequest": true}]';
    $gw->apply([$role, binding(GlobalRole => 'dave', 'kube', 'dave')]);
    my $dave = watching($gw, $es, {sendInitialEvents => 'false'}, $gw->as('dave'));
    is $dave->head->{status}, 200, 'is let in';
    put($gw, 'by-policy');
    is $dave->words(1), 'ADDED by-policy', 'and stays: what is asked again is the whole question';
    $dave->close;
};

subtest 'many events, many who watch' => sub {
    my $rv = revision($gw);
    my @all = map { watching($gw, $es, {resourceVersion => $rv, $_ % 2 ? (labelSelector => 'n%3D7') : ()}) } 1 .. 6;
    my $c = Gateway::Client->new(to => $gw->admin_socket);
    my $n = 3000;
    for my $i (1 .. $n) {
        my $r = $c->request(PUT => "$es/many", 'Content-Type' => 'application/json',
            body => '{"metadata":{"labels":{"n":"' . $i % 10 . qq("}},"spec":{"endpoints":[]}}));
        die $r->{body} if $r->{status} > 201;
    }
    my $last = revision($gw);
    my ($plain, $selected, $wrong) = (0, 0, 0);
    for my $i (0 .. $#all) {
        my $before = $rv;
        my $picked = ($i + 1) % 2;
        for (1 .. ($picked ? $n / 10 * 2 : $n)) {
            my $e = $all[$i]->next;
            my $at = $e->{object}{metadata}{resourceVersion};
            $wrong++ if $picked ? $at <= $before : $at != $before + 1;
            $before = $at;
            $picked ? $selected++ : $plain++;
        }
        $wrong++ if !$picked && $before != $last;
    }
    is_deeply [$plain, $selected, $wrong], [3 * $n, 3 * $n / 5, 0], 'none is missed, none comes twice, all in order';
    is metric($gw, 'ksgate_watches_too_slow_total'), 0, 'and nobody was too slow';
    $_->close for @all;
    my $after = watching($gw, $es, {resourceVersion => $rv});
    is $after->next->{object}{metadata}{resourceVersion}, $rv + 1, 'all of it can be told again';
    $after->close;
};

# A client that takes nothing, with as small a buffer as can be.
sub sleeper {
    my ($gw, %query) = @_;
    my $sock = IO::Socket::INET->new(Proto => 'tcp');
    setsockopt $sock, SOL_SOCKET, SO_RCVBUF, 4096;
    CORE::connect $sock, Socket::pack_sockaddr_in($gw->port, Socket::inet_aton('127.0.0.1')) or die "connect: $!";
    my $client = $gw->connect;
    $client->{sock} = $sock;
    return watching($gw, $maps, {%query, client => $client}, $gw->as('dave'));
}

subtest 'who does not take the events' => sub {
    my $gw = gateway(config => {limits => {watch_backlog => '256KiB'}});
    $gw->apply([role(GlobalRole => 'all', [{verbs => ['*'], apiGroups => ['*'], resources => ['*']}]),
        binding(GlobalRole => 'dave', 'all', 'dave')]);
    my $slow = sleeper($gw);
    my $other = watching($gw, $maps);
    my $busy = watching($gw, $es, {sendInitialEvents => 'false'});
    my $n = 0;
    while (metric($gw, 'ksgate_watches_too_slow_total') == 0 && $n < 500) {
        $gw->admin(PUT => "$maps/big", {data => {n => ++$n, text => 'x' x 100_000}});
        $other->next->{object}{data}{n} == $n or die 'not in order';
    }
    cmp_ok $n, '<', 500, 'is ended when its backlog is full';
    put($gw, 'meanwhile');
    is $busy->words(1), 'ADDED meanwhile', 'others do not notice';
    my @got;
    while (my $e = $slow->next) {
        push @got, $e;
    }
    my $end = pop @got;
    is $end->{object}{reason}, 'Expired', 'it can still read why';
    like $end->{object}{message}, qr/limits\.watch_backlog/, 'with the name of the limit';
    is_deeply [map { $_->{object}{data}{n} } @got], [1 .. @got], 'behind what it was told before';
    cmp_ok scalar @got, '<', $n, 'which is not all';
    my $again = watching($gw, $maps, {resourceVersion => $got[-1]{object}{metadata}{resourceVersion}});
    is $again->next->{object}{data}{n}, @got + 1, 'from there it can go on';
    my ($line) = $gw->access_log(1, sub { ($_->{error} // '') eq 'watch_too_slow' });
    is $line->{status}, 200, 'and the log knows';
};

subtest 'who leaves' => sub {
    my @all = map { watching($gw, $es) } 1 .. 50;
    $_->close for @all[0 .. 24];
    undef @all;
    put($gw, 'bye', labels => {n => "n$_"}) for 1 .. 3;
    eventually { metric($gw, 'ksgate_watches') == 0 } 'nobody watches any more';
    for (1 .. 30) { # before the answer has begun
        my $c = Gateway::Client->new(to => $gw->admin_socket);
        $c->send_request(GET => "$es?watch=true");
        $c->close;
    }
    eventually { metric($gw, 'ksgate_watches') == 0 } 'also who leaves at once';
    is $gw->admin(GET => '/-/healthz')->{status}, 200, 'is forgotten';
};

subtest 'reload, and the end of the server' => sub {
    my $w = watching($gw, $es, {sendInitialEvents => 'false'});
    $gw->reload;
    eventually { $gw->stderr =~ /reload/ } 'the configuration is read again';
    put($gw, 'still');
    is $w->words(1), 'ADDED still', 'a reload disturbs nobody';
    my $rv = revision($gw);
    is $gw->stop, 0, 'the gateway stops';
    is $w->words, '', 'after a clean end of each watch';
    $gw->start;
    my $next = watching($gw, $es, {resourceVersion => $rv});
    is $next->head->{status}, 200, 'the next one knows where the last one was';
    put($gw, 'more');
    is $next->words(1), 'ADDED more', 'and goes on';
    my $r = watching($gw, $es, {resourceVersion => $rv - 1})->head;
    is_deeply [$r->{status}, @{$r->{json}}{qw(kind reason code)}], [410, 'Status', 'Expired', 410],
        'but not what came before it began';
};

subtest 'a reload that makes it stricter' => sub {
    my $gw = gateway(config => {authorization => {mode => 'allow_all'}});
    my $w = watching($gw, $es, {}, $gw->as('bob'));
    put($gw, 'a');
    is $w->words(1), 'ADDED a', 'all may do everything';
    $gw->configure;
    $gw->reload;
    is $w->words(2), 'ERROR 403, end', 'and then not';
};

subtest 'a history that is too short' => sub {
    my $short = gateway(config => {registry => {history => '4KiB'}});
    my $rv = put($short, 'a');
    put($short, 'b', labels => {n => "n$_"}) for 1 .. 50;
    is watching($short, $es, {resourceVersion => $rv})->head->{status}, 410, 'is said';
    is watching($short, $es, {resourceVersion => $rv + 49})->words(1), 'MODIFIED b', 'the end of it is there';
};

subtest 'files' => sub {
    my $dir = tempdir();
    my $files = gateway(start => 0, config => {registry => {files => [$dir]}});
    my $write = sub { # as a whole
        my ($name, $label) = @_;
        spew("$dir/.new", JSON::PP->new->encode({%{extension($name, undef)}, metadata => {name => $name, labels => {l => "l$label"}}}));
        rename "$dir/.new", "$dir/$name.json" or die $!;
    };
    $write->('f', 1);
    $files->start;
    my $rv = put($files, 's');
    my $w = watching($files, $es);
    is $w->words(1), 'ADDED f', 'what files hold is watched, too';
    is $w->last->{object}{metadata}{resourceVersion}, $rv, 'with the revision from which to go on';
    is $w->words(1), 'ADDED s', 'and the rest';
    $write->('f', 2);
    is $w->words(1), 'MODIFIED f', 'and how they change';
    is $w->last->{object}{metadata}{resourceVersion}, $rv, 'with a revision, too';
    unlink "$dir/f.json";
    is $w->words(1), 'DELETED f', 'and go';
};

subtest 'the registry is away, or another one' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis);
    my $first = watching($gw, $es);
    my $twin = gateway(redis => $redis);
    put($gw, 'a');
    is $first->words(1), 'ADDED a', 'the first write of all';
    my $theirs = watching($twin, $es);
    is $theirs->words(1), 'ADDED a', 'also at another gateway';
    my $rv = put($twin, 'b');
    is $_->words(1), 'ADDED b', 'whoever wrote it' for $first, $theirs;
    is watching($twin, $es, {resourceVersion => $rv - 1})->words(1), 'ADDED b', 'a revision holds at all of them';
    $redis->stop;
    eventually { $gw->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'stale' } 'Redis is gone';
    my $offline = watching($gw, $es);
    is $offline->words(2), 'ADDED a, ADDED b', 'what is known can be watched';
    $redis->start;
    eventually { $gw->admin(GET => '/-/readyz')->{json}{registry}{state} eq 'fresh' } 'and is back';
    eventually { eval { put($gw, 'c') } } 'writable';
    is $_->words(1), 'ADDED c', 'nobody has missed anything' for $first, $offline, $theirs;

    $rv = revision($gw);
    my $ahead = watching($gw, $es, {resourceVersion => $rv + 1});
    put($gw, 'd');
    put($gw, 'e');
    is $ahead->words(1), 'ADDED e', 'what another gateway has told already is not told again';
    my $never = watching($gw, $es, {resourceVersion => $rv + 1000});
    is $never->words(1), 'ERROR 504', 'a revision that does not come is waited for, and not for ever';
    my $status = $never->last->{object};
    like $status->{message}, qr/^Timeout: Too large resource version: @{[$rv + 1000]}, current: \d+; /, 'and said to be none';
    is_deeply [@$status{qw(reason code)}, $status->{details}], ['Timeout', 504, {retryAfterSeconds => 1,
        causes => [{reason => 'ResourceVersionTooLarge', message => 'Too large resource version'}]}], "in kube-apiserver's words";
    is $never->words(1), 'end', 'which is the end';
    $rv = revision($gw);
    my %all = (sendInitialEvents => 'true', allowWatchBookmarks => 'true', resourceVersionMatch => 'NotOlderThan');
    my $newer = watching($gw, $es, {%all, resourceVersion => $rv + 2});
    put($gw, 'c', labels => {x => 'y'});
    put($gw, 'a', labels => {x => 'y'});
    is $newer->words(8), 'ADDED a, ADDED b, ADDED c, ADDED d, ADDED e, MODIFIED c, MODIFIED a, BOOKMARK',
        'a list that is to be as new as another gateway has it waits until it is, and is whole';
    is $newer->last->{object}{metadata}{resourceVersion}, $rv + 2, 'and so is the bookmark at its end';
    is watching($gw, $es, {%all, resourceVersion => $rv + 1000})->words(2), 'ERROR 504, end',
        'nor is a list of one begun';
    is $first->words(4), 'ADDED d, ADDED e, MODIFIED c, MODIFIED a', 'others did not wait';
    is $offline->words(4), 'ADDED d, ADDED e, MODIFIED c, MODIFIED a', 'none of them';
    $rv = revision($gw);
    $redis->command('FLUSHALL');
    is $first->words(2), 'ERROR 410, end', 'a registry that was replaced ends each watch';
    is $offline->words(2), 'ERROR 410, end', 'of all';
    is watching($gw, $es, {resourceVersion => $rv})->head->{status}, 410, 'its revisions mean nothing any more';
    put($gw, 'f');
    like watching($gw, $es)->words(6), qr/ADDED a, .*ADDED f$/, 'a new list has what is known';
};

subtest 'what comes and goes while a gateway does not look' => sub {
    my $redis = redis();
    my ($gw, $twin) = map { gateway(redis => $redis) } 1, 2;
    my $rv = put($gw, 'a');
    my $theirs = watching($twin, $es);
    is $theirs->words(1), 'ADDED a', 'both know the first';
    kill STOP => $twin->server_pid or die "kill: $!";
    my $seen = put($gw, 'short');
    $gw->admin(DELETE => "$es/short");
    put($gw, 'b');
    $redis->command('CLIENT', 'KILL', 'TYPE', 'normal'); # what is told of it comes from a list
    kill CONT => $twin->server_pid or die "kill: $!";
    is $theirs->words(1), 'ADDED b', 'the other one has never known of one that came and went';
    is watching($twin, $es, {resourceVersion => $seen})->head->{status}, 410,
        'so whoever has been told of it elsewhere lists again';
    is watching($twin, $es, {resourceVersion => $rv})->words(1), 'ADDED b', 'whoever has not goes on';
};

done_testing;
