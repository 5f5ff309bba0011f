#!/bin/sh
# Submit a request over HTTP, wait for its run, and list its files: curl and sh, nothing else.
#
#     ORDERS_URL=http://127.0.0.1:8000 ORDERS_TOKEN=pot_… sh examples/submit.sh KEY order.json
#
# Needs `planet-orders web`, and a token with the scopes submit and read, if there are tokens.
# Running it again with the same key buys nothing: it is the same run. So curl may repeat the call, too.
set -eu

key=$1 request=$2
url=${ORDERS_URL:-http://127.0.0.1:8000}
token=${ORDERS_TOKEN:-}

# ask PATH [OPTION OF CURL...]: prints the answer; an error's goes to stderr, and says what to do.
ask() {
    path=$1
    shift
    body=$(curl --silent --show-error --fail-with-body --max-time 60 --retry 5 --retry-connrefused \
        ${token:+--header "Authorization: Bearer $token"} "$@" "$url$path") || {
        printf '%s\n' "$body" >&2
        return 1
    }
    printf '%s\n' "$body"
}

# texts NAME: the texts that stand under a name in JSON on standard input. Within a text, quotes are escaped.
texts() {
    tr '{,' '\n\n' | sed -n "s/^ *\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

answer=$(ask /v1/runs --header 'Content-Type: application/json' --header "Idempotency-Key: $key" --data-binary "@$request")
run=$(printf '%s\n' "$answer" | texts run_id)
printf '%s  submitted\n' "$run"

while :; do
    answer=$(ask "/v1/runs/$run")
    state=$(printf '%s\n' "$answer" | texts state | head -n 1)
    case $state in done | partial | failed | cancelled | expired) break ;; esac
    sleep "${ORDERS_PAUSE_S:-5}"
done

printf '%s  %s\n' "$run" "$state"
ask "/v1/runs/$run/files" | texts path | sed 's/^/    /'
[ "$state" = done ] || [ "$state" = partial ]
