# Redis goes away, hangs, comes back, loses everything: requests do not notice.
#   KSGATE_LONG=1: it stays away for a minute, not for three seconds.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;

my $away = $ENV{KSGATE_LONG} ? 60 : 3;
my $json = JSON::PP->new->canonical;
my $up = upstream { [200, {}, "here"] };
my $redis = redis();
my $gw = gateway(core => $up->url, redis => $redis, config => {registry => {redis => {timeout => '500ms'}}},
    objects => [extension('a', $up->url), extension('b', $up->url)]);
my $second = gateway(redis => $redis);
my @paths = ('/extensions/a/x', '/version', '/extensions/b/y');

sub status { return $_[0]->request(GET => "/extensions/$_[1]/x")->{status} }
sub state_of { return $_[0]->admin(GET => '/-/readyz')->{json}{registry} }

# Another program's write: by the script that is printed for it.
my $script = ksgate('registry', 'script')->{out};
like $script, qr/redis\.call/, 'the script is printed';

sub write_by_script {
    my ($name) = @_;
    my $object = extension($name, $up->url);
    my $rest = $json->encode({map { $_ => $object->{$_} } qw(apiVersion kind spec)});
    my $text = '{"metadata":' . $json->encode($object->{metadata}) . ',' . substr $rest, 1;
    return $redis->command('EVAL', $script, 1, '{ksgate}:', 'put', "ksgate.io/ExtensionService//$name", $text, 'any', 0, 0);
}

# ---- It is away, for a while, in three ways -----------------------------------------------------

my $nothing = qr/the registry can't be reached; nothing was changed/;
my %go = (
    'that was stopped' => [sub { $redis->stop }, sub { $redis->start }, $nothing],
    'that was killed' => [sub { $redis->kill }, sub { $redis->start }, $nothing],
    # It has the command, and may carry it out when it goes on.
    'that hangs' => [sub { $redis->freeze }, sub { $redis->thaw }, qr/whether the change was made is not known/],
);
my $n = 0;
for my $how (sort keys %go) {
    my ($leave, $return, $words) = @{$go{$how}};
    my $lost = "during$n";
    my $new = 'new' . ++$n;
    my $load = Gateway::Load->new($gw, paths => \@paths);
    my $writer = Gateway::Client->new(to => $gw->admin_socket);
    my @write = (PUT => path_of($lost), 'Content-Type' => 'application/json', body => $json->encode(extension($lost, $up->url)));
    my $start = time;
    $leave->();
    $writer->send_request(@write); # at once: what hangs is noticed after half a second, and is asked nothing from then on
    my $r = $writer->response;
    is $r->{status}, 503, "a write to a Redis $how is refused";
    is $r->{json}{reason}, 'ServiceUnavailable', '... as what it is';
    like $r->{json}{message}, $words, '... in words';
    ok time - $start < 5 * Gateway::Process::slow(), '... soon';
    eventually { state_of($gw)->{state} eq 'stale' } 'readyz to say stale';
    my $state = state_of($gw);
    like $state->{since}, qr/^\d{4}-/, 'readyz says since when it is stale';
    ok $state->{reason}, 'and why, over the admin socket';
    ok !exists $gw->request(GET => '/-/readyz')->{json}{registry}{reason}, 'but not to everybody';
    is $gw->request(GET => '/-/readyz')->{status}, 200, 'it still is ready';
    is $gw->admin(GET => path_of('a'))->{status}, 200, 'what is known can be read';
    my $left = $away - (time - $start);
    sleep $left if $left > 0;
    $return->();
    eventually { write_by_script($new) } 'a write by the script';
    eventually { status($gw, $new) == 200 } 'what was written meanwhile';
    pass 'what another program wrote arrives when it is back';
    eventually { state_of($gw)->{state} eq 'fresh' } 'readyz to say fresh';
    eventually { $gw->admin(PUT => path_of("w$new"), extension("w$new", $up->url))->{status} == 201 } 'a write';
    eventually { status($second, "w$new") == 200 } 'the other gateway to see it';
    eventually {
        $second->admin(PUT => path_of("w$new"), extension("w$new", $up->url))->{status} == 200;
    } 'a write of the other gateway';
    pass 'and writes work again, at all gateways';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests beside a Redis $how failed" or diag explain $seen->{words};
    is status($gw, $lost), 404, 'what was refused is not there' if $words eq $nothing;
}

# ---- Changes that one gateway does not see happen ---------------------------------------------------

{
    # Only this gateway is cut off: it is frozen itself while the other one writes.
    my $server = $gw->server_pid;
    CORE::kill('STOP', $server);
    my @refused = grep { $_->{status} != 201 }
        map { $second->admin(PUT => path_of("gap$_"), extension("gap$_", $up->url)) } 1 .. 50;
    my $gone = $second->admin(DELETE => path_of('wnew1'));
    CORE::kill('CONT', $server);
    is_deeply [map { $_->{body} } @refused], [], 'the other gateway takes every write';
    is $gone->{status}, 200, 'and a delete';
    eventually { status($gw, 'gap50') == 200 && status($gw, 'wnew1') == 404 } 'the changes of the gap';
    is scalar(grep { status($gw, "gap$_") != 200 } 1 .. 50), 0, 'a gateway that slept catches up with all of it';
}

# ---- A start without Redis ------------------------------------------------------------------------

{
    eventually { -s $gw->dir . '/snapshot' } 'the state on disk';
    is $gw->stop, 0, 'the gateway stops';
    $redis->stop;
    $gw->start;
    is status($gw, 'a'), 200, 'a gateway that starts without Redis serves from its last state';
    is status($gw, 'gap50'), 200, 'all of it';
    is state_of($gw)->{state}, 'stale', 'and says that it is stale';
    like state_of($gw)->{reason}, qr/disk|reached|refused/, 'and why';
    my $load = Gateway::Load->new($gw, paths => \@paths);
    $redis->start;
    eventually { state_of($gw)->{state} eq 'fresh' } 'readyz to say fresh';
    eventually { $second->admin(PUT => path_of('late'), extension('late', $up->url))->{status} =~ /^20[01]$/ } 'a write';
    eventually { status($gw, 'late') == 200 } 'a change after that';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "and none of $seen->{requests} requests failed while it came back" or diag explain $seen->{words};
}

# ---- Nothing is left in it --------------------------------------------------------------------------

{
    my $load = Gateway::Load->new($gw, paths => \@paths);
    $redis->command('FLUSHALL');
    eventually { state_of($gw)->{state} eq 'stale' } 'readyz to say stale';
    pass 'a registry that was wiped is noticed';
    like $gw->stderr, qr/warn .*the registry was wiped.*ExtensionService \w+/, 'and said in the log';
    like state_of($gw)->{reason}, qr/wiped or replaced/, 'and by readyz';
    $load->wait_for(200);
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    $gw->apply([extension('after', $up->url)]);
    is status($gw, 'after'), 200, 'what is applied after that is live';
    is status($gw, 'a'), 200, 'beside what was there before';
}

# ---- A Redis that is not one -------------------------------------------------------------------------

{
    my $liar = upstream { "-ERR nonsense\r\n" x 100 };
    my $lost = gateway(start => 0, config => {registry => {
        driver => 'redis',
        sqlite => undef,
        redis => {url => 'redis://127.0.0.1:' . $liar->port, timeout => '300ms'},
    }});
    # Not ->start, which waits until it is ready.
    $lost->{process} = Gateway::Process->new(
        name => 'ksgate',
        log => $lost->dir . '/stderr',
        command => [Gateway::program(), 'serve', '-c', $lost->file],
    );
    my $r;
    eventually { $r = eval { $lost->request(GET => '/-/readyz') } } 'an answer';
    is $r->{status}, 503, 'a gateway that never knew anything is not ready';
    is $r->{json}{registry}{state}, 'starting', 'because it does not know what is registered';
    is $lost->request(GET => '/extensions/a/x')->{status}, 503, 'so it can not say of an extension that it is not there';
    is $lost->{process}->stop, 0, 'it can be stopped';
}

done_testing;
