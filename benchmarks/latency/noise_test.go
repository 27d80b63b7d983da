package latency

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// tick is USER_HZ, the unit of processor time in /proc.
const tick = time.Second / 100

// usage is processor time at a moment.
type usage struct {
	at          time.Time
	busy, serve time.Duration // of everybody on the server's processor; its own
}

func (s *server) usage() usage {
	s.t.Helper()
	return usage{time.Now(), busyTime(s), s.cpu()}
}

// load says since u which share of its processor the server used, and which
// share others did. Measurements with others beside them mean little.
func (s *server) load(u usage) (own, others float64) {
	s.t.Helper()
	now := s.usage()
	wall := now.at.Sub(u.at).Seconds()
	own = (now.serve - u.serve).Seconds() / wall
	return own, max(0, (now.busy-u.busy).Seconds()/wall-own)
}

func (s *server) sayLoad(own, others float64) {
	say(s.t, "server %.0f %% of its processor, others %.0f %% of it", 100*own, 100*others)
}

// busyTime sums up what processes spent on the server's processor, interrupts
// excluded; see proc_stat(5).
func busyTime(s *server) (sum time.Duration) {
	s.t.Helper()
	cores, err := processors()
	require.NoError(s.t, err)
	text, err := os.ReadFile("/proc/stat")
	require.NoError(s.t, err)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != fmt.Sprintf("cpu%d", cores[0]) {
			continue
		}
		for i, v := range f[1:9] { // user nice system idle iowait irq softirq steal
			n, err := strconv.Atoi(v)
			require.NoError(s.t, err)
			if i < 3 || i == 7 {
				sum += time.Duration(n) * tick
			}
		}
	}
	return sum
}
