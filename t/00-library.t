# The test library by itself: a client against an upstream, and a real Redis, with no gateway.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;

sub client { return Gateway::Client->new(to => '127.0.0.1:' . $_[0]->port) }

my $up = upstream {
    my ($r) = @_;
    return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel" if $r->{path} eq '/cut';
    return if $r->{path} eq '/silent';
    if ($r->{path} eq '/hold') {
        $r->hold;
    } elsif ($r->{path} eq '/by-hand') {
        $r->write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n");
        return KEEP;
    }
    return [200, ['Set-Cookie' => ['a=1', 'b=2']], "$r->{method} $r->{body} $r->{n}"];
};

my $c = client($up);
my $r = $c->request(POST => '/x?y', 'A-B' => 'c', body => 'hello');
is $r->{body}, 'POST hello 1', 'a body by length arrives';
is $r->{headers}{'set-cookie'}, 'a=1, b=2', 'a header of two lines is seen as both';
is $up->last->{headers}{'a-b'}, 'c', 'the upstream remembers what it was sent';
is $up->last->{query}, 'y', 'and the query';

$r = $c->request(POST => '/x', 'Transfer-Encoding' => 'chunked', body => "5\r\nworld\r\n0\r\n\r\n");
is $r->{body}, 'POST world 2', 'a chunked body arrives, on the same connection';

$r = $c->request(GET => '/by-hand');
is $r->{body}, 'abc', 'a chunked answer is read';
is $r->{trailers}{x}, 'y', 'and its trailers';

$c->send_request(GET => '/hold');
$up->wait_for(4);
ok !IO::Select->new($c->sock)->can_read(0), 'who holds does not answer';
$up->release;
is $c->response->{body}, 'GET  4', 'until it is released';

$c->send_request(POST => '/e', Expect => '100-continue', 'Content-Length' => 3);
is $c->head->{status}, 100, 'who expects 100 gets it';
$c->write('abc');
is $c->response->{body}, 'POST abc 5', 'and then the answer';

ok !eval { $c->request(GET => '/cut'); 1 }, 'an answer that is cut is an error';
like $@, qr/closed after 3 of 10 bytes/, 'that says where';
is $up->connections, 1, 'all of it was one connection';
ok !eval { client($up)->request(GET => '/silent'); 1 }, 'no answer is an error';

$up->stop;
ok !eval { client($up) }, 'a stopped upstream can not be reached';
$up->start;
is client($up)->request(HEAD => '/')->{status}, 200, 'a started one can, at the same port';

my $local = upstream { [200, {}, 'here'] } socket => 1;
is(Gateway::Client->new(to => $local->url =~ s/^unix://r)->request(GET => '/')->{body}, 'here',
    'an upstream on a unix socket answers');

my $redis = redis();
is $redis->command(SET => 'a', 'b'), 'OK', 'Redis takes a value';
$redis->kill;
ok !eval { $redis->command('PING') }, 'a killed Redis does not answer';
$redis->start;
is $redis->command(GET => 'a'), 'b', 'and has it still when it is back';
is_deeply $redis->command(qw(KEYS *)), ['a'], 'a list is a list';
ok !eval { $redis->command('NONSENSE'); 1 }, 'an error is an error';

{
    local $ENV{KSGATE} = '/bin/sh';
    is_deeply ksgate({in => "echo out; echo err >&2; exit 3\n"}, '-s'), {out => "out\n", err => "err\n", code => 3},
        'a command gives its output, its errors and its exit code';
    ok !eval { ksgate({seconds => 0.1}, '-c', 'exec cat /dev/zero >/dev/null') }, 'one that does not end is ended';
}

done_testing;
