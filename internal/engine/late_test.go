package engine

import (
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// holding is an Upper whose packets hold its loop until it is let go.
type holding struct {
	echo
	held, free chan struct{}
}

func (h *holding) Packet(bool, []byte, bool) {
	h.held <- struct{}{}
	<-h.free
}

// TestLoopLateForPong has a loop that stands still for longer than the timeout
// while the pong is in the kernel, behind what lets the loop look at its timers.
func TestLoopLateForPong(t *testing.T) {
	t.Parallel()
	for _, answered := range []bool{true, false} {
		held, free := make(chan struct{}), make(chan struct{})
		ends := make(chan string, 2)
		r := startLoops(t, 1, func(o *Options) {
			o.PingInterval, o.PingTimeout = time.Second, time.Second
			o.Open = func(*Loop) Upper { return &holding{echo{ends: ends}, held, free} }
		})
		other, c := r.dial(t), r.dial(t)
		go func() {
			for { // pings, too
				p, err := wsutil.ReadServerText(other)
				if err != nil || string(p) == "2" && wsutil.WriteClientText(other, []byte("3")) != nil {
					return
				}
			}
		}()
		next(t, c)
		require.Equal(t, "2", next(t, c))
		require.NoError(t, wsutil.WriteClientText(other, []byte("4hold")))
		<-held
		time.Sleep(250 * time.Millisecond) // a tick's byte wakes the loop, later
		if answered {
			require.NoError(t, wsutil.WriteClientText(c, []byte("3")))
		}
		time.Sleep(1100 * time.Millisecond)
		free <- struct{}{}
		if answered {
			require.Equal(t, "2", next(t, c))
			continue
		}
		require.Equal(t, "close 1005", next(t, c))
		require.Equal(t, ReasonPingTimeout, <-ends)
	}
}
