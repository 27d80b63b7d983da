#!/usr/bin/env bash
# Every fuzz target for FUZZTIME (20s) each, one after the other.
. "$(dirname "$0")/lib.sh"
need_go
found=0
while read -r pkg target; do
	found=$((found + 1))
	say "fuzz: $pkg $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-20s}" "$pkg"
done < <(git grep -lE --untracked '^func Fuzz' -- '*_test.go' | while read -r f; do
	sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(.*|./$(dirname "$f") \1|p" "$f"
done)
[ $found -gt 0 ] || die "fuzz: no fuzz target found"
say "fuzz: $found targets, nothing found"
