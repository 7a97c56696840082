# A registry that is put back to an older state of itself, of the same epoch, in one moment: revisions go back, and on with other changes.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;
use Gateway::Registry;

my $api = '/-/apis/ksgate.io/v1';
my $place = "$api/extensionservices/shop/endpoints";
my $script = ksgate('registry', 'script')->{out};
my $redis = redis();
$redis->command('ACL', 'SETUSER', $_, 'on', 'nopass', '~*', '&*', '+@all') for qw(a b);
my ($gw, $other) = map { gateway(redis => $redis, workers => 1, config => {registry => {redis => {fleet_wait => '4s', url => "redis://$_\@127.0.0.1:" . $redis->port . '/0'}}}) } qw(a b);
sub endpoint { my ($n) = @_; return {url => "http://127.0.0.1:$n", leaseSeconds => 600} }
sub known { my ($gw, $id) = @_; my $r = $gw->admin(GET => "$api/endpoints/shop.$id"); return $r->{status} == 200 ? $r->{json}{spec}{url} : $r->{status} }
sub lease_ends { my ($id, $ms) = @_; return $redis->command('ZADD', '{ksgate}:leases', 'XX', $ms, "ksgate.io/Endpoint//shop.$id") }
sub revision { return $redis->command('GET', '{ksgate}:revision') }

my @keys = map { "{ksgate}:$_" } qw(epoch revision objects changes leases);
sub dump_of { return map { $redis->command('DUMP', $_) } @keys }
# And so many writes by others, before anybody can look.
sub put_back {
    my ($dump, $writes) = @_;
    return restore($redis, \@keys, $dump, join ';', map {
        qq(redis.call('HSET', '{ksgate}:objects', 'ksgate.io/Endpoint//shop.x$_', '{"metadata":{"name":"shop.x$_","uid":"u","creationTimestamp":"2026-11-30T10:00:00Z","resourceVersion":"' .. redis.call('INCR', '{ksgate}:revision') .. '"},"apiVersion":"ksgate.io/v1","kind":"Endpoint","spec":{"extension":"shop","url":"http://127.0.0.1:7"}}')
        redis.call('XADD', '{ksgate}:changes', redis.call('GET', '{ksgate}:revision') .. '-0', 'op', 'put', 'field', 'ksgate.io/Endpoint//shop.x$_', 'at', '17$_'))
    } 1 .. $writes);
}

$gw->apply([extension(shop => undef)]);
$gw->admin(PUT => "$place/first", endpoint(1));
eventually { known($_, 'first') =~ /^http/ } 'it to be known' for $gw, $other;

# ---- Leases that have ended, and what was deleted, in the registry that is back, before a gateway lists it -----------------

sub state { my ($gw) = @_; return $gw->admin(GET => '/-/readyz')->{json}{registry}{state} }
my %late = (
    'has only lost the line' => [sub { $redis->command('ACL', 'SETUSER', 'b', 'off'); $redis->command('CLIENT', 'KILL', 'USER', 'b') }, sub { $redis->command('ACL', 'SETUSER', 'b', 'on') }],
    'may not list for a while' => [sub { $redis->command('ACL', 'SETUSER', 'b', '-hscan') }, sub { $redis->command('ACL', 'SETUSER', 'b', '+hscan') }],
);
for my $how (sort keys %late) {
    for my $writes (0, 9) {
        my $what = "a gateway that $how, and $writes writes by others";
        $gw->admin(PUT => "$place/deleted", endpoint(1));
        $gw->admin(PUT => "$place/ended", {%{endpoint(1)}, leaseSeconds => 3});
        lease_ends('ended', 1e15); # not before it is told to
        is $gw->admin(PUT => "$place/kept?wait=fleet", endpoint(1))->{status}, 201, "$what: both know all";
        my @dump = dump_of();
        $gw->admin(DELETE => "$place/kept");
        $gw->admin(PUT => "$place/lost", endpoint(2));
        is $gw->admin(DELETE => "$place/lost?wait=fleet")->{status}, 200, '... and are ahead';
        $late{$how}[0]->();
        put_back(\@dump, $writes);
        lease_ends('ended', 1);
        eventually { known($gw, 'ended') eq 404 && known($gw, 'kept') =~ /^http/ } 'the lease to end, in the registry that is back', 20;
        is $gw->admin(DELETE => "$place/deleted")->{status}, 200, '... and something is deleted there';
        eventually { state($gw) eq 'fresh' } 'it to be well'; # a moment after what the registry told of what is not there
        unlike $gw->stderr, qr/were known are not among them/, 'who has followed all that keeps nothing as lost';
        is_deeply [map { known($other, $_) } qw(kept ended deleted)], [404, 'http://127.0.0.1:1', 'http://127.0.0.1:1'], '... and who has not knows nothing of it yet';
        $late{$how}[1]->();
        eventually { known($other, 'ended') eq 404 && known($other, 'deleted') eq 404 && known($other, 'kept') =~ /^http/ } 'it to have it, too', 10;
        eventually { state($other) eq 'fresh' } 'who lists later to keep nothing as lost either', 10;
        unlike $other->stderr, qr/were known are not among them[^\n]*shop\.(?:ended|deleted)/, '... nor does it say that anything was lost';
        $gw->admin(DELETE => "$place/kept");
    }
}

# ---- ... which does not tell it any more ------------------------------------------------------------------------------------

{
    is $gw->admin(PUT => "$place/deleted?wait=fleet", endpoint(1))->{status}, 201, 'both know all';
    my @dump = dump_of();
    $gw->admin(PUT => "$place/first", endpoint($_)) for 2 .. 9;
    is $gw->admin(PUT => "$place/first?wait=fleet", endpoint(2))->{status}, 200, 'both are ahead';
    $late{'may not list for a while'}[0]->();
    put_back(\@dump, 0);
    eventually { known($gw, 'first') eq 'http://127.0.0.1:1' } 'one to list';
    is $gw->admin(DELETE => "$place/deleted")->{status}, 200, 'something is deleted';
    $redis->command('XDEL', '{ksgate}:changes', revision() . '-0');
    is $gw->admin(PUT => "$place/more", endpoint(3))->{status}, 201, '... and goes from the changes, too';
    $late{'may not list for a while'}[1]->();
    eventually { known($other, 'more') =~ /^http/ } 'a gateway to list';
    is known($other, 'deleted'), 'http://127.0.0.1:1', 'what nobody tells it counts as lost, and is kept';
    eventually { $other->stderr =~ /were known are not among them[^\n]*shop\.deleted/ } 'it to be said, after the changes that might have told it';
    is known($other, 'deleted'), 'http://127.0.0.1:1', '... and named';
    my $lists = () = $other->stderr =~ /listed again|not among them/g;
    is $gw->admin(PUT => "$place/more?wait=fleet", endpoint(4))->{status}, 200, '... and it goes on';
    is scalar(() = $other->stderr =~ /listed again|not among them/g), $lists, '... without another list';
}

# ---- What is written a moment later ---------------------------------------------------------------------------

for my $wait (qw(live fleet)) {
    my @dump = dump_of();
    my $was = revision();
    $gw->admin(PUT => "$place/lost-$wait-$_", endpoint(2)) for 1 .. 8;
    eventually { known($_, "lost-$wait-8") =~ /^http/ } 'it to be known' for $gw, $other; # not by wait=fleet: gateways that are waited for look more often
    put_back(\@dump, 0);
    is revision(), $was, "wait=$wait: the registry is put back";
    my $r = $gw->admin(PUT => "$place/new-$wait?wait=$wait", endpoint(3));
    my @known = map { known($_, "new-$wait") } $gw, $wait eq 'fleet' ? $other : ();
    is_deeply [$r->{status}, @known], [201, ('http://127.0.0.1:3') x @known], '... what is written is said to be in use when it is, although its revision is a low one' or diag $r->{body};
    eventually { known($_, "new-$wait") =~ /^http/ } 'it to be known' for $gw, $other;
}

# ---- A gateway that has not noticed it, and says what it routed by before ----------------------------------------

{
    my @dump = dump_of();
    $gw->admin(PUT => "$place/ahead-$_", endpoint(2)) for 1 .. 20;
    is $gw->admin(PUT => "$place/ahead?wait=fleet", endpoint(2))->{status}, 201, 'both are ahead';
    $redis->command('ACL', 'SETUSER', 'b', '-hscan'); # it can follow, and not list anew
    put_back(\@dump, 0);
    my $r = $gw->admin(PUT => "$place/half?wait=fleet", endpoint(4));
    is $r->{status}, 504, 'what another gateway has routed by in the registry that is gone does not count' or diag $r->{body};
    like $r->{json}{message}, qr/and this gateway routes by it; not yet, as far as is known: \S+: it has not taken over this registry yet/, '... that one is named';
    $redis->command('ACL', 'SETUSER', 'b', '+hscan');
    eventually { known($other, 'half') =~ /^http/ } 'it to list';
    is $gw->admin(PUT => "$place/whole?wait=fleet", endpoint(4))->{status}, 201, '... and then it counts';
}

# ---- Others have gone on, beyond what is known ----------------------------------------------------------------------

{
    my @dump = dump_of();
    $gw->admin(PUT => "$place/gone-$_", endpoint(2)) for 1 .. 4;
    is $gw->admin(PUT => "$place/gone?wait=fleet", endpoint(2))->{status}, 201, 'both are ahead';
    my $was = revision();
    put_back(\@dump, 9);
    cmp_ok revision(), '>', $was, '... and the registry is put back, and written to until it is further';
    my @there = sort grep { /Endpoint/ } @{$redis->command('HKEYS', '{ksgate}:objects')};
    for my $g ($gw, $other) {
        eventually { my %has = map { ("ksgate.io/Endpoint//$_->{metadata}{name}" => 1) } @{$g->admin(GET => "$api/endpoints")->{json}{items}}; !grep { !$has{$_} } @there } 'all that is there to be known';
        like $g->stderr, qr/the registry went back, and on from there with other changes/, 'a gateway notices, and says so';
    }
    is known($_, 'gone'), 'http://127.0.0.1:2', '... and keeps what is gone, as of any registry that was put back' for $gw, $other;
    is $gw->admin(PUT => "$place/end?wait=fleet", endpoint(4))->{status}, 201, '... and goes on';
}
done_testing;
