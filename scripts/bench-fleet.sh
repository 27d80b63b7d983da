#!/usr/bin/env bash
# Six servers on one port with 15,000 clients each, joined by Valkey, which is
# restarted in the middle: nobody is disconnected, every broadcast reaches
# everybody once. Minutes, and about 3 GB. Arguments go to the test, such as
# -clients 1000 or -outage 30s.
. "$(dirname "$0")/lib.sh"
need_go
have valkey-server || die "bench-fleet: valkey-server is needed: apt-get install -y valkey-server"
ulimit -n "$(ulimit -Hn)"
CGO_ENABLED=0 go build -o bin/ ./benchmarks/contractserver
CGO_ENABLED=0 go test -tags fleet -c -o bin/fleet.test ./benchmarks/fleet
exec bin/fleet.test -test.v -test.timeout 20m -server bin/contractserver "$@"
