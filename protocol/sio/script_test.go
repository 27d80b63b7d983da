package sio_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/throng-server/throng/protocol/internal/script"
	"github.com/throng-server/throng/protocol/sio"
)

// receiver is a connection reduced to what the scripts ask about.
type receiver struct{ assembler sio.Assembler }

const scriptMaxBytes = 128

func (r *receiver) line(line string) string {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "text":
		if r.assembler.Pending() {
			return closing(sio.ErrPendingAttachments)
		}
		p, err := sio.Parse([]byte(strings.TrimPrefix(rest, "4")), sio.DefaultMaxAttachments)
		if err != nil {
			return closing(err)
		}
		if p.Attachments > 0 {
			if err := r.assembler.Begin(p, scriptMaxBytes); err != nil {
				return closing(err)
			}
		}
		return describe(p)
	case "binary":
		b, err := hex.DecodeString(rest)
		if err != nil {
			return err.Error()
		}
		done, err := r.assembler.Add(b)
		if err != nil {
			return closing(err)
		}
		if !done {
			return "wait"
		}
		p, atts := r.assembler.Take()
		return fmt.Sprintf("complete %s %x", p.Args, atts)
	}
	return "what is " + kind + "?"
}

func closing(err error) string { return "close: " + err.Error() }

func describe(p sio.Packet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", p.Type, p.Namespace)
	if p.Attachments > 0 {
		fmt.Fprintf(&b, " attachments=%d", p.Attachments)
	}
	if p.HasID {
		fmt.Fprintf(&b, " id=%d", p.ID)
	}
	switch {
	case p.NameIsString:
		fmt.Fprintf(&b, " name=%q args=%s", p.Name, p.Args)
	case p.Type == sio.Ack || p.Type == sio.BinaryAck || p.Args != nil:
		fmt.Fprintf(&b, " args=%s", p.Args)
	case p.Data != nil:
		fmt.Fprintf(&b, " data=%s", p.Data)
	}
	return b.String()
}

func runScript(t *testing.T, name string) {
	script.Run(t, name, func(lines []string) string {
		var r receiver
		var out strings.Builder
		for _, line := range lines {
			out.WriteString(strings.TrimSpace(r.line(line)) + "\n")
		}
		return out.String()
	})
}

func TestPacketsScript(t *testing.T) { runScript(t, "packets.txt") }

func TestInvalidScript(t *testing.T) { runScript(t, "invalid.txt") }
