package socketio

import (
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEventRate(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	s := serve(t, Options{Loops: 1, EventRate: 0.001, EventBurst: 3}, func(s *Server) {
		s.On("e", func(_ *Socket, e *Event) {
			got <- string(e.Args()[0])
			_ = e.Ack("ok")
		})
	})
	p := connect(t, s)
	p.send(`421["e",1]`, `42["e",2]`, `42["e",3]`, `42["e",4]`, `425["e",5]`)
	refused := `435[{"error":"too many events: 0.001 a second are allowed"}]`
	answers := []string{p.next(), p.next()} // the refusal may overtake the handler
	require.ElementsMatch(t, []string{`431["ok"]`, refused}, answers)
	for _, want := range []string{"1", "2", "3"} {
		require.Equal(t, want, receive(t, got))
	}
	require.EqualValues(t, 2, s.Stats().Drops["event_rate"])

	// Others have their own, and the next owner of the slot a new one.
	connect(t, s).send(`42["e",6]`)
	require.Equal(t, "6", receive(t, got))
	require.NoError(t, p.conn.Close())
	soon(t, "the socket is gone", func() bool { return s.root.Len() == 1 })
	connect(t, s).send(`42["e",7]`)
	require.Equal(t, "7", receive(t, got))
	require.Empty(t, got)
}

func TestEventRateWhileConnected(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	s := serve(t, Options{}, func(s *Server) {
		s.On("e", func(_ *Socket, e *Event) { got <- string(e.Args()[0]) })
	})
	p := connect(t, s)
	p.send(`42["e",1]`, `42["e",2]`)
	require.Equal(t, "1", receive(t, got))
	require.Equal(t, "2", receive(t, got))
	require.NoError(t, s.Adjust(Adjustable{EventRate: 0.001}))
	p.send(`42["e",3]`, `42["e",4]`)
	require.Equal(t, "3", receive(t, got))
	soon(t, "one is dropped", func() bool { return s.Stats().Drops["event_rate"] == 1 })
	require.NoError(t, s.Adjust(Adjustable{}))
	p.send(`42["e",5]`)
	require.Equal(t, "5", receive(t, got))
}

// Against a bucket that is filled by the clock.
func TestEventRateIsATokenBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(1, 1000).Draw(t, "rate"))
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		r := newEventRate(rate, burst)
		var arrival int64
		now, tokens := int64(1e9), float64(burst)
		for range rapid.IntRange(1, 200).Draw(t, "events") {
			wait := rapid.Int64Range(0, 3e8).Draw(t, "wait")
			now += wait
			tokens = min(float64(burst), tokens+float64(wait)/1e9*rate)
			if ok := r.allow(&arrival, now); tokens > 1.001 || tokens < 0.999 {
				require.Equal(t, tokens >= 1, ok, tokens)
				if ok {
					tokens--
				}
			} else if ok {
				tokens--
			}
		}
	})
}

func TestEventRateDefaultBurst(t *testing.T) {
	t.Parallel()
	require.Nil(t, newEventRate(0, 5))
	for rate, want := range map[float64]int{0.5: 1, 1: 1, 10: 10} {
		r := newEventRate(rate, 0)
		var arrival int64
		for i := range want + 1 {
			require.Equal(t, i < want, r.allow(&arrival, 1), "%v %d", rate, i)
		}
	}
}

// poll opens a session that polls, as a client behind a proxy if address is set.
func pollAs(t *testing.T, s *Server, address string) (status int, sid string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET",
		"http://"+s.Addr().String()+"/socket.io/?EIO=4&transport=polling", nil)
	require.NoError(t, err)
	if address != "" {
		req.Header.Set("X-Forwarded-For", address)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var open struct{ SID string }
	if res.StatusCode == http.StatusOK {
		require.NoError(t, json.Unmarshal(body[1:], &open))
	}
	return res.StatusCode, open.SID
}

func leave(t *testing.T, s *Server, sid string) {
	t.Helper()
	res, err := http.Post("http://"+s.Addr().String()+"/socket.io/?EIO=4&transport=polling&sid="+sid,
		"text/plain", strings.NewReader("1"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxConnectionsPerAddress: 2}, nil)
	p := connect(t, s)
	status, sid := pollAs(t, s, "")
	require.Equal(t, http.StatusOK, status)
	status, _ = pollAs(t, s, "198.51.100.1") // nobody trusted says so
	require.Equal(t, http.StatusTooManyRequests, status)
	require.EqualValues(t, 1, s.Stats().Drops["connections_per_address"])

	leave(t, s, sid)
	soon(t, "the place is free", func() bool { status, sid = pollAs(t, s, ""); return status == 200 })
	require.NoError(t, p.conn.Close())
	soon(t, "the place is free", func() bool { status, _ = pollAs(t, s, ""); return status == 200 })
	status, _ = pollAs(t, s, "")
	require.Equal(t, http.StatusTooManyRequests, status)

	require.NoError(t, s.Adjust(Adjustable{MaxConnectionsPerAddress: 3}))
	status, _ = pollAs(t, s, "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, s.Adjust(Adjustable{}))
	status, _ = pollAs(t, s, "")
	require.Equal(t, http.StatusOK, status)
}

func TestConnectionsPerAddressBehindAProxy(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxConnectionsPerAddress: 1,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, nil)
	for _, c := range []struct {
		address string
		want    int
	}{
		{"198.51.100.1", 200}, {"198.51.100.1", 429}, {"198.51.100.2", 200},
		{"9.9.9.9, 198.51.100.2", 429}, {"2001:db8:1:2::1", 200}, {"2001:db8:1:2:ffff::7", 429},
		{"2001:db8:1:3::1", 200}, {"::ffff:198.51.100.2", 429},
	} {
		status, _ := pollAs(t, s, c.address)
		require.Equal(t, c.want, status, c.address)
	}
}

// Many that were let in at the same time, each while there was room: never more
// than allowed stay, and all places come back.
func TestConnectionsPerAddressAtOnce(t *testing.T) {
	t.Parallel()
	const many, most = 20, 5
	var arrived sync.WaitGroup
	arrived.Add(many)
	s := serve(t, Options{MaxConnectionsPerAddress: most, AllowRequest: func(*http.Request) error {
		arrived.Done()
		arrived.Wait()
		return nil
	}}, nil)
	var wg sync.WaitGroup
	sids := make(chan string, many)
	for range many {
		wg.Go(func() {
			_, sid := pollAs(t, s, "")
			sids <- sid
		})
	}
	wg.Wait()
	close(sids)
	require.EqualValues(t, many-most, s.Stats().Drops["connections_per_address"])
	require.EqualValues(t, many-most, s.Stats().Disconnects["forced close"])
	for sid := range sids {
		require.NotEmpty(t, sid)
		res, err := http.Post("http://"+s.Addr().String()+
			"/socket.io/?EIO=4&transport=polling&sid="+sid, "text/plain", strings.NewReader("1"))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	soon(t, "all are gone", func() bool { return s.addresses.len() == 0 })
}

// len is how many addresses have a count.
func (a *addresses) len() (n int) {
	for i := range a.shards {
		a.shards[i].mu.Lock()
		n += len(a.shards[i].n)
		a.shards[i].mu.Unlock()
	}
	return n
}

func TestOriginsWhileConnected(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	ask := func() (int, string) {
		req, err := http.NewRequest("GET",
			"http://"+s.Addr().String()+"/socket.io/?EIO=4&transport=polling", nil)
		require.NoError(t, err)
		req.Header.Set("Origin", "https://a.example")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Access-Control-Allow-Origin")
	}
	status, header := ask()
	require.Equal(t, http.StatusBadRequest, status)
	require.Empty(t, header)
	require.NoError(t, s.Adjust(Adjustable{CORSAllowedOrigins: []string{"https://a.example"}}))
	status, header = ask()
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "https://a.example", header)
	require.NoError(t, s.Adjust(Adjustable{}))
	status, _ = ask()
	require.Equal(t, http.StatusBadRequest, status)
}

func TestMaxConnectionsWhileConnected(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, nil)
	p := connect(t, s)
	require.NoError(t, s.Adjust(Adjustable{MaxConnections: 1}))
	require.Equal(t, 1, s.Stats().ConnectionsLimit)
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	p.send(`42["still",1]`)
	soon(t, "the first stays", func() bool { return s.Stats().Events == 1 })
	require.NoError(t, s.Adjust(Adjustable{}))
	connect(t, s)
}

func TestAdjustRefusesAll(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxConnections: 9}, nil)
	var bad *OptionError
	require.ErrorAs(t, s.Adjust(Adjustable{MaxConnections: 1, EventRate: -1}), &bad)
	require.Equal(t, "EventRate", bad.Field)
	require.Equal(t, 9, s.Stats().ConnectionsLimit)
	for _, a := range []Adjustable{
		{EventRate: math.NaN()}, {EventBurst: -1}, {MaxConnectionsPerAddress: -1},
		{CORSAllowedOrigins: []string{"nowhere"}},
	} {
		require.ErrorAs(t, s.Adjust(a), &bad)
	}
}

func TestStatsOfSessions(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	p := connect(t, s)
	_, sid := pollAs(t, s, "")
	st := s.Stats()
	require.Equal(t, map[string]uint64{"polling": 1, "websocket": 1}, st.Handshakes)
	require.False(t, st.Draining)
	require.Less(t, st.Loops[0].Silent, patience)
	leave(t, s, sid)
	require.NoError(t, p.conn.Close())
	soon(t, "both are gone", func() bool { return s.Stats().Disconnects["transport close"] == 2 })
}
