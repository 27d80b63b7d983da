package main

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// phase is one run of `throng bench` with all connections.
type phase struct {
	name, title string
	args        []string
	length      time.Duration
}

const (
	crowdRooms = 1_000
	// share of the connections that drops at once.
	share = 0.1
)

// plan is what is done, in order. Each phase connects all clients anew, so
// each shows a ramp. Rates leave two processors time for the clients: a
// delivery costs them as much as the server.
func (c *crowd) plan() []phase {
	s := c.settings
	n := s.connections
	// So many deliveries a second are asked for.
	const deliveries = 30_000
	perAll := min(float64(deliveries)/float64(n), 10)
	perRoom := min(float64(deliveries)/float64(n)*crowdRooms, 10_000)
	patience := 30*time.Second + time.Duration(n/5_000)*time.Second
	common := func(name string, length time.Duration, more ...string) []string {
		a := []string{name, "--connections", strconv.Itoa(n), "--duration", length.String(),
			"--timeout", "60s", "--min-connected", strconv.Itoa(n), "--max-failed", "0", "--max-died", "0"}
		return append(a, more...)
	}
	exact := []string{"--drain", patience.String(), "--max-lost", "0", "--max-duplicate", "0",
		"--max-misrouted", "0"}
	rate := func(v float64) []string {
		return append([]string{"--rate", decimal(v)}, exact...)
	}
	drop := decimal(share * float64(n) / s.active.Seconds())
	return []phase{
		{"idle", fmt.Sprintf("all stay for %s, with heartbeats", s.stay),
			common("idle", s.stay, "--max-overdue", "0"), s.stay},
		{"broadcast", "one room of all", common("broadcast", s.active,
			append(rate(perAll), "--via", "room")...), s.active},
		{"rooms", fmt.Sprintf("%d rooms", crowdRooms), common("rooms", s.active,
			append(rate(perRoom), "--rooms", strconv.Itoa(min(crowdRooms, n)))...), s.active},
		{"storm", "a tenth drops at once and comes back", common("storm", s.active,
			"--share", decimal(share)), s.active},
		{"jitter", "a tenth drops and comes back while messages go to all", common("jitter", s.active,
			append(rate(perAll), "--drop-rate", drop)...), s.active},
	}
}

// decimal has four digits at most after the point.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64)
}
