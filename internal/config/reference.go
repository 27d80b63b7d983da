package config

import (
	"fmt"
	"io"
	"strings"
)

const head = `# Configuration

Settings of ` + "`throng serve`" + `. This page is printed by ` + "`throng config reference`" + `.

A setting comes from the first of these that has it: a flag, a variable of the environment, the file, the default. The
file is TOML: the one of ` + "`--config`" + `, or ` + "`$THRONG_CONFIG`" + `, or the first there is of ` + "`./throng.toml`" + `,
` + "`$XDG_CONFIG_HOME/throng/throng.toml`" + ` (else ` + "`~/.config/throng/throng.toml`" + `) and ` + "`/etc/throng/throng.toml`" + `.

| command | what it does |
|---|---|
| ` + "`throng config check`" + ` | tells whether the settings are right: exit code 0, or 78 with everything that is wrong, by line and column |
| ` + "`throng config print`" + ` | prints every setting and where it comes from; secrets are hidden |
| ` + "`throng config sample`" + ` | prints a file with all defaults, commented out |
| ` + "`throng config reference`" + ` | prints this page |

Durations have units ("500ms", "25s", "2m"); bytes are a number or text such as "64KiB" or "1MB". In the environment
and behind flags, lists have commas between their values. A secret may also stand in a file of its own, which
KEY_file names: systemd's credentials and mounted secrets work that way.

SIGHUP reads everything again. A file that is wrong is refused whole, with the same words as by ` + "`config check`" + `, and what
was in force stays. Otherwise settings marked *live* count at once, *new connections* for connections from then on;
changes of those marked *restart* are named in the log and wait for the next start.
`

// Reference writes the page of all settings as Markdown.
func Reference(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString(head)
	table := "-"
	for _, f := range fields {
		if f.Table != table {
			table = f.Table
			name, doc := "`["+table+"]`", docOf(table)
			if table == "" {
				name, doc = "At the top of the file", "What is served, and the protocol."
			}
			fmt.Fprintf(b, "\n## %s\n\n%s\n\n", name, doc)
			b.WriteString("| key | type | default | reload | what it means |\n|---|---|---|---|---|\n")
		}
		value := f.text(f.zero())
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s%s |\n", f.word(), f.Type(), value, f.Reload, cell(f.Doc), f.aside())
	}
	b.WriteString("\n## Names of the environment and of flags\n\n" +
		"| key | environment | flag |\n|---|---|---|\n")
	for _, f := range fields {
		fmt.Fprintf(b, "| `%s` | `%s` | `--%s` |\n", f.Key, f.Env, f.Flag)
	}
	b.WriteString("\n`PORT` stands for `listen = \":PORT\"` and `DEBUG` for `log.debug` where nothing else " +
		"sets them.\n\n## The same elsewhere\n\nNames of Node's server and of Flask-SocketIO " +
		"(python-socketio).\n\n| Node | Python | here |\n|---|---|---|\n")
	for _, f := range fields {
		if f.Node+f.Python != "" {
			fmt.Fprintf(b, "| %s | %s | `%s` |\n", names(f.Node), names(f.Python), f.Key)
		}
	}
	for _, r := range elsewhere {
		fmt.Fprintf(b, "| %s | %s | %s |\n", names(r.node), names(r.python), r.here)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// elsewhere are options of the others that are no setting here.
var elsewhere = []struct{ node, python, here string }{
	{"allowRequest", "connect handler", "in Go: `Options.AllowRequest`, `Namespace.Use`"},
	{"perMessageDeflate", "", "not there: messages are not compressed on WebSocket"},
	{"parser", "serializer", "not needed: clients of both parsers are understood"},
	{"", "async_handlers", "not needed: events of one socket run in order, those of several at the same time"},
	{"", "always_connect", "not needed: a client is connected when the middleware has let it in"},
	{"", "manage_session", "not needed: see `Socket.Data` in Go"},
	{"", "monitor_clients", "not needed: lost clients are noticed by their heartbeat"},
}

func names(list string) string {
	if list == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(list, ", ", "`, `") + "`"
}

func (f *Field) aside() string {
	switch {
	case len(f.Choices) > 0:
		return " One of `" + strings.Join(f.Choices, "`, `") + "`."
	case f.Unit == "duration":
		return fmt.Sprintf(" Between %s and %s.", seconds(f.Min), seconds(f.Max))
	case f.Bounded:
		return fmt.Sprintf(" Between %s and %s.", f.text(int(f.Min)), f.text(int(f.Max)))
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
