package socketio

import (
	"slices"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
)

// endings are the reasons that Stats tells apart; the rest is "other".
var endings = []string{
	engine.ReasonTransportClose, engine.ReasonTransportError, engine.ReasonPingTimeout,
	engine.ReasonParseError, engine.ReasonForcedClose, engine.ReasonShutdown,
	engine.ReasonSlowConsumer, ReasonServerDisconnect, ReasonMailboxOverflow,
}

// sessionCounters count the sessions of a loop. The loop writes, anybody reads.
type sessionCounters struct {
	polling, websocket atomic.Int64
	reasons            [10]atomic.Int64 // one more than endings
}

func (c *sessionCounters) began(transport string) {
	if transport == "polling" {
		c.polling.Add(1)
		return
	}
	c.websocket.Add(1)
}

func (c *sessionCounters) ended(reason string) {
	i := slices.Index(endings, reason)
	if i < 0 {
		i = len(endings)
	}
	c.reasons[i].Add(1)
}

// add adds what was counted to st.
func (c *sessionCounters) add(st *Stats) {
	st.Handshakes["polling"] += uint64(c.polling.Load())
	st.Handshakes["websocket"] += uint64(c.websocket.Load())
	for i := range c.reasons {
		name := "other"
		if i < len(endings) {
			name = endings[i]
		}
		st.Disconnects[name] += uint64(c.reasons[i].Load())
	}
}
