package rooms

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is the naive Shard: maps of sets, and the hook calls it expects.
type model struct {
	ns     map[Slot]NS
	rooms  map[NS]map[string]map[Slot]bool
	events []string
}

func (m *model) joinedBy(slot Slot) []string {
	var names []string
	for name, members := range m.rooms[m.ns[slot]] {
		if members[slot] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *model) join(slot Slot, name string) bool {
	ns, ok := m.ns[slot]
	if !ok || m.rooms[ns][name][slot] {
		return false
	}
	if m.rooms[ns] == nil {
		m.rooms[ns] = map[string]map[Slot]bool{}
	}
	if m.rooms[ns][name] == nil {
		m.rooms[ns][name] = map[Slot]bool{}
		m.events = append(m.events, fmt.Sprint("create ", ns, name))
	}
	m.rooms[ns][name][slot] = true
	m.events = append(m.events, fmt.Sprint("join ", ns, name, slot))
	return true
}

func (m *model) leave(slot Slot, name string) bool {
	ns, ok := m.ns[slot]
	if !ok || !m.rooms[ns][name][slot] {
		return false
	}
	delete(m.rooms[ns][name], slot)
	m.events = append(m.events, fmt.Sprint("leave ", ns, name, slot))
	if len(m.rooms[ns][name]) == 0 {
		delete(m.rooms[ns], name)
		m.events = append(m.events, fmt.Sprint("delete ", ns, name))
	}
	return true
}

func (m *model) plan(p *Plan) []Slot {
	set := map[Slot]bool{}
	for slot, ns := range m.ns {
		if ns != p.NS {
			continue
		}
		in := len(p.Rooms) == 0 && len(p.Slots) == 0 || slices.Contains(p.Slots, slot)
		for _, name := range p.Rooms {
			in = in || m.rooms[ns][name][slot]
		}
		for _, name := range p.Except {
			in = in && !m.rooms[ns][name][slot]
		}
		if in && !slices.Contains(p.ExceptSlots, slot) {
			set[slot] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func recorder(events *[]string) Hooks {
	add := func(args ...any) { *events = append(*events, fmt.Sprint(args...)) }
	return Hooks{
		Create: func(ns NS, room string) { add("create ", ns, room) },
		Delete: func(ns NS, room string) { add("delete ", ns, room) },
		Join:   func(ns NS, room string, s Slot) { add("join ", ns, room, s) },
		Leave:  func(ns NS, room string, s Slot) { add("leave ", ns, room, s) },
	}
}

func TestShardAgreesWithModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var got []string
		s := New(recorder(&got))
		m := &model{ns: map[Slot]NS{}, rooms: map[NS]map[string]map[Slot]bool{}}
		// Marks of the first plans must not survive the counter's turn.
		s.epoch = rapid.SampledFrom([]uint32{0, 1<<32 - 3}).Draw(t, "epoch")

		spread := rapid.SampledFrom([]uint32{1, 300}).Draw(t, "spread")
		slots := rapid.Map(rapid.Uint32Range(0, 19), func(n uint32) Slot { return n * spread })
		ns := rapid.SampledFrom([]NS{0, 7, 1 << 30})
		name := rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e", "f", "g"})

		// sameSet compares hook calls whose order among rooms is free.
		sameSet := func() {
			slices.Sort(got)
			slices.Sort(m.events)
			require.Equal(t, m.events, got)
		}
		// sane checks the order that is not free.
		sane := func() {
			for i, e := range got {
				if tail, ok := strings.CutPrefix(e, "create "); ok {
					require.True(t, strings.HasPrefix(got[i+1], "join "+tail))
				}
				if tail, ok := strings.CutPrefix(e, "delete "); ok {
					require.True(t, strings.HasPrefix(got[i-1], "leave "+tail))
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				slot, n := slots.Draw(t, "slot"), ns.Draw(t, "ns")
				for _, r := range m.joinedBy(slot) {
					m.leave(slot, r)
				}
				m.ns[slot] = n
				s.Add(slot, n)
			},
			"remove": func(t *rapid.T) {
				slot := slots.Draw(t, "slot")
				for _, r := range m.joinedBy(slot) {
					m.leave(slot, r)
				}
				delete(m.ns, slot)
				s.Remove(slot)
			},
			"join": func(t *rapid.T) {
				slot, r := slots.Draw(t, "slot"), name.Draw(t, "room")
				require.Equal(t, m.join(slot, r), s.Join(slot, r))
			},
			"join again": func(t *rapid.T) {
				slot, r := slots.Draw(t, "slot"), name.Draw(t, "room")
				require.Equal(t, m.join(slot, r), s.Join(slot, r))
			},
			"leave": func(t *rapid.T) {
				slot, r := slots.Draw(t, "slot"), name.Draw(t, "room")
				require.Equal(t, m.leave(slot, r), s.Leave(slot, r))
			},
			"close": func(t *rapid.T) {
				n, r := ns.Draw(t, "ns"), name.Draw(t, "room")
				want := len(m.rooms[n][r])
				for slot := range maps.Clone(m.rooms[n][r]) {
					m.leave(slot, r)
				}
				require.Equal(t, want, s.CloseRoom(n, r))
			},
			"plan": func(t *rapid.T) {
				p := &Plan{
					NS:          ns.Draw(t, "ns"),
					Rooms:       rapid.SliceOfN(name, 0, 3).Draw(t, "rooms"),
					Except:      rapid.SliceOfN(name, 0, 2).Draw(t, "except"),
					Slots:       rapid.SliceOfN(slots, 0, 3).Draw(t, "slots"),
					ExceptSlots: rapid.SliceOfN(slots, 0, 3).Draw(t, "except slots"),
				}
				plan := s.AppendPlan([]Slot{99}, p)
				require.Equal(t, Slot(99), plan[0])
				plan = plan[1:]
				slices.Sort(plan)
				require.Equal(t, m.plan(p), append([]Slot(nil), plan...))
			},
			"": func(t *rapid.T) {
				sane()
				sameSet()
				got, m.events = got[:0], m.events[:0]
				total := 0
				for _, n := range []NS{0, 7, 1 << 30} {
					want := map[string]int{}
					for r, members := range m.rooms[n] {
						want[r] = len(members)
						require.Equal(t, len(members), s.Len(n, r))
					}
					require.Equal(t, want, maps.Collect(s.Rooms(n)))
					require.Equal(t, len(want), s.RoomsLen(n))
					total += len(want)
					count := 0
					for _, in := range m.ns {
						if in == n {
							count++
						}
					}
					require.Equal(t, count, s.NamespaceLen(n))
				}
				require.Equal(t, total, s.RoomsTotal())
				for i := range Slot(20) {
					slot := i * spread
					names := s.AppendRooms(nil, slot)
					require.Equal(t, len(names), s.RoomCount(slot))
					slices.Sort(names)
					require.Equal(t, m.joinedBy(slot), names)
					for _, r := range names {
						require.True(t, s.In(slot, r))
					}
					require.False(t, s.In(slot, "nobody"))
					_, has := s.Has(slot)
					_, want := m.ns[slot]
					require.Equal(t, want, has)
				}
			},
		})
	})
}

// Lists of every size, in every order of growth and shrinkage.
func TestListsAgreeWithSlices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s slab[uint64]
		lists := make([]list, 3)
		want := make([][]uint64, 3)
		addr := make([][]uint32, 3)
		var next uint64
		steps := rapid.SliceOfN(rapid.IntRange(-3000, 3000), 1, 20).Draw(t, "steps")
		for i, step := range steps {
			l, w := &lists[i%3], &want[i%3]
			for ; step > 0; step-- {
				next++
				*w = append(*w, next)
				addr[i%3] = append(addr[i%3], s.push(l, next))
			}
			for ; step < 0 && len(*w) > 0; step++ {
				s.pop(l)
				*w = (*w)[:len(*w)-1]
				addr[i%3] = addr[i%3][:len(*w)]
			}
			for i, l := range lists {
				require.Equal(t, len(want[i]), int(l.len()))
				var got []uint64
				for c := s.newest(l); c.n > 0; c = s.older(c) {
					got = append(slices.Clone(s.run(c)), got...)
				}
				require.True(t, slices.Equal(want[i], got))
				if n := len(got); n > 0 {
					require.Equal(t, got[n-1], *s.word(s.last(l)))
				}
				for k, at := range addr[i] {
					require.Equal(t, want[i][k], *s.word(at))
				}
			}
		}
	})
}
