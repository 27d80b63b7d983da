#!/usr/bin/env bash
# What takes longer than a coffee: make test, then the Go tests again several
# times in random order, then a longer fuzz. THRONG_LONG=1 lets tests do more.
. "$(dirname "$0")/lib.sh"
export THRONG_LONG=1
scripts/test.sh
go test -race -count "${COUNT:-5}" -shuffle on -timeout 60m ./... </dev/null
FUZZTIME=${FUZZTIME:-2m} scripts/fuzz.sh
