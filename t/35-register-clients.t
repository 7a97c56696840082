# The clients of docs/howto/register/, each as a service would use it: C, Go, Python and shell.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(tempdir);

my $dir = tempdir();
my $here = 'docs/howto/register';
my $up = upstream { [200, {}, 'up'] };
my $gw = gateway(objects => [
    role(GlobalRole => 'registrar', [{apiGroups => ['ksgate.io'], resources => ['extensionservices/endpoints'], verbs => ['*']}]),
    binding(GlobalRole => 'robot-registrar', 'registrar', 'robot'),
]);

my %client = (
    C => sub { build("$dir/c", qw(cc -std=c99 -Wall -Wextra -Werror -o), "$dir/c", "$here/register.c", '-lcurl') },
    Go => sub { build("$dir/go", qw(go build -o), "$dir/go", "$here/register.go") },
    Python => sub { ('python3', "$here/register.py") },
    shell => sub { ('sh', "$here/register.sh") },
);

sub build {
    my ($program, @command) = @_;
    local $ENV{GOCACHE} = "$dir/gocache";
    my $said = qx{@command 2>&1};
    is $?, 0, "it compiles" or diag $said;
    return $program;
}

sub ended {
    my ($process) = @_;
    eventually { !$process->running } 'the end';
    return $process->stop;
}

for my $language (sort keys %client) {
    subtest $language => sub { try(lc $language, $client{$language}->()) };
}

sub try {
    my ($name, @program) = @_;
    my $token = spew("$dir/$name.token", $gw->token('robot') . "\n");
    my $client = Gateway::Process->new(name => $name, log => "$dir/$name.log", env => {LEASE => 3, VERSION => "v-$name"},
        command => [@program, $gw->url . '/', $name, 'pod-1', $up->url, $token]);
    my $says = sub { my ($what) = @_; eventually { $client->log =~ $what } "$name to say $what" };
    my $served = sub { ($gw->request(GET => "/extensions/$name/x")->{body} // '') eq 'up' };

    $says->(qr/404: .*"$name" not found.*trying again/);
    $gw->apply([extension($name => undef)]);
    eventually { $served->() } 'the endpoint';
    pass 'registers as soon as the extension is there';
    $says->(qr/^register: registered$/m);
    my ($e) = @{$gw->admin(GET => "/-/apis/ksgate.io/v1/endpoints?fieldSelector=metadata.name=$name.pod-1")->{json}{items}};
    is_deeply [@{$e->{spec}}{qw(url leaseSeconds version)}], [$up->url, 3, "v-$name"], 'with its URL, lease and version';

    spew($token, "rubbish\n");
    $says->(qr/401: .*trying again/);
    spew($token, $gw->token('robot') . "\nmore\n");
    $says->(qr/^register: registered again$/m);
    ok $served->(), 'a token that was replaced is read again, the first line of the file';
    unlike $client->log, qr/eyJ/, '... and is in no message';

    is $client->stop, 0, 'it ends when it is told to';
    ok !$served->(), '... and has left by then';
    unlike $client->log, qr/could not be told/, '... as the gateway knows';

    my $old = Gateway::Process->new(name => "$name-old", log => "$dir/$name.old", env => {LEASE => 3000}, command => [@program, $gw->url, $name, 'pod-1', 'http://127.0.0.1:1', $token]);
    eventually { $old->log =~ /^register: registered$/m } 'one that is to be replaced';
    is $gw->request(PUT => "/-/apis/ksgate.io/v1/extensionservices/$name/endpoints/pod-1?wait=live", $gw->as('robot'), 'Content-Type' => 'application/json', body => qq({"url": "@{[$up->url]}"}))->{status}, 200,
        'another one is started in its place, by the same user and with the same id';
    is $old->stop, 0, 'the old one ends';
    ok $served->(), '... and takes only itself out';
    unlike $old->log, qr/could not be told/, '... as it knows';
    $gw->admin(DELETE => "/-/apis/ksgate.io/v1/extensionservices/$name/endpoints/pod-1");

    for my $id ('a b', 'a#b', 'a/b', 'a?dryRun=All', '{a,b}') {
        my $odd = Gateway::Process->new(name => "$name-odd", log => "$dir/$name.odd", crash_ok => 1, command => [@program, $gw->url, $name, $id, $up->url, $token]);
        is ended($odd), 1, "the id $id is refused";
    }
    is_deeply $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}, [], '... and none of another name is registered';
    my $upper = Gateway::Process->new(name => "$name-upper", log => "$dir/$name.upper", crash_ok => 1, command => [@program, $gw->url, $name, 'Pod_1', $up->url, $token]);
    is ended($upper), 1, 'what is no name is refused';
    like $upper->log, qr/refused: 422: Endpoint "$name.Pod_1" is invalid: metadata.name: .*lower case/, '... in the words of the answer, which are not those of its causes';

    my $wrong = Gateway::Process->new(name => "$name-wrong", log => "$dir/$name.wrong", crash_ok => 1,
        command => [@program, $gw->url, $name, 'pod.1', $up->url, $token]);
    eventually { $wrong->log =~ /refused: 422: .*can't be the id of an endpoint/ } 'the refusal';
    is ended($wrong), 1, 'what can only be wrong ends it';
    my $usage = Gateway::Process->new(name => "$name-usage", log => "$dir/$name.usage", crash_ok => 1, command => [@program]);
    is ended($usage), 2, 'it says how it is used';
    my $nameless = Gateway::Process->new(name => "$name-nameless", log => "$dir/$name.nameless", crash_ok => 1, command => [@program, $gw->url, $name, '', $up->url, $token]);
    is ended($nameless), 2, '... also to a shell that has no $HOSTNAME';
    for my $lease ('0', '-3', '15s', '', '3601') {
        my $log = "$dir/$name.lease" . length $lease;
        my $odd = Gateway::Process->new(name => "$name-lease", log => $log, crash_ok => 1, env => {LEASE => $lease}, command => [@program, $gw->url, $name, 'pod-1', $up->url, $token]);
        is ended($odd), 2, "LEASE='$lease' is none";
        like $odd->log, qr/^register: LEASE=\Q$lease\E: it takes 2 to 3600, in seconds$/m, '... as it says';
    }
    odd_gateways($name, @program);
}

# A gateway that says what $answer->(METHOD, how many before) gives: a status and whether it ever
# ends; nothing: no answer.  Its log has each request, and when it came.
sub odd_gateway {
    my ($name, $answer) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die $!;
    my $odd = Gateway::Process->new(name => "$name-odd-gateway", log => tempdir() . '/log', code => sub {
        my $n = 0;
        my %endless;
        my @silent;
        while (1) {
            for (IO::Select->new($listener)->can_read(0.1)) {
                my $c = $listener->accept;
                my $request = '';
                sysread $c, $request, 65536, length $request or last until $request =~ /\r\n\r\n.*\}\z/s;
                my ($method) = $request =~ /^([A-Z]+)/ or next;
                printf "%s %.3f\n", $method, time;
                STDOUT->flush;
                my ($status, $ends) = $answer->($method, $n++);
                syswrite $c, "HTTP/1.1 $status X\r\nConnection: close\r\n\r\n" if $status;
                if (!$status) {
                    push @silent, $c;
                } elsif (!$ends) {
                    $endless{$c} = $c;
                }
            }
            syswrite $_, ' ' or delete $endless{$_} for values %endless;
        }
    });
    $odd->{expected_end} = 1;
    return ($odd, 'http://127.0.0.1:' . $listener->sockport);
}

sub odd_gateways {
    my ($name, @program) = @_;
    my $begin = sub {
        my ($what, $lease, $answer) = @_;
        my ($odd, $url) = odd_gateway("$name-$what", $answer);
        my $client = Gateway::Process->new(name => "$name-$what", log => "$dir/$name.$what", env => {LEASE => $lease}, command => [@program, $url, $name, 'pod-1', $up->url]);
        eventually { $odd->log =~ /^PUT/m } 'the first request';
        return ($odd, $client);
    };

    my ($odd, $client) = $begin->(deaf => 2, sub { return $_[1] % 2 ? () : (200, 1) });
    eventually {
        my @heard = (grep { !/DELETE/ } split /\n/, $odd->log)[map { 2 * $_ } 0 .. 50];
        my @at = map { /([\d.]+)/ } grep { defined } @heard;
        grep { $at[$_] - $at[$_ - 1] < 2 } 1 .. $#at;
    } 'a renewal within the lease when each second request is lost', 30;
    pass 'one request may get lost, however short the lease';
    is $client->stop, 0, '... and it ends';

    for my $status (200, 503) {
        ($odd, $client) = $begin->("endless-$status" => 2, sub { return ($status, 0) });
        eventually { 3 <= (() = $odd->log =~ /^PUT/mg) } "$name to ask again", 20;
        pass "an answer ($status) that never ends is not waited for";
        is $client->stop, 0, '... and it ends';
    }

    ($odd, $client) = $begin->(silent => 3, sub { return });
    is $client->stop, 0, 'it ends while a request has no answer';
    eventually { $odd->log =~ /^DELETE/m } 'the farewell';
    pass '... and leaves: it may be registered';

    ($odd, $client) = $begin->(unknown => 30, sub { return (503, 1) });
    eventually { $client->log =~ /503: .*trying again/ } 'the answer';
    is $client->stop, 0, 'it ends when what came of its request is not known';
    like $odd->log, qr/^DELETE/m, '... and leaves, too';

    for ([401, 1], [503, 1], [404, 0], [409, 0]) {
        my ($status, $says) = @$_;
        ($odd, $client) = $begin->("leave-$status" => 30, sub { return ($_[0] eq 'PUT' ? 200 : $status, 1) });
        eventually { $client->log =~ /registered/ } 'the registration';
        is $client->stop, 0, "it ends when DELETE is answered $status";
        is scalar($client->log =~ /could not be told/), $says ? 1 : '', '... and says whether it is still there';
    }
}

subtest 'ksgate register' => sub {
    my $token = spew("$dir/command.token", $gw->token('robot') . "\n");
    $gw->apply([extension(command => undef)]);
    my $command = Gateway::Process->new(name => 'command', log => "$dir/command.log",
        command => [Gateway::program(), 'register', 'command', $up->url, '--lease', '2s', '--server', $gw->url, '--token-file', $token]);
    eventually { $command->log =~ /^command is registered$/m } 'the registration';
    spew($token, "rubbish\n");
    eventually { $command->log =~ /malformed; trying again/ } 'the token that was replaced';
    pass 'the token file is read at each request';
    unlink $token;
    spew($token, $gw->token('robot') . "\n");
    eventually { $command->log =~ /^command is registered again$/m } 'the right one';
    pass '... and it goes on with a right one';
    is $command->stop, 0, 'it ends when it is told to';
    is_deeply $gw->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}, [], '... and has left';

    my ($odd, $url) = odd_gateway(command => sub { return });
    my $silent = Gateway::Process->new(name => 'command-silent', log => "$dir/command-silent.log",
        command => [Gateway::program(), 'register', 'command', $up->url, '--lease', '3s', '--server', $url]);
    eventually { $odd->log =~ /^PUT/m } 'the first request';
    is $silent->stop, 0, 'it ends while a request has no answer';
    eventually { $odd->log =~ /^DELETE/m } 'the farewell';
    pass '... and leaves: it may be registered';
};

# What answers may be no gateway, or one that dies amid its answer.
subtest 'no HTTP' => sub {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die $!;
    my $rubbish = Gateway::Process->new(name => 'rubbish', log => "$dir/rubbish.log", code => sub {
        my @answers = ("rubbish\r\n\r\n", '', "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
            "HTTP/1.1 503 Away\r\nContent-Length: 50\r\n\r\nhalf");
        for (my $n = 0; my $c = $listener->accept; $n++) {
            sysread $c, my $request, 65536;
            syswrite $c, $answers[$n % @answers];
            print "$n\n";
            STDOUT->flush;
        }
    });
    $rubbish->{expected_end} = 1;
    my $token = spew("$dir/rubbish.token", "t\x01o\n");
    my $client = Gateway::Process->new(name => 'python', log => "$dir/rubbish-client.log", env => {LEASE => 2},
        command => [$client{Python}->(), 'http://127.0.0.1:' . $listener->sockport, 'x', 'pod-1', $up->url, $token]);
    eventually { $client->log =~ /trying again until it works/ } 'the trouble with the token';
    is $rubbish->log, '', 'a token that is no header is not sent';
    spew($token, "one\n");
    eventually { $rubbish->log =~ /^5$/m } 'all answers';
    ok $client->running, 'the Python client goes on whatever is answered' or diag $client->log;
    is $client->stop, 0, '... and ends when it is told to';
};

done_testing;
