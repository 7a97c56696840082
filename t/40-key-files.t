# Files of keys change while the gateway serves: by a rename, in place, as Kubernetes does it, and wrongly.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Keys;
use Gateway::Load;
use Gateway::Objects;
use Gateway::WebSocket;

my %iss = map { $_ => "https://$_.example.com" } qw(secret pem mounted stays);
my @secret = map { $_ x 40 } 'a' .. 'f';
my @pem = map { Gateway::Keys->new("pem$_") } 0 .. 2;
my @mounted = map { Gateway::Keys->new("mounted$_") } 0 .. 2;
my $stays = Gateway::Keys->new('stays');

my $up = upstream {
    my ($r) = @_;
    return [200, {}, 'here'] if !$r->{headers}{upgrade};
    my $ws = Gateway::WebSocket->server($r);
    while ((my $got = $ws->read)->{type} ne 'end') { $ws->send($got->{type} => $got->{data}) }
    return;
};
my $gw = gateway(core => $up->url, start => 0);
my $dir = $gw->dir;

sub public { my ($key) = @_; return Gateway::Keys::openssl('', 'pkey', '-in', $key->{file}, '-pubout') }

# As kubelet mounts a Secret: the file is a link through ..data, which is replaced as a whole.
sub mount_set {
    my ($name, @keys) = @_;
    mkdir "$dir/mount";
    my $old = readlink "$dir/mount/..data";
    mkdir "$dir/mount/..$name" or die "$name: $!";
    Gateway::Process::give_away("$dir/mount", "$dir/mount/..$name");
    spew("$dir/mount/..$name/keys.json", Gateway::Keys::set(@keys));
    symlink "..$name", "$dir/mount/..data_tmp" or die "..data_tmp: $!";
    rename "$dir/mount/..data_tmp", "$dir/mount/..data" or die "..data: $!";
    symlink '..data/keys.json', "$dir/mount/keys.json";
    if ($old) {
        unlink "$dir/mount/$old/keys.json";
        rmdir "$dir/mount/$old";
    }
    return;
}

sub replace {
    my ($file, $text) = @_;
    spew("$file.new", $text);
    rename "$file.new", $file or die "$file: $!";
    return;
}

spew("$dir/hmac", $secret[0]);
spew("$dir/key.pem", public($pem[0]));
mount_set(1, $mounted[0]);
spew("$dir/stays.json", Gateway::Keys::set($stays));
my @any = (token_types => []);
my %issuers = (authentication => {issuers => [
    {issuer => Gateway::Token::ISSUER, algorithms => ['HS256'], secret_file => "$dir/secret"},
    {issuer => $iss{secret}, secret_file => "$dir/hmac", @any},
    {issuer => $iss{pem}, public_key_file => "$dir/key.pem", @any},
    {issuer => $iss{mounted}, jwks_file => "$dir/mount/keys.json", @any},
    {issuer => $iss{stays}, jwks_file => "$dir/stays.json", @any},
]});
$gw->configure(\%issuers);
$gw->start;
$gw->apply([role(GlobalRole => 'all', [{verbs => ['*'], apiGroups => ['*'], resources => ['*'], nonResourceURLs => ['*']}]),
    binding(GlobalRole => 'all', 'all', 'system:authenticated')]);

sub of_secret { my ($n) = @_; return Gateway::Token::mint($secret[$n], 'alice', iss => $iss{secret}) }
sub of_key { my ($name, $key) = @_; return $key->token({iss => $iss{$name}, username => 'alice', exp => time + 3600}) }
sub ask { my ($token) = @_; return $gw->request(GET => '/kapis/x', Authorization => "Bearer $token")->{status} }

# With two workers, each hears of it in its own time: several answers in a row.
sub all_say {
    my ($status, $token) = @_;
    return !grep { ask($token) != $status } 1 .. 8;
}

sub changes_over {
    my ($old, $new, $what) = @_;
    eventually { all_say(200, $new) } "$what: the new key";
    eventually { all_say(401, $old) } "$what: the end of the old one";
    return pass $what;
}

sub config_state { return $gw->admin(GET => '/-/readyz')->{json}{config} }

sub metric {
    my ($name) = @_;
    return $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\d+)$/m ? $1 : undef;
}
sub times_said { my ($words) = @_; my @all = $gw->stderr =~ /$words/g; return scalar @all }

# Whatever happens to the others, this goes on.
my $good = of_key(stays => $stays);
is ask($good), 200, 'a token whose key stays';
my $load = Gateway::Load->new($gw, paths => ['/kapis/x'], headers => [Authorization => "Bearer $good"], connections => 8);
my $ws = Gateway::WebSocket->client($gw, '/kapis/ws', Authorization => "Bearer $good");

# ---- Changed ------------------------------------------------------------------------------------------

is ask(of_secret(0)), 200, 'a secret';
is ask(of_secret(1)), 401, '... and one that is not ours yet';
spew("$dir/hmac", $secret[1]);
changes_over(of_secret(0), of_secret(1), 'a secret that is written in place');
replace("$dir/hmac", $secret[2]);
changes_over(of_secret(1), of_secret(2), 'a secret that comes by a rename');

is ask(of_key(pem => $pem[0])), 200, 'a public key';
replace("$dir/key.pem", public($pem[1]));
changes_over(of_key(pem => $pem[0]), of_key(pem => $pem[1]), 'a public key that comes by a rename');

is ask(of_key(mounted => $mounted[0])), 200, 'a mounted set';
mount_set(2, @mounted[0, 1]);
eventually { all_say(200, of_key(mounted => $mounted[1])) } 'the mounted set with one more key';
ok all_say(200, of_key(mounted => $mounted[0])), '... which is one more, and the old one is as good as before';
mount_set(3, $mounted[1]);
changes_over(of_key(mounted => $mounted[0]), of_key(mounted => $mounted[1]), 'a mounted set that loses a key');
is times_said(qr/the configuration was reloaded/), 0, 'nobody had to ask for a reload';
is metric('ksgate_config_outdated'), 0, 'what is in force is what is in the files';

# ---- Half an edit ------------------------------------------------------------------------------------------

my $config = slurp($gw->file);
spew($gw->file, "listeners: [of whoever is just\n");
replace("$dir/hmac", $secret[3]);
changes_over(of_secret(2), of_secret(3), 'a key that changes while somebody edits the configuration');
is config_state()->{state}, 'loaded', '... whose edit was not looked at';
spew($gw->file, $config);

# ---- Wrong ------------------------------------------------------------------------------------------------

replace("$dir/key.pem", "-----BEGIN PUBLIC KEY-----\nrubbish\n");
eventually { metric('ksgate_config_outdated') == 1 } 'a broken file to be noticed';
is ask(of_key(pem => $pem[1])), 200, 'a file that is broken: the key of before goes on';
my $state = config_state();
is $state->{state}, 'outdated', '... readyz says that it is behind';
like $state->{reason}, qr/public_key_file: .*key\.pem/, '... and why, to those who may know';
my $anonymous = $gw->request(GET => '/-/readyz');
is $anonymous->{status}, 200, '... it is ready all the same';
is $anonymous->{json}{config}{reason}, undef, '... and tells others nothing';
# A file that was written in place above may have been looked at when it was half there: that is told, too.
my %said = (hmac => times_said(qr/not used: \S*hmac/), pem => eventually { times_said(qr/not used: \S*key\.pem/) } 'the word about it');
replace("$dir/stays.json", Gateway::Keys::set($stays)); # no change at all, but the folder is looked at
replace("$dir/hmac", $secret[4]);
eventually { times_said(qr/not used: \S*hmac/) > $said{hmac} } 'another file, which is good';
is times_said(qr/not used: \S*key\.pem/), $said{pem}, '... the broken one is not told again';
is ask(of_secret(3)), 200, '... nothing is taken while something is wrong';
is ask(of_secret(4)), 401, '... not even the good one';
unlink "$dir/key.pem";
eventually { times_said(qr/not used: \S*key\.pem/) > $said{pem} } 'the file to be gone';
is ask(of_key(pem => $pem[1])), 200, 'a file that is gone: the key of before goes on';
spew("$dir/key.pem", public($pem[2]));
changes_over(of_key(pem => $pem[1]), of_key(pem => $pem[2]), 'it is mended');
changes_over(of_secret(3), of_secret(4), '... and what was good meanwhile is taken with it');
is config_state()->{state}, 'loaded', '... readyz says so';
is metric('ksgate_config_outdated'), 0, '... and the metric';

# ---- All the while ---------------------------------------------------------------------------------------

$load->wait_for(50);
my $seen = $load->stop;
is $seen->{failed}, 0, "none of $seen->{requests} requests by another key failed" or diag explain $seen->{words};
$ws->send(text => 'still here');
is $ws->read->{data}, 'still here', 'a WebSocket was not disturbed';
$ws->connection->close;

# ---- After a start -------------------------------------------------------------------------------------------

$gw->stop;
$gw->start;
replace("$dir/hmac", $secret[5]);
changes_over(of_secret(4), of_secret(5), 'a change right after a start');

done_testing;
