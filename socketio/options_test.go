package socketio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

func TestOptionsNameTheBadField(t *testing.T) {
	t.Parallel()
	for field, o := range map[string]Options{
		"Addr":               {Addr: "nowhere"},
		"Path":               {Path: "socket.io"},
		"Loops":              {Loops: -1},
		"MaxPayload":         {MaxPayload: -5},
		"MaxAttachments":     {MaxAttachments: -5},
		"MaxNamespaces":      {MaxNamespaces: 1 << 20},
		"MailboxEvents":      {MailboxEvents: -1},
		"MailboxBytes":       {MailboxBytes: -1},
		"MailboxTotal":       {MailboxTotal: -1},
		"MaxPendingBytes":    {MaxPendingBytes: -1},
		"MaxPendingFrames":   {MaxPendingFrames: -1},
		"MaxWorkers":         {MaxWorkers: 1 << 30},
		"MaxConnections":     {MaxConnections: -1},
		"PingInterval":       {PingInterval: time.Millisecond},
		"PingTimeout":        {PingTimeout: -time.Second},
		"ConnectTimeout":     {ConnectTimeout: 48 * time.Hour},
		"CORSAllowedOrigins": {CORSAllowedOrigins: []string{"example.com"}},
	} {
		_, err := NewServer(o)
		var bad *OptionError
		require.ErrorAs(t, err, &bad, field)
		require.Equal(t, field, bad.Field)
		require.Contains(t, err.Error(), "Options."+field)
	}
	for _, o := range []Options{{}, {Path: "/x"}, {CORSAllowedOrigins: []string{"*", "http://a:1"}}} {
		_, err := NewServer(o)
		require.NoError(t, err)
	}
}

func TestPathWithoutItsLastSlash(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(s *Server) {
		s.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "page") })
	})
	// One connection: on a loop at first, net/http's after the page.
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	get := func(target string) string {
		resp, err := client.Get("http://" + s.Addr().String() + target)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, 200, resp.StatusCode)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	for range 2 {
		require.Contains(t, get("/socket.io?EIO=4&transport=polling"), `0{"sid":`)
		require.Contains(t, get("/socket.io/?EIO=4&transport=polling"), `0{"sid":`)
		require.Equal(t, "page", get("/socket.iox?EIO=4&transport=polling"))
		require.Equal(t, "page", get("/socket.i?EIO=4&transport=polling"))
	}
	conn, _, _, err := ws.Dial(t.Context(),
		"ws://"+s.Addr().String()+"/socket.io?EIO=4&transport=websocket")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestHTTPOnTheSamePort(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{ClientFiles: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "client ", r.URL.Path)
	})}, func(s *Server) {
		s.HandleFunc("POST /notify", func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			_ = s.Emit("notice", string(b))
			w.WriteHeader(http.StatusAccepted)
		})
	})
	p := connect(t, s)
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + s.Addr().String() + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	resp, err := http.Post("http://"+s.Addr().String()+"/notify", "text/plain",
		http.NoBody)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	p.expect(`42["notice",""]`)
	code, body := get("/socket.io/socket.io.js")
	require.Equal(t, 200, code)
	require.Equal(t, "client /socket.io/socket.io.js", body)
	code, body = get("/socket.io/other.js")
	require.Equal(t, 400, code)
	require.Equal(t, `{"code":0,"message":"Transport unknown"}`, body)
	resp, err = http.Get("http://" + s.Addr().String() +
		"/socket.io/?EIO=4&transport=polling&t=1")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	code, _ = get("/nothing")
	require.Equal(t, 404, code)
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	require.ErrorIs(t, s.Start(), ErrStarted)
	other, err := NewServer(Options{Addr: s.Addr().String(), Logger: silent()})
	require.NoError(t, err)
	require.Nil(t, other.Addr())
	require.ErrorContains(t, other.Start(), "in use")
	require.NoError(t, s.Emit("x"), "nobody is there")

	ended := make(chan error, 1)
	late, err := NewServer(Options{Logger: silent()})
	require.NoError(t, err)
	go func() { ended <- late.ListenAndServe("127.0.0.1:0") }()
	soon(t, "listening", late.running)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, late.Shutdown(ctx))
	require.NoError(t, receive(t, ended))

	never, err := NewServer(Options{})
	require.NoError(t, err)
	require.NoError(t, never.Shutdown(ctx))
	require.ErrorIs(t, never.Start(), ErrStarted)
}

func TestStats(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, func(s *Server) {
		s.Of("/x")
		s.On("ev", func(k *Socket, e *Event) { k.Join("r"); _ = e.Ack() })
	})
	peers, _ := crowd(t, s, 3)
	peers[0].join("/x", "")
	peers[0].send(`421["ev"]`)
	peers[0].expect(`431[]`)
	require.NoError(t, s.Emit("all"))
	for _, p := range peers {
		p.expect(`42["all"]`)
	}
	soon(t, "counted", func() bool {
		st := s.Stats()
		return st.Connections == 3 && st.Sockets["/"] == 3 && st.Sockets["/x"] == 1 &&
			st.Rooms == 1 && st.Events == 1 && st.Emits == 1 && st.Deliveries == 3 &&
			st.Upgrades == 3 && st.MessagesIn >= 5 && st.MessagesOut >= 11 && len(st.Loops) == 1
	})
}

func TestCompute(t *testing.T) {
	SetComputeSlots(1)
	defer SetComputeSlots(0)
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan int, 1)
	go func() {
		n, _ := Compute(context.Background(), func() int {
			close(inside)
			<-leave
			return 1
		})
		done <- n
	}()
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Compute(ctx, func() int { return 2 })
	require.ErrorIs(t, err, context.Canceled)
	close(leave)
	require.Equal(t, 1, receive(t, done))
	n, err := Compute(context.Background(), func() int { return 3 })
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func TestRampEndsOnce(t *testing.T) {
	var r ramp
	var ends []int
	look := func(at int, n int64) {
		if r.look(n) {
			ends = append(ends, at)
		}
	}
	counts := []int64{0, 400, 900, 900, 900, 900, 900, 1500, 1500, 1500, 1500, 1500, 1500, 1600,
		1600, 1600, 1600, 1600, 10, 10, 10, 10, 10, 1200, 1200, 1200, 1200, 1200}
	for i, n := range counts {
		look(i, n)
	}
	require.Equal(t, []int{10, 26}, ends)
}
