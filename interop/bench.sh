#!/usr/bin/env bash
# Loads smtp-sink, aiosmtpd and `smtp bench sink` by smtp-source and by `smtp bench load`, in turn, and prints what each needed.
# usage: interop/bench.sh SMTP PEERS [ROUNDS [MESSAGES]]     SMTP is a release build of the tool, PEERS what install.sh filled
# A line is: server, client, seconds, seconds of the client's processor time, messages per second; the median of all rounds.
set -euo pipefail

smtp=$(realpath "${1:?usage: interop/bench.sh SMTP PEERS [ROUNDS [MESSAGES]]}") peers=$(realpath "${2:?PEERS is missing}")
rounds=${3:-5} messages=${4:-5000} connections=10
export LD_LIBRARY_PATH=$peers/roots/postfix/usr/lib/postfix
folder=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
serve() {
    "${@:2}" >"$folder/$1" 2>&1 &
    started+=($!)
    until (: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 $! 2>/dev/null || { cat "$folder/$1" >&2; exit 1; }
        sleep 0.1
    done
}

sink=$(port); serve "$sink" "$peers/roots/postfix/usr/sbin/smtp-sink" -u "$(id -un)" "127.0.0.1:$sink" 100
ours=$(port); serve "$ours" "$smtp" bench sink --listen "127.0.0.1:$ours"
stored=$(port); serve "$stored" "$smtp" serve --listen "127.0.0.1:$stored"
python=$(port)
serve "$python" "$peers/venv/bin/python" -m aiosmtpd -n -c aiosmtpd.handlers.Sink -l "127.0.0.1:$python"

# What a client needed: seconds, and its processor time.
measure() {
    local TIMEFORMAT='%R %U %S'
    { time "$@" >"$folder/said" 2>&1; } 2>"$folder/time" || { cat "$folder/said" >&2; exit 1; }
    awk '{ print $1, $2 + $3 }' "$folder/time"
}
source_each() { measure "$peers/roots/postfix/usr/sbin/smtp-source" -s $connections -m "$2" -l 1024 -d "127.0.0.1:$1"; }
ours_each() { measure "$smtp" bench load "smtp://127.0.0.1:$1" --connections $connections --messages "$2" --no-pipelining; }
ours_piped() { measure "$smtp" bench load "smtp://127.0.0.1:$1" --connections $connections --messages "$2"; }

for server in "smtp-sink $sink $messages" "bench-sink $ours $messages" "serve $stored $messages" "aiosmtpd $python $((messages / 5))"; do
    read -r name place count <<<"$server"
    for round in $(seq "$rounds"); do
        for client in source_each ours_each ours_piped; do
            "$client" "$place" "$count" >>"$folder/$name.$client"
        done
    done
    for client in source_each ours_each ours_piped; do
        median() { sort -n -k"$1" "$folder/$name.$client" | awk -v k="$1" '{ all[NR] = $k } END { print all[int((NR + 1) / 2)] }'; }
        seconds=$(median 1)
        printf '%-10s %-12s %7.2f s %7.2f s CPU %8.0f messages/s\n' "$name" "$client" "$seconds" "$(median 2)" \
            "$(awk -v n="$count" -v s="$seconds" 'BEGIN { print n / s }')"
    done
done
