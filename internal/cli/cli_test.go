package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// output is a writer whose lines can be awaited.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits for text that fits pattern and returns its first group.
func (o *output) find(t *testing.T, pattern string) string {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(o.String()); m != nil {
			return m[1]
		}
		select {
		case <-o.more:
		case <-late:
			t.Fatalf("no %s in: %s", pattern, o)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, Main([]string{"version"}, &out, &errs))
	require.Regexp(t, `^throng \S+ go\S+ linux/\S+, browser client 4\.8\.4 \(.+\)\n$`, out.String())
	require.Empty(t, errs.String())
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, exitOK, Main([]string{"demo", "--help"}, &out, &errs))
	require.Contains(t, out.String(), "--cors-allowed-origins")
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"", "nonsense", "version extra", "demo extra", "demo --nonsense", "demo --loops x",
		"demo --loops -1", "demo --listen nowhere", "demo --cors-allowed-origins nowhere",
		"demo --client nowhere", "demo --client dir:/does/not/exist",
		"demo --trusted-proxies 10.0.0.0/33", "serve --trusted-proxies localhost",
		"serve --drain-time -1s",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, Main(strings.Fields(args), &out, &errs), args)
		require.Contains(t, errs.String(), "throng: ", args)
	}
}

func TestWrongUseNamesTheFlag(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	Main([]string{"demo", "--loops", "1000"}, &out, &errs)
	require.Contains(t, errs.String(), "--loops: 1000")
}

func TestTakenAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var out, errs bytes.Buffer
	require.Equal(t, exitRuntime,
		Main([]string{"demo", "--listen", l.Addr().String()}, &out, &errs))
	require.Contains(t, errs.String(), l.Addr().String())
}

// Not parallel: the signal is for the whole process.
func TestSignalEndsTheDemo(t *testing.T) {
	errs := newOutput()
	code := make(chan int, 1)
	go func() {
		code <- Main([]string{"demo", "--listen", "127.0.0.1:0", "--loops", "1"}, errs, errs)
	}()
	addr := errs.find(t, `open http://(\S+)`)
	require.Contains(t, errs.String(), "gomaxprocs=")
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()

	require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGTERM))
	select {
	case c := <-code:
		require.Equal(t, exitOK, c, errs.String())
	case <-time.After(shutdownTime + 5*time.Second):
		t.Fatal("does not end")
	}
}

// An end of the loops that no signal asked for must not look like success.
func TestUnaskedEnd(t *testing.T) {
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 1,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	err = run(srv, &ending{}, slog.New(slog.DiscardHandler),
		func(string) error { return srv.Shutdown(context.Background()) })
	var coded *codeError
	require.ErrorAs(t, err, &coded)
	require.Equal(t, exitEngine, coded.code)
	require.ErrorIs(t, err, errUnasked)
}
