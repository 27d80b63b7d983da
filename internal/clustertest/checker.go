package clustertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// Plan is a run of the checker.
type Plan struct {
	// Nodes, and on each Publishers and Clients.
	Nodes, Publishers, Clients int
	// Steps each publisher takes: emits and moves of members, at random, with
	// up to Pace between them.
	Steps int
	Pace  time.Duration
	// Recovery switches connection state recovery on: each node then gives
	// every message an offset of its own.
	Recovery bool
	// Lossy runs may lose messages. None may repeat or reorder them.
	Lossy bool
	// ToAll makes every step an emit to everybody. What a node then lacks of
	// the others must be what its transport has counted as missed.
	ToAll bool
	// Faults runs beside the publishers, which go on until it returns, when all
	// is well again.
	Faults func(r *Rig)
	// Guests are nodes that are other processes, besides Nodes.
	Guests []Guest
	// Away bounds how late a message may be on the node that sent it: less than
	// what a loop that waits for a broker would take. 0: not watched.
	Away time.Duration
}

// Report is what a run has shown.
type Report struct {
	// Sent messages, and Delivered ones, one for each receiver. Expected is how
	// many should have been.
	Sent, Expected, Delivered int
	// Missed is what the transports have counted as lost.
	Missed uint64
	// Local is how late messages were on the nodes that sent them: half of
	// them, one in a hundred, the last one. Zero without Plan.Away. Noise is how
	// late the machine let a goroutine be that only slept.
	Local [3]time.Duration
	Noise time.Duration
}

// message is a numbered one.
type message struct {
	publisher, n int
}

// moving is the room of clients that their own servers move.
const moving = "moving"

// Check runs a plan and verifies the history of every client: of each
// publisher's messages exactly those that it should receive, each once, in
// order.
func Check(t *testing.T, f Factory, p Plan) Report {
	t.Helper()
	o := socketio.Options{MaxPendingFrames: 1 << 16, MaxPendingBytes: 64 << 20}
	if p.Recovery {
		o.ConnectionStateRecovery = &socketio.ConnectionStateRecovery{}
	}
	r := start(t, f(t, p.Nodes), o, nil)
	r.invite(p.Guests)
	clients := r.clients(p.Nodes*p.Clients, "/")
	for i, g := range p.Guests {
		for range p.Clients {
			c := connect(t, g.Addr, "/")
			c.Node = p.Nodes + i
			clients = append(clients, c)
		}
	}
	publishers := publishersOf(r, &p, clients)
	late := watch(&p, publishers, clients)
	var work, movers sync.WaitGroup
	stop, well := make(chan struct{}), make(chan struct{})
	movers.Go(func() { late.listen(stop) })
	for k, c := range clients {
		if mover(k) && c.Node < p.Nodes {
			s, err := r.Servers[c.Node].Of("/").Socket(c.ID)
			require.NoError(t, err)
			movers.Go(func() { move(s, max(time.Millisecond, p.Pace/8), stop) })
		}
	}
	for _, pb := range publishers {
		work.Go(func() { pb.run(&p, well) })
	}
	if p.Faults != nil {
		p.Faults(r)
	}
	close(well)
	work.Wait()
	close(stop)
	movers.Wait()
	rep := Report{Local: late.quantiles(), Noise: late.noise}
	histories := gather(t, r, publishers, clients, p.Lossy)
	r.verify(&p, publishers, clients, histories, &rep)
	if p.Away > 0 {
		require.Positive(t, rep.Local[2], "nothing was delivered on the nodes that sent it")
		// A message passes from goroutine to goroutine.
		require.Less(t, rep.Local[2], p.Away+3*rep.Noise, "a loop has waited: %v", rep.Local)
	}
	return rep
}

// mover tells which clients move.
func mover(k int) bool { return k%3 == 0 }

// verify compares all histories with what they should be.
func (r *Rig) verify(p *Plan, publishers []*publisher, clients []*Client, histories [][][]int,
	rep *Report,
) {
	t := r.t
	for _, pb := range publishers {
		rep.Sent += pb.n
		if r.isDead(pb.node) {
			pb.cut(r, histories)
		}
	}
	missing := make(map[int]uint64) // by node
	for k, got := range histories {
		c := clients[k]
		dead := r.isDead(c.Node)
		var lacks uint64
		for i, pb := range publishers {
			want := pb.expected[k]
			rep.Expected += len(want)
			delivered, problem := verify(got[i], want, mover(k), pb.maybe, p.Lossy || dead)
			rep.Delivered += delivered
			require.Empty(t, problem, "client %d of node %d, publisher %d of node %d",
				k, c.Node, i, pb.node)
			if pb.node == c.Node && !dead {
				require.Equal(t, len(want), delivered, "lost on its own node")
			}
			lacks += uint64(len(want) - delivered)
		}
		if !p.ToAll || c.Node >= p.Nodes {
			continue
		}
		if others, ok := missing[c.Node]; ok {
			require.Equal(t, others, lacks, "clients of node %d lack different messages", c.Node)
		}
		missing[c.Node] = lacks
	}
	for i, s := range r.Servers {
		st := s.Stats()
		rep.Missed += st.Cluster.Missed
		require.Equal(t, st.Cluster.Missed, r.gaps(i, st.Cluster.Missed), "what the hook was told")
		require.Zero(t, st.Drops["cluster_entry"])
		if p.ToAll {
			require.Equal(t, missing[i], st.Cluster.Missed, "node %d lacks and has counted", i)
		}
		if !p.Lossy {
			require.Zero(t, st.Cluster.Missed, "node %d", i)
		}
	}
}

// verify compares what a client has received of a publisher with what it
// should have. delivered counts those it should have and has.
func verify(got, want []int, mover bool, maybe map[int]bool, lossy bool) (delivered int, problem string) {
	last := 0
	for _, n := range got {
		if n <= last {
			return 0, fmt.Sprintf("%d behind %d: repeated or out of order", n, last)
		}
		last = n
		if _, ok := slices.BinarySearch(want, n); ok {
			delivered++
		} else if !mover || !maybe[n] {
			return 0, fmt.Sprintf("%d is for others", n)
		}
	}
	if delivered < len(want) && !lossy {
		for _, n := range want {
			if _, ok := slices.BinarySearch(got, n); !ok {
				return delivered, fmt.Sprintf("%d of %d are missing, the first is %d",
					len(want)-delivered, len(want), n)
			}
		}
	}
	return delivered, ""
}

// gather returns the numbers each client has received of each publisher, up to
// a last message of every one. A lossy run repeats that one until it arrives.
func gather(t testing.TB, r *Rig, publishers []*publisher, clients []*Client, lossy bool,
) [][][]int {
	t.Helper()
	done := make(chan struct{})
	var again, readers sync.WaitGroup
	again.Go(func() {
		for {
			for _, p := range publishers {
				if r.isDead(p.node) {
					continue
				}
				p.do(&action{Kind: "emit", Publisher: p.id})
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if !lossy {
				return
			}
		}
	})
	alive := 0
	for _, p := range publishers {
		if !r.isDead(p.node) {
			alive++
		}
	}
	all := make([][][]int, len(clients))
	failed := make(chan string, len(clients))
	for k, c := range clients {
		readers.Go(func() {
			all[k] = make([][]int, len(publishers))
			over := make([]bool, len(publishers))
			late := time.After(patience)
			dead := r.isDead(c.Node)
			for left := alive; left > 0; {
				var text string
				more := true
				select {
				case text, more = <-c.in:
				case <-late:
					failed <- fmt.Sprintf("client %d of node %d waits for %d publishers", k, c.Node, left)
					return
				}
				m, ok := parse(text)
				switch {
				case !more && dead:
					return
				case !ok:
					failed <- fmt.Sprintf("client %d received %q", k, text)
					return
				case m.n > 0 && over[m.publisher]:
					failed <- fmt.Sprintf("client %d: %d behind the end", k, m.n)
					return
				case m.n > 0:
					all[k][m.publisher] = append(all[k][m.publisher], m.n)
				case !over[m.publisher]:
					over[m.publisher] = true
					left--
				}
			}
		})
	}
	readers.Wait()
	close(done)
	again.Wait()
	select {
	case problem := <-failed:
		require.FailNow(t, problem)
	default:
	}
	return all
}

// parse reads `42["m",PUBLISHER,N]`, an offset behind N apart.
func parse(text string) (m message, ok bool) {
	var v []json.RawMessage
	if len(text) < 2 || json.Unmarshal([]byte(text[2:]), &v) != nil ||
		len(v) != 3 && len(v) != 4 {
		return m, false
	}
	return m, json.Unmarshal(v[1], &m.publisher) == nil && json.Unmarshal(v[2], &m.n) == nil
}
