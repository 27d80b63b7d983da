package latency

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSaturated has a goroutine wait on a net.Conn while a loop is saturated
// by echoes.
func TestSaturated(t *testing.T) {
	for _, event := range []string{"echo", "inline"} {
		t.Run(event, func(t *testing.T) { saturated(t, event) })
	}
}

func saturated(t *testing.T, event string) {
	s := startServer(t, serverConfig{Tune: true})
	load := startCrowd(t, crowdConfig{
		Addr: s.Server, Conns: scale.saturators, Job: "each", Window: scale.window,
		Event:  fmt.Sprintf(`42[%q,%q]`, event, padding),
		Answer: fmt.Sprintf(`42[%q,%q]`, event, padding),
	})
	bytes := byteEchoers(t, s.Bytes, 4, 20*time.Millisecond)
	// What of it is the clients' own: the same within this process.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go echoBytes(ln)
	control := byteEchoers(t, ln.Addr().String(), 4, 20*time.Millisecond)
	load.say("begin")
	time.Sleep(scale.saturateFor / 8)
	begin, before := time.Now(), s.usage()
	time.Sleep(scale.saturateFor)
	end := time.Now()
	own, foreign := s.load(before)
	load.say("end")
	bytes.end()
	control.end()
	got := load.result()
	require.Positive(t, got.Packets)
	require.Zero(t, got.Wrong)
	s.healthy()
	say(t, "%.0f echoes/s (%s)", float64(got.Packets)/got.Seconds, event)
	s.sayLoad(own, foreign)
	if long {
		require.Greater(t, own+foreign, 0.85, "the server was not saturated")
	}
	report(t, "byte over a net.Conn, within the clients' process", control.during(span{begin, end}), 0)
	report(t, "byte over a net.Conn beside echoes ("+event+")", bytes.during(span{begin, end}),
		5*time.Millisecond)
}

// TestFanOutCost compares broadcasts with and without TuneProcessors.
func TestFanOutCost(t *testing.T) {
	for _, window := range []int{1, 32} {
		t.Run(fmt.Sprintf("window %d", window), func(t *testing.T) {
			var rates [2][]float64
			for range scale.fanRounds {
				for i, tuned := range []bool{false, true} {
					rates[i] = append(rates[i], fanOut(t, window, tuned))
				}
			}
			without, with := median(rates[0]), median(rates[1])
			say(t, "fan-out, window %d: %.0f deliveries/s, with TuneProcessors %.0f: %.2f of it",
				window, without, with, with/without)
		})
	}
}

// fanOut returns deliveries a second.
func fanOut(t *testing.T, window int, tuned bool) (rate float64) {
	t.Run(fmt.Sprintf("tuned %v", tuned), func(t *testing.T) {
		s := startServer(t, serverConfig{Tune: tuned})
		members := startCrowd(t, crowdConfig{
			Addr: s.Server, Conns: scale.fanMembers, Job: "fan", Window: window,
		})
		members.say("begin")
		time.Sleep(scale.fanFor)
		members.say("end")
		got := members.result()
		require.Zero(t, got.Wrong)
		s.healthy()
		rate = float64(got.Packets) / got.Seconds
	})
	return rate
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
