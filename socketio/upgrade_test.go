package socketio

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// stream checks that every number of a kind comes once and in order, and that
// binary ones have their attachment.
type stream struct {
	t       testing.TB
	next    map[string]int
	want    int
	pending string // attachment awaited: its text packet
}

func (s *stream) done() bool { return s.next["all"] >= s.want && s.next["own"] >= s.want }

// packet takes a packet in its polling form.
func (s *stream) packet(p string) bool {
	switch {
	case p == "6" || p == "2" || strings.HasPrefix(p, "40"):
		return true
	case strings.HasPrefix(p, "b"):
		ok := s.pending != ""
		s.pending = ""
		return ok
	case s.pending != "":
		return false
	}
	body := strings.TrimPrefix(p, "42")
	if strings.HasPrefix(p, "451-") {
		body, s.pending = p[4:], p
	}
	parts := strings.SplitN(strings.Trim(body, "[]"), ",", 3)
	kind := strings.Trim(parts[0], `"`)
	n, err := strconv.Atoi(parts[1])
	// A client joins the broadcasts wherever they are.
	want, began := s.next[kind]
	if err != nil || n != want && (began || kind == "own") {
		return false
	}
	s.next[kind] = n + 1
	return true
}

// Broadcasts and emits go on while clients change from polling to WebSocket,
// on the session's loop and on others: each client sees every number once and
// in order.
func TestUpgradeUnderFire(t *testing.T) {
	size := underFire
	if size.ramp == 0 {
		t.Parallel()
	}
	for _, loops := range size.loops {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) {
			if size.ramp == 0 {
				t.Parallel()
			}
			stop := make(chan struct{})
			s := serve(t, Options{Loops: loops}, func(s *Server) {
				s.On("stream", sendStream)
				s.OnConnection(func(k *Socket) {
					go func() {
						for i := 0; k.Emit("own", i, []byte{1, byte(i)}) == nil; i++ {
							time.Sleep(size.period)
						}
					}()
				})
			})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(size.period):
						_ = s.Emit("all", i)
					}
				}
			})
			var all sync.WaitGroup
			for i := range size.clients {
				all.Go(func() {
					time.Sleep(size.ramp * time.Duration(i) / time.Duration(size.clients))
					size.fire(t, s, i%4 == 0)
				})
			}
			if size.official > 0 {
				all.Go(func() {
					time.Sleep(size.ramp / 4)
					size.officials(t, s)
				})
			}
			all.Wait()
			close(stop)
			wg.Wait()
			soon(t, "all sessions end", func() bool {
				st := s.Stats()
				return st.Detached == 0 && st.WebSockets == 0 && st.QueuedBytes == 0
			})
		})
	}
}

// fireSize is how much fire there is.
type fireSize struct {
	clients int
	last    int           // number of messages of each kind that a client awaits
	period  time.Duration // between two messages of a kind
	polls   int           // at most so many before the upgrade, and at least one
	ramp    time.Duration // until the last client has come
	loops   []int
	// official clients upgrade meanwhile, under 50 messages a second each.
	official int
}

// sendStream is what e2e's test server does for "stream".
func sendStream(k *Socket, e *Event) {
	var count, every int
	if e.Bind(&count, &every) != nil {
		return
	}
	go func() {
		for i := range count {
			time.Sleep(time.Duration(every) * time.Millisecond)
			args := []any{i}
			if i%10 == 9 {
				args = append(args, []byte{byte(i)})
			}
			if k.Emit("n", args...) != nil {
				return
			}
		}
	}()
}

func (size *fireSize) officials(t *testing.T, s *Server) {
	cmd := exec.CommandContext(t.Context(), "node", "../e2e/lib/underfire.js",
		"http://"+s.Addr().String(), strconv.Itoa(size.official), "400")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("official clients: %v: %s", err, out)
	}
	t.Logf("%s", out)
}

// fire is one client; a lazy one does not poll between the probe and the end.
func (size *fireSize) fire(t *testing.T, s *Server, lazy bool) {
	p := pollDial(t, s)
	st := &stream{t: t, next: map[string]int{}, want: size.last}
	take := func(payload string) bool {
		for _, packet := range strings.Split(payload, "\x1e") {
			if !st.packet(packet) {
				t.Errorf("%q after %v", packet, st.next)
				return false
			}
			if packet == "2" {
				p.post("3")
			}
		}
		return true
	}
	poll := func() bool {
		got, _ := p.get()
		return take(got)
	}
	if p.early != "" && !take(p.early) {
		return
	}
	for range 1 + rand.IntN(size.polls) {
		if !poll() {
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, br, _, err := ws.Dialer{}.Dial(ctx, strings.Replace(strings.Replace(p.url, "http", "ws", 1),
		"transport=polling", "transport=websocket", 1))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience + size.period*time.Duration(2*size.last)))
	var r io.Reader = conn
	if br != nil {
		r = br
	}
	r = bufio.NewReader(r)
	send := func(text string) { _ = wsutil.WriteClientText(conn, []byte(text)) }
	send("2probe")
	if _, probe := frame(t, r); probe != "3probe" {
		t.Errorf("%q, expected 3probe", probe)
		return
	}
	if !lazy {
		for range 1 + rand.IntN(4) {
			if !poll() {
				return
			}
		}
	}
	send("5")
	for !st.done() {
		op, text := frame(t, r)
		switch {
		case op == ws.OpClose:
			t.Errorf("closed after %v", st.next)
			return
		case op == ws.OpBinary:
			text = "b" + text
		case text == "6":
			t.Error("a noop on a WebSocket")
			return
		}
		if !st.packet(text) {
			t.Errorf("%q after %v", text, st.next)
			return
		}
	}
}

func frame(t *testing.T, r io.Reader) (ws.OpCode, string) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		t.Error(err)
		return ws.OpClose, ""
	}
	b := make([]byte, h.Length)
	_, err = io.ReadFull(r, b)
	if err != nil {
		t.Error(err)
		return ws.OpClose, ""
	}
	return h.OpCode, string(b)
}
