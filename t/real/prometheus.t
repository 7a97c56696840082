# A third party's application behind the gateway: Prometheus with its web interface, as it is,
# and as one that knows what it is called outside, with its prefix taken off or not.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $program = '/usr/bin/prometheus';
plan skip_all => "there is no $program (apt-get install prometheus)" if !-x $program;

my $dir = tempdir();
spew("$dir/prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: none\n    static_configs: []\n");
my $n = 0;

# One that is ready, at its port.
sub prometheus {
    my (@more) = @_;
    my $port = free_port();
    my $data = "$dir/data" . $n++;
    my $p = Gateway::Process->new(
        name => 'prometheus',
        log => "$data.log",
        expected_end => 1,
        command => [$program, "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$data",
            "--web.listen-address=127.0.0.1:$port", @more],
    );
    my $prefix = "@more" =~ m{^--web.external-url=http://[^/]+(/\S+)$} ? $1 : '';
    $p->wait_until('ready', sub {
        (eval { Gateway::Client->new(to => "127.0.0.1:$port")->request(GET => "$prefix/-/ready")->{status} } // 0) == 200;
    });
    return $port;
}

my $gw = gateway();
my $bare = prometheus();
my $told = prometheus('--web.external-url=' . $gw->url . '/extensions/told', '--web.route-prefix=/');
my $known = prometheus('--web.external-url=' . $gw->url . '/extensions/known');
$gw->apply([
    extension('prometheus', "http://127.0.0.1:$bare", access => 'authenticated', path => {stripPrefix => JSON::PP::true}),
    extension('told', "http://127.0.0.1:$told", access => 'authenticated', path => {stripPrefix => JSON::PP::true}),
    extension('known', "http://127.0.0.1:$known", access => 'authenticated', path => {stripPrefix => JSON::PP::false}),
]);
my @alice = $gw->as('alice');

sub get { return $gw->request(GET => $_[0], @alice) }

# Goes where a browser would be sent, five times at most.
sub follow {
    my ($path) = @_;
    for (1 .. 5) {
        my $r = get($path);
        return ($path, $r) if $r->{status} !~ /^30[1278]$/;
        $path = absolute($path, $r->{headers}{location});
    }
    die "$path: more than five redirects";
}

# A link as a browser on that page reads it.
sub absolute {
    my ($page, $link) = @_;
    my $own = $gw->url;
    $link =~ s/^\Q$own\E(?=\/)//;
    return $link if $link =~ m{^(?:/|\w+:)};
    my @parts = split m{/}, $page =~ s{[?#].*}{}sr =~ s{[^/]*\z}{}r;
    for (split m{/}, $link) {
        $_ eq '..' ? pop @parts : $_ eq '.' ? () : push @parts, $_;
    }
    return join '/', @parts;
}

for my $name (qw(prometheus told known)) {
    my $base = "/extensions/$name";
    subtest $name => sub {
        is $gw->request(GET => "$base/graph")->{status}, 401, 'who does not say who they are does not get in';
        my $r = get($base);
        is $r->{status}, 308, 'the extension itself is redirected';
        is $r->{headers}{location}, "$base/", 'to its front door';
        $r = get("$base/");
        is $r->{status}, 302, 'which sends on to the page';
        like absolute("$base/", $r->{headers}{location}), qr{^\Q$base\E/(?:classic/)?graph$}, 'that is below the extension, too';

        my ($page, $html) = follow($base);
        like $page, qr{^\Q$base\E/}, 'so a browser gets to the page';
        is $html->{status}, 200, 'and sees it';
        like $html->{headers}{'content-type'}, qr{^text/html}, 'as a page';
        like $html->{body}, qr/<title>Prometheus/, 'of Prometheus';
        my @links = grep { s/#.*//; length && !m{^\w+:} } map { absolute($page, $_) } $html->{body} =~ /(?:src|href)="([^"]+)"/g;
        cmp_ok scalar @links, '>', 10, 'with scripts, styles and links';
        # A page is not rewritten: one that does not know its prefix leaves it out of its links.
        @links = map { m{^\Q$base\E/} ? $_ : "$base$_" } @links if $name eq 'prometheus';
        my @lost = grep { (follow($_))[1]{status} != 200 } @links;
        is_deeply \@lost, [], scalar(@links) . ' of them, which are all there';

        $r = get("$base/api/v1/query?query=up");
        is $r->{json}{status}, 'success', 'its API answers a query';
        $r = $gw->request(POST => "$base/api/v1/query", @alice, 'Content-Type' => 'application/x-www-form-urlencoded', body => 'query=1%2B1');
        is $r->{json}{data}{result}[1], '2', 'and one by POST';
        is get("$base/api/v1/query?query=((")->{json}{errorType}, 'bad_data', 'and says what is wrong with one';
        is get("$base/-/ready")->{status}, 200, 'it is ready';
        like get("$base/metrics")->{body}, qr/^prometheus_build_info/m, 'its own metrics are there';
        my $gzip = $gw->request(GET => "$base/metrics", @alice, 'Accept-Encoding' => 'gzip');
        is substr($gzip->{body}, 0, 2), "\x1f\x8b", 'also compressed';
    };
}

done_testing;
