#!/usr/bin/env bash
# The end-to-end tests alone: official clients in Node and Python, then Chromium.
# `scripts/e2e.sh client` and `scripts/e2e.sh browser` run one half; ONLY=words
# runs the tests whose name matches.
. "$(dirname "$0")/lib.sh"
need_go
need_node
what=${1:-all}
opts=(--test --test-concurrency=2 --test-timeout=120000 --test-reporter="${REPORTER:-spec}")
[ -z "${ONLY:-}" ] || opts+=(--test-name-pattern "$ONLY")

npm_ci e2e || die "e2e: npm could not install the official clients (see above)"
if [ "$what" != browser ]; then
	go build -race -o bin/testserver ./e2e/testserver 2>/dev/null ||
		go build -o bin/testserver ./e2e/testserver
	# Without this a race build sleeps for a second at its end.
	export GORACE=atexit_sleep_ms=10
	python_env e2e/python ||
		die "e2e: no Python clients (see above): apt-get install -y python3-venv"
	THRONG_TESTSERVER=$PWD/bin/testserver THRONG_PYTHON=$PWD/e2e/python/.venv/bin/python \
		node "${opts[@]}" e2e/client/*.test.js </dev/null
fi
if [ "$what" != client ]; then
	browser=$(chromium_path) ||
		die "e2e: no Chromium: apt-get install -y chromium (or CHROMIUM=/path/to/it)"
	build_binary
	CHROMIUM=$browser THRONG_BINARY=$PWD/bin/throng \
		node "${opts[@]}" e2e/browser/*.test.js </dev/null
fi
