package blackbox

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// waveClients is how many clients of each kind a wave has at the same time.
const waveClients = 60

// Two waves of the same clients: what is there afterwards is the same, to the
// goroutine and the descriptor. One that each wave, or a hundredth of its
// clients, left behind would show.
func TestWavesLeaveNothing(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"THRONG_INTERNAL_LISTEN=127.0.0.1:0", "THRONG_API_KEYS=" + waveKey},
		"serve", "--listen", "127.0.0.1:0", "--loops", "2", "--ping-interval", "1s",
		"--ping-timeout", "1s", "--max-http-buffer-size", "1000")
	w := &watched{t: t, p: p, internal: p.find(`internal port.*address"?[=:]"?(127[.\d]+:\d+)`),
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1}}}
	w.addr = p.listening()
	w.wave()
	first := w.settle(nil)
	w.wave()
	second := w.settle(&first)
	require.Equal(t, first, second)
	p.signal(syscall.SIGTERM)
	require.Equal(t, 0, p.code())
}

const waveKey = "wave-0123456789abcdef"

// watched is a process that is looked into.
type watched struct {
	t              *testing.T
	p              *process
	addr, internal string
	http           *http.Client
}

// traces is what waves may leave behind.
type traces struct {
	goroutines map[string]int // by what started them; workers apart
	fds        int
	gauges     string // those that have to be 0
}

// wave is clients of every kind, all at once, that leave in every way.
func (w *watched) wave() {
	var wg, in sync.WaitGroup
	leave := make(chan struct{})
	var mu sync.Mutex
	var problems []error
	for i := range waveClients {
		for kind, f := range []func(i int, in func(), leave <-chan struct{}) error{
			w.socket, w.poller, w.page, w.stranger,
		} {
			in.Add(1)
			wg.Go(func() {
				err := f(i, sync.OnceFunc(in.Done), leave)
				if err != nil {
					mu.Lock()
					problems = append(problems, fmt.Errorf("kind %d: %w", kind, err))
					mu.Unlock()
				}
			})
		}
	}
	arrived := make(chan struct{})
	go func() { in.Wait(); close(arrived) }()
	select {
	case <-arrived:
	case <-time.After(20 * time.Second):
		mu.Lock()
		defer mu.Unlock()
		require.FailNow(w.t, "not all have come", "%v", problems)
	}
	w.emit()
	close(leave)
	wg.Wait()
	require.Empty(w.t, problems)
}

// socket is a WebSocket that asks and is answered; then it closes, resets, or
// breaks the rules.
func (w *watched) socket(i int, in func(), leave <-chan struct{}) error {
	defer in()
	c, err := join(w.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := wsutil.WriteClientText(c, []byte(`421["nobody handles this"]`)); err != nil {
		return err
	}
	for got := ""; !strings.HasPrefix(got, "431"); {
		b, err := wsutil.ReadServerText(c)
		if err != nil {
			return err
		}
		got = string(b)
	}
	in()
	<-leave
	switch i % 3 {
	case 0:
		_ = wsutil.WriteClientText(c, []byte("41"))
	case 1:
		_ = wsutil.WriteClientText(c, bytes.Repeat([]byte{'4'}, 2000)) // too long
		_, _ = io.Copy(io.Discard, c)
	case 2:
		if b, ok := c.(*buffered); ok {
			c = b.Conn
		}
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

// poller polls, and leaves by a packet or by silence.
func (w *watched) poller(i int, in func(), leave <-chan struct{}) error {
	defer in()
	h := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer h.CloseIdleConnections()
	url := "http://" + w.addr + "/socket.io/?EIO=4&transport=polling"
	get := func() (string, error) {
		r, err := h.Get(url)
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return string(b), err
	}
	post := func(text string) error {
		r, err := h.Post(url, "text/plain", strings.NewReader(text))
		if err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			err = r.Body.Close()
		}
		return err
	}
	text, err := get()
	if err != nil || len(text) < 29 {
		return fmt.Errorf("%q, %w", text, err)
	}
	url += "&sid=" + text[len(`0{"sid":"`):][:20]
	if err := post("40"); err != nil {
		return err
	}
	if text, err = get(); err != nil || !strings.HasPrefix(text, "40{") {
		return fmt.Errorf("%q, %w", text, err)
	}
	in()
	<-leave
	if i%2 == 0 {
		return post("1")
	}
	return nil
}

// page asks for what net/http answers, on a connection that stays a while.
func (w *watched) page(_ int, in func(), leave <-chan struct{}) error {
	defer in()
	h := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer h.CloseIdleConnections()
	r, err := h.Get("http://" + w.addr + "/healthz")
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, r.Body)
	in()
	<-leave
	return r.Body.Close()
}

// stranger sends what is no request, or only half of one.
func (w *watched) stranger(i int, in func(), leave <-chan struct{}) error {
	defer in()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	text := "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
	if i%2 == 0 {
		text = "\x16\x03\x01 this is TLS\r\n\r\n"
	}
	_, err = io.WriteString(c, text)
	in()
	<-leave
	return err
}

// emit pushes to all through the API, and asks them.
func (w *watched) emit() {
	for _, body := range []string{`{"event":"n","args":[1]}`,
		`{"event":"n","args":[1],"ack":true,"timeout_ms":50}`} {
		req, err := http.NewRequest("POST", "http://"+w.internal+"/api/v1/emit", strings.NewReader(body))
		require.NoError(w.t, err)
		req.Header.Set("Authorization", "Bearer "+waveKey)
		req.Header.Set("Content-Type", "application/json")
		r, err := w.http.Do(req)
		require.NoError(w.t, err)
		_, _ = io.Copy(io.Discard, r.Body)
		require.NoError(w.t, r.Body.Close())
		require.Equal(w.t, 200, r.StatusCode)
	}
}

// get asks the internal port, always on the same connection.
func (w *watched) get(path string) string {
	r, err := w.http.Get("http://" + w.internal + path)
	require.NoError(w.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(w.t, err)
	return string(b)
}

var goneGauges = regexp.MustCompile(`(?m)^throng_(connections|websockets|sessions|sessions_detached|` +
	`sockets\{.*\}|rooms|room_memberships|write_queue_bytes|mailboxes_queued|mailbox_bytes|` +
	`loop_connections\{.*\}|loop_blocked_connections\{.*\}) (.*)$`)

var (
	handlerWorkers = regexp.MustCompile(`(?m)^throng_workers (\d+)$`)
	starter        = regexp.MustCompile(`(?m)^created by (\S+)`)
)

// look reads the traces. Descriptors are counted from outside, goroutines by
// their stacks.
func (w *watched) look() (tr traces, quiet bool) {
	text := w.get("/metrics")
	quiet = true
	for _, m := range goneGauges.FindAllStringSubmatch(text, -1) {
		quiet = quiet && m[2] == "0"
		tr.gauges += m[0] + "\n"
	}
	workers := 0
	tr.goroutines = map[string]int{}
	for stack := range strings.SplitSeq(w.get("/debug/pprof/goroutine?debug=2"), "\n\n") {
		if strings.Contains(stack, "netpoll.(*worker).loop(") {
			workers++
			continue
		}
		// gnet has a pool as well, whose workers end when they have been idle.
		if strings.Contains(stack, "ants/v2.(*goWorker).run") {
			continue
		}
		by := starter.FindStringSubmatch(stack)
		if by == nil {
			by = []string{"", "main"}
		}
		tr.goroutines[by[1]]++
	}
	// Handlers and admission have a pool each; more workers than one a processor
	// end after ten idle seconds.
	m := handlerWorkers.FindStringSubmatch(text)
	require.NotNil(w.t, m)
	handling, err := strconv.Atoi(m[1])
	require.NoError(w.t, err)
	quiet = quiet && max(handling, workers-handling) <= max(2, runtime.NumCPU())
	fds, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(w.p.cmd.Process.Pid), "fd"))
	require.NoError(w.t, err)
	tr.fds = len(fds)
	return tr, quiet
}

// settle waits until the wave is over: nobody is there, the workers above those
// that stay have ended, and the least that was there for a while does not become
// less. want is what it should come to.
func (w *watched) settle(want *traces) traces {
	w.t.Helper()
	const looks = 20
	var before traces
	for end := time.Now().Add(30 * time.Second); ; {
		least, all := w.look()
		for range looks {
			time.Sleep(50 * time.Millisecond)
			now, quiet := w.look()
			all = all && quiet
			least.fds, least.gauges = min(least.fds, now.fds), now.gauges
			for by, n := range least.goroutines {
				if least.goroutines[by] = min(n, now.goroutines[by]); now.goroutines[by] == 0 {
					delete(least.goroutines, by)
				}
			}
		}
		wish := &before
		if want != nil {
			wish = want
		}
		if all && reflect.DeepEqual(least, *wish) {
			return least
		}
		if before = least; time.Now().After(end) {
			require.True(w.t, all, "the wave is not over: %s", least.gauges)
			return least
		}
	}
}
