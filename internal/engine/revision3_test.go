package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/protocol/eio"
)

func old(o *Options) { o.AllowEIO3 = true }

// ask3 sends a request of revision 3; sid may be empty.
func (r *rig) ask3(t *testing.T, method, sid, query, fields, body string) answer {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	if sid != "" {
		query += "&sid=" + sid
	}
	if method == "POST" {
		fields += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	_, err = fmt.Fprintf(c, "%s /socket.io/?EIO=3&transport=polling%s HTTP/1.1\r\nHost: x\r\n%s\r\n%s",
		method, query, fields, body)
	require.NoError(t, err)
	return end(t, c, method)
}

// open3 opens a session and returns its id.
func (r *rig) open3(t *testing.T, query string) string {
	t.Helper()
	a := r.ask3(t, "GET", "", query, "", "")
	require.Equal(t, 200, a.status, a.body)
	_, sid, ok := strings.Cut(a.body, `{"sid":"`)
	require.True(t, ok, a.body)
	return sid[:IDLen]
}

func TestRevision3IsRefusedUnlessAllowed(t *testing.T) {
	t.Parallel()
	a := start(t, nil).ask3(t, "GET", "", "", "", "")
	require.Equal(t, 400, a.status)
	require.Equal(t, `{"code":5,"message":"Unsupported protocol version"}`, a.body)
	r := start(t, old)
	for _, version := range []string{"", "EIO=2&", "EIO=abc&", "EIO=33&"} {
		const target = "/socket.io/?%stransport=polling"
		resp := r.request(t, "GET", fmt.Sprintf(target, version), "")
		require.Equal(t, 400, resp.StatusCode, version)
	}
}

func TestRevision3Polling(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 3} {
		r := startLoops(t, loops, old)
		a := r.ask3(t, "GET", "", "", "", "")
		require.Regexp(t, `^1\d\d:0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],.*\}$`, a.body)
		require.Equal(t, textPlain, a.header.Get("Content-Type"))
		for range 4 {
			sid := r.open3(t, "")
			require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", "2:4a1:26:4hello").body)
			a = r.ask3(t, "GET", sid, "", "", "")
			require.Equal(t, "2:4a1:36:4hello", a.body)

			// Lengths are UTF-16 units; text beyond ASCII comes in the binary form.
			require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", "3:4👩").body)
			a = r.ask3(t, "GET", sid, "", "", "")
			require.Equal(t, octetStream, a.header.Get("Content-Type"))
			require.Equal(t, "\x00\x05\xff4👩", a.body)

			for _, post := range [][2]string{
				{"", "10:b4AQIDBA==6:4hello"},
				{"Content-Type: application/octet-stream\r\n",
					"\x01\x05\xff\x04\x01\x02\x03\x04\x00\x06\xff4hello"},
			} {
				require.Equal(t, "ok", r.ask3(t, "POST", sid, "", post[0], post[1]).body)
				a = r.ask3(t, "GET", sid, "", "", "")
				require.Equal(t, octetStream, a.header.Get("Content-Type"))
				require.Equal(t, "\x01\x05\xff\x04\x01\x02\x03\x04\x00\x06\xff4hello", a.body)
			}
			// The other revision has no business here.
			p := &poller{t: t, r: r, sid: sid}
			require.Equal(t, 400, p.get().status)
			require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", "1:1").body)
			require.Equal(t, ReasonTransportClose, <-r.ends)
		}
	}
}

func TestRevision3Base64(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	sid := r.open3(t, "&b64=1")
	require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", "10:b4AQIDBA==").body)
	a := r.ask3(t, "GET", sid, "", "", "")
	require.Equal(t, "10:b4AQIDBA==", a.body)
	require.Equal(t, textPlain, a.header.Get("Content-Type"))

	c := r.dial3(t, "&b64=1")
	require.NoError(t, wsutil.WriteClientText(c, []byte("b4AQID")))
	require.Equal(t, "b4AQID", next(t, c))
}

// Browsers with the client 1.3 are lost with an answer that is text.
func TestRevision3OctetsForClientsThatLoseText(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	const dated = "&t=1795221326020-0"
	for query, want := range map[string]string{
		dated:                   octetStream,
		dated + "&b64=1":        textPlain, // it is no browser
		"&t=PX_abc-1":           textPlain,
		"&t=1795221326020":      textPlain,
		"&t=179522132602x-0":    textPlain,
		"&t=1795221326020-0x":   textPlain,
		"&t=1795221326020-":     textPlain,
		"&t=17952213260201-0":   textPlain,
		"&t=1795221326020%2D12": octetStream,
	} {
		a := r.ask3(t, "GET", "", query, "", "")
		require.Equal(t, want, a.header.Get("Content-Type"), query)
	}

	a := r.ask3(t, "GET", "", dated, "", "")
	pk := eio.IterBinaryPayload3([]byte(a.body))
	require.True(t, pk.Next(), "%q", a.body)
	require.Equal(t, eio.Open, pk.Packet().Type)
	require.False(t, pk.Next())

	sid := r.open3(t, dated)
	require.Equal(t, "ok", r.ask3(t, "POST", sid, dated, "", "6:4hello").body)
	a = r.ask3(t, "GET", sid, dated, "", "")
	require.Equal(t, "\x00\x06\xff4hello", a.body)
	first := make(chan string, 1)
	go func() { first <- r.ask3(t, "GET", sid, dated, "", "").body }()
	r.waiting(t, &poller{t: t, r: r, sid: sid})
	require.Equal(t, 400, r.ask3(t, "GET", sid, dated, "", "").status)
	require.Equal(t, "\x00\x01\xff1", <-first, "a packet without content, too")
}

func TestRevision3ParseErrorsAndSecondPoll(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	for _, body := range []string{"", "4hello", "9:4a", "0:", "1:9"} {
		sid := r.open3(t, "")
		require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", body).body, body)
		require.Equal(t, ReasonParseError, <-r.ends, body)
	}
	sid := r.open3(t, "")
	first := make(chan string, 1)
	go func() { first <- r.ask3(t, "GET", sid, "", "", "").body }()
	r.waiting(t, &poller{t: t, r: r, sid: sid})
	require.Equal(t, 400, r.ask3(t, "GET", sid, "", "", "").status)
	require.Equal(t, "1:1", <-first)
}

func TestScriptTags(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	a := r.ask3(t, "GET", "", "&j=0&b64=1", "", "")
	require.Regexp(t, `^___eio\[0\]\("1\d\d:0\{\\"sid\\":\\".*\);$`, a.body)
	_, sid, _ := strings.Cut(a.body, `\"sid\":\"`)
	sid = sid[:IDLen]
	body := "d=" + url.QueryEscape(`7:4"a\nb\\n`)
	form := "Content-Type: application/x-www-form-urlencoded\r\n"
	require.Equal(t, "ok", r.ask3(t, "POST", sid, "&j=1", form, body).body)
	a = r.ask3(t, "GET", sid, "&j=2", "", "")
	require.Equal(t, `___eio[2]("7:4\"a\nb\\n");`, a.body)
}

func (r *rig) dial3(t *testing.T, query string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, br, _, err := ws.Dial(ctx, "ws://"+r.Addr().String()+
		"/socket.io/?EIO=3&transport=websocket"+query)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	if br != nil {
		c = &buffered{Conn: c, r: br}
	}
	if !strings.Contains(query, "sid=") {
		require.Regexp(t, `^0\{"sid":"[\w-]{20}","upgrades":\[\],`, next(t, c))
	}
	return c
}

func TestRevision3WebSocket(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	c := r.dial3(t, "")
	require.NoError(t, wsutil.WriteClientText(c, []byte("4hello")))
	require.Equal(t, "4hello", next(t, c))
	require.NoError(t, wsutil.WriteClientBinary(c, []byte{4, 1, 2}))
	require.Equal(t, "\x04\x01\x02", next(t, c))
	require.NoError(t, wsutil.WriteClientText(c, []byte("2")))
	require.Equal(t, "3", next(t, c))
	require.NoError(t, wsutil.WriteClientText(c, []byte("3")))
	require.Equal(t, ReasonTransportError, <-r.ends)
}

func TestRevision3Heartbeat(t *testing.T) {
	t.Parallel()
	r := start(t, func(o *Options) {
		o.AllowEIO3, o.PingInterval, o.PingTimeout = true, 600*time.Millisecond, 600*time.Millisecond
	})
	begin := time.Now()
	c := r.dial3(t, "")
	for time.Since(begin) < 1800*time.Millisecond { // pings keep it open
		require.NoError(t, wsutil.WriteClientText(c, []byte("2")))
		require.Equal(t, "3", next(t, c))
		time.Sleep(50 * time.Millisecond)
	}
	require.Empty(t, r.ends)
	require.Equal(t, ReasonPingTimeout, <-r.ends)
}

func TestRevision3Upgrade(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 4} {
		r := startLoops(t, loops, old)
		for range 8 {
			sid := r.open3(t, "")
			c := r.dial3(t, "&sid="+sid)
			require.NoError(t, wsutil.WriteClientText(c, []byte("2probe")))
			require.Equal(t, "3probe", next(t, c))
			require.Equal(t, "1:6", r.ask3(t, "GET", sid, "", "", "").body)
			// Binary that no poll fetches goes out on the WebSocket.
			require.Equal(t, "ok", r.ask3(t, "POST", sid, "", "", "6:b4AQID").body)
			require.NoError(t, wsutil.WriteClientText(c, []byte("5")))
			require.Equal(t, "\x04\x01\x02\x03", next(t, c))
			require.NoError(t, wsutil.WriteClientBinary(c, []byte{4, 9}))
			require.Equal(t, "\x04\x09", next(t, c))
			require.NoError(t, wsutil.WriteClientText(c, []byte("2")))
			require.Equal(t, "3", next(t, c))
		}
	}
}

// A client may listen for messages only after it has read the handshake's
// answer, so the open packet does not come with it. One that speaks at once is
// answered, the open packet first.
func TestRevision3OpenPacketComesLater(t *testing.T) {
	t.Parallel()
	r := start(t, old)
	// shake sends the handshake and what follows it, in one write.
	shake := func(more ...[]byte) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", r.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, err = c.Write(append([]byte("GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\r\n"+
			"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), bytes.Join(more, nil)...))
		require.NoError(t, err)
		br := bufio.NewReader(c)
		resp, err := http.ReadResponse(br, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		return c, br
	}
	from := time.Now()
	c, br := shake()
	require.Zero(t, br.Buffered())
	require.Regexp(t, `^0\{"sid":"`, next(t, &buffered{Conn: c, r: br}))
	require.GreaterOrEqual(t, time.Since(from), openPause)

	for range 20 { // both orders of the message and the end of the pause
		hello := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("4hello"))))
		c, br = shake(hello, hello)
		in := &buffered{Conn: c, r: br}
		require.Regexp(t, `^0\{"sid":"`, next(t, in))
		require.Equal(t, "4hello", next(t, in))
		require.Equal(t, "4hello", next(t, in))
		require.NoError(t, c.Close())
		require.Equal(t, ReasonTransportClose, <-r.ends)
	}

	c, _ = shake()
	require.NoError(t, c.Close()) // most often within the pause
}
