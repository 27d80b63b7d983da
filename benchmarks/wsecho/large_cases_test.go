package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// pattern has characters of every length, so that fragments cut them at any
// place; 13 octets.
const pattern = "BA\u00b5&j\u20ac2\U0001f600"

// sized returns n octets of valid text.
func sized(n int) []byte {
	b := bytes.Repeat([]byte(pattern), n/len(pattern))
	return append(b, bytes.Repeat([]byte("."), n-len(b))...)
}

// largeCase is one message in frames of fragment octets, written in pieces of
// chop octets; 0: one frame, one write.
type largeCase struct {
	id             string
	op             byte
	size           int
	fragment, chop int
}

// Group 9, sizes as in the Autobahn suite, and 10.1.1.
func largeCases() []largeCase {
	const kib, mib = 1 << 10, 1 << 20
	var cases []largeCase
	for g, op := range []byte{opText, opBin} {
		for i, n := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			cases = append(cases, largeCase{fmt.Sprintf("9.%d.%d", g+1, i+1), op, n, 0, 0})
		}
		for i, n := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
			cases = append(cases, largeCase{fmt.Sprintf("9.%d.%d", g+3, i+1), op, 4 * mib, n, 0})
		}
		for i, n := range []int{64, 128, 256, 512, kib, 2 * kib} {
			cases = append(cases, largeCase{fmt.Sprintf("9.%d.%d", g+5, i+1), op, mib, 0, n})
		}
	}
	return append(cases,
		largeCase{"10.1.1", opText, 64 * kib, 1300, 0},
		// Both cuts at once, with borders that never meet.
		largeCase{"9.a", opText, 3*mib + 1, 1009, 4099},
		largeCase{"9.b", opBin, maxMessage, 77_777, 65_537},
	)
}

func TestLargeMessages(t *testing.T) {
	t.Parallel()
	for _, c := range largeCases() {
		t.Run(c.id, func(t *testing.T) {
			if testing.Short() && c.size > 1<<20 {
				t.Skip("large")
			}
			// One after the other: together they would need a lot of memory.
			payload := sized(c.size)
			s := connect(t, target)
			sent := make(chan error, 1)
			go func() { sent <- c.write(s, payload) }()
			got, err := s.read()
			require.NoError(t, err)
			require.NoError(t, <-sent)
			require.Equal(t, c.op, got.op)
			require.Equal(t, len(payload), len(got.payload))
			require.True(t, bytes.Equal(payload, got.payload), "the echo differs")
			s.write(closing(1000, "").wire())
			s.expectClose(1000)
			s.expectEOF()
		})
	}
}

// write sends payload as c says.
func (c *largeCase) write(s *session, payload []byte) error {
	var wires [][]byte
	size := c.fragment
	if size == 0 {
		size = len(payload)
	}
	parts := pieces(payload, size)
	for i, p := range parts {
		f := frame{op: c.op, more: i < len(parts)-1, payload: p}
		if i > 0 {
			f.op = opCont
		}
		wires = append(wires, f.wire())
	}
	all := join(wires)
	chop := c.chop
	if chop == 0 {
		chop = len(all)
	}
	for _, w := range pieces(all, chop) {
		if _, err := s.c.Write(w); err != nil {
			return err
		}
	}
	return nil
}

// Groups 9.7 and 9.8: a thousand messages, each sent when the one before is
// back; then all of them at once, which the suite does not do.
func TestManyMessages(t *testing.T) {
	t.Parallel()
	for g, op := range []byte{opText, opBin} {
		for i, n := range []int{0, 16, 64, 256, 1024, 4096} {
			f := frame{op: op, payload: sized(n)}
			t.Run(fmt.Sprintf("9.%d.%d", g+7, i+1), func(t *testing.T) {
				t.Parallel()
				s := connect(t, target)
				wire := f.wire()
				for range 1000 {
					s.write(wire)
					s.expect(f)
				}
			})
			t.Run(fmt.Sprintf("9.%d.%d at once", g+7, i+1), func(t *testing.T) {
				t.Parallel()
				s := connect(t, target)
				all := bytes.Repeat(f.wire(), 1000)
				sent := make(chan error, 1)
				go func() {
					_, err := s.c.Write(all)
					sent <- err
				}()
				for range 1000 {
					s.expect(f)
				}
				require.NoError(t, <-sent)
			})
		}
	}
}
