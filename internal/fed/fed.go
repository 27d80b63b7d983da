// Package fed owns the way from a socketio.Server down to its event loops, for
// benchmarks and tests that feed connections bytes instead of opening sockets
// (netpoll.Loop.OpenFed). It is no part of the public interface.
package fed

import "github.com/throng-server/throng/netpoll"

// Loops returns the event loops of a *socketio.Server that runs. Package
// socketio sets it. Any goroutine.
var Loops func(server any) []*netpoll.Loop
