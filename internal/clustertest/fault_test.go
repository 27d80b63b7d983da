package clustertest_test

import (
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/internal/clustertest"
)

const (
	// hosts are the nodes of this process.
	hosts = 3
	// apart is the one that reaches the broker through the proxy.
	apart = 2
	// late is more than a message needs on its own node on a busy machine, and
	// less than a command to a broker that is silent would take.
	late = outage / 2
	// soonEnough bounds the wait for what follows from a fault at once.
	soonEnough = 20 * time.Second
)

// stage is a cluster whose last node reaches the broker through a proxy.
type stage struct {
	t      *testing.T
	broker *brokertest.Server
	proxy  *brokertest.Proxy
	rig    *clustertest.Rig
	guest  *clustertest.Process
}

func (s *stage) status(i int) cluster.Status { return s.rig.Servers[i].Stats().Cluster }

// each waits until f holds for the status of all nodes from first to last.
func (s *stage) each(what string, first, last int, f func(st *cluster.Status) bool) {
	s.t.Helper()
	end := time.Now().Add(soonEnough + lease)
	for i := first; i <= last; i++ {
		for st := s.status(i); !f(&st); st = s.status(i) {
			if time.Now().After(end) {
				s.t.Fatalf("node %d: not %s: %+v", i, what, st)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// away waits until the nodes tell that the broker is away, and lets it be.
func (s *stage) away(first, last int, connected bool) {
	s.t.Helper()
	begun := time.Now()
	s.each("degraded", first, last, func(st *cluster.Status) bool {
		return st.Degraded && st.Connected == connected && st.Err != "" && st.QueuedEntries > 0
	})
	require.Less(s.t, time.Since(begun), lease+5*time.Second, "to be told")
	time.Sleep(outage) // what is tested is that it lasts so long
	s.each("still degraded", first, last, func(st *cluster.Status) bool { return st.Degraded })
}

func (s *stage) well() {
	s.t.Helper()
	s.each("well", 0, hosts-1, func(st *cluster.Status) bool {
		return !st.Degraded && st.Connected && st.Err == "" && len(st.Nodes) == s.others()
	})
}

// others is how many other nodes each should know.
func (s *stage) others() int {
	if s.guest != nil {
		return hosts
	}
	return hosts - 1
}

// unharmed checks that no node was taken for dead.
func (s *stage) unharmed() {
	s.t.Helper()
	for i := range hosts {
		require.Empty(s.t, s.rig.Losses(i))
		require.Zero(s.t, s.status(i).Incarnations)
		require.Empty(s.t, s.status(i).Dropped)
	}
}

// fault is a row of the table in docs/cluster.md.
type fault struct {
	name  string
	args  []string // of the broker
	guest bool     // with a node that is another process
	lossy bool
	run   func(s *stage)
	// after sees how the run has ended.
	after func(t *testing.T, rep clustertest.Report)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t, broker: brokertest.Start(t, f.args...)}
			s.proxy = brokertest.NewProxy(t, s.broker.Addr)
			p := clustertest.Plan{Nodes: hosts, Publishers: 2, Clients: 3, Steps: 20, Pace: pace,
				Lossy: f.lossy, ToAll: f.lossy, Away: late}
			if f.guest {
				s.guest = clustertest.Start(t, "guest", guestURL+"="+s.broker.URL(), guestID+"=guest")
				p.Guests = []clustertest.Guest{s.guest.Guest}
			}
			p.Faults = func(r *clustertest.Rig) {
				s.rig = r
				time.Sleep(outage / 8) // some calm before and after
				f.run(s)
				time.Sleep(outage / 8)
			}
			rep := clustertest.Check(t, func(t testing.TB, n int) (list []cluster.Transport) {
				for i := range n {
					url := s.broker.URL()
					if i == apart {
						url = s.proxy.URL()
					}
					list = append(list, node(t, options(url, id(i))))
				}
				return list
			}, p)
			t.Logf("%s: %d messages, %d of %d deliveries, missed %d; on their own node within %v, noise %v",
				f.name, rep.Sent, rep.Delivered, rep.Expected, rep.Missed, rep.Local,
				rep.Noise)
			if f.after != nil {
				f.after(t, rep)
			} else {
				require.Equal(t, rep.Expected, rep.Delivered)
			}
		})
	}
}

var faults = []fault{
	{name: "none", run: func(s *stage) {
		s.well()
		s.unharmed()
	}},
	{name: "broker stopped", args: brokertest.Always(), run: func(s *stage) {
		s.broker.Stop()
		s.away(0, hosts-1, false)
		s.broker.Restart()
		s.well()
		s.unharmed()
	}},
	{name: "broker killed", args: brokertest.Always(), run: func(s *stage) {
		s.broker.Kill()
		s.away(0, hosts-1, false)
		s.broker.Restart()
		s.well()
		s.unharmed()
	}},
	{name: "broker frozen", run: func(s *stage) {
		s.broker.Freeze()
		s.away(0, hosts-1, false)
		s.broker.Thaw()
		s.well()
		s.unharmed()
	}},
	{name: "memory full", run: func(s *stage) {
		s.broker.Do("CONFIG", "SET", "maxmemory", "1")
		s.away(0, hosts-1, true)
		s.broker.Do("CONFIG", "SET", "maxmemory", "0")
		s.well()
		s.unharmed()
	}},
	{name: "broker slow", run: func(s *stage) {
		s.proxy.Slow(lease / 30)
		time.Sleep(outage) // how long it is slow
		s.proxy.Heal()
		s.well()
		s.unharmed()
	}},
	{name: "connections broken", run: func(s *stage) {
		for range 20 {
			s.proxy.Break()
			time.Sleep(outage / 20)
		}
		s.well() // taken for dead or not
	}},
	{name: "restarted empty", lossy: true, run: func(s *stage) {
		s.broker.Kill()
		s.away(0, hosts-1, false)
		s.broker.RestartEmpty()
		s.well()
		s.unharmed()
	}, after: counted},
	{name: "restarted empty past a reader", lossy: true, run: func(s *stage) {
		// The last node does not read what the others add: that is lost.
		s.proxy.Cut()
		s.away(apart, apart, false)
		s.broker.Kill()
		s.away(0, apart, false)
		s.broker.RestartEmpty()
		s.proxy.Heal()
		s.well()
	}, after: missed},
	{name: "stream trimmed", lossy: true, run: func(s *stage) {
		s.proxy.Hold()
		s.away(apart, apart, false)
		self := s.status(0).Self
		s.broker.Do("XTRIM", fmt.Sprintf("throng:{%s.%d}", self.ID, self.Incarnation), "MINID",
			"1-"+strconv.FormatUint(s.status(0).Published, 10))
		s.proxy.Break()
		s.proxy.Heal()
		s.well()
	}, after: missed},
	{name: "one node cut off", run: func(s *stage) { s.partition(s.proxy.Cut) }},
	{name: "one node half open", run: func(s *stage) { s.partition(s.proxy.Hold) }},
	{name: "node killed", guest: true, run: func(s *stage) {
		s.guest.Kill()
		s.rig.Dead(0)
		s.lost(0, hosts-1, s.guest.ID, 1)
		s.guest = nil
		s.well()
	}, after: some},
	{name: "node frozen", guest: true, run: func(s *stage) {
		for i := range 2 {
			s.guest.Signal(syscall.SIGSTOP)
			s.lost(0, hosts-1, s.guest.ID, i+1)
			time.Sleep(outage / 4)
			s.guest.Signal(syscall.SIGCONT)
			s.well()
		}
		for i := range hosts {
			list := s.rig.Losses(i)
			require.Len(s.t, list, 2)
			require.NotEqual(s.t, list[0].Incarnation, list[1].Incarnation)
		}
	}},
}

// counted, missed and some are what runs end with that may lose something, that
// do, and whose node died.
func counted(t *testing.T, rep clustertest.Report) {
	require.LessOrEqual(t, rep.Delivered, rep.Expected)
	require.Less(t, rep.Missed, uint64(rep.Sent)/10)
}

func missed(t *testing.T, rep clustertest.Report) {
	require.Positive(t, rep.Missed)
	require.Less(t, rep.Delivered, rep.Expected)
}

func some(t *testing.T, rep clustertest.Report) {
	require.Zero(t, rep.Missed)
	require.Greater(t, rep.Delivered, rep.Expected/3)
}

// lost waits until the nodes have been told n times that one is gone, without
// a goodbye, and checks that they leave it out at once.
func (s *stage) lost(first, last int, id string, n int) {
	s.t.Helper()
	for i := first; i <= last; i++ {
		var list []clustertest.Lost
		s.each("told of a lost node", i, i, func(*cluster.Status) bool {
			list = s.rig.Losses(i)
			return len(list) >= n
		})
		require.Len(s.t, list, n, "once")
		require.Equal(s.t, id, list[n-1].ID)
		require.False(s.t, list[n-1].Left)
		require.Contains(s.t, list[n-1].Sockets, "/")
		for _, x := range s.rig.Servers[i].Nodes() {
			require.NotEqual(s.t, id, x.ID)
		}
		// On a busy machine a command may just have taken too long: who asks then
		// is told that nobody was asked.
		s.each("well", i, i, func(st *cluster.Status) bool { return !st.Degraded })
		begun := time.Now()
		_, err := s.rig.Servers[i].Count(s.t.Context())
		require.NoError(s.t, err, "nobody waits for it")
		require.Less(s.t, time.Since(begun), late)
	}
}

// partition takes the broker from one node for longer than its lease: the
// others lose it, and it comes back as a new incarnation.
func (s *stage) partition(begin func()) {
	begin()
	s.away(apart, apart, false)
	s.lost(0, apart-1, id(apart), 1)
	s.proxy.Heal()
	s.well()
	require.Equal(s.t, uint64(1), s.status(apart).Incarnations)
	require.Empty(s.t, s.rig.Losses(apart))
}
