package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const (
	greeting = "Hello-µ@ßöäüàá-UTF-8!!"
	kosme    = "κόσμε"
	// beyond is U+110000, bad from its second byte on.
	beyond = "\xf4\x90\x80\x80"
)

// Groups 6.1 to 6.3: text whole and in fragments.
func TestText(t *testing.T) {
	t.Parallel()
	octets := func(s string) []frame {
		frames := []frame{first(s[:1])}
		for i := 1; i < len(s)-1; i++ {
			frames = append(frames, cont(s[i:i+1]))
		}
		return append(frames, last(s[len(s)-1:]))
	}
	bad := kosme + "\xed\xa0\x80" + "edited"
	runCases(t, []conformance{
		{"6.1.1", "empty text", []frame{text("")}, []frame{text("")}, 0},
		{"6.1.2", "three empty fragments", []frame{first(""), cont(""), last("")}, []frame{text("")}, 0},
		{"6.1.3", "only the second fragment is not empty",
			[]frame{first(""), cont("middle frame payload"), last("")},
			[]frame{text("middle frame payload")}, 0},
		{"6.2.1", "valid", []frame{text(greeting)}, []frame{text(greeting)}, 0},
		{"6.2.2", "valid, cut on a border",
			[]frame{first(greeting[:13]), last(greeting[13:])}, []frame{text(greeting)}, 0},
		{"6.2.2a", "valid, cut inside a character",
			[]frame{first(greeting[:7]), last(greeting[7:])}, []frame{text(greeting)}, 0},
		{"6.2.3", "valid, a fragment per octet", octets(greeting), []frame{text(greeting)}, 0},
		{"6.2.4", "valid Greek, a fragment per octet", octets(kosme), []frame{text(kosme)}, 0},
		{"6.3.1", "a surrogate in the middle", []frame{text(bad)}, nil, 1007},
		{"6.3.2", "a surrogate in the middle, a fragment per octet", octets(bad), nil, 1007},
		{"6.3.2a", "ends inside a character", octets("a\xe2\x82"), nil, 1007},
		{"6.3.2b", "a ping inside a character",
			[]frame{first("\xe2\x82"), ping("p"), last("\xac")},
			[]frame{pong("p"), text("\u20ac")}, 0},
		{"6.3.2c", "the state is not carried to the next message",
			[]frame{first("\xe2"), last("\x82\xac"), text("a"), first("\xc3"), last("\xa9")},
			[]frame{text("\u20ac"), text("a"), text("é")}, 0},
		{"6.3.2d", "binary is not checked", []frame{binData(bad)}, []frame{binData(bad)}, 0},
	})
}

// Group 6.4: fail fast. What the client sends ends with the octet that makes
// the text invalid; the server must fail the connection without the rest,
// which never comes.
func TestTextFailsFast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id, about string
		good      string // valid so far
		bad       string // the octet that ends it
	}{
		{"6.4.1", "beyond U+10FFFF", kosme + beyond[:1], beyond[1:2]},
		{"6.4.2", "beyond U+10FFFF, nothing before", beyond[:1], beyond[1:2]},
		{"6.4.a", "surrogate", kosme + "\xed", "\xa0"},
		{"6.4.b", "overlong of three", kosme + "\xe0", "\x9f"},
		{"6.4.c", "overlong of four", kosme + "\xf0", "\x8f"},
		{"6.4.d", "overlong of two", kosme, "\xc1"},
		{"6.4.e", "start of five", kosme, "\xf8"},
		{"6.4.f", "impossible", kosme, "\xff"},
		{"6.4.g", "continuation of nothing", kosme, "\x80"},
		{"6.4.h", "missing last octet", kosme + "\xf0\x9f\x98", "a"},
		{"6.4.i", "a start instead of the last octet", kosme + "\xe2\x82", "\xe2"},
		{"6.4.j", "late in a large text", strings.Repeat(kosme, 20_000) + "\xed", "\xbf"},
	} {
		t.Run(c.id, func(t *testing.T) {
			t.Parallel()
			t.Log(c.about)
			t.Run("fragment", func(t *testing.T) {
				s := connect(t, target)
				// The pong shows that the valid part was accepted.
				s.write(append(first(c.good).wire(), ping("still here").wire()...))
				s.expect(pong("still here"))
				s.write(cont(c.bad).wire())
				s.expectClose(1007)
				s.write(closing(1007, "").wire())
				s.expectEOF()
			})
			t.Run("inside a frame", func(t *testing.T) {
				s := connect(t, target)
				s.write(text(c.good + c.bad).wireLong(len(c.good) + 1000))
				s.expectClose(1007)
				// What is left of the frame is discarded, then the client's
				// close frame is read.
				rest := frame{payload: make([]byte, 1000-1)}
				s.write(rest.wire()[len(rest.wire())-len(rest.payload):])
				s.write(closing(1007, "").wire())
				s.expectEOF()
			})
			t.Run("octet after octet", func(t *testing.T) {
				if len(c.good) > 100 {
					t.Skip("as the others")
				}
				s := connect(t, target)
				for _, w := range pieces(text(c.good+c.bad).wireLong(len(c.good)+1000), 1) {
					s.write(w)
				}
				s.expectClose(1007)
			})
		})
	}
}

// Group 6.4 the other way round: no text is refused too early. Everything that
// 6.4 calls valid so far is completed and comes back.
func TestTextIsNotRefusedEarly(t *testing.T) {
	t.Parallel()
	for _, r := range []string{"\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff",
		"\U00010000", "\U0001f600", "\U000fffff", "\U0010ffff"} {
		t.Run(fmt.Sprintf("%x", r), func(t *testing.T) {
			t.Parallel()
			s := connect(t, target)
			s.write(first(kosme).wire())
			for i := range len(r) {
				s.write(cont(r[i : i+1]).wire())
				s.write(ping("still here").wire())
				s.expect(pong("still here"))
			}
			s.write(last("").wire())
			s.expect(text(kosme + r))
		})
	}
}

// utf8Groups are 6.5 to 6.23: Markus Kuhn's decoder stress test, adapted to
// RFC 3629.
func utf8Groups() [][]string {
	repeat := strings.Repeat
	lonely := func(from, to byte) string {
		var b strings.Builder
		for c := int(from); c <= int(to); c++ {
			b.WriteByte(byte(c))
			b.WriteByte(' ')
		}
		return b.String()
	}
	var continuations strings.Builder
	for c := range 64 {
		continuations.WriteByte(0x80 | byte(c))
	}
	var prefixes []string
	for i := range len(kosme) {
		prefixes = append(prefixes, kosme[:i+1])
	}
	incomplete := []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80",
		"\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf",
		"\xfd\xbf\xbf\xbf\xbf"}
	nonCharacters := []string{"\xef\xbf\xbe", "\xef\xbf\xbf"}
	for plane := rune(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters,
			string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return [][]string{
		{kosme, kosme + "abc", "abc" + kosme, "\u1f79" + kosme, "\x7f" + kosme},
		prefixes,
		{"\x00", "\u0080", "\u0800", "\U00010000"},
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\u07ff", "\uffff", "\U0010ffff"},
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", beyond},
		{"\x80", "\xbf", repeat("\x80\xbf", 1), repeat("\x80\xbf", 2)[:3], repeat("\x80\xbf", 2),
			repeat("\x80\xbf", 3)[:5], repeat("\x80\xbf", 3), continuations.String()},
		{lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb),
			lonely(0xfc, 0xfd)},
		incomplete,
		{strings.Join(incomplete, "")},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
			"\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
			"\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
			"\xfc\x80\x80\x80\x80\x80"},
		{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
			"\xed\xbe\x80", "\xed\xbf\xbf"},
		{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80",
			"\xed\xad\xbf\xed\xbf\xbf", "\xed\xae\x80\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf",
			"\xed\xaf\xbf\xed\xb0\x80", "\xed\xaf\xbf\xed\xbf\xbf"},
		nonCharacters,
		{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"},
	}
}

func TestUTF8Sequences(t *testing.T) {
	t.Parallel()
	// The groups that hold only valid or only invalid sequences; 6.6 and 6.11
	// are mixed.
	allValid := map[int]bool{5: true, 7: true, 9: true, 22: true, 23: true}
	mixed := map[int]bool{6: true, 11: true}
	var cases []conformance
	for i, sequences := range utf8Groups() {
		group := i + 5
		for j, s := range sequences {
			valid := utf8.ValidString(s)
			if !mixed[group] {
				require.Equal(t, allValid[group], valid, "6.%d.%d %x", group, j+1, s)
			}
			c := conformance{id: fmt.Sprintf("6.%d.%d", group, j+1), about: fmt.Sprintf("%x", s),
				send: []frame{text(s)}, code: 1007}
			if valid {
				c.want, c.code = c.send, 0
			}
			cases = append(cases, c)
			// The same cut into fragments of one octet.
			c.id += "f"
			c.send = nil
			for k := range len(s) {
				c.send = append(c.send, cont(s[k:k+1]))
			}
			c.send[0].op = opText
			c.send[len(s)-1].more = false
			cases = append(cases, c)
		}
	}
	runCases(t, cases)
}
