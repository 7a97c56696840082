# The registry as its users meet it: by the command and by HTTP, with either driver.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;
my $up = upstream { [200, {}, "$_[0]{path} one"] };
my $other = upstream { [200, {}, "$_[0]{path} two"] };

# The driver's part of gateway()'s arguments; two gateways with the same one share a store.
my %store = (
    sqlite => sub {
        my $dir = tempdir();
        return (config => {registry => {driver => 'sqlite', sqlite => {path => "$dir/registry.db"}}});
    },
    redis => sub {
        my $dir = tempdir();
        my $redis = redis(config => ["--unixsocket $dir/redis.sock", '--unixsocketperm 777']);
        return (redis => $redis, config => {registry => {redis => {url => "unix:$dir/redis.sock"}}});
    },
);

for my $driver (sort keys %store) {
    subtest $driver => sub {
        my @store = $store{$driver}->();
        my $gw = gateway(@store);
        by_command($gw);
        by_http($gw);
        refused($gw);
        live_at_once($gw);
        endpoints($gw);
        register_command($gw);
        my $second = gateway(@store);
        shared($gw, $second);
        is $second->stop, 0, 'one of two gateways stops';
        idle($gw) if $driver eq 'sqlite';
        restarted($gw);
    };
}

sub body { return $_[0]->request(GET => "/extensions/$_[1]/x")->{body} }
sub status { return $_[0]->request(GET => "/extensions/$_[1]/x")->{status} }

sub by_command {
    my ($gw) = @_;
    my $file = spew($gw->dir . '/cmd.yaml', $json->encode(extension('cmd', $up->url)));
    my $r = $gw->ksgate_here('apply', '-f', $file, '--dry-run');
    is $r->{code}, 0, 'apply --dry-run is fine';
    like $r->{out}, qr{^extensionservice/cmd created \(dry run\)$}m, 'and says what would be';
    is status($gw, 'cmd'), 404, 'but nothing is';

    $r = $gw->ksgate_here('apply', '-f', $file);
    like $r->{out}, qr{^extensionservice/cmd created$}m, 'apply creates';
    is body($gw, 'cmd'), '/x one', 'and it is live when the command returns';
    like $gw->ksgate_here('apply', '-f', $file)->{out}, qr{^extensionservice/cmd unchanged$}m, 'the same again changes nothing';

    spew($file, $json->encode(extension('cmd', $other->url)));
    like $gw->ksgate_here('apply', '-f', $file)->{out}, qr{^extensionservice/cmd configured$}m,
        'other content is a change';
    is body($gw, 'cmd'), '/x two', 'that is live';

    $r = $gw->ksgate_here('get', 'es', 'cmd', '-o', 'json');
    is $json->decode($r->{out})->{spec}{endpoints}[0]{url}, $other->url, 'get shows the object';
    like $gw->ksgate_here('get', 'es')->{out}, qr/^cmd\s/m, 'and the table has its row';

    $r = $gw->ksgate_here('delete', 'es', 'cmd');
    is $r->{code}, 0, 'delete takes it out';
    is status($gw, 'cmd'), 404, 'and it is gone when the command returns';
    $r = $gw->ksgate_here('delete', 'es', 'cmd');
    is $r->{code}, 1, 'what is not there is not deleted';
    like $r->{err}, qr/extensionservices\.ksgate\.io "cmd" not found/, 'which is said';
    is $gw->ksgate_here('get', 'es', 'cmd')->{code}, 1, 'nor is it shown';
}

sub by_http {
    my ($gw) = @_;
    my $r = $gw->admin(POST => path_of(), extension('http', $up->url));
    is $r->{status}, 201, 'POST creates';
    my $first = $r->{json};
    ok $first->{metadata}{uid} && $first->{metadata}{creationTimestamp}, 'and the object gets a uid and a time';
    $r = $gw->admin(POST => path_of(), extension('http', $up->url));
    is $r->{status}, 409, 'a second POST is refused';
    is $r->{json}{reason}, 'AlreadyExists', 'because it exists';

    my $version = $first->{metadata}{resourceVersion};
    my $old = {%{extension('http', $other->url)}, metadata => {name => 'http', resourceVersion => $version}};
    $r = $gw->admin(PUT => path_of('http', 'wait=live'), $old);
    is $r->{status}, 200, 'PUT with the resourceVersion that was read replaces';
    isnt $r->{json}{metadata}{resourceVersion}, $version, 'and makes a new one';
    is $r->{json}{metadata}{uid}, $first->{metadata}{uid}, 'of the same object';
    is body($gw, 'http'), '/x two', 'which is live with ?wait=live';
    $r = $gw->admin(PUT => path_of('http'), {%$old, spec => {access => 'authenticated'}});
    is $r->{status}, 409, 'PUT with the old one is a conflict';
    is $r->{json}{reason}, 'Conflict', 'by name';
    like $r->{json}{message}, qr/has been modified/, 'in Kubernetes\' words';
    is body($gw, 'http'), '/x two', 'and changes nothing';

    $r = $gw->admin(PATCH => path_of('http'), '{"spec": {"enabled": false}}', 'Content-Type' => 'application/merge-patch+json');
    is $r->{status}, 200, 'PATCH merges';
    is $r->{json}{spec}{endpoints}[0]{url}, $other->url, 'and keeps the rest';
    eventually { status($gw, 'http') == 503 } 'a disabled extension';
    $r = $gw->admin(GET => path_of('http'));
    is $r->{json}{spec}{enabled}, JSON::PP::false, 'GET shows what is stored';
    is_deeply [map { $_->{metadata}{name} } @{$gw->admin(GET => path_of())->{json}{items}}], ['http'], 'and the list has it';

    $r = $gw->admin(DELETE => path_of('http'), {preconditions => {resourceVersion => '1'}});
    is $r->{status}, 409, 'DELETE of another version is a conflict';
    $r = $gw->admin(DELETE => path_of('http', 'wait=live'));
    is $r->{json}{status}, 'Success', 'DELETE answers a Status';
    is status($gw, 'http'), 404, 'and it is gone';
    is $gw->admin(DELETE => path_of('http'))->{status}, 404, 'so that it can not be deleted twice';
    is $gw->admin(GET => path_of('http'))->{status}, 404, 'nor read';
}

sub refused {
    my ($gw) = @_;
    my @wrong = (
        [{access => 'all'}, 'spec.access', qr/public/],
        [{endpoints => [{url => 'ftp://a'}]}, 'spec.endpoints[0].url', qr/ftp/],
        [{endpoints => [{weight => 1}]}, 'spec.endpoints[0].url', qr/is required/],
        [{acces => 'public'}, 'spec', qr/did you mean .*access/],
        [{path => {prepend => 'x'}}, 'spec.path.prepend', qr/slash/],
        [{timeouts => {connect => 'soon'}}, 'spec.timeouts.connect', qr/soon/],
        [{permissions => [{path => '/{a}/{a}', group => 'g', resource => 'r'}]}, 'spec.permissions[0].path', qr/a placeholder other than/],
    );
    for my $case (@wrong) {
        my ($spec, $field, $words) = @$case;
        my $r = $gw->admin(PUT => path_of('wrong'), {%{extension('wrong')}, spec => $spec});
        is $r->{status}, 422, "$field: refused";
        my ($cause) = grep { ($_->{field} // '') eq $field } @{$r->{json}{details}{causes}};
        ok $cause, '... by its field' or diag $r->{body};
        like $cause->{message}, $words, '... and says what is wrong' if $cause;
    }
    my $r = $gw->admin(PUT => path_of('wrong'), {%{extension('wrong')}, spec => {access => 'all', enabled => 'maybe'}});
    is scalar @{$r->{json}{details}{causes}}, 2, 'all that is wrong is said at once';
    is $gw->admin(PUT => path_of('wrong'), '{"spec": ', 'Content-Type' => 'application/json')->{status}, 400,
        'half an object is none';
    is $gw->admin(PUT => path_of('wrong'), extension('right'))->{status}, 400, 'a name that is not the path\'s is refused';
    is $gw->admin(POST => path_of(), extension('Wrong_Name'))->{status}, 422, 'a name that Kubernetes would not take too';
    is $gw->admin(GET => '/-/apis/ksgate.io/v1/extensionservice')->{status}, 404, 'a kind that is not known is not found';
    is $gw->admin(GET => path_of('wrong'))->{status}, 404, 'nothing of it is stored';
}

# From the moment that the change is sent: until the first request that sees it is answered.
sub live_at_once {
    my ($gw) = @_;
    my $admin = Gateway::Client->new(to => $gw->admin_socket);
    my $client = $gw->connect;
    my (@there, @gone);
    my $until = sub { my $wanted = shift; 1 until $client->request(GET => '/extensions/now/x')->{status} == $wanted };
    for (1 .. 30) {
        push @there, milliseconds {
            $admin->request(PUT => path_of('now'), 'Content-Type' => 'application/json',
                body => $json->encode(extension('now', $up->url)))->{status} == 201 or die 'not created';
            $until->(200);
        };
        push @gone, milliseconds {
            $admin->request(DELETE => path_of('now'))->{status} == 200 or die 'not deleted';
            $until->(404);
        };
    }
    my ($there, $gone) = (figures(@there), figures(@gone));
    diag "an ExtensionService answers after: $there->{words}; is gone after: $gone->{words}";
    cmp_ok $there->{median}, '<', 50 * Gateway::Process::slow(), 'a new extension answers in less than 50 ms';
    cmp_ok $gone->{median}, '<', 50 * Gateway::Process::slow(), 'a deleted one is gone in less than 50 ms';
}

sub endpoints {
    my ($gw) = @_;
    my $place = path_of('self') . '/endpoints/pod-1';
    my %me = (url => $up->url, leaseSeconds => 60);
    is $gw->admin(PUT => $place, \%me)->{status}, 404, 'a backend can not register for an extension that is not there';
    $gw->apply([extension('self')]);
    is status($gw, 'self'), 503, 'an extension without a backend is there, but can not answer';

    my $r = $gw->admin(PUT => "$place?wait=live", \%me);
    is $r->{status}, 201, 'a backend registers itself';
    is $r->{json}{lease}{seconds}, 60, 'and is told its lease';
    like $r->{json}{lease}{expires}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'when it ends';
    is body($gw, 'self'), '/x one', 'and with ?wait=live it is asked at once';
    my $version = $r->{json}{resourceVersion};
    $r = $gw->admin(PUT => $place, \%me);
    is $r->{status}, 200, 'the same again renews';
    is $r->{json}{resourceVersion}, $version, 'which is no change';
    my ($shown) = @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}};
    is $shown->{endpoints}[0]{url}, $up->url, 'the summary of all extensions shows it';
    like $gw->ksgate_here('get', 'endpoints')->{out}, qr/^self\.pod-1\s+self\s+\Q$me{url}\E/m, 'and the table';

    $r = $gw->admin(PUT => "$place?wait=live", {%me, url => $other->url});
    is $r->{status}, 200, 'it may move';
    is body($gw, 'self'), '/x two', 'and is asked where it is now';
    # traefik-kop #47, #33: who has gone takes out whoever came in its place
    $r = $gw->admin(DELETE => $place, {%me});
    is_deeply [$r->{status}, $r->{json}{reason}], [409, 'Conflict'], 'one that has been replaced, and says where it was, takes nobody else out';
    like $r->{json}{message}, qr/^endpoints\.ksgate\.io "self\.pod-1" is registered with another url by now \(\Q@{[$other->url]}\E\); nothing was changed$/, '... as it is told';
    is body($gw, 'self'), '/x two', '... and who is there stays';
    for my $no ({url => 7}, {url => undef}, {weight => 1}, {%me, lease => 1}, {preconditions => {uid => 'x'}}, {dryRun => ['All']}) {
        is $gw->admin(DELETE => $place, $no)->{status}, 422, 'what is no registration is refused: ' . $json->encode($no);
    }
    is body($gw, 'self'), '/x two', '... whoever is there';
    is $gw->admin(DELETE => $place, '{"url": ', 'Content-Type' => 'application/json')->{status}, 400, '... and what is no JSON';
    is $gw->admin(DELETE => "$place?wait=live", {%me, url => $other->url})->{status}, 200, 'who is there leaves in the same way';
    is status($gw, 'self'), 503, '... and is gone';
    is $gw->admin(DELETE => $place, {%me})->{status}, 404, '... so that nobody is in the way';
    $gw->admin(PUT => "$place?wait=live", {%me, url => $other->url});
    $r = $gw->admin(DELETE => "$place?wait=live");
    is $r->{status}, 200, 'it leaves';
    is status($gw, 'self'), 503, 'and is asked no more';
    is $gw->admin(DELETE => $place)->{status}, 404, 'it can not leave twice';

    # A dry run is one here, too.
    $r = $gw->admin(PUT => "$place?dryRun=All", \%me);
    is $r->{status}, 201, 'a dry run says that it would be registered';
    cmp_ok $r->{json}{lease}{expires}, 'gt', '2001', '... and for how long';
    my $there = sub { return $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints/self.pod-1')->{json}{spec}{url} };
    is $there->(), undef, '... and does not do it';
    $gw->admin(PUT => "$place?wait=live", \%me);
    is $gw->admin(PUT => "$place?dryRun=All", {%me, url => $other->url})->{status}, 200, 'that it would move';
    is $gw->admin(DELETE => "$place?dryRun=All", {%me, url => $other->url})->{status}, 409, 'that another one would leave, which it may not';
    is $gw->admin(DELETE => "$place?dryRun=All", $_)->{status}, 200, 'that it would leave' for undef, {%me};
    is $gw->admin($_ => "$place?dryRun=Some", {%me})->{status}, 400, "$_: no other word is known" for qw(PUT DELETE);
    is $there->(), $me{url}, 'and does nothing of that';
    is $gw->admin(DELETE => $place)->{status}, 200, 'until it is asked to';

    my %wrong = (leaseSeconds => 0, url => 'nonsense://', weight => -1, lease => 1);
    for my $field (sort keys %wrong) {
        is $gw->admin(PUT => $place, {%me, $field => $wrong{$field}})->{status}, 422,
            "a registration with $field: $wrong{$field} is refused";
    }

    my $r1 = $gw->admin(PUT => $place, {%me, leaseSeconds => 1});
    like $r1->{json}{message}, qr/leaseSeconds: 1 is below the minimum of 2/, 'a lease of a second is too short';

    # Lease of two seconds: renewed it lives longer than that, then it ends by itself.
    my ($start, $renewed) = (0, 0);
    eventually {
        my $was = $renewed;
        my $there = status($gw, 'self');
        $renewed = time;
        my $again = $gw->admin(PUT => "$place?wait=live", {%me, leaseSeconds => 2})->{status};
        if (time - $was > 1.9) { # we were late, and it may have ended
            $start = $renewed;
            return 0;
        }
        $there == 200 or die 'a renewed lease has ended';
        $again == 200 or die 'it was forgotten';
        $renewed - $start > 2.5;
    } 'the lease of two seconds', 30;
    pass 'a lease that is renewed does not end';
    eventually { status($gw, 'self') == 503 } 'the end of the lease';
    cmp_ok time - $renewed, '>=', 1.9, 'one that is not, does, when its time is over';
    is $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}[0], undef, 'and the object is gone';
    $gw->ksgate_here('delete', 'es', 'self');
}

sub register_command {
    my ($gw) = @_;
    my $r = $gw->ksgate_here('register', 'tool', $up->url);
    is $r->{code}, 1, 'ksgate register of an extension that is not there ends';
    like $r->{err}, qr/"tool" not found/, 'and says so';
    $gw->apply([extension('tool')]);
    my $p = Gateway::Process->new(
        name => 'ksgate register',
        log => $gw->dir . '/register.log',
        command => [Gateway::program(), 'register', '-c', $gw->file, 'tool', $up->url, '--lease', '3s'],
    );
    $p->wait_until('registers', sub { status($gw, 'tool') == 200 });
    my $until = sub { return $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}[0]{status}{expires} // die "it was not renewed\n" };
    for (1 .. 3) {
        my $was = $until->();
        eventually { $until->() gt $was } 'a renewal';
    }
    is status($gw, 'tool'), 200, 'it keeps the backend registered';
    is $p->stop, 0, 'a SIGTERM ends it well';
    is status($gw, 'tool'), 503, 'and takes the backend out at once';
    like $p->log, qr/^tool is registered$/m, 'it says what it does';
    $gw->ksgate_here('delete', 'es', 'tool');
}

sub shared {
    my ($gw, $second) = @_;
    $gw->apply([extension('both', $up->url)]);
    eventually { status($second, 'both') == 200 } 'the write of the other gateway';
    pass 'what is applied to one gateway is live at the other';
    my $seen = $second->admin(GET => path_of('both'))->{json};
    my $changed = {%{extension('both', $other->url)}, metadata => $seen->{metadata}};
    is $second->admin(PUT => path_of('both'), $changed)->{status}, 200, 'the other one can change it';
    eventually { body($gw, 'both') eq '/x two' } 'the change';
    is $gw->admin(PUT => path_of('both'), {%{extension('both')}, metadata => $seen->{metadata}})->{status}, 409,
        'and who has not seen that is in conflict';
    my @ms;
    for my $n (1 .. 10) {
        push @ms, milliseconds {
            $gw->admin(PUT => path_of('hop'), extension('hop', $up->url));
            1 until status($second, 'hop') == 200;
        };
        $gw->admin(DELETE => path_of('hop'));
        eventually { status($second, 'hop') == 404 } 'the end of it';
    }
    same_view($gw, $second);
    # What takes another one's place and leaves at a gateway that has not heard of it yet.
    my $place = path_of('both') . '/endpoints/pod';
    for my $n (1 .. 5) {
        $gw->admin(PUT => "$place?wait=fleet", {url => "http://127.0.0.1:$n", leaseSeconds => 60});
        eventually { ($second->admin(GET => '/-/apis/ksgate.io/v1/endpoints/both.pod')->{json}{spec}{url} // '') eq "http://127.0.0.1:$n" } 'the one before';
        $gw->admin(PUT => $place, {url => $up->url, leaseSeconds => 60});
        my $r = $second->admin(DELETE => $place, {url => $up->url});
        is $r->{status}, 200, 'what moved a moment ago leaves at the other gateway' or diag $r->{body};
    }
    my $f = figures(@ms);
    diag "at another gateway of the same store after: $f->{words}";
    cmp_ok $f->{median}, '<', 100 * Gateway::Process::slow(), 'in less than 100 ms';
}

sub live { return $_[0]->admin(GET => '/-/readyz')->{json}{registry}{live} }

sub agree { my ($x, $y) = map { live($_) } @_; return $x->{checksum} eq $y->{checksum} && $x->{revision} == $y->{revision} ? $x : undef }

# The checksum tells whether two gateways route by the same objects, and nothing else.
sub same_view {
    my ($gw, $second) = @_;
    my $latest = $gw->admin(GET => path_of())->{json}{metadata}{resourceVersion}; # readyz may be a tick behind
    my $before = eventually { my $now = agree($gw, $second); $now && $now->{revision} >= $latest && $now } 'the same checksum at both';
    like $before->{checksum}, qr/^[0-9a-f]{32}$/, 'gateways that have the same objects have the same checksum';
    ok !exists $gw->request(GET => '/-/readyz')->{json}{registry}{live}, 'which is not for everybody';
    $gw->apply([extension('sum', $up->url)]);
    my $after = eventually { my $now = agree($gw, $second); $now && $now->{checksum} ne $before->{checksum} && $now } 'another one';
    cmp_ok $after->{revision}, '>', $before->{revision}, 'another one after a change, of a later revision';
    my %metric = $gw->admin(GET => '/-/metrics')->{body} =~ /^(ksgate_registry_checksum|ksgate_registry_live_revision) (\d+)$/mg;
    is $metric{ksgate_registry_checksum}, do { no warnings 'portable'; hex substr $after->{checksum}, 0, 13 }, 'the metric has as much of it as a number can hold';
    is $metric{ksgate_registry_live_revision}, $after->{revision}, 'and there is one of its revision';
    my $file = spew($second->dir . '/more.yaml', $json->encode(extension('only-here', $up->url)));
    my %store = (%$second{grep { defined $second->{$_} } 'redis'}, config => {registry => {%{$second->{config}{registry}}, files => [$file]}});
    my $third = gateway(%store);
    isnt live($third)->{checksum}, $after->{checksum}, 'a gateway with a file of its own differs';
    $third->stop;
    $gw->admin(DELETE => path_of('sum'));
    eventually { my $now = agree($gw, $second); $now && $now->{checksum} eq $before->{checksum} } 'what it was';
    pass 'what is as it was before has the checksum of before';
}

# Waits of the control thread in a second: 20 are the ticks of its clock.
sub waits {
    my ($gw) = @_;
    my $pid = $gw->server_pid;
    my $n = sub { (slurp("/proc/$pid/task/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m)[0] };
    my $before = $n->();
    sleep 1; # the passing of time is what is tested
    return $n->() - $before;
}

sub idle {
    my ($gw) = @_;
    ok eventually(sub { waits($gw) < 40 }, 'a second of rest'), 'nobody has written for a while: nobody looks all the time whether someone has';
}

sub restarted {
    my ($gw) = @_;
    is $gw->stop, 0, 'the gateway stops';
    $gw->start;
    is body($gw, 'both'), '/x two', 'and knows everything when it is back';
    is $gw->admin(GET => path_of('both'))->{status}, 200, 'in the registry too';
}

done_testing;
