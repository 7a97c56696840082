# The examples in the documents: each is taken as it stands there.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;

my $gw = gateway;
my $schema = JSON::PP::decode_json(ksgate('schema', '--json')->{out});
my $defaults = Gateway::defaults($gw);
my $json = JSON::PP->new->canonical;

# What stands in this ```yaml: objects, (a part of) an extension's spec, or a part of the configuration.
sub kind_of {
    my ($text) = @_;
    my @keys = $text =~ /^(\w+):/mg;
    return 'objects' if grep { $_ eq 'apiVersion' } @keys;
    return 'part' if grep { /^(?:metadata|rules)$/ } @keys; # of some other object
    return 'configuration' if !grep { !$schema->{properties}{$_} } @keys;
    return 'spec';
}

sub problems {
    my ($text) = @_;
    my $kind = kind_of($text);
    if ($kind eq 'configuration') {
        my %rest = map { $_ => $defaults->{$_} } grep { $text !~ /^$_:/m } keys %$defaults;
        my $file = spew($gw->dir . '/document.yaml', join '', $text, map { "$_: " . $json->encode($rest{$_}) . "\n" } sort keys %rest);
        my $r = ksgate('check', '-c', $file);
        # An example need not have all that a whole file has, nor be read where its files are.
        return grep { /error/ && !/core\.url: is required|No such file/ } split /\n/, $r->{out} . $r->{err};
    }
    if ($kind eq 'spec') {
        $text = "spec:\n" . $text =~ s/^/  /mgr if $text !~ /^spec:/m;
        $text = "apiVersion: ksgate.io/v1\nkind: ExtensionService\nmetadata: {name: example}\n$text";
    }
    my $r = $gw->ksgate_here('apply', '--dry-run', '-f', spew($gw->dir . '/document.yaml', $text));
    return $r->{code} == 0 ? () : "$r->{out}$r->{err}";
}

my $n = 0;
for my $file (sort glob 'docs/howto/*.md docs/modules/*.md') {
    my $text = slurp($file);
    while ($text =~ /^```yaml\n(.*?)^```$/msg) {
        my $example = $1;
        my $line = 2 + (() = substr($text, 0, $-[0]) =~ /\n/g);
        next if kind_of($example) eq 'part';
        my @problems = problems($example);
        is "@problems", '', "$file:$line (" . kind_of($example) . ')';
        $n++;
    }
}
cmp_ok $n, '>', 10, 'they were found';

done_testing;
