# Several keys in one file: a token's kid chooses, and a file that has changed is taken as it is then.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Keys;
use Gateway::Objects;

my $idp = 'https://idp.example.com';
my ($a, $b, $c) = (Gateway::Keys->new('a'), Gateway::Keys->new('b', 'RSA'), Gateway::Keys->new('c'));
my $up = upstream { [200, {}, 'extension'] };
my $gw = gateway(core => $up->url, start => 0);
my $file = $gw->dir . '/keys.json';
my @row = (issuer => $idp, token_types => [], jwks_file => $file);

sub configured { return $gw->configure({authentication => {issuers => [{@row, @_}]}}) }

spew($file, Gateway::Keys::set($a, $b));
configured();
$gw->start;
$gw->apply([extension('members', $up->url, access => 'authenticated')]);

sub ask {
    my ($key, %header) = @_;
    my $token = $key->token({iss => $idp, username => 'alice', exp => time + 600}, %header);
    return $gw->request(GET => '/extensions/members/x', Authorization => "Bearer $token");
}

# ---- Which key --------------------------------------------------------------------------------------

is ask($a)->{status}, 200, 'an Ed25519 key of the set';
is ask($b)->{status}, 200, 'an RSA key of the set';
is ask($a, kid => undef)->{status}, 200, 'a token that names no key is tried with all';
is ask($a, kid => 'b')->{status}, 401, 'a key under the name of another is none';
my $r = ask($c);
is $r->{status}, 401, 'an unknown key';
is $r->{json}{message}, 'no key is known for the token', 'and that is what is said';

# ---- A change of keys ----------------------------------------------------------------------------------

spew($file, Gateway::Keys::set($b, $c)); # 40-key-files.t has more of this
eventually { ask($c)->{status} == 200 } 'the new key';
eventually { ask($a)->{status} == 401 } 'the end of the old one';
is ask($b)->{status}, 200, 'the one that stayed is still good';

# ---- A file that is wrong --------------------------------------------------------------------------------

my @wrong = (
    ['rubbish', '<html>', qr/keys\.json is no JSON/],
    ['a private key', Gateway::Keys::set($b->jwk, $c->jwk(d => 'AAAA')), qr/key 2 \("c"\) holds "d"/],
    ['no key for tokens', Gateway::Keys::set($b->jwk(use => 'enc')), qr/no key that tokens could be verified by/],
);
for my $case (@wrong) {
    my ($what, $text, $words) = @$case;
    spew($file, $text);
    my $reloaded = $gw->ksgate_here('reload');
    isnt $reloaded->{code}, 0, "$what: not taken";
    like $reloaded->{err}, qr/ksgate\.yaml:\d+:\d+: error: authentication\.issuers\[0\]\.jwks_file: /, "$what: the line is named";
    like $reloaded->{err}, $words, "$what: and the reason";
    is ask($b)->{status}, 200, "$what: the keys of before go on";
}

spew($file, Gateway::Keys::set($b->jwk, $c->jwk(crv => 'Ed448')));
my $check = $gw->ksgate_here('check');
is $check->{code}, 0, 'a key that is not understood is left out';
like $check->{err}, qr/warning: .*key 2 \("c"\) is left out: it is on another curve than Ed25519/, 'with a warning that names it';

spew($file, Gateway::Keys::set($b));
configured(algorithms => ['EdDSA']);
like $gw->ksgate_here('check')->{err}, qr/algorithms: none of the keys in .* is for them/, 'algorithms that no key is for';
configured(public_key_file => $file);
like $gw->ksgate_here('check')->{err}, qr/exactly one of/, 'two places for keys';

done_testing;
