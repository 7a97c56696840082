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
lease=${LEASE:-15}
url=$1/-/apis/ksgate.io/v1/extensionservices/$2/endpoints/$3
body=$(printf '{"url": "%s", "leaseSeconds": %d, "version": "%s"}' "$4" "$lease" "${VERSION:-}")
token_file=${5:-}
answer=$(mktemp)
known=no trouble=no pause=0 sleeper=

say() { printf 'register: %s\n' "$*" >&2; }

# call METHOD: prints the status, "000" when there is no answer.
# The token goes by standard input: arguments are for everybody to see.
call() {
    if [ -n "$token_file" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token_file")"
    fi | curl -sS -K - -X "$1" -H 'Content-Type: application/json' -d "$body" -o "$answer" -w '%{http_code}' --max-time "$(((lease + 2) / 3))" "$url" 2>"$answer.why"
}

reason() {
    sed -n 's/.*"message": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$answer" | sed 's/\\\(.\)/\1/g'

}

leave() {
    trap '' INT TERM
    [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null
    if [ $known = yes ]; then
        status=$(call DELETE)
        case $status in
        200 | 404 | 409) ;; # 409: another one is registered in our place by now, and stays
        *) say "the gateway could not be told: the lease runs out in $lease s" ;;
        esac
    fi
    rm -f "$answer" "$answer.why"
    exit "${1:-0}"
}
trap leave INT TERM

while :; do
    status=$(call PUT)
    case $status in
    200 | 201)
        if [ $known = no ]; then
            say registered
        elif [ $trouble = yes ]; then
            say 'registered again'
        fi
        known=yes trouble=no pause=$(((lease + 2) / 3))
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
        fi
        trouble=yes pause=1
        ;;
    esac
    sleep "$pause" & # in the background, so that a signal is heard at once
    sleeper=$!
    wait "$sleeper"
done
