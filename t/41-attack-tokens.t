# The published attacks on JSON Web Tokens, and what else is no token (t/hostile/tokens.tsv): each is refused by its
# own name, asks nobody, reaches nobody, and leaves the gateway as it was.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Forge;
use Gateway::Objects;

my $table = 't/hostile/tokens.tsv';
my @columns = qw(name error of header claims by then);
my ($first, @rows) = map { my %row; @row{@columns} = split /\t/, $_, -1; \%row } grep { /\S/ && !/^#/ } split /\n/, slurp($table);
is $first->{then}, 'then', 'the table has its columns';
is_deeply [map { $_->{name} } grep { !defined $_->{then} || !length $_->{by} } @rows], [], '... in each row';

# ---- Five issuers, and somebody who would like to be one ----------------------------------------

my $ext = upstream { [200, {}, 'extension'] };
my $evil = upstream { [200, {'Content-Type' => 'application/json'}, '{"keys":[]}'] };
my $dir = tempdir();
my $gw = gateway(start => 0, workers => 1, config => {log => {flush => '0s'}});
my %issuer = (hs => Gateway::Token::ISSUER, map { $_ => "https://$_.example" } qw(rs es ed set));
my $forge = Gateway::Forge->new($dir, secret => $gw->{secret}, url => $evil->url,
    claims => {map { $_ => Gateway::Token::claims('alice', iss => $issuer{$_}, exp => time + 36_000) } keys %issuer});
spew("$dir/set.json", JSON::PP->new->encode({keys => [{%{$forge->jwk('es')}, kid => 'k1', alg => 'ES256', use => 'sig'}]}));
$gw->configure({authentication => {issuers => [
    {issuer => $issuer{hs}, secret_file => $gw->dir . '/secret'},
    {issuer => $issuer{rs}, public_key_file => "$dir/rs.pem", algorithms => ['RS256', 'PS256']},
    {issuer => 'https://rs2.example', public_key_file => "$dir/evil-rs.pem"},
    {issuer => $issuer{es}, public_key_file => "$dir/es.pem"},
    {issuer => $issuer{ed}, public_key_file => "$dir/ed.pem"},
    {issuer => $issuer{set}, jwks_file => "$dir/set.json"},
]}});
$gw->start;
$gw->apply([extension('members', $ext->url, access => 'authenticated')]);
my $pid = $gw->server_pid;
my $asked = 0;

sub ask {
    my ($token) = @_;
    return $gw->request(GET => '/extensions/members/x?n=' . ++$asked, Authorization => "Bearer $token")->{status};
}

my %good = map { $_ => $forge->token({of => $_, header => '', claims => '', by => 'own', then => ''}) } keys %issuer;
sub all_is_well {
    my ($when) = @_;
    is ask($good{$_}), 200, "a good token ($_) is taken, $when" for sort keys %good;
    return;
}

# ---- Twice: when nothing is known yet, and when good tokens of the same claims are remembered -----------

my @tokens = map { $forge->token($_) } @rows;
for my $when ('with nothing remembered', 'with good tokens remembered') {
    $ext->forget;
    my $n = $asked;
    my @status = map { ask($_) } @tokens;
    eventually { grep { ($_->{query} // '') eq "n=$asked" } $gw->access_log } 'the last line of the access log';
    my %log = map { ($_->{query} // '') =~ /^n=(\d+)$/ ? ($1 => $_) : () } $gw->access_log;
    for my $i (0 .. $#rows) {
        my $taken = $rows[$i]{error} eq 'taken';
        my $got = $log{$n + 1 + $i};
        my $fine = $status[$i] == ($taken ? 200 : 401) && ($got->{error} // 'taken') eq $rows[$i]{error};
        ok $fine, "$rows[$i]{name}: $rows[$i]{error}, $when"
            or diag "$status[$i] " . ($got->{error} // 'taken') . ' ' . substr $tokens[$i], 0, 200;
    }
    is $ext->seen, scalar(grep { $_->{error} eq 'taken' } @rows), "nothing but the good ones reached the extension, $when";
    is_deeply [grep { $_->{headers}{'x-remote-user'} ne 'alice' } $ext->requests], [], '... all of them of alice';
    all_is_well($when);
}

is $evil->seen, 0, 'no key was asked for at the attacker\'s';
is $gw->server_pid, $pid, 'the server is the one of before';
my $stderr = $gw->stderr;
is_deeply [grep { index($stderr, $_) >= 0 } (map { (split /\./)[2] // () } values %good), $gw->{secret}], [], 'and its log has no token';
note scalar(@rows) . ' attacks';
done_testing;
