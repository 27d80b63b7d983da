package loadgen

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStampInAnyWrapping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := stamp{
			run:    rapid.Uint16().Draw(t, "run"),
			stream: rapid.Uint32Range(0, maxStream).Draw(t, "stream"),
			seq:    rapid.Uint32().Draw(t, "seq"),
			at:     rapid.Int64Range(0, math.MaxInt64).Draw(t, "at"),
		}
		size := rapid.IntRange(stampSize, 200).Draw(t, "size")
		payload := appendStamp(nil, want, size)
		require.Len(t, payload, size)
		before := rapid.StringMatching(`[ -~]{0,50}`).Draw(t, "before")
		after := rapid.StringMatching(`[ -~]{0,50}`).Draw(t, "after")
		got, ok := findStamp([]byte(before + string(payload) + after))
		require.True(t, ok)
		require.Equal(t, want, got)
	})
	for _, none := range []string{"", "~", `42["echo","~zz"]`, strings.Repeat("~", 100)} {
		_, ok := findStamp([]byte(none))
		require.False(t, ok, none)
	}
}

func TestWindowAgainstASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var x window
		seen, highest, missing := map[uint32]bool{}, uint32(0), 0
		for range rapid.IntRange(1, 300).Draw(t, "messages") {
			low := uint32(max(1, int(highest)-windowSize+1))
			seq := rapid.Uint32Range(low, highest+70).Draw(t, "seq")
			v, gap := x.take(seq)
			switch {
			case seen[seq]:
				require.Equal(t, duplicate, v)
			case seq > highest:
				require.Equal(t, inOrder, v)
				require.Equal(t, seq-highest-1, gap)
				missing += int(gap)
				highest = seq
			default:
				require.Equal(t, late, v)
				missing--
			}
			if v != inOrder {
				require.Zero(t, gap)
			}
			seen[seq] = true
		}
		require.Len(t, seen, int(x.got))
		require.Equal(t, highest, x.last)
		require.Equal(t, int(highest)-len(seen), missing)
	})
	x := window{}
	x.take(100)
	v, _ := x.take(100 - windowSize)
	require.Equal(t, duplicate, v, "further back than it remembers")
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536, 100_000} {
		payload := bytes.Repeat([]byte("x"), size)
		r := bytes.NewReader(appendFrame(nil, opText, payload))
		h, err := ws.ReadHeader(r)
		require.NoError(t, err)
		require.True(t, h.Masked)
		require.True(t, h.Fin)
		require.Equal(t, ws.OpText, h.OpCode)
		require.Equal(t, int64(size), h.Length)
		rest, err := io.ReadAll(r)
		require.NoError(t, err)
		ws.Cipher(rest, h.Mask, 0)
		require.Equal(t, payload, rest)

		b := ws.MustCompileFrame(ws.NewTextFrame(payload))
		for _, part := range []int{0, 1, len(b) / 2, len(b) - 1} {
			_, _, n, err := parseFrame(b[:part])
			require.NoError(t, err)
			require.Zero(t, n)
		}
		op, got, n, err := parseFrame(append(b, "more"...))
		require.NoError(t, err)
		require.Equal(t, byte(opText), op)
		require.Equal(t, payload, got)
		require.Equal(t, len(b), n)
	}
}

func TestTimersComeInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h timers
		var want, got []int64
		for _, at := range rapid.SliceOf(rapid.Int64Range(0, 50)).Draw(t, "times") {
			h.add(timer{at: at})
			want = append(want, at)
		}
		for len(h) > 0 {
			got = append(got, h.pop().at)
		}
		slices.Sort(want)
		require.Equal(t, want, got)
	})
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	s := stamp{1, 2, 3, 4}
	payload := string(appendStamp(nil, s, 40))
	for event, want := range map[string]string{
		`["join","{room}"]`:                      `42/chat,["join","r7"]`,
		`["echo","{payload}"]`:                   `42/chat,["echo","` + payload + `"]`,
		`["m",{"r":"{room}","d":"{payload}"},1]`: `42/chat,["m",{"r":"r7","d":"` + payload + `"},1]`,
		`["m","{payload}","{room}","{room}"]`:    `42/chat,["m","` + payload + `","r7","r7"]`,
		`["none"]`:                               `42/chat,["none"]`,
	} {
		f := newTemplate("/chat", event, 40)
		require.Equal(t, want, string(f.append(nil, "r7", s)))
	}
	f := newTemplate("/", `["a"]`, 40)
	require.Equal(t, `42["a"]`, string(f.append(nil, "", s)))
}

func TestResponse(t *testing.T) {
	t.Parallel()
	const whole = "HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 3\r\n\r\nabc"
	for n := range len(whole) {
		_, used, err := response([]byte(whole[:n]))
		require.NoError(t, err)
		require.Zero(t, used)
	}
	body, n, err := response([]byte(whole + "next"))
	require.NoError(t, err)
	require.Equal(t, "abc", string(body))
	require.Len(t, whole, n)
	for _, bad := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n",
	} {
		_, _, err := response([]byte(bad))
		require.Error(t, err, bad)
	}
}

// Every stream has one sender, whichever worker it is in, and those who are to
// get it know its slot.
func TestStreamsAndSenders(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Default(rapid.SampledFrom([]string{Echo, Broadcast, Rooms, Jitter}).Draw(t, "scenario"))
		p.Connections = rapid.IntRange(1, 300).Draw(t, "connections")
		p.Processes = rapid.IntRange(1, 5).Draw(t, "processes")
		p.Rooms = rapid.IntRange(1, p.Connections).Draw(t, "rooms")
		p.Publishers = rapid.IntRange(1, min(p.Connections, MaxPublishers)).Draw(t, "publishers")
		p.Active = rapid.IntRange(0, p.Connections).Draw(t, "active")
		require.NoError(t, p.Validate())
		owner := map[int]int{}
		for i := range p.Connections {
			if s := p.sends(i); s >= 0 {
				require.NotContains(t, owner, s)
				owner[s] = i
				require.GreaterOrEqual(t, p.stream(i, uint32(s)), 0, "a sender gets its own")
			}
		}
		require.Len(t, owner, p.senders())
		for s := range p.senders() {
			require.Contains(t, owner, s)
		}
		require.Equal(t, -1, p.stream(0, maxStream))
		sum := 0
		for w := range p.Processes {
			sum += p.share(p.Connections, w)
		}
		require.Equal(t, p.Connections, sum)
	})
}

func TestReceiptsKeepTheLast(t *testing.T) {
	t.Parallel()
	a, b := newReceipts(2), newReceipts(2)
	a.add(0, 1, int64(time.Millisecond))
	a.add(0, 1, int64(3*time.Millisecond))
	a.add(0, 1, int64(2*time.Millisecond))
	b.add(0, 1, int64(5*time.Millisecond))
	b.add(1, 7, int64(-3*time.Microsecond))
	b.add(1, math.MaxUint32, 1) // further than is kept
	b.add(5, 1, 1)              // no such stream
	var all receipts
	all.merge(a.bytes())
	all.merge(b.bytes())
	h := all.hist()
	require.Equal(t, int64(2), h.TotalCount())
	require.InDelta(t, 5000, h.Max(), 5)
	require.InDelta(t, 1, h.Min(), 0)
	var none receipts
	none.add(0, 1, 1)
	require.Zero(t, none.hist().TotalCount())
}

func TestHistogramsTravel(t *testing.T) {
	t.Parallel()
	h := newHist()
	for i := range 1000 {
		h.add(int64(i) * int64(time.Millisecond))
	}
	h.add(-5)
	h.add(math.MaxInt64)
	b, err := h.MarshalText()
	require.NoError(t, err)
	var got hist
	require.NoError(t, got.UnmarshalText(b))
	require.Equal(t, h.latency(), got.latency())
	require.Error(t, got.UnmarshalText([]byte("nonsense")))
	require.Nil(t, newHist().latency())
	require.InDelta(t, 0.5, h.late(500*time.Millisecond), 0.01)
	require.Zero(t, newHist().late(0))
}

func TestGroup(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567",
		-1: "-1", -1234: "-1,234", -123: "-123"} {
		require.Equal(t, want, group(n), fmt.Sprint(n))
	}
}
