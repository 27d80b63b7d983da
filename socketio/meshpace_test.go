package socketio

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What has waited for a node comes all at once, while its loops are busy: it
// does not pile up in front of them, and their clients get it in portions.
func TestABacklogWaitsInTheTransport(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"frames": {MaxPendingFrames: 400}, "bytes": {MaxPendingBytes: 64 << 10},
		"recovery": {MaxPendingFrames: 400, ConnectionStateRecovery: &ConnectionStateRecovery{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, bus := meshed(t, 2, o, nil)
			const clients, events = 8, 8000
			peers := make([]*peer, clients)
			for i := range peers {
				peers[i] = connect2(t, s[1])
			}
			bus.Cut("n1")
			for n := range events {
				require.NoError(t, s[0].Emit("m", n))
			}
			// The loops have other things to do when it comes.
			release := make(chan struct{})
			for i := range s[1].loops {
				s[1].loops[i].Load().Post(&call{fn: func(*loop) { <-release },
					done: make(chan struct{})})
			}
			bus.Heal("n1")
			soon(t, "entries come", func() bool { return s[1].Stats().Cluster.Received > 50 })
			time.Sleep(50 * time.Millisecond) // for more to come than should
			require.Less(t, s[1].Stats().Cluster.Received, uint64(events/2))
			close(release)
			var readers sync.WaitGroup
			for _, p := range peers {
				readers.Go(func() {
					for n := range events {
						if got := p.next(); got == "end" || len(got) < 7 {
							t.Errorf("%q instead of event %d", got, n)
							return
						} else if want := fmt.Sprintf(`42["m",%d`, n); got[:len(want)] != want {
							t.Errorf("%q instead of %q", got, want)
							return
						}
					}
				})
			}
			readers.Wait()
		})
	}
}
