#!/usr/bin/env bash
# bin/throng: one static binary.
. "$(dirname "$0")/lib.sh"
need_go
build_binary
say "bin/throng: $(bin/throng version)"
