# Two tenants, each with an extension of its own, and with every right on the platform that is not the right
# to see all extensions: neither finds, writes over, explains or measures anything of the other.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes 'time';
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Watch;

my $json = JSON::PP->new->canonical->utf8;
my $ks = 'ksgate.io/v1';
my $api = "/-/apis/$ks";
my $ext = '/-/apis/extensions.kubesphere.io/v1alpha1';
my $kube = '/-/apis/kubesphere.io/v1alpha1';
my %up = map { my $name = $_; $name => upstream { [200, {}, "this is $name"] } } qw(kiwi plum evil);
my $core = upstream { [200, {}, 'core'] };

sub object { my ($version, $kind, $name, %more) = @_; return {apiVersion => $version, kind => $kind, metadata => {name => $name, %{$more{metadata} // {}}}, ($more{spec} ? (spec => $more{spec}) : ())} }
sub labelled { my ($kind, $name, $of) = @_; return object('extensions.kubesphere.io/v1alpha1', $kind, lc $name, metadata => {labels => {'kubesphere.io/extension-ref' => $of}}, spec => {}) }

# tom: ws1, proj1, kiwi.  ted: ws2, proj2, plum.
my @everything = map { {verbs => ['*'], apiGroups => ['*'], resources => [$_]} } qw(*);
my @rights = (
    {verbs => ['list', 'watch', 'create'], apiGroups => ['ksgate.io'], resources => ['extensionservices']},
    {verbs => ['*'], apiGroups => ['ksgate.io'], resources => [qw(extensions endpoints subscriptions decisions explain)]},
    {verbs => ['*'], apiGroups => ['extensions.kubesphere.io', 'kubesphere.io'], resources => ['*']},
    {verbs => ['*'], nonResourceURLs => ['/-/metrics', '/-/version', '/-/apis', '/-/apis/*', '/-/api', '/-/api/*']},
);
my $gw = gateway(core => $core->url, workers => 2, config => {decisions => {sample => 0}}, objects => [
    (map { my ($user, $n, $name) = @$_;
        (object('v1', 'Namespace', "proj$n", metadata => {labels => {'kubesphere.io/workspace' => "ws$n"}}),
        role(WorkspaceRole => "admin$n", \@everything, "ws$n"), binding(WorkspaceRole => $user, "admin$n", $user, "ws$n"),
        extension($name, $up{$name}->url, access => 'authenticated', visibility => 'subscribed', healthCheck => {path => '/'},
            permissions => [{path => '/workspaces/{workspace}/fruits/{name}', group => 'fruit.io', resource => 'fruits'}]),
        object($ks, 'Subscription', "ws$n.$name", spec => {workspace => "ws$n", extension => $name}),
        object($ks, 'Endpoint', "$name.pod", spec => {extension => $name, url => $up{$name}->url, leaseSeconds => 3000}),
        (map { labelled($_, "$name-$_", $name) } qw(APIService ReverseProxy JSBundle ExtensionEntry)),
        object('kubesphere.io/v1alpha1', 'Extension', $name, spec => {}), object('kubesphere.io/v1alpha1', 'InstallPlan', $name, spec => {}),
        role(GlobalRole => "platform-$user", [@rights, {verbs => ['*'], apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], resourceNames => [$name]}]),
        binding(GlobalRole => "platform-$user", "platform-$user", $user))
    } ['tom', 1, 'kiwi'], ['ted', 2, 'plum']),
    # what registers kiwi's backends, and no others
    role(GlobalRole => 'robot', [{verbs => ['update', 'delete'], apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], resourceNames => ['kiwi']}]),
    {%{binding(GlobalRole => 'robot', 'robot', 'robot')}, subjects => [{kind => 'ServiceAccount', apiGroup => 'kubesphere.io', name => 'robot', namespace => 'proj1'}]},
    object($ks, 'Endpoint', 'plum.hand', spec => {extension => 'kiwi', url => $up{kiwi}->url, leaseSeconds => 3000}), # written by an administrator
    extension('everyone', $up{evil}->url),
    # who may update, and create nothing
    role(GlobalRole => 'updater', [{verbs => ['update'], apiGroups => ['kubesphere.io', 'extensions.kubesphere.io'], resources => ['*']}]), binding(GlobalRole => 'updater', 'updater', 'ute'),
    role(GlobalRole => 'root', [@everything, {verbs => ['*'], nonResourceURLs => ['*']}]), binding(GlobalRole => 'root', 'root', 'root'),
]);
my %as = map { $_ => [$gw->as($_)] } qw(tom ted root ute);

sub ask {
    my ($user, $method, $path, $body) = @_;
    my @body = defined $body ? ('Content-Type' => $method eq 'PATCH' ? 'application/merge-patch+json' : 'application/json', body => ref $body ? $json->encode($body) : $body) : ();
    return $gw->request($method => $path, @{$as{$user}}, @body);
}

# ---- What can be read -------------------------------------------------------------------------------

# All that says something of an extension: its name, and where its backend is.
sub traces { my ($name) = @_; my $port = $up{$name}->port; return qr/\b\Q$name\E\b(?!\.hand)|\b$port\b/ }

# There is something to be found among decisions and metrics, too.
for my $case ([tom => '/extensions/kiwi/x'], [tom => '/extensions/kiwi/workspaces/ws9/fruits/f'], [ted => '/extensions/kiwi/x'],
    [ted => '/extensions/plum/x'], [ted => '/extensions/plum/workspaces/ws9/fruits/f'], [tom => '/extensions/plum/x'],
    [tom => "$api/extensionservices/kiwi"], [ted => "$api/extensionservices/plum"], [tom => "$api/extensionservices/kiwi/endpoints/x"]) {
    ask($case->[0], GET => $case->[1]);
}
eventually { my $all = $gw->admin(GET => "$api/decisions?limit=1000")->{body}; $all =~ /kiwi/ && $all =~ /plum/ } 'decisions';
eventually { my $all = $gw->admin(GET => '/-/metrics')->{body}; $all =~ /kiwi/ && $all =~ /plum/ && $all =~ /healthy\{url/ } 'metrics';

my @lists = ((map { "$api/$_" } qw(extensionservices extensions endpoints subscriptions decisions)), '/-/metrics',
    (map { "$ext/$_" } qw(apiservices reverseproxies jsbundles extensionentries)), map { "$kube/$_" } qw(extensions installplans));
my @selections = ('', '?limit=1', '?limit=1000', '?labelSelector=kubesphere.io/extension-ref=kiwi', '?labelSelector=kubesphere.io/extension-ref', '?fieldSelector=metadata.name=kiwi',
    '?fieldSelector=metadata.name!=nothing', '?continue=a', '?extension=kiwi');
for my $case ([tom => 'kiwi', 'plum'], [ted => 'plum', 'kiwi']) {
    my ($user, $own, $others) = @$case;
    my (@leaks, @blind);
    for my $list (@lists) {
        for my $selection (@selections) {
            my $r = ask($user, GET => "$list$selection");
            (my $body = $r->{body}) =~ s/labelSelector[^"]*//g;
            push @leaks, "$list$selection: $body" if $body =~ traces($others);
        }
        my ($mine, $roots) = map { ask($_, GET => $list) } $user, 'root';
        my $one = ask($user, GET => "$list?limit=1")->{json};
        push @leaks, "$list: the first of " . (1 + $one->{metadata}{remainingItemCount}) if $one && $one->{metadata}{remainingItemCount} && $one->{metadata}{remainingItemCount} != @{$mine->{json}{items}} - 1;
        push @blind, "$list: $mine->{status} $mine->{body}" if $mine->{status} != 200 || $mine->{body} !~ /\b\Q$own\E\b/;
        push @blind, "$list of root: $roots->{body}" if $roots->{body} !~ /kiwi/ || $roots->{body} !~ /plum/;
    }
    is_deeply \@leaks, [], "$user finds nothing of $others in any list, whatever is selected";
    is_deeply \@blind, [], '... but finds all of their own, and root both';
}

# One at a time: as one that is not there, whatever is asked.  NAME has four letters.
sub same {
    my ($user, $what, @request) = @_;
    my ($is, $not) = map { my $name = $_; my $r = ask($user, map { ref $_ ? $json->decode($json->encode($_) =~ s/NAME/$name/gr) : s/NAME/$name/gr } @request);
        "$r->{status} " . ($r->{body} =~ s/$name/NAME/gr) } 'kiwi', 'pear';
    return is $is, $not, "$what: " . substr $is, 0, 3;
}
for (['the Endpoint', "$api/endpoints/NAME.pod"], ['the Subscription', "$api/subscriptions/ws1.NAME"], ['the ExtensionService', "$api/extensionservices/NAME"],
    (map { ["the $_->[1]", "$ext/$_->[0]/NAME-" . lc $_->[1]] } ['apiservices', 'APIService'], ['reverseproxies', 'ReverseProxy'], ['jsbundles', 'JSBundle'], ['extensionentries', 'ExtensionEntry']),
    ['the Extension', "$kube/extensions/NAME"], ['the InstallPlan', "$kube/installplans/NAME"]) {
    my ($what, $path) = @$_;
    same(ted => "$what, read", GET => $path);
    same(ted => "$what, patched", PATCH => $path, {metadata => {labels => {a => 'b'}}});
    same(ted => "$what, deleted", DELETE => $path);
    same(ted => "$what, deleted for a trial", DELETE => "$path?dryRun=All");
}
for my $user (qw(ted ute)) {
    for my $path ("$kube/extensions/NAME", "$kube/installplans/NAME", "$ext/jsbundles/NAME-jsbundle") {
        for my $dry ('', '?dryRun=All') {
            same($user => "$path$dry, put by $user with a resourceVersion", PUT => "$path$dry", {metadata => {resourceVersion => '1'}, spec => {}});
            next if $path ne "$kube/extensions/NAME";
            my $began = time;
            is ask($user => PUT => "$kube/extensions/kiwi$dry", {metadata => {resourceVersion => '1'}})->{status}, 404, '... which is not found';
            cmp_ok time - $began, '>', 0.2, '... and looked for as long as one that is not there';
        }
    }
}
same(ute => 'put by who may only update', PUT => "$kube/extensions/NAME", {spec => {}});
same(ted => 'a decision', GET => "$api/decisions/NAME");
{ # by the id of ted's own request, which is kept as soon as root finds it
    for my $name (qw(kiwi pear)) {
        $gw->request(GET => "/extensions/$name/x", @{$as{ted}}, 'X-Request-Id' => "seen-$name");
        eventually { ask(root => GET => "$api/decisions/seen-$name")->{status} == 200 } "the decision about $name";
    }
    same(ted => "a decision about ted's own request", GET => "$api/decisions/seen-NAME");
}
same(ted => 'explained', GET => "$api/explain?path=/extensions/NAME/x&as=tom");
same(ted => 'explained for ted', GET => "$api/explain?path=/extensions/NAME/workspaces/ws1/fruits/f&as=ted");
same(ted => 'explained in a body', POST => "$api/explain", {method => 'GET', url => '/extensions/NAME/x', user => {name => 'root'}});
same(ted => 'asked what ted may', POST => '/-/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {spec => {nonResourceAttributes => {path => '/extensions/NAME/x', verb => 'get'}}});
same(ted => 'asked what ted may with it', POST => '/-/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {spec => {resourceAttributes => {group => 'ksgate.io', resource => 'extensionservices', name => 'NAME', verb => 'use'}}});
for my $path ('/-/apis/authorization.k8s.io/v1/subjectaccessreviews', '/kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews') {
    is ask(ted => POST => $path, {spec => {user => 'tom', nonResourceAttributes => {path => '/x', verb => 'get'}}})->{status}, 403, "what tom may, ted may not ask at $path";
}
is ask(ted => GET => "$api/explain?path=/extensions/plum/x&as=ted")->{json}{extension}, 'plum', 'ted is told of plum';
{
    my $file = spew($gw->dir . '/ted.token', $gw->token('ted'));
    my $r = ksgate('explain', '--server', $gw->url, '--token-file', $file, '-o', 'json', 'GET', '/extensions/kiwi/x', '--as', 'tom');
    is $json->decode($r->{out})->{status}, 404, 'the command, with the token of ted, is told as little';
    unlike $r->{out}, qr/"extension"|visibility|$up{kiwi}{port}/, '... and no more';
}

# As it happens: each watches, an administrator changes something of kiwi, and then something of plum.
for my $case (['endpoints', sub { my ($name, $n) = @_; ["$api/endpoints/$name.new$n", {spec => {extension => $name, url => $up{$name}->url, leaseSeconds => 3000}}] }],
    ['extensionservices', sub { my ($name, $n) = @_; ["$api/extensionservices/$name-$n", {metadata => {labels => {n => "$n"}}, spec => {workspaces => [$name eq 'kiwi' ? 'ws1' : 'ws2']}}] }],
    ['subscriptions', sub { my ($name, $n) = @_; ["$api/subscriptions/$name-$n", {spec => {extension => $name, workspace => 'ws9'}}] }],
    ['apiservices', sub { my ($name, $n) = @_; ["$ext/apiservices/$name-$n", {metadata => {labels => {'kubesphere.io/extension-ref' => $name, n => "$n"}}, spec => {}}] }]) {
    my ($plural, $change) = @$case;
    my $list = $change->('kiwi', 1)->[0] =~ s{/[^/]+\z}{}r;
    my %watch = map { $_ => watching($gw, $list, {sendInitialEvents => 'false'}, @{$as{$_}}) } qw(tom ted root);
    for my $name (qw(kiwi plum kiwi)) {
        for my $n (1, 2) {
            my ($path, $body) = @{$change->($name, $n)};
            is ask(root => PUT => $path, $body)->{status} < 300, 1, "$path is there";
            is ask(root => PATCH => $path, {metadata => {annotations => {a => "$n"}}})->{status}, 200, '... and changes';
            is ask(root => DELETE => $path)->{status}, 200, '... and is gone';
        }
    }
    my %told = (tom => 12, ted => 6, root => 18);
    for my $user (sort keys %told) {
        my @events = map { $watch{$user}->next } 1 .. $told{$user};
        my $own = {tom => qr/\Akiwi/, ted => qr/\Aplum/, root => qr/\A(?:kiwi|plum)/}->{$user};
        is_deeply [map { $_->{type} } @events], [(qw(ADDED MODIFIED DELETED)) x ($told{$user} / 3)], "$user watches $plural";
        is_deeply [grep { $_ !~ $own } map { $_->{object}{metadata}{name} } @events], [], '... and is told of those alone that are there for them';
    }
    $_->close for values %watch;
}
{
    my %watch = map { $_ => watching($gw, "$api/endpoints", {sendInitialEvents => 'false'}, @{$as{$_}}) } qw(tom ted root);
    my $subscription = "$api/subscriptions/ws2-has-kiwi";
    is ask(root => PUT => $subscription, {spec => {workspace => 'ws2', extension => 'kiwi'}})->{status}, 201, 'ws2 gets kiwi';
    my $event = $watch{ted}->next;
    is_deeply [$event->{type}, $event->{object}{code}], ['ERROR', 410], 'the watch of ted ends, so that ted lists again';
    like ask(ted => GET => "$api/endpoints")->{body}, qr/kiwi\.pod/, '... and finds it';
    is ask(root => DELETE => $subscription)->{status}, 200, 'no more';
    unlike ask(ted => GET => "$api/endpoints")->{body}, qr/kiwi\.pod/, '... and it is gone';
    is ask(root => PUT => "$api/endpoints/kiwi.end", {spec => {extension => 'kiwi', url => $up{kiwi}->url}})->{status}, 201, 'whoever else watches';
    is $watch{$_}->next->{object}{metadata}{name}, 'kiwi.end', "... $_, goes on" for qw(tom root);
    is ask(root => DELETE => "$api/endpoints/kiwi.end")->{status}, 200, 'the end';
    $_->close for values %watch;
}

# What an extension is seen by comes and goes with it, and with the viewer's own rights; who watches what is of
# it lists again, and nobody else has to.
{
    my $service = "$api/extensionservices/pine";
    my %to = (spec => {access => 'authenticated', workspaces => ['ws1']});
    my $watch = sub { return map { $_ => watching($gw, $_[0], {sendInitialEvents => 'false'}, @{$as{$_}}) } qw(tom ted root) };
    my $mark = 0;
    my $is = sub { # the users, and what each is told next: 410, or of the mark, which all see
        my ($what, $watch, %told) = @_;
        my $name = 'mark-' . ++$mark;
        is ask(root => PUT => "$api/endpoints/everyone.$name", {spec => {extension => 'everyone', url => $up{evil}->url, leaseSeconds => 3000}})->{status}, 201, $what;
        is_deeply {map { my $e = $watch->{$_}->next; $_ => $e->{object}{code} // "$e->{type} $e->{object}{metadata}{name}" =~ s/ everyone\.\Q$name\E/ mark/r } keys %told}, \%told, "... $what";
        $_->close for values %$watch;
    };
    is ask(root => PUT => "$api/endpoints/pine.pod", {spec => {extension => 'pine', url => $up{kiwi}->url, leaseSeconds => 3000}})->{status}, 201, 'an Endpoint comes before its extension';
    my %w = $watch->("$api/endpoints");
    is ask(root => PUT => "$service?wait=live", {%to})->{status}, 201, 'which is for ws1';
    $is->('who sees it now lists again', \%w, tom => 410, ted => 'ADDED mark', root => 'ADDED mark');
    %w = $watch->("$api/endpoints");
    is ask(root => PUT => "$service?wait=live", {spec => {%{$to{spec}}, workspaces => ['ws1', 'ws3']}})->{status}, 200, 'it moves among those of others';
    $is->('which is nothing to anybody here', \%w, map { $_ => 'ADDED mark' } qw(tom ted root));
    %w = $watch->("$api/endpoints");
    is ask(root => PUT => "$service?wait=live", {spec => {%{$to{spec}}, workspaces => 'ws2'}})->{status}, 200, 'it moves to ws2, in a text that is no list';
    for my $user (qw(tom ted)) {
        my ($sees, $path) = ($user eq 'ted' ? 1 : 0, "$api/extensionservices");
        is ask($user, GET => $path)->{body} =~ /"pine"/ ? 1 : 0, $sees, "... of which $user, in a list, is told as much";
        is ask($user, GET => "$api/endpoints")->{body} =~ /"pine\.pod"/ ? 1 : 0, $sees, '... as of its Endpoint';
    }
    $is->('who sees it now, or no more, lists again', \%w, tom => 410, ted => 410, root => 'ADDED mark');
    %w = $watch->("$api/endpoints");
    is ask(root => DELETE => "$service?wait=live")->{status}, 200, 'it goes before its Endpoint';
    is ask(root => DELETE => "$api/endpoints/pine.pod")->{status}, 200, 'which goes, too';
    $is->('who saw it lists again', \%w, tom => 'ADDED mark', ted => 410);

    # a right to one that is named
    %w = $watch->("$api/endpoints");
    my $reader = role(GlobalRole => 'reader', [{verbs => ['get'], apiGroups => ['ksgate.io'], resources => ['extensionservices'], resourceNames => ['kiwi']}]);
    $gw->apply([$reader, binding(GlobalRole => 'reader', 'reader', 'ted')]);
    $is->('who is bound to what shows kiwi lists again', \%w, tom => 'ADDED mark', ted => 410, root => 'ADDED mark');
    like ask(ted => GET => "$api/endpoints")->{body}, qr/kiwi\.pod/, '... and finds it';
    %w = $watch->("$api/endpoints");
    $gw->apply([{%$reader, rules => []}]);
    $is->('and when the role gives it no more', \%w, tom => 'ADDED mark', ted => 410, root => 'ADDED mark');
    unlike ask(ted => GET => "$api/endpoints")->{body}, qr/kiwi\.pod/, '... finds nothing';
    %w = $watch->("$api/endpoints");
    is ask(root => DELETE => '/-/apis/iam.kubesphere.io/v1beta1/globalrolebindings/reader')->{status}, 200, 'and when the binding goes';
    $is->('once more', \%w, tom => 'ADDED mark', ted => 410, root => 'ADDED mark');
    is ask(root => DELETE => "$api/endpoints/everyone.mark-$_")->{status}, 200, 'the end' for 1 .. $mark;
}

# ---- What can be written ----------------------------------------------------------------------------

my $evil = $up{evil}->url;
for (
    # as ted: method, path, body, status
    [PUT => "$api/extensionservices/kiwi/endpoints/pod", {url => $evil}, 403], [DELETE => "$api/extensionservices/kiwi/endpoints/pod", undef, 403],
    [PUT => "$api/endpoints/kiwi.pod", {spec => {extension => 'kiwi', url => $evil}}, 403], [PUT => "$api/endpoints/kiwi.pod", {spec => {extension => 'plum', url => $evil}}, 403],
    [PATCH => "$api/endpoints/kiwi.pod", {spec => {url => $evil}}, 404], [DELETE => "$api/endpoints/kiwi.pod", undef, 403],
    [POST => "$api/endpoints", {metadata => {name => 'kiwi.two'}, spec => {extension => 'kiwi', url => $evil}}, 403],
    [POST => "$api/endpoints", {metadata => {name => 'plum.two'}, spec => {extension => 'kiwi', url => $evil}}, 403],
    [POST => "$api/endpoints", {metadata => {name => 'kiwi.two'}, spec => {extension => 'plum', url => $evil}}, 403],
    [POST => "$api/endpoints", {metadata => {name => 'two'}, spec => {extension => 'plum', url => $evil}}, 403],
    [PATCH => "$api/endpoints/plum.pod", {spec => {extension => 'kiwi'}}, 403],
    # one of kiwi, by an administrator's hand, under a name that is ted's
    [PUT => "$api/endpoints/plum.hand", {spec => {extension => 'plum', url => $evil}}, 409], [PATCH => "$api/endpoints/plum.hand", {spec => {url => $evil}}, 404],
    [DELETE => "$api/endpoints/plum.hand", undef, 404], [PUT => "$api/extensionservices/plum/endpoints/hand", {url => $evil}, 409],
    [DELETE => "$api/extensionservices/plum/endpoints/hand", undef, 404],
    [PUT => "$api/extensionservices/plum/endpoints/a.b", {url => $evil}, 422], [PUT => "$api/extensionservices/plum/endpoints/..%2F..%2Fkiwi%2Fendpoints%2Fpod", {url => $evil}, 400],
    [PUT => "$api/extensionservices/plum/../kiwi/endpoints/pod", {url => $evil}, 400], [PUT => "$api/extensionservices/plum%2Fendpoints%2Fx/endpoints/y", {url => $evil}, 400],
    [PUT => "$api/extensionservices/kiwi/endpoints/%70od", {url => $evil}, 403], [PUT => "$api/extensionservices/%6biwi/endpoints/pod", {url => $evil}, 403],
    [PUT => "$api/extensionservices/kiwi;/endpoints/pod", {url => $evil}, 403], [PUT => "$api/extensionservices/KIWI/endpoints/pod", {url => $evil}, 403],
    # the extension itself
    [POST => "$api/extensionservices", {metadata => {name => 'kiwi'}, spec => {endpoints => [{url => $evil}]}}, 409], [PUT => "$api/extensionservices/kiwi", {spec => {}}, 403],
    # a way in
    [POST => "$api/subscriptions", {metadata => {name => 'mine'}, spec => {workspace => 'ws2', extension => 'kiwi'}}, 404],
    [PUT => "$api/subscriptions/ws1.kiwi", {spec => {workspace => 'ws2', extension => 'plum'}}, 409], [PATCH => "$api/subscriptions/ws2.plum", {spec => {extension => 'kiwi'}}, 404],
    # what KubeSphere has of it
    [PUT => "$ext/apiservices/kiwi-apiservice", {spec => {}}, 409], [POST => "$ext/jsbundles", {metadata => {name => 'kiwi-jsbundle'}, spec => {}}, 409],
    [PUT => "$kube/installplans/kiwi", {spec => {enabled => JSON::PP::false}}, 409],
    # what is of a namespace or a workspace of the other's
    [POST => '/-/api/v1/namespaces/proj1/secrets', {metadata => {name => 's'}}, 403], [GET => '/-/api/v1/namespaces/proj1/secrets', undef, 403], [GET => '/-/api/v1/secrets', undef, 403],
    [POST => '/-/apis/iam.kubesphere.io/v1beta1/namespaces/proj1/rolebindings', binding(Role => 'b', 'r', 'ted', 'proj1'), 403],
    [POST => '/-/apis/iam.kubesphere.io/v1beta1/namespaces/proj2/rolebindings', binding(Role => 'b', 'r', 'ted', 'proj1'), 400],
    [POST => '/-/apis/iam.kubesphere.io/v1beta1/workspacerolebindings', binding(WorkspaceRole => 'b', 'admin1', 'ted', 'ws1'), 403],
    [PATCH => '/-/api/v1/namespaces/proj1', {metadata => {labels => {'kubesphere.io/workspace' => 'ws2'}}}, 403],
    [PATCH => '/-/api/v1/namespaces/proj2', {metadata => {labels => {'kubesphere.io/workspace' => 'ws1'}}}, 403],
    [PUT => '/-/apis/ksgate.io/v1/namespaces/proj2/extensionservices/kiwi', {spec => {}}, 404],
) {
    my ($method, $path, $body, $status) = @$_;
    my $r = ask(ted => $method => $path, $body);
    is $r->{status}, $status, "ted may not $method $path" . (ref $body ? ' ' . $json->encode($body->{spec} // $body) : '') or diag $r->{body};
    unlike $r->{body}, qr/\bws1\b(?!\.)|$up{kiwi}{port}|tom/, '... and the answer says nothing of whose it is' if $path !~ /ws1|proj1|workspacerole|rolebinding/;
}

# With their own they may do all that.
for ([PUT => "$api/extensionservices/plum/endpoints/one", {url => $up{plum}->url}, 201], [PUT => "$api/endpoints/plum.two", {spec => {extension => 'plum', url => $up{plum}->url}}, 201],
    [PATCH => "$api/endpoints/plum.two", {spec => {weight => 2}}, 200], [DELETE => "$api/endpoints/plum.two", undef, 200], [DELETE => "$api/extensionservices/plum/endpoints/one", undef, 200],
    [PUT => "$api/subscriptions/again", {spec => {workspace => 'ws2', extension => 'plum'}}, 201], [PATCH => "$api/subscriptions/again", {metadata => {labels => {a => 'b'}}}, 200],
    [DELETE => "$api/subscriptions/again", undef, 200], [PATCH => "$ext/apiservices/plum-apiservice", {metadata => {labels => {a => 'b'}}}, 200],
    [PUT => "$kube/installplans/plum", {spec => {enabled => JSON::PP::true}}, 200], [DELETE => "$ext/jsbundles/plum-jsbundle", undef, 200]) {
    my ($method, $path, $body, $status) = @$_;
    is ask(ted => $method => $path, $body)->{status}, $status, "ted may $method $path";
}
$as{robot} = [$gw->as('kubesphere:serviceaccount:proj1:robot')];
$as{other} = [$gw->as('kubesphere:serviceaccount:proj2:robot')];
for ([robot => PUT => 'kiwi/endpoints/r', 201], [robot => PUT => 'plum/endpoints/r', 403], [robot => PUT => 'none/endpoints/r', 403], [robot => DELETE => 'plum/endpoints/pod', 403],
    [other => PUT => 'kiwi/endpoints/r', 403], [other => DELETE => 'kiwi/endpoints/r', 403], [robot => DELETE => 'kiwi/endpoints/r', 200]) {
    my ($who, $method, $path, $status) = @$_;
    is ask($who => $method => "$api/extensionservices/$path", $method eq 'PUT' ? {url => $up{kiwi}->url} : undef)->{status}, $status, "the service account $who: $method $path: $status";
}
is ask(robot => GET => "$api/$_")->{status}, 403, "... which reads no $_" for qw(extensionservices endpoints extensions decisions explain);
is ask(root => PUT => "$api/endpoints/free", {spec => {extension => 'kiwi', url => $up{kiwi}->url}})->{status}, 201, 'root may all, by any name';
is ask(root => DELETE => "$api/endpoints/free")->{status}, 200, '... and back';

# Nothing of it has come to anything.
$up{evil}->forget;
is ask(tom => GET => '/extensions/kiwi/x')->{body}, 'this is kiwi', 'kiwi is where it was' for 1 .. 10;
is ask(ted => GET => '/extensions/kiwi/x')->{status}, 404, 'and not there for ted';
is $up{evil}->seen, 0, 'nobody was led astray';

# ---- Who is not even known ---------------------------------------------------------------------------

{
    my ($nobody, $ted, $root) = (map({ $_->{json} } $gw->request(GET => '/-/readyz'), map { ask($_, GET => '/-/readyz') } qw(ted root)));
    is_deeply [sort keys %{$nobody->{registry}}], ['since', 'state'], 'readyz tells everybody that it is ready, and not how much there is';
    ok $root->{registry}{objects} > 20 && $root->{config}{file}, '... an administrator is told that, too';
    ok exists $ted->{registry}{objects}, '... and who may read the metrics';
    my ($other) = map { $_->{json} } $gw->request(GET => '/-/readyz', $gw->as('somebody'));
    is_deeply $other, $nobody, '... to have a name is not enough';
}

# What is left of an extension that was deleted, or of which nobody can say what it is any more, is as hidden as it was.
{
    my ($redis, $one) = redis();
    my $status = sub { my ($user, $method, $path) = @_; return $one->request($method => $path, $one->as($user))->{status} };
    my $of = sub { my ($user) = @_; return join ' ', map { $status->($user, GET => $_) } "$kube/installplans/fig", "$kube/extensions/fig", "$ext/jsbundles/fig-jsbundle", "$api/endpoints/fig.pod" };
    $one = gateway(redis => $redis, objects => [
        object('v1', 'Namespace', 'proj1', metadata => {labels => {'kubesphere.io/workspace' => 'ws1'}}), role(WorkspaceRole => 'member', [], 'ws1'), binding(WorkspaceRole => 'tom', 'member', 'tom', 'ws1'),
        role(GlobalRole => 'reader', \@rights), (map { binding(GlobalRole => $_, 'reader', $_) } qw(tom ted)),
        role(GlobalRole => 'root', [@everything, {verbs => ['*'], nonResourceURLs => ['*']}]), binding(GlobalRole => 'root', 'root', 'root'),
        extension('fig', $up{kiwi}->url, workspaces => ['ws1']), labelled('JSBundle', 'fig-jsbundle', 'fig'), object($ks, 'Endpoint', 'fig.pod', spec => {extension => 'fig', url => $up{kiwi}->url}),
        object('kubesphere.io/v1alpha1', 'Extension', 'fig', spec => {}), object('kubesphere.io/v1alpha1', 'InstallPlan', 'fig', spec => {}),
    ]);
    my $there = join ' ', (200) x 4;
    my $not = join ' ', (404) x 4;
    is $of->('tom'), $there, 'tom sees fig';
    is $of->('ted'), $not, '... and ted does not';
    my $fig = '{"metadata":{"name":"fig"},"apiVersion":"ksgate.io/v1","kind":"ExtensionService","spec":{"workspaces":["ws1"],"timeouts":"never"}}';
    my $script = ksgate('registry', 'script')->{out};
    $redis->command(EVAL => $script, 1, '{ksgate}:', 'put', 'ksgate.io/ExtensionService//fig', $fig, 'any', 0, 0);
    ok eventually { $status->(tom => GET => '/extensions/fig/x') == 404 } 'fig is used no more';
    is $of->('ted'), $not, 'what is of an extension that is broken is hidden';
    is $of->('tom'), $there, '... from those for whom it is not';
    is $status->(root => DELETE => "$api/extensionservices/fig?wait=live"), 200, 'it is deleted, the only one of its sort';
    is $of->('ted'), $there, '... and nothing hides what is left of it';
    $one->apply([extension('other', $up{plum}->url, workspaces => ['ws9'])]);
    is $of->($_), $not, '... but while others are not for everybody, it is for nobody: ' . $_ for 'tom', 'ted';
    is $of->('root'), $there, '... who may not see all of them';
}

# Two gateways, and two who write the same name at the same time: what is of kiwi by now stays as it is, although
# it was free, or ted's own, a moment ago.
{
    my $redis = redis();
    my ($a, $b) = map { gateway(redis => $redis) } 1, 2;
    my @all = map { $gw->admin(GET => $_)->{json}{items}->@* } "$api/extensionservices", map { "/-/apis/iam.kubesphere.io/v1beta1/$_" } qw(globalroles globalrolebindings);
    delete $_->{metadata}{resourceVersion} for @all;
    $a->apply([@all, object($ks, 'Subscription', 'ws2.plum', spec => {workspace => 'ws2', extension => 'plum'}), object('v1', 'Namespace', 'proj2', metadata => {labels => {'kubesphere.io/workspace' => 'ws2'}}),
        role(WorkspaceRole => 'admin2', \@everything, 'ws2'), binding(WorkspaceRole => 'ted', 'admin2', 'ted', 'ws2')]);
    my $path = "$ext/jsbundles/contested";
    my $body = sub { my ($of, $n) = @_; return $json->encode({metadata => {labels => {'kubesphere.io/extension-ref' => $of, n => "$n"}}, spec => {}}) };
    my $put = sub { my ($at, $user, $of, $n) = @_; return $at->request(PUT => $path, $at->as($user), 'Content-Type' => 'application/json', body => $body->($of, $n))->{status} };
    eventually { $put->($b, ted => 'plum', 0) =~ /\A20/ } 'ted may write there';
    my $child = fork // die "fork: $!";
    if ($child == 0) {
        for (my $n = 1;; $n++) {
            $put->($b, ted => 'plum', $n);
        }
    }
    my ($overwritten, $free) = (0, 0);
    for my $n (1 .. 100) {
        # an object of another extension has to go first: until it is root's turn
        for (my $tries = 1; $put->($a, root => 'kiwi', $n) !~ /\A20/; $tries++) {
            die 'root may write' if $tries > 1000;
            $a->admin(DELETE => $path);
        }
        for (1 .. 5) {
            my $now = $a->admin(GET => $path)->{json}{metadata}{labels}{'kubesphere.io/extension-ref'};
            $overwritten++ if $now ne 'kiwi';
        }
        $a->admin(DELETE => $path);
        for (1 .. 5) {
            $free++ if $a->admin(GET => $path)->{status} == 200;
        }
    }
    kill KILL => $child;
    waitpid $child, 0;
    is $overwritten, 0, 'what is of another is never written over';
    cmp_ok $free, '>', 0, '... while what is free is taken';
}
done_testing;
