package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// Connections that are reset at any byte of any request, or while they wait
// for the answer, leave nothing behind: no session, goroutine or descriptor.
func TestResetsLeaveNothing(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(loops, " loops"), func(t *testing.T) { resetMany(t, loops) })
	}
}

func resetMany(t *testing.T, loops int) {
	warm, err := net.Listen("tcp", "127.0.0.1:0") // Go's own poller stays
	require.NoError(t, err)
	require.NoError(t, warm.Close())
	fds, goroutines := countFDs(t), countGoroutines()
	var opened, ended atomic.Int64
	r := startLoops(t, loops, func(o *Options) {
		o.AllowEIO3 = true
		o.PingInterval, o.PingTimeout = 500*time.Millisecond, 500*time.Millisecond
		o.UpgradeTimeout = 200 * time.Millisecond
		o.Open = func(*Loop) Upper { return &counted{opened: &opened, ended: &ended} }
	})
	aliveFDs, aliveGoroutines := countFDs(t), countGoroutines()

	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := next.Add(1); n <= resets; n = next.Add(1) {
				r.reset(t, int(n), rand.Float64())
			}
		})
	}
	all.Wait()
	r.quiet(t)
	await(t, "no more descriptors and goroutines than before", func() (string, bool) {
		f, g := countFDs(t), countGoroutines()
		return fmt.Sprintf("%d of %d descriptors, %d of %d goroutines", f, aliveFDs, g,
			aliveGoroutines), f <= aliveFDs && g <= aliveGoroutines
	})
	require.GreaterOrEqual(t, r.Stats().Accepted, uint64(resets))
	require.Positive(t, opened.Load())
	require.Equal(t, opened.Load(), ended.Load(), "each session ends once")
	require.Zero(t, r.Stats().Panics)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	await(t, "nothing of the server", func() (string, bool) {
		f, g := countFDs(t), countGoroutines()
		return fmt.Sprint(f-fds, " descriptors, ", g-goroutines, " goroutines left"),
			f <= fds && g <= goroutines
	})
}

// counted is an echo that counts sessions.
type counted struct {
	echo
	opened, ended *atomic.Int64
}

func (c *counted) Opened([]byte, bool, net.Addr) { c.opened.Add(1) }
func (c *counted) Ended(string)                  { c.ended.Add(1) }

// resetScripts are what clients say: from a session's id to everything they
// write.
var resetScripts = []func(sid string) string{
	func(string) string { return get("EIO=4&transport=polling") },
	func(string) string { return get("EIO=3&transport=polling") },
	func(string) string {
		return shake("EIO=4&transport=websocket") + frames("4hello", "3", "1")
	},
	func(string) string { return shake("EIO=3&transport=websocket") + frames("4hello", "2") },
	func(sid string) string { return get("EIO=4&transport=polling&sid=" + sid) },
	func(sid string) string { return post(sid, "4hello") },
	func(sid string) string { return post(sid, "4hello") + get("EIO=4&transport=polling&sid="+sid) },
	func(sid string) string {
		return shake("EIO=4&transport=websocket&sid="+sid) + frames("2probe", "5", "4hello")
	},
	func(string) string {
		return page + get("EIO=4&transport=polling") + shake("EIO=4&transport=websocket")
	},
	func(sid string) string {
		return page + shake("EIO=4&transport=websocket&sid="+sid) + frames("2probe", "5")
	},
	func(sid string) string { return page + get("EIO=4&transport=polling&sid="+sid) },
	func(sid string) string { return page + post(sid, "4hello") },
}

const page = "GET /page HTTP/1.1\r\nHost: x\r\n\r\n"

func get(query string) string {
	return "GET /socket.io/?" + query + " HTTP/1.1\r\nHost: x\r\n\r\n"
}

func post(sid, body string) string {
	return fmt.Sprintf("POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"+
		"Content-Length: %d\r\n\r\n%s", sid, len(body), body)
}

func shake(query string) string {
	return strings.Replace(get(query), "\r\n\r\n", "\r\n"+upgrade+"\r\n", 1)
}

func frames(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text)))))
	}
	return b.String()
}

// reset says part of script i, waits now and then, and resets the connection.
func (r *rig) reset(t *testing.T, i int, part float64) {
	sid := ""
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 4096)
	script := resetScripts[i%len(resetScripts)]
	if text := script("SID"); strings.Contains(text, "SID") {
		p, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		_ = p.SetDeadline(time.Now().Add(patience))
		_, _ = p.Write([]byte(get("EIO=4&transport=polling")))
		n := 0
		for err == nil && !bytes.Contains(b[:n], []byte(`"maxPayload"`)) {
			var m int
			m, err = p.Read(b[n:])
			n += m
		}
		_, after, ok := bytes.Cut(b[:n], []byte(`"sid":"`))
		if _ = p.Close(); !ok {
			t.Errorf("no session: %q", b[:n])
			return
		}
		sid = string(after[:IDLen])
	}
	text := script(sid)
	_, _ = c.Write([]byte(text[:int(part*float64(len(text)))]))
	switch rand.IntN(4) {
	case 0: // the answer, or part of it, has come
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, _ = c.Read(b[:1+rand.IntN(200)])
	case 1:
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
}

// quiet waits until all sessions and connections have ended.
func (r *rig) quiet(t *testing.T) {
	t.Helper()
	await(t, "all to end", func() (string, bool) {
		st := r.Stats()
		return fmt.Sprintf("%+v", st), st.Detached == 0 && st.HTTPConns == 0 && st.Conns == 0
	})
}

// await waits for a condition; the text says how far it is.
func await(t *testing.T, what string, f func() (string, bool)) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		text, ok := f()
		if ok {
			return
		}
		require.True(t, time.Now().Before(end), "%s: %s", what, text)
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// countGoroutines leaves out those of gnet's pool, which is the process's.
func countGoroutines() int {
	b := make([]byte, 1<<20)
	b = b[:runtime.Stack(b, true)]
	n := 0
	for g := range bytes.SplitSeq(b, []byte("\n\n")) {
		if !bytes.Contains(g, []byte("panjf2000/ants")) {
			n++
		}
	}
	return n
}
