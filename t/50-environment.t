# What a command does not read of the configuration need not be readable: variables, above all.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

my $dir = tempdir();
my $gw = gateway();
my $socket = $gw->dir . '/admin.sock';
spew("$dir/secret", 's' x 64);
my $file = spew("$dir/ksgate.yaml", <<"YAML");
listeners: [{address: "\${KSGATE_T_LISTEN}"}]
core: {url: "\${KSGATE_T_CORE}"}
authentication:
  cookie: "\${KSGATE_T_COOKIE}"
  issuers:
    - {issuer: "\${KSGATE_T_ISSUER}", secret_file: $dir/none}
    - {issuer: two, secret_file: "$dir/\${KSGATE_T_SECRET}"}
admin: {socket: "\${KSGATE_T_SOCKET}", mode: "\${KSGATE_T_MODE}"}
YAML

sub with {
    my ($env, @words) = @_;
    return ksgate({env => $env}, @words, '-c', $file);
}

subtest 'the socket' => sub {
    ok -S $socket, 'it is there';
    is with({KSGATE_T_SOCKET => $socket}, 'get', 'es')->{code}, 0, 'is all that get reads';
    is with({}, 'get', 'es', '--socket', $socket)->{code}, 0, '... and not even that when it is said';
    my $r = with({}, 'get', 'es');
    is $r->{code}, 1, 'without it';
    like $r->{err}, qr/ksgate\.yaml:8:17: error: \$\{KSGATE_T_SOCKET\}: this environment variable is not set/, '... it is said which';
    like $r->{err}, qr/--socket PATH or --server URL/, '... and what goes without';
    unlike $r->{err}, qr/T_CORE|T_MODE/, '... and nothing of what does not matter';
};

subtest 'a token' => sub {
    my $r = with({KSGATE_T_SECRET => 'secret'}, 'token', '--user', 'a', '--issuer', 'two');
    is $r->{code}, 0, 'needs its issuer' or diag $r->{err};
    $r = with({}, 'token', '--user', 'a', '--issuer', 'two');
    like $r->{err}, qr/ksgate\.yaml:7:\d+: error: \$\{KSGATE_T_SECRET\}/, '... all of it';
    unlike $r->{err}, qr/T_COOKIE|T_ISSUER/, '... and no other';
    $r = with({KSGATE_T_ISSUER => 'one'}, 'token', '--user', 'a', '--secret-file', "$dir/secret");
    is $r->{code}, 0, 'a secret that is given is enough' or diag $r->{err};
    is with({}, 'token', '--user', 'a', '--issuer', 'x', '--secret-file', "$dir/secret")->{code}, 0, 'with the issuer, no file at all';
    $r = with({KSGATE_T_ISSUER => 'one'}, 'token', '--user', 'a', '--issuer', 'three');
    like $r->{err}, qr/has no issuer three/, 'one that is not there';
};

is with({}, 'check')->{code}, 1, 'check reads it all';

done_testing;
