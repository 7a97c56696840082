package Gateway::Registry;

# What a gateway says of its registry, and how tests write to it beside the gateway.

use strict;
use warnings;
use Exporter 'import';
use Gateway::Objects;
use JSON::PP ();

our @EXPORT = qw(registry_of is_fresh registry_metric put_extension script_call restore);

my $json = JSON::PP->new->canonical;

# The registry as /-/readyz has it, for who may know all.
sub registry_of { return $_[0]->admin(GET => '/-/readyz')->{json}{registry} }
sub is_fresh { return (eval { registry_of($_[0])->{state} } // '') =~ /^(?:fresh|empty)$/ }

# ksgate_registry_NAME, with labels: registry_metric($gw, 'lists_total{reason="wiped"}').
sub registry_metric {
    my ($gw, $name) = @_;
    return $gw->admin(GET => '/-/metrics')->{body} =~ /^ksgate_registry_\Q$name\E (\S+)$/m ? $1 : undef;
}

# An ExtensionService with one endpoint, by the admin socket.
sub put_extension {
    my ($gw, $name, $url) = @_;
    return $gw->admin(PUT => path_of($name), extension($name => $url));
}

# What another program does: the script that `ksgate registry script` prints.  An object is sent as the script wants it.
my $script;

sub script_call {
    my ($redis, @args) = @_;
    $script //= Gateway::ksgate('registry', 'script')->{out};
    return $redis->command(EVAL => $script, 1, '{ksgate}:', map { ref eq 'HASH' ? as_put($_) : ref ? $json->encode($_) : $_ } @args);
}

# What a restart with an older dump does: all keys are as DUMP gave them, in one moment; and then, before anybody can look, what Lua does.
# Key by key, who looks between two would see a counter that was set back alone, and set it right.
sub restore {
    my ($redis, $keys, $dumps, $lua) = @_;
    my $script = q(for i, key in ipairs(KEYS) do redis.call('RESTORE', key, 0, ARGV[i], 'REPLACE') end );
    $redis->command(EVAL => $script . ($lua // ''), scalar @$keys, @$keys, @$dumps);
    return;
}

# Its JSON begins with the metadata.
sub as_put {
    my ($o) = @_;
    my %rest = map { $_ => $o->{$_} } grep { $_ ne 'metadata' } keys %$o;
    return '{"metadata":' . $json->encode($o->{metadata}) . ',' . substr $json->encode(\%rest), 1;
}

1;
