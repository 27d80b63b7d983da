#!/usr/bin/env bash
# The default target: which tools are here, and how to get the others.
. "$(dirname "$0")/lib.sh"

ok=0
line() { printf '  %-10s %-12s %s\n' "$1" "$2" "$3"; }

say "throng: tools"
tool() { # NAME OK FOUND WANTED COMMAND
	if "$2"; then line "$1" "$3" ok; else
		line "$1" "${3:-missing}" ">= $4 needed:"
		say "    $5"
		ok=1
	fi
}
tool go go_ok "$(go_version)" "$min_go" "$get_go"
tool node node_ok "$(node_version)" "$min_node" "$get_node"
for p in "${debian_packages[@]}"; do
	if has_package "$p"; then line "$p" here ok; else line "$p" missing "needed for make test"; fi
done
packages=$(lacking)
if [ -n "$packages" ]; then
	say "" "The missing packages:"
	say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $packages"
	ok=1
fi
say ""
say "make demo   the demo on http://127.0.0.1:5000 (LISTEN=0.0.0.0:5000 make demo elsewhere)"
say "make test   everything: vet, race, allocations, official clients, Chromium"
say "make build  bin/throng;  also: install uninstall e2e bench fuzz fmt lint test-long"
exit $ok
