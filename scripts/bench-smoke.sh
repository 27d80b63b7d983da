#!/usr/bin/env bash
# Two minutes that tell whether something has slipped. What it gates are
# counts, which no busy machine can change: allocations, live bytes of a
# connection, writes a delivery, wake bytes a message, frames a write (the same
# tests run in make test). Then it prints what throng costs beside the C floor;
# these ratios are for the eye only, the full comparison is make bench-rivals.
# Go counterpart: go test -v -run 'ConnectionCost|Counts' ./benchmarks
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-bench.sh"
need_go
say "== counts"
go test -count 1 -timeout 2m -v -run '^(TestConnectionCost|TestCounts)$' ./benchmarks </dev/null |
	sed -n 's/^ *cost_test.go:[0-9]*: //p; /^ *--- /p; /^FAIL/p; /Error/p'
[ "${PIPESTATUS[0]}" = 0 ] || die "bench-smoke: a count has become larger (see above)"
say "== allocations"
norace_tests || die "bench-smoke: something allocates more than it did (see above)"
if ! have taskset || [ "$(nproc)" -lt 2 ] || ! have "${CC:-cc}"; then
	say "== ratios to the floor: not measured (they need taskset, two cores and a C compiler)"
	exit 0
fi
say "== ratios to the C floor"
mkdir -p bin/rivals
build_measured
build_floor
(cd benchmarks/rivals && CGO_ENABLED=0 go build -o ../../bin/rivals/ ./compare)
ulimit -n "$(ulimit -Hn)"
bin/rivals/compare -table -servers 'C floor,throng' -scenarios 'broadcast,saturated,rooms,echo,churn' \
	-n 2000 -duration 2s -rounds 2 </dev/null | sed -n '/^###/,$p'
