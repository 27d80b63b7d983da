#!/usr/bin/env bash
# Everything, in stages, each with its time: vet, Go tests with the race
# detector, allocation tests without it, official clients, nginx,
# several instances behind balancers, Chromium. Installs
# what it lacks; exits 2 and names what it could not run when it may not.
. "$(dirname "$0")/lib.sh"
need_go
need_node

started=$SECONDS
failed=() skipped=() times=()

packages=$(lacking)
if [ -n "$packages" ]; then
	# shellcheck disable=SC2086
	if root && have apt-get; then
		install_packages $packages || warn "apt-get could not install: $packages"
	else
		say "not root, so not installed; a full run needs:"
		say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
	fi
fi

stage() {
	local name=$1 from=$SECONDS rc=0
	shift
	say "" "== $name"
	"$@" </dev/null || rc=$?
	times+=("$name $((SECONDS - from))s")
	[ $rc = 0 ] || failed+=("$name")
	say "== $name: $([ $rc = 0 ] && echo ok || echo FAILED) in $((SECONDS - from))s"
}
skip() {
	skipped+=("$1")
	warn "== $1: NOT RUN: $2"
}

# With a browser for the README's page, if there is one. Many packages wait for
# leases and heartbeats most of their time: three at once leave no core idle.
go_tests() { CHROMIUM=$(chromium_path || true) go test "$@" -p 3 -timeout 4m ./...; }

# First, because Go tests compare the codecs with the JavaScript ones in there.
stage "npm packages" npm_ci e2e
stage "go vet" go vet ./...
if have gcc && [ -e /usr/include/stdlib.h ]; then
	stage "go test -race" go_tests -race
else
	skip "go test -race" "no C compiler"
	stage "go test" go_tests
fi
stage "allocation tests" norace_tests
stage "official clients" scripts/e2e.sh client
if nginx_path >/dev/null; then
	stage "behind nginx" scripts/e2e.sh proxy
else
	skip "behind nginx" "no nginx"
fi
if has_package valkey-server && has_package python3-venv; then
	stage "emits of other processes" scripts/e2e.sh queue
else
	skip "emits of other processes" "no valkey-server, or no Python with venv"
fi
balancers() { has_package valkey-server && has_package nginx && has_package haproxy && has_package openssl; }
if balancers && chromium_path >/dev/null; then
	stage "instances behind balancers" scripts/e2e.sh cluster
else
	skip "instances behind balancers" "no valkey-server, nginx, HAProxy, openssl or browser"
fi
if has_package python3-venv && has_package valkey-server && has_package nginx && chromium_path >/dev/null; then
	stage "applications in Python" scripts/e2e.sh app
else
	skip "applications in Python" "no Python with venv, valkey-server, nginx or browser"
fi
if chromium_path >/dev/null; then
	stage "Chromium" scripts/e2e.sh browser
else
	skip "Chromium" "no browser"
fi

say ""
printf 'time: %s\n' "$(printf '%s, ' "${times[@]}")total $((SECONDS - started))s"
if [ ${#failed[@]} -gt 0 ]; then
	die "make test: FAILED: $(printf '%s; ' "${failed[@]}")"
fi
if [ ${#skipped[@]} -gt 0 ]; then
	warn "make test: passed, but NOT RUN: $(printf '%s; ' "${skipped[@]}")"
	exit 2
fi
say "make test: all passed"
