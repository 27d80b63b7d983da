package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Group 7: the close handshake.
func TestClose(t *testing.T) {
	t.Parallel()
	hello := text("Hello World!")
	reason := strings.Repeat("*", 123)
	big := text(strings.Repeat("BAsd7&jh23", 26_000))
	cases := []conformance{
		{"7.1.1", "message, then close", []frame{hello}, []frame{hello}, 0},
		{"7.1.2", "two close frames", []frame{closing(1000, ""), closing(1000, "")}, nil, 1000},
		{"7.1.3", "ping after close", []frame{closing(1000, ""), ping("")}, nil, 1000},
		{"7.1.4", "text after close", []frame{closing(1000, ""), hello}, nil, 1000},
		{"7.1.5", "close inside a fragmented message",
			[]frame{first("fragment1"), closing(1000, ""), last("fragment2")}, nil, 1000},
		{"7.1.6", "large message, close, ping",
			[]frame{big, closing(1000, ""), ping("")}, []frame{big}, 1000},
		{"7.1.a", "a bad frame after close is ignored",
			[]frame{closing(1000, ""), rsv(7)}, nil, 1000},
		{"7.1.b", "answers before close", []frame{hello, ping("x"), closing(1000, "")},
			[]frame{hello, pong("x")}, 1000},
		{"7.3.1", "no payload", []frame{closing(noCode, "")}, nil, noCode},
		{"7.3.2", "payload of one byte", []frame{{op: opClose, payload: []byte("a")}}, nil, 1002},
		{"7.3.3", "code", []frame{closing(1000, "")}, nil, 1000},
		{"7.3.4", "code and reason", []frame{closing(1000, "Hello World!")}, nil, 1000},
		{"7.3.5", "longest reason", []frame{closing(1000, reason)}, nil, 1000},
		{"7.3.6", "reason too long", []frame{closing(1000, reason+"*")}, nil, 1002},
		{"7.5.1", "reason not UTF-8", []frame{closing(1000, kosme+"\xed\xa0\x80edited")}, nil, 1007},
		{"7.5.a", "reason ends inside a character", []frame{closing(1000, "\xe2\x82")}, nil, 1007},
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999,
		4000, 4999} {
		cases = append(cases, conformance{fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("code %d", code),
			[]frame{closing(code, "")}, nil, code})
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		f := frame{op: opClose, payload: []byte{byte(code >> 8), byte(code)}}
		cases = append(cases, conformance{fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("code %d", code),
			[]frame{f}, nil, 1002})
	}
	cases = append(cases, conformance{"7.9.a", "code 1015", []frame{closing(1015, "")}, nil, 1002})
	runCases(t, cases)
}

// TestCloseUndefinedCodes: RFC 6455 section 7.4.2 ends at 4999. An answer with
// the same code or a failed connection are both fine, waiting is not.
func TestCloseUndefinedCodes(t *testing.T) {
	t.Parallel()
	for i, code := range []uint16{5000, 65535} {
		t.Run(fmt.Sprintf("7.13.%d", i+1), func(t *testing.T) {
			t.Parallel()
			s := connect(t, target)
			s.write(closing(code, "").wire())
			got, err := s.read()
			require.NoError(t, err)
			require.Equal(t, byte(opClose), got.op)
			s.expectEOF()
		})
	}
}

// TestCloseByEOF: a client that leaves without a close frame leaves nothing
// behind; what it sent before is answered.
func TestCloseByEOF(t *testing.T) {
	t.Parallel()
	s := connect(t, target)
	s.write(append(text("last words").wire(), first("half").wire()[:5]...))
	s.expect(text("last words"))
	require.NoError(t, s.c.(interface{ CloseWrite() error }).CloseWrite())
	_, err := s.br.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestBadHeaders are violations that the suite's numbers leave out. Each must
// be answered when the offending octets are there, without the rest.
func TestBadHeaders(t *testing.T) {
	t.Parallel()
	hello := text("hello").wire()
	for _, c := range []struct {
		name string
		wire []byte
		code uint16
	}{
		{"unmasked", []byte{0x81, 5}, 1002},
		{"unmasked ping", []byte{0x89, 0}, 1002},
		{"16-bit length of 125", []byte{0x82, 0x80 | 126, 0, 125}, 1002},
		{"64-bit length of 65535", []byte{0x82, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 1002},
		{"length with the top bit", []byte{0x82, 0x80 | 127, 0x80}, 1002},
		{"ping with a 16-bit length", []byte{0x89, 0x80 | 126}, 1002},
		{"close with a 64-bit length", []byte{0x88, 0x80 | 127}, 1002},
		{"reserved opcode", []byte{0x83, 0x80}, 1002},
		{"reserved bit", []byte{0xc1, 0x80}, 1002},
		{"unfinished ping", []byte{0x09, 0x80}, 1002},
		{"continuation of nothing", []byte{0x80, 0x80}, 1002},
		{"message too large", binData("").wireLong(maxMessage + 1), 1009},
		{"absurd length", []byte{0x82, 0x80 | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4},
			1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := connect(t, target)
			s.write(append(hello[:len(hello):len(hello)], c.wire...))
			s.expect(text("hello"))
			s.expectClose(c.code)
		})
	}
}

// TestFragmentsTooLarge: the limit counts a message, not a frame, and shows
// with the header of the fragment that crosses it.
func TestFragmentsTooLarge(t *testing.T) {
	t.Parallel()
	s := connect(t, target)
	half := strings.Repeat("x", maxMessage/2)
	s.write(binData(half).unended().wire())
	s.write(cont(half).wire())
	s.write(ping("still here").wire())
	s.expect(pong("still here"))
	s.write(cont("").wireLong(1))
	s.expectClose(1009)
}

// TestFramesWithTheHandshake: frames in the same segment as the request are
// not lost, however the octets are cut.
func TestFramesWithTheHandshake(t *testing.T) {
	t.Parallel()
	all := join([][]byte{[]byte(upgradeHead), text("early").wire(), first("a").wire(),
		ping("p").wire(), last("b").wire()})
	for _, size := range []int{len(all), len(upgradeHead), len(upgradeHead) + 1,
		len(upgradeHead) - 1, 100, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s := dialRaw(t, target)
			for _, w := range pieces(all, size) {
				s.write(w)
			}
			s.expectUpgrade()
			s.expect(text("early"))
			s.expect(pong("p"))
			s.expect(text("ab"))
		})
	}
}

// TestMisbehavingClientsDoNotMatter: while some break every rule and leave,
// the echo of others goes on.
func TestMisbehavingClientsDoNotMatter(t *testing.T) {
	t.Parallel()
	good := connect(t, target)
	for i := range 50 {
		bad := connect(t, target)
		bad.write([]byte{byte(i) | 0x70, 0xff, byte(i)})
		_, err := bad.read()
		require.True(t, err == nil || errors.Is(err, io.EOF), "%v", err)
		require.NoError(t, bad.c.Close())
		msg := text(fmt.Sprint("message ", i))
		good.write(msg.wire())
		good.expect(msg)
	}
}
