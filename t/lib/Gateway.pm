package Gateway;

# The world of an end-to-end test: real processes on free loopback ports, in a folder that is
# gone afterwards.  docs/TESTING.md has the tour; the smallest test is
#
#     use Test::More;
#     use Gateway;
#
#     my $up = upstream { [200, {}, 'hello'] };
#     my $gw = gateway(core => $up->url);
#     my $r = $gw->request(GET => '/version', Authorization => 'Bearer ' . $gw->token('alice'));
#     is $r->{status}, 200, 'alice may ask for the version';
#     is $up->seen, 1, 'and ks-core was asked';
#     done_testing;
#
# What was started is stopped when the test ends.  A crash, a sanitizer's finding or a failed
# assert in the gateway fails the test, whatever the test itself saw.

use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use Test::More ();

use Gateway::Client;
use Gateway::Process qw(tempdir free_port eventually slow);
use Gateway::Redis;
use Gateway::Token;
use Gateway::Upstream;

our @EXPORT = qw(gateway upstream redis ksgate tempdir free_port eventually spew slurp KEEP);

use constant KEEP => Gateway::Upstream::KEEP;

my $json = JSON::PP->new->canonical->allow_nonref;

# ---- The functions that a test calls ----------------------------------------------------------

# A gateway that is ready.  All arguments are optional:
#   core, console   URLs
#   objects         a list of objects, or YAML text: applied before gateway() returns
#   redis           a Gateway::Redis: the registry's driver (default: sqlite in the folder)
#   config          merged into the configuration; a value of undef takes a key out
#   yaml            the whole configuration as text instead; ${DIR} and ${PORT} stand for ours
#   workers         default 2
#   env             environment of the process
#   files           how many files it may have open (ulimit -n)
#   start           0: only write the configuration; ->start later
#   crash_ok        1: this test lets the server crash on purpose
sub gateway {
    my %arg = @_;
    my $self = bless {%arg, dir => $arg{dir} // tempdir(), port => $arg{port} // free_port()}, __PACKAGE__;
    $self->{secret} = unpack 'H*', join '', map { chr int rand 256 } 1 .. 32;
    spew("$self->{dir}/secret", $self->{secret});
    $self->configure($arg{config});
    if ($arg{start} // 1) {
        $self->start;
        $self->apply($arg{objects}) if $arg{objects};
    }
    return $self;
}

sub upstream(&;@) { return Gateway::Upstream->new(@_) }
sub redis { return Gateway::Redis->new(@_) }

# Runs the command to its end: {out, err, code}.  A hash as the first argument: {in => text for
# its standard input, env => {...}, seconds => deadline}.
sub ksgate {
    my $option = ref $_[0] ? shift : {};
    return Gateway::Process::run($option, program(), @_);
}

sub program { return $ENV{KSGATE} // 'build/ksgate' }

sub spew {
    my ($file, $text) = @_;
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $text or die "$file: $!";
    close $fh or die "$file: $!";
    Gateway::Process::give_away($file);
    return $file;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}

# ---- The configuration ------------------------------------------------------------------------

sub defaults {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $registry = $self->{redis}
        ? {driver => 'redis', redis => {url => $self->{redis}->url}}
        : {driver => 'sqlite', sqlite => {path => "$dir/registry.db"}};
    return {
        listeners => [{address => "127.0.0.1:$self->{port}"}],
        workers => $self->{workers} // 2,
        ($< == 0 ? (user => Gateway::Process::user()) : ()),
        core => {
            url => $self->{core} // 'http://127.0.0.1:1',
            ($self->{console} ? (console => $self->{console}) : ()),
        },
        registry => {%$registry, snapshot => "$dir/snapshot"},
        authentication => {issuers => [{
            issuer => Gateway::Token::ISSUER,
            algorithms => ['HS256'],
            secret_file => "$dir/secret",
        }]},
        log => {access => "$dir/access.log", level => 'debug'},
        admin => {socket => "$dir/admin.sock"},
    };
}

# Writes the configuration: the defaults with `changes` merged in, or the text of `yaml`.
sub configure {
    my ($self, $changes) = @_;
    my $text = $self->{yaml};
    if (defined $text) {
        $text =~ s/\$\{DIR\}/$self->{dir}/g;
        $text =~ s/\$\{PORT\}/$self->{port}/g;
    } else {
        $text = $json->pretty->encode(merge(defaults($self), $changes // {}));
    }
    spew($self->file, $text);
    return $self;
}

sub merge {
    my ($old, $new) = @_;
    return $new if ref $old ne 'HASH' || ref $new ne 'HASH';
    my %all = (%$old, map { $_ => merge($old->{$_}, $new->{$_}) } keys %$new);
    return {map { $_ => $all{$_} } grep { defined $all{$_} } keys %all};
}

sub dir { return $_[0]{dir} }
sub port { return $_[0]{port} }
sub file { return "$_[0]{dir}/ksgate.yaml" }
sub url { return "http://127.0.0.1:$_[0]{port}" }
sub admin_socket { return "$_[0]{dir}/admin.sock" }

# ---- The process ------------------------------------------------------------------------------

# Starts it and waits until it is ready.
sub start {
    my ($self) = @_;
    $self->begin;
    $self->{process}->wait_until('ready', sub { $self->ready });
    return $self;
}

# Starts it, ready or not.
sub begin {
    my ($self) = @_;
    $self->{process} = Gateway::Process->new(
        command => [
            $self->{files} ? ('sh', '-c', 'ulimit -n "$0" && exec "$@"', $self->{files}) : (),
            program(), 'serve', '-c', $self->file,
        ],
        name => 'ksgate',
        log => "$self->{dir}/stderr",
        env => $self->{env},
        crash_ok => $self->{crash_ok},
    );
    return $self;
}

sub ready {
    my ($self) = @_;
    my $r = eval { $self->request(GET => '/-/readyz') };
    return $r && $r->{status} == 200;
}

sub stop { return $_[0]{process}->stop } # the exit code, after a SIGTERM
sub kill { return $_[0]{process}->kill($_[1]) } # a signal to the supervisor
sub pid { return $_[0]{process}->pid } # the supervisor's
sub reload { return $_[0]{process}->kill('HUP') }
sub stderr { return $_[0]{process}->log }

# The server below the supervisor.
sub server_pid {
    my ($self) = @_;
    my $pid = $self->pid;
    my $children = slurp("/proc/$pid/task/$pid/children");
    return (split ' ', $children)[0];
}

# The lines of the access log, decoded: all so far, or those for which `which` is true of $_;
# with n, after waiting until there are so many.  (The questions of start() whether the gateway is
# ready are in the log, too.)
sub access_log {
    my ($self, $n, $which) = @_;
    my $file = "$self->{dir}/access.log";
    my $read = sub {
        my @lines = -e $file ? map { $json->decode($_) } grep { /\n\z/ } split /^/, slurp($file) : ();
        return $which ? grep { $which->() } @lines : @lines;
    };
    eventually(sub { $n <= (() = $read->()) }, "$n lines in the access log") if $n;
    return $read->();
}

# ---- What it is asked -------------------------------------------------------------------------

# A connection to the first listener, for tests that look at each byte.
sub connect {
    my ($self, %option) = @_;
    return Gateway::Client->new(to => "127.0.0.1:$self->{port}", %option);
}

# request(METHOD => TARGET, Name => value..., body => bytes): {status, reason, headers, lines,
# body, json}.  A value that is a list is sent as several lines; undef: not at all.
sub request {
    my ($self, @request) = @_;
    return $self->connect->request(@request);
}

# Sends the bytes and returns all that comes, until the other side closes, the deadline, or
# (until => qr/.../) it has come.
sub raw {
    my ($self, $bytes, %option) = @_;
    my $c = $self->connect(%option);
    $c->write($bytes);
    return $option{until} ? $c->read_until($option{until}) : $c->read_all;
}

# A request over the admin socket.  A body that is a hash or list is sent as JSON.
sub admin {
    my ($self, $method, $path, $body, @headers) = @_;
    if (ref $body) {
        $body = $json->encode($body);
        push @headers, 'Content-Type' => 'application/json';
    }
    return Gateway::Client->new(to => $self->admin_socket)
        ->request($method => $path, @headers, defined $body ? (body => $body) : ());
}

# The command, with -c for this gateway.
sub ksgate_here {
    my ($self, $command, @args) = @_;
    return ksgate($command, '-c', $self->file, @args);
}

# Objects, a list of them or YAML text.  Dies unless they were taken.
sub apply {
    my ($self, $objects) = @_;
    my $text = ref $objects ? join("\n---\n", map { $json->encode($_) } @$objects) : $objects;
    my $file = spew("$self->{dir}/objects.yaml", $text);
    my $r = $self->ksgate_here('apply', '-f', $file);
    die "ksgate apply: $r->{out}$r->{err}" if $r->{code} != 0;
    return $r;
}

# A bearer token of this user; further claims replace the usual ones, undef takes one out.
sub token {
    my ($self, $user, %claims) = @_;
    return Gateway::Token::mint($self->{secret}, $user, %claims);
}

# The header of it, to be put into a request.
sub as {
    my ($self, $user, %claims) = @_;
    return (Authorization => 'Bearer ' . $self->token($user, %claims));
}

1;
