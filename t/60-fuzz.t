# Every fuzzer of t/fuzz for a moment: all of its corpus, then what libFuzzer makes of it.  That a
# fuzzer builds, that nothing old comes back, and some luck; who wants more runs `make fuzz`.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname basename);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Process;

my $seconds = $ENV{KSGATE_LONG} ? 60 : 3;
my $build = abs_path(dirname(Gateway::program()));
my $dir = tempdir();

# A reason not to: there is no such compiler (.ci/run takes none), or this is another kind of build,
# whose tests are the same.
sub without {
    my ($why) = @_;
    die "$why, but CI runs them\n" if $ENV{KSGATE_CI};
    plan skip_all => $why;
    exit;
}
without('only in the usual build') if basename($build) =~ /^(?:asan|tsan|coverage)$/;
spew("$dir/try.c", "int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n);\n"
    . "int LLVMFuzzerTestOneInput(const unsigned char *p, unsigned long n) { return (int)(n - n) * (p != 0); }\n");
my $try = eval { Gateway::Process::run({}, 'clang', '-fsanitize=fuzzer,address', '-o', "$dir/try", "$dir/try.c") };
without('there is no clang with libFuzzer (Debian: clang libclang-rt-14-dev)') if !$try || $try->{code} != 0;

alarm 600;
my $made = Gateway::Process::run({seconds => 500}, qw(make -s --no-print-directory -C), $build, 'fuzzers');
is $made->{code}, 0, 'they are built' or diag $made->{out}, $made->{err};

my @fuzzers = map { basename($_, '.c') } glob 't/fuzz/*.c';
ok @fuzzers >= 6, 'there are some';
for my $name (@fuzzers) {
    my $grown = "$dir/$name";
    mkdir $grown or die "$grown: $!";
    my $r = Gateway::Process::run({seconds => $seconds + 120, env => {ASAN_OPTIONS => '', UBSAN_OPTIONS => 'print_stacktrace=1'}},
        "$build/fuzz/fuzz-$name", "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=2048', "-artifact_prefix=$build/fuzz/$name-",
        '-print_final_stats=1', $grown, glob "t/fuzz/corpus/$name");
    my ($runs) = $r->{err} =~ /^stat::number_of_executed_units:\s*(\d+)/m;
    my $olds = () = glob "t/fuzz/corpus/$name/*";
    ok $r->{code} == 0 && ($runs // 0) > $olds, "$name: " . ($runs // 'no') . ' inputs, and nothing found'
        or diag "ended with $r->{code}\n", substr $r->{err}, -6000;
}
done_testing;
