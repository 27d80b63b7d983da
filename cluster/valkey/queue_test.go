package valkey

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/throng-server/throng/cluster"
	"github.com/throng-server/throng/cluster/fields"
)

// Whatever is added, dropped and taken: the batches carry the kept entries in
// order, and the gaps between them are as large as what was dropped there.
func TestQueueAccountsForEverything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const most = 7
		q := newQueue(most, 1<<20)
		var kept uint64 // the last kept number added
		var seq uint64  // as readers count
		var away, under bool
		fleeting := 0 // fleeting entries that were sent: they have numbers too
		read := func(b batch) {
			seq += b.skip
			list, err := messages(b.payload)
			require.NoError(t, err)
			require.Len(t, list, b.n)
			for _, m := range list {
				seq++
				num := binary.BigEndian.Uint64(m)
				if num == 0 {
					fleeting++
					continue
				}
				require.Equal(t, seq-uint64(fleeting), num)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"kept": func(*rapid.T) {
				kept++
				require.True(t, q.add(cluster.Kept, entry(kept)))
			},
			"fleeting": func(*rapid.T) {
				require.Equal(t, !away, q.add(cluster.Fleeting, entry(0)))
			},
			"asked": func(*rapid.T) {
				require.Equal(t, !away, q.add(cluster.Asked, entry(0)))
			},
			"away": func(t *rapid.T) {
				away = !away
				q.setAway(away)
				if !away && rapid.Bool().Draw(t, "for long") {
					q.setAway(true)
					q.awayAt = q.awayAt.Add(-2 * askPatience)
					q.setAway(false)
				}
			},
			"take": func(*rapid.T) {
				if under {
					return
				}
				var b batch
				if b, under = q.take(); under {
					read(b)
				}
			},
			"done": func(t *rapid.T) {
				if !under {
					return
				}
				under = false
				q.done()
			},
			"": func(*rapid.T) {
				require.LessOrEqual(t, q.n, most)
				require.GreaterOrEqual(t, q.bytes, int64(0))
			},
		})
		if under {
			q.done()
		}
		for {
			b, ok := q.take()
			if !ok {
				break
			}
			read(b)
			q.done()
		}
		require.Equal(t, kept, seq-uint64(fleeting)+q.tail())
		require.True(t, q.empty())
		require.Zero(t, q.bytes)
	})
}

// A question that was taken outlasts a short pause, not a long one; what is
// fleeting does not even that.
func TestQuestionsOutlastAPause(t *testing.T) {
	t.Parallel()
	for _, long := range []bool{false, true} {
		q := newQueue(10, 1<<20)
		q.add(cluster.Kept, entry(1))
		require.True(t, q.add(cluster.Asked, entry(2)))
		require.True(t, q.add(cluster.Fleeting, entry(3)))
		q.setAway(true)
		require.False(t, q.add(cluster.Asked, entry(4)), "whoever asks now is told")
		if long {
			q.awayAt = q.awayAt.Add(-2 * askPatience)
		}
		q.setAway(true) // is known
		q.setAway(false)
		b, ok := q.take()
		require.True(t, ok)
		list, err := messages(b.payload)
		require.NoError(t, err)
		want := [][]byte{entry(1), entry(2)}
		dropped := uint64(2)
		if long {
			want = want[:1]
			dropped++
		}
		require.Equal(t, want, list)
		require.Equal(t, dropped, q.dropped["away"])
		require.True(t, q.add(cluster.Asked, entry(5)))
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	q := newQueue(10_000, 64<<20)
	for range 3000 {
		q.add(cluster.Kept, make([]byte, 10))
	}
	b, _ := q.take()
	require.Equal(t, batchEntries, b.n)
	q = newQueue(10_000, 64<<20)
	for range 5 {
		q.add(cluster.Kept, make([]byte, 100<<10))
	}
	b, _ = q.take()
	require.Equal(t, 2, b.n)
	q.done()
	q = newQueue(10_000, 64<<20)
	q.add(cluster.Kept, make([]byte, 1<<20))
	b, _ = q.take()
	require.Equal(t, 1, b.n, "one that is larger goes alone")
}

func TestMessagesRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {5}, {2, 1}, {0x80}, {1, 1, 200, 1},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}} {
		_, err := messages(b)
		require.ErrorIs(t, err, errBatch, "%v", b)
	}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, 20).Draw(t, "list")
		var b []byte
		for _, m := range list {
			b = fields.Append(b, m)
		}
		got, err := messages(b)
		require.NoError(t, err)
		require.Len(t, got, len(list))
		for i := range list {
			require.Equal(t, append([]byte{}, list[i]...), append([]byte{}, got[i]...))
		}
	})
}

func TestTrimmingFollowsEachBound(t *testing.T) {
	t.Parallel()
	o := Options{StreamEntries: 100, StreamBytes: 1000, StreamAge: time.Hour}
	fill := func(n, size int) *marks {
		m := &marks{}
		for i := range n {
			m.add(uint64(i+1), int64(size))
			m.list[len(m.list)-1].at = time.Now().Add(-2 * markEvery) // each its own mark
		}
		return m
	}
	require.Equal(t, uint64(1), fill(50, 1).from(&o))
	require.Equal(t, uint64(201), fill(300, 1).from(&o), "by number")
	require.Equal(t, uint64(41), fill(50, 100).from(&o), "by size")
	m := fill(50, 1)
	m.list[20].at = time.Now().Add(-2 * time.Hour)
	for i := range 20 {
		m.list[i].at = m.list[20].at
	}
	require.Equal(t, uint64(22), m.from(&o), "by age")
	require.Equal(t, uint64(22), m.from(&o))
}
