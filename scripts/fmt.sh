#!/usr/bin/env bash
# Formats the Go files in place and names those that changed.
. "$(dirname "$0")/lib.sh"
need_go
go_files() { git ls-files -co --exclude-standard '*.go'; }
go_files | xargs -r gofmt -l -w
