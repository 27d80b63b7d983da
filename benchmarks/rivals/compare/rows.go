package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

// Set is everything that one call has measured; it is kept beside the tables,
// so that they can be drawn again.
type Set struct {
	Started     time.Time       `json:"started"`
	Commit      string          `json:"commit"`
	Flags       string          `json:"flags"` // of this command
	Machine     harness.Machine `json:"machine"`
	Connections int             `json:"connections"`
	Rounds      int             `json:"rounds"`
	Servers     []Server        `json:"servers"`
	Missing     []string        `json:"missing"` // servers that could not run
	Rows        []Row           `json:"rows"`
}

// Server is one that was measured.
type Server struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Command     string `json:"command"`
	Connections int    `json:"connections"`
}

// Row is one server in one scenario, once.
type Row struct {
	Server   string             `json:"server"`
	Scenario string             `json:"scenario"`
	Round    int                `json:"round"`
	Command  string             `json:"command"` // of throng bench
	Failed   string             `json:"failed,omitempty"`
	Values   map[string]float64 `json:"values"`

	Connected   int     `json:"connected"`
	Delivered   uint64  `json:"delivered"` // or cycles of churn
	Bad         uint64  `json:"bad"`       // lost, duplicate, misrouted
	Died        uint64  `json:"died"`
	Refused     uint64  `json:"refused"`
	Others      float64 `json:"others_cores"`
	ClientsFull bool    `json:"clients_full"`
}

// noisy is how many processors others may use before a row counts as
// disturbed.
const noisy = 0.2

func (r Row) String() string {
	var v []string
	for k, x := range r.Values {
		v = append(v, fmt.Sprintf("%s %.4g", k, x))
	}
	slices.Sort(v)
	if r.Failed != "" {
		v = append(v, "FAILED: "+r.Failed)
	}
	return fmt.Sprintf("%d %s, %s: %s", r.Round+1, r.Scenario, r.Server, strings.Join(v, ", "))
}

func readSet(path string) (*Set, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := new(Set)
	return s, json.Unmarshal(b, s)
}

func (s *Set) write(path string) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// rows are those of a server in a scenario that have a value; the undisturbed
// ones if there are any.
func (s *Set) rows(server, scenario, key string) []Row {
	var quiet, all []Row
	for _, r := range s.Rows {
		if _, ok := r.Values[key]; !ok || r.Server != server || r.Scenario != scenario {
			continue
		}
		all = append(all, r)
		if r.Others <= noisy {
			quiet = append(quiet, r)
		}
	}
	if len(quiet) > 0 {
		return quiet
	}
	return all
}

func (s *Set) spread(server, scenario, key string) (harness.Spread, bool) {
	var v []float64
	for _, r := range s.rows(server, scenario, key) {
		v = append(v, r.Values[key])
	}
	return harness.SpreadOf(v)
}

// ratio is the median over the rounds of a server's figure to the floor's of
// the same round, which stood beside it.
func (s *Set) ratio(server, scenario, key string) (harness.Spread, bool) {
	floor := map[int]float64{}
	for _, r := range s.rows(floorName, scenario, key) {
		floor[r.Round] = r.Values[key]
	}
	var v []float64
	for _, r := range s.rows(server, scenario, key) {
		if f := floor[r.Round]; f > 0 {
			v = append(v, r.Values[key]/f)
		}
	}
	return harness.SpreadOf(v)
}
