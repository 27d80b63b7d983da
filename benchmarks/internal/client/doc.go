// Package client owns the clients that measurements use: Socket.IO over
// WebSocket on plain sockets, with as little work per message as can be, so
// that what is measured is the server.
//
// Client is one blocking connection for one goroutine. Crowd is many
// connections on one epoll instance, also for one goroutine: thousands of
// members that cost neither goroutines nor buffers. Both speak protocol 5 with
// JSON packets in unfragmented text frames, answer the heartbeat, and treat
// anything else a server may not send as an error.
package client
