# A gateway that is killed at whichever step of writing its state to the disk serves when it is started again: from the last
# state (the registry's Redis is away), or from the SQLite file.  strace kills it, at the entry of the system call.
#   KSGATE_LONG=1: at each step of SQLite, not only at some of them.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Process qw(tempdir);

my $up = upstream { [200, {}, $_[0]{path}] };

# Runs everything below the gateway under strace, which kills it at the nth call of that name that concerns the files.
sub stricken {
    my ($gw, $call, $n, @files) = @_;
    my $log = $gw->dir . "/strace.$call.$n";
    my $process = Gateway::Process->new(
        name => 'strace', log => $gw->dir . '/stderr', expected_end => 1, crash_ok => 1,
        command => ['strace', '-f', '-qq', '-o', $log, (map { ('-P', $_) } @files), '-e', "trace=$call",
            '-e', "inject=$call:signal=KILL:when=$n", 'build/ksgate', 'serve', '-c', $gw->file]);
    $gw->{process} = $process;
    return sub { -e $log && slurp($log) =~ /killed by SIGKILL/ };
}

sub end {
    my ($gw) = @_;
    $gw->{process}->kill_group;
    eventually { !eval { $gw->connect } } 'the end of its sockets';
    return;
}

sub is_up { my ($gw, $name) = @_; return (eval { $gw->request(GET => "/extensions/$name/x")->{status} } // 0) == 200 }

{
    my $r = Gateway::Process::run({}, 'strace', '-e', 'inject=write:signal=KILL:when=1', 'echo', 'x');
    plan skip_all => "strace may not trace here: $r->{err}" if $r->{code} == 127 || $r->{err} !~ /killed by SIGKILL/;
}

# ---- The last state ----------------------------------------------------------------------------------

# Each of its steps, until one is not met any more: then it has run through.
subtest 'the last state' => sub {
    my $redis = redis();
    my $gw = gateway(redis => $redis, core => $up->url, objects => [extension(a => $up->url)], crash_ok => 1, config => {registry => {redis => {timeout => '1s'}}}); # how long it waits for a Redis that hangs
    my ($file, $n) = ($gw->dir . '/snapshot', 0);
    is $gw->stop, 0, 'there is a whole one';
    my %steps;
    for my $call (qw(openat write pwrite64 fsync close rename)) {
        for (my $nth = 1;; $nth++) {
            my $name = 'n' . ++$n;
            my $old = slurp($file);
            my $is_dead = stricken($gw, $call, $nth, "$file.new", $file, $gw->dir);
            eventually { is_up($gw, 'a') || $is_dead->() } 'a gateway';
            my $r;
            # it serves from the disk before it has reached Redis
            eventually { $is_dead->() || (($r = eval { $gw->admin(PUT => path_of($name), extension($name => $up->url)) }) // {status => 0})->{status} =~ /^20[01]$/ } 'a write';
            my $synced = sub { 2 <= (() = slurp($gw->dir . "/strace.fsync.$nth") =~ /= 0$/mg) }; # the file and, after it is new, the folder
            eventually { $is_dead->() || (slurp($file) ne $old && ($call ne 'fsync' || $synced->())) } 'a new state, or the end';
            my $died = $is_dead->();
            end($gw);
            $redis->freeze;
            $gw->begin;
            eventually { is_up($gw, 'a') } "the start after $call $nth";
            my $log = $gw->stderr;
            ok $log !~ /the last state is not used/, "$call $nth: " . ($died ? 'killed there, it serves when it starts' : 'is not met');
            $redis->thaw;
            eventually { is_up($gw, $name) } 'what was acknowledged' if $r && $r->{status} =~ /^20[01]$/;
            $gw->stop;
            last if !$died;
            $steps{$call} = $nth;
        }
    }
    is_deeply [grep { !$steps{$_} } qw(openat write pwrite64 fsync close rename)], [], 'each kind of step was met';
    cmp_ok $steps{fsync}, '>=', 2, 'the folder is synced, too';
    ok !grep({ /\.refused$/ } glob $gw->dir . '/*'), 'nothing was refused';
};

# ---- The SQLite file -------------------------------------------------------------------------------------

subtest 'the SQLite file' => sub {
    my $gw = gateway(core => $up->url, objects => [extension(a => $up->url)], crash_ok => 1);
    is $gw->stop, 0, 'there is one';
    my $db = $gw->dir . '/registry.db';
    my (@acknowledged, $met);
    for my $call (qw(pwrite64 fdatasync fsync ftruncate)) {
        for my $nth ($ENV{KSGATE_LONG} ? 1 .. 60 : (1, 2, 3, 5, 8, 13, 18, 24, 29, 33)) {
            my $is_dead = stricken($gw, $call, $nth, $db, "$db-wal", "$db-shm");
            eventually { is_up($gw, 'a') || $is_dead->() } 'a gateway';
            for my $i (1 .. 3) {
                my $r = $is_dead->() ? undef : eval { $gw->admin(PUT => path_of("$call-$nth-$i"), extension("$call-$nth-$i" => $up->url)) };
                push @acknowledged, "$call-$nth-$i" if $r && $r->{status} == 201;
            }
            my $died = $is_dead->();
            end($gw);
            $gw->start;
            $met += $died;
            my @lost = grep { !is_up($gw, $_) } 'a', @acknowledged; # who has all from the file is up at once
            $gw->stop;
            is_deeply \@lost, [], "$call $nth: " . ($died ? 'killed there, it has all that was acknowledged' : 'is not met');
            last if !$died;
        }
    }
    cmp_ok $met, '>=', 8, 'it was killed at many steps';
};

# ---- What can't be used --------------------------------------------------------------------------------------

{
    my $redis = redis();
    my $gw = gateway(redis => $redis, core => $up->url, objects => [extension(a => $up->url)]);
    is $gw->stop, 0, 'the gateway stops';
    my $file = $gw->dir . '/snapshot';
    my $text = slurp($file);
    spew($file, substr $text, 0, length($text) / 2);
    $gw->start;
    is $gw->request(GET => '/extensions/a/x')->{status}, 200, 'with half a state on disk it starts by Redis';
    like $gw->stderr, qr/warn .*snapshot: the last state is not used: its checksum is wrong: it was cut or changed; the file is .*snapshot\.refused now/,
        '... says what is wrong with it';
    is slurp("$file.refused"), substr($text, 0, length($text) / 2), '... and keeps it';
}

# ---- What can't be written ------------------------------------------------------------------------------------

{
    my $redis = redis();
    my $gw = gateway(redis => $redis, core => $up->url, objects => [extension(a => $up->url)]);
    is $gw->stop, 0, 'the gateway stops';
    my $file = $gw->dir . '/snapshot';
    unlink $file or die $!;
    mkdir "$file.new" or die $!; # in the way
    $gw->start;
    eventually { $gw->stderr =~ /error .*the last state can't be written to \S+snapshot: Is a directory; without it/ } 'the log to say so';
    rmdir "$file.new" or die $!;
    eventually { -e $file } 'the state to be written, although nothing changes any more';
    eventually { $gw->stderr =~ /info .*the last state is written to \S+snapshot again/ } 'the log to say that it is over';
    is scalar(() = $gw->stderr =~ /the last state can't be written/g), 1, 'it was said once';
}

done_testing;
