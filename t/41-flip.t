# Bindings and roles that are changed together: no request is decided by some of them.
#
# ann and bob have one binding between them each, and they are exchanged in one step, a thousand times: who
# asks meanwhile is always let in.  By half of an exchange one of the two would have none.  carol is bound to
# a role in just those states in which it gives nothing: by half of that she would be let in.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;

my $path = '/extensions/x/';
my $rounds = 1000;
my $up = upstream { [200, {}, 'x'] };
my $all = [{verbs => ['*'], nonResourceURLs => ['*']}];

sub state {
    my ($odd) = @_;
    my ($first, $second) = $odd ? qw(bob ann) : qw(ann bob);
    return [
        binding('GlobalRole', 'first', 'open', $first),
        binding('GlobalRole', 'second', 'open', $second),
        role('GlobalRole', 'sometimes', $odd ? [] : $all),
        binding('GlobalRole', 'for-carol', 'sometimes', $odd ? 'carol' : 'dave'),
    ];
}

sub write_all {
    my ($gw, @items) = @_;
    return $gw->admin(POST => '/-/apply?wait=live', {apiVersion => 'v1', kind => 'List', items => \@items});
}

# Two gateways with one registry: what one of them writes the other follows.
sub flip {
    my ($store, $one, $two) = @_;
    $one->apply([extension('x', $up->url, access => 'authorized'), role('GlobalRole', 'open', $all), @{state(0)}]);
    for my $who (qw(ann bob)) { # they are written one after the other
        eventually(sub { $two->request(GET => $path, $two->as($who))->{status} == 200 }, "the other gateway has them: $who");
    }
    my @load = map { my $gw = $_; map { Gateway::Load->new($gw, paths => [$path], pause => 0, headers => [$gw->as($_->[0])], status => $_->[1]) }
        (['ann', 200], ['bob', 200], ['carol', 403]) } $one, $two;
    my %said;
    $said{write_all($one, @{state($_ % 2)})->{status}}++ for 1 .. $rounds;
    is_deeply \%said, {200 => $rounds}, "$store: $rounds exchanges were written";
    for my $who ('ann, who is always bound', 'bob, who is always bound', 'carol, whose role gives nothing when she has it') {
        for my $where ("$store, where it is written", "$store, where it is followed") {
            my $i = ($who =~ /^ann/ ? 0 : $who =~ /^bob/ ? 1 : 2) + ($where =~ /followed/ ? 3 : 0);
            my $seen = $load[$i]->stop;
            is $seen->{failed}, 0, "$where: none of $seen->{requests} requests of $who was decided by half of it" or diag join "\n", @{$seen->{words}};
            cmp_ok $seen->{requests}, '>', 50, '... and there were some';
        }
    }
    return;
}

{
    my $one = gateway();
    my $two = gateway(start => 0, config => {registry => {sqlite => {path => $one->dir . '/registry.db'}}});
    $two->start;
    flip('SQLite', $one, $two);

    # all or none
    my $before = $one->admin(GET => '/-/readyz')->{json}{registry}{revision};
    my @items = (binding('GlobalRole', 'first', 'none', 'eve'), {%{binding('GlobalRole', 'second', 'none', 'eve')}});
    $items[1]{metadata} = {%{$items[1]{metadata}}, resourceVersion => '1'};
    my $r = write_all($one, @items);
    is $r->{status}, 409, 'when one of them is refused';
    like $r->{json}{message}, qr/globalrolebindings\.iam\.kubesphere\.io "second": the object has been modified/, '... it is named';
    is $one->admin(GET => '/-/readyz')->{json}{registry}{revision}, $before, '... and none is written';
    $r = write_all($one, $items[0], {%{$items[0]}, kind => 'GlobalRoleBindin'});
    is $r->{status}, 422, 'so it is when one is no object';
    like $r->{json}{message}, qr/^items\[1\]: kind: "GlobalRoleBindin" is not known/, '... which is named, too';
    like write_all($one, $items[0], $items[0])->{json}{message}, qr/items\[1\]: .*"first" is in the list twice/, 'and when one is there twice';
    is write_all($one)->{status}, 422, 'nothing at all is a mistake';
    $r = $one->request(POST => '/-/apply', $one->as('ann'), 'Content-Type' => 'application/json', body => '{"items":[]}');
    is $r->{status}, 403, 'on a listener it is refused, whatever the caller may do';
    like $r->{json}{message}, qr/over the admin socket only/, '... and why';
    is $one->admin(GET => '/-/readyz')->{json}{registry}{revision}, $before, 'none of that was written';

    # by the command
    my $file = spew($one->dir . '/two.yaml', join "---\n", map { JSON::PP->new->encode($_) . "\n" } @{state(0)}[0, 1], role('GlobalRole', 'open', $all));
    $r = $one->ksgate_here('apply', '--together', '--dry-run', '-f', $file);
    like $r->{out}, qr{globalrolebinding\S*/first (?:configured|unchanged) \(dry run\)}, 'ksgate apply --together --dry-run says what would be';
    $r = $one->ksgate_here('apply', '--together', '-f', $file);
    is $r->{code}, 0, 'ksgate apply --together writes a file in one step' or diag $r->{err};
    like $r->{out}, qr{globalrole\S*/open unchanged}, '... and says what became of each';
}

{
    my $redis = redis();
    my $one = gateway(redis => $redis);
    flip('Redis', $one, gateway(redis => $redis));
}

done_testing;
