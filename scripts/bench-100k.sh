#!/usr/bin/env bash
# 100,000 connections on this machine: servers on one port, as many as the
# limit of open files asks for, joined through a Valkey of their own; rooms,
# broadcasts, five minutes of heartbeats, a tenth dropped. About 12 minutes;
# writes into benchmarks/RESULTS.md. CROWD_FLAGS goes to benchmarks/rivals/crowd.
# Go counterpart: go test -run xxx -bench Hundred ./benchmarks
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-bench.sh"
need_go
if ! has_package valkey-server && root && have apt-get; then
	install_packages valkey-server || die "bench-100k: valkey-server is needed"
fi
build_measured
mkdir -p bin/rivals
(cd benchmarks/rivals && CGO_ENABLED=0 go build -o ../../bin/rivals/ ./crowd)
ulimit -n "$(ulimit -Hn)"
# shellcheck disable=SC2086
exec bin/rivals/crowd ${CROWD_FLAGS:-} "$@"
