#!/usr/bin/env bash
# Formatting, go.mod, vet, staticcheck and the shell scripts' syntax.
. "$(dirname "$0")/lib.sh"
need_go
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2

failed=()
pass() {
	local name=$1
	shift
	if "$@"; then say "lint: $name ok"; else
		warn "lint: $name FAILED"
		failed+=("$name")
	fi
}
formatted() {
	local out
	out=$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l)
	[ -z "$out" ] || { warn "run make fmt:" "$out"; return 1; }
}
shells() {
	local f
	for f in scripts/*.sh .ci/run; do bash -n "$f" || return 1; done
}
# Nobody can install from a lock file that names a private mirror.
locks() {
	! grep -n '"resolved"' internal/clientjs/package-lock.json e2e/package-lock.json \
		benchmarks/rivals/*/package-lock.json
}

pass gofmt formatted
pass "go mod tidy" go mod tidy -diff
pass "go vet" go vet ./...
pass staticcheck env GOFLAGS= go run "$staticcheck" ./...
# A module of its own, so that nobody who uses throng needs what it needs.
pass "go vet benchmarks/rivals" go -C benchmarks/rivals vet ./...
pass "bash -n" shells
pass "npm lock files" locks
[ ${#failed[@]} = 0 ] || die "lint: failed: ${failed[*]}"
