package demo

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
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
	require.Regexp(t, `^40`+regexp.QuoteMeta(nsp)+`\{"sid":`, p.read())
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

// hears requires the next event to be that one.
func (p *peer) hears(event string, arg any) {
	p.t.Helper()
	body, ok := strings.CutPrefix(p.read(), "42"+p.nsp)
	require.True(p.t, ok)
	want, err := json.Marshal([]any{event, arg})
	require.NoError(p.t, err)
	require.JSONEq(p.t, string(want), body)
}

type obj map[string]any

func TestChat(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, "/chat,"), dial(t, addr, "/chat,")

	a.emit("join_room", obj{"room": "kitchen"})
	a.hears("room_message", "Joined kitchen")
	b.emit("join_room", obj{"room": "kitchen"})
	a.hears("room_message", "Joined kitchen")
	b.hears("room_message", "Joined kitchen")

	a.emit("room_message", obj{"room": "kitchen", "msg": "<b>soup</b>"})
	a.hears("room_message", "<b>soup</b>")
	b.hears("room_message", "<b>soup</b>")

	// What b hears next is of the room it joined, not of the one it left.
	b.emit("leave_room", obj{"room": "kitchen"})
	b.emit("join_room", obj{"room": "garden"})
	b.hears("room_message", "Joined garden")
	a.emit("room_message", obj{"room": "kitchen", "msg": "gone?"})
	a.hears("room_message", "gone?")
	b.emit("room_message", obj{"room": "garden", "msg": "tea"})
	b.hears("room_message", "tea")
}

func TestChatBoundsWhatClientsAskFor(t *testing.T) {
	t.Parallel()
	a := dial(t, start(t), "/chat,")
	a.emit("join_room", obj{"room": ""})
	a.emit("join_room", obj{"room": strings.Repeat("x", maxRoomName+1)})
	a.emit("join_room", "no object")
	for i := range maxRooms + 5 {
		a.emit("join_room", obj{"room": string(rune('a' + i))})
	}
	for i := range maxRooms {
		a.hears("room_message", "Joined "+string(rune('a'+i)))
	}
	a.emit("room_message", obj{"room": "a", "msg": "next"})
	a.hears("room_message", "next")
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a := dial(t, addr, "")
	a.hears("status", obj{"msg": "Connected"})
	b := dial(t, addr, "")
	b.hears("status", obj{"msg": "Connected"})
	a.emit("message", obj{"msg": "hello"})
	a.hears("response", obj{"message": "hello"})
	b.hears("response", obj{"message": "hello"})
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
