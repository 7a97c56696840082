# What an extension sees of a request, what the client sees of its answer, which of its backends
# is asked, and what is written down of it.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $json = JSON::PP->new->canonical;

# Answers what it was asked, or what the query says: ?header=Name:value&status=302
sub echo {
    my ($r) = @_;
    my @headers;
    for (split /&/, $r->{query} // '') {
        my ($name, $value) = /^header=([^:]+):(.*)/ or next;
        push @headers, $name, $value =~ s/%([0-9A-F]{2})/chr hex $1/ger;
    }
    my ($status) = ($r->{query} // '') =~ /\bstatus=(\d+)/;
    return [$status // 200, \@headers, $r->{target}];
}

my $up = upstream { echo(@_) };
my $core = upstream { [200, {}, 'core'] };
my $gw = gateway(core => $core->url, workers => 2, config => {log => {flush => '0s'}}, objects => [
    extension('strip', $up->url),
    extension('whole', $up->url, path => {stripPrefix => JSON::PP::false}),
    extension('base', $up->url, path => {prepend => '/base'}),
    extension('wholebase', $up->url, path => {stripPrefix => JSON::PP::false, prepend => '/base'}),
]);

# ---- The path ---------------------------------------------------------------------------------------

for (
    # asked, seen
    ['/extensions/strip/', '/'],
    ['/extensions/strip/a/b', '/a/b'],
    ['/extensions/strip/a/b/', '/a/b/'],
    ['/extensions/strip/a%20b?x=%2F&y=/..', '/a%20b?x=%2F&y=/..'],
    ['/extensions/strip/?', '/?'],
    ['/extensions/strip/?q', '/?q'],
    ['/extensions/strip/extensions/strip/x', '/extensions/strip/x'],
    ['/extensions/whole/a', '/extensions/whole/a'],
    ['/extensions/base/', '/base/'],
    ['/extensions/base/a?b', '/base/a?b'],
    ['/extensions/wholebase/a', '/base/extensions/wholebase/a'],
) {
    my ($asked, $seen) = @$_;
    is $gw->request(GET => $asked)->{body}, $seen, "$asked arrives as $seen";
}
is $gw->request(POST => '/extensions/strip', body => 'x')->{body}, '/', 'a POST to /extensions/strip arrives at /';
for (['/extensions/strip', '/extensions/strip/'], ['/extensions/strip?a=b', '/extensions/strip/?a=b']) {
    my $r = $gw->request(GET => $_->[0]);
    is $r->{status}, 308, "$_->[0] is redirected";
    is $r->{headers}{location}, $_->[1], "to $_->[1]";
}
is $gw->request(GET => $_)->{status}, 404, "$_ is no extension" for '/extensions/', '/extensions/stripped/x', '/extensions/Strip/x';
is $gw->request(GET => $_)->{status}, 400, "$_ is refused"
    for '/extensions/strip/../whole/x', '/extensions/strip%2Fx', '/extensions/strip//x', '/extensions/strip/%2e%2e/x';

{
    $gw->request(GET => '/extensions/strip/x', Host => 'ks.example:8080', 'X-Forwarded-Prefix' => '/evil', 'X-Forwarded-For' => '1.2.3.4');
    my $h = $up->last->{headers};
    is $h->{'x-forwarded-prefix'}, '/extensions/strip', 'the extension is told its prefix';
    is $h->{'x-forwarded-host'}, 'ks.example:8080', 'and the host that was asked';
    is $h->{'x-forwarded-for'}, '127.0.0.1', 'and who asked, not who is said to have asked';
    is $h->{'x-forwarded-proto'}, 'http', 'and how';
    ok $h->{'x-request-id'}, 'and the number of the request';
    $gw->request(GET => '/extensions/whole/x', 'X-Forwarded-Prefix' => '/evil');
    is $up->last->{headers}{'x-forwarded-prefix'}, undef, 'one that keeps its prefix is not told';
}

# ---- What points back -----------------------------------------------------------------------------------

my $own = $up->url;
for (
    # extension, header, what it says, what the client gets
    [strip => Location => '/login', '/extensions/strip/login'],
    [strip => Location => '/login?next=/a', '/extensions/strip/login?next=/a'],
    [strip => Location => "$own/login", '/extensions/strip/login'],
    [strip => Location => $own, '/extensions/strip/'],
    [strip => Location => 'http://ks.example/login', 'http://ks.example/extensions/strip/login'],
    [strip => Location => '/extensions/strip/login', '/extensions/strip/login'],
    [strip => Location => 'next/page', 'next/page'],
    [strip => Location => '../up', '../up'],
    [strip => Location => 'https://idp.example.com/authorize', 'https://idp.example.com/authorize'],
    [strip => Location => '//cdn.example.com/x', '//cdn.example.com/x'],
    [strip => 'Set-Cookie' => 'a=b; Path=/; HttpOnly', 'a=b; Path=/extensions/strip; HttpOnly'],
    [strip => 'Set-Cookie' => 'a=b; path=/app', 'a=b; path=/extensions/strip/app'],
    [strip => 'Set-Cookie' => 'a=b', 'a=b'],
    [strip => Refresh => '5; url=/done', '5; url=/extensions/strip/done'],
    [strip => Refresh => '5', '5'],
    [whole => Location => '/extensions/whole/x', '/extensions/whole/x'],
    [whole => Location => '/elsewhere', '/elsewhere'],
    [base => Location => '/base/login', '/extensions/base/login'],
    [base => Location => '/base', '/extensions/base/'],
    [base => Location => "$own/base/login", '/extensions/base/login'],
    [base => Location => '/outside', '/outside'],
    [base => Location => '/based', '/based'],
    [base => Location => '/base?x', '/extensions/base/?x'],
    [base => Location => '/extensions/base?x', '/extensions/base?x'],
    [base => 'Set-Cookie' => 'a=b; Path=/', 'a=b; Path=/extensions/base'],
    [base => 'Set-Cookie' => 'a=b; Path=/base', 'a=b; Path=/extensions/base'],
    [base => 'Set-Cookie' => 'a=b; Path=/base/x', 'a=b; Path=/extensions/base/x'],
) {
    my ($name, $header, $says, $gets) = @$_;
    my $value = $says =~ s/([ =&?;%])/sprintf '%%%02X', ord $1/ger;
    my $status = $header eq 'Location' ? 302 : 200;
    my $r = $gw->request(GET => "/extensions/$name/x?status=$status&header=$header:$value", Host => 'ks.example');
    is $r->{headers}{lc $header}, $gets, "$name: $header: $says becomes $gets";
}

# ---- Which backend ---------------------------------------------------------------------------------------

my @three = map { my $n = $_; upstream { [200, {}, $n] } } 0 .. 2;
sub ask {
    my ($gw, $name, $n) = @_;
    my %got;
    my @clients = map { $gw->connect } 1 .. 4;
    $got{$_->{status} == 200 ? $_->{body} : "$_->{status}"}++ for map { $clients[$_ % 4]->request(GET => "/extensions/$name/x") } 1 .. $n;
    return \%got;
}

$gw->apply([
    extension('weights', undef, endpoints => [map { {url => $three[$_]->url, weight => (3, 1, 0)[$_]} } 0 .. 2]),
    extension('even', undef, endpoints => [map { {url => $_->url} } @three]),
]);
my $got = ask($gw, 'weights', 400);
cmp_ok abs($got->{0} - 300), '<', 45, "of 400 requests about three in four go where the weight is three ($got->{0})";
is $got->{0} + $got->{1}, 400, 'and the rest to the other';
is $got->{2}, undef, 'none where it is zero';
$got = ask($gw, 'even', 300);
cmp_ok $got->{$_}, '>', 60, "equal weights: $got->{$_} of 300" for 0 .. 2;

# A backend that drains finishes what it has and gets nothing new.
{
    my $slow = upstream { my ($r) = @_; $r->hold if $r->{path} eq '/hold'; [200, {}, 'slow'] };
    $gw->apply([extension('drain')]);
    my $place = path_of('drain') . '/endpoints';
    $gw->admin(PUT => "$place/a?wait=live", {url => $slow->url})->{status} == 201 or die 'not registered';
    my $c = $gw->connect;
    $c->send_request(GET => '/extensions/drain/hold');
    $slow->wait_for(1);
    is $gw->admin(PUT => "$place/a?wait=live", {url => $slow->url, draining => JSON::PP::true})->{status}, 200,
        'a backend says that it drains';
    is $gw->request(GET => '/extensions/drain/x')->{status}, 503, 'and gets nothing new';
    $gw->admin(PUT => "$place/b?wait=live", {url => $three[0]->url});
    is_deeply ask($gw, 'drain', 20), {0 => 20}, 'which goes to the others';
    $slow->release;
    is $c->response->{body}, 'slow', 'but may finish what it has';
    is $slow->seen, 1, 'which was all';
}

# One of two is dead: nobody notices.
{
    my $dies = upstream { [200, {}, 'dies'] };
    $gw->apply([extension('half', undef, endpoints => [{url => $dies->url}, {url => $three[0]->url}])]);
    ask($gw, 'half', 20);
    $dies->stop;
    my $after = ask($gw, 'half', 200);
    is_deeply $after, {0 => 200}, 'none of 200 requests fails when one of two backends has died' or diag explain $after;
    $gw->apply([extension('dead', undef, endpoints => [{url => $dies->url}])]);
    my $r = $gw->request(GET => '/extensions/dead/x');
    is $r->{status}, 502, 'when the only one has, it is said';
    is $r->{json}{message}, 'no connection to the backend could be made: Connection refused', 'in words';
    unlike $r->{body}, qr/127\.0\.0\.1/, 'that do not tell where it was';
    is $gw->request(GET => '/extensions/strip/x')->{status}, 200, 'and other extensions go on';
    $dies->start;
    eventually { $gw->request(GET => '/extensions/dead/x')->{status} == 200 } 'the backend that is back';
    pass 'it is asked again when it is back';
}

# ---- What is written down ----------------------------------------------------------------------------------

sub metrics {
    my $r = $gw->admin(GET => '/-/metrics');
    like $r->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4}, 'metrics are Prometheus\' text';
    return parse($r->{body});
}

# {series => value}; dies of what Prometheus would not take.
sub parse {
    my ($text) = @_;
    my (%type, %help, %value, $family);
    die "no line end at the end\n" if $text !~ /\n\z/;
    for (split /\n/, $text) {
        if (/^# HELP (\w+) \S/) {
            die "$1 has two HELP lines\n" if $help{$1}++;
            $family = $1;
        } elsif (/^# TYPE (\w+) (counter|gauge|histogram)$/) {
            die "TYPE of $1 is not behind its HELP\n" if $1 ne ($family // '') || exists $type{$1};
            $type{$1} = $2;
        } elsif (/^(\w+)(\{(?:[a-z_]+="(?:[^"\\]|\\[\\"n])*"(?:,(?!\}))?)+\})? (\d+(?:\.\d+)?|-?\d+)$/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            my $of = ($type{$family} // '') eq 'histogram' ? $name =~ s/_(?:bucket|sum|count)$//r : $name;
            die "$name stands below $family\n" if $of ne $family;
            die "$name$labels is there twice\n" if exists $value{"$name$labels"};
            die "$name is a counter without _total\n" if $type{$family} eq 'counter' && $name !~ /_total$/;
            $value{"$name$labels"} = $value;
        } else {
            die "'$_' is no line of metrics\n";
        }
    }
    return \%value;
}

{
    $gw->stop; # what was asked so far is counted by then
    $gw->start;
    my $before = metrics();
    my $r = 'ksgate_requests_total';
    my $grown_by = sub { # since then, but for the questions of the test itself
        my ($now) = @_;
        my $all = 0;
        $all += $now->{$_} - ($before->{$_} // 0) for grep { /^\Q$r\E\{/ && !/route="admin"/ } keys %$now;
        return $all;
    };
    my @host = (Host => 'log.test'); # by which their lines are known: earlier ones may be written later
    my $client = $gw->connect;
    $client->request(GET => '/extensions/strip/a%20b?x=y', @host) for 1 .. 7;
    $client->request(POST => '/extensions/strip/up', @host, body => 'x' x 1000);
    $client->request(GET => '/extensions/nothing/x', @host) for 1 .. 3;
    $client->request(GET => '/version', @host) for 1 .. 2;
    $client->request(GET => '/api/v1/nodes', @host);
    $client->request(GET => '/extensions/strip/x?status=500', @host);
    $gw->raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    my @lines = $gw->access_log(16, sub { ($_->{host} // '') eq 'log.test' || ($_->{error} // '') eq 'bad_host' });
    is scalar @lines, 16, 'each request has one line in the log' or diag explain \@lines;

    my ($l) = grep { ($_->{query} // '') eq 'x=y' } @lines;
    my %is = (client => '127.0.0.1', method => 'GET', path => '/extensions/strip/a%20b', route => 'extensions', extension => 'strip',
        user => 'system:anonymous', authentication => 'anonymous', allowed => JSON::PP::true, policy => 'public', endpoint => $up->url,
        tries => 1, upstream_status => 200, status => 200, bytes_in => 0, bytes_out => 10, end => 'done');
    is $l->{$_}, $is{$_}, "the line has $_" for sort keys %is;
    like $l->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '... when it was';
    cmp_ok $l->{duration_ms}, '>', 0, '... how long it took';
    is scalar(grep { $_->{reused} } grep { ($_->{query} // '') eq 'x=y' } @lines) >= 6, 1, '... over a connection that was there';
    is scalar(keys %{{map { $_->{id} => 1 } @lines}}), 16, '... and an id of its own each';
    ($l) = grep { $_->{method} eq 'POST' } grep { $_->{method} } @lines;
    is $l->{bytes_in}, 1000, 'bytes of a body are counted';
    is_deeply [map { $_->{error} } grep { $_->{status} == 404 } @lines], [('no_extension') x 3], 'errors are named';
    ($l) = grep { ($_->{path} // '') eq '/api/v1/nodes' } @lines;
    is_deeply [@$l{qw(status error verb resource allowed)}], [401, 'no_token', 'list', 'nodes', JSON::PP::false],
        'and refusals say what was asked';
    ($l) = grep { ($_->{error} // '') eq 'bad_host' } @lines;
    is $l->{status}, 400, 'what is no good request has a line too';

    eventually { $grown_by->(parse($gw->admin(GET => '/-/metrics')->{body})) >= 16 } 'all to be counted';
    my $after = metrics();
    my %grown = map { $_ => $after->{$_} - ($before->{$_} // 0) } keys %$after;
    is $grown{qq($r\{route="extensions",code="2xx",extension="strip"\})}, 8, 'metrics count requests of an extension';
    is $grown{qq($r\{route="extensions",code="5xx",extension="strip"\})}, 1, '... by class of status';
    is $grown{qq($r\{route="extensions",code="4xx",extension=""\})}, 3, '... without a name for what is not there';
    is $grown{qq($r\{route="core",code="2xx",extension=""\})}, 2, '... and of the core';
    is $grown{qq($r\{route="core",code="4xx",extension=""\})}, 1, '... with refusals';
    is $grown{'ksgate_errors_total{error="no_extension"}'}, 3, 'errors by name';
    is $grown{'ksgate_received_bytes_total{route="extensions"}'}, 1000, 'bytes';
    is $grown{'ksgate_request_duration_seconds_count{route="extensions"}'}, 12, 'and durations';
    is $grown{'ksgate_request_duration_seconds_bucket{route="extensions",le="+Inf"}'}, 12, 'in buckets';
    is $grown_by->($after), 16, 'and nothing twice';
    is $after->{ksgate_workers}, 2, 'the workers are there';
}

done_testing;
