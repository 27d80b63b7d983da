package cli

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func page(t *testing.T) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, Main([]string{"man"}, &out, &errs), errs.String())
	return out.String()
}

// Every command and flag is on the page, and so is every exit code.
func TestManPage(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(page(t), `\-`, "-")
	for _, c := range newRoot().Commands() {
		if c.Hidden {
			continue
		}
		require.Contains(t, text, ".SS throng "+c.Name())
		for line := range strings.Lines(c.NonInheritedFlags().FlagUsages()) {
			if flag := strings.TrimSpace(line); strings.HasPrefix(flag, "--") {
				require.Contains(t, text, strings.Fields(flag)[0])
			}
		}
	}
	for _, code := range []string{"0", "1", "2", "3", "70", "78"} {
		require.Contains(t, text, "\n.B "+code+"\n")
	}
}

func TestManPageIsRoff(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("groff", "-man", "-ww", "-Tascii", "-P-c")
	cmd.Stdin = strings.NewReader(page(t))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Run(), "groff, of the Debian package groff-base: %s", &errs)
	require.Empty(t, errs.String())
	// Bold is a letter, a backspace and the letter again.
	require.Contains(t, regexp.MustCompile(".\b").ReplaceAllString(out.String(), ""), "EXIT STATUS")
}
