#!/usr/bin/env bash
# throng beside its rivals: builds what it can, measures every scenario on
# every server in turn (three rounds, about half an hour) and writes
# benchmarks/RESULTS.md. The figures want a machine with nothing else to do.
# Go counterpart: go test -run xxx -bench . ./benchmarks
# RIVALS_FLAGS goes to benchmarks/rivals/compare, for instance
# RIVALS_FLAGS='-n 2000 -duration 2s -rounds 1 -table' for a first look.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-bench.sh"
need_go
need_two_cores bench-rivals
mkdir -p bin/rivals
build_measured
build_floor
(cd benchmarks/rivals && CGO_ENABLED=0 go build -o ../../bin/rivals/ ./...) ||
	die "bench-rivals: the rivals in Go do not build (see above)"
if node_ok; then
	npm_ci benchmarks/rivals/node || warn "npm could not install socket.io: Node is left out"
else
	warn "no Node.js >= $min_node: it is left out"
fi
flask=(python3-flask-socketio python3-gevent python3-gevent-websocket)
if ! dpkg -s "${flask[@]}" >/dev/null 2>&1 && root && have apt-get; then
	install_packages "${flask[@]}" || warn "apt-get could not install ${flask[*]}: Flask is left out"
fi
ulimit -n "$(ulimit -Hn)"
# shellcheck disable=SC2086
exec bin/rivals/compare ${RIVALS_FLAGS:-} "$@"
