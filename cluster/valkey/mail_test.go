package valkey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
	"github.com/throng-server/throng/internal/brokertest"
)

// A broker that pauses for longer than a command may take, but not for longer
// than questions wait, loses no answer, and none comes twice.
func TestAnswersOutlastAPause(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	o := func(id string) Options {
		o := quick(s.URL(), id)
		o.Lease, o.Timeout = 6*time.Second, 100*time.Millisecond
		return o
	}
	a, b := open(t, o("a")), open(t, o("b"))
	a.knows("b")
	b.knows("a")
	s.Freeze()
	require.True(t, a.Send(b.Self(), entry(1)))
	require.True(t, a.Publish(cluster.Kept, entry(100)))
	eventually(t, "a notices", a.away)
	require.True(t, a.Send(b.Self(), entry(2)), "also while the broker is away")
	time.Sleep(5 * a.opt.Timeout) // time to try again, which nothing tells of
	s.Thaw()
	b.until("what was published", func() bool { return len(b.got["a"]) >= 3 })
	require.True(t, a.Send(b.Self(), entry(3)))
	b.until("what came last", func() bool { return len(b.got["a"]) >= 4 })
	b.mu.Lock()
	defer b.mu.Unlock()
	var answers []uint64
	for _, n := range b.got["a"] {
		if n < 100 {
			answers = append(answers, n)
		}
	}
	require.Equal(t, []uint64{1, 2, 3}, answers)
	require.Zero(t, a.Status().Dropped["answer"])
}

// What is posted again, because nobody knew whether it had arrived, is received
// once.
func TestAnswersPostedTwiceComeOnce(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b"))
	self := b.Self()
	m := newMail(a.Transport) // of another sender
	for _, number := range []uint64{1, 1, 2, 1, 2, 3} {
		require.NoError(t, m.post(&parcel{to: key{self.ID, self.Incarnation}, from: "x.7",
			number: number, payload: fields.Append(nil, entry(number))}))
	}
	b.until("the last one", func() bool { return len(b.got["x"]) >= 3 })
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Equal(t, []uint64{1, 2, 3}, b.got["x"])
}

// A node whose stream takes nothing holds up no other.
func TestAnswersOfOneNodeAreNotHeldUpByAnother(t *testing.T) {
	t.Parallel()
	s := brokertest.Start(t)
	a, b, c := open(t, quick(s.URL(), "a")), open(t, quick(s.URL(), "b")), open(t, quick(s.URL(), "c"))
	a.knows("b", "c")
	c.knows("a")
	lost := a.mailKey(b.Self().ID, b.Self().Incarnation)
	s.Do("DEL", lost)
	s.Do("SET", lost, "no stream")
	require.True(t, a.Send(b.Self(), entry(1)))
	began := time.Now()
	for n := range uint64(3) {
		require.True(t, a.Send(c.Self(), entry(n)))
	}
	c.until("the other's", func() bool { return len(c.got["a"]) >= 3 })
	require.Less(t, time.Since(began), askPatience/2)
	eventually(t, "one is tried again", func() bool { return a.Status().QueuedEntries == 1 })
	s.Do("DEL", lost)
	eventually(t, "it is sent", a.mail.empty)
	require.Zero(t, a.Status().QueuedEntries)
	require.Zero(t, a.Status().QueuedBytes)
	require.Zero(t, a.Status().Dropped["answer"])
}

// An answer that is packed behind an old one is tried for as long as it would
// be alone.
func TestAParcelIsWorthWhatItsLastLetterIs(t *testing.T) {
	t.Parallel()
	now := time.Now()
	p := pack([]letter{{entry(1), now.Add(-2 * askPatience)}, {entry(2), now}})
	require.Equal(t, 2, p.letters)
	require.Equal(t, now.Add(askPatience), p.patience)
}
