package clustertest

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/throng-server/throng/socketio"
)

// action is what a publisher does on a server: on that of this process, or as
// an event of a client on that of another.
type action struct {
	Kind      string   `json:"k"`
	Rooms     []string `json:"r,omitempty"`
	Except    []string `json:"x,omitempty"`
	Name      string   `json:"a,omitempty"`
	Publisher int      `json:"p"`
	N         int      `json:"n"`
}

func (a *action) run(ns *socketio.Namespace) {
	switch a.Kind {
	case "join":
		ns.In(a.Rooms...).SocketsJoin(a.Name)
	case "leave":
		ns.In(a.Rooms...).SocketsLeave(a.Name)
	case "close":
		ns.CloseRoom(a.Name)
	case "emit":
		_ = ns.To(a.Rooms...).Except(a.Except...).Emit("m", a.Publisher, a.N)
	}
}

// publisher sends numbered messages to rooms of its own, and moves clients in
// and out of them, so that the order of its entries alone says who receives
// what.
type publisher struct {
	id, node int
	ns       *socketio.Namespace // nil on a guest
	client   *Client             // of a guest
	rng      *rand.Rand
	clients  []*Client
	members  map[string]map[int]bool // of its rooms
	n        int
	expected [][]int      // by client
	maybe    map[int]bool // messages to the room that movers come and go from

	mu   sync.Mutex
	sent []time.Time // by number, from 1 on; nil: not watched
}

func publishersOf(r *Rig, p *Plan, clients []*Client) (list []*publisher) {
	for i := range (p.Nodes + len(p.Guests)) * p.Publishers {
		pb := &publisher{id: i, node: i % (p.Nodes + len(p.Guests)), clients: clients,
			rng:      rand.New(rand.NewPCG(uint64(i), 1)),
			members:  map[string]map[int]bool{"a": {}, "b": {}, "c": {}},
			expected: make([][]int, len(clients)), maybe: map[int]bool{}}
		if pb.node < p.Nodes {
			pb.ns = r.Servers[pb.node].Of("/")
		} else {
			pb.client = connect(r.t, p.Guests[pb.node-p.Nodes].Addr, "/chat")
		}
		list = append(list, pb)
	}
	return list
}

// run takes the steps of a plan, and more until well is closed.
func (p *publisher) run(plan *Plan, well <-chan struct{}) {
	for n := 0; ; n++ {
		if n >= plan.Steps {
			select {
			case <-well:
				return
			default:
			}
		}
		if plan.ToAll {
			p.emit(nil, nil, func(int) bool { return true })
		} else {
			p.step()
		}
		if plan.Pace > 0 {
			time.Sleep(time.Duration(p.rng.Int64N(int64(plan.Pace))))
		}
	}
}

func (p *publisher) do(a *action) {
	if p.client == nil {
		a.run(p.ns)
		return
	}
	b, _ := json.Marshal(a) // strings and numbers
	p.client.Send(`42/chat,["do",` + string(b) + `]`)
}

// move lets a socket come into the room and leave it until stop.
func move(s *socketio.Socket, pause time.Duration, stop <-chan struct{}) {
	for {
		s.Join(moving)
		select {
		case <-stop:
			return
		case <-time.After(pause):
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
		p.do(&action{Kind: "join", Rooms: []string{p.clients[k].ID}, Name: room})
		members[k] = true
	case 2:
		k := p.rng.IntN(len(p.clients))
		p.do(&action{Kind: "leave", Rooms: []string{p.clients[k].ID}, Name: room})
		delete(members, k)
	case 3: // all of one room move to another
		other := p.anyRoom()
		if other == name {
			return
		}
		p.do(&action{Kind: "join", Rooms: []string{room}, Name: p.room(other)})
		p.do(&action{Kind: "leave", Rooms: []string{room}, Name: room})
		for k := range members {
			p.members[other][k] = true
		}
		clear(members)
	case 4:
		if p.rng.IntN(10) == 0 {
			p.do(&action{Kind: "close", Name: room})
			clear(members)
		}
	case 5:
		p.emit(nil, nil, func(int) bool { return true })
	case 6:
		k := p.rng.IntN(len(p.clients))
		p.emit([]string{p.clients[k].ID}, nil, func(j int) bool { return j == k })
	case 7:
		other := p.anyRoom()
		p.emit([]string{room, p.room(other)}, nil,
			func(k int) bool { return members[k] || p.members[other][k] })
	case 8:
		p.emit(nil, []string{room}, func(k int) bool { return !members[k] })
	default:
		p.maybe[p.n+1] = true
		p.emit([]string{moving, room}, nil, func(k int) bool { return members[k] })
	}
}

func (p *publisher) emit(rooms, except []string, who func(k int) bool) {
	p.n++
	if p.sent != nil {
		p.mu.Lock()
		p.sent = append(p.sent, time.Now())
		p.mu.Unlock()
	}
	p.do(&action{Kind: "emit", Rooms: rooms, Except: except, Publisher: p.id, N: p.n})
	for k := range p.clients {
		if who(k) {
			p.expected[k] = append(p.expected[k], p.n)
		}
	}
}

// cut takes from what survivors should have of a publisher whose node has died
// what never left it: all have the same, up to the same message.
func (p *publisher) cut(r *Rig, histories [][][]int) {
	last := 0
	for k, got := range histories {
		if list := got[p.id]; !r.isDead(p.clients[k].Node) && len(list) > 0 {
			last = max(last, list[len(list)-1])
		}
	}
	for k, c := range p.clients {
		if r.isDead(c.Node) {
			continue
		}
		n := 0
		for n < len(p.expected[k]) && p.expected[k][n] <= last {
			n++
		}
		p.expected[k] = p.expected[k][:n]
	}
}
