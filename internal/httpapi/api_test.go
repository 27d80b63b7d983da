package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/metrics"
)

func TestEmit(t *testing.T) {
	t.Parallel()
	r := start(t)
	a, b, c := r.client("/"), r.client("/"), r.client("/chat")
	r.good("join", `{"sockets":["`+a.id+`"],"rooms":["red"]}`, `{"ok":true}`)
	r.good("emit", `{"event":"all","args":[1,"x",{"b":1.50,"a":[null]}]}`, `{"ok":true}`)
	for _, k := range []*client{a, b} {
		require.Equal(t, `42["all",1,"x",{"b":1.50,"a":[null]}]`, k.next())
	}
	r.good("emit", `{"rooms":["red"],"event":"red"}`, `{"ok":true}`)
	r.good("emit", `{"except":["red"],"event":"others"}`, `{"ok":true}`)
	r.good("emit", `{"namespace":"/chat","event":"chat"}`, `{"ok":true}`)
	r.good("emit", `{"rooms":["red","`+b.id+`"],"event":"both","local":true}`, `{"ok":true}`)
	require.Equal(t, `42["red"]`, a.next())
	require.Equal(t, `42["both"]`, a.next())
	require.Equal(t, `42["others"]`, b.next())
	require.Equal(t, `42["both"]`, b.next())
	require.Equal(t, `42/chat,["chat"]`, c.next())
}

func TestEmitBinary(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := r.client("/")
	r.good("emit", `{"event":"b","args":[{"$binary":"AAEC"},{"x":[{"$binary":"/w=="}],"n":12345678901234567890},{"$binary":"AA==","more":1}]}`,
		`{"ok":true}`)
	require.Equal(t, `452-["b",{"_placeholder":true,"num":0},{"n":12345678901234567890,"x":[{"_placeholder":true,"num":1}]},{"$binary":"AA==","more":1}]`, a.next())
	require.Equal(t, "\x00\x01\x02", a.next())
	require.Equal(t, "\xff", a.next())
	r.bad("emit", `{"event":"b","args":[1,{"$binary":"no!"}]}`, 400, "args[1]: $binary is not base64")
	r.bad("emit", `{"event":"b","args":[{"$binary":1}]}`, 400, "args[0]: $binary is not text")
}

func TestEmitWithAck(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := r.client("/")
	answers := make(chan string, 1)
	ask := func(body string) { go func() { _, s := r.do("emit", body); answers <- s }() }
	ask(`{"event":"q","args":[1],"ack":true}`)
	got := a.next()
	require.True(t, strings.HasPrefix(got, "42") && strings.HasSuffix(got, `["q",1]`), got)
	id := strings.TrimSuffix(strings.TrimPrefix(got, "42"), `["q",1]`)
	a.send("43" + id + `["yes",{"n":1}]`)
	require.Equal(t, `{"answers":[{"socket":"`+a.id+`","args":["yes",{"n":1}]}],"complete":true}`, <-answers)

	ask(`{"event":"q","ack":true,"timeout_ms":50}`)
	a.next()
	require.Equal(t, `{"answers":[],"complete":false,"reason":"timeout"}`, <-answers)

	ask(`{"event":"q","ack":true}`)
	a.next()
	require.NoError(t, a.conn.Close())
	require.Equal(t, `{"answers":[],"complete":false,"reason":"disconnected"}`, <-answers)

	r.good("emit", `{"event":"nobody","ack":true}`, `{"answers":[],"complete":true}`)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	r := start(t)
	a, b := r.client("/"), r.client("/")
	r.good("join", `{"all":true,"except":["`+b.id+`"],"rooms":["x","y/z"]}`, `{"ok":true}`)
	r.good("rooms", "", `{"rooms":[{"name":"x","members":1},{"name":"y/z","members":1}]}`)
	r.good("rooms/y%2Fz/sockets", "", `{"sockets":[{"id":"`+a.id+`","rooms":["`+a.id+`","x","y/z"]}]}`)
	r.good("leave", `{"sockets":["x"],"rooms":["y/z"]}`, `{"ok":true}`)
	r.good("rooms", "", `{"rooms":[{"name":"x","members":1}]}`)
	r.good("join", `{"sockets":["`+b.id+`"],"rooms":["x"]}`, `{"ok":true}`)
	r.good("close_room", `{"room":"x"}`, `{"ok":true}`)
	r.good("rooms", "", `{"rooms":[]}`)
	r.good("disconnect", `{"sockets":["`+a.id+`"]}`, `{"ok":true}`)
	require.Equal(t, "41", a.next())
	r.good("disconnect", `{"all":true,"close":true}`, `{"ok":true}`)
	require.Equal(t, "41", b.next())
	require.NotEqual(t, "41", b.next())
}

func TestPages(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := r.client("/")
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("r%02d", i))
	}
	list, err := json.Marshal(names)
	require.NoError(t, err)
	r.good("join", `{"sockets":["`+a.id+`"],"rooms":`+string(list)+`}`, `{"ok":true}`)
	var got []string
	after, pages := "", 0
	for {
		_, body := r.do("rooms?limit=10&after="+after, "")
		var page struct {
			Rooms []room
			Next  string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		for _, v := range page.Rooms {
			got = append(got, v.Name)
		}
		pages++
		if after = page.Next; after == "" {
			break
		}
	}
	require.Equal(t, names, got)
	require.Equal(t, 3, pages)
	for range 3 {
		b := r.client("/")
		r.good("join", `{"sockets":["`+b.id+`"],"rooms":["r00"]}`, `{"ok":true}`)
	}
	seen := map[string]bool{}
	for after = "-"; after != ""; {
		_, body := r.do("rooms/r00/sockets?limit=1&after="+strings.TrimPrefix(after, "-"), "")
		var page struct {
			Sockets []socket
			Next    string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		require.Len(t, page.Sockets, 1)
		seen[page.Sockets[0].ID] = true
		if after = page.Next; after != "" && strings.HasPrefix(after, "-") {
			after = "-" + after
		}
	}
	require.Len(t, seen, 4)
	r.bad("rooms?limit=0", "", 400, "limit")
	r.bad("rooms?limit=1001", "", 400, "limit")
	r.bad("rooms?namespace=/nope", "", 404, "/nope")
}

func TestStats(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.client("/chat")
	_, body := r.do("stats", "")
	var s map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &s))
	require.EqualValues(t, 1, s["connections"])
	require.EqualValues(t, 1, s["sockets"].(map[string]any)["/chat"])
}

func TestWrongRequests(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, c := range []struct {
		path, body string
		status     int
		detail     string
	}{
		{"emit", `{"evnt":"x"}`, 400, "evnt"},
		{"emit", `{`, 400, "body"},
		{"emit", `[]`, 400, "body"},
		{"emit", `{"event":"x"} {}`, 400, "behind"},
		{"emit", `{}`, 400, "event is missing"},
		{"emit", `{"event":"connect"}`, 400, "reserved"},
		{"emit", `{"event":"x","namespace":"/nope"}`, 404, "/nope"},
		{"emit", `{"event":"x","timeout_ms":5}`, 400, "timeout_ms"},
		{"emit", `{"event":"x","ack":true,"timeout_ms":-5}`, 400, "timeout_ms"},
		{"emit", `{"event":"x","ack":true,"volatile":true}`, 400, "volatile"},
		{"emit", `{"event":"` + strings.Repeat("x", 1<<17) + `"}`, 413, "api.max_body"},
		{"join", `{"rooms":["a"]}`, 400, "sockets or all"},
		{"join", `{"rooms":["a"],"all":true,"sockets":["b"]}`, 400, "sockets or all"},
		{"leave", `{"all":true}`, 400, "rooms is missing"},
		{"disconnect", `{"all":true,"rooms":["a"]}`, 400, "rooms means nothing"},
		{"close_room", `{}`, 400, "room is missing"},
		{"stats", `{}`, 405, "this needs GET"},
		{"emit", ``, 405, "this needs POST"},
		{"nothing", ``, 404, "openapi.json"},
	} {
		r.bad(c.path, c.body, c.status, c.detail)
	}
	r.problem(r.send("emit", `{"event":"x"}`, func(q *http.Request) {
		q.Header.Set("Content-Type", "text/plain")
	}), 415, "application/json")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := start(t)
	with := func(header string) *http.Response {
		return r.send("stats", "", func(q *http.Request) {
			q.Header.Del("Authorization")
			if header != "" {
				q.Header.Set("Authorization", header)
			}
		})
	}
	for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer x", "Basic " + keyText, keyText,
		"Bearer ci:" + keyText, "Bearer " + hashed("", keyText)[1:], "Bearer " + keyText + "x", "Bearer " + keyText[1:]} {
		res := with(wrong)
		require.Equal(t, `Bearer realm="throng"`, res.Header.Get("WWW-Authenticate"))
		r.problem(res, 401, "Authorization: Bearer KEY")
	}
	for _, right := range []string{"Bearer " + keyText, "bearer " + keyText} {
		res := with(right)
		require.NoError(t, res.Body.Close())
		require.Equal(t, 200, res.StatusCode)
	}
	// Rotation: both, then only the new one.
	const next = "fedcba9876543210"
	r.set(func(s *Settings) { s.Keys = append(s.Keys, hashed("", next)) })
	for _, key := range []string{keyText, next} {
		require.Equal(t, 200, with("Bearer "+key).StatusCode)
	}
	r.set(func(s *Settings) { s.Keys = []string{"no key", next, hashed("", next)} })
	require.Equal(t, 401, with("Bearer "+keyText).StatusCode)
	require.Equal(t, 200, with("Bearer "+next).StatusCode)
	r.set(func(s *Settings) { s.Keys = nil })
	r.problem(with("Bearer "+keyText), 403, "api.keys")
	r.problem(with("Bearer "), 403, "api.keys")
	r.problem(with(""), 403, "api.keys")
	http.DefaultClient.CloseIdleConnections()

	r.web.Close() // no handler logs any more
	require.NotContains(t, r.log.String(), keyText)
	require.NotContains(t, r.log.String(), next)
	require.Contains(t, r.log.String(), "key=ci")
}

func TestRate(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.set(func(s *Settings) {
		s.Keys = append(s.Keys, hashed("", "another-0123456789"))
		s.Rate = 0.001
	})
	status, _ := r.do("stats", "")
	require.Equal(t, 200, status)
	res := r.send("stats", "", func(*http.Request) {})
	require.Equal(t, "1", res.Header.Get("Retry-After"))
	r.problem(res, 429, "api.requests_per_second")
	res = r.send("stats", "", func(q *http.Request) {
		q.Header.Set("Authorization", "Bearer another-0123456789")
	})
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, map[metrics.Call]uint64{{Endpoint: "stats", Status: 200}: 2,
		{Endpoint: "stats", Status: 429}: 1}, r.api.Calls())
}

func TestBucket(t *testing.T) {
	t.Parallel()
	b := &bucket{rate: 2}
	now := time.Unix(1, 0)
	require.True(t, b.take(now))
	require.True(t, b.take(now))
	require.False(t, b.take(now))
	require.False(t, b.take(now.Add(400*time.Millisecond)))
	require.True(t, b.take(now.Add(500*time.Millisecond)))
	require.False(t, b.take(now.Add(500*time.Millisecond)))
	require.True(t, b.take(now.Add(time.Hour)))
	require.True(t, b.take(now.Add(time.Hour)))
	require.False(t, b.take(now.Add(time.Hour)))
}

func TestSlowBodyIsCut(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.set(func(s *Settings) { s.Timeout = 100 * time.Millisecond })
	body, in := io.Pipe()
	defer in.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", r.web.URL+"/api/v1/emit", body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+keyText)
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		require.NoError(t, res.Body.Close())
		require.Equal(t, 400, res.StatusCode)
	}
	require.Less(t, time.Since(began), patience)
}

func TestServerThatDoesNotRun(t *testing.T) {
	t.Parallel()
	r := start(t)
	require.NoError(t, r.srv.Shutdown(t.Context()))
	r.bad("rooms", "", 503, "does not run")
}

// Settings change while requests are served.
func TestSetWhileServing(t *testing.T) {
	t.Parallel()
	r := start(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				q := httptest.NewRequest("GET", "/api/v1/stats", nil)
				q.Header.Set("Authorization", "Bearer "+keyText)
				r.api.ServeHTTP(w, q)
				if w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			}
		})
	}
	for range 20 {
		r.set(func(s *Settings) { s.MaxBody++ })
	}
	wg.Wait()
}

func TestProblemOfBugs(t *testing.T) {
	t.Parallel()
	require.Equal(t, 500, problemOf(io.ErrUnexpectedEOF).Status)
	w := httptest.NewRecorder()
	send(w, 200, "application/json", func() {})
	require.Equal(t, 500, w.Code)
}
