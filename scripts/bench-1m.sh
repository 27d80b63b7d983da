#!/usr/bin/env bash
# make bench-100k with a million connections and a heartbeat every five
# minutes: 45 to 60 minutes, 12 GiB, and nearly 60 server processes where a
# process may open 20,000 files.
# Go counterpart: go test -run xxx -bench Hundred ./benchmarks -sessions 1000000
exec "$(dirname "$0")/bench-100k.sh" -n 1000000 -ping-interval 300s -stay 6m -active 3m "$@"
