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
