package netpoll

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var utf8Samples = []string{
	"", "a", "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!",
	"\u03ba\u1f79\u03c3\u03bc\u03b5",
	"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\x00",
	"\xe0\xa0\x80", "\xf4\x90\x80\x80", "\xed\xa0\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf",
	"\xf0\x8f\xbf\xbf", "\xf5\x80", "\xff", "\x80", "\xbf\x80", "ok\xe2\x82", "ok\xf0\x9f\x98",
	"\xe2\x82\xe2\x82\xac", "\xf0\x9f\xf0\x9f\x98\x80", "\xe2a", "\xc3\xc3\xa9",
}

// firstBad is a slow validator for comparison: the index of the first byte
// that makes b invalid whatever follows, or -1.
func firstBad(b []byte) int {
	for start := 0; start < len(b); {
		_, n := utf8.DecodeRune(b[start:])
		if n == 1 && b[start] >= 0x80 {
			for i := start; i < len(b); i++ {
				if !hasValidExtension(b[start : i+1]) {
					return i
				}
			}
			return -1
		}
		start += n
	}
	return -1
}

// hasValidExtension tries: a prefix is valid if it is, or becomes, valid with
// up to three more bytes. The bytes at the ends of all ranges suffice.
func hasValidExtension(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for _, first := range []byte{0x80, 0x90, 0xa0, 0x8f, 0x9f, 0xbf} {
		x := append(bytes.Clone(b), first)
		for range 3 {
			if utf8.Valid(x) {
				return true
			}
			x = append(x, 0x80)
		}
	}
	return false
}

func TestUTF8CheckFailsAtFirstBadByte(t *testing.T) {
	t.Parallel()
	check := func(b []byte) {
		want := firstBad(b)
		var u utf8Check
		got := -1
		for i := range b {
			if !u.Write(b[i:i+1]) && got < 0 {
				got = i
			}
		}
		require.Equal(t, want, got, "%x", b)
		require.Equal(t, utf8.Valid(b), u.Done(), "%x", b)
	}
	for _, s := range utf8Samples {
		check([]byte(s))
	}
	// All pairs of lead and second byte, then continuations.
	for lead := range 256 {
		for second := range 256 {
			check([]byte{byte(lead), byte(second), 0x80, 0xbf})
		}
	}
}

func TestUTF8CheckAllSplits(t *testing.T) {
	t.Parallel()
	for _, s := range utf8Samples {
		b := []byte("x" + s + "y\u20ac" + s)
		for i := range len(b) + 1 {
			for j := i; j <= len(b); j++ {
				var u utf8Check
				ok := true
				for _, p := range [][]byte{b[:i], b[i:j], b[j:]} {
					ok = u.Write(p)
				}
				require.Equal(t, firstBad(b) < 0, ok, "%x at %d and %d", b, i, j)
				require.Equal(t, utf8.Valid(b), u.Done(), "%x at %d and %d", b, i, j)
			}
		}
	}
}

func TestUTF8CheckReset(t *testing.T) {
	t.Parallel()
	var u utf8Check
	require.False(t, u.Write([]byte("\xff")))
	require.False(t, u.Write(nil), "stays invalid")
	require.False(t, u.Write([]byte("a")), "stays invalid")
	require.False(t, u.Done())
	u.Reset()
	require.True(t, u.Write([]byte("a\xe2\x82")))
	require.False(t, u.Done())
	require.True(t, u.Write([]byte("\xac")))
	require.True(t, u.Done())
}

// FuzzUTF8Check: chunks of any size, cut as the fuzzer says.
func FuzzUTF8Check(f *testing.F) {
	for _, s := range utf8Samples {
		f.Add([]byte("x"+s+"y"), []byte{1, 2})
	}
	f.Fuzz(func(t *testing.T, b, cuts []byte) {
		bad := firstBad(b)
		var u utf8Check
		seen := 0
		for rest := b; len(rest) > 0; {
			n := len(rest)
			if len(cuts) > 0 {
				n, cuts = min(n, int(cuts[0])), cuts[1:]
			}
			ok := u.Write(rest[:n])
			rest, seen = rest[n:], seen+n
			require.Equal(t, bad < 0 || bad >= seen, ok)
		}
		require.Equal(t, utf8.Valid(b), u.Done())
	})
}

func BenchmarkUTF8Check(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":     strings.Repeat("a", 1024),
		"multibyte": strings.Repeat("\u20ac", 341),
	} {
		p := []byte(s)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				var u utf8Check
				if !u.Write(p[:511]) || !u.Write(p[511:]) || !u.Done() {
					b.Fatal("invalid")
				}
			}
		})
	}
}
