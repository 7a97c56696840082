# The registry's Redis by TLS: each proves who it is, and what is wrong is said and mended without a restart.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Certs;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Registry;

my $up = upstream { [200, {}, 'up'] };
my $ca = Gateway::Certs->new('the right one');
my $other = Gateway::Certs->new('another one');
my $server = $ca->issue('server', 'IP:127.0.0.1');
my $named = $ca->issue('named', 'DNS:redis.example');
my $client = $ca->issue('client', 'DNS:ksgate');
my $stranger = $other->issue('stranger', 'DNS:ksgate');

my $redis = redis(tls => {%$server, ca => $ca->file, clients => 'yes'});
my $by_name = redis(tls => {%$named, ca => $ca->file, clients => 'no'});

# The settings below registry.redis, all of TLS.
sub settings {
    my ($to, $cert, %more) = @_;
    return {registry => {redis => {url => $to->tls_url, timeout => '2s', tls => {
        ca_file => $ca->file,
        ($cert ? (certificate_file => $cert->{certificate}, key_file => $cert->{key}) : ()),
        %more,
    }}}};
}


# ---- Both prove who they are --------------------------------------------------------------------

my $gw = gateway(redis => $redis, config => settings($redis, $client), objects => [extension(a => $up->url)]);
is $gw->request(GET => '/extensions/a/x')->{body}, 'up', 'what is registered in a Redis behind TLS is served';
is $gw->admin(PUT => path_of('b'), extension(b => $up->url))->{status}, 201, 'writes get there';
like $redis->command(HGET => '{ksgate}:objects', 'ksgate.io/ExtensionService//b'), qr/"b"/, '... into that Redis';

# More than one TLS record, and more than one read.
$gw->apply([map { {apiVersion => 'v1', kind => 'ConfigMap', metadata => {name => "m$_", namespace => 'n'}, data => {x => 'y' x 2000}} } 1 .. 1500]);
my $second = gateway(redis => $redis, config => settings($redis, $client));
eventually { registry_of($second)->{objects} == 1502 } 'all objects at a second gateway';
pass 'a list of megabytes comes through TLS';

{
    my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);
    $redis->kill;
    eventually { registry_of($gw)->{state} eq 'stale' } 'readyz to say stale';
    $redis->start;
    eventually { is_fresh($gw) && is_fresh($second) } 'the return';
    eventually { $gw->admin(PUT => path_of('c'), extension(c => $up->url))->{status} =~ /^20[01]$/ } 'a write';
    eventually { $second->request(GET => '/extensions/c/x')->{status} == 200 } 'the write at the other gateway';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests beside a Redis that was killed failed" or diag explain $seen->{words};
}

# ---- The name is another one --------------------------------------------------------------------

{
    my $g = gateway(redis => $by_name, config => settings($by_name, undef, server_name => 'redis.example'));
    is registry_of($g)->{state}, 'empty', 'a certificate for another name is taken if that is the server_name';
}

# ---- What is wrong is said ----------------------------------------------------------------------

my $folder = Gateway::Process::tempdir();
spew("$folder/nonsense.crt", "nonsense\n");
my $plain = {registry => {redis => {url => 'rediss://127.0.0.1:' . $redis->port, tls => {ca_file => $ca->file}}}};
for my $case (
    ['a server that wants a certificate and gets none', settings($redis, undef), qr/certificate required|handshake failure/],
    ['our certificate is of another authority', settings($redis, $stranger), qr/unknown ca/],
    ['the server has one of another authority', settings($redis, $client, ca_file => $other->file),
        qr/certificate is not taken: unable to get local issuer certificate|self.signed/],
    ['no ca_file, and the system does not know it', settings($redis, $client, ca_file => undef), qr/certificate is not taken: /],
    ['the server is for another address', settings($by_name, undef), qr/certificate is not taken: IP address mismatch/],
    ['the server is for another name', settings($redis, $client, server_name => 'redis.example'), qr/certificate is not taken: hostname mismatch/i],
    ['the port speaks no TLS', $plain, qr/does it speak TLS on this port/],
    ['the ca_file is not there', settings($redis, $client, ca_file => "$folder/none.crt"), qr/tls\.ca_file \S+none\.crt can't be used: No such file/],
    ['the ca_file is none', settings($redis, $client, ca_file => "$folder/nonsense.crt"), qr/tls\.ca_file \S+ can't be used: /],
    ['the key is of another certificate', settings($redis, {certificate => $client->{certificate}, key => $server->{key}}),
        qr/tls\.key_file \S+ can't be used: key values mismatch/],
) {
    my ($what, $config, $words) = @$case;
    my $g = gateway(start => 0, redis => $redis, config => $config)->begin;
    # A server that closes with our bytes unread resets the connection, and that may overtake its reason.
    eventually { (eval { registry_of($g)->{reason} } // '') =~ $words } "the reason ($what)", 20;
    is registry_of($g)->{state}, 'starting', "$what: is said";
    unlike $g->stderr, qr/registry: reached/, '... never reached';
    is $g->stop, 0, '... it can be stopped';
}

{
    my $g = gateway(redis => $by_name, config => settings($by_name, undef, insecure_skip_verify => JSON::PP::true()));
    is registry_of($g)->{state}, 'empty', 'insecure_skip_verify takes any certificate';
}

for my $case (
    ['half a certificate', settings($redis, undef, certificate_file => $client->{certificate}), qr/belong together/],
    ['tls without rediss://', {registry => {redis => {url => $redis->url, tls => {ca_file => $ca->file}}}}, qr/does not begin with rediss/],
) {
    my ($what, $config, $words) = @$case;
    my $g = gateway(start => 0, redis => $redis, config => $config);
    my $r = ksgate('check', $g->file);
    isnt $r->{code}, 0, "$what is refused";
    like $r->{err}, $words, '... with the reason';
}

# ---- ... and mended without a restart -------------------------------------------------------------

{
    my $g = gateway(start => 0, redis => $redis, config => settings($redis, $client, ca_file => "$folder/mended.crt"))->begin;
    eventually { (eval { registry_of($g)->{reason} } // '') =~ /mended\.crt/ } 'a reason';
    spew("$folder/mended.crt", slurp($ca->file));
    eventually { is_fresh($g) } 'the connection';
    is registry_of($g)->{objects}, 1503, 'files are read again at each try: with the right one it is there';
    my $renewed = $ca->issue('renewed', 'IP:127.0.0.1');
    spew($server->{$_}, slurp($renewed->{$_})) for qw(certificate key);
    $redis->restart;
    eventually { is_fresh($g) && $g->admin(DELETE => path_of('c'))->{status} =~ /^(?:200|404)$/ } 'a write after the renewal';
    pass 'a renewed certificate of the server is taken';

    # One that runs, and is not believed any more; then the same for its own certificate.
    my $load = Gateway::Load->new($g, paths => ['/extensions/a/x']);
    my %good = map { $_ => slurp($_) } $server->{certificate}, $server->{key}, $client->{certificate}, $client->{key};
    my $foreign = $other->issue('foreign', 'IP:127.0.0.1');
    for my $case (
        ['the server has a certificate of another authority', $server, $foreign, qr/TLS: .*certificate is not taken: /],
        ['our certificate is of another authority', $client, $stranger, qr/TLS: .*(?:unknown ca|certificate)|Connection reset/],
    ) {
        my ($what, $to, $from, $words) = @$case;
        spew($to->{$_}, slurp($from->{$_})) for qw(certificate key);
        $redis->restart;
        eventually { my $s = registry_of($g); $s->{state} eq 'stale' && $s->{reason} =~ $words } "readyz to say why ($what)", 20;
        eventually { !registry_metric($g, 'reachable') } 'the metric';
        like $g->stderr, qr/warn .*registry: can't be reached: .*$words/, "$what: the log, readyz and the metric say so";
        is put_extension($g, 'no', $up->url)->{status}, 503, '... a write is refused';
        is $g->request(GET => '/extensions/a/x')->{body}, 'up', '... what was known is served';
        spew($_, $good{$_}) for keys %good;
        $redis->restart;
        eventually { is_fresh($g) && registry_metric($g, 'reachable') } 'the return', 20;
        eventually { put_extension($g, 'yes', $up->url)->{status} =~ /^20[01]$/ } 'a write';
        pass '... and it is well again with the right one, without a restart';
    }
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
}

done_testing;
