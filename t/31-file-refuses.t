# A registry file that can be read and takes no writes (another program has it locked, its disk is full): what is known stays
# in use, who looks is told, once, and it mends by itself.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::Process qw(tempdir);
use Gateway::Registry;
use Time::HiRes qw(time);

my $up = upstream { [200, {}, 'up'] };

sub register {
    my ($gw, $id) = @_;
    return $gw->admin(PUT => "/-/apis/ksgate.io/v1/extensionservices/reg/endpoints/$id", {url => $up->url, leaseSeconds => 2});
}

sub endpoints { return scalar @{$_[0]->admin(GET => '/-/apis/ksgate.io/v1/endpoints')->{json}{items}} }
sub said { my ($gw, $words) = @_; return scalar(() = $gw->stderr =~ /registry: \S+registry\.db $words/g) }

# refuse() and mend() make the file so; words: SQLite's.
sub is_told {
    my ($gw, $words, $refuse, $mend) = @_;
    my $load = Gateway::Load->new($gw, paths => ['/extensions/a/x']);
    my ($start, $before, %said);
    eventually { # its lease of two seconds is to end afterwards, however long all that takes
        $mend->() if $start;
        $start = time;
        like register($gw, 'one')->{status}, qr/^20[01]$/, 'an endpoint';
        $before = registry_metric($gw, 'writes_refused_total');
        %said = map { $_ => said($gw, $_) } 'refuses', 'takes writes again';
        $refuse->();
        time - $start < 1.5;
    } 'no more writes';
    for my $name (qw(x y z)) {
        my $r = $gw->admin(PUT => path_of($name), extension($name => $up->url));
        is $r->{status}, 503, 'a write is refused';
        like $r->{json}{message}, qr/nothing was changed: .*$words/, '... by its reason';
    }
    eventually { registry_of($gw)->{writesRefused} } 'readyz to say so'; # it looks ten times a second
    like registry_of($gw)->{writesRefused}{reason}, qr/^$words$/, '... with the reason';
    is registry_of($gw)->{state}, 'fresh', '... all is known as it was';
    eventually { registry_metric($gw, 'writes_refused_total') >= $before + 5 } 'two times that the lease could not be ended';
    is endpoints($gw), 1, '... it is there, and over';
    is said($gw, "refuses .*$words; what is known stays in use"), $said{refuses} + 1, 'the log says it once';
    $mend->();
    is register($gw, 'one')->{status}, 200, 'nobody could renew it meanwhile: it is there when its backend comes';
    eventually { $gw->stderr =~ /took no writes for \d\S* s, and nobody could renew: leases begin anew/ } 'the log to say so';
    eventually { endpoints($gw) == 0 } 'the end of the lease';
    is $gw->admin(PUT => path_of('x'), extension(x => $up->url))->{status}, 201, 'then writes are taken';
    eventually { !registry_of($gw)->{writesRefused} } 'readyz to say nothing more of it';
    is said($gw, 'takes writes again'), $said{'takes writes again'} + 1, 'the log says that it is over';
    my $seen = $load->stop;
    is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    return;
}

subtest 'locked by another program' => sub {
    my $gw = gateway(objects => [extension(reg => undef), extension(a => $up->url)]);
    my $file = $gw->dir . '/registry.db';
    my $locker;
    is_told($gw, 'database is locked', sub {
        $locker = Gateway::Process->new(name => 'locker', log => tempdir() . '/log', expected_end => 1, command => ['python3', '-uc',
            'import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None); '
                . 'c.execute("BEGIN IMMEDIATE"); print("locked"); time.sleep(600)', $file]);
        $locker->wait_until('locks', sub { $locker->log eq "locked\n" });
    }, sub { $locker->stop('KILL') });
};

subtest 'a full disk' => sub {
    my $dir = tempdir();
    plan skip_all => 'nobody may mount a small disk here' if $< != 0 || system("mount -t tmpfs -o size=1m tmpfs $dir 2>/dev/null") != 0;
    Gateway::Process::give_away($dir);
    my $ok = eval {
        my $gw = gateway(objects => [extension(reg => undef), extension(a => $up->url)],
            config => {registry => {sqlite => {path => "$dir/registry.db"}}});
        is_told($gw, 'database or disk is full', sub { system "dd if=/dev/zero of=$dir/filler bs=4k 2>/dev/null" }, sub { unlink "$dir/filler" });
        is $gw->stop, 0, 'it stops';
        1;
    };
    my $why = $@;
    system "umount -l $dir";
    ok $ok, 'to its end' or diag $why;
};

done_testing;
