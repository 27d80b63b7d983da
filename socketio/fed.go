package socketio

import (
	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/netpoll"
)

func init() {
	fed.Loops = func(server any) []*netpoll.Loop { return server.(*Server).net.Loops() }
}
