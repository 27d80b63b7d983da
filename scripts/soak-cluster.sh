#!/usr/bin/env bash
# The table of faults in docs/cluster.md with outages of 30 s and the default
# lease, again and again: ROUNDS of about 75 s each, 20 by default. All faults
# of a round happen at once, each to a cluster of its own.
. "$(dirname "$0")/lib.sh"
need_go
have valkey-server || die "soak-cluster: valkey-server is needed: apt-get install -y valkey-server"
rounds=${ROUNDS:-20} log=$logs/soak-cluster.log
mkdir -p bin
go test -tags long -c -o bin/soak-cluster.test ./internal/clustertest
: >"$log"
for ((i = 1; i <= rounds; i++)); do
	from=$SECONDS
	say "round $i, $(date -u +%T), load $(cut -d ' ' -f 1 /proc/loadavg)" >>"$log"
	(cd internal/clustertest && ../../bin/soak-cluster.test -test.v -test.timeout 5m -test.parallel 12 \
		-test.run '^TestFaults$') >>"$log" 2>&1 || {
		tail -n 60 "$log" >&2
		die "soak-cluster: round $i of $rounds FAILED; see $log"
	}
	say "round $i of $rounds: ok in $((SECONDS - from)) s"
done
say "soak-cluster: $rounds rounds passed"
