package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// conformance is one case: what the client sends, what must come back, and
// how the connection ends. Cases carry the numbers that the Autobahn test
// suite gives to the same situations; numbers that end in a letter are ours.
type conformance struct {
	id, about string
	send      []frame
	want      []frame
	// code is that of the server's close frame. 0: the client closes with
	// 1000 when it has everything it wants.
	code uint16
}

// chops are the ways to cut the octets that a case sends into writes. How
// they arrive must make no difference.
var chops = []struct {
	name string
	cut  func(wires [][]byte) [][]byte
}{
	{"one write", func(wires [][]byte) [][]byte { return [][]byte{join(wires)} }},
	{"a write per frame", func(wires [][]byte) [][]byte { return wires }},
	{"a write per octet", func(wires [][]byte) [][]byte {
		all := join(wires)
		// Large frames go in at most 2,000 pieces of an odd size.
		return pieces(all, max(1, len(all)/2000|1))
	}},
}

func join(wires [][]byte) []byte {
	var all []byte
	for _, w := range wires {
		all = append(all, w...)
	}
	return all
}

func pieces(b []byte, size int) [][]byte {
	var cut [][]byte
	for len(b) > size {
		cut, b = append(cut, b[:size]), b[size:]
	}
	return append(cut, b)
}

// runCases runs each case with each way of cutting.
func runCases(t *testing.T, cases []conformance) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range cases {
		require.False(t, seen[c.id], "case %s is there twice", c.id)
		seen[c.id] = true
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			for _, chop := range chops {
				t.Run(chop.name, func(t *testing.T) { c.run(t, chop.cut) })
			}
		})
	}
}

func (c *conformance) run(t *testing.T, cut func([][]byte) [][]byte) {
	t.Helper()
	t.Log(c.about)
	s := connect(t, target)
	wires := make([][]byte, len(c.send))
	closed := false
	for i, f := range c.send {
		wires[i] = f.wire()
		closed = closed || f.op == opClose
	}
	sent := make(chan error, 1)
	go func() {
		for _, w := range cut(wires) {
			if _, err := s.c.Write(w); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for _, f := range c.want {
		s.expect(f)
	}
	if c.code == 0 {
		require.NoError(t, <-sent)
		s.write(closing(1000, "").wire())
		s.expectClose(1000)
		s.expectEOF()
		return
	}
	s.expectClose(c.code)
	// A server that fails the connection reads on until the client's close
	// frame, so writing must have been possible to the end.
	require.NoError(t, <-sent)
	if !closed {
		s.write(closing(c.code, "").wire())
	}
	s.expectEOF()
}

// Group 1: sizes around the borders of the three forms of length.
func TestFraming(t *testing.T) {
	t.Parallel()
	var cases []conformance
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
		f := text(strings.Repeat("*", n))
		cases = append(cases, conformance{fmt.Sprintf("1.1.%d", i+1),
			fmt.Sprintf("text of %d bytes", n), []frame{f}, []frame{f}, 0})
		f = binData(strings.Repeat("\xfe", n))
		cases = append(cases, conformance{fmt.Sprintf("1.2.%d", i+1),
			fmt.Sprintf("binary of %d bytes", n), []frame{f}, []frame{f}, 0})
	}
	runCases(t, cases)
}

// Group 2: pings and pongs.
func TestPingPong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\xfe", 125)
	var pings, pongs []frame
	for i := range 10 {
		pings = append(pings, ping(fmt.Sprintf("payload-%d", i)))
		pongs = append(pongs, pong(fmt.Sprintf("payload-%d", i)))
	}
	one := func(p string) ([]frame, []frame) { return []frame{ping(p)}, []frame{pong(p)} }
	var cases []conformance
	add := func(id, about string, send, want []frame, code uint16) {
		cases = append(cases, conformance{id, about, send, want, code})
	}
	send, want := one("")
	add("2.1", "ping without payload", send, want, 0)
	send, want = one("Hello, world!")
	add("2.2", "ping with text", send, want, 0)
	send, want = one("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")
	add("2.3", "ping with binary", send, want, 0)
	send, want = one(long)
	add("2.4", "ping with 125 bytes", send, want, 0)
	add("2.5", "ping with 126 bytes", []frame{ping(long + "\xfe")}, nil, 1002)
	add("2.6", "ping with 125 bytes, as 2.4", send, want, 0)
	add("2.7", "unsolicited pong", []frame{pong("")}, nil, 0)
	add("2.8", "unsolicited pong with payload", []frame{pong("unsolicited")}, nil, 0)
	add("2.9", "unsolicited pong, then ping", []frame{pong("unsolicited"), ping("ping")},
		[]frame{pong("ping")}, 0)
	add("2.10", "ten pings", pings, pongs, 0)
	add("2.11", "ten pings, as 2.10", pings, pongs, 0)
	runCases(t, cases)
}

// Groups 3 and 4: reserved bits and opcodes.
func TestReserved(t *testing.T) {
	t.Parallel()
	hello := text("Hello, world!")
	cases := []conformance{
		{"3.1", "RSV 1", []frame{rsv(1)}, nil, 1002},
		{"3.2", "RSV 2 after a good message", []frame{hello, rsv(2), ping("")}, []frame{hello}, 1002},
		{"3.3", "RSV 3", []frame{hello, rsv(3), ping("")}, []frame{hello}, 1002},
		{"3.4", "RSV 4", []frame{hello, rsv(4), ping("")}, []frame{hello}, 1002},
		{"3.5", "RSV 5, binary", []frame{{op: opBin, rsv: 5, payload: []byte{0, 255}}}, nil, 1002},
		{"3.6", "RSV 6, ping", []frame{{op: opPing, rsv: 6}}, nil, 1002},
		{"3.7", "RSV 7, close", []frame{{op: opClose, rsv: 7}}, nil, 1002},
	}
	for i := range byte(5) {
		data, control := other(3+i), other(11+i)
		data1, control1 := data, control
		if i == 1 || i >= 3 {
			data1.payload = []byte("reserved opcode")
			control1.payload = data1.payload
		}
		var before []frame
		if i >= 2 {
			before = []frame{hello}
		}
		cases = append(cases,
			conformance{fmt.Sprintf("4.1.%d", i+1), fmt.Sprintf("opcode %d", data.op),
				append(before[:len(before):len(before)], data1, ping("")), before, 1002},
			conformance{fmt.Sprintf("4.2.%d", i+1), fmt.Sprintf("opcode %d", control.op),
				append(before[:len(before):len(before)], control1, ping("")), before, 1002})
	}
	runCases(t, cases)
}

// Group 5: fragments.
func TestFragments(t *testing.T) {
	t.Parallel()
	hello := text("Hello, world!")
	f12 := text("fragment1fragment2")
	stray, strayMore := last("non-continuation payload"), cont("non-continuation payload")
	both := []frame{first("fragment1"), last("fragment2")}
	pinged := []frame{first("fragment1"), ping("ping payload"), last("fragment2")}
	long := []frame{first("fragment1"), cont("fragment2"), ping("pongme 1!"), cont("fragment3"),
		cont("fragment4"), ping("pongme 2!"), last("fragment5")}
	longWant := []frame{pong("pongme 1!"), pong("pongme 2!"),
		text("fragment1fragment2fragment3fragment4fragment5")}
	again := func(stray frame) []frame {
		return []frame{both[0], both[1], stray, text("fragment4")}
	}
	runCases(t, []conformance{
		{"5.1", "ping in fragments", []frame{ping("fragment1").unended(), last("fragment2")}, nil, 1002},
		{"5.2", "pong in fragments", []frame{pong("fragment1").unended(), last("fragment2")}, nil, 1002},
		{"5.3", "two fragments", both, []frame{f12}, 0},
		{"5.4", "two fragments, as 5.3", both, []frame{f12}, 0},
		{"5.5", "two fragments, as 5.3", both, []frame{f12}, 0},
		{"5.6", "a ping between", pinged, []frame{pong("ping payload"), f12}, 0},
		{"5.7", "a ping between, as 5.6", pinged, []frame{pong("ping payload"), f12}, 0},
		{"5.8", "a ping between, as 5.6", pinged, []frame{pong("ping payload"), f12}, 0},
		{"5.9", "continuation of nothing", []frame{stray, hello}, nil, 1002},
		{"5.10", "as 5.9", []frame{stray, hello}, nil, 1002},
		{"5.11", "as 5.9", []frame{stray, hello}, nil, 1002},
		{"5.12", "unfinished continuation of nothing", []frame{strayMore, hello}, nil, 1002},
		{"5.13", "as 5.12", []frame{strayMore, hello}, nil, 1002},
		{"5.14", "as 5.12", []frame{strayMore, hello}, nil, 1002},
		{"5.15", "unfinished continuation after a message", again(cont("fragment3")), []frame{f12}, 1002},
		{"5.16", "continuation, then text, twice",
			[]frame{cont("fragment1"), text("fragment2"), cont("fragment3"), text("x")}, nil, 1002},
		{"5.17", "finished continuation, then text, twice",
			[]frame{last("fragment1"), text("fragment2"), last("fragment3"), text("x")}, nil, 1002},
		{"5.18", "both fragments with the text opcode",
			[]frame{first("fragment1"), text("fragment2")}, nil, 1002},
		{"5.19", "five fragments and two pings", long, longWant, 0},
		{"5.20", "as 5.19", long, longWant, 0},
		{"5.a", "empty fragments", []frame{first(""), cont(""), cont("x"), cont(""), last("")},
			[]frame{text("x")}, 0},
		{"5.b", "an empty message in two fragments", []frame{first(""), last("")}, []frame{text("")}, 0},
		{"5.c", "a binary message in fragments",
			[]frame{binData("\xff").unended(), cont("\x00"), last("\xfe")},
			[]frame{binData("\xff\x00\xfe")}, 0},
		{"5.d", "a new binary message inside a text",
			[]frame{first("fragment1"), binData("x")}, nil, 1002},
		{"5.e", "close in fragments", []frame{closing(1000, "").unended(), last("")}, nil, 1002},
		{"5.f", "pong between", []frame{first("fragment1"), pong("x"), last("fragment2")},
			[]frame{f12}, 0},
	})
}
