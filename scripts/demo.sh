#!/usr/bin/env bash
# Starts the demo on $LISTEN, by default http://127.0.0.1:5000.
. "$(dirname "$0")/lib.sh"
need_go
build_binary
exec bin/throng demo --listen "${LISTEN:-127.0.0.1:5000}" "$@"
