//go:build !race

package rooms

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoAllocations(t *testing.T) {
	s := New(Hooks{})
	for slot := range Slot(5000) {
		s.Add(slot, 0)
		s.Join(slot, fmt.Sprint("r", slot%100))
		s.Join(slot, "all")
	}
	dst := make([]Slot, 0, 5000)
	plans := map[string]*Plan{
		"everybody": {},
		"one room":  {Rooms: []string{"all"}},
		"excepts":   {Except: []string{"r3"}, ExceptSlots: []Slot{5}},
		"union":     {Rooms: []string{"all", "r1", "ghost"}, Slots: []Slot{3}, Except: []string{"r2"}},
	}
	for name, p := range plans {
		require.Zero(t, testing.AllocsPerRun(20, func() { dst = s.AppendPlan(dst[:0], p) }), name)
		require.NotEmpty(t, dst, name)
	}
	names := make([]string, 0, 4)
	require.Zero(t, testing.AllocsPerRun(100, func() { names = s.AppendRooms(names[:0], 4) }))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.Join(4, "r5")
		s.Leave(4, "r5")
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.Remove(4)
		s.Add(4, 0)
		s.Join(4, "all")
		s.Join(4, "r4")
	}))
}
