package msgpack_test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/msgpack"
	"github.com/throng-server/throng/protocol/sio"
)

//go:embed testdata/peer.js
var peer string

// javascript runs testdata/peer.js on lines with the modules of the end-to-end
// tests and returns its answers.
func javascript(t *testing.T, lines []string) []string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not on PATH")
	}
	modules, err := filepath.Abs("../../e2e/node_modules")
	require.NoError(t, err)
	for _, name := range []string{"socket.io-msgpack-parser", "notepack.io", "socket.io-parser"} {
		if found, _ := filepath.Glob(filepath.Join(modules, name, "package.json")); found == nil {
			t.Skipf("%s is not installed: run npm ci in e2e", name)
		}
	}
	cmd := exec.Command(node, "-e", peer, modules)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var answers []string
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		answers = append(answers, scanner.Text())
	}
	return answers
}

// textLine is a packet in text form on one line.
func textLine(text []byte, atts [][]byte) string {
	var b strings.Builder
	b.Write(text)
	for _, a := range atts {
		fmt.Fprintf(&b, " %x", a)
	}
	return b.String()
}

// What the JavaScript encoder writes is, in text, what the JavaScript text
// encoder writes for the same packet.
func TestFromJavaScript(t *testing.T) {
	t.Parallel()
	seed := uint32(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	answers := javascript(t, []string{fmt.Sprintf("generate %d 3000", seed)})
	require.Len(t, answers, 3000)
	for _, answer := range answers {
		packed, want, ok := strings.Cut(answer, " ")
		require.True(t, ok)
		b, err := hex.DecodeString(packed)
		require.NoError(t, err)
		text, atts, err := msgpack.ToText(nil, b, msgpack.Limits{})
		require.NoError(t, err, answer)
		got := textLine(text, atts)
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		near := func(s string) string { return s[max(0, at-40):min(len(s), at+40)] }
		require.Equal(t, near(want), near(got))
		require.Equal(t, want, got)
	}
}

// What we write is read by the decoders of Node and of browsers as what we
// meant: they answer with what they have read in text form.
func TestToJavaScript(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var lines, want []string
	add := func(packed, text []byte, atts [][]byte) {
		lines = append(lines, "decode "+hex.EncodeToString(packed))
		want = append(want, textLine(text, atts))
	}
	both := func(args ...any) {
		text, atts, err := sio.AppendEvent(nil, "/a", 7, "ev", args)
		require.NoError(t, err)
		packed, err := msgpack.AppendEvent(nil, "/a", 7, "ev", args)
		require.NoError(t, err)
		add(packed, text, atts)
		packed, err = msgpack.FromText(nil, text, atts)
		require.NoError(t, err)
		add(packed, text, atts)
	}
	for n := range 70 {
		long := make([]any, n)
		for i := range long {
			long[i] = strings.Repeat("é", i)
		}
		both(long...)
		both(int64(1)<<min(n, 52), -(int64(1) << min(n, 52)), int64(1)<<min(n, 52)-1, float64(n)/3)
		both(map[string]any{"b": make([]byte, n*7), "l": long, "m": map[int]any{n: nil}})
	}
	both(time.UnixMilli(random.Int64N(1<<45)), time.UnixMilli(-random.Int64N(1<<45)), []byte{1},
		strings.Repeat("x", 70000), make([]byte, 70000), make([]int, 70000), 1e300, 1.5)
	both(sio.Raw{JSON: []byte(`[1,"é😀\n",{"a":{"_placeholder":true,"num":0}}]`), Attachments: [][]byte{{9}}})
	add(msgpack.AppendConnect(nil, "/a", "sid"), sio.AppendConnect(nil, "/a", "sid"), nil)
	add(msgpack.AppendDisconnect(nil, "/a"), sio.AppendDisconnect(nil, "/a"), nil)
	packed, err := msgpack.AppendAck(nil, "", 0, nil)
	require.NoError(t, err)
	add(packed, []byte("30[]"), nil)
	packed, err = msgpack.AppendConnectError(nil, "/", "no", []int{1}, true)
	require.NoError(t, err)
	add(packed, []byte(`4{"message":"no","data":[1]}`), nil)

	answers := javascript(t, lines)
	require.Len(t, answers, len(want))
	for i := range want {
		require.Equal(t, want[i], answers[i])
	}
}

// Dates and numbers without a JSON form keep their type.
func TestTypesInJavaScript(t *testing.T) {
	t.Parallel()
	packed, err := msgpack.AppendEvent(nil, "/", -1, "ev", []any{
		time.UnixMilli(1_763_671_396_123), []float64{math.NaN(), 1.5}, []byte{1}})
	require.NoError(t, err)
	require.Equal(t, []string{"String Date Array Uint8Array", "Number NaN Number 1.5"},
		javascript(t, []string{"types " + hex.EncodeToString(packed)}))
}
