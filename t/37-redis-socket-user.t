# A Redis behind a unix socket that lets in an ACL user and nobody else.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $dir = tempdir();
chmod 0755, $dir;
my $up = upstream { [200, {}, 'up'] };
my $redis = redis(password => 'another', config => ["--unixsocket $dir/redis.sock", '--unixsocketperm 777', '--user gate on >s3cret ~* &* +@all']);
my $password = spew("$dir/pw", "s3cret\n");
chmod 0644, $password;

for my $url ("unix:$dir/redis.sock?user=gate&db=1", "unix://gate@" . "$dir/redis.sock?db=1") {
    my $gw = gateway(config => {registry => {driver => 'redis', redis => {url => $url, password_file => $password}}});
    $gw->apply([extension(one => $up->url)]);
    is $gw->request(GET => '/extensions/one/x')->{body}, 'up', "$url: a gateway works by it";
    is $gw->stop, 0, 'and stops';
    like ksgate('registry', 'check', $url, '--password-file', $password)->{out}, qr/^1 object /, 'so does the command';
}
my $r = ksgate('registry', 'check', "unix:$dir/redis.sock?db=1", '--password-file', $password);
isnt $r->{code}, 0, 'without the user nobody is let in';

done_testing;
