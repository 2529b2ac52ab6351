#!/usr/bin/env bash
# Clients of other languages against Sluice: mongosh and the Node driver, their output compared with what is committed beside this script.
#
#   run.sh                  builds and starts `sluice serve`, runs both clients, stops it
#   run.sh URI              runs both clients against a server that runs already (a mongod must give the same output)
#   run.sh --rewrite URI    writes the expected output anew; use a mongod, and read the diff
#
# Needs go, node >= 20.19 and npm. The clients' versions are pinned: mongosh here, the driver in package.json.
set -euo pipefail
mongosh=mongosh@2.12.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

rewrite=
if [ "${1:-}" = --rewrite ]; then
  rewrite=1
  shift
fi
uri=${1:-}
if [ -n "$rewrite" ] && [ -z "$uri" ]; then
  echo "run.sh: --rewrite needs the URI of a mongod" >&2
  exit 2
fi

tmp=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill -9 "$server" 2>/dev/null || true; fi
  rm -rf "$tmp"
}
trap finish EXIT

start_server() {
  (cd "$here/../.." && go build -o "$tmp/sluice" ./cmd/sluice)
  "$tmp/sluice" serve --listen 127.0.0.1:0 >"$tmp/uri" 2>"$tmp/server.log" &
  server=$!
  for _ in $(seq 100); do
    if [ -s "$tmp/uri" ]; then
      uri=$(head -n 1 "$tmp/uri")
      return
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "sluice serve printed no URI:" >&2
  cat "$tmp/server.log" >&2
  exit 1
}

stop_server() {
  local code=0
  kill -TERM "$server"
  for _ in $(seq 100); do
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$server" 2>/dev/null || true # shows as exit code 137
  wait "$server" || code=$?
  server=
  if [ "$code" != 0 ]; then
    echo "sluice serve ended with exit code $code after SIGTERM:" >&2
    cat "$tmp/server.log" >&2
    exit 1
  fi
}

# compare NAME FILE: what a client printed against NAME.expected.
compare() {
  if [ -n "$rewrite" ]; then
    cp "$2" "$here/$1.expected"
    echo "$1: wrote $1.expected"
  elif diff -u --label "$1.expected" --label "$1, now" "$here/$1.expected" "$2"; then
    echo "$1: as expected"
  else
    echo "$1: the output differs" >&2
    failed=1
  fi
}

# mongosh prompts with the replica set's name and answers with times and sizes that differ from run to run.
normalise_shell() {
  sed -E -e 's/\x1b\[[0-9;]*m//g' \
    -e 's/[A-Za-z0-9_-]+ \[primary\] [A-Za-z0-9_]+> ?/> /g' \
    -e 's/Timestamp\(\{ t: [0-9]+, i: [0-9]+ \}\)/Timestamp(...)/g' \
    -e 's/createFromBase64\(.*, 0\)/createFromBase64(...)/' \
    -e "s/Long\('[0-9]+'\)\$/Long(...)/" \
    -e 's/[[:space:]]+$//'
}

run_shell() {
  local bin home=$tmp/home
  bin=$(npx --yes --package "$mongosh" -- sh -c 'command -v mongosh')
  mkdir -p "$home/.mongodb/mongosh"
  # A home of its own, so that nobody's settings count, and one in which the shell calls nobody.
  echo '{"enableTelemetry":false,"disableLogging":true,"updateURL":"","historyLength":0}' >"$home/.mongodb/mongosh/config"
  HOME=$home NO_COLOR=1 timeout 120 "$bin" --quiet --norc "$uri" <"$here/shell.js" >"$tmp/shell.raw" 2>&1 || {
    echo "mongosh ended with exit code $?:" >&2
    cat "$tmp/shell.raw" >&2
    return 1
  }
  normalise_shell <"$tmp/shell.raw" >"$tmp/shell.out"
}

run_driver() {
  (cd "$here" && npm ci --silent)
  timeout 120 node "$here/stream.mjs" "$uri" >"$tmp/stream.out" 2>"$tmp/stream.err" || {
    echo "stream.mjs ended with exit code $?:" >&2
    cat "$tmp/stream.out" "$tmp/stream.err" >&2
    return 1
  }
}

failed=
[ -n "$uri" ] || start_server
if run_shell; then compare shell "$tmp/shell.out"; else failed=1; fi
if run_driver; then compare stream "$tmp/stream.out"; else failed=1; fi
if [ -n "$server" ]; then
  [ -z "$failed" ] || { echo "--- sluice serve logged:" >&2; tail -n 50 "$tmp/server.log" >&2; }
  stop_server
fi
[ -z "$failed" ] || exit 1
