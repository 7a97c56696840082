# Backends that are no address: a Kubernetes Service by its name, a unix socket by its file.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Names;
use Gateway::Objects;

sub named {
    my ($name, %at) = @_;
    return upstream { [200, {$_[0]{path} =~ m{/last$} ? (Connection => 'close') : ()}, $name] } %at;
}

my $port = free_port();
my %pod = map { my ($name, $address) = @$_; $name => named($name, port => $port, address => $address) } ['a', '127.0.0.1'], ['b', '127.0.0.2'];
my $service = 'devops-api.extension-devops.svc';
my $dns = Gateway::Names->new(
    $service => {A => ['127.0.0.1'], ttl => 0},
    'headless.extension-devops.svc' => {A => ['127.0.0.1', '127.0.0.2'], ttl => 3600},
);
my $socket = named('by the socket', socket => 1);
my $gw = gateway(core => $socket->url, console => $socket->url, workers => 1,
    config => {dns => {servers => [$dns->at], min_ttl => '1s', max_ttl => '1s'}, timeouts => {connect => '3s'}});

sub service { return {namespace => 'extension-devops', name => $_[0], port => $port, @_[1 .. $#_]} }
sub ask { my ($name, $path) = @_; return $gw->request(GET => "/extensions/$name/" . ($path // 'x')) }

sub is_status {
    my ($r, $status, $message, $what) = @_;
    my $fine = $r->{status} == $status && ($r->{json}{message} // '') =~ $message;
    ok $fine, "$what: $status" or diag "$r->{status} $r->{body}";
    return;
}

# ---- A Kubernetes Service ----------------------------------------------------------------------

$gw->apply([extension('devops', undef, service => service('devops-api'))]);
is ask('devops')->{body}, 'a', 'a Service is reached by its name';
is $pod{a}->last->{headers}{host}, "$service:$port", 'which it sees as its Host';
$dns->set($service => {A => ['127.0.0.2'], ttl => 0});
ok eventually { ask('devops')->{body} eq 'b' }, 'it moves, and is followed';

$gw->apply([extension('headless', undef, service => service('headless', scheme => 'http'))]);
my %seen;
$seen{ask('headless', 'last')->{body}}++ for 1 .. 10;
is_deeply \%seen, {a => 5, b => 5}, 'a headless Service: all its pods are used';

$gw->apply([extension('both', $pod{b}->url, service => service('devops-api'), loadBalancer => {policy => 'round_robin'})]);
$dns->set($service => {A => ['127.0.0.1'], ttl => 0});
ok eventually { my %now = map { ask('both')->{body} => 1 } 1 .. 4; keys %now == 2 }, 'beside spec.endpoints it is one more';

my ($es) = $gw->ksgate_here('get', 'es', 'devops')->{out};
like $es, qr/^devops\s.*\bdevops-api\.extension-devops\b(?! and)/m, 'ksgate get says which';
like $gw->ksgate_here('get', 'es', 'both')->{out}, qr/^both\s.*\bdevops-api\.extension-devops and 1\b/m, '... and how many there are beside it';
my ($summary) = grep { $_->{name} eq 'devops' } @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}};
is_deeply [map { "$_->{source} $_->{url}" } @{$summary->{endpoints}}], ["service http://$service:$port"], 'so does the list of extensions';
like $gw->ksgate_here('explain', 'GET', '/extensions/devops/x', '--as', 'admin')->{out}, qr{http://\Q$service\E:$port}, 'and explain';

$gw->apply([extension('nobody', undef, service => service('nobody'))]);
is_status(ask('nobody'), 502, qr/no connection to the backend.*no address/, 'a Service that is not there');
my ($line) = $gw->access_log(1, sub { $_->{path} =~ m{^/extensions/nobody} });
is $line->{endpoint}, "http://nobody.extension-devops.svc:$port", 'the log has its name';
$dns->set('nobody.extension-devops.svc' => {A => ['127.0.0.1'], ttl => 0});
ok eventually { ask('nobody')->{status} == 200 }, 'until it is';

for my $case (
    [{name => 'b', port => 80}, qr/spec\.service\.namespace: is required/],
    [{namespace => 'a', name => 'b.c', port => 80}, qr/spec\.service\.name: "b\.c" is not the name of a Kubernetes Service/],
    [{namespace => 'a', name => 'b', port => 443, scheme => 'https'}, qr/spec\.service\.scheme: TLS to backends is not there yet/],
) {
    my ($spec, $message) = @$case;
    my $r = $gw->admin(PUT => path_of('wrong'), extension('wrong', undef, service => $spec));
    is_status($r, 422, $message, 'what it can not be');
}

# ---- A unix socket ------------------------------------------------------------------------------

is $gw->request(GET => '/x')->{body}, 'by the socket', 'the core behind a unix socket';
is $gw->request(POST => '/x', body => 'x' x 100_000)->{body}, 'by the socket', 'with a body';
is $socket->last->{body_bytes}, 100_000, 'of which all has come';
$gw->apply([extension('local', $socket->url), extension('mixed', undef, endpoints => [map { {url => $_->url} } $socket, $pod{a}])]);
is ask('local')->{body}, 'by the socket', 'an extension behind it';
is $socket->connections, 1, 'all on one connection';

$socket->stop;
is_status(ask('local'), 502, qr/no connection to the backend.*refused/i, 'nobody listens at the socket');
my $path = $socket->url =~ s/^unix://r;
unlink $path or die "unlink $path: $!";
is_status(ask('local'), 502, qr/no connection to the backend.*No such file/, 'the socket is gone');
is_status($gw->request(GET => '/x'), 502, qr/No such file/, 'the core\'s, too');
is_status($gw->request(POST => '/x', body => 'x'), 502, qr/No such file/, 'for a POST, too');
is ask('mixed')->{body}, 'a', 'another backend has it' for 1 .. 8;
spew($path, 'no socket');
is_status(ask('local'), 502, qr/refused/i, 'another file is there');
unlink $path or die "unlink $path: $!";
$socket->start;
is ask('local')->{body}, 'by the socket', 'the socket is back';

my $health = {path => '/healthz', interval => '100ms', timeout => '1s', healthy => 1, unhealthy => 1};
sub state_of { return (grep { $_->{name} eq 'checked' } @{$gw->admin(GET => '/-/apis/ksgate.io/v1/extensions')->{json}{items}})[0]{endpoints}[0] }
$gw->apply([extension('checked', $socket->url, healthCheck => $health)]);
eventually { state_of()->{healthy} } 'it is well';
unlink $path or die "unlink $path: $!";
my $state = eventually { my $s = state_of(); !$s->{healthy} && $s } 'the check notices';
like $state->{reason}, qr/No such file/, 'the check says that the socket is gone';
$socket->stop;
$socket->start;
ok eventually { state_of()->{healthy} }, 'and that it is back';

my $wrong = $gw->admin(PUT => path_of('wrong'), extension('wrong', 'unix:relative.sock'));
is_status($wrong, 422, qr/spec\.endpoints\[0\]\.url.*absolute path/, 'a path that is none');
$wrong = $gw->admin(PUT => path_of('wrong'), extension('wrong', 'unix:/' . 'x' x 107));
is_status($wrong, 422, qr/spec\.endpoints\[0\]\.url.*longer than 107/, 'a path that is too long');
$wrong = $gw->admin(PUT => path_of('local') . '/endpoints/x', {url => $socket->url});
is_status($wrong, 422, qr/unix socket can only stand in the endpoints/, 'nobody registers a socket of this machine');

is scalar(() = $gw->stderr =~ /starting it again/g), 0, 'the gateway never had to start again';

done_testing;
