package rooms

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestRoomsThatDoNotExistNameNobody(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	s.Add(1, 0)
	require.Empty(t, s.AppendPlan(nil, &Plan{Rooms: []string{"ghost"}}))
	require.Empty(t, s.AppendPlan(nil, &Plan{Rooms: []string{"ghost", "spook"}}))
	require.Empty(t, s.AppendPlan(nil, &Plan{Slots: []Slot{2, 1 << 31}}))
	require.Empty(t, s.AppendPlan(nil, &Plan{NS: 5}))
	require.Equal(t, []Slot{1}, s.AppendPlan(nil, &Plan{}))
	require.Equal(t, []Slot{1}, s.AppendPlan(nil, &Plan{Except: []string{"ghost"}}))
	require.Equal(t, []Slot{1}, s.AppendPlan(nil, &Plan{ExceptSlots: []Slot{7, 1 << 31}}))
}

func TestHookOrder(t *testing.T) {
	t.Parallel()
	var got []string
	s := New(recorder(&got))
	s.Add(1, 9)
	s.Add(2, 9)
	s.Join(1, "a")
	s.Join(2, "a")
	s.Join(2, "a")
	s.Leave(1, "a")
	s.Join(2, "b")
	s.Remove(2)
	require.Equal(t, []string{
		"create 9a", "join 9a1", "join 9a2", "leave 9a1", "create 9b", "join 9b2",
		"leave 9b2", "delete 9b", "leave 9a2", "delete 9a",
	}, got)
}

// A hook sees the state after its change.
func TestHooksReadTheShard(t *testing.T) {
	t.Parallel()
	var s *Shard
	var lens []int
	note := func(ns NS, room string) { lens = append(lens, s.Len(ns, room), s.RoomsTotal()) }
	member := func(ns NS, room string, _ Slot) { note(ns, room) }
	s = New(Hooks{Create: note, Delete: note, Join: member, Leave: member})
	s.Add(1, 0)
	s.Join(1, "a")
	s.CloseRoom(0, "a")
	require.Equal(t, []int{1, 1, 1, 1, 0, 0, 0, 0}, lens)
}

func TestRoomNamesAreCopied(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	s.Add(1, 0)
	buf := []byte("lobby")
	s.Join(1, unsafe.String(&buf[0], len(buf)))
	copy(buf, "xxxxx")
	require.True(t, s.In(1, "lobby"))
	require.Equal(t, []string{"lobby"}, s.AppendRooms(nil, 1))
}

func TestAbsentSlots(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	s.Remove(3)
	require.False(t, s.Join(3, "a"))
	require.False(t, s.Leave(3, "a"))
	require.False(t, s.In(3, "a"))
	require.Zero(t, s.RoomCount(3))
	require.Zero(t, s.CloseRoom(0, "a"))
	require.Zero(t, s.RoomsTotal())
}

func TestJoinOrder(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	s.Add(1, 0)
	for _, r := range []string{"z", "m", "a", "q"} {
		s.Join(1, r)
	}
	require.Equal(t, []string{"z", "m", "a", "q"}, s.AppendRooms(nil, 1))
	s.Leave(1, "z")
	require.Equal(t, []string{"q", "m", "a"}, s.AppendRooms(nil, 1))
}

// Two sockets that watch very many rooms, and rooms of many chunks.
func TestLargeLists(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	const n = 5000
	for slot := range Slot(n) {
		s.Add(slot, 0)
	}
	for slot := range Slot(n) {
		s.Join(slot, "big")
		for _, watcher := range []Slot{0, 1} {
			s.Join(watcher, fmt.Sprint("r", slot))
		}
	}
	require.Equal(t, n+1, s.RoomsTotal())
	require.Equal(t, n+1, s.RoomCount(1))
	plan := s.AppendPlan(nil, &Plan{Rooms: []string{"big"}, ExceptSlots: []Slot{7}})
	slices.Sort(plan)
	require.Len(t, slices.Compact(plan), n-1)
	s.Remove(0)
	require.Equal(t, n, s.RoomCount(1)-1)
	for slot := range Slot(n) {
		require.Equal(t, slot != 0, s.Leave(slot, "big"))
	}
	require.Equal(t, n, s.RoomsTotal())
	s.Remove(1)
	require.Zero(t, s.RoomsTotal())
}

// Churn of ever new names and slots must not grow the tables.
func TestVanishedSpaceIsReused(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	round := func(k int) {
		for slot := range Slot(3000) {
			s.Add(slot, NS(k))
			s.Join(slot, "all")
			s.Join(slot, fmt.Sprint(k, "-", slot))
			s.Join(slot, fmt.Sprint(k, "+", slot/10))
		}
		for slot := range Slot(3000) {
			s.Remove((slot*7 + 1) % 3000)
		}
	}
	round(0)
	size := func() []int {
		return []int{
			len(s.slots), len(s.spaces), len(s.rooms), len(s.everybody.chunks),
			len(s.members.chunks), len(s.joined.chunks),
		}
	}
	want := size()
	for k := range 20 {
		round(k)
	}
	require.Equal(t, want, size())
	require.Zero(t, s.RoomsTotal())
	require.Empty(t, s.byNS)
}

// The counter of plans comes round after 2^32; old marks must not count then.
func TestEpochWraps(t *testing.T) {
	t.Parallel()
	s := New(Hooks{})
	s.Add(1, 0)
	s.Add(2, 0)
	p := &Plan{ExceptSlots: []Slot{2}}
	require.Equal(t, []Slot{1}, s.AppendPlan(nil, p)) // leaves mark 1 on slot 2
	s.epoch = 1<<32 - 1
	require.Equal(t, []Slot{2}, s.AppendPlan(nil, &Plan{ExceptSlots: []Slot{1}}))
	require.Equal(t, uint32(1), s.epoch)
}
