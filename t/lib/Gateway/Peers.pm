package Gateway::Peers;

# Debian's nginx and HAProxy, each a process of the test with the least configuration that makes
# it a proxy before one backend.  undef where it is not installed.

use strict;
use warnings;
use Gateway::Client;
use Gateway::Process qw(tempdir free_port);

sub nginx {
    my ($backend) = @_; # a port
    my ($dir, $port) = (tempdir(), free_port());
    return start('nginx', $dir, $port, <<"END", qw(-c), "$dir/conf", qw(-p), $dir, qw(-e), "$dir/errors");
daemon off;
master_process off;
worker_processes 1;
pid $dir/pid;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    client_header_timeout 5s;
    client_body_timeout 5s;
    proxy_read_timeout 5s;
    proxy_next_upstream off;
    upstream backend { server 127.0.0.1:$backend; keepalive 16; }
    server {
        listen 127.0.0.1:$port;
        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Host \$host;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_ignore_client_abort on;
        }
    }
}
END
}

sub haproxy {
    my ($backend) = @_;
    my ($dir, $port) = (tempdir(), free_port());
    return start('haproxy', $dir, $port, <<"END", qw(-db -q -f), "$dir/conf");
global
    nbthread 1
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    timeout http-request 5s
listen all
    bind 127.0.0.1:$port
    option forwardfor
    server backend 127.0.0.1:$backend
END
}

sub start {
    my ($name, $dir, $port, $conf, @arguments) = @_;
    my ($program) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
    return undef if !$program;
    open my $fh, '>', "$dir/conf" or die "$dir/conf: $!";
    print {$fh} $conf;
    close $fh or die "$dir/conf: $!";
    my $process = Gateway::Process->new(name => $name, log => "$dir/log", command => [$program, @arguments]);
    $process->{expected_end} = 1;
    $process->wait_until('listening', sub { eval { Gateway::Client->new(to => "127.0.0.1:$port")->close; 1 } });
    return {process => $process, port => $port};
}

1;
