# An issuer by https: its certificate is checked, and no redirect leads out of https.
use strict;
use warnings;
use Test::More;
use lib 't/lib';
use Gateway;
use Gateway::Keys;
use Gateway::Objects;
use Gateway::Process;

my $dir = tempdir();
my $iss = 'https://idp.example.com';
my $key = Gateway::Keys->new('a');
my $up = upstream { [200, {}, 'extension'] };
my $plain = upstream { [200, {}, Gateway::Keys::set($key)] };
my $port = free_port();

Gateway::Keys::openssl('', qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost),
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$dir/tls.key", '-out', "$dir/tls.crt");
Gateway::Process::give_away("$dir/tls.crt");
spew("$dir/server.py", <<'PY');
import http.server, ssl, sys
folder, port, plain = sys.argv[1], int(sys.argv[2]), sys.argv[3]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/away':
            self.send_response(302)
            self.send_header('Location', plain)
        elif self.path == '/there':
            self.send_response(302)
            self.send_header('Location', '/keys')
        else:
            self.send_response(200)
        self.end_headers()
        if self.path == '/keys':
            self.wfile.write(open(folder + '/set', 'rb').read())

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder + '/tls.crt', folder + '/tls.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print('listening', flush=True)
server.serve_forever()
PY
spew("$dir/set", Gateway::Keys::set($key));
my $issuer = Gateway::Process->new(name => 'issuer', log => "$dir/log", expected_end => 1,
    command => ['python3', "$dir/server.py", $dir, $port, $plain->url]);
$issuer->wait_until('listens', sub { $issuer->log =~ /listening/ });

my $gw = gateway(core => $up->url, start => 0);
sub start_with {
    my (%row) = @_;
    $gw->stop if $gw->{process};
    unlink "$dir/known"; # by now nobody writes it again
    $gw->configure({authentication => {
        issuers => [{issuer => $iss, token_types => [], %row}],
        key_sets => {file => "$dir/known", refetch => '300ms'},
    }});
    $gw->start;
    return;
}
sub ask {
    return $gw->request(GET => '/extensions/members/x',
        Authorization => 'Bearer ' . $key->token({iss => $iss, username => 'alice', iat => time, exp => time + 600}))->{status};
}

start_with(jwks_url => "https://localhost:$port/keys", ca_file => "$dir/tls.crt");
$gw->apply([extension('members', $up->url, access => 'authenticated')]);
is ask(), 200, 'a certificate of that CA';

start_with(jwks_url => "https://localhost:$port/there", ca_file => "$dir/tls.crt");
is ask(), 200, 'a redirect to where it is, by https';

start_with(jwks_url => "https://localhost:$port/keys");
is ask(), 503, 'a certificate of nobody that the system knows';
eventually { $gw->stderr =~ /its keys can't be fetched from \S+ \(SSL/ } 'the reason in the log';

start_with(jwks_url => "https://127.0.0.1:$port/keys", ca_file => "$dir/tls.crt");
is ask(), 503, 'a certificate for another name';

start_with(jwks_url => "https://localhost:$port/away", ca_file => "$dir/tls.crt");
is ask(), 503, 'a redirect from https to http';
is $plain->seen, 0, 'is not followed';

# ---- Another CA -----------------------------------------------------------------------------------

Gateway::Keys::openssl('', qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost),
    '-addext', 'subjectAltName=DNS:localhost', '-keyout', "$dir/other.key", '-out', "$dir/other.crt");
spew("$dir/ca.crt", slurp("$dir/other.crt"));
start_with(jwks_url => "https://localhost:$port/keys", ca_file => "$dir/ca.crt");
is ask(), 503, 'a certificate of another CA';
spew("$dir/ca.crt", slurp("$dir/tls.crt"));
eventually { ask() == 200 } 'the file to be believed that is there now', 20;

done_testing;
