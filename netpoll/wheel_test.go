package netpoll

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func newTestWheel(n int) (*wheel, []wheelLink) {
	w := &wheel{links: make([]wheelLink, n)}
	return w, w.links
}

// setIn sets a timer to so many ticks from now, 0 stops it.
func setIn(w *wheel, slot, ticks uint32) {
	if ticks == 0 {
		w.stop(slot)
		return
	}
	w.set(slot, w.now+ticks)
}

// checkLists verifies that every armed timer stands in exactly one list and
// that links agree in both directions.
func checkLists(t require.TestingT, w *wheel, links []wheelLink) {
	seen := map[uint32]bool{}
	for i, head := range w.heads {
		prev := atHead | uint32(i)
		for s := head; s != 0; s = links[s-1].next {
			require.False(t, seen[s], "slot %d is linked twice", s-1)
			seen[s] = true
			require.Equal(t, prev, links[s-1].prev)
			prev = s
		}
		if i < wheelSlots {
			require.Equal(t, head != 0, w.full[i/64]&(1<<(i%64)) != 0, "list %d", i)
		}
	}
	for s := range links {
		require.Equal(t, links[s].armed(), seen[uint32(s)+1])
	}
}

func TestWheelFiresAtItsTick(t *testing.T) {
	t.Parallel()
	w, links := newTestWheel(8)
	due := map[uint32]uint32{0: 1, 1: 1023, 2: 1024, 3: 1025, 4: 5000, 5: 2, 6: 2}
	for s, d := range due {
		setIn(w, s, d)
	}
	setIn(w, 7, 3)
	w.stop(7)
	got := map[uint32]uint32{}
	for now := uint32(1); now <= 6000; now++ {
		w.advance(now, 100, 100, func(s uint32) { got[s] = now })
	}
	require.Equal(t, due, got)
	checkLists(t, w, links)
}

func TestWheelTimeWraps(t *testing.T) {
	t.Parallel()
	w, _ := newTestWheel(1)
	w.now, w.done = 1<<32-3, 1<<32-3
	setIn(w, 0, 5)
	var at []uint32
	for i := range uint32(10) {
		now := uint32(1<<32-3) + i
		w.advance(now, 1, 1, func(uint32) { at = append(at, now) })
	}
	require.Equal(t, []uint32{2}, at)
}

func TestWheelBackwardsAdvanceIsNothing(t *testing.T) {
	t.Parallel()
	w, _ := newTestWheel(1)
	w.advance(10, 1, 1, nil)
	setIn(w, 0, 1)
	fired, more := w.advance(5, 10, 10, func(uint32) { t.Error("fired early") })
	require.Zero(t, fired)
	require.False(t, more)
	require.Equal(t, uint32(10), w.now)
}

// TestWheelLimit: a crowd with one deadline is served over several calls, and
// a timer set meanwhile counts from the real time.
func TestWheelLimit(t *testing.T) {
	t.Parallel()
	w, links := newTestWheel(100)
	for s := range uint32(99) {
		setIn(w, s, 5)
	}
	var fired []uint32
	fire := func(s uint32) { fired = append(fired, s) }
	n, more := w.advance(50, 40, 40, fire)
	require.Equal(t, 40, n)
	require.True(t, more)
	setIn(w, 99, 1)
	n, more = w.advance(50, 40, 40, fire)
	require.Equal(t, 40, n)
	require.True(t, more)
	n, more = w.advance(50, 40, 40, fire)
	require.Equal(t, 19, n)
	require.False(t, more)
	require.NotContains(t, fired, uint32(99))
	n, _ = w.advance(51, 40, 40, fire)
	require.Equal(t, 1, n)
	slices.Sort(fired)
	require.Len(t, slices.Compact(fired), 100)
	checkLists(t, w, links)
}

// TestWheelReentrant: fire stops and moves neighbors of its own list.
func TestWheelReentrant(t *testing.T) {
	t.Parallel()
	w, links := newTestWheel(6)
	for s := range uint32(6) {
		setIn(w, s, 3)
	}
	var fired []uint32
	fire := func(s uint32) {
		fired = append(fired, s)
		if len(fired) > 1 {
			return
		}
		setIn(w, s, wheelSlots) // its own list again, one turn later
		rest := []uint32{0, 1, 2, 3, 4, 5}
		rest = slices.DeleteFunc(rest, func(x uint32) bool { return x == s })
		w.stop(rest[0])
		setIn(w, rest[1], 1)
		w.stop(rest[2])
		setIn(w, rest[2], wheelSlots)
		checkLists(t, w, links)
	}
	w.advance(3, 100, 100, fire)
	require.Len(t, fired, 3, "one, and the two that were left alone")
	w.advance(4, 100, 100, fire)
	require.Len(t, fired, 4)
	w.advance(3+wheelSlots-1, 100, 100, fire)
	require.Len(t, fired, 4)
	w.advance(3+wheelSlots, 100, 100, fire)
	require.Len(t, fired, 6)
	checkLists(t, w, links)
}

// TestWheelAgainstModel: any mix of calls, from outside and from fire, against
// a map of due times.
func TestWheelAgainstModel(t *testing.T) {
	t.Parallel()
	const slots = 12
	rapid.Check(t, func(t *rapid.T) {
		w, links := newTestWheel(slots)
		start := rapid.SampledFrom([]uint32{0, 1000, 1<<32 - 500}).Draw(t, "start")
		w.now, w.done = start, start
		now := uint64(start)
		model := map[uint32]uint64{}
		slot := rapid.Uint32Range(0, slots-1)
		ticks := rapid.OneOf(rapid.Uint32Range(0, 5), rapid.Uint32Range(1000, 1050),
			rapid.Uint32Range(0, 5000))
		set := func(t *rapid.T) {
			s, n := slot.Draw(t, "slot"), ticks.Draw(t, "ticks")
			setIn(w, s, n)
			if delete(model, s); n > 0 {
				model[s] = now + uint64(n)
			}
		}
		stop := func(t *rapid.T) {
			s := slot.Draw(t, "slot")
			w.stop(s)
			delete(model, s)
		}
		t.Repeat(map[string]func(*rapid.T){
			"set":  set,
			"stop": stop,
			"advance": func(t *rapid.T) {
				now += uint64(rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Range(900, 3000)).
					Draw(t, "step"))
				limit := rapid.IntRange(0, 20).Draw(t, "limit")
				calls := 0
				fired, more := w.advance(uint32(now), limit, limit, func(s uint32) {
					calls++
					due, ok := model[s]
					require.True(t, ok, "slot %d fired and is off", s)
					require.LessOrEqual(t, due, now, "slot %d fired early", s)
					delete(model, s)
					switch rapid.IntRange(0, 3).Draw(t, "in fire") {
					case 0:
						set(t)
					case 1:
						stop(t)
					}
				})
				require.Equal(t, calls, fired)
				require.LessOrEqual(t, fired, limit)
				if more {
					require.LessOrEqual(t, 0, limit)
					return
				}
				for s, due := range model {
					require.Greater(t, due, now, "slot %d did not fire", s)
				}
			},
			"after": func(t *rapid.T) {
				most := rapid.Uint32Range(1, 2*wheelSlots).Draw(t, "most")
				want := most
				for d := most - 1; d > 0; d-- {
					if w.heads[(w.now+d)&wheelMask] != 0 {
						want = d
					}
				}
				require.Equal(t, w.now+want, w.after(w.now, most))
			},
			"": func(t *rapid.T) {
				checkLists(t, w, links)
				for s := range uint32(slots) {
					due, ok := model[s]
					require.Equal(t, ok, links[s].armed(), "slot %d", s)
					if ok {
						require.Equal(t, uint32(due), links[s].due)
					}
				}
			},
		})
	})
}

func BenchmarkWheelExpiry(b *testing.B) {
	const n = 100_000
	w, _ := newTestWheel(n)
	for s := range uint32(n) {
		setIn(w, s, s%250+1)
	}
	fire := func(s uint32) { setIn(w, s, 250) }
	b.ReportAllocs()
	now, left := uint32(0), 0
	for b.Loop() {
		if left == 0 {
			now++
			left, _ = w.advance(now, n, n, fire)
		}
		left--
	}
}

func BenchmarkWheelSetLater(b *testing.B) {
	const n = 100_000
	w, _ := newTestWheel(n)
	s := uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		s = (s + 7919) % n
		setIn(w, s, 250)
	}
}
