package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Load is one run of `throng bench`.
type Load struct {
	Program string // the throng binary
	CPUs    string // processors of the load generator, "" for all
	URL     string
	PIDs    []int // of the server
	Args    []string
	Live    bool // show its own progress
	Timeout time.Duration
}

// Run loads the server and returns what was found. A threshold that was not
// kept is no error: see Result.OK.
func (l Load) Run() (*Result, error) {
	dir, err := os.MkdirTemp("", "throng-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "result.json")
	ctx, cancel := context.WithTimeout(context.Background(), l.Timeout)
	defer cancel()
	args := append(append([]string{}, l.command()...), "--json", file)
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if l.Live {
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	track(c.Process)
	runErr := c.Wait()
	untrack(c.Process)
	b, err := os.ReadFile(file)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s: %w\n%s", l, errors.Join(runErr, err), out.String())
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", l, err)
	}
	if r.Interrupted {
		return r, fmt.Errorf("%s: it took more than %s", l, l.Timeout)
	}
	return r, nil
}

// String is the command as one would type it.
func (l Load) String() string { return strings.Join(l.command(), " ") }

func (l Load) command() []string {
	var c []string
	if l.CPUs != "" {
		c = []string{"taskset", "-c", l.CPUs}
	}
	c = append(c, l.Program, "bench")
	c = append(c, l.Args...)
	c = append(c, "--url", l.URL)
	if len(l.PIDs) > 0 {
		c = append(c, "--pid", joinInts(l.PIDs))
	}
	if !l.Live {
		c = append(c, "--progress", "never")
	}
	return c
}

func joinInts(v []int) string {
	s := make([]string, len(v))
	for i, n := range v {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}

// Result is what is used here of what `throng bench` finds. Times are in ms
// where the name does not say otherwise; a pointer is nil where nothing was
// measured.
type Result struct {
	Interrupted bool `json:"interrupted"`
	OK          bool `json:"ok"`
	Machine     struct {
		Kernel  string `json:"kernel"`
		Version string `json:"version"`
	} `json:"machine"`
	Connections struct {
		Asked     int      `json:"asked"`
		Connected int      `json:"connected"`
		Failed    uint64   `json:"failed"`
		Died      uint64   `json:"died"`
		AtEnd     int      `json:"at_end"`
		Seconds   float64  `json:"seconds"`
		PerSecond float64  `json:"per_second"`
		Handshake *Latency `json:"handshake_ms"`
	} `json:"connections"`
	Messages struct {
		Sent                uint64   `json:"sent"`
		Expected            uint64   `json:"expected"`
		Delivered           uint64   `json:"delivered"`
		Lost                uint64   `json:"lost"`
		Missed              uint64   `json:"missed"`
		Duplicate           uint64   `json:"duplicate"`
		Misrouted           uint64   `json:"misrouted"`
		Share               *float64 `json:"share"`
		PerSecond           float64  `json:"per_second"`
		DeliveriesPerSecond float64  `json:"deliveries_per_second"`
	} `json:"messages"`
	Latency *Latency `json:"latency_ms"`
	Last    *Latency `json:"last_receiver_ms"`
	Back    *Latency `json:"back_ms"`
	Lost    struct {
		Dropped  uint64  `json:"dropped"`
		Returned uint64  `json:"returned"`
		Seconds  float64 `json:"seconds"`
	} `json:"lost_clients"`
	Churn struct {
		Cycles    uint64  `json:"cycles"`
		PerSecond float64 `json:"per_second"`
	} `json:"churn"`
	Heartbeats struct {
		Answered uint64 `json:"answered"`
		Overdue  int    `json:"overdue"`
	} `json:"heartbeats"`
	Server *struct {
		CPUConnect    *float64 `json:"cpu_us_per_connect"`
		CPUMessage    *float64 `json:"cpu_us_per_message"`
		CPUDelivery   *float64 `json:"cpu_us_per_delivery"`
		CPUHeartbeat  *float64 `json:"cpu_us_per_heartbeat"`
		Cores         float64  `json:"cores"`
		RSSStart      int64    `json:"rss_start"`
		RSSEnd        int64    `json:"rss_end"`
		RSSPeak       int64    `json:"rss_peak"`
		PerConnection *float64 `json:"bytes_per_connection"`
		AfterRamp     *float64 `json:"bytes_per_connection_after_ramp"`
	} `json:"server"`
	Kernel struct {
		PerConnection *float64 `json:"slab_bytes_per_connection"`
	} `json:"kernel"`
	Generator struct {
		Processes int     `json:"processes"`
		Cores     float64 `json:"cores"`
		Busiest   float64 `json:"busiest"`
		Others    float64 `json:"others_cores"`
		Saturated bool    `json:"saturated"`
		Why       string  `json:"why"`
	} `json:"generator"`
}

// Latency is the short form of a histogram, in ms.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}
