package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// manEnd is what the commands do not tell.
const manEnd = `.SH SIGNALS
.TP
.B TERM
The server is not ready any more, sends its clients away over the drain time if
there are other servers (of a cluster, or on the same port), and ends.
A second one ends it at once.
.TP
.B INT
The same without the drain time, for somebody at a terminal.
.TP
.B HUP
Has serve read its settings again: a wrong file changes nothing.
.SH EXIT STATUS
.TP
.B 0
Ended as asked.
.TP
.B 1
Could not do it: the address is taken, the broker is away, the doctor found
something, a second signal.
.TP
.B 2
Wrong use of the command line.
.TP
.B 3
A threshold of bench was missed.
.TP
.B 70
The event loops ended without being asked to: start it again.
.TP
.B 78
Wrong configuration, or another server of the cluster has the name: starting it
again is no use.
.SH ENVIRONMENT
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC
Set by the service manager, which is told when the server serves, reloads and
ends, and, as long as its event loops move, that it is alive.
.TP
.B THRONG_...
Settings of serve, see
.BR "throng config reference" .
.TP
.B GOMEMLIMIT, GOGC
Of Go's runtime; set, they are respected.
.SH FILES
.TP
.I ./throng.toml, ~/.config/throng/throng.toml, /etc/throng/throng.toml
Settings of serve: the first there is, unless \-\-config names another.
.TP
.I /etc/default/throng
Options and environment of the service.
.TP
.I throng.service, throng@.service
The service, and one for several processes on the same port: to upgrade, start
another instance and stop the old one.
.SH SEE ALSO
.BR systemctl (1),
.BR sysctl (8)
`

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man",
		Short:  "Print the manual page",
		Args:   cobra.NoArgs,
		Hidden: true, // for make install
		RunE: func(c *cobra.Command, _ []string) error {
			return manPage(c.OutOrStdout(), c.Root())
		},
	}
}

// roff escapes text that stands in a line of its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimSpace(s))
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

// manPage writes throng(1): all commands with their flags on one page.
func manPage(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH THRONG 1 \"\" \"throng %s\" \"User Commands\"\n", roff(versionString()))
	fmt.Fprintf(&b, ".SH NAME\nthrong \\- %s\n.SH SYNOPSIS\n.B throng\n.I command\n[options]\n",
		roff(root.Short))
	b.WriteString(".SH COMMANDS\n")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
				continue
			}
			if sub.Runnable() {
				manCommand(&b, sub)
			}
			walk(sub)
		}
	}
	walk(root)
	b.WriteString(manEnd)
	_, err := io.WriteString(w, b.String())
	return err
}

func manCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, ".SS %s\n", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	b.WriteString(strings.ReplaceAll(roff(text), "\n\n", "\n.PP\n") + "\n")
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(b, ".PP\n.nf\n%s\n.fi\n", indented(flags.FlagUsagesWrapped(76)))
	}
}

// indented escapes lines whose spaces count.
func indented(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range lines {
		body := strings.TrimLeft(l, " ")
		lines[i] = strings.Repeat(" ", len(l)-len(body)) + roff(body)
	}
	return strings.Join(lines, "\n")
}
