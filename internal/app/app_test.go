package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {URL: "nonsense"}, {URL: "ftp://x"}, {URL: "http://"},
		{Namespaces: map[string]string{"/a": "x"}}, {URL: "http://x", MaxWaiting: -1},
		{URL: "http://x", Timeout: -1},
	} {
		_, err := New(o)
		require.Error(t, err, o)
	}
	a, err := New(Options{Namespaces: map[string]string{"/a": "http://x", "/b": "http://x"}})
	require.NoError(t, err)
	require.Len(t, a.endpoints, 1, "one queue and one breaker for each URL")
}

func TestConnectIsAccepted(t *testing.T) {
	t.Parallel()
	st := answering(t, func(c posted) string {
		if c.Type == "connect" {
			return `{"do":[{"join":["a","b"]},{"set":{"name":"Ann"}},{"emit":"hello","args":[1,"x"]},
				{"emit":"news","to":"a"}]}`
		}
		return ""
	})
	srv, _ := serve(t, Options{URL: st.URL, Headers: []string{"cookie", "host", "X-Missing"}})
	c := join(t, srv, `{"token":"t"}`)
	c.expect(`42["hello",1,"x"]`, `42["news"]`)
	got := st.seen()[0]
	require.Equal(t, "connect", got.Type)
	require.Equal(t, c.id, got.SID)
	require.Equal(t, "/", got.Namespace)
	require.JSONEq(t, `{"token":"t"}`, string(got.Auth))
	require.Equal(t, c.conn.LocalAddr().String(), got.Address)
	require.Equal(t, map[string][]string{"Cookie": {"a=1"}, "Host": {srv.Addr().String()}}, got.Headers)
	require.Equal(t, "null", string(got.Session))
	rooms, err := srv.Of("/").RoomsOf(c.id)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{c.id, "a", "b"}, rooms)
}

func TestConnectIsRefused(t *testing.T) {
	t.Parallel()
	st := answering(t, func(posted) string {
		return `{"refuse":{"message":"no token","data":{"why":[1]}},"do":[{"join":"a"}]}`
	})
	srv, _ := serve(t, Options{URL: st.URL})
	c := dial(t, srv)
	c.send("40/chat,")
	c.expect(`44/chat,{"message":"no token","data":{"why":[1]}}`)
	require.JSONEq(t, `{}`, string(st.seen()[0].Auth))
}

func TestEventsAndTheirAnswers(t *testing.T) {
	t.Parallel()
	var other atomic.Value
	left := make(chan posted, 9)
	st := answering(t, func(c posted) string {
		switch c.Event {
		case "enter":
			return `{"do":[{"join":"r"},{"set":[1.50]},{"ack":[]}]}`
		case "say":
			return fmt.Sprintf(`{"do":[{"emit":"said","args":%s,"to":["r","q"]},
				{"emit":"else","args":["others"],"all":true,"except":[%q]},
				{"emit":"you"},{"emit":"nobody","to":[]},
				{"ack":["ok",{"n":1}]},{"ack":["again"]}]}`, c.Args, c.SID)
		case "away":
			return `{"do":[{"leave":"r"},{"emit":"bye"},{"disconnect":"namespace"}]}`
		}
		if c.Type == "disconnect" {
			left <- c
			return `{"do":[{"emit":"gone","args":["x"],"to":"r"},{"emit":"you"},{"ack":[]}]}`
		}
		return ""
	})
	srv, a := serve(t, Options{URL: st.URL})
	one, two := join(t, srv, ""), join(t, srv, "")
	other.Store(two.id)
	for i, c := range []*client{one, two} {
		c.send(`42` + strconv.Itoa(i) + `["enter"]`)
		c.expect(`43` + strconv.Itoa(i) + `[]`)
	}
	one.send(`427["say","hi",{"x":1.0}]`)
	one.expect(`42["said","hi",{"x":1.0}]`, `42["you"]`, `437["ok",{"n":1}]`)
	two.expect(`42["said","hi",{"x":1.0}]`, `42["else","others"]`)
	one.send(`42["away"]`)
	one.expect(`42["bye"]`, `41`)
	two.expect(`42["gone","x"]`)

	calls := st.seen()
	ids := map[string]bool{}
	for _, c := range calls {
		ids[c.ID] = true
	}
	require.Len(t, ids, len(calls), "each has an id of its own")
	say := calls[4]
	require.Equal(t, "event", say.Type)
	require.True(t, say.Ack)
	require.Equal(t, "[1.50]", string(say.Session), "session data is as it was set")
	away := <-left
	require.Equal(t, "server namespace disconnect", away.Reason)
	require.Equal(t, one.id, away.SID)
	require.Equal(t, "[1.50]", string(away.Session))
	require.EqualValues(t, len(calls), a.Stats().Calls)
	require.Zero(t, a.Stats().Failed)
}

func TestAnEventWithoutAnAnswerIsAcknowledged(t *testing.T) {
	t.Parallel()
	srv, _ := serve(t, Options{URL: answering(t, func(posted) string { return "" }).URL})
	c := join(t, srv, "")
	c.send(`423["x"]`)
	c.expect(`433[]`)
}

func TestBinary(t *testing.T) {
	t.Parallel()
	st := answering(t, func(c posted) string {
		if c.Type != "event" {
			return ""
		}
		return `{"do":[{"ack":` + string(c.Args) + `}]}`
	})
	srv, _ := serve(t, Options{URL: st.URL})
	c := join(t, srv, "")
	c.send(`451-5["x",{"a":{"_placeholder":true,"num":0},"$binary":"no"},"$binary"]`)
	require.NoError(t, wsutil.WriteClientBinary(c.conn, []byte{0, 1, 255}))
	c.expect(`461-5[{"a":{"_placeholder":true,"num":0},"$binary":"no"},"$binary"]`, "b:\x00\x01\xff")
	require.Equal(t, `[{"a":{"$binary":"AAH/"},"$$binary":"no"},"$binary"]`,
		string(st.seen()[1].Args))
}

// Events of a socket are posted one after the other, those of others meanwhile.
func TestOrder(t *testing.T) {
	t.Parallel()
	const sockets, events = 8, 20
	var mu sync.Mutex
	last, flying := map[string]int{}, map[string]bool{}
	all := make(chan struct{})
	atOnce := 0
	st := answering(t, func(c posted) string {
		if c.Type != "event" {
			return ""
		}
		var n [1]int
		_ = json.Unmarshal(c.Args, &n)
		mu.Lock()
		bad := last[c.SID] != n[0] || flying[c.SID]
		last[c.SID], flying[c.SID] = n[0]+1, true
		if n[0] == 0 {
			if atOnce++; atOnce == sockets {
				close(all)
			}
		}
		mu.Unlock()
		<-all
		mu.Lock()
		delete(flying, c.SID)
		mu.Unlock()
		if bad {
			return `{"error":"out of order"}`
		}
		return fmt.Sprintf(`{"do":[{"ack":[%d]}]}`, n[0])
	})
	srv, _ := serve(t, Options{URL: st.URL})
	var clients []*client
	for range sockets {
		c := join(t, srv, "")
		clients = append(clients, c)
		for i := range events {
			c.send(fmt.Sprintf(`42%d["n",%d]`, i, i))
		}
	}
	for _, c := range clients {
		for i := range events {
			c.expect(fmt.Sprintf(`43%d[%d]`, i, i))
		}
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	const sockets = 40
	gate := make(chan struct{})
	var first sync.Once
	st := answering(t, func(c posted) string {
		if c.Type == "event" {
			first.Do(func() { <-gate })
			if strings.Contains(string(c.Args), "7") {
				return `{"do":[{"jion":"x"}]}`
			}
			return fmt.Sprintf(`{"do":[{"ack":%s}]}`, c.Args)
		}
		return ""
	})
	st.batch = "10"
	srv, a := serve(t, Options{URL: st.URL, MaxRequests: 1})
	var clients []*client
	for range sockets {
		clients = append(clients, join(t, srv, ""))
	}
	for i, c := range clients {
		c.send(fmt.Sprintf(`42%d["n","%d"]`, i, i))
	}
	require.Eventually(t, func() bool { return a.Stats().Waiting == sockets-1 }, patience,
		time.Millisecond)
	close(gate)
	for i, c := range clients {
		if strings.Contains(strconv.Itoa(i), "7") {
			require.Contains(t, c.next(), `"code":"invalid"`, "only that one")
			continue
		}
		c.expect(fmt.Sprintf(`43%d["%d"]`, i, i))
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	largest := 0
	for _, n := range st.sizes {
		largest = max(largest, n)
	}
	require.Equal(t, 10, largest, "as many as the endpoint takes")
	require.NotZero(t, a.Stats().Batches)
}

// One step that cannot be done: none is.
func TestAnswersAreDoneAsAWhole(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var answer string
	st := answering(t, func(c posted) string {
		if c.Event != "x" {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		return answer
	})
	srv, a := serve(t, Options{URL: st.URL, MaxSession: 100, MaxAttachments: 2})
	c := join(t, srv, "")
	b := `{"$binary":"YQ=="}`
	for i, bad := range []string{
		`{"emit":"connect"}`, `{"emit":"a","join":"b"}`, `{}`, `{"jion":"b"}`, `{"args":[1]}`,
		`{"join":"a","to":"b"}`, `{"emit":"a","to":"b","all":true}`, `{"emit":"a","except":"b"}`,
		`{"disconnect":"all"}`, `{"disconnect":true}`, `{"set":"` + strings.Repeat("x", 100) + `"}`,
		`{"emit":"a","args":[` + b + `,` + b + `,` + b + `]}`,
		`{"emit":"a","args":[{"$binary":"!"}]}`, `{"ack":[{"$binary":"YQ==","b":1}]}`,
		`{"emit":"a","args":[` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `]}`,
		`{"emit":"a","args":[` + b + `,{"_placeholder":true,"num":0}]}`,
		`nonsense`,
	} {
		mu.Lock()
		answer = `{"do":[{"join":"r"},{"emit":"never"},{"set":1},{"ack":[]},` + bad + `]}`
		mu.Unlock()
		c.send(fmt.Sprintf(`42%d["x"]`, i))
		require.Equal(t, fmt.Sprintf(`43%d[{"error":"the application's answer was not understood",`+
			`"code":"invalid"}]`, i), c.next(), bad)
	}
	rooms, err := srv.Of("/").RoomsOf(c.id)
	require.NoError(t, err)
	require.Equal(t, []string{c.id}, rooms)
	c.send(`4299["end"]`)
	c.expect(`4399[]`)
	calls := st.seen()
	require.Equal(t, "null", string(calls[len(calls)-1].Session))
	require.EqualValues(t, 17, a.Stats().Failed)
}

// A client that leaves while the application thinks is told of, too.
func TestAClientGoneBeforeItWasAccepted(t *testing.T) {
	t.Parallel()
	asked, gone := make(chan struct{}), make(chan struct{})
	left := make(chan posted, 9)
	st := answering(t, func(c posted) string {
		switch c.Type {
		case "connect":
			close(asked)
			<-gone
		case "disconnect":
			left <- c
		}
		return ""
	})
	srv, _ := serve(t, Options{URL: st.URL})
	c := dial(t, srv)
	c.send("40")
	<-asked
	require.NoError(t, c.conn.Close())
	require.Eventually(t, func() bool { return srv.Stats().Connections == 0 }, patience,
		time.Millisecond)
	close(gone)
	select {
	case p := <-left:
		require.Equal(t, goneEarly, p.Reason)
	case <-time.After(patience):
		t.Fatal("the application was not told")
	}
	require.Len(t, st.seen(), 2)
}

func TestH2C(t *testing.T) {
	t.Parallel()
	var proto atomic.Value
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	srv, _ := serve(t, Options{URL: s.URL, H2C: true})
	join(t, srv, "")
	require.Equal(t, "HTTP/2.0", proto.Load())
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	st := answering(t, func(c posted) string { return "" })
	st.batch = "10"
	paths := make(chan string, 9)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		st.Config.Handler.ServeHTTP(w, r)
	}))
	defer s.Close()
	srv, _ := serve(t, Options{URL: s.URL + "/calls/{event}"})
	c := join(t, srv, "")
	for i, name := range []string{"my_Event-1:x", "..", "a/b", "a%2fb", "", strings.Repeat("x", 65)} {
		c.send(fmt.Sprintf(`42%d[%q]`, i, name))
		if i > 0 {
			require.Contains(t, c.next(), `"code":"invalid"`, name)
			continue
		}
		c.expect("430[]")
	}
	require.Equal(t, "/calls/connect", <-paths)
	require.Equal(t, "/calls/my_Event-1:x", <-paths)
	require.Empty(t, paths)
}

// What a handler of the server itself has is not the application's.
func TestOwnHandlersComeFirst(t *testing.T) {
	t.Parallel()
	st := answering(t, func(posted) string { return "" })
	srv, _ := serve(t, Options{URL: "http://127.0.0.1:1", Namespaces: map[string]string{"/": st.URL}})
	c := join(t, srv, "")
	require.NoError(t, wsutil.WriteClientMessage(c.conn, ws.OpText, []byte("40/chat,")))
	require.Contains(t, c.next(), "44/chat,", "its endpoint is another one")
}
