package netpoll

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Processors keeps what it said first, so only a process of its own can show
// what it takes from the environment.
func TestProcessors(t *testing.T) {
	if want := os.Getenv("THRONG_TEST_PROCESSORS"); want != "" {
		n, err := strconv.Atoi(want)
		require.NoError(t, err)
		require.Equal(t, n, Processors())
		runtime.GOMAXPROCS(n + 20)
		require.Equal(t, n, Processors(), "what is raised later gives no processors")
		o := Options{Addr: "127.0.0.1:0"}
		require.NoError(t, o.fill())
		require.Equal(t, n, o.Loops)
		return
	}
	for limit, want := range map[int]int{1: 1, runtime.NumCPU() + 3: runtime.NumCPU()} {
		c := exec.Command(os.Args[0], "-test.run=^TestProcessors$", "-test.count=1")
		c.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(limit),
			"THRONG_TEST_PROCESSORS="+strconv.Itoa(want))
		out, err := c.CombinedOutput()
		require.NoError(t, err, "GOMAXPROCS=%d: %s", limit, out)
	}
}
