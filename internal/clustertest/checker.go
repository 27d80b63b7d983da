package clustertest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
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
	// Lossy runs may lose messages; those that may lose any entry lose joins and
	// leaves, too, so that clients get what is for others. None may repeat or
	// reorder messages.
	Lossy, LosesAny bool
	// Faults runs beside the publishers, and returns when all is well again.
	Faults func(r *Rig)
}

// Report is what a run has shown.
type Report struct {
	// Sent messages, and Delivered ones, one for each receiver. Expected is how
	// many should have been.
	Sent, Expected, Delivered int
}

// message is a numbered one.
type message struct {
	publisher, n int
}

// publisher sends numbered messages to rooms of its own, and moves clients in
// and out of them, so that the order of its entries alone says who receives
// what.
type publisher struct {
	id       int
	ns       *socketio.Namespace
	rng      *rand.Rand
	clients  []*Client
	members  map[string]map[int]bool // of its rooms
	n        int
	expected [][]int      // by client
	maybe    map[int]bool // messages to the room that movers come and go from
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
	clients := r.clients(p.Nodes*p.Clients, "/")
	var publishers []*publisher
	for i := range p.Nodes * p.Publishers {
		publishers = append(publishers, &publisher{id: i, ns: r.Servers[i%p.Nodes].Of("/"),
			rng: rand.New(rand.NewPCG(uint64(i), 1)), clients: clients,
			members:  map[string]map[int]bool{"a": {}, "b": {}, "c": {}},
			expected: make([][]int, len(clients)), maybe: map[int]bool{}})
	}
	var work, movers sync.WaitGroup
	stop := make(chan struct{})
	for k, c := range clients {
		if k%3 == 0 {
			s, err := r.Servers[c.Node].Of("/").Socket(c.ID)
			require.NoError(t, err)
			movers.Go(func() { move(s, stop) })
		}
	}
	for _, pb := range publishers {
		work.Go(func() {
			for range p.Steps {
				pb.step()
				if p.Pace > 0 {
					time.Sleep(time.Duration(pb.rng.Int64N(int64(p.Pace))))
				}
			}
		})
	}
	if p.Faults != nil {
		work.Go(func() { p.Faults(r) })
	}
	work.Wait()
	close(stop)
	movers.Wait()

	var rep Report
	for _, pb := range publishers {
		rep.Sent += pb.n
	}
	p.Lossy = p.Lossy || p.LosesAny
	histories := gather(t, publishers, clients, p.Lossy)
	for k, got := range histories {
		for i, pb := range publishers {
			want := pb.expected[k]
			rep.Expected += len(want)
			delivered, problem := verify(got[i], want, k%3 == 0, pb.maybe, &p)
			rep.Delivered += delivered
			require.Empty(t, problem, "client %d of node %d, publisher %d of node %d",
				k, clients[k].Node, i, i%p.Nodes)
		}
	}
	return rep
}

// verify compares what a client has received of a publisher with what it
// should have. delivered counts those it should have and has.
func verify(got, want []int, mover bool, maybe map[int]bool, p *Plan) (delivered int, problem string) {
	last := 0
	for _, n := range got {
		if n <= last {
			return 0, fmt.Sprintf("%d behind %d: repeated or out of order", n, last)
		}
		last = n
		if _, ok := slices.BinarySearch(want, n); ok {
			delivered++
		} else if !p.LosesAny && (!mover || !maybe[n]) {
			return 0, fmt.Sprintf("%d is for others", n)
		}
	}
	if delivered < len(want) && !p.Lossy {
		for _, n := range want {
			if _, ok := slices.BinarySearch(got, n); !ok {
				return delivered, fmt.Sprintf("%d of %d are missing, the first is %d",
					len(want)-delivered, len(want), n)
			}
		}
	}
	return delivered, ""
}

// move lets a socket come into the room and leave it until stop.
func move(s *socketio.Socket, stop <-chan struct{}) {
	for {
		s.Join(moving)
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
		s.Leave(moving)
	}
}

// room is a room of the publisher's own.
func (p *publisher) room(name string) string { return name + strconv.Itoa(p.id) }

func (p *publisher) anyRoom() string { return string("abc"[p.rng.IntN(3)]) }

// step takes one step. Members change with entries of the publisher alone.
func (p *publisher) step() {
	name := p.anyRoom()
	room, members := p.room(name), p.members[name]
	switch p.rng.IntN(10) {
	case 0, 1:
		k := p.rng.IntN(len(p.clients))
		p.ns.In(p.clients[k].ID).SocketsJoin(room)
		members[k] = true
	case 2:
		k := p.rng.IntN(len(p.clients))
		p.ns.In(p.clients[k].ID).SocketsLeave(room)
		delete(members, k)
	case 3: // all of one room move to another
		other := p.anyRoom()
		if other == name {
			return
		}
		p.ns.In(room).SocketsJoin(p.room(other))
		p.ns.In(room).SocketsLeave(room)
		for k := range members {
			p.members[other][k] = true
		}
		clear(members)
	case 4:
		if p.rng.IntN(10) == 0 {
			p.ns.CloseRoom(room)
			clear(members)
		}
	case 5:
		p.emit(p.ns.All(), func(int) bool { return true })
	case 6:
		k := p.rng.IntN(len(p.clients))
		p.emit(p.ns.To(p.clients[k].ID), func(j int) bool { return j == k })
	case 7:
		other := p.anyRoom()
		p.emit(p.ns.To(room, p.room(other)),
			func(k int) bool { return members[k] || p.members[other][k] })
	case 8:
		p.emit(p.ns.Except(room), func(k int) bool { return !members[k] })
	default:
		p.maybe[p.n+1] = true
		p.emit(p.ns.To(moving, room), func(k int) bool { return members[k] })
	}
}

func (p *publisher) emit(b socketio.Broadcast, who func(k int) bool) {
	p.n++
	_ = b.Emit("m", p.id, p.n)
	for k := range p.clients {
		if who(k) {
			p.expected[k] = append(p.expected[k], p.n)
		}
	}
}

// gather returns the numbers each client has received of each publisher, up to
// a last message of every one. A lossy run repeats that one until it arrives.
func gather(t *testing.T, publishers []*publisher, clients []*Client, lossy bool) [][][]int {
	t.Helper()
	done := make(chan struct{})
	var again, readers sync.WaitGroup
	again.Go(func() {
		for {
			for _, p := range publishers {
				_ = p.ns.Emit("m", p.id, 0)
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
	all := make([][][]int, len(clients))
	failed := make(chan string, len(clients))
	for k, c := range clients {
		readers.Go(func() {
			all[k] = make([][]int, len(publishers))
			over := make([]bool, len(publishers))
			late := time.After(patience)
			for left := len(publishers); left > 0; {
				var text string
				select {
				case text = <-c.in:
				case <-late:
					failed <- fmt.Sprintf("client %d of node %d waits for %d publishers", k, c.Node, left)
					return
				}
				m, ok := parse(text)
				switch {
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
