package socketio

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// buckets is how many bounds a histogram has. They are arrays of counters in
// the loop's own state: to count a value takes two atomic additions, nothing
// else.
const buckets = 15

// timeBounds are the upper bounds of times, in nanoseconds, fanoutBounds those
// of numbers of receivers.
var (
	timeBounds = [buckets]int64{
		10_000, 100_000, 1e6, 25e5, 5e6, 10e6, 25e6, 50e6, 100e6, 250e6, 500e6,
		1e9, 25e8, 5e9, 10e9,
	}
	fanoutBounds = [buckets]int64{
		0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000,
	}
)

// histogram counts values by size. Any goroutine.
type histogram struct {
	counts [buckets + 1]atomic.Uint64
	sum    atomic.Int64
}

// observe counts a value.
func (h *histogram) observe(v int64, bounds *[buckets]int64) { h.weigh(v, 1, bounds) }

// weigh counts a value that stands for weight of them.
func (h *histogram) weigh(v int64, weight uint8, bounds *[buckets]int64) {
	i := 0
	for i < buckets && v > bounds[i] {
		i++
	}
	h.counts[i].Add(uint64(weight))
	h.sum.Add(v * int64(weight))
}

// timedEvery is how many events of one turn there are to one whose handlers are
// timed: the clock would be a fifth of what an event costs on a busy loop.
const timedEvery = 8

// timed returns for how many events the next one stands if its handlers are
// timed; 0: they are not, and the next that is stands for it. The first event
// of a turn always is, so that nothing is left out unless a loop is busy. Loop
// only.
func (lp *loop) timed() (weight uint8) {
	if t := lp.Turns(); t != lp.timedTurn {
		lp.timedTurn = t
	} else if lp.untimed < timedEvery-1 {
		lp.untimed++
		return 0
	}
	weight, lp.untimed = lp.untimed+1, 0
	return weight
}

// Histogram tells how many values were how large.
type Histogram struct {
	// Bounds are upper bounds, inclusive and growing; Counts are the values up
	// to each that are above the one before, and at the end those above all.
	Bounds []float64
	Counts []uint64
	// Sum of all values.
	Sum float64
}

// Count returns how many values there were.
func (h *Histogram) Count() (n uint64) {
	for _, v := range h.Counts {
		n += v
	}
	return n
}

// add adds what was counted to sum, in which unit is 1.
func (h *histogram) add(sum *Histogram, bounds *[buckets]int64, unit float64) {
	if sum.Bounds == nil {
		sum.Bounds, sum.Counts = make([]float64, buckets), make([]uint64, buckets+1)
		for i, b := range bounds {
			sum.Bounds[i] = float64(b) / unit
		}
	}
	for i := range h.counts {
		sum.Counts[i] += h.counts[i].Load()
	}
	sum.Sum += float64(h.sum.Load()) / unit
}

// measures are what is measured on one loop. Handlers run on workers: their
// counters have cache lines of their own.
type measures struct {
	_        [64]byte
	handlers histogram // seconds
	_        [64]byte
	acks     histogram // seconds
	fanouts  histogram // receivers
	late     atomic.Uint64
	encodes  atomic.Uint64
	members  atomic.Int64
	// in and out count events by their number among Options.EventNames, the
	// others at 0; nil if there are no such names.
	in, out []atomic.Uint64
	_       [64]byte
}

// addTo adds what was measured to st.
func (m *measures) addTo(st *Stats, names []string) {
	m.handlers.add(&st.HandlerTimes, &timeBounds, float64(time.Second))
	m.acks.add(&st.AckTimes, &timeBounds, float64(time.Second))
	m.fanouts.add(&st.Fanouts, &fanoutBounds, 1)
	st.AckTimeouts += m.late.Load()
	st.Encodes += m.encodes.Load()
	st.RoomMembers += int(m.members.Load())
	for i := range m.in {
		name := ""
		if i > 0 {
			name = names[i-1]
		}
		st.EventsByName[name] += m.in[i].Load()
		st.SentByName[name] += m.out[i].Load()
	}
}

// numberNames gives the events that are counted by themselves numbers from 1
// on; nil: there are none.
func numberNames(names []string) map[string]uint16 {
	if len(names) == 0 {
		return nil
	}
	m := make(map[string]uint16, len(names))
	for i, name := range names {
		m[name] = uint16(i + 1)
	}
	return m
}

// nanotime is monotonic time in nanoseconds.
func nanotime() int64 { return int64(time.Since(epoch)) }

const (
	maxEventNames = 256
	maxEventName  = 128 // bytes of each
)

// badNames says what is wrong with Options.EventNames.
func badNames(names []string) string {
	if len(names) > maxEventNames {
		return fmt.Sprintf("more than %d names", maxEventNames)
	}
	for i, name := range names {
		switch {
		case name == "" || len(name) > maxEventName || !utf8.ValidString(name):
			return fmt.Sprintf("%.40q is not a name of 1 to %d bytes of UTF-8", name, maxEventName)
		case slices.Contains(names[:i], name):
			return fmt.Sprintf("%q is there twice", name)
		}
	}
	return ""
}
