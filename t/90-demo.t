# What the README's first screen promises, said by the demonstration itself.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

my $port = free_port();
my $dir = tempdir();
my $state = "/tmp/ksgate-demo-$port";

my $demo = Gateway::Process->new(
    name => 'demo',
    log => "$dir/log",
    command => ['conf/demo/run'],
    env => {KSGATE => Gateway::program(), KSGATE_PORT => $port},
);
$demo->wait_until('ready', sub { $demo->log =~ /ksgate is ready/ });

sub ask { return Gateway::Client->new(to => "127.0.0.1:$port")->request(@_) }

sub token {
    my ($user, $password) = @_;
    my $r = ask(POST => '/oauth/token', 'Content-Type' => 'application/x-www-form-urlencoded',
        body => "grant_type=password&username=$user&password=" . ($password // $user));
    return $r->{json}{access_token};
}

my %as = map { $_ => [Authorization => 'Bearer ' . token($_)] } qw(alice bob);
my $greeting = '/extensions/hello/workspaces/demo/greetings/world';

is token('alice', 'wrong'), undef, 'a wrong password gives no token';

my $r = ask(GET => '/kapis/tenant.kubesphere.io/v1beta1/workspaces/demo/namespaces', @{$as{alice}});
is $r->{status}, 200, 'alice may list the namespaces of her workspace';
is $r->{json}{items}[0]{metadata}{name}, 'demo-app', 'and ks-core answers';

$r = ask(GET => $greeting, @{$as{alice}}, 'X-Remote-User' => 'admin');
is $r->{status}, 200, 'alice may be greeted in her workspace';
is $r->{json}{path}, '/workspaces/demo/greetings/world', 'the extension sees the path below its own';
is $r->{json}{identity}{'x-remote-user'}, 'alice', 'and who asks, whatever the request claims';

$r = ask(GET => $greeting);
is $r->{status}, 401, 'nobody in particular may not';
is $r->{json}{reason}, 'Unauthorized', 'and is told so as Kubernetes does';

$r = ask(GET => $greeting, @{$as{bob}});
is $r->{status}, 403, 'bob of another workspace may not';
like $r->{json}{message}, qr/bob/, 'and is told who was refused';

my $why = ksgate('explain', '-c', "$state/ksgate.yaml", 'GET', $greeting, '--as', 'bob');
like $why->{out}, qr/deny|denied|forbidden/i, 'explain says that bob may not';
$why = ksgate('explain', '-c', "$state/ksgate.yaml", 'GET', $greeting, '--as', 'alice');
like $why->{out}, qr/demo-admin/, 'explain names the role that lets alice in';

is $demo->stop('INT'), 0, 'Ctrl-C ends it well';
ok !-e $state, 'and nothing is left behind';
ok !eval { ask(GET => '/-/healthz') }, 'nor does anything listen';

done_testing;
