package Gateway::Login;

# Gateways at which browsers log in, at a real provider (Gateway::Oidc), and those browsers.
#
#     my $world = Gateway::Login->new($idp, members => $ext->url);
#     my $gw = $world->begin(gateway(..., start => 0), login => {...}, issuer => {...}, more => {...});
#     my $b = $world->logged_in($gw, 'alice');

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More ();

use Gateway;
use Gateway::Browser;
use Gateway::Objects;

our @EXPORT_OK = qw(cookie_key metric together renewed SESSION PAGE SECRET);

use constant SESSION => 'ksgate-session';
use constant PAGE => '/extensions/members/x';
use constant SECRET => 'a secret of ours';

sub cookie_key { return encode_base64(join('', map { chr int rand 256 } 1 .. 32), '') . "\n" }

# How clients are described to the provider: one with our secret, for these gateways.
sub client {
    my (@gateways) = @_;
    return {
        client_id => 'ksgate', client_secret => SECRET,
        grant_types => ['authorization_code', 'refresh_token'], scope => 'openid profile email offline_access',
        redirect_uris => [(map { $_->url . '/-/login/callback' } @gateways), 'https://gate.example/-/login/callback'],
        post_logout_redirect_uris => [map { $_->url . '/-/logout' } @gateways],
    };
}

sub new {
    my ($class, $idp, %extensions) = @_;
    return bless {idp => $idp, extensions => \%extensions}, $class;
}

# login: its section; issuer: the row of its issuer; more: the rest of the configuration.
sub configure {
    my ($self, $gw, %arg) = @_;
    spew($gw->dir . '/client', SECRET . "\n");
    my $keys = spew($gw->dir . '/cookie.keys', $gw->{cookie_keys} //= cookie_key());
    my %more = %{$arg{more} || {}};
    my $url = $self->{idp}->url;
    $gw->configure({
        %more,
        authentication => {
            issuers => [{issuer => $url, discovery => JSON::PP::true, token_types => [], audiences => ['ksgate', 'public'], %{$arg{issuer} || {}}}],
            key_sets => {file => $gw->dir . '/known', refetch => '100ms'},
            %{$more{authentication} || {}},
        },
        login => {
            issuer => $url, client_id => 'ksgate', client_secret_file => $gw->dir . '/client', cookie_keys_file => $keys, %{$arg{login} || {}},
        },
        log => {flush => '0s', level => 'debug', access => $gw->dir . '/access.log'},
    });
    return $gw;
}

sub begin {
    my ($self, $gw, %arg) = @_;
    $self->configure($gw, %arg)->start;
    $gw->apply([
        (map { extension($_, $self->{extensions}{$_}, access => $_ eq 'open' ? 'public' : 'authenticated') } sort keys %{$self->{extensions}}),
        @{$arg{objects} || []},
    ]);
    return $gw;
}

# At which the provider knows a user.
sub browser {
    my ($self, $who, %option) = @_;
    my $b = Gateway::Browser->new(%option);
    $b->cookie($self->{idp}->url, who => $who) if defined $who;
    return $b;
}

# One that has just logged in at that gateway, and has not used it yet.
sub logged_in {
    my ($self, $gw, $who) = @_;
    my $b = $self->browser($who // 'alice');
    my $r = $b->open($gw->url . '/-/login?return=/extensions/open/x', stop => qr{/extensions/open/x$});
    Test::More::ok(renewed($r), 'logged in') or Test::More::diag("$r->{url}: $r->{body}");
    return $b;
}

sub metric {
    my ($gw, $name) = @_;
    my ($value) = $gw->admin(GET => '/-/metrics')->{body} =~ /^\Q$name\E (\S+)$/m;
    return $value;
}

# n requests at once with this browser's cookies, each on a connection of its own: the answers.
sub together {
    my ($b, $gw, $n, @with) = @_;
    my @open = map { my $c = $gw->connect; $c->send_request(GET => PAGE, $b->header($gw->url), @with); $c } 1 .. $n;
    return map { $_->response } @open;
}

# Does the answer bring a session?
sub renewed {
    my ($r) = @_;
    my $name = SESSION;
    return scalar grep { lc $_->[0] eq 'set-cookie' && $_->[1] =~ /^(?:__Host-)?$name=[\w.-]+; Path/ } @{$r->{lines}};
}

1;
