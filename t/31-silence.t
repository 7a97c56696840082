# Redis says nothing, half of it, or something else, at each step of following it: the gateway says so, requests do not notice,
# and it is well again as soon as Redis is, without a restart.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::RedisProxy;
use Gateway::Registry;
use Time::HiRes qw(time);

my $up = upstream { [200, {}, 'up'] };
my $redis = redis();
my $proxy = Gateway::RedisProxy->new($redis);
my $gw = gateway(core => $up->url, config => {registry => {driver => 'redis', sqlite => undef, redis => {url => $proxy->url, timeout => '500ms'}}},
    objects => [map { extension($_ => $up->url) } qw(a b)]);
my $second = gateway(redis => $redis);
my $n = 0;

sub status { return $gw->request(GET => "/extensions/$_[0]/x")->{status} }

# What is done at a step, until the gateway says so: in readyz, by the metric, and in the log.
#   step: the commands, as the proxy knows them.  list: it has to list for it (a change that was trimmed sees to that).
#   cut: it has to connect anew.  anew: it connects to whoever there is, at once.  writes: the answer to one meanwhile.
sub trouble {
    my ($name, $step, $do, $words, %arg) = @_;
    return subtest $name => sub {
        my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x', '/version', '/extensions/b/x']);
        my ($old, $new, $said) = ('old' . ++$n, "new$n", length $gw->stderr);
        is put_extension($second, $old, $up->url)->{status}, 201, 'an object';
        eventually { status($old) == 200 } 'it';
        my $start = time;
        $proxy->on($step, @$do, times => 0);
        if ($arg{list}) {
            put_extension($second, $_, $up->url) for "$new-x", "$new-y";
            $redis->command('XTRIM', '{ksgate}:changes', 'MAXLEN', 0);
            $redis->command('SET', '{ksgate}:epoch', "other$n");
        }
        $proxy->cut if $arg{cut};
        eventually { my $s = registry_of($gw); $s->{state} eq 'stale' && $s->{reason} =~ $words } 'readyz to say why' or return;
        pass 'readyz says that it is stale, and why';
        eventually { !registry_metric($gw, 'reachable') } 'ksgate_registry_reachable 0';
        is $gw->request(GET => '/-/readyz')->{status}, 200, 'it is ready for all that';
        like substr($gw->stderr, $said), qr/warn .*registry: can't be reached: .*$words.* objects that are known stay in use/, 'the log says so';
        is put_extension($second, $new, $up->url)->{status}, 201, 'others write';
        is $second->admin(DELETE => path_of($old))->{status}, 200, '... and delete';
        my $r = put_extension($gw, "w$n", $up->url);
        my $writes = $arg{writes} // 503;
        like $r->{status}, qr/^(?:$writes)$/, '... a write by this gateway: ' . ($r->{json}{message} // 'made');
        is status('a'), 200, 'what was known is served';
        my $times = () = substr($gw->stderr, $said) =~ /warn .*can't be reached/g;
        # somewhere else is tried at once, five times; then there is a pause, which grows
        cmp_ok $times, '<=', ($arg{anew} ? 12 : 6) + time - $start, 'the log is not filled';
        my $before = registry_metric($gw, 'heard_seconds');
        $proxy->forget;
        my $waits = () = $proxy->seen('^XREAD');
        eventually { $waits + 1 <= (() = $proxy->seen('^XREAD')) && is_fresh($gw) && status($new) == 200 && status($old) == 404 } 'all that others wrote', 20;
        pass 'it is well again: what is new is live, and what was deleted is gone';
        eventually { registry_metric($gw, 'reachable') && registry_metric($gw, 'heard_seconds') > $before } 'the metrics';
        is put_extension($gw, "again$n", $up->url)->{status}, 201, 'this gateway writes';
        is status("again$n"), 200, '... and that is live at once';
        my $seen = $load->stop;
        is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    };
}

my ($made, $late) = (201, qr/no answer within 500 ms/);

# ---- Silence -------------------------------------------------------------------------------------------------

trouble('silence after XREAD', '^XREAD', ['silence'], $late, writes => 201);
trouble('an XREAD that never arrives', '^XREAD', ['swallow'], $late, writes => 201);
trouble('silence where the changes are asked for', '^changes', ['silence'], $late, writes => 201);
trouble('half of the changes, then silence', '^changes', ['silence', bytes => 30], $late, writes => 201);
trouble('silence in the middle of a list', '^HSCAN', ['silence', bytes => 50], $late, list => 1, writes => 201);
trouble('silence of a new connection, too', '.', ['swallow'], qr/no connection within 500 ms \(logging in\)/);
trouble('silence where leases are ended', '^expire', ['silence'], $late, writes => '201|503'); # it connects anew, and all is well until the next second

# Worse than silence: an answer that says each time that nothing is new (apisix #13067: a watch that is dead, and does not look so).
subtest 'an XREAD that never has anything' => sub {
    my ($old, $new) = ('mute-old', 'mute-new');
    put_extension($second, $old, $up->url);
    eventually { status($old) == 200 } 'an object';
    my $lists = () = $gw->stderr =~ /listed again/g;
    my $met = $proxy->met('^XREAD');
    $proxy->on('^XREAD', answer => "*-1\r\n", times => 0);
    $proxy->wait_for('^XREAD', $met + 2);
    my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x', '/version']);
    for my $n (1 .. 5) {
        is put_extension($second, "$new-$n", $up->url)->{status}, 201, 'others write';
        eventually { status("$new-$n") == 200 } 'what was written';
    }
    is $second->admin(DELETE => path_of($old))->{status}, 200, '... and delete';
    eventually { status($old) == 404 } 'what was deleted to go';
    pass 'all of it arrives';
    is scalar(() = $gw->stderr =~ /listed again/g), $lists, '... by the changes alone';
    my $asked = () = $proxy->seen('^XREAD');
    my $start = time;
    $proxy->wait_for('^XREAD', $proxy->met('^XREAD') + 20);
    cmp_ok time - $start, '>=', 1, '... and it is not asked for news as fast as it says that there are none';
    cmp_ok $asked, '<', 1000, '... nor was before';
    $proxy->forget;
    is $load->stop->{failed}, 0, 'requests do not notice';
};

# ---- The end ---------------------------------------------------------------------------------------------------

my $closed = qr/the connection was closed|Connection reset by peer/;

trouble('the end after XREAD', '^XREAD', ['cut'], $closed, writes => 201);
trouble('half of the changes, then the end', '^changes', ['cut', bytes => 30], $closed, writes => 201);
trouble('the end in the middle of a list', '^HSCAN', ['cut', bytes => 50], $closed, list => 1, writes => 201);
trouble('the end at the login', '^PING', ['cut'], $closed, cut => 1);

# ---- Something else -----------------------------------------------------------------------------------------------

my $unexpected = qr/was answered: something unexpected/;

trouble('a number in place of entries', '^XREAD', [answer => ":7\r\n"], qr/XREAD \S+changes $unexpected/, writes => 201);
trouble('a text in place of the changes', '^changes', [answer => "\$2\r\nno\r\n"], qr/the script $unexpected/, writes => 201);
trouble('changes of which one is a list', '^changes', [answer => "*9\r\n\$1\r\ne\r\n:9\r\n:1\r\n:9\r\n*2\r\n*0\r\n\$1\r\nx\r\n:0\r\n*0\r\n\$0\r\n\r\n:1\r\n"],
    qr/the script $unexpected/, writes => 201);
trouble('changes that lack half of a pair', '^changes', [answer => "*9\r\n\$1\r\ne\r\n:9\r\n:1\r\n:9\r\n*1\r\n\$1\r\nx\r\n:0\r\n*0\r\n\$0\r\n\r\n:1\r\n"],
    qr/the script $unexpected/, writes => 201);
trouble('a page that is none', '^HSCAN', [answer => "*1\r\n\$1\r\n0\r\n"], qr/HSCAN \S+objects $unexpected/, list => 1, writes => 201);
trouble('what is no answer of Redis at all', '^XREAD', [answer => "HTTP/1.1 400 Bad Request\r\n\r\n"], qr/Protocol error/, writes => 201);

# ---- Its own words ---------------------------------------------------------------------------------------------------

# [word, step, anew: it goes somewhere else, or logs in again, in place of asking the same connection for ever]
for my $case (
    ['LOADING Redis is loading the dataset in memory', '^HSCAN'],
    ["OOM command not allowed when used memory > 'maxmemory'.", '^changes'],
    ["NOPERM this user has no permissions to run the 'xread' command", '^XREAD'],
    ['BUSY Redis is busy running a script.', '^changes'],
    ['NOAUTH Authentication required.', '^XREAD', 1],
    ["READONLY You can't write against a read only replica.", '^changes', 1],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", '^XREAD', 1],
) {
    my ($text, $step, $anew) = @$case;
    my ($word) = $text =~ /^(\w+)/;
    my $logins = () = $proxy->seen('^PING');
    trouble("$word to $step", $step, [answer => "-$text\r\n"], qr/\Q$text\E/, list => $step eq '^HSCAN', writes => 201, anew => $anew);
    cmp_ok scalar(() = $proxy->seen('^PING')), '>', $logins, '... after which it connects anew' if $anew;
}
trouble('LOADING to all that is asked', '.', [answer => "-LOADING Redis is loading the dataset in memory\r\n"], qr/LOADING Redis is loading/);
trouble('too many clients', '.', [answer => "-ERR max number of clients reached\r\n"], qr/max number of clients reached/);

done_testing;
