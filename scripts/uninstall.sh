#!/usr/bin/env bash
# Removes what make install has put below PREFIX (and DESTDIR). The
# configuration below SYSCONFDIR stays, but for the sample; so does the user.
. "$(dirname "$0")/lib.sh"
prefix=${PREFIX:-/usr/local} etc=${SYSCONFDIR:-/etc} dest=${DESTDIR:-}

managed() {
	[ -z "$dest" ] && root && [ -d /run/systemd/system ] &&
		{ [ "$prefix" = /usr ] || [ "$prefix" = /usr/local ]; }
}
if managed; then
	systemctl disable --now throng.service 'throng@*.service' 2>/dev/null || true
fi
for f in bin/throng lib/systemd/system/throng.service lib/systemd/system/throng@.service \
	lib/sysusers.d/throng.conf lib/sysctl.d/60-throng.conf share/man/man1/throng.1 \
	share/bash-completion/completions/throng share/zsh/site-functions/_throng \
	share/fish/vendor_completions.d/throng.fish; do
	rm -f "$dest$prefix/$f"
done
rm -f "$dest$etc/throng/throng.toml.sample"
rmdir "$dest$etc/throng" 2>/dev/null || true
cmp -s packaging/systemd/throng.default "$dest$etc/default/throng" && rm -f "$dest$etc/default/throng"
if managed; then systemctl daemon-reload; fi
for f in "$etc/default/throng" "$etc/throng"; do
	[ ! -e "$dest$f" ] || say "kept: $dest$f"
done
say "uninstalled; the user throng, if there is one, stays"
