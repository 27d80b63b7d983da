package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
)

// BenchmarkEvents is events through a real endpoint in the same process, from
// many sockets: with clients, endpoint and server on the same processors.
func BenchmarkEvents(b *testing.B) {
	for _, batch := range []string{"", "100"} {
		b.Run("batch="+batch, func(b *testing.B) {
			st := answering(b, func(c posted) string {
				if c.Type != "event" {
					return ""
				}
				return `{"do":[{"ack":["ok"]}]}`
			})
			st.batch = batch
			srv, a := serve(b, Options{URL: st.URL})
			const sockets = 64
			clients := make([]*client, sockets)
			for i := range clients {
				clients[i] = join(b, srv, `{"token":"0123456789"}`)
				require.NoError(b, clients[i].conn.SetDeadline(time.Time{}))
			}
			before := a.Stats().Requests
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, c := range clients {
				n := b.N / sockets
				if i < b.N%sockets {
					n++
				}
				wg.Go(func() {
					for range n {
						c.send(`421["say","lobby","a message of some length"]`)
						if got := c.next(); got != `431["ok"]` && got != "2" {
							b.Error(got)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.N)/float64(a.Stats().Requests-before), "events/request")
		})
	}
}

// BenchmarkWorkers is events through a stream to worker processes.
func BenchmarkWorkers(b *testing.B) {
	broker := brokertest.Start(b)
	for i := range 2 {
		employ(b, broker.URL(), fmt.Sprintf("%s%d", silent, i))
	}
	srv, _ := staffed(b, broker.URL(), Options{})
	const sockets = 64
	clients := make([]*client, sockets)
	for i := range clients {
		clients[i] = join(b, srv, `{"token":"0123456789"}`)
		require.NoError(b, clients[i].conn.SetDeadline(time.Time{}))
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range clients {
		n := b.N / sockets
		if i < b.N%sockets {
			n++
		}
		wg.Go(func() {
			if err := stretch(c, 0, n); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

type echo struct{ answer []byte }

func (e echo) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r,
		Body: io.NopCloser(bytes.NewReader(e.answer))}, nil
}

// BenchmarkOwnCost is what this package itself takes for an event: the call
// made, signed, queued, its answer read and checked. No HTTP on the wire.
func BenchmarkOwnCost(b *testing.B) {
	a, err := New(Options{URL: "http://x/", Secret: secret})
	require.NoError(b, err)
	e := a.endpoints["http://x/"]
	e.http = echo{[]byte(`{"do":[{"emit":"said","to":"lobby",` +
		`"args":["Ann","a message of some length"]},{"ack":["ok"]}]}`)}
	srv, _ := serve(b, Options{URL: "http://127.0.0.1:1"})
	p := &port{app: a, o: &a.o, ns: srv.Of("/"), e: e}
	m := &member{head: []byte(`"sid":"awMAAAAAfmABe_fxezt5","namespace":"/",` +
		`"auth":{"token":"0123456789"},"address":"127.0.0.1:12345","headers":{}`)}
	args := []byte(`,"event":"say","args":["lobby","a message of some length"],"ack":true`)
	b.ReportAllocs()
	for b.Loop() {
		c := &call{id: a.nextID(), name: "say"}
		c.body = append(c.body, fmt.Sprintf(`{"type":"event","id":%q,`, c.id)...)
		c.body = append(append(c.body, m.head...), args...)
		if list, _, f := p.ask(c); f != nil || len(list) != 2 {
			b.Fatal(f)
		}
	}
}
