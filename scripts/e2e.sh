#!/usr/bin/env bash
# The end-to-end tests alone: official clients in Node and Python, the same
# behind nginx, emits of other processes, several instances behind balancers, an
# application in Flask, then Chromium. `scripts/e2e.sh client`, `proxy`, `queue`,
# `cluster`, `app` and `browser` run one part; ONLY=words runs the tests whose
# name matches.
. "$(dirname "$0")/lib.sh"
need_go
need_node
what=${1:-all}
opts=(--test --test-concurrency=2 --test-timeout=120000 --test-reporter="${REPORTER:-spec}")
[ -z "${ONLY:-}" ] || opts+=(--test-name-pattern "$ONLY")

npm_ci e2e || die "e2e: npm could not install the official clients (see above)"
wanted() { [ "$what" = all ] || [ "$what" = "$1" ]; }
if wanted client || wanted proxy || wanted cluster; then
	go build -race -o bin/testserver ./e2e/testserver 2>/dev/null ||
		go build -o bin/testserver ./e2e/testserver
	# Without this a race build sleeps for a second at its end.
	export GORACE=atexit_sleep_ms=10
	export THRONG_TESTSERVER=$PWD/bin/testserver
fi
if wanted client; then
	python_env e2e/python ||
		die "e2e: no Python clients (see above): apt-get install -y python3-venv"
	build_binary # the demo is tested, too
	THRONG_BINARY=$PWD/bin/throng THRONG_PYTHON=$PWD/e2e/python/.venv/bin/python \
		node "${opts[@]}" e2e/client/*.test.js </dev/null
fi
if wanted proxy; then
	NGINX=$(nginx_path) || die "e2e: no nginx: apt-get install -y nginx"
	export NGINX
	node "${opts[@]}" e2e/proxy/*.test.js </dev/null
fi
if wanted queue; then
	have valkey-server || die "e2e: no valkey-server: apt-get install -y valkey-server"
	for env in newest pickle; do
		python_env e2e/queue/$env ||
			die "e2e: no Python packages (see above): apt-get install -y python3-venv"
	done
	build_binary
	CHROMIUM=$(chromium_path) THRONG_BINARY=$PWD/bin/throng \
		node "${opts[@]}" e2e/queue/*.test.js </dev/null
fi
if wanted cluster; then
	have valkey-server || die "e2e: no valkey-server: apt-get install -y valkey-server"
	have openssl || die "e2e: no openssl: apt-get install -y openssl"
	NGINX=$(nginx_path) || die "e2e: no nginx: apt-get install -y nginx"
	HAPROXY=$(haproxy_path) || die "e2e: no HAProxy: apt-get install -y haproxy"
	browser=$(chromium_path) ||
		die "e2e: no Chromium: apt-get install -y chromium (or CHROMIUM=/path/to/it)"
	build_binary
	NGINX=$NGINX HAPROXY=$HAPROXY CHROMIUM=$browser THRONG_BINARY=$PWD/bin/throng \
		node "${opts[@]}" e2e/cluster/*.test.js </dev/null
fi
if wanted app; then
	python_env examples/flask ||
		die "e2e: no Flask (see above): apt-get install -y python3-venv"
	have valkey-server || die "e2e: no valkey-server: apt-get install -y valkey-server"
	python_env examples/worker ||
		die "e2e: no Python packages (see above): apt-get install -y python3-venv"
	NGINX=$(nginx_path) || die "e2e: no nginx: apt-get install -y nginx"
	browser=$(chromium_path) ||
		die "e2e: no Chromium: apt-get install -y chromium (or CHROMIUM=/path/to/it)"
	build_binary
	export THRONG_SHOTS=${THRONG_SHOTS:-$PWD/tmp/screenshots}
	NGINX=$NGINX CHROMIUM=$browser THRONG_BINARY=$PWD/bin/throng \
		node "${opts[@]}" e2e/app/*.test.js </dev/null
fi
if wanted browser; then
	browser=$(chromium_path) ||
		die "e2e: no Chromium: apt-get install -y chromium (or CHROMIUM=/path/to/it)"
	build_binary
	# Kept to be looked at.
	export THRONG_SHOTS=${THRONG_SHOTS:-$PWD/tmp/screenshots}
	mkdir -p "$THRONG_SHOTS"
	CHROMIUM=$browser THRONG_BINARY=$PWD/bin/throng \
		node "${opts[@]}" e2e/browser/*.test.js </dev/null
fi
