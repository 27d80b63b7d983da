package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/throng-server/throng/benchmarks/rivals/internal/harness"
)

func sample() *Set {
	row := func(server string, round int, cpu, others float64) Row {
		return Row{Server: server, Scenario: "broadcast", Round: round, Others: others,
			Command: "broadcast --rate 2", Values: map[string]float64{"cpu_delivery": cpu}}
	}
	s := &Set{Connections: 15_000, Rounds: 3,
		Servers: []Server{{floorName, "", "floor", 15_000}, {"throng", "", "throng", 15_000},
			{"Flask", "", "flask", 1_000}},
		Rows: []Row{
			row(floorName, 0, 5, 0), row("throng", 0, 6, 0),
			row(floorName, 1, 10, 0), row("throng", 1, 11, 0),
			row(floorName, 2, 5, 0), row("throng", 2, 50, 1.5), // somebody else was at it
			row("Flask", 0, 80, 2), // never quiet: then these are what there is
		}}
	s.Rows[1].ClientsFull = true
	s.Rows[6].Bad = 7
	return s
}

func TestSpreadLeavesDisturbedRowsOut(t *testing.T) {
	s := sample()
	for server, want := range map[string]harness.Spread{
		floorName: {Median: 5, Low: 5, High: 10}, "throng": {Median: 8.5, Low: 6, High: 11},
		"Flask": {Median: 80, Low: 80, High: 80},
	} {
		if got, ok := s.spread(server, "broadcast", "cpu_delivery"); !ok || got != want {
			t.Errorf("%s: %v, %v, wanted %v", server, got, ok, want)
		}
	}
	if _, ok := s.spread("throng", "echo", "cpu_delivery"); ok {
		t.Error("a figure that nobody measured")
	}
}

// A ratio compares what was measured in the same round.
func TestRatioIsOfTheSameRound(t *testing.T) {
	got, ok := sample().ratio("throng", "broadcast", "cpu_delivery")
	if want := (harness.Spread{Median: 1.15, Low: 1.1, High: 1.2}); !ok || got != want {
		t.Errorf("%v, %v, wanted %v", got, ok, want)
	}
}

func TestWhatWentWrongIsWritten(t *testing.T) {
	s := sample()
	s.Rows[0].Failed = "it did not start"
	text := s.markdown(nil)
	for _, want := range []string{
		`C floor in "broadcast": it did not start`,
		`Flask in "broadcast", round 1: 7 messages lost`,
		"| throng | 8.5* (6 to 11) |", "Flask (1,000 connections)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestPlotsAndRawFiguresAreWritten(t *testing.T) {
	dir, s := t.TempDir(), sample()
	s.Started = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	files, err := s.plots(dir)
	if err != nil || len(files) != 1 || files[0] != "broadcast.svg" {
		t.Fatalf("%v, %v", files, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, files[0]))
	if err != nil || !strings.Contains(string(b), "<svg") || !strings.Contains(string(b), "throng") {
		t.Fatalf("no plot: %v", err)
	}
	raw := filepath.Join(dir, "rivals.json")
	if err := s.write(raw); err != nil {
		t.Fatal(err)
	}
	again, err := readSet(raw)
	if err != nil || again.markdown(files) != s.markdown(files) {
		t.Fatalf("tables of the kept figures differ: %v", err)
	}
}
