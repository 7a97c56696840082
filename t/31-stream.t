# The stream of changes is not what a gateway expects: trimmed, with holes, of another registry, written by somebody else.
# It lists anew, in pages, and says why; requests do not notice, what is new is live, and what was deleted is gone.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use lib 't/lib';
use Gateway;
use Gateway::Load;
use Gateway::Objects;
use Gateway::RedisProxy;
use Gateway::Registry;

use constant MANY => 2000;

my $up = upstream { [200, {}, 'up'] };
my $redis = redis();
my $proxy = Gateway::RedisProxy->new($redis);
my $gw = gateway(core => $up->url, config => {registry => {driver => 'redis', sqlite => undef, redis => {url => $proxy->url, timeout => '3s'}}});
my $second = gateway(redis => $redis); # beside it: nothing is between it and Redis
my @load = ('/extensions/a/x', '/version', '/extensions/b/x');

sub key { return "{ksgate}:$_[0]" }
sub counter { return $redis->command('GET', key('revision')) }
sub status { return $gw->request(GET => "/extensions/$_[0]/x")->{status} }
sub lists { my ($why) = @_; return registry_metric($gw, qq(lists_total{reason="$why"})) }
sub all_lists { my $body = $gw->admin(GET => '/-/metrics')->{body}; my $all = 0; $all += $1 while $body =~ /^ksgate_registry_lists_total\{.*\} (\d+)$/mg; return $all }
sub add { return $redis->command('XADD', key('changes'), @_) }

# Another program's writes, that go by no gateway.
sub write_by_script { script_call($redis, 'put', "ksgate.io/ExtensionService//$_", extension($_ => $up->url), 'any', 0, 0) for @_; return }
sub delete_by_script { script_call($redis, 'delete', "ksgate.io/ExtensionService//$_", 'any', 0) for @_; return }

# The gateway sees nothing of what is done meanwhile: what it waits for is held until then.  And as it looks by itself from time to time,
# and $second is there as well, all of that is one step.
sub unseen {
    my ($code) = @_;
    my $met = $proxy->met('^XREAD');
    $proxy->on('^XREAD', 'hold');
    $proxy->wait_for('^XREAD', 1 + $met);
    $redis->in_one_step($code);
    $proxy->release;
    return;
}

my $n = 0;

# A story: requests go on all the while; at its end both gateways have the same, a change is followed, and one look at what was asked
# since shows that the list, if there was one, was read in pages.
#   reason: of the list, as the metric has it; undef: there must be none, unless may_list.  words: in the log.  pages: at least.
sub story {
    my ($name, $code, %expect) = @_;
    return subtest $name => sub {
        my $load = Gateway::Load->new($gw, paths => \@load);
        my $asked = () = $proxy->seen('.');
        my ($before, $lists) = ($expect{reason} ? lists($expect{reason}) : 0, all_lists());
        my $said = length $gw->stderr;
        my $old = 'old' . ++$n;
        my $new = "new$n";
        write_by_script($old);
        eventually { status($old) == 200 } 'an object';
        $code->($old, $new);
        eventually { status($new) == 200 && status($old) == 404 } 'the changes';
        pass 'what is new is live, and what was deleted is gone';
        eventually { is_fresh($gw) } 'readyz to say fresh', 20;
        my $log = substr $gw->stderr, $said;
        my @all = $proxy->seen('.');
        my @since = @all[$asked .. $#all];
        if ($expect{reason}) {
            eventually { lists($expect{reason}) > $before } "a list in ksgate_registry_lists_total{reason=\"$expect{reason}\"}";
            like $log, $expect{words}, 'the log says why it listed anew';
                my @pages = grep { $_->[0] =~ /^HSCAN/ } @since;
            cmp_ok scalar @pages, '>=', $expect{pages} // MANY / 1000, 'it was read in pages';
            is scalar(grep { $_->[1] > 1_000_000 } @pages), 0, '... none of which is large';
            is scalar(grep { $_->[0] =~ /^(?:HGETALL|HVALS|HKEYS|KEYS)/i } @since), 0, '... and never all at once';
        } elsif (!$expect{may_list}) {
            is all_lists(), $lists, 'there was no list';
        }
        my $last = "last$n";
        is put_extension($second, $last, $up->url)->{status}, 201, 'a write';
        eventually { status($last) == 200 } 'a change after that';
        eventually {
            my ($x, $y) = map { registry_of($_)->{live} } $gw, $second;
            $x->{checksum} eq $y->{checksum} && $x->{revision} == $y->{revision};
        } 'both gateways to have the same', 20;
        pass 'the next change is followed, and both gateways have the same';
        is registry_metric($gw, 'reachable'), 1, 'the metric says that all is well';
        my $seen = $load->stop;
        is $seen->{failed}, 0, "none of $seen->{requests} requests failed" or diag explain $seen->{words};
    };
}

$second->apply([map { extension($_ => $up->url) } qw(a b)]);
for my $page (0 .. MANY / 500 - 1) {
    script_call($redis, 'put_all', [map { my $name = "m$page-$_"; ["/ConfigMap/n/$name", Gateway::Registry::as_put(
        {apiVersion => 'v1', kind => 'ConfigMap', metadata => {name => $name, namespace => 'n'}, data => {x => 'y' x 100}}), 'any', '0', '0'] } 1 .. 500]);
}
eventually { registry_of($gw)->{objects} == MANY + 2 } 'all objects';

# ---- The line goes on ------------------------------------------------------------------------------------

story('changes that came while an answer was under way are taken up by their revision', sub {
    my ($old, $new) = @_;
    unseen(sub { write_by_script(map { "$new-$_" } 1 .. 300); delete_by_script($old); write_by_script($new) });
});

story('so are those of a gateway whose connection was broken', sub {
    my ($old, $new) = @_;
    my $before = registry_metric($gw, 'reconnects_total');
    my $met = $proxy->met('^XREAD');
    $proxy->on('^XREAD', 'cut');
    $proxy->wait_for('^XREAD', 1 + $met);
    write_by_script($new);
    delete_by_script($old);
    eventually { registry_metric($gw, 'reconnects_total') > $before } 'the reconnect in ksgate_registry_reconnects_total';
}, may_list => 1);

story('an entry with an operation and members that are not known says all that is needed: the field', sub {
    my ($old, $new) = @_;
    my $next = counter() + 1;
    unseen(sub {
        $redis->command('HSET', key('objects'), "ksgate.io/ExtensionService//$new", Gateway::Registry::as_put(extension($new => $up->url)));
        $redis->command('INCR', key('revision'));
        add("$next-0", 'who', 'knows', 'op', 'jump', 'field', "ksgate.io/ExtensionService//$new", 'at', 'noon');
        delete_by_script($old);
    });
});

story('a counter that somebody has set back alone is set right, and nothing is lost', sub {
    my ($old, $new) = @_;
    my $was = counter();
    $redis->command('SET', key('revision'), 1);
    eventually { counter() >= $was } 'the counter';
    write_by_script($new);
    delete_by_script($old);
});

# ---- The line is broken -----------------------------------------------------------------------------------

# When it is the same as a moment ago, that is said before the list, and there is a pause.
my $again = qr/listed again(?:, because| and again, with pauses of up to 10 s:)/;
my $missed = qr/$again changes were missed that are no longer kept/;

story('trimmed past us', sub {
    my ($old, $new) = @_;
    unseen(sub { delete_by_script($old); write_by_script($new, "$new-x"); $redis->command('XTRIM', key('changes'), 'MAXLEN', 1) });
}, reason => 'missed', words => $missed);

story('a stream that is gone', sub {
    my ($old, $new) = @_;
    unseen(sub { delete_by_script($old); write_by_script($new); $redis->command('DEL', key('changes')) });
}, reason => 'missed', words => $missed);

story('a hole: an entry amid those that came was deleted', sub {
    my ($old, $new) = @_;
    my $deleted = counter() + 2;
    unseen(sub {
        write_by_script("$new-a");
        delete_by_script($old);
        $redis->command('XDEL', key('changes'), "$deleted-0");
        write_by_script("$new-b");
        write_by_script($new);
    });
}, reason => 'missed', words => $missed);

story('an entry whose revision is far beyond the next one', sub {
    my ($old, $new) = @_;
    my $beyond = counter() + 1001;
    unseen(sub {
        write_by_script($new);
        $redis->command('HDEL', key('objects'), "ksgate.io/ExtensionService//$old"); # of which no entry tells
        add("$beyond-0", 'op', 'put', 'field', "ksgate.io/ExtensionService//$new");
    });
}, reason => 'missed', words => $missed);

my $foreign = qr/$again the changes have an entry that is not of ksgate \(\d+-\d+\)/;

story('half an entry, which does not say what has changed', sub {
    my ($old, $new) = @_;
    my $half = counter() + 2;
    unseen(sub {
        delete_by_script($old);
        $redis->command('HSET', key('objects'), "ksgate.io/ExtensionService//$new", Gateway::Registry::as_put(extension($new => $up->url)));
        $redis->command('INCR', key('revision'));
        add("$half-0", 'op', 'put');
    });
}, reason => 'foreign', words => $foreign);

story('an entry of somebody else, which is in no order of ours', sub {
    my ($old, $new) = @_;
    my $next = counter() + 2;
    unseen(sub { delete_by_script($old); add("$next-7", 'who', 'knows') });
    write_by_script($new);
}, reason => 'foreign', words => $foreign);

story('an entry with an id that no counter reaches', sub {
    my ($old, $new) = @_;
    delete_by_script($old);
    add('18446744073709551615-1', 'op', 'put', 'field', 'x');
    my $start = time;
    my $asked = () = $proxy->seen('^(?:XREAD|changes)');
    eventually { ($redis->command('XREVRANGE', key('changes'), '+', '-', 'COUNT', 1)->[0][0] // '') !~ /^18446744073709551615/ } 'it to be taken out';
    my $more = (() = $proxy->seen('^(?:XREAD|changes)')) - $asked;
    cmp_ok $more, '<', 20 + 20 * (time - $start), 'nobody asks in a circle meanwhile';
    write_by_script($new);
}, reason => 'foreign', words => $foreign);

story('entries that were added to revisions that are known change nothing', sub {
    my ($old, $new) = @_;
    add(counter() . '-7', 'op', 'put', 'field', 'x');
    my $start = time;
    my $asked = () = $proxy->seen('^(?:XREAD|changes)');
    eventually { $proxy->seen('^expire') && time - $start > 1 } 'a second';
    my $more = (() = $proxy->seen('^(?:XREAD|changes)')) - $asked;
    cmp_ok $more, '<', 20 + 20 * (time - $start), 'nobody asks in a circle meanwhile';
    delete_by_script($old);
    write_by_script($new);
});

story('another epoch', sub {
    my ($old, $new) = @_;
    unseen(sub {
        delete_by_script($old);
        write_by_script($new);
        $redis->command('SET', key('epoch'), "other$n");
    });
}, reason => 'replaced', words => qr/the registry was replaced \(its epoch changed\)/);

story('the revision went back: an older dump was restored', sub {
    my ($old, $new) = @_;
    my @keys = map { key($_) } qw(epoch revision objects changes);
    delete_by_script($old);
    write_by_script($new, "$new-stays");
    my @dump = map { $redis->command('DUMP', $_) } @keys;
    write_by_script(map { "$new-lost$_" } 1 .. 5);
    eventually { status("$new-lost5") == 200 } 'what the dump does not have';
    unseen(sub {
        restore($redis, \@keys, \@dump);
        delete_by_script("$new-stays");
    });
    eventually { registry_of($gw)->{state} eq 'stale' } 'readyz to say stale';
    like registry_of($gw)->{reason}, qr/the registry was wiped or replaced: \d+ objects that it does not have are kept/, 'readyz says so';
    is status("$new-lost5"), 200, 'what it does not have is kept, at first';
    eventually { status("$new-stays") == 404 } 'what was deleted since to go';
    eventually { status("$new-lost5") == 404 } 'what is not in it to go', 20;
}, reason => 'older', words => qr/the registry went back to an older revision/);

story('wiped, and written to before anybody looks', sub {
    my ($old, $new) = @_;
    unseen(sub {
        $redis->command('FLUSHALL');
        write_by_script($new, 'a', 'b');
    });
    eventually { registry_of($gw)->{state} eq 'stale' } 'readyz to say stale';
    is status($old), 200, 'what was known is kept, at first';
}, reason => 'replaced', words => qr/the registry was replaced \(its epoch changed\)/, pages => 1);

# ---- While it lists --------------------------------------------------------------------------------------------

$second->apply([map { {apiVersion => 'v1', kind => 'ConfigMap', metadata => {name => "l$_", namespace => 'n'}} } 1 .. MANY]);

my $page = '^HSCAN \S+ (?!0 )'; # of the middle

# The gateway begins to list; whatever comes of the pages, the code is called when it has met so many of them.
sub listing {
    my ($pages, $code) = @_;
    my $met = $proxy->met($page);
    unseen(sub { write_by_script("begin$n", "begin$n-x"); $redis->command('XTRIM', key('changes'), 'MAXLEN', 1) });
    $proxy->wait_for($page, $met + $pages);
    is status($_), 200, 'what is known is served while a part of the list is there' for 'a', 'b', "old$n";
    $code->();
    $proxy->release;
    return;
}

story('what changes while it lists', sub {
    my ($old, $new) = @_;
    $proxy->on($page, 'hold');
    listing(1, sub { delete_by_script($old); write_by_script($new) });
}, reason => 'missed', words => $missed);

story('a list that is interrupted, and changes that are trimmed before it is whole', sub {
    my ($old, $new) = @_;
    $proxy->on($page, 'cut', bytes => 100);
    $proxy->on($page, 'hold');
    listing(2, sub {
        delete_by_script($old);
        write_by_script($new, "$new-x");
        $redis->command('XTRIM', key('changes'), 'MAXLEN', 1);
    });
}, reason => 'missed', words => $missed);

done_testing;
