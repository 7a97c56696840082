#!/bin/sh
# Keeps a backend registered at ksgate.  POSIX sh and curl.
#
#   register.sh GATEWAY EXTENSION ID URL [TOKEN_FILE]
#
# Beside a service:  register.sh http://gateway:8080 devops "$HOSTNAME" http://10.0.0.7:8080 &
# Until it is told to stop (INT, TERM).  LEASE (15) is in seconds; it is renewed at a third of it.
# VERSION is which version of the extension it is, if that is to be told.  The token file is read at each request, so it may rotate.
set -u
if [ $# -lt 4 ] || [ $# -gt 5 ]; then
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi

say() { printf 'register: %s\n' "$*" >&2; }

lease=${LEASE-15}
case $lease in
*[!0-9]* | '' | 0* | ?????*) lease=0 ;;
esac
if [ "$lease" -lt 2 ] || [ "$lease" -gt 3600 ]; then
    say "LEASE=${LEASE-}: it takes 2 to 3600, in seconds"
    exit 2
fi
for name in "$2" "$3"; do
    case $name in
    '')
        say 'EXTENSION and ID must not be empty'
        exit 2
        ;;
    *[!abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-]*) # would have to be escaped, to be refused
        say "refused: \"$name\": names are lower case letters, digits, \"-\" and \".\""
        exit 1
        ;;
    esac
done
url=${1%/}/-/apis/ksgate.io/v1/extensionservices/$2/endpoints/$3
body=$(printf '{"url": "%s", "leaseSeconds": %d, "version": "%s"}' "$4" "$lease" "${VERSION:-}")
token_file=${5:-}
answer=$(mktemp)
known=no # yes; or unsure: it was asked, and may have been taken without an answer
trouble=no pause=0 sleeper=
third=$((lease / 3 > 0 ? lease / 3 : 1)) # sleep takes whole seconds
most=$((lease * 1000 / 3 < 5000 ? lease * 1000 / 3 : 5000)) # ms of one request, however long the lease

# call METHOD MS: prints the status, "000" when there is no answer: why is in $answer.why.
# The token goes by standard input: arguments are for everybody to see.
call() {
    token=
    : >"$answer"
    if [ -n "$token_file" ]; then
        { IFS= read -r token; } 2>"$answer.why" <"$token_file"
        token=${token%"$(printf '\r')"}
        if [ -z "$token" ]; then
            [ -s "$answer.why" ] || printf '%s: no token is in it\n' "$token_file" >"$answer.why"
            printf 000
            return
        fi
    fi
    if [ -n "$token" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$token"
    fi | curl -sS -K - -X "$1" -H 'Content-Type: application/json' -d "$body" -o "$answer" -w '%{http_code}' --max-time "$(printf '%d.%03d' $(($2 / 1000)) $(($2 % 1000)))" "$url" 2>"$answer.why"
}

# The first message is the answer's; those of its causes follow.
reason() {
    sed 's/"message": *"/\
&/' "$answer" | sed -n 's/^"message": *"\(\([^"\]\|\\.\)*\)".*/\1/p' | sed -n '1{s/\\\(.\)/\1/g;p;}'
}

leave() {
    trap '' INT TERM
    [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null
    if [ $known != no ]; then
        status=$(call DELETE 2000) # who stops us may not wait long
        case $status in
        200 | 404 | 409) ;; # 409: another one is registered in our place by now, and stays
        *) [ $known = unsure ] || say "the gateway could not be told: the lease runs out in $lease s" ;;
        esac
    fi
    rm -f "$answer" "$answer.why"
    exit "${1:-0}"
}
trap leave INT TERM

while :; do
    [ $known = yes ] || known=unsure # a signal is heard when the request is over, before we look at its status
    status=$(call PUT $most)
    case $status in
    200 | 201)
        if [ $known = unsure ]; then
            say registered
        elif [ $trouble = yes ]; then
            say 'registered again'
        fi
        known=yes trouble=no pause=$third
        ;;
    400 | 409 | 413 | 422)
        say "refused: $status: $(reason)"
        known=no
        leave 1
        ;;
    *)
        if [ $trouble = no ]; then
            if [ "$status" = 000 ]; then
                say "$(cat "$answer.why"); trying again until it works"
            else
                say "$status: $(reason); trying again until it works"
            fi
            pause=0 # the first time at once: a short lease leaves no second
        else
            pause=$((pause > 0 ? pause * 2 : 1))
            pause=$((pause < third ? pause : third))
        fi
        trouble=yes
        ;;
    esac
    sleep "$pause" & # in the background, so that a signal is heard at once
    sleeper=$!
    wait "$sleeper"
done
