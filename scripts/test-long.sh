#!/usr/bin/env bash
# What takes longer than a coffee: make test, then the Go tests again several
# times in random order and with the build tag long (full sizes, times
# asserted), then a longer fuzz.
. "$(dirname "$0")/lib.sh"
scripts/test.sh
go test -race -count "${COUNT:-5}" -shuffle on -timeout 60m ./... </dev/null
# One package at a time: some measure.
go test -tags long -p 1 -count 1 -timeout 60m ./... </dev/null
go -C benchmarks/rivals test -count 1 ./... </dev/null
FUZZTIME=${FUZZTIME:-2m} scripts/fuzz.sh
