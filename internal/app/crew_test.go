package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/internal/app/stream"
	"github.com/throng-server/throng/internal/brokertest"
	"github.com/throng-server/throng/socketio"
)

// calls is the stream of the tests.
const calls = "calls"

// workerEnv makes the test's program a worker: "URL name".
const workerEnv = "THRONG_TEST_WORKER"

func TestMain(m *testing.M) {
	if url, name, ok := strings.Cut(os.Getenv(workerEnv), " "); ok {
		work(url, name)
	}
	os.Exit(m.Run())
}

func connectTo(url string) (valkey.Client, error) {
	return valkey.NewClient(valkey.ClientOption{InitAddress: []string{strings.TrimPrefix(url, "valkey://")},
		DisableCache: true, ForceSingleClient: true})
}

// next reads what a worker gets, at most n calls.
func next(c valkey.Client, name string, n int64) ([]valkey.XRangeEntry, error) {
	got, err := c.Do(context.Background(), c.B().Xreadgroup().Group(stream.Group, name).Count(n).
		Block(200).Streams().Key(calls).Id(">").Build()).AsXRead()
	if valkey.IsValkeyNil(err) {
		err = nil
	}
	return got[calls], err
}

// reply answers a call as a worker does.
func reply(c valkey.Client, e valkey.XRangeEntry, text string) error {
	f := e.FieldValues
	for _, r := range c.DoMulti(context.Background(), c.B().Multi().Build(),
		c.B().Xadd().Key(f["reply"]).Nomkstream().Id("*").FieldValue().FieldValue("id", f["id"]).
			FieldValue("namespace", f["namespace"]).FieldValue("answer", text).Build(),
		c.B().Xack().Key(calls).Group(stream.Group).Id(e.ID).Build(),
		c.B().Xdel().Key(calls).Id(e.ID).Build(), c.B().Exec().Build()) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// silent begins the names of workers that note nothing.
const silent = "silent"

// work is a worker process, until it is killed. It notes every event it handles.
func work(url, name string) {
	c, err := connectTo(url)
	if err == nil {
		_ = c.Do(context.Background(), c.B().XgroupCreate().Key(calls).Group(stream.Group).Id("0").
			Mkstream().Build()) // it may be there
	}
	for err == nil {
		var list []valkey.XRangeEntry
		if list, err = next(c, name, 8); err == nil {
			err = handle(c, name, list)
		}
	}
	fmt.Fprintln(os.Stderr, name, err)
	os.Exit(1)
}

// handle notes events and answers calls. Whoever is killed between has handled
// what another one will get.
func handle(c valkey.Client, name string, list []valkey.XRangeEntry) error {
	var notes, answers []string
	for _, e := range list {
		var call posted
		if err := json.Unmarshal([]byte(e.FieldValues["call"]), &call); err != nil {
			return err
		}
		if call.Type == "event" && !strings.HasPrefix(name, silent) {
			notes = append(notes, fmt.Sprintf("%s %s %s", call.Args, name, call.ID))
		}
		answers = append(answers, fmt.Sprintf(`{"do":[{"ack":%s}]}`, cmp.Or(string(call.Args), "[]")))
	}
	if len(notes) > 0 {
		err := c.Do(context.Background(), c.B().Rpush().Key("handled").Element(notes...).Build()).Error()
		if err != nil {
			return err
		}
	}
	for i, e := range list {
		if err := reply(c, e, answers[i]); err != nil {
			return err
		}
	}
	return nil
}

// employ starts a worker process.
func employ(t testing.TB, url, name string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := exec.Command(exe)
	p.Env = append(os.Environ(), workerEnv+"="+url+" "+name)
	p.Stderr = os.Stderr
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	return p
}

// crew are workers in this process.
type crew struct {
	valkey.Client
	t      testing.TB
	mu     sync.Mutex
	fields []map[string]string
}

// hire starts n workers, each of which answers what f returns; "-" is nothing,
// now and ever.
func hire(t testing.TB, b *brokertest.Server, n int, f func(posted) string) *crew {
	t.Helper()
	w := boss(t, b.URL())
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				list, err := next(w.Client, fmt.Sprint("w", i), 1)
				if err != nil {
					time.Sleep(10 * time.Millisecond) // no broker, or no group yet
					continue
				}
				for _, e := range list {
					w.mu.Lock()
					w.fields = append(w.fields, e.FieldValues)
					w.mu.Unlock()
					var call posted
					_ = json.Unmarshal([]byte(e.FieldValues["call"]), &call)
					if text := f(call); text != "-" {
						// Its connection may be from before a restart of the broker.
						for ctx.Err() == nil && reply(w.Client, e, text) != nil {
							time.Sleep(10 * time.Millisecond)
						}
					}
				}
			}
		})
	}
	return w
}

// boss looks at the broker.
func boss(t testing.TB, url string) *crew {
	t.Helper()
	c, err := connectTo(url)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &crew{Client: c, t: t}
}

func (w *crew) number(cmd ...string) int64 {
	w.t.Helper()
	n, err := w.Do(context.Background(), w.B().Arbitrary(cmd...).Build()).AsInt64()
	require.NoError(w.t, err)
	return n
}

// pending returns how many calls a consumer, or all, have in hand.
func (w *crew) pending(consumer string) (ids []string) {
	w.t.Helper()
	cmd := []string{"XPENDING", calls, stream.Group, "-", "+", "100000"}
	if consumer != "" {
		cmd = append(cmd, consumer)
	}
	rows, err := w.Do(context.Background(), w.B().Arbitrary(cmd...).Build()).ToArray()
	require.NoError(w.t, err)
	for _, r := range rows {
		row, err := r.ToArray()
		require.NoError(w.t, err)
		id, err := row[0].ToString()
		require.NoError(w.t, err)
		ids = append(ids, id)
	}
	return ids
}

func (w *crew) seen() []map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]map[string]string(nil), w.fields...)
}

// staffed is serve with a stream that is connected.
func staffed(t testing.TB, url string, o Options) (*socketio.Server, *App) {
	t.Helper()
	o.Stream, o.Broker = calls, url
	srv, a := serve(t, o)
	require.Eventually(t, func() bool { return a.Stats().Streams[0].Connected }, patience,
		time.Millisecond)
	return srv, a
}
