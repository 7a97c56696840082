# conf/ksgate.yaml as it is installed, but for the addresses and the folders' parents: nothing of
# it may be missing on a fresh machine.
use strict;
use warnings;
use Test::More;
use File::Path qw(make_path);
use lib 't/lib';
use Gateway;

my $core = upstream { [200, {}, 'core'] };
my $console = upstream { [200, {}, 'console'] };
my $dir = tempdir();
make_path(map { "$dir/$_" } qw(etc/ksgate run var/lib var/log));

my $yaml = slurp('conf/ksgate.yaml');
my $at = sub {
    my ($old, $new) = @_;
    is scalar($yaml =~ s/\Q$old\E/$new/g), 1, "it has $old";
};
$at->('0.0.0.0:8080', '127.0.0.1:${PORT}');
$at->('http://ks-apiserver.kubesphere-system.svc:80', $core->url);
$at->('http://ks-console.kubesphere-system.svc:80', $console->url);
$yaml =~ s{(/(?:etc|run|var/lib|var/log)/ksgate/)}{\${DIR}$1}g;
$yaml .= 'user: ' . Gateway::Process::user() . "\n" if $< == 0; # the folder of this test is theirs

my $gw = gateway(yaml => $yaml, dir => $dir, start => 0);

my $r = $gw->ksgate_here('check');
is $r->{code}, 1, 'without the secret it is not taken';
like $r->{err} . $r->{out}, qr{etc/ksgate/jwt\.secret.*No such file}, 'and it is said which file is missing';

spew("$dir/etc/ksgate/jwt.secret", "$gw->{secret}\n");
$r = $gw->ksgate_here('check');
is $r->{code}, 0, 'with the secret it is';
is $r->{err}, '', 'without a warning: what is missing is made at the start';

for my $time (qw(first second)) {
    $gw->start;
    my @findings = grep { / (?:warn|error) / && !/limit of open files/ } split /^/, $gw->stderr;
    is "@findings", '', "the $time start: nothing to complain of";
    is $gw->request(GET => '/version')->{body}, 'core', 'ks-core answers';
    is $gw->request(GET => '/kapis/iam.kubesphere.io/v1beta1/users', $gw->as('admin'))->{status}, 403, 'a token of ks-core is known, its roles are not yet';
    is $gw->stop, 0, 'the end';

    for my $file (qw(run/ksgate var/lib/ksgate var/log/ksgate var/lib/ksgate/registry.db var/log/ksgate/access.log)) {
        my ($mode, $uid) = (stat "$dir/$file")[2, 4];
        is $uid, $< == 0 ? scalar getpwnam Gateway::Process::user() : $<, "$file is the server's";
        is $mode & 07, 0, 'and not for everybody';
    }
}
cmp_ok scalar(grep { /"path":"\/version"/ } split /^/, slurp("$dir/var/log/ksgate/access.log")), '==', 2, 'both wrote their lines';

done_testing;
