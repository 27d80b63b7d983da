package demo

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

const patience = 10 * time.Second

// start serves the demos and returns host:port.
func start(t *testing.T) string {
	t.Helper()
	srv, err := socketio.NewServer(socketio.Options{Addr: "127.0.0.1:0", Loops: 2,
		Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	Mount(srv)
	require.NoError(t, srv.Start())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	})
	return srv.Addr().String()
}

// peer is a client that speaks the wire form by hand.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   io.Reader
	nsp  string // "" or "/chat,"
	sid  string
	// asked is the number of the acknowledgement that the server waits for.
	asked string
}

// dial connects to a namespace and reads up to the CONNECT answer.
func dial(t *testing.T, addr, nsp string) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, early, _, err := ws.Dial(ctx, "ws://"+addr+"/socket.io/?EIO=4&transport=websocket")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	p := &peer{t: t, conn: conn, in: conn, nsp: nsp}
	if early != nil { // came in the same segment as the handshake's answer
		p.in = early
	}
	require.Regexp(t, `^0\{"sid":`, p.read())
	p.write("40" + nsp)
	m := regexp.MustCompile(`^40` + regexp.QuoteMeta(nsp) + `\{"sid":"([^"]+)"`).
		FindStringSubmatch(p.read())
	require.NotNil(t, m)
	p.sid = m[1]
	return p
}

func (p *peer) read() string {
	p.t.Helper()
	b, err := wsutil.ReadServerText(duplex{p.in, p.conn})
	require.NoError(p.t, err)
	return string(b)
}

// duplex reads here and writes there.
type duplex struct {
	io.Reader
	io.Writer
}

func (p *peer) write(text string) {
	p.t.Helper()
	require.NoError(p.t, wsutil.WriteClientText(p.conn, []byte(text)))
}

func (p *peer) emit(event string, arg any) {
	p.t.Helper()
	b, err := json.Marshal([]any{event, arg})
	require.NoError(p.t, err)
	p.write("42" + p.nsp + string(b))
}

// hears requires the next event of that name to have that argument. Others,
// such as a member count, may come before it.
func (p *peer) hears(event string, arg any) {
	p.t.Helper()
	want, err := json.Marshal(arg)
	require.NoError(p.t, err)
	require.JSONEq(p.t, string(want), string(p.next(event)), event)
}

// next returns the first argument of the next event of that name.
func (p *peer) next(event string) json.RawMessage {
	p.t.Helper()
	for {
		if name, args := p.event(); name == event {
			if len(args) == 0 {
				return nil
			}
			return args[0]
		}
	}
}

// event reads the next event; an acknowledgement is one named by its number.
// Whether the server asks for an acknowledgement goes into p.asked.
func (p *peer) event() (name string, args []json.RawMessage) {
	p.t.Helper()
	text := p.read()
	for text == "2" { // a heartbeat
		p.write("3")
		text = p.read()
	}
	m := packet.FindStringSubmatch(text)
	require.NotNil(p.t, m, text)
	require.Equal(p.t, p.nsp, m[2], text)
	if m[1] == "41" {
		return "disconnect", nil
	}
	require.NoError(p.t, json.Unmarshal([]byte(m[4]), &args), text)
	if m[1] == "43" {
		return m[3], args
	}
	p.asked = m[3]
	require.NoError(p.t, json.Unmarshal(args[0], &name), text)
	return name, args[1:]
}

// packet: its type, namespace, acknowledgement number and arguments.
var packet = regexp.MustCompile(`(?s)^(4[123])((?:/[a-z]+,)?)([0-9]*)(.*)$`)

// refused requires the server to say that it did not serve an event.
func (p *peer) refused(event, msg string) {
	p.t.Helper()
	p.hears("request_error", obj{"event": event, "msg": msg})
}

type obj map[string]any

// requires makes a request and requires its answer in JSON.
func requires(t *testing.T, method, url string, code int, want string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, code, res.StatusCode, string(body))
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.JSONEq(t, want, string(body))
}

func TestPages(t *testing.T) {
	t.Parallel()
	addr := start(t)
	get := func(path string) (*http.Response, string) {
		res, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}
	for path, contentType := range map[string]string{
		"/": "text/html", "/chat": "text/html", "/broadcast": "text/html",
		"/assets/style.css": "text/css", "/assets/page.js": "text/javascript",
		"/assets/chat.js": "text/javascript", "/assets/broadcast.js": "text/javascript",
	} {
		res, body := get(path)
		require.Equal(t, 200, res.StatusCode, path)
		require.Contains(t, res.Header.Get("Content-Type"), contentType, path)
		require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
		require.NotContains(t, body, "innerHTML", path)
	}
	_, index := get("/")
	for _, m := range regexp.MustCompile(`href="(/[^"]*)"`).FindAllStringSubmatch(index, -1) {
		res, _ := get(m[1])
		require.Equal(t, 200, res.StatusCode, "the index links to %s", m[1])
	}
	for _, path := range []string{"/nothing", "/assets/", "/assets/doc.go", "/pages/chat.html"} {
		res, _ := get(path)
		require.Equal(t, 404, res.StatusCode, path)
	}
}
