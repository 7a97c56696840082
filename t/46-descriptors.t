# A server that may have few files open, and clients that are many.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(slow);

my $up = upstream {
    my ($r) = @_;
    $r->hold if $r->{path} eq '/hold';
    return [200, {}, 'reached'];
};
my $files = slow() > 1 ? 220 : 160;
my $gw = gateway(core => $up->url, console => $up->url, workers => 2, files => $files);

sub metric { my ($value) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$_[0]\E (\S+)$/m; return $value }
sub open_files { my @all = glob '/proc/' . $gw->server_pid . '/fd/*'; return scalar @all }
sub cpu { my @f = split / /, slurp('/proc/' . $gw->server_pid . '/stat') =~ s/.*\) //r; return ($f[11] + $f[12]) / 100 }

like $gw->stderr, qr/limits\.connections is 20000, but only $files files may be open: \d+ client connections are possible; raise .* to \d+/,
    'at the start it is said that the files are too few, and how many would do';
my ($room) = $gw->stderr =~ /(\d+) client connections are possible/;
cmp_ok $room, '>=', 16, 'there is room for some';

# ---- Many that come and stay -------------------------------------------------------------------------

my @first = map { {client => $gw->connect(seconds => 20), asked => time} } 1 .. 8;
# The kernel holds those that are not let in.
my @crowd = map { my $c = $gw->connect(seconds => 30); $c->send_request(GET => '/'); $c } 1 .. 200;
my $failed = 0;
for my $round (1 .. 20) {
    for (@first) {
        my $now = time; # it is idle from then on, at the earliest
        my $r = eval { $_->{client}->request(GET => "/$round") };
        # Who has been idle for half a second, as on a busy machine, may have had to go; and comes back.
        $_->{client} = $gw->connect(seconds => 20) if !$r && time - $_->{asked} > 0.4;
        $r //= eval { $_->{client}->request(GET => "/$round") };
        $failed++ if !$r || $r->{status} != 200;
        $_->{asked} = $now;
    }
}
is $failed, 0, 'no request of those that are in fails';
cmp_ok open_files(), '<=', $files, 'the files are not all taken';
is $gw->admin(GET => '/-/healthz')->{status}, 200, 'the admin socket answers';
is $gw->admin(PUT => path_of('x'), extension('x', $up->url))->{status}, 201, 'and the registry can write its files';
$gw->reload;
eventually { $gw->stderr =~ /was reloaded/ } 'the reload';
pass 'and the configuration be read';

# All of them get in, in the end: the ones before them are idle by then.
is scalar(grep { my $r = eval { $_->response }; $r && $r->{status} == 200 } @crowd), 200, 'each of the crowd is served in its turn';
cmp_ok metric('ksgate_connections_shed_total'), '>', 100, 'since idle ones made room';

# ---- Full of busy ones ---------------------------------------------------------------------------------

$_->close for map({ $_->{client} } @first), @crowd;
eventually { metric('ksgate_connections') <= 2 } 'the end of all';
my @busy = map { my $c = $gw->connect(seconds => 20); $c->send_request(GET => '/hold'); $c } 1 .. $room;
eventually { metric('ksgate_connections_full_total') >= 1 } 'a full house';
my @waiting = map { my $c = $gw->connect(seconds => 20); $c->send_request(GET => '/'); $c } 1 .. 20;
is $gw->admin(GET => '/-/healthz')->{status}, 200, 'the admin socket answers when all are busy';
my $before = cpu();
select undef, undef, undef, 1; # the passing of time is what is tested
cmp_ok cpu() - $before, '<', 0.2 * slow(), 'while they wait nothing is done';
cmp_ok open_files(), '<', $files, 'and there are files left';
$up->release(scalar @busy);
is scalar(grep { ($_->response->{body} // '') eq 'reached' } @busy), $room, 'who was let in has got a backend';
is scalar(grep { ($_->response->{body} // '') eq 'reached' } @waiting), 20, 'and who waited is let in then';
is scalar(() = $gw->stderr =~ /can't accept/g), 0, 'the last file was never taken';
is metric('ksgate_backend_dial_failures_total'), 0, 'no connection to the backend failed';

# ---- None left at all ---------------------------------------------------------------------------------
# That is the gateway's own want: no reason to think worse of the backends.

my ($one, $two) = map { my $name = $_; upstream { [200, {}, $name] } } qw(one two);
my $lone = gateway(core => $up->url, console => $up->url, workers => 1);
$lone->apply([extension('pair', undef, endpoints => [{url => $one->url}, {url => $two->url}], outlier => {consecutiveErrors => 2, ejectFor => '10m'})]);
sub lone_metric { my ($value) = $lone->admin(GET => '/-/metrics')->{body} =~ /^\Q$_[0]\E (\S+)$/m; return $value }
# As its own user: not even root may everywhere.
sub may_open {
    my $pid = $lone->server_pid;
    my ($uid, $gid) = (stat "/proc/$pid")[4, 5];
    my $r = Gateway::Process::run({}, 'setpriv', "--reuid=$uid", "--regid=$gid", '--keep-groups', 'prlimit', '--pid', $pid, "--nofile=$_[0]:");
    die "prlimit: $r->{code} $r->{err}" if $r->{code} != 0;
    return;
}
my ($may) = slurp('/proc/' . $lone->server_pid . '/limits') =~ /^Max open files\s+(\d+)/m;

my $kept = $lone->connect(seconds => 20);
is $kept->request(GET => '/x')->{status}, 200, 'a client is in';
may_open(3); # 0 to 2 stay; whatever else is closed makes no room
for my $round (1 .. 5) {
    my $r = $kept->request(GET => '/extensions/pair/x');
    is $r->{status}, 503, "no descriptor for a connection to a backend: 503 ($round)";
    like $r->{json}{message}, qr/lacks the means.*Too many open files/, 'which says what is lacking';
}
may_open($may);
is $kept->request(GET => '/extensions/pair/x')->{status}, 200, 'when there are some again, it is served at once';
is lone_metric('ksgate_errors_total{error="gateway_exhausted"}'), 5, 'the metrics say what was the matter';
is lone_metric($_), 0, "and no endpoint was left alone for it ($_)" for qw(ksgate_endpoint_ejections_total ksgate_endpoint_breaker_opens_total);

done_testing;
