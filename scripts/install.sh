#!/usr/bin/env bash
# Installs bin/throng (or BINARY) with its unit, user, sysctl settings, man page,
# shell completions and sample configuration. PREFIX (/usr/local), SYSCONFDIR (/etc)
# and DESTDIR as usual: with DESTDIR nothing of this system is touched. Builds
# first if there is no binary yet, so that root needs no Go.
. "$(dirname "$0")/lib.sh"
prefix=${PREFIX:-/usr/local} etc=${SYSCONFDIR:-/etc} dest=${DESTDIR:-}
binary=${BINARY:-bin/throng}
[ -x "$binary" ] || { [ "$binary" = bin/throng ] && need_go && build_binary; }

put() { # MODE FROM TO
	install -D -m "$1" "$2" "$dest$3"
}
# made MODE TO COMMAND...: what COMMAND prints.
made() {
	local mode=$1 to=$2 tmp
	shift 2
	tmp=$(mktemp)
	"$@" >"$tmp" || { rm -f "$tmp" && die "install: failed: $*"; }
	put "$mode" "$tmp" "$to"
	rm -f "$tmp"
}
unit() { # INSTANCE ARGS
	sed -e "s|@BINDIR@|$prefix/bin|; s|@SYSCONFDIR@|$etc|g; s|@INSTANCE@|$1|; s|@ARGS@|$2|" \
		packaging/systemd/throng.service.in
}
# kept MODE FROM TO: only if there is none yet.
kept() { [ -e "$dest$3" ] || put "$@"; }

put 755 "$binary" "$prefix/bin/throng"
made 644 "$prefix/lib/systemd/system/throng.service" unit "" ""
made 644 "$prefix/lib/systemd/system/throng@.service" unit " (%i)" " --reuse-port"
put 644 packaging/systemd/throng.sysusers "$prefix/lib/sysusers.d/throng.conf"
put 644 packaging/throng.sysctl "$prefix/lib/sysctl.d/60-throng.conf"
made 644 "$prefix/share/man/man1/throng.1" "$binary" man
made 644 "$prefix/share/bash-completion/completions/throng" "$binary" completion bash
made 644 "$prefix/share/zsh/site-functions/_throng" "$binary" completion zsh
made 644 "$prefix/share/fish/vendor_completions.d/throng.fish" "$binary" completion fish
kept 640 packaging/systemd/throng.default "$etc/default/throng"
if "$binary" config sample >/dev/null 2>&1; then
	made 644 "$etc/throng/throng.toml.sample" "$binary" config sample
fi

# Elsewhere it is somebody's own copy.
if [ -z "$dest" ] && root && { [ "$prefix" = /usr ] || [ "$prefix" = /usr/local ]; }; then
	if have systemd-sysusers; then systemd-sysusers "$prefix/lib/sysusers.d/throng.conf"; fi
	if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
fi
say "installed below ${dest}$prefix and ${dest}$etc"
case $prefix in /usr | /usr/local) say "next:  sysctl --system && systemctl enable --now throng" ;; esac
