package netpoll

import (
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// appendMasked writes a client's header with gobwas/ws.
func appendMasked(dst []byte, fin bool, op ws.OpCode, n int64) []byte {
	var b bytes.Buffer
	err := ws.WriteHeader(&b, ws.Header{Fin: fin, OpCode: op, Masked: true,
		Mask: [4]byte{1, 2, 3, 4}, Length: n})
	if err != nil {
		panic(err)
	}
	return append(dst, b.Bytes()...)
}

var headerLengths = []int64{0, 1, 125, 126, 127, 0xffff, 0x10000, 1 << 31, 1<<63 - 1}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	for _, l := range headerLengths {
		for _, masked := range []bool{true, false} {
			want := ws.Header{Fin: l%2 == 0, Rsv: byte(l & 7), OpCode: ws.OpCode(l & 15),
				Masked: masked, Length: l}
			if masked {
				want.Mask = [4]byte{9, 8, 7, 6}
			}
			var b bytes.Buffer
			require.NoError(t, ws.WriteHeader(&b, want))
			in := append(b.Bytes(), "payload"...)
			head := b.Len()
			for n := range in {
				got, used, err := parseHeader(in[:n])
				require.NoError(t, err)
				if n < head {
					require.Zero(t, used, "%d of %d bytes", n, head)
					continue
				}
				require.Equal(t, head, used)
				require.Equal(t, want, got)
			}
		}
	}
}

func TestParseHeaderRefusesLengthForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		in    []byte
		err   error
		after int // bytes after which the error must show
	}{
		{"16 bit for 125", []byte{0x82, 0xfe, 0, 125}, errLengthForm, 4},
		{"16 bit for 0", []byte{0x82, 0xfe, 0, 0}, errLengthForm, 4},
		{"64 bit for 65535", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, errLengthForm, 10},
		{"sign bit", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0}, errLengthSign, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for n := range len(tc.in) + 1 {
				_, used, err := parseHeader(tc.in[:n])
				require.Zero(t, used)
				if n < tc.after {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tc.err)
				}
			}
		})
	}
}

// TestCheckFirstBytes: two bytes decide exactly as ws.CheckHeader decides on
// the whole header, for all of them and all states.
func TestCheckFirstBytes(t *testing.T) {
	t.Parallel()
	states := []ws.State{
		ws.StateServerSide,
		ws.StateServerSide | ws.StateFragmented,
		ws.StateServerSide | ws.StateExtended,
		ws.StateClientSide,
	}
	for _, st := range states {
		for b := range 1 << 16 {
			b0, b1 := byte(b>>8), byte(b)
			h := ws.Header{Fin: b0 >= 0x80, Rsv: b0 >> 4 & 7, OpCode: ws.OpCode(b0 & 15),
				Masked: b1 >= 0x80, Length: int64(b1 & 0x7f)}
			switch h.Length {
			case 126:
				h.Length = 40000
			case 127:
				h.Length = 1 << 40
			}
			if want, got := ws.CheckHeader(h, st), checkFirstBytes(b0, b1, st); want != got {
				t.Fatalf("%02x %02x in state %d: %v, want %v", b0, b1, st, got, want)
			}
		}
	}
}

func TestAppendHeader(t *testing.T) {
	t.Parallel()
	for _, l := range headerLengths {
		for _, fin := range []bool{true, false} {
			var b bytes.Buffer
			require.NoError(t, ws.WriteHeader(&b, ws.Header{Fin: fin, OpCode: ws.OpText, Length: l}))
			got := appendHeader([]byte("x"), ws.OpText, fin, int(l))
			require.Equal(t, "x"+b.String(), string(got))
			if !fin {
				continue
			}
			for room := 10; room < 13; room++ {
				buf := bytes.Repeat([]byte{0xaa}, 20)
				k := putHeaderBefore(buf, room, ws.OpText, int(l))
				require.Equal(t, b.String(), string(buf[k:room]))
				require.Equal(t, bytes.Repeat([]byte{0xaa}, k), buf[:k])
				require.Equal(t, bytes.Repeat([]byte{0xaa}, 20-room), buf[room:])
			}
		}
	}
}

// FuzzParseHeader holds the slice parser against ws.ReadHeader.
func FuzzParseHeader(f *testing.F) {
	for _, l := range headerLengths {
		f.Add(appendMasked(nil, true, ws.OpText, l))
		f.Add(appendHeader(nil, ws.OpBinary, false, int(l)))
	}
	f.Add([]byte{0x82, 0xfe, 0, 125, 1, 2, 3, 4})
	f.Add([]byte{0x82, 0xff, 0x80})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, n, err := parseHeader(in)
		rd := bytes.NewReader(in)
		want, wantErr := ws.ReadHeader(rd)
		switch {
		case err == errLengthForm:
			// Stricter than gobwas/ws: the length it read has a shorter form.
			if wantErr == nil {
				require.Less(t, ws.HeaderSize(want), len(in)-rd.Len())
			}
		case err == errLengthSign:
			require.Error(t, wantErr)
		case n == 0:
			require.True(t, wantErr == io.EOF || wantErr == io.ErrUnexpectedEOF, "%v", wantErr)
		default:
			require.NoError(t, wantErr)
			require.Equal(t, want, got)
			require.Equal(t, len(in)-rd.Len(), n)
			require.Equal(t, ws.HeaderSize(got), n)
		}
	})
}

func BenchmarkParseHeader(b *testing.B) {
	for _, l := range []int64{10, 1000, 100000} {
		in := appendMasked(nil, true, ws.OpText, l)
		b.Run(strconv.FormatInt(l, 10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, n, _ := parseHeader(in); n != len(in) {
					b.Fatal("not parsed")
				}
			}
		})
	}
}

func BenchmarkCheckFirstBytes(b *testing.B) {
	for b.Loop() {
		if checkFirstBytes(0x81, 0x8a, ws.StateServerSide) != nil {
			b.Fatal("refused")
		}
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		appendHeader(buf, ws.OpText, true, 1000)
	}
}
