# Shared by all scripts: sourced, never run. Leaves the shell in the
# repository's root with set -euo pipefail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DEBIAN_FRONTEND=noninteractive
logs=tmp/logs
mkdir -p "$logs"

min_go=1.26
min_node=20

case $(uname -m) in aarch64 | arm64) go_arch=arm64 node_arch=arm64 ;; *) go_arch=amd64 node_arch=x64 ;; esac
get_go="curl -fsSL https://go.dev/dl/go1.26.8.linux-$go_arch.tar.gz | sudo tar -C /usr/local -xz && export PATH=/usr/local/go/bin:\$PATH"
get_node="curl -fsSL https://nodejs.org/dist/v20.20.2/node-v20.20.2-linux-$node_arch.tar.xz | sudo tar -C /usr/local --strip-components=1 -xJ"

# The reason beside each Debian package that a full test run needs.
debian_packages=(
	gcc       # go test -race links with cgo
	libc6-dev # the C headers for it
	chromium  # the browser tests
	nginx     # proxies in front of instances, as people deploy them
	haproxy
	openssl       # certificates for TLS in front of instances
	python3-venv  # the Python clients and queue writers, pinned
	valkey-server # the broker; in Debian 12 from the backports suite
	git           # which files are sources, and the version
	curl          # the commands of the README
	groff-base    # whether the manual page is one
)

say() { printf '%s\n' "$@"; }
warn() { printf '%s\n' "$@" >&2; }
die() {
	warn "$*"
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
root() { [ "$(id -u)" = 0 ]; }

# at_least WANT GOT: is version GOT (1.26.8) not older than WANT (1.26)?
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

go_version() { go env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//'; }
node_version() { node --version 2>/dev/null | sed 's/^v//'; }

go_ok() { have go && at_least "$min_go" "$(go_version)"; }
node_ok() { have node && have npm && at_least "$min_node" "$(node_version)"; }

need_go() {
	go_ok && return
	warn "Go >= $min_go is needed (found: $(have go && go_version || echo none))."
	die "Get it:  $get_go"
}

need_node() {
	node_ok && return
	warn "Node.js >= $min_node with npm is needed (found: $(have node && node_version || echo none))."
	die "Get it:  $get_node"
}

# chromium_path prints the browser to test with; CHROMIUM names another one.
chromium_path() {
	local c
	for c in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
		[ -n "$c" ] && command -v "$c" && return
	done
	return 1
}

# nginx_path prints where nginx is: Debian keeps it out of a user's PATH.
nginx_path() { PATH=$PATH:/usr/sbin command -v nginx; }
haproxy_path() { PATH=$PATH:/usr/sbin command -v haproxy; }

has_package() {
	case $1 in
	gcc) have gcc ;;
	libc6-dev) [ -e /usr/include/stdlib.h ] ;;
	chromium) chromium_path >/dev/null ;;
	valkey-server | openssl | git | curl) have "$1" ;;
	groff-base) have groff ;;
	nginx) nginx_path >/dev/null ;;
	haproxy) haproxy_path >/dev/null ;;
	python3-venv) python3 -c 'import venv, ensurepip' 2>/dev/null ;;
	*) dpkg -s "$1" >/dev/null 2>&1 ;;
	esac
}

# lacking prints the Debian packages that are not here, on one line.
lacking() {
	local p out=()
	for p in "${debian_packages[@]}"; do has_package "$p" || out+=("$p"); done
	echo "${out[*]}"
}

# release_mirror CODENAME prints where apt has the release's packages from.
release_mirror() {
	apt-cache policy | sed -n "s|^ *[0-9]* *\(https\?://[^ ]*\) $1/main .*|\1|p" | head -n 1
}

# add_backports makes Debian 12's backports suite known where the release
# itself has no valkey-server. Its packages are taken only when asked for.
add_backports() {
	local list=/etc/apt/sources.list.d/throng-backports.sources mirror codename
	[ -z "$(apt-cache madison valkey-server 2>/dev/null)" ] || return 0
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ "$codename" = bookworm ] || return 0
	# From where the release itself comes, which a machine knows only after
	# its first update.
	mirror=$(release_mirror "$codename")
	[ -n "$mirror" ] || { apt-get update && mirror=$(release_mirror "$codename"); }
	[ -n "$mirror" ] || return 0
	printf '%s\n' 'Types: deb' "URIs: $mirror" \
		'Suites: bookworm-backports' 'Components: main' \
		'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$list"
	apt-get update
}

# install_packages PACKAGE...: root on Debian only. policy-rc.d forbids every
# service to start; apt's own words are shown only when it fails.
install_packages() {
	local log=$logs/apt.log policy=/usr/sbin/policy-rc.d made= rc=0
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=1
	fi
	say "installing Debian packages: $*"
	: >"$log"
	case " $* " in *" valkey-server "*) add_backports >>"$log" 2>&1 </dev/null ;; esac
	apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null ||
		{ apt-get update >>"$log" 2>&1 </dev/null &&
			apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; } || rc=$?
	[ -z "$made" ] || rm -f "$policy"
	[ $rc = 0 ] || tail -n 40 "$log" >&2
	return $rc
}

# npm_ci DIR: installs what the lock file in DIR says, unless it is there.
npm_ci() {
	local dir=$1 log=$logs/npm-${1//\//-}.log
	local mark=$dir/node_modules/.package-lock.json
	[ "$mark" -nt "$dir/package-lock.json" ] && [ "$mark" -nt "$dir/package.json" ] && return
	say "installing npm packages of $dir"
	(cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund) >"$log" 2>&1 </dev/null || {
		tail -n 20 "$log" >&2
		return 1
	}
	touch "$mark"
}

# python_env DIR: a virtual environment DIR/.venv with what the requirements
# file in DIR says, unless it is there. Every file is checked by its hash.
python_env() {
	local dir=$1 log=$logs/python-${1//\//-}.log
	local mark=$dir/.venv/.installed
	cmp -s "$dir/requirements.txt" "$mark" && "$dir/.venv/bin/python" -c '' 2>/dev/null && return
	say "installing Python packages of $dir"
	{ rm -rf "$dir/.venv" && python3 -m venv "$dir/.venv" &&
		"$dir/.venv/bin/pip" install --no-deps --require-hashes --disable-pip-version-check \
			-r "$dir/requirements.txt"; } >"$log" 2>&1 </dev/null || {
		tail -n 20 "$log" >&2
		return 1
	}
	cp "$dir/requirements.txt" "$mark"
}

# client_files copies the official browser client to where the server looks
# for it; without npm it does nothing and the server redirects to the CDN.
client_files() {
	local dir=internal/clientjs
	if ! node_ok; then
		rm -rf $dir/dist
		return 1
	fi
	npm_ci $dir || return 1
	mkdir -p $dir/dist
	cp -u $dir/node_modules/socket.io-client/dist/socket.io*.js* $dir/dist/
}

# version is $VERSION, for sources without a repository, or git's word.
version() { echo "${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}"; }

# go_binary OUT TAGS [GO BUILD FLAG...]: the binary, static. The same source and
# version give the same bytes, wherever they are.
go_binary() {
	local out=$1 tags=$2
	shift 2
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags "$tags" "$@" \
		-ldflags "-s -w -X github.com/throng-server/throng/internal/cli.version=$(version)" \
		-o "$out" ./cmd/throng
}

# build_binary [GO BUILD FLAG...]: bin/throng, with the browser client inside when
# npm is there to fetch it.
build_binary() {
	local tags=
	if client_files; then
		tags=clientjs
	else
		warn "no npm: the browser client is not embedded, pages load it from cdn.socket.io"
	fi
	go_binary bin/throng "$tags" "$@"
}

# norace_tests runs the tests in files that are built without -race only: the
# race detector allocates itself.
norace_tests() {
	local files names dirs
	files=$(git grep -lE --untracked '^//go:build .*!race' -- '*_test.go') || return 0
	names=$(sed -n 's/^func \(Test[A-Za-z0-9_]*\)(.*/\1/p' $files | sort -u | paste -sd '|')
	dirs=$(dirname $files | sort -u | sed 's|^|./|')
	[ -n "$names" ] || return 0
	# shellcheck disable=SC2086
	go test -count 1 -run "^($names)\$" $dirs
}
