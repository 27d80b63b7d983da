// Package script owns the format of the protocol packages' scripted tests. A
// script is a text file of cases: input lines, a line "----", the output
// lines, and a blank line behind them. Lines that start with '#' between cases
// are prose.
//
//	# 3.3 Invalid input
//
//	text 42{}
//	----
//	close: socket.io: invalid payload
//
// `go test -update` writes what the code answers into the files; read the
// difference before keeping it.
package script

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record the answers of scripted tests")

// Run runs each case of the file testdata/name through answer, which gets the
// input lines and returns the output.
func Run(t *testing.T, name string, answer func(lines []string) string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cases := 0
	for block := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n\n") {
		block = strings.TrimSpace(block)
		var prose []string
		lines := strings.Split(block, "\n")
		for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
			prose = append(prose, lines[0])
			lines = lines[1:]
		}
		for _, line := range prose {
			out.WriteString(line + "\n")
		}
		if len(lines) > 0 {
			input, want, _ := strings.Cut(strings.Join(lines, "\n")+"\n", "----\n")
			got := strings.TrimSpace(answer(strings.Split(strings.TrimSpace(input), "\n"))) + "\n"
			cases++
			if got != want && !*update {
				t.Errorf("%s: for input\n%swant\n%sgot\n%s", path, input, want, got)
			}
			out.WriteString(input + "----\n" + got)
		}
		out.WriteByte('\n')
	}
	if cases == 0 {
		t.Fatalf("%s holds no case", path)
	}
	if *update {
		recorded := strings.TrimSpace(out.String()) + "\n"
		if err := os.WriteFile(path, []byte(recorded), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
