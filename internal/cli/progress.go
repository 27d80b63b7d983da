package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/internal/loadgen"
)

// barWidth is the number of characters of a full progress bar.
const barWidth = 20

// newProgress returns what shows how far a bench is: on a terminal one line
// that is written over, elsewhere a line at the end of each step.
func newProgress(mode string, w io.Writer) (func(loadgen.Progress), error) {
	switch mode {
	case "never":
		return nil, nil
	case "always":
		return func(p loadgen.Progress) { live(w, usualWidth, p) }, nil
	case "auto":
		if f, ok := w.(*os.File); ok {
			if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
				return func(p loadgen.Progress) { live(w, width(f), p) }, nil
			}
		}
		return func(p loadgen.Progress) {
			if p.Done {
				fmt.Fprintln(w, progressLine(p))
			}
		}, nil
	}
	return nil, fmt.Errorf("--progress: %q is not auto, always or never", mode)
}

// usualWidth is that of a terminal that does not say.
const usualWidth = 120

// width is how many columns a terminal has now.
func width(f *os.File) int {
	if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return usualWidth
}

// live writes over the line before, which must not have been wrapped.
func live(w io.Writer, columns int, p loadgen.Progress) {
	full := int(p.Part * barWidth)
	line := fmt.Sprintf("[%s%s] %s", strings.Repeat("=", full),
		strings.Repeat(" ", barWidth-full), progressLine(p))
	end := ""
	if p.Done {
		end = "\n"
	}
	// The code clears the rest of a longer line.
	fmt.Fprintf(w, "\r%s\x1b[K%s", line[:min(len(line), columns-1)], end)
}

func progressLine(p loadgen.Progress) string {
	s := fmt.Sprintf("%-7s %3.0f %%  %d of %d connections  %.0f/s",
		p.Doing, 100*p.Part, p.Ready, p.Asked, p.PerSecond)
	if p.Sent > 0 {
		s += fmt.Sprintf("  sent %d  delivered %d  p50 %.1f p99 %.1f ms  lost %d",
			p.Sent, p.Deliveries, p.P50, p.P99, p.Lost)
	}
	return s
}
