package rooms

import (
	"fmt"
	"runtime"
	"testing"
)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("room-%d", i)
	}
	return list
}

// fill makes sockets with memberships spread over rooms.
func fill(sockets, perSocket int, rooms []string) *Shard {
	s := New(Hooks{})
	for slot := range Slot(sockets) {
		s.Add(slot, 0)
		for k := range perSocket {
			s.Join(slot, rooms[(int(slot)*31+k*7919)%len(rooms)])
		}
	}
	return s
}

func BenchmarkJoinLeave(b *testing.B) {
	rooms := names(10_000)
	s := fill(100_000, 5, rooms)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		slot, room := Slot(i*7919%100_000), rooms[i*31%len(rooms)]
		if s.Join(slot, room) {
			s.Leave(slot, room)
		}
		i++
	}
}

func BenchmarkJoin(b *testing.B) {
	rooms := names(10_000)
	b.ReportAllocs()
	var s *Shard
	i := 100_000
	for b.Loop() {
		if i == 100_000 {
			b.StopTimer()
			s, i = fill(100_000, 4, rooms), 0
			b.StartTimer()
		}
		s.Join(Slot(i), rooms[(i*31+13)%len(rooms)])
		i++
	}
}

func BenchmarkPlan(b *testing.B) {
	const members = 15_000
	s := New(Hooks{})
	rooms := names(1000)
	for i := range Slot(members) {
		slot := i * 7919 % members // as after some churn
		s.Add(slot, 0)
		s.Join(slot, "all")
		s.Join(slot, rooms[i%1000])
	}
	dst := make([]Slot, 0, members)
	for _, c := range []struct {
		name string
		plan Plan
	}{
		{"everybody", Plan{}},
		{"everybody_but_one", Plan{ExceptSlots: []Slot{5}}},
		{"room", Plan{Rooms: []string{"all"}}},
		{"room_but_one", Plan{Rooms: []string{"all"}, ExceptSlots: []Slot{5}}},
		{"1000_rooms", Plan{Rooms: rooms}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = s.AppendPlan(dst[:0], &c.plan)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(dst)), "ns/member")
		})
	}
	b.Run("15_of_1000_rooms", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		p := &Plan{Rooms: make([]string, 1)}
		for b.Loop() {
			p.Rooms[0] = rooms[i%1000]
			dst = s.AppendPlan(dst[:0], p)
			i++
		}
	})
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkMemory reports live bytes: of a socket in no room, of a membership
// in rooms that exist anyway, and of a room with one member.
func BenchmarkMemory(b *testing.B) {
	const sockets = 100_000
	rooms, own := names(10_000), names(sockets)
	for b.Loop() {
		h0 := heap()
		s := fill(sockets, 0, rooms)
		h1 := heap()
		for i, r := range rooms {
			s.Join(Slot(i), r)
		}
		h2 := heap()
		for slot := range Slot(sockets) {
			for k := range 5 {
				s.Join(slot, rooms[(int(slot)*31+k*7919)%len(rooms)])
			}
		}
		h3 := heap()
		more := -len(rooms)
		for slot := range Slot(sockets) {
			more += s.RoomCount(slot)
		}
		for slot, r := range own {
			s.Join(Slot(slot), r+"!")
		}
		h4 := heap()
		b.ReportMetric((h1-h0)/sockets, "B/socket")
		b.ReportMetric((h3-h2)/float64(more), "B/membership")
		b.ReportMetric((h4-h3)/sockets, "B/own-room")
		runtime.KeepAlive(s)
		runtime.KeepAlive(own)
	}
}
