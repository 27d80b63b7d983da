package queue

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/sio"
)

// recorder is a Sink that writes down what it is told, in words.
type recorder struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{}, 1)} }

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

func (t Target) String() string {
	s := "all"
	if len(t.Rooms) > 0 {
		s = fmt.Sprintf("%q", t.Rooms)
	}
	if len(t.Except) > 0 {
		s += fmt.Sprintf(" except %q", t.Except)
	}
	return s
}

func (r *recorder) Serves(ns string) bool { return ns == "/" || ns == "/chat" }

// packet is the text that clients get, with the attachments in hexadecimal.
func packet(ns, event string, args []any) (string, error) {
	text, atts, err := sio.AppendEvent(nil, ns, -1, event, args)
	for _, a := range atts {
		text = append(text, " "+hex.EncodeToString(a)...)
	}
	return string(text), err
}

func (r *recorder) Emit(ns string, to Target, f Flags, event string, args []any) error {
	text, err := packet(ns, event, args)
	if err != nil {
		return err
	}
	flags := ""
	if f&Volatile != 0 {
		flags += " volatile"
	}
	if f&Plain != 0 {
		flags += " plain"
	}
	r.note("%s to %v%s", text, to, flags)
	return nil
}

func (r *recorder) Join(ns string, to Target, rooms []string) {
	r.note("%s: %v join %q", ns, to, rooms)
}

func (r *recorder) Leave(ns string, to Target, rooms []string) {
	r.note("%s: %v leave %q", ns, to, rooms)
}

func (r *recorder) Disconnect(ns string, to Target, connections bool) {
	r.note("%s: disconnect %v %v", ns, to, connections)
}

func (r *recorder) CloseRoom(ns, room string) { r.note("%s: close %q", ns, room) }

func (r *recorder) ServerEvent(ns, event string, args []any) error {
	text, err := packet(ns, event, args)
	if err == nil {
		r.note("server %s", text)
	}
	return err
}

// told is what a command does, or the error it ends in.
func told(c command, err error) string {
	r := newRecorder()
	if err == nil {
		var known bool
		if known, err = c.run(r); err == nil && !known {
			return "unknown namespace"
		}
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(r.lines, "\n")
}

// bytesOf replaces {"bytes": hex} by the placeholder and the attachment that
// stand for it in arguments.
func bytesOf(v any, atts *[]string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = bytesOf(v[i], atts)
		}
	case map[string]any:
		if s, ok := v["bytes"].(string); ok {
			*atts = append(*atts, s)
			return map[string]any{"_placeholder": true, "num": len(*atts) - 1}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) { // the order of the test data
			v[k] = bytesOf(v[k], atts)
		}
	}
	return v
}

// wanted is the packet of the event "ev" with arguments as testdata has them.
func wanted(t *testing.T, want string) (args string, atts []string) {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(want))
	d.UseNumber()
	require.NoError(t, d.Decode(&v))
	atts = []string{}
	b, err := json.Marshal(bytesOf(v, &atts))
	require.NoError(t, err)
	return string(b), atts
}
