package Gateway::Jose;

# Tokens by another implementation: jose (npm), in Node.
#
#     my $by = Gateway::Jose::mint(claims => {...});  # {RS256 => {token, public, private, secret}, ...}
#     my $bad = Gateway::Jose::wrong(RS256 => {token, key}, ...); # what it says against them: {} is nothing

use strict;
use warnings;
use Cwd qw(realpath);
use File::Basename qw(dirname);
use JSON::PP ();
use Test::More ();

use Gateway::Process;

my $json = JSON::PP->new->canonical->utf8;

# Where the library is.  CI (KSGATE_CI) gets it or fails; elsewhere the test is left out when it
# is not there: `tools/jose build` puts it there, as ./bootstrap check does.
sub folder {
    my $build = realpath(dirname($ENV{KSGATE} // 'build/ksgate'));
    my $folder = "$build/js/node_modules";
    return $folder if -d "$folder/jose";
    Test::More::plan(skip_all => "there is no jose (tools/jose $build)") if !$ENV{KSGATE_CI};
    my $r = Gateway::Process::run({seconds => 120}, 'tools/jose', $build);
    die "tools/jose: $r->{err}\n" if $r->{code} != 0;
    return $folder;
}

sub ask {
    my ($question) = @_;
    my $r = Gateway::Process::run({in => $json->encode($question), env => {NODE_PATH => folder()}, seconds => 60}, 'node', 't/lib/jose.cjs');
    die "t/lib/jose.cjs: $r->{err}" if $r->{code} != 0;
    return $json->decode($r->{out});
}

# One of each algorithm, with these claims.
sub mint { return ask({what => 'mint', @_}) }

sub wrong { return ask({what => 'verify', tokens => {@_}}) }

1;
