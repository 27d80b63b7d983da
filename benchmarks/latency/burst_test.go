package latency

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// TestBurst sends many broadcasts to many members while other clients echo.
func TestBurst(t *testing.T) {
	for _, v := range []struct {
		name string
		send func(c *client.Client, from int) error
	}{
		{"one handler emits all", func(c *client.Client, from int) error {
			return c.Emit(fmt.Sprintf(`42["burst",{"from":%d,"count":%d}]`, from, scale.messages))
		}},
		{"one client sends all", func(c *client.Client, from int) error {
			var all []byte
			for i := range scale.messages {
				all = append(all, client.Frame(one(from+i))...)
			}
			return c.Write(all)
		}},
		// Without a pause the messages of a member share a few writes.
		{"one client sends, with pauses", func(c *client.Client, from int) error {
			for i := range scale.messages {
				time.Sleep(scale.pause)
				if err := c.Emit(one(from + i)); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		for _, tuned := range []bool{false, true} {
			name := fmt.Sprintf("%s, TuneProcessors %v", v.name, tuned)
			t.Run(name, func(t *testing.T) { burst(t, tuned, name, v.send) })
		}
	}
}

func burst(t *testing.T, tuned bool, name string, send func(*client.Client, int) error) {
	s := startServer(t, serverConfig{Tune: tuned})
	members := startCrowd(t, crowdConfig{
		Addr: s.Server, Conns: scale.members, Job: "collect",
		Count: scale.messages, Rounds: scale.bursts,
	})
	others := echoers(t, s.Server)
	sender, err := client.Dial(s.Server, "")
	require.NoError(t, err)
	defer sender.Close()
	calm := span{from: time.Now()}
	time.Sleep(10 * scale.period)
	calm.to = time.Now()
	before := s.usage()
	var bursts []span
	var took time.Duration
	for i := range scale.bursts {
		begin := time.Now()
		require.NoError(t, send(sender, i*scale.messages))
		got := members.result()
		require.Zero(t, got.Wrong, "lost, repeated or not in order")
		bursts = append(bursts, span{begin, got.Ended})
		took += got.Ended.Sub(begin)
	}
	own, foreign := s.load(before)
	extra := members.result()
	others.end()
	total := int64(scale.members * scale.messages * scale.bursts)
	require.Equal(t, total, extra.Packets, "repeated")
	s.healthy()
	say(t, "%d times %d messages to %d members: %.2f s each, %.3f us a delivery", scale.bursts,
		scale.messages, scale.members, took.Seconds()/float64(scale.bursts),
		took.Seconds()*1e6/float64(total))
	s.sayLoad(own, foreign)
	report(t, "echo, calm", others.during(calm), 0)
	report(t, "echo, burst, "+name, others.during(bursts...), 20*time.Millisecond)
}
