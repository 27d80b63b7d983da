#!/usr/bin/env bash
# What long-polling costs: memory of an idle session and requests a core, of
# throng and of Node's socket.io in the same run. About 40 s; the figures want a
# machine with nothing else to do. Arguments go to benchmarks/polling.
# Go counterpart: go test -run xxx -bench Hundred$ ./benchmarks
. "$(dirname "$0")/lib.sh"
need_go
need_node
have taskset || die "bench-polling: taskset is needed: apt-get install -y util-linux"
[ "$(nproc)" -ge 2 ] || die "bench-polling: two cores are needed, one for the server"
npm_ci benchmarks/rivals/node || die "bench-polling: npm could not install socket.io (see above)"
CGO_ENABLED=0 go build -o bin/ ./benchmarks/contractserver ./benchmarks/polling
ulimit -n "$(ulimit -Hn)"
say "| server | idle session with its poll open | requests/s on one core | requests in 1 s of its processor time |" \
	"|---|---|---|---|"
taskset -c 1 bin/polling "$@" -name throng -- bin/contractserver -listen 127.0.0.1:0
NODE_ENV=production taskset -c 1 bin/polling "$@" -name "socket.io $(
	sed -n 's/.*"socket.io": "\(.*\)".*/\1/p' benchmarks/rivals/node/package.json), Node $(node_version)" -- \
	node benchmarks/rivals/node/server.js 127.0.0.1:0
