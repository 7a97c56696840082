# Who may use the paths of the core: whom the roles allow, every user, or all, where ks-core decides.
use strict;
use warnings;
use MIME::Base64 qw(encode_base64);
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Objects;

my $core = upstream { [200, {}, 'core'] };
my $ext = upstream { [200, {}, 'extension'] };
my $gw = gateway(core => $core->url, start => 0);
my $path = '/kapis/tenant.kubesphere.io/v1beta1/workspaces';

sub level {
    my ($level) = @_;
    return $gw->configure({authorization => {core => $level}});
}

level('authorized');
$gw->start;
$gw->apply([
    extension('locked', $ext->url, access => 'authorized'),
    role(GlobalRole => 'reader', [{apiGroups => ['*'], resources => ['workspaces'], verbs => ['list']}]),
    binding(GlobalRole => 'rita', 'reader', 'rita'),
]);
my @basic = (Authorization => 'Basic ' . encode_base64('a:b', ''));
my @bad = (Authorization => 'Bearer nonsense');
my %who = (nobody => [], bad => \@bad, basic => \@basic, rita => [$gw->as('rita')], tom => [$gw->as('tom')]);

# level => who gets which answer
my %expected = (
    authorized => {nobody => 401, bad => 401, basic => 401, rita => 200, tom => 403},
    authenticated => {nobody => 401, bad => 401, basic => 401, rita => 200, tom => 200},
    public => {nobody => 200, bad => 200, basic => 200, rita => 200, tom => 200},
);
for my $level (qw(authorized authenticated public)) {
    level($level);
    is $gw->ksgate_here('reload')->{code}, 0, "a reload: $level";
    for my $who (sort keys %who) {
        my $answer = sub { $gw->request(GET => $path, @{$who{$who}})->{status} };
        eventually { $answer->() == $expected{$level}{$who} } "$level: $who";
        is $answer->(), $expected{$level}{$who}, "$level: $who gets $expected{$level}{$who}";
    }
    is $gw->request(GET => '/extensions/locked/x', $gw->as('tom'))->{status}, 403, '... and no extension is opened by it';
    is $gw->request(GET => '/-/metrics', $gw->as('tom'))->{status}, 403, '... nor the gateway itself';
}
$gw->request(GET => $path, @bad);
is $core->last->{headers}{authorization}, 'Bearer nonsense', 'public: ks-core gets the credential as it is, to refuse it';
my $said = $gw->ksgate_here('explain', 'GET', $path, '--as', 'tom')->{out};
like $said, qr/^decision +allowed$/m, 'explain decides the same';
like $said, qr/^because +public:/m, 'and says why';
done_testing;
