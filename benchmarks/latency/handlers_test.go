package latency

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSleepers has many handlers sleep at once while other clients echo.
func TestSleepers(t *testing.T) {
	s := startServer(t, serverConfig{})
	sleepers := startCrowd(t, crowdConfig{
		Addr: s.Server, Conns: scale.sleepers, Job: "each", Count: 2, Window: 1,
		Event: fmt.Sprintf(`42["sleep",%d]`, scale.sleep.Milliseconds()), Answer: `42["done"`,
	})
	others := echoers(t, s.Server)
	before := s.stats().Workers
	begin := time.Now()
	sleepers.say("begin")
	time.Sleep(scale.sleep / 2)
	during := s.stats()
	got := sleepers.result()
	end := time.Now()
	others.end()

	require.Equal(t, int64(2*scale.sleepers), got.Packets)
	require.Zero(t, got.Wrong)
	s.healthy()
	report(t, fmt.Sprintf("echo while %d handlers sleep", scale.sleepers),
		others.during(span{begin, end}), 20*time.Millisecond)
	say(t, "workers %d before, %d during, %d of them asleep; both rounds in %.2f s",
		before, during.Workers, during.Running, got.Seconds)
	if long {
		require.GreaterOrEqual(t, during.Workers, scale.sleepers)
		require.EqualValues(t, scale.sleepers, during.Running)
		require.Less(t, got.Seconds, 2*scale.sleep.Seconds()+0.5)
		require.Eventually(t, func() bool { return s.stats().Workers <= before+8 },
			time.Minute, 200*time.Millisecond, "workers do not end")
		say(t, "workers %d, %.1f s later", s.stats().Workers, time.Since(end).Seconds())
	}
}

// TestMaxWorkers has more handlers to run than there may be workers.
func TestMaxWorkers(t *testing.T) {
	s := startServer(t, serverConfig{MaxWorkers: scale.capWorkers})
	sleepers := startCrowd(t, crowdConfig{
		Addr: s.Server, Conns: scale.sleepers, Job: "each", Count: 1, Window: 1,
		Event: fmt.Sprintf(`42["sleep",%d]`, scale.capSleep.Milliseconds()), Answer: `42["done"`,
	})
	sleepers.say("begin")
	got := sleepers.result()
	require.Equal(t, int64(scale.sleepers), got.Packets)
	require.Zero(t, got.Wrong)
	f := s.stats()
	require.EqualValues(t, scale.capWorkers, f.Peak)
	require.LessOrEqual(t, f.Workers, scale.capWorkers)
	s.healthy()
	say(t, "%d handlers of %v with MaxWorkers %d: %d at most at once, %.2f s",
		scale.sleepers, scale.capSleep, scale.capWorkers, f.Peak, got.Seconds)
}

// TestComputing has handlers compute all the time while other clients echo.
func TestComputing(t *testing.T) {
	limit := 50 * time.Millisecond
	for _, handlers := range []int{1, 8} {
		for _, v := range []struct {
			name, event string
			tuned       bool
			limit       time.Duration
		}{
			{"plain handlers, TuneProcessors", "busy", true, limit},
			{"socketio.Compute, TuneProcessors", "compute", true, limit},
			{"plain handlers, not tuned", "busy", false, 0},
			{"socketio.Compute, not tuned", "compute", false, 0},
		} {
			name := fmt.Sprintf("%d computing, %s", handlers, v.name)
			t.Run(name, func(t *testing.T) { computing(t, handlers, name, v.event, v.tuned, v.limit) })
		}
	}
}

func computing(t *testing.T, handlers int, name, event string, tuned bool, limit time.Duration) {
	s := startServer(t, serverConfig{Tune: tuned})
	busy := startCrowd(t, crowdConfig{
		Addr: s.Server, Conns: handlers, Job: "each", Window: 1,
		Event:  fmt.Sprintf(`42[%q,%d]`, event, scale.compute.Milliseconds()),
		Answer: `42["done"`,
	})
	others := echoers(t, s.Server)
	busy.say("begin")
	time.Sleep(scale.computeFor / 8) // until the workers have grown
	begin, before := time.Now(), s.usage()
	time.Sleep(scale.computeFor)
	end := time.Now()
	own, foreign := s.load(before)
	busy.say("end")
	others.end()
	got := busy.result()
	require.Positive(t, got.Packets)
	require.Zero(t, got.Wrong)
	s.healthy()
	s.sayLoad(own, foreign)
	report(t, "echo, "+name, others.during(span{begin, end}), limit)
}
