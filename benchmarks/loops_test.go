package benchmarks

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/fed"
	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/socketio"
)

// BenchmarkLoops is the same load on one loop and on two. Its sessions are fed
// by the loops themselves, so that no client takes a processor: x-one-loop is
// how the server's own work scales, clients that ask and count included (3 % of
// it for echo, 21 % for rooms, 29 % for broadcasts). What the machine gives to
// two threads that share nothing stands before it, because the processors of
// virtual machines are not always whole ones: threads that compute in registers,
// ones that read memory at random, and ones that allocate as much and as often as
// echoes do, which share the collector. Processors are what the whole process
// used: what one loop leaves to the collector and to the goroutine that emits,
// two must share with them.
//
//	go test -run xxx -bench Loops -benchtime 3s ./benchmarks -sessions 20000
func BenchmarkLoops(b *testing.B) {
	if runtime.NumCPU() < 2 {
		b.Skip("two loops need two processors")
	}
	// As server processes do: otherwise whoever emits waits for a busy loop.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	socketio.TuneProcessors(2)
	// Without a kernel four times as much is allocated a second as with
	// sockets. The collector would take a third of a processor: with one loop,
	// of the one that is free.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	*sessions = max(*sessions/hundredRooms, 1) * hundredRooms
	var rooms []string
	for i := range halls {
		rooms = append(rooms, hall(i))
	}
	one := map[string]float64{}
	report := func(b *testing.B, load string, n int, done int64, unit string, cpu time.Duration) {
		b.ReportMetric(cpu.Seconds()/b.Elapsed().Seconds(), "processors")
		rate := float64(done) / b.Elapsed().Seconds()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate, unit+"/s")
		if n == 1 {
			one[load] = rate
		} else if one[load] > 0 {
			b.ReportMetric(rate/one[load], "x-one-loop")
		}
	}
	for _, m := range []struct {
		name string
		spin func(rounds int) uint64
	}{{"registers", spinRegisters}, {"memory", spinMemory}, {"allocations", spinAllocations}} {
		for n := 1; n <= 2; n++ {
			b.Run(fmt.Sprintf("machine/%s/threads=%d", m.name, n), func(b *testing.B) {
				socketio.TuneProcessors(2)
				held := ballast() // so much memory lets as much be allocated between collections
				var wg sync.WaitGroup
				cpu := processorTime(b)
				b.ResetTimer()
				for range n {
					wg.Go(func() {
						runtime.LockOSThread()
						defer runtime.UnlockOSThread()
						m.spin(b.N)
					})
				}
				wg.Wait()
				report(b, m.name, n, int64(n*b.N), "rounds", processorTime(b)-cpu)
				runtime.KeepAlive(held)
			})
		}
	}
	for n := 1; n <= 2; n++ {
		h := gatherFedOn(b, n)
		// What is outstanding lasts for milliseconds, and each look is a switch
		// to another thread and back, on a loop's processor.
		h.look = 500 * time.Microsecond
		for _, load := range []struct {
			name string
			run  func(b *testing.B)
		}{
			{"broadcast", func(b *testing.B) { h.broadcast(b, 16, *sessions, everybody, everybody+" again") }},
			{"rooms", func(b *testing.B) { h.broadcast(b, 8*halls, *sessions/halls, rooms...) }},
			{"echo", h.echo},
		} {
			b.Run(fmt.Sprintf("%s/loops=%d", load.name, n), func(b *testing.B) {
				// Again, because package testing sets it for each benchmark.
				socketio.TuneProcessors(2)
				from, cpu := h.events(), processorTime(b)
				b.ResetTimer()
				load.run(b)
				report(b, load.name, n, h.events()-from, "deliveries", processorTime(b)-cpu)
			})
		}
		h.close()
	}
}

// ballast is 16 MiB, about what 20,000 sessions are.
var ballast = sync.OnceValue(func() []uint64 {
	m := make([]uint64, 1<<21)
	for i := range m {
		m[i] = uint64(i)
	}
	return m
})

// xorshift is a step of three operations that wait for each other.
func xorshift(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

// spinRegisters computes for half a millisecond a round.
func spinRegisters(rounds int) uint64 {
	x := uint64(time.Now().UnixNano())
	for range rounds * 300_000 {
		x = xorshift(x)
	}
	return x
}

func spinMemory(rounds int) (sum uint64) {
	m, x := ballast(), uint64(time.Now().UnixNano())
	for range rounds * 300_000 {
		x = xorshift(x)
		sum += m[x%uint64(len(m))]
	}
	return sum
}

// spinAllocations allocates what two thousand echoes do, in as much time.
func spinAllocations(rounds int) (sum uint64) {
	type event struct {
		itself *event // the collector looks for more
		rest   [17]uint64
	}
	var kept [askers]*event
	x := uint64(time.Now().UnixNano())
	for i := range rounds * 2000 {
		for range 250 {
			x = xorshift(x)
		}
		e := &event{}
		e.itself, e.rest[0] = e, x
		if old := kept[i%len(kept)]; old != nil {
			sum += old.rest[0]
		}
		kept[i%len(kept)] = e
	}
	return sum
}

// echo has the sessions ask in turn: those of a loop as soon as the ones before
// them have their answers, until all loops together have asked so often. The
// loop itself feeds them, so that no other thread takes a share.
func (h *hundred) echo(b *testing.B) {
	from := h.events()
	for b.Loop() {
		var left atomic.Int64
		left.Store(int64(*sessions) * echoRounds)
		var done sync.WaitGroup
		for i, l := range fed.Loops(h.srv) {
			done.Add(1)
			l.Post(&asker{tap: h.taps[i], left: &left, done: done.Done})
		}
		done.Wait()
	}
	require.Equal(b, int64(b.N)*int64(*sessions)*echoRounds, h.events()-from, "each asked, each was answered")
}

const (
	echoRounds = 20
	// askers is how many ask at a time: what an event loop reads in one wait.
	askers = 128
)

// maskedFrame is a masked text frame of at most 125 bytes.
func maskedFrame(text string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

var question = maskedFrame(`42["echo",` + fmt.Sprintf("%q", payload) + `]`)

// asker feeds questions to the connections of a loop, as long as any are left
// for all loops. Its tap posts it again when all are answered.
type asker struct {
	tap  *tap
	next int
	buf  []byte
	left *atomic.Int64
	done func()
}

// Run implements netpoll.Task.
func (a *asker) Run(*netpoll.Loop) bool {
	n := min(a.left.Add(-askers)+askers, askers)
	if n <= 0 {
		a.tap.asker = nil
		a.done()
		return false
	}
	a.tap.asker, a.tap.unanswered = a, int(n)
	a.buf = append(a.buf[:0], question...)
	for range n {
		copy(a.buf, question) // what is fed is unmasked in place
		a.tap.conns[a.next].Feed(a.buf)
		a.next = (a.next + 1) % len(a.tap.conns)
	}
	return false
}

// halls are rooms so large that the one goroutine that emits keeps two loops
// busy: with 20 members it took as much of the processors as a loop.
const halls = 40

func hall(i int) string { return fmt.Sprintf("hall %d", i) }
