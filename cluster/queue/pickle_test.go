package queue

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type pickled struct {
	protocol string
	body     []byte
	want     string
}

// pickles are what Python has written, see testdata/pickles.py.
func pickles(t testing.TB) (list []pickled) {
	t.Helper()
	f, err := os.Open("testdata/pickles.txt")
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		part := strings.SplitN(lines.Text(), " ", 3)
		body, err := hex.DecodeString(part[1])
		require.NoError(t, err)
		list = append(list, pickled{protocol: part[0], body: body, want: part[2]})
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(list), 100)
	return list
}

func TestPickle(t *testing.T) {
	t.Parallel()
	read, refused := map[string]int{}, map[string]int{}
	for _, p := range pickles(t) {
		m, err := unpickleMessage(p.body)
		if p.want == "null" {
			require.ErrorContains(t, err, "pickle: ", "protocol %s: %x", p.protocol, p.body)
			refused[p.protocol]++
			continue
		}
		require.NoError(t, err, "protocol %s: %x", p.protocol, p.body)
		read[p.protocol]++
		text, err := packet("/", "ev", m.args)
		require.NoError(t, err)
		// Behind the event's name, as a list.
		text = text[strings.Index(text, `["ev"`)+len(`["ev"`):]
		text, atts, _ := strings.Cut(text, "] ")
		got := "[" + strings.TrimPrefix(strings.TrimSuffix(text, "]")+"]", ",")
		args, list := wanted(t, p.want)
		require.JSONEq(t, args, got, "protocol %s", p.protocol)
		require.Equal(t, strings.Join(list, " "), atts)

		c, err := m.command()
		require.NoError(t, err)
		require.Equal(t, command{ns: "/", event: "ev", args: m.args}, c)
	}
	for _, protocol := range []string{"2", "3", "4", "5"} {
		require.Greater(t, read[protocol], 20, protocol)
		require.GreaterOrEqual(t, refused[protocol], 8, protocol)
	}
}

func TestPickleRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, body, want string }{
		{"only the protocol", "\x80\x04", "ends too early"},
		{"protocol 0", "(dp0\n.", "no protocol"},
		{"protocol 6", "\x80\x06}.", "protocol 6"},
		{"protocol 1", "\x80\x01}.", "protocol 1"},
		{"nothing", "\x80\x04.", "0 values"},
		{"two values", "\x80\x04NN.", "2 values"},
		{"an open mark", "\x80\x04N(.", "1 values"},
		{"more behind", "\x80\x04N.N", "1 bytes behind"},
		{"no dict", "\x80\x04].", "no dict"},
		{"import", "\x80\x04\x8c\x02os\x8c\x06system\x93.", `opcode '\u0093'`},
		{"import of protocol 0", "\x80\x02cos\nsystem\n.", "opcode 'c'"},
		{"call", "\x80\x04N)R.", "opcode 'R'"},
		{"object", "\x80\x04N)\x81.", "not data"},
		{"object with keywords", "\x80\x04N)}\x92.", "not data"},
		{"state", "\x80\x04NNb.", "opcode 'b'"},
		{"instance", "\x80\x04(ios\nsystem\n.", "opcode 'i'"},
		{"another instance", "\x80\x04(No.", "opcode 'o'"},
		{"persistent id", "\x80\x04NQ.", "opcode 'Q'"},
		{"persistent name", "\x80\x04Px\n.", "opcode 'P'"},
		{"registered", "\x80\x04\x82\x01.", "not data"},
		{"registered, four bytes", "\x80\x04\x84\x01\x00\x00\x00.", "not data"},
		{"buffer of somebody", "\x80\x05\x97.", "not data"},
		{"integer as text", "\x80\x04I1\n.", "opcode 'I'"},
		{"duplicate", "\x80\x04N2.", "opcode '2'"},
		{"set", "\x80\x04\x8f.", "not data"},
		{"protocol again", "\x80\x04\x80\x04}.", "not data"},
		{"a length that lies", "\x80\x04X\xff\xff\xff\xff.", "a length is wrong"},
		{"a length of 64 bits", "\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "a length is wrong"},
		{"a negative length", "\x80\x04\x8b\xff\xff\xff\xff.", "a length is wrong"},
		{"nothing to append", "\x80\x04]a.", "operand"},
		{"nothing to append to", "\x80\x04Na.", "operand"},
		{"append to a tuple", "\x80\x04)Na.", "operand"},
		{"append to a dict", "\x80\x04}Na.", "operand"},
		{"item of a list", "\x80\x04]NNs.", "operand"},
		{"half an item", "\x80\x04}(Nu.", "operand"},
		{"half a dict", "\x80\x04(Nd.", "operand"},
		{"through a mark", "\x80\x04N(\x85.", "operand"},
		{"no mark", "\x80\x04Nt.", "operand"},
		{"nothing to remember", "\x80\x04\x94.", "operand"},
		{"a mark to remember", "\x80\x04N(\x94.", "operand"},
		{"not remembered", "\x80\x04h\x01.", "nothing is remembered"},
		{"a key that is no text", "\x80\x04}K\x01Ns.", "key of the message"},
		{"a long integer", "\x80\x04\x8b\x01\x02\x00\x00" + strings.Repeat("\x01", 513) + ".", "integer of 513"},
		{"a tuple as key", "\x80\x04}\x8c\x04data})Nss.", "key of a dict"},
		{"bytes for the room", "\x80\x04}\x8c\x04roomC\x01as.", `bytes in "room"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := unpickleMessage([]byte(c.body))
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A pickle of a few bytes may mean gigabytes: each list holds the one before
// it ten times.
func TestPickleDoesNotGrow(t *testing.T) {
	t.Parallel()
	build := func(seed string) []byte {
		// The memo is filled inside a list that ends up as data.
		b := "\x80\x04}\x8c\x04data](" + seed + "\x94"
		for i := range 9 {
			b += "](" + strings.Repeat("h"+string(rune(i)), 10) + "e\x94"
		}
		return []byte(b + "es.")
	}
	_, err := unpickleMessage(build("N"))
	require.ErrorContains(t, err, "values")
	_, err = unpickleMessage(build("X\x00\x10\x00\x00" + strings.Repeat("x", 4096)))
	require.ErrorContains(t, err, "grows beyond 16777216 bytes")
	_, err = unpickleMessage(build("B\x00\x10\x00\x00" + strings.Repeat("x", 4096)))
	require.ErrorContains(t, err, "attachments")

	_, err = unpickle([]byte("\x80\x04" + strings.Repeat("N", maxValues+1) + "."))
	require.ErrorContains(t, err, "more than 1048576 values")
	deep := "\x80\x04}\x8c\x04data" + strings.Repeat("]", 600) + strings.Repeat("a", 599) + "s."
	_, err = unpickleMessage([]byte(deep))
	require.ErrorContains(t, err, "deep")
	_, err = unpickle(make([]byte, MaxMessage+1))
	require.ErrorContains(t, err, "bytes")
}
