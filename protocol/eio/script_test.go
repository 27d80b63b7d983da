package eio_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/throng-server/throng/protocol/eio"
	"github.com/throng-server/throng/protocol/internal/script"
)

func describe(p eio.Packet) string {
	if p.Binary {
		return fmt.Sprintf("binary %x", p.Data)
	}
	return fmt.Sprintf("%c %q", p.Type, p.Data)
}

func TestPacketsScript(t *testing.T) {
	t.Parallel()
	script.Run(t, "packets.txt", func(lines []string) string {
		kind, rest, _ := strings.Cut(lines[0], " ")
		if kind == "text" {
			p, err := eio.ParseText([]byte(rest))
			if err != nil {
				return err.Error()
			}
			return describe(p)
		}
		var out strings.Builder
		it := eio.IterPayload([]byte(strings.ReplaceAll(rest, "|", "\x1e")))
		for it.Next() {
			out.WriteString(describe(it.Packet()) + "\n")
		}
		if err := it.Err(); err != nil {
			out.WriteString(err.Error() + "\n")
		}
		return out.String()
	})
}

var packets = map[string]eio.Packet{
	"open":    {Type: eio.Open},
	"close":   {Type: eio.Close},
	"ping":    {Type: eio.Ping},
	"pong":    {Type: eio.Pong},
	"message": {Type: eio.Message},
	"binary":  eio.ParseBinary(nil),
	"upgrade": {Type: eio.Upgrade},
	"noop":    {Type: eio.Noop},
}

func TestSessionScript(t *testing.T) {
	t.Parallel()
	c := &eio.Config{PingInterval: 250, PingTimeout: 200}
	// Each script runs at several starts of the counter: it may wrap.
	for _, zero := range []uint32{0, 1<<32 - 260, 1<<31 - 1, 1<<32 - 1} {
		script.Run(t, "session.txt", func(lines []string) string {
			var s eio.Session
			var out strings.Builder
			for _, line := range lines {
				word := strings.Fields(line)
				n, err := strconv.ParseUint(word[1], 10, 32)
				if err != nil {
					return err.Error()
				}
				if word[0] == "start3" {
					fmt.Fprintf(&out, "next %d\n", s.Start3(c, zero))
					continue
				}
				if word[0] == "start" {
					fmt.Fprintf(&out, "next %d\n", s.Start(c, zero, uint32(n)))
					continue
				}
				now := zero + uint32(n)
				if word[2] == "tick" {
					a, next := s.Tick(c, now)
					fmt.Fprintf(&out, "%v, next %d\n", a, next)
					continue
				}
				p, ok := packets[word[2]]
				if !ok {
					return "what is " + word[2] + "?"
				}
				a, reason := s.Receive(c, now, p)
				fmt.Fprintf(&out, "%s\n", strings.TrimSpace(a.String()+" "+reason.String()))
			}
			return out.String()
		})
	}
}
