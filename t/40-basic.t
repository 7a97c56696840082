# Names and passwords: checked by the registered users, never on a worker, and not too often.
use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::WebSocket;

my $json = JSON::PP->new->canonical;
my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'extension'] };

# ---- Users as ks-core keeps them ----------------------------------------------------------------

sub hash_of {
    my ($password, $cost) = @_;
    my $hash = crypt $password, sprintf '$2a$%02d$%s', $cost // 6, 'abcdefghijklmnopqrstuu';
    die 'this libcrypt has no bcrypt' if length($hash // '') != 60;
    return $hash;
}

sub user {
    my ($name, $password, %more) = @_;
    return {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'User', metadata => {name => $name},
        spec => {email => "$name\@example.com", password => $password, groups => $more{groups} // []},
        status => {state => $more{state} // 'Active'}};
}

sub basic {
    my ($name, $password) = @_;
    return (Authorization => 'Basic ' . encode_base64("$name:$password", ''));
}

my @objects = (
    extension('members', $ext->url, access => 'authenticated'),
    extension('open', $ext->url),
    extension('signed', $ext->url, access => 'authenticated', identity => 'assertion'),
    user('alice', hash_of('wonder:land'), groups => ['dev', 'system:masters']),
    user('slow', hash_of('molasses', 11)),
    user('dear', hash_of('gold', 11)),
    user('gone', hash_of('gone'), state => 'Disabled'),
    user('tired', hash_of('tired'), state => 'AuthLimitExceeded'),
    user('paused', hash_of('on hold'), state => 'Pending'),
    {%{user('new', hash_of('new'))}, status => {}},
    user('plain', 'P@88w0rd'),
    user('expensive', '$2a$31$abcdefghijklmnopqrstuuH1Ov8GLtL1Cwyh7hKUUJ0qH2h5bFpXK'),
    role('GlobalRole', 'all', [{verbs => ['*'], nonResourceURLs => ['*']}, {verbs => ['*'], apiGroups => ['*'], resources => ['*']}]),
    binding('GlobalRole', 'all', 'all', 'alice'),
);
my @patient = (wait => '30s'); # a check takes what it takes
my %passwords = (user_failures => 0, address_failures => 0, @patient);
my $gw = gateway(core => $core->url, workers => 1, objects => [@objects],
    config => {authentication => {basic => 'users', passwords => {%passwords}}});
my @words; # that must not be written down

sub ask {
    my ($name, $password, $path, %more) = @_;
    push @words, encode_base64("$name:$password", ''), length $password > 5 ? $password : ();
    my $g = delete $more{gateway} // $gw;
    return $g->request(GET => $path // '/extensions/members/x', basic($name, $password), %more);
}

sub count {
    my ($result, $g) = @_;
    return (($g // $gw)->admin(GET => '/-/metrics')->{body} =~ /^ksgate_passwords_total\{result="$result"\} (\d+)$/m)[0];
}

# ---- Right and wrong ------------------------------------------------------------------------------

my $r = ask('alice', 'wonder:land');
is $r->{status}, 200, 'the right password is let in' or diag $r->{body};
my $h = $ext->last->{headers};
is $h->{'x-remote-user'}, 'alice', 'the extension is told who asks, as with a token';
is $h->{'x-remote-group'}, 'system:authenticated, dev', 'and the groups, but none of the system';
is $h->{authorization}, undef, 'but not the password';
is count('right'), 1, 'it was checked once';
ask('alice', 'wonder:land') for 1 .. 5;
is count('right'), 1, 'and not again for a while';
is count('remembered'), 5, 'but remembered';
is $gw->request(GET => '/extensions/members/x', 'X-KubeSphere-Authorization' => (basic('alice', 'wonder:land'))[1])->{status}, 200,
    'in the other header too';
is $gw->request(GET => '/extensions/members/x', Authorization => 'bAsIc ' . encode_base64('alice:wonder:land', ''))->{status}, 200,
    'the scheme is of any case';
$r = ask('alice', 'wonder:land', '/kapis/iam.kubesphere.io/v1beta1/users');
is $r->{status}, 200, 'a path of the core that needs a permission';
is $core->last->{headers}{authorization}, (basic('alice', 'wonder:land'))[1], 'where the core gets the words, too';
is ask('alice', 'wonder:land', '/extensions/signed/x')->{status}, 200, 'an assertion';
ok $ext->last->{headers}{'x-ksgate-assertion'}, 'says the same';

my @wrong = (
    ['another password', 'alice', 'wonder:lanD', 'password_wrong'],
    ['the beginning of it', 'alice', 'wonder', 'password_wrong'],
    ['none', 'alice', '', 'password_wrong'],
    ['its hash', 'alice', hash_of('wonder:land'), 'password_wrong'],
    ['nobody of that name', 'mallory', 'wonder:land', 'password_wrong'],
    ['another spelling', 'Alice', 'wonder:land', 'password_wrong'],
    ['a space more', 'alice ', 'wonder:land', 'password_wrong'],
    ['a slash', 'a/../alice', 'wonder:land', 'password_wrong'],
    ['a line end', "alice\r\nX-Remote-User: admin", 'x', 'password_wrong'],
    ['no text', "\xff\xfe\x01", 'x', 'password_wrong'],
    ['a very long name', 'a' x 5000, 'x', 'password_wrong'],
    ['somebody who is disabled', 'gone', 'gone', 'user_disabled'],
    ['the same with a wrong one', 'gone', 'gone?', 'password_wrong'],
    ['a state that ks-core does not let in', 'paused', 'on hold', 'user_disabled'],
    ['somebody without a state', 'new', 'new', 'user_disabled'],
    ['a password that is not hashed', 'plain', 'P@88w0rd', 'password_wrong'],
    ['a hash that would take days', 'expensive', 'x', 'password_wrong'],
    ['a NUL in the password', 'alice', "wonder:land\0", 'basic_malformed'],
    ['a NUL in the name', "alice\0", 'wonder:land', 'basic_malformed'],
    ['no name', '', 'wonder:land', 'basic_malformed'],
);
my @later;
$ext->forget;
for my $case (@wrong) {
    my ($what, $name, $password, $error) = @$case;
    $r = ask($name, $password);
    is $r->{status}, 401, "$what: refused" or diag $r->{body};
    unlike $r->{headers}{'www-authenticate'}, qr/Basic/, "$what: no browser asks for another";
    push @later, [$what, $error];
}
for my $case (['no colon', encode_base64('alice', '')], ['no base64', '!!!!'], ['padding that is missing', 'YWxpY2U6eA'],
    ['nothing', ''], ['two words', encode_base64('alice:x', '') . ' x'], ['unused bits', 'YWxpY2U6eB==']) {
    is $gw->request(GET => '/extensions/members/x', Authorization => "Basic $case->[1]")->{status}, 401, "$case->[0]: refused";
    push @later, [$case->[0], 'basic_malformed'];
}
is $ext->seen, 0, 'none of it reached the extension';
like ask('new', 'new')->{json}{message}, qr/status\.state of the User is not Active/, 'and why, to who knows the password';
{
    my $before = count('wrong');
    is ask($_, '')->{status}, 401, "an empty password, $_" for 'alice', 'nobody';
    is count('wrong'), $before, 'is not worked on';
}
$r = ask('tired', 'tired');
is $r->{status}, 429, 'whom ks-core has suspended is told so';
like $r->{json}{message}, qr/AuthLimitExceeded/, 'in these words';
$r = ask('alice', 'nonsense', '/extensions/open/x');
is $r->{status}, 200, 'where everybody may come a wrong password is not in the way';
is $ext->last->{headers}{'x-remote-user'}, 'system:anonymous', 'but nobody in particular comes';
$r = ask('a-client', 'its-secret', '/oauth/token');
is $r->{status}, 200, 'a client of the core is no user';
is $core->last->{headers}{authorization}, (basic('a-client', 'its-secret'))[1], 'its words are for the core';

# ---- It takes its time, and nobody else's -----------------------------------------------------------------

{
    # An answer that is here before the check is counted is one of meanwhile.  When this test was not
    # let run until then, there is another user, who is not remembered.
    $gw->apply([map { user("slow-$_", hash_of('molasses', 11)) } 1 .. 5]);
    my $others = 0;
    my $c = $gw->connect; # to the same worker
    for (my $n = 1; $n <= 5 && !$others; $n++) {
        my $before = count('right');
        my @burst = map { $gw->connect } 1 .. 20;
        $_->send_request(GET => '/extensions/members/x', basic("slow-$n", 'molasses')) for @burst;
        while (1) {
            my $status = $c->request(GET => '/extensions/members/x', $gw->as('bob'))->{status};
            last if count('right') > $before;
            $others += $status == 200;
        }
        is_deeply [map { $_->response->{status} } @burst], [(200) x 20], 'twenty at once are let in';
        is count('right') - $before, 1, 'by one check';
    }
    cmp_ok $others, '>=', 1, "and others go on meanwhile ($others)";
}
for my $n (1 .. 5) {
    my ($leaves, $stays) = map { $gw->connect } 1 .. 2;
    $leaves->send_request(GET => '/extensions/members/x', basic('slow', "treacle-$n"));
    $stays->send_request(GET => '/extensions/members/x', basic('slow', $n % 2 ? 'molasses' : "treacle-$n"));
    $leaves->close; # its check is queued, or runs, or the other one hangs on it
    is $stays->response->{status}, $n % 2 ? 200 : 401, 'one who leaves takes nothing from another';
}

# How long a name takes that nobody has: as long as one that somebody has, compared in one run.
{
    my $g = gateway(core => $core->url, workers => 1, objects => [$objects[0], map { user($_, hash_of('x', 9)) } qw(a b c)],
        config => {authentication => {basic => 'users', passwords => {%passwords}}});
    my %took;
    for my $n (1 .. 7) {
        for my $name ('a', 'nobody-of-that-name') {
            my $start = time;
            ask($name, "wrong-$n", undef, gateway => $g);
            push @{$took{$name}}, time - $start;
        }
    }
    my ($known, $unknown) = map { (sort { $a <=> $b } @{$took{$_}})[3] } 'a', 'nobody-of-that-name';
    # without the work it would be a thirtieth
    cmp_ok $unknown, '>', $known / 3, sprintf 'a name that nobody has takes as long (%.0f ms, %.0f ms)', $unknown * 1000, $known * 1000;
}

# ---- What changes -------------------------------------------------------------------------------------------

is ask('alice', 'wonder:land')->{status}, 200, 'the old password';
$gw->apply([user('alice', hash_of('looking-glass'))]);
is ask('alice', 'wonder:land')->{status}, 401, 'is no longer good once there is another, remembered or not';
is ask('alice', 'looking-glass')->{status}, 200, 'which is';
$gw->apply([user('alice', hash_of('looking-glass'), state => 'Disabled')]);
is ask('alice', 'looking-glass')->{status}, 401, 'nor is it of one who is disabled since';
$gw->admin(DELETE => '/-/apis/iam.kubesphere.io/v1beta1/users/alice');
is ask('alice', 'looking-glass')->{status}, 401, 'or gone';

# ---- Who is within ------------------------------------------------------------------------------------------

{
    my $sockets = upstream {
        my ($r) = @_;
        my $ws = Gateway::WebSocket->server($r);
        while ((my $got = $ws->read)->{type} ne 'end') {
            $got->{type} eq 'close' ? $ws->send(close => $got->{data}) : $ws->send($got->{type} => $got->{data});
        }
        return KEEP;
    };
    my %end = (stays => 'stays', leaves => undef, changes => user('changes', hash_of('something else')),
        sleeps => user('sleeps', hash_of('sleeps'), state => 'Disabled'));
    my $g = gateway(workers => 1, config => {authentication => {basic => 'users', passwords => {%passwords}}}, objects => [
        extension('sockets', $sockets->url, access => 'authenticated'), map { user($_, hash_of($_)) } sort keys %end]);
    my %ws = map { $_ => Gateway::WebSocket->client($g, '/extensions/sockets/x', basic($_, $_)) } sort keys %end;
    $g->apply([user('stays', hash_of('stays'), groups => ['more']), grep { ref } values %end]);
    $g->admin(DELETE => '/-/apis/iam.kubesphere.io/v1beta1/users/leaves');
    is $ws{$_}->read->{type}, 'close', "the WebSocket of one who $_ is closed" for qw(leaves changes sleeps);
    $ws{stays}->send(text => 'still here');
    is $ws{stays}->read->{data}, 'still here', 'that of another stays open, with other groups too';
}

# ---- Too many ------------------------------------------------------------------------------------------------

{
    my $g = gateway(core => $core->url, workers => 2, objects => [@objects], config => {
        trusted_proxies => ['127.0.0.1'],
        authentication => {basic => 'users', passwords => {user_failures => 3, address_failures => 5, window => '20m', @patient}},
    });
    my @from = (gateway => $g, 'X-Forwarded-For' => '10.0.0.1');
    is ask('slow', 'molasses', undef, @from)->{status}, 200, 'one who is remembered';
    is ask('slow', "guess-$_", undef, @from)->{status}, 401, "wrong one $_ of a user" for 1 .. 3;
    my $told = ask('slow', 'guess-4', undef, gateway => $g, 'X-Forwarded-For' => '10.0.0.2');
    is $told->{status}, 429, 'the fourth is not looked at, wherever it comes from';
    cmp_ok $told->{headers}{'retry-after'}, '>', 1100, 'until the window is over';
    cmp_ok $told->{headers}{'retry-after'}, '<=', 1200, 'and no longer';
    like $told->{json}{message}, qr/too many wrong passwords: authentication\.passwords\.user_failures is 3 in 1200 s/, 'by the limit that has a name';
    is ask('no-such-user', "guess-$_", undef, @from)->{status}, 401, "wrong one $_ of nobody" for 1 .. 2;
    $told = ask('gone', 'gone', undef, @from);
    is $told->{status}, 429, 'an address has a limit too';
    like $told->{json}{message}, qr/address_failures is 5/, 'that has another name';
    is ask('gone', 'gone', undef, gateway => $g, 'X-Forwarded-For' => '10.0.0.3')->{status}, 401, 'which is not that of others';
    is ask('no-such-user', 'guess-3', undef, gateway => $g, 'X-Forwarded-For' => '10.0.0.3')->{status}, 401, 'nobody has three as well';
    is ask('no-such-user', 'guess-4', undef, gateway => $g, 'X-Forwarded-For' => '10.0.0.4')->{status}, 429, 'so that the limit tells nobody who exists';
    my @v6 = map { (gateway => $g, 'X-Forwarded-For' => "2001:db8:0:1::$_") } 1 .. 6;
    ask("u$_", 'guess', undef, @v6[4 * $_ - 4 .. 4 * $_ - 1]) for 1 .. 5;
    is ask('u6', 'guess', undef, @v6[20 .. 23])->{status}, 429, 'all addresses of an IPv6 network are one';
    is ask('u6', 'guess', undef, gateway => $g, 'X-Forwarded-For' => '2001:db8:0:2::1')->{status}, 401, 'and another network is another';
    is $g->request(GET => '/extensions/members/x', $g->as('slow'), 'X-Forwarded-For' => '10.0.0.1')->{status}, 200, 'a token is another matter';
    cmp_ok count('limited', $g), '>=', 3, 'they are counted';
    ok $g->access_log(1, sub { ($_->{error} // '') eq 'password_limit' && $_->{status} == 429 }), 'and logged';
}
{
    my $g = gateway(core => $core->url, workers => 1, objects => [@objects], config => {
        authentication => {basic => 'users', passwords => {%passwords, threads => 1, pending => 2}},
    });
    my @many = map { $g->connect } 1 .. 30; # so many that they can't come one by one, however slow we are
    $many[$_]->send_request(GET => '/extensions/members/x', basic('dear', "guess-$_")) for 0 .. $#many;
    my @answers = map { $_->response } @many;
    my @busy = grep { $_->{status} == 503 } @answers;
    cmp_ok scalar(@busy), '>=', 1, 'more than may wait are told to come again';
    is scalar(@busy) + grep({ $_->{status} == 401 } @answers), scalar @many, 'the others are answered';
    is $busy[0]{headers}{'retry-after'}, 1, 'in a second';
    like $busy[0]{json}{message}, qr/authentication\.passwords/, 'with the name of the limit';
    $g->configure({authentication => {basic => 'users', passwords => {%passwords, wait => '100ms', cost => 18}}});
    $g->apply([user('days', hash_of('x', 4) =~ s/^\$2a\$04/\$2a\$16/r)]);
    $g->reload;
    eventually { ask('days', 'no', undef, gateway => $g)->{status} == 503 } 'one that takes longer than may be waited';
    is $g->request(GET => '/extensions/members/x', $g->as('bob'))->{status}, 200, 'is in nobody\'s way';
    is $g->stop, 0, 'nor in that of the end';
}

# What is remembered answers no more guesses than a check does.
sub guarded {
    my (%limits) = @_;
    my $g = gateway(core => $core->url, workers => 1, objects => [@objects], config => {
        trusted_proxies => ['127.0.0.1'],
        authentication => {basic => 'users', passwords => {remember => '1h', window => '20m', @patient, %limits}},
    });
    return ($g, sub { ask($_[0], $_[1], undef, gateway => $g, 'X-Forwarded-For' => $_[2])->{status} });
}
{
    my ($g, $try) = guarded(user_failures => 0, address_failures => 3);
    is $try->('slow', 'molasses', '10.1.0.1'), 200, 'one who is remembered' for 1 .. 2;
    is count('remembered', $g), 1, 'is';
    is $try->("somebody-$_", 'guess', '10.1.0.1'), 401, "guess $_ from the same address, for others" for 1 .. 3;
    is $try->('slow', 'guess', '10.1.0.1'), 429, 'the fourth is one too many';
    is $try->('slow', 'molasses', '10.1.0.1'), 429, 'and so is the right one';
    is count('remembered', $g), 1, 'though it is remembered';
    is $try->('slow', 'molasses', '10.1.0.2'), 200, 'another address may come';
    is count('right', $g), 2, 'but shows its password first';
    is $try->('u', 'guess', "::ffff:10.2.0.$_"), 401, 'IPv4 written as IPv6 is no network of its own' for 1 .. 5;
    is $try->('u', 'guess', '::ffff:10.1.0.1'), 429, 'and no way around a limit';
}
{
    my ($g, $try) = guarded(user_failures => 3, address_failures => 0);
    is $try->('slow', 'molasses', '10.1.0.1'), 200, 'a user who is remembered';
    is $try->('slow', "guess-$_", '10.1.0.2'), 401, "guess $_ from elsewhere" for 1 .. 3;
    is $try->('slow', 'molasses', '10.1.0.2'), 429, 'where the right one is of no use any more';
    is $try->('slow', 'molasses', '10.1.0.1'), 200, 'and the user still comes in' for 1 .. 2;
    is $try->('slow', "guess-$_", '10.1.0.1'), 429, "guess $_ from the same network" for 4 .. 6;
    is $try->('slow', 'molasses', '10.1.0.1'), 429, 'until it was guessed at too often';
}
{
    my ($g, $try) = guarded(%passwords);
    is $try->('slow', 'molasses', '10.1.0.1'), 200, 'remembered for an hour' for 1 .. 2;
    is count('right', $g), 1, 'by one check';
    for my $remember ('30m', 0) {
        my $before = count('right', $g);
        $g->configure({trusted_proxies => ['127.0.0.1'], authentication => {basic => 'users', passwords => {%passwords, remember => $remember}}});
        $g->reload;
        eventually { $try->('slow', 'molasses', '10.1.0.1') == 200 && count('right', $g) > $before }
            "what is remembered is forgotten when it may be so only for $remember";
    }
    my $before = count('right', $g);
    is $try->('slow', 'molasses', '10.1.0.1'), 200, 'let in' for 1 .. 2;
    is count('right', $g) - $before, 2, 'by a check each time';
}

# ---- Other ways --------------------------------------------------------------------------------------------------

{
    my $g = gateway(core => $core->url, workers => 1, objects => [@objects], config => {authentication => {basic => 'off'}});
    is ask('alice', 'wonder:land', $_, gateway => $g)->{status}, 401, "off: $_" for '/extensions/members/x', '/kapis/x';
    is ask('client', 'secret', '/oauth/token', gateway => $g)->{status}, 200, 'off: the core\'s clients are let through';
    $g->configure({authentication => {basic => 'core'}});
    $g->reload;
    eventually { $g->request(GET => '/kapis/x', basic('alice', 'wonder:land'))->{json}{message} !~ /scheme/ } 'the other settings';
    is ask('alice', 'wonder:land', '/extensions/members/x', gateway => $g)->{status}, 401, 'core: an extension knows no passwords';
}

# ---- What is written down ------------------------------------------------------------------------------------------

my %seen;
$seen{$_->{error}}++ for grep { $_->{error} } $gw->access_log(scalar @later, sub { ($_->{error} // '') =~ /password|basic|disabled/ });
cmp_ok $seen{$_} // 0, '>=', 1, "the log knows $_" for qw(password_wrong user_disabled basic_malformed);
ok $gw->access_log(1, sub { ($_->{authentication} // '') eq 'basic-remembered' && $_->{user} eq 'alice' }), 'and who came by a password';
my $written = slurp($gw->dir . '/access.log') . $gw->stderr;
is_deeply [grep { index($written, $_) >= 0 } @words], [], 'but no password';

done_testing;
