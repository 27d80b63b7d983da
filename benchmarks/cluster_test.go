package benchmarks

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/socketio"
)

// BenchmarkClusterLatency emits 1,000 broadcasts a second to rooms of 15, each
// with members on the node that emits and on another, and compares when they
// have it: use a -benchtime of 10000x or so.
func BenchmarkClusterLatency(b *testing.B) {
	const rooms, rate = 20, 1000
	s := brokertest.Start(b)
	start := time.Now()
	var late [2][]time.Duration
	var crowds [2]*client.Crowd
	var emitter *socketio.Server
	sizes := [2]int{8, 7} // of a room, here and elsewhere
	for i, n := range sizes {
		joined := 0
		node := serveWith(b, socketio.Options{Loops: 1, Cluster: node(b, s.URL())},
			func(s *socketio.Server) { intoRooms(s, rooms) })
		if i == 0 {
			emitter = node
		}
		crowds[i] = gather(b, node, n*rooms, "", &joined)
		await(b, crowds[i], &joined, n*rooms)
		crowds[i].OnPacket = func(_ int, p []byte) {
			// 42["m",TIME]
			at, err := strconv.ParseInt(string(p[7:len(p)-1]), 10, 64)
			if err == nil {
				late[i] = append(late[i], time.Since(start)-time.Duration(at))
			}
		}
	}
	for len(emitter.Nodes()) == 0 {
		time.Sleep(time.Millisecond)
	}
	b.ResetTimer()
	var clients sync.WaitGroup
	for i, n := range sizes {
		clients.Go(func() {
			for end := time.Now().Add(patience); len(late[i]) < n*b.N; {
				if err := crowds[i].Poll(time.Second); err != nil || time.Now().After(end) &&
					len(late[i]) == 0 {
					b.Errorf("%d receipts, %v", len(late[i]), err)
					return
				}
			}
		})
	}
	begun := time.Now()
	for i := range b.N {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Second / rate)))
		require.NoError(b, emitter.To(name(i%rooms)).Emit("m", int64(time.Since(start))))
	}
	clients.Wait()
	for i, kind := range []string{"here", "elsewhere"} {
		slices.Sort(late[i])
		for _, q := range []int{50, 99} {
			b.ReportMetric(float64(late[i][len(late[i])*q/100].Microseconds()),
				fmt.Sprintf("µs-p%d-%s", q, kind))
		}
	}
}

// intoRooms spreads those who connect evenly over rooms.
func intoRooms(s *socketio.Server, rooms int) {
	var mu sync.Mutex
	next := 0
	s.OnConnection(func(k *socketio.Socket) {
		mu.Lock()
		room := name(next % rooms)
		next++
		mu.Unlock()
		k.Join(room)
		_ = k.Emit("joined")
	})
}

// BenchmarkClusterEntries has a node emit to a room with no member and with
// one, and to 1,000 rooms with one each, in another process: the time of one message through Valkey, and the
// processor time that the nodes and Valkey spend on it. As fast as it can, when
// batches are large, and paced, when each message goes by itself.
func BenchmarkClusterEntries(b *testing.B) {
	const window = 8192
	for _, v := range []struct {
		name    string
		members int // in all rooms together
		pace    time.Duration
	}{{"members=0", 0, 0}, {"members=1", 1, 0}, {"rooms=1000", receivers, 0},
		{"members=0 paced", 0, time.Millisecond}} {
		members := v.members
		b.Run(v.name, func(b *testing.B) {
			s := brokertest.Start(b)
			srv := serveWith(b, socketio.Options{Loops: 1, Cluster: node(b, s.URL())},
				func(*socketio.Server) {})
			other := child(b, s.URL())
			got := 0
			crowd, err := client.Gather(other.addr, max(1, members), `42["join","r"]`)
			require.NoError(b, err)
			b.Cleanup(crowd.Close)
			crowd.OnPacket = func(int, []byte) { got++ }
			var rooms []string
			for i := range max(1, members) {
				rooms = append(rooms, name(i))
			}
			if members == 0 {
				rooms[0] = "elsewhere"
			}
			for len(srv.Nodes()) == 0 {
				time.Sleep(time.Millisecond)
			}
			before, own, broker := other.usage(), usage(), brokerUsage(s)
			b.ResetTimer()
			for i := range b.N {
				if err := srv.To(rooms[i%len(rooms)]).Emit("m", payload); err != nil {
					b.Fatal(err)
				}
				if v.pace > 0 {
					time.Sleep(v.pace)
				}
				if i%64 > 0 {
					continue
				}
				if members > 0 {
					await(b, crowd, &got, i-window)
					continue
				}
				for srv.Stats().Cluster.Published+window < uint64(i) {
					time.Sleep(50 * time.Microsecond)
				}
			}
			if members > 0 {
				await(b, crowd, &got, b.N)
			} else {
				other.received(uint64(b.N))
			}
			b.StopTimer()
			per := func(unit string, d time.Duration) {
				b.ReportMetric(float64(d.Nanoseconds())/float64(b.N), unit)
			}
			per("cpu-ns/emit", usage()-own)
			per("cpu-ns/receive", other.usage()-before)
			per("cpu-ns/valkey", brokerUsage(s)-broker)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkClusterDelivery compares what a delivery costs a server, alone in
// its process, when the broadcast was emitted there and on another node. With
// the latter goes the cost of an entry, see BenchmarkClusterEntries.
func BenchmarkClusterDelivery(b *testing.B) {
	for _, members := range []int{15, receivers} {
		for _, from := range []string{"here", "elsewhere"} {
			b.Run(fmt.Sprintf("members=%d/%s", members, from), func(b *testing.B) {
				s := brokertest.Start(b)
				srv := serveWith(b, socketio.Options{Loops: 1, Cluster: node(b, s.URL())},
					func(*socketio.Server) {})
				other := child(b, s.URL())
				got, sent := 0, 0
				crowd, err := client.Gather(other.addr, members, `42["join","r"]`)
				require.NoError(b, err)
				b.Cleanup(crowd.Close)
				crowd.OnPacket = func(int, []byte) { got++ }
				for len(srv.Nodes()) == 0 {
					time.Sleep(time.Millisecond)
				}
				before := other.usage()
				for b.Loop() {
					if from == "here" {
						other.emit("r")
					} else {
						require.NoError(b, srv.To("r").Emit("m", payload))
					}
					sent++
					await(b, crowd, &got, members*sent)
				}
				b.ReportMetric(float64((other.usage()-before).Nanoseconds())/float64(got),
					"cpu-ns/delivery")
			})
		}
	}
}

// brokerUsage is the processor time of a broker.
func brokerUsage(s *brokertest.Server) (sum time.Duration) {
	for _, line := range bytes.Fields([]byte(s.Do("INFO", "cpu"))) {
		for _, f := range []string{"used_cpu_sys:", "used_cpu_user:"} {
			if v, ok := bytes.CutPrefix(line, []byte(f)); ok {
				x, _ := strconv.ParseFloat(string(v), 64)
				sum += time.Duration(x * float64(time.Second))
			}
		}
	}
	return sum
}
