// Package logs owns how the binary writes its log: text on a terminal, JSON
// elsewhere, a level, debug lines by module, fewer lines where the same one
// repeats, and never a secret.
//
// A module is the package a line comes from (socketio, engine, netpoll,
// cluster, cli, httpapi): callers log as usual and need not name it.
package logs
