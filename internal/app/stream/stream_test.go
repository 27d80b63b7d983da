package stream

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valkey-io/valkey-go"

	"github.com/throng-server/throng/internal/brokertest"
)

const patience = 10 * time.Second

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {URL: "valkey://x", ID: "i"}, {URL: "valkey://x", Name: "a b", ID: "i"},
		{URL: "valkey://x", Name: "a"}, {URL: "http://x", Name: "a", ID: "i"},
		{URL: "valkey://x", Name: strings.Repeat("a", maxName+1), ID: "i"},
		{URL: "valkey://x", Name: "a", ID: "i", Idle: -1}, {URL: "valkey://x", Name: "a", ID: "i", Length: -1},
	} {
		_, err := Open(o, nil)
		require.Error(t, err, o)
	}
	_, err := Open(Options{URL: "valkey://:pass-word@%%%", Name: "a", ID: "i"}, nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "pass-word")
}

func TestNoBroker(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{URL: "valkey://127.0.0.1:1", Name: "a", ID: "i",
		Logger: slog.New(slog.DiscardHandler)}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, s.Add(t.Context(), Entry{ID: "1"}), ErrAway)
	require.Eventually(t, func() bool { return strings.Contains(s.Status().Err, "refused") }, patience,
		time.Millisecond)
	s.Close(true)
}

// A call is taken by one worker that dies after the other, on one Valkey, as a
// user with few rights, and on a Valkey Cluster.
func TestLifeOfACall(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"alone", "few rights", "cluster"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var b *brokertest.Server
			if kind == "cluster" {
				b = brokertest.StartCluster(t, 3)[0]
			} else {
				b = brokertest.Start(t)
			}
			url := b.URL()
			if kind == "few rights" {
				rule := append([]string{"ACL", "SETUSER", "few", "on", ">pw", "resetkeys",
					"~{app}", "~{app}:*", "resetchannels", "-@all"}, rights()...)
				b.Do(rule...)
				url = strings.Replace(url, "://", "://few:pw@", 1)
			}
			live(t, url, b.Addr)
		})
	}
}

// rights are those that the documentation names.
func rights() []string {
	return strings.Fields("+hello +client +select +cluster +eval +evalsha +del +exists +expire +time " +
		"+xack +xadd +xdel +xgroup +xinfo +xlen +xpending +xrange +xread +xtrim +zadd " +
		"+zrangebyscore +zrem +zremrangebyscore")
}

func live(t *testing.T, url, addr string) {
	const name = "{app}"
	ctx := t.Context()
	answers := make(chan Answer, 9)
	s, err := Open(Options{URL: url, Name: name, ID: "me", Idle: 100 * time.Millisecond, Attempts: 2,
		Length: 2, Logger: slog.New(slog.DiscardHandler)}, func(a Answer) { answers <- a })
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Status().Connected }, patience, time.Millisecond,
		s.Status().Err)
	c, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	require.NoError(t, err)
	defer c.Close()
	take := func(consumer string) (list []valkey.XRangeEntry) {
		require.Eventually(t, func() bool {
			got, err := c.Do(ctx, c.B().Xreadgroup().Group(Group, consumer).Count(9).Block(100).
				Streams().Key(name).Id(">").Build()).AsXRead()
			list = got[name]
			return err == nil
		}, patience, time.Millisecond)
		return list
	}

	require.NoError(t, s.Add(ctx, Entry{ID: "1", SID: "sid", Namespace: "/n", Call: []byte(`{"a":1}`)}))
	first := take("a")
	want := map[string]string{"id": "1", "attempt": "1", "namespace": "/n", "sid": "sid",
		"reply": name + ":reply:me", "call": `{"a":1}`}
	require.Equal(t, want, first[0].FieldValues)
	second := take("b")
	want["attempt"] = "2"
	require.Equal(t, want, second[0].FieldValues)
	require.NotEqual(t, first[0].ID, second[0].ID)
	require.Equal(t, Answer{ID: "1", Text: []byte{}, Dead: true}, <-answers)

	require.NoError(t, s.Add(ctx, Entry{ID: "2", Call: []byte(`x`), Timestamp: "7", Signature: "s"}))
	e := take("c")[0]
	require.Equal(t, "7s", e.FieldValues["timestamp"]+e.FieldValues["signature"])
	for _, r := range c.DoMulti(ctx,
		c.B().Xadd().Key(name+":reply:me").Nomkstream().Id("*").FieldValue().FieldValue("id", "2").
			FieldValue("namespace", "/n").FieldValue("answer", "{}").Build(),
		c.B().Xack().Key(name).Group(Group).Id(e.ID).Build(),
		c.B().Xdel().Key(name).Id(e.ID).Build()) {
		require.NoError(t, r.Error())
	}
	require.Equal(t, Answer{ID: "2", Namespace: "/n", Text: []byte(`{}`)}, <-answers)
	require.Eventually(t, func() bool {
		st := s.Status()
		return st.Added == 2 && st.Answers == 2 && st.Redelivered == 1 && st.Dead == 1 && st.Kept == 1 &&
			st.Length == 0 && st.Pending == 0
	}, patience, time.Millisecond)

	require.NoError(t, s.Add(ctx, Entry{ID: "3"}))
	require.NoError(t, s.Add(ctx, Entry{ID: "4"}))
	require.ErrorIs(t, s.Add(ctx, Entry{ID: "5"}), ErrFull)
	s.Close(false)
	require.ErrorIs(t, s.Add(ctx, Entry{ID: "6"}), ErrAway)
	n, err := c.Do(ctx, c.B().Exists().Key(name+":reply:me").Build()).AsInt64()
	require.NoError(t, err)
	require.Zero(t, n, "nothing is left of a server that expects nothing")
}

// A refusal of the broker is no loss: the call is not there.
func TestBrokerRefuses(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	s, err := Open(Options{URL: b.URL(), Name: "a", ID: "i", Logger: slog.New(slog.DiscardHandler)},
		func(Answer) {})
	require.NoError(t, err)
	defer s.Close(false)
	require.Eventually(t, func() bool { return s.Status().Connected }, patience, time.Millisecond)
	b.Do("DEL", "a")
	b.Do("SET", "a", "no stream")
	err = s.Add(context.Background(), Entry{ID: "1"})
	require.ErrorIs(t, err, ErrAway)
	require.True(t, refused(err) && strings.Contains(err.Error(), "WRONGTYPE"), err)
	require.False(t, refused(errors.New("x")))
}

// A broker that lets a server in but not read is asked at growing intervals, and
// told of once.
func TestAnswersCannotBeRead(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	b.Do("ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-xread")
	var mu sync.Mutex
	var away int
	began := make(chan struct{}, 9)
	s, err := Open(Options{URL: strings.Replace(b.URL(), "://", "://blind:pw@", 1), Name: "a", ID: "i",
		Logger: slog.New(lines(func(text string) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case strings.Contains(text, "is away"):
				away++
			case strings.Contains(text, "calls go to workers"):
				began <- struct{}{}
			}
		}))}, func(Answer) {})
	require.NoError(t, err)
	for range 4 {
		<-began
	}
	s.Close(false)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, away)
}

// lines is a log whose messages go to a function.
type lines func(text string)

func (lines) Enabled(context.Context, slog.Level) bool { return true }
func (f lines) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}
func (f lines) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f lines) WithGroup(string) slog.Handler      { return f }
