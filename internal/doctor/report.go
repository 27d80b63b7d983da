package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Level says how bad a finding is.
type Level string

// The levels: Warn will hurt under load or later, Fail hurts now.
const (
	OK   Level = "OK"
	Warn Level = "WARN"
	Fail Level = "FAIL"
)

// Finding is the result of one check.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Found is what is the case, Advice what to do about it, empty if OK.
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

// Report is all findings, in the order of the checks.
type Report struct {
	Findings []Finding `json:"findings"`
}

func (r *Report) add(check string, l Level, advice, found string, a ...any) {
	f := Finding{Check: check, Level: l, Found: fmt.Sprintf(found, a...)}
	if l != OK {
		f.Advice = advice
	}
	r.Findings = append(r.Findings, f)
}

// Worst returns the worst level; OK if there are no findings.
func (r *Report) Worst() Level {
	worst := OK
	for _, f := range r.Findings {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

// Write prints a line for each finding, and one more for each advice.
func (r *Report) Write(w io.Writer) {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}
	count := map[Level]int{}
	for _, f := range r.Findings {
		count[f.Level]++
		fmt.Fprintf(w, "%-4s  %-*s  %s\n", f.Level, width, f.Check, f.Found)
		if f.Advice != "" {
			fmt.Fprintf(w, "      %s  -> %s\n", strings.Repeat(" ", width), f.Advice)
		}
	}
	fmt.Fprintf(w, "%d ok, %d warnings, %d failures\n", count[OK], count[Warn], count[Fail])
}
