#!/usr/bin/env bash
# All Go benchmarks; BENCH selects some, BENCHTIME and COUNT as in go test.
. "$(dirname "$0")/lib.sh"
need_go
exec go test -run '^$' -bench "${BENCH:-.}" -benchmem \
	-benchtime "${BENCHTIME:-1s}" -count "${COUNT:-1}" ./...
