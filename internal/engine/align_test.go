package engine

import (
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// Long heartbeats come at few ticks, and a pong puts the timer off until the
// next ping: it does not come in between to see whether there was one.
func TestPongsPutTheTimerOff(t *testing.T) {
	t.Parallel()
	for interval, step := range map[time.Duration]uint32{25 * time.Second: aligned, 10 * time.Second: 1} {
		r := startLoops(t, 1, func(o *Options) { o.PingInterval = interval })
		el := r.eng.loops[0].Load()
		// Of a few one at least would have its first ping earlier.
		for range 5 {
			c := r.dial(t)
			id, ok := ParseID(next(t, c)[len(`0{"sid":"`):][:20])
			require.True(t, ok)
			before := make(chan uint32, 1)
			el.Post(look(func() { before <- el.Tick() }))
			least := <-before + ticks(interval)
			require.NoError(t, wsutil.WriteClientText(c, []byte("3")))
			require.NoError(t, wsutil.WriteClientText(c, []byte("4 behind it")))
			require.Equal(t, "4 behind it", next(t, c))
			type times struct{ next, now uint32 }
			got := make(chan times, 1)
			el.Post(look(func() { got <- times{el.lookup(&id).next, el.Tick()} }))
			at := <-got
			require.Zero(t, at.next%step)
			require.LessOrEqual(t, at.next-at.now, ticks(interval)+step-1)
			require.GreaterOrEqual(t, at.next, least, "from the pong on")
		}
	}
}
