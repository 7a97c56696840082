# The shared vectors of KubeSphere's authentication, through a real gateway with a real Redis: what its chain of handlers
# saw (X-Saw-*) is what an extension sees of us, and where the vectors call upstream wrong, the stronger thing.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Explain;
use Gateway;
use Gateway::Objects;
use Gateway::WebSocket;

my $vectors = vectors('authn.json') or plan skip_all => 'the shared vectors are not here';
my $json = JSON::PP->new->canonical;
my $config = $vectors->{about}{config};

# The handler behind KubeSphere's chain: tells what it sees.
my $handler = upstream {
    my ($r) = @_;
    my $h = $r->{headers};
    if ($h->{upgrade}) {
        my $ws = Gateway::WebSocket->server($r);
        while (my $got = eval { $ws->read }) {
            last if $got->{type} ne 'text';
            $ws->send(text => $got->{data});
        }
        return;
    }
    my %user = (Name => $h->{'x-remote-user'}, UID => $h->{'x-remote-uid'} // '', Extra => undef,
        Groups => [split /, /, $h->{'x-remote-group'} // '']);
    return [299, {
        'X-Handler' => 'container',
        'X-Saw-Path' => $r->{path},
        'X-Saw-Query' => $r->{query} // '',
        'X-Saw-User' => $json->encode(\%user),
        'X-Saw-Auth' => $user{Name} eq 'system:anonymous' ? 'false' : 'true',
    }, ''];
};
my $core = upstream { [299, {'X-Handler' => 'core'}, ''] };

my $redis = redis();
my $gw = gateway(core => $core->url, redis => $redis, start => 0);
spew($gw->dir . '/secret', $config->{secret});
$gw->configure({
    authentication => {
        issuers => [{issuer => $config->{issuer}, secret_file => $gw->dir . '/secret', token_cache => 'redis'}],
        token_cache_redis => {url => $redis->url},
        users => 'registered',
    },
    authorization => {mode => 'allow_all'}, # as the probe was: it is about who asks, not about what they may
});
$gw->start;
my %state = %{$config->{users}};
$gw->apply([
    extension('handler', $handler->url, access => 'authorized'),
    map { {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'User', metadata => {name => $_}, status => {state => $state{$_}}} }
        grep { $state{$_} ne '(absent)' } sort keys %state,
]);

# ---- The tokens, as the vectors describe them -------------------------------------------------------

my %secret = (secret => $config->{secret}, 'another secret' => 'another secret, as long as a secret has to be');
my $rsa = tempdir() . '/rsa.key';
Gateway::Process::run({}, 'openssl', 'genrsa', '-out', $rsa, '2048');

sub token {
    my ($t) = @_;
    return $t->{golden} if $t->{golden};
    my %claims = %{$t->{claims}};
    for (values %claims) {
        # Those that are not in the cache say the same as one that is: they are of another second.
        $_ = time + ($1 // 0) - ($t->{inCache} ? 0 : 1) if /^now(\+\d+)?$/;
    }
    return Gateway::Token::sign($secret{$t->{signedWith}}, $t->{header}, \%claims) if $secret{$t->{signedWith}};
    my $text = join '.', map { MIME::Base64::encode_base64url($json->encode($_)) } $t->{header}, \%claims;
    return "$text." . MIME::Base64::encode_base64url(Gateway::Process::run({in => $text}, 'openssl', 'dgst', '-sha256', '-sign', $rsa)->{out});
}

my %token = map { $_ => token($vectors->{tokens}{$_}) } keys %{$vectors->{tokens}};
for my $name (grep { $vectors->{tokens}{$_}{inCache} } keys %token) {
    my $key = $config->{redisKey} =~ s/ = jwt.*//r =~ s/\{username\}/$vectors->{tokens}{$name}{claims}{username}/r =~ s/\{jwt\}/$token{$name}/r;
    $redis->command('SET', $key, $token{$name});
}
sub filled { my ($text) = @_; return $text =~ s/(\{\{TOK_\w+\}\})/$token{$1}/gr }

# ---- What it must be --------------------------------------------------------------------------------

# What belongs to ks-core, which stands behind the gateway and does it itself: `dryrun` becomes `dryRun` there.
my %of_the_core = ('authn: dryrun is turned into dryRun' => {'X-Saw-Query' => ['dryrun=All']});

# A Kubernetes Status; its words are our own.
sub wrong_status {
    my ($r, $status) = @_;
    my $j = $r->{json} || {};
    return "status is $r->{status}, not $status" if $r->{status} != $status;
    return "no Status: $r->{body}" if ($j->{kind} // '') ne 'Status' || $j->{status} ne 'Failure' || $j->{code} != $status;
    return $status == 401 && $j->{reason} ne 'Unauthorized' ? "reason is $j->{reason}" : '';
}

sub wrong {
    my ($case, $r) = @_;
    my $expect = $case->{expect};
    return wrong_status($r, $1) if $case->{quirk} && $case->{quirk}{gateway} =~ /\b(40[01])\b/;
    return "a quirk without a status: $case->{quirk}{gateway}" if $case->{quirk};
    return wrong_status($r, $expect->{status}) if $expect->{status} != 299;
    return "status is $r->{status}: $r->{body}" if $r->{status} != 299;
    my %headers = (%{$expect->{headers}}, %{$of_the_core{$case->{name}} || {}});
    $_ = [$json->encode($json->decode($_->[0]))] for grep { $_->[0] =~ /^\{/ } values %headers; # in one order
    my @wrong = grep { ($r->{headers}{lc $_} // '') ne join ', ', @{$headers{$_}} } sort keys %headers;
    return join '; ', map { "$_ is " . ($r->{headers}{lc $_} // 'absent') . ", not @{$headers{$_}}" } @wrong;
}

# ---- Each case --------------------------------------------------------------------------------------

for my $case (@{$vectors->{cases}}) {
    my ($name, $q) = @$case{qw(name request)};
    my $target = $q->{target} =~ m{^/clusters/} ? $q->{target} : "/extensions/handler$q->{target}";
    my @headers = map { ($_->[0] => filled($_->[1])) } @{$q->{headers} || []};
    my $problem = wrong($case, $gw->request($q->{method} => $target, @headers));
    is $problem, '', $name;
}

# ---- Of the users that the vectors register --------------------------------------------------------

sub asks { return $gw->request(GET => '/extensions/handler/foo', Authorization => "Bearer $_[0]") }
{
    my $r = asks($token{'{{TOK_BOB}}'});
    is wrong_status($r, 401), '', 'a user that is disabled';
    is $r->{json}{message}, "the token's user is not registered, or is disabled", '... is told so';
    is asks($token{'{{TOK_PREREG}}'})->{status}, 299, 'who is about to register is nobody yet, and comes in';
    my $sa = {apiVersion => 'kubesphere.io/v1alpha1', kind => 'ServiceAccount', metadata => {name => 'robot', namespace => 'proj'}};
    $gw->apply([$sa, {apiVersion => 'iam.kubesphere.io/v1beta1', kind => 'User', metadata => {name => 'bob'}, status => {state => 'Active'}}]);
    is asks($token{'{{TOK_SA}}'})->{status}, 299, 'a service account that is registered';
    is asks($token{'{{TOK_BOB}}'})->{status}, 299, 'a user that is enabled again, by the token of before';
    my $ws = Gateway::WebSocket->client($gw, '/extensions/handler/foo', Authorization => "Bearer $token{'{{TOK_BOB}}'}");
    my $other = Gateway::WebSocket->client($gw, '/extensions/handler/foo', Authorization => "Bearer $token{'{{TOK_ADMIN}}'}");
    $gw->ksgate_here('delete', 'user', 'bob');
    is $ws->read->{type}, 'close', 'of a user who is deleted the WebSockets are closed';
    $other->send(text => 'still here');
    is $other->read->{data}, 'still here', '... and no one else\'s';
    is asks($token{'{{TOK_BOB}}'})->{status}, 401, 'and one that is deleted, although the token is remembered';
}

# ---- The tokens that are given as they are ---------------------------------------------------------

for my $fixed (@{$vectors->{fixedTokens}}) {
    # They are by a short secret and of another issuer: judged by the command, as by the gateway.
    my $one = gateway(start => 0);
    spew($one->dir . '/secret', $fixed->{secret});
    $one->configure({authentication => {issuers => [{issuer => $fixed->{issuer}, secret_file => $one->dir . '/secret', allow_weak_secret => JSON::PP::true}]}});
    my $r = $one->ksgate_here('token', '--decode', $fixed->{token});
    isnt $r->{code}, 0, "$fixed->{name}: not taken";
    # Upstream takes the refresh token, which never ends.  Of the expired one it tells that, but not that it is by another secret.
    like $r->{out}, $fixed->{expect}{valid} ? qr/^error: token_claim\n.*^why: "exp is missing/ms : qr/^error: token_signature$/m, '... for the right reason';
}
note scalar(@{$vectors->{cases}}) . ' vectors';
done_testing;
