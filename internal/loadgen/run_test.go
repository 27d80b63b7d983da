package loadgen

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// small is a plan that a busy machine does in a second or two.
func small(scenario string) Plan {
	p := Default(scenario)
	p.Connections, p.InFlight = 24, 8
	p.Duration, p.Drain, p.Timeout = 300*time.Millisecond, 20*time.Second, 20*time.Second
	p.Rooms = 5
	if p.Rate > 0 {
		p.Rate = 100
	}
	return p
}

// exact asserts that everything sent came to everybody once.
func exact(t *testing.T, r *Result, receivers float64) {
	t.Helper()
	m := r.Messages
	require.Empty(t, r.Errors)
	require.Zero(t, r.Connections.Died)
	require.Positive(t, m.Sent)
	require.InDelta(t, float64(m.Sent)*receivers, float64(m.Expected), 0.5)
	require.Equal(t, m.Expected, m.Delivered)
	require.Zero(t, m.Lost)
	require.Zero(t, m.Missed)
	require.Zero(t, m.Duplicate)
	require.Zero(t, m.Misrouted)
	require.Zero(t, m.Foreign)
	require.InDelta(t, 1, *m.Share, 0)
	require.Equal(t, int64(m.Delivered), r.Latency.Count)
	require.Equal(t, r.Plan.Connections, r.Connections.AtEnd)
}

func TestMessagesAreCountedExactly(t *testing.T) {
	t.Parallel()
	url := serve(t, socketio.Options{}, faults{})
	for _, transport := range []string{WebSocket, Polling} {
		for _, c := range []struct {
			name      string
			receivers float64
			plan      func(p *Plan)
			scenario  string
		}{
			{"echo", 1, func(*Plan) {}, Echo},
			{"echo, several under way", 1, func(p *Plan) { p.Outstanding, p.Active = 8, 7 }, Echo},
			{"echo at a rate", 1, func(p *Plan) { p.Rate = 200 }, Echo},
			{"broadcast", 24, func(*Plan) {}, Broadcast},
			{"broadcast of three", 24, func(p *Plan) { p.Publishers = 3 }, Broadcast},
			{"broadcast, closed loop", 24, func(p *Plan) { p.Rate = 0 }, Broadcast},
			{"broadcast to a room", 24, func(p *Plan) { p.Via = ViaRoom }, Broadcast},
			{"rooms", 24.0 / 6, func(p *Plan) { p.Rooms = 6 }, Rooms},
			{"rooms, closed loop", 24.0 / 6, func(p *Plan) { p.Rate, p.Rooms = 0, 6 }, Rooms},
			// All of them together are less than a server keeps for a client.
			{"long payload", 24, func(p *Plan) { p.Size, p.Rate = 70_000, 40 }, Broadcast},
		} {
			t.Run(transport+" "+c.name, func(t *testing.T) {
				p := small(c.scenario)
				p.Transport, p.Processes = transport, 2
				c.plan(&p)
				// Of rooms at a rate, some get one message more than others.
				r := mustRun(t, url, p)
				exact(t, r, c.receivers)
				require.Equal(t, 2, r.Generator.Processes)
				if c.scenario != Echo {
					require.Equal(t, int64(r.Messages.Sent), r.Last.Count)
					require.InDelta(t, r.Latency.Max, r.Last.Max, 0.01*r.Latency.Max+0.1)
				}
			})
		}
	}
}

// A client that sends a stream hears meanwhile, as the official one does: its
// posts come while a poll waits, here behind a proxy that lets no other pass.
func TestSendersPollWhileTheyPost(t *testing.T) {
	t.Parallel()
	target, err := url.Parse(serve(t, socketio.Options{}, faults{}))
	require.NoError(t, err)
	var (
		proxy   = httputil.NewSingleHostReverseProxy(target)
		mu      sync.Mutex
		polls   = map[string]int{} // under way, by sid
		posts   int
		polling = func(sid string) bool {
			mu.Lock()
			defer mu.Unlock()
			return polls[sid] > 0
		}
		count = func(sid string, d int) {
			mu.Lock()
			defer mu.Unlock()
			polls[sid] += d
		}
	)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sid := r.URL.Query().Get("sid")
		switch r.Method {
		case http.MethodGet:
			count(sid, 1)
			defer count(sid, -1)
		case http.MethodPost:
			mu.Lock()
			posts++
			mu.Unlock()
			if !assert.Eventually(t, func() bool { return polling(sid) }, 10*time.Second, time.Millisecond) {
				w.WriteHeader(http.StatusConflict)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p := small(Echo)
	p.Transport = Polling
	r := mustRun(t, front.URL, p)
	exact(t, r, 1)
	require.GreaterOrEqual(t, posts, p.Connections)
}

func TestFaultsAreSeen(t *testing.T) {
	t.Parallel()
	fifth := func(seq uint32) bool { return seq%5 == 0 }
	for _, scenario := range []string{Echo, Broadcast, Rooms} {
		for _, transport := range []string{WebSocket, Polling} {
			t.Run(scenario+" "+transport, func(t *testing.T) {
				t.Parallel()
				p := small(scenario)
				p.Transport, p.Drain, p.Rooms = transport, 500*time.Millisecond, 6
				p.Rate, p.Active = 300, 6
				faulty := func(f faults) (Messages, uint64) {
					r := mustRun(t, serve(t, socketio.Options{}, f), p)
					require.Positive(t, r.Messages.Sent)
					// How many numbers of all streams are hit, times receivers.
					each := r.Messages.Expected / r.Messages.Sent
					senders := uint64(p.senders())
					hit := uint64(0)
					for s := range senders {
						n := r.Messages.Sent / senders
						if s < r.Messages.Sent%senders {
							n++
						}
						hit += n / 5
					}
					return r.Messages, hit * each
				}
				m, hit := faulty(faults{drop: fifth})
				require.Positive(t, hit)
				require.Equal(t, hit, m.Lost)
				require.Equal(t, m.Expected-hit, m.Delivered)
				require.Zero(t, m.Duplicate)

				m, hit = faulty(faults{twice: fifth})
				require.Equal(t, hit, m.Duplicate)
				require.Equal(t, m.Expected, m.Delivered)
				require.Zero(t, m.Lost)

				if scenario == Rooms {
					m, hit = faulty(faults{stray: fifth})
					require.Equal(t, hit/4*20, m.Misrouted, "those outside the room")
					require.Equal(t, m.Expected, m.Delivered)
				}
			})
		}
	}
}

// What comes only after the last message was sent is delivered, but is no part
// of the rate.
func TestRateIsOfTheTimeOfSending(t *testing.T) {
	t.Parallel()
	p := small(Broadcast)
	p.Rate, p.Duration, p.Drain = 0, 500*time.Millisecond, 20*time.Second
	r := mustRun(t, serve(t, socketio.Options{}, faults{late: 2 * time.Second}), p)
	exact(t, r, float64(p.Connections))
	require.Zero(t, r.Messages.DeliveriesPerSecond)
}

func TestIdleAnswersHeartbeats(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{WebSocket, Polling} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			p := small(Idle)
			p.Transport, p.Duration = transport, 3*time.Second
			r := mustRun(t, serve(t, socketio.Options{PingInterval: 500 * time.Millisecond,
				PingTimeout: 10 * time.Second}, faults{}), p)
			require.Equal(t, 24, r.Connections.Connected)
			require.Equal(t, 24, r.Connections.AtEnd)
			require.GreaterOrEqual(t, r.Heartbeats.Answered, uint64(2*24))
			require.InDelta(t, 0.5, r.Heartbeats.Interval, 0)
			require.Zero(t, r.Heartbeats.Overdue)
			require.Empty(t, r.Errors)
			require.Equal(t, int64(24), r.Connections.Handshake.Count)
			require.Nil(t, r.Latency)
			require.Positive(t, r.Server.RSSEnd)
			require.Positive(t, r.Kernel.Sockets)
		})
	}
}

func TestChurn(t *testing.T) {
	t.Parallel()
	url := serve(t, socketio.Options{}, faults{})
	for _, how := range []string{CloseFIN, CloseFrame, CloseRST, Polling} {
		t.Run(how, func(t *testing.T) {
			p := small(Churn)
			p.Connections, p.Close = 5, how
			if how == Polling {
				p.Transport, p.Close = Polling, CloseFIN
			}
			r := mustRun(t, url, p)
			require.Positive(t, r.Churn.Cycles)
			require.Equal(t, 5, r.Connections.AtEnd, "those that stand")
			require.Zero(t, r.Connections.Failed)
			require.Zero(t, r.Connections.Died)
			require.Equal(t, int64(r.Churn.Cycles), r.Connections.Handshake.Count)
			require.Empty(t, r.Errors)
		})
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	recovery := socketio.Options{ConnectionStateRecovery: &socketio.ConnectionStateRecovery{}}
	for _, c := range []struct {
		name    string
		options socketio.Options
		plan    func(p *Plan)
	}{
		{"all", socketio.Options{}, func(*Plan) {}},
		{"room", socketio.Options{}, func(p *Plan) { p.Via = ViaRoom }},
		{"polling", socketio.Options{}, func(p *Plan) { p.Transport = Polling }},
		{"recovered", recovery, func(p *Plan) { p.Recover = true }},
		{"recovered room", recovery, func(p *Plan) { p.Recover, p.Via = true, ViaRoom }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := small(Jitter)
			p.Duration, p.Away, p.DropRate, p.Processes = 2*time.Second, 300*time.Millisecond, 20, 2
			c.plan(&p)
			r := mustRun(t, serve(t, c.options, faults{}), p)
			m := r.Messages
			require.Positive(t, r.Lost.Dropped)
			require.Equal(t, r.Lost.Dropped, r.Lost.Returned)
			require.GreaterOrEqual(t, r.Back.Min, 299.0)
			require.Equal(t, m.Sent*24, m.Expected)
			require.Equal(t, m.Expected, m.Delivered+m.Missed+m.Lost)
			require.Zero(t, m.Lost)
			require.Zero(t, m.Duplicate)
			require.Equal(t, 24, r.Connections.AtEnd)
			if p.Recover {
				require.Positive(t, r.Lost.Recovered)
				if r.Lost.Recovered == r.Lost.Returned { // all had an offset to tell
					require.Zero(t, m.Missed)
				}
			} else {
				require.Zero(t, r.Lost.Recovered)
				require.Positive(t, m.Missed)
			}
		})
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	url := serve(t, socketio.Options{}, faults{})
	for _, share := range []float64{1, 0.5} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			p := small(Storm)
			p.Duration, p.Share, p.Away = 20*time.Second, share, 100*time.Millisecond
			r := mustRun(t, url, p)
			require.Equal(t, uint64(24*share), r.Lost.Dropped)
			require.Equal(t, r.Lost.Dropped, r.Lost.Returned)
			require.Equal(t, 24, r.Connections.AtEnd)
			require.GreaterOrEqual(t, r.Back.Min, 99.0)
			require.Less(t, r.Lost.Seconds, 20.0)
			require.Empty(t, r.Errors)
		})
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	url := serve(t, socketio.Options{}, faults{})
	p := small(Broadcast)
	p.Duration, p.Processes = 10*time.Minute, 2
	target, _, err := ParseTarget(context.Background(), url)
	require.NoError(t, err)
	p.Targets = []Target{target}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := Run(ctx, p, Options{Command: testWorker, Progress: func(p Progress) {
		if p.Deliveries > 24 {
			cancel()
		}
	}})
	require.NoError(t, err)
	require.True(t, r.Interrupted)
	require.Nil(t, r.Server)
	require.Zero(t, r.Messages.Lost)
	require.Equal(t, r.Messages.Sent*24, r.Messages.Delivered)
}

func TestWorkerThatIsNone(t *testing.T) {
	t.Parallel()
	p := small(Idle)
	p.Targets = []Target{{}}
	_, err := Run(context.Background(), p, Options{Command: testBroken})
	require.ErrorContains(t, err, "worker 0")
}

func TestUnansweredJoins(t *testing.T) {
	t.Parallel()
	url := serve(t, socketio.Options{}, faults{})
	p := small(Rooms)
	p.Connections, p.InFlight = 600, 64
	p.Timeout, p.Contract.Joined = 5*time.Second, "never"
	began := time.Now()
	r := mustRun(t, url, p)
	require.Less(t, time.Since(began), 30*time.Second, "one wait for all")
	require.Equal(t, uint64(600), r.Errors[errTimeout].Count)
	require.Contains(t, r.Errors[errTimeout].First, `"never"`)

	p.Contract.Joined, p.Connections = "", 24
	exact(t, mustRun(t, url, p), 24.0/5)
}

// A command that is to end before it has begun is not done.
func TestInterruptBeforeTheMeasurement(t *testing.T) {
	t.Parallel()
	f, err := startFleet(2, testWorker)
	require.NoError(t, err)
	defer f.close()
	p := small(Idle)
	p.Processes = 2
	target, _, err := ParseTarget(context.Background(), serve(t, socketio.Options{}, faults{}))
	require.NoError(t, err)
	p.Targets = []Target{target}
	require.NoError(t, f.do(context.Background(), func(i int) command {
		return command{Do: doSetup, Plan: &p, Worker: i}
	}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	require.NoError(t, f.do(ctx, func(int) command {
		return command{Do: doHold, For: 10 * time.Minute}
	}))
	require.Less(t, time.Since(began), time.Minute)
	// The next one is not affected.
	require.NoError(t, f.do(context.Background(), func(int) command {
		return command{Do: doConnect}
	}))
	require.Equal(t, 24, f.counts().Ready)
}

func TestServerThatEnds(t *testing.T) {
	t.Parallel()
	dying := exec.Command("sleep", "600")
	require.NoError(t, dying.Start())
	p := small(Idle)
	p.Duration = 10 * time.Minute
	p.Auth = `{"token":"secret"}`
	target, _, err := ParseTarget(context.Background(), serve(t, socketio.Options{}, faults{}))
	require.NoError(t, err)
	p.Targets = []Target{target}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := Run(ctx, p, Options{PIDs: []int{dying.Process.Pid}, Command: testWorker,
		Progress: func(p Progress) {
			if p.Doing == doHold && dying.ProcessState == nil {
				_ = dying.Process.Kill()
				_ = dying.Wait()
				cancel()
			}
		}})
	require.NoError(t, err)
	require.Contains(t, r.Errors, errGone)
	require.Contains(t, r.Trouble(), "gone")
	require.Equal(t, hidden, r.Plan.Auth)
	require.Positive(t, r.Server.RSSEnd, "what was known before")
}
