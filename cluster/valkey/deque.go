package valkey

import "github.com/throng-server/throng/cluster"

// item is a published entry that waits.
type item struct {
	data []byte
	// skip counts the kept entries that were lost right before this one.
	skip  uint64
	class cluster.Class
}

// chunkItems is how many items a chunk of a deque has.
const chunkItems = 512

type chunk [chunkItems]item

// deque is a queue in chunks, so that growing in an outage copies nothing: the
// publishing loops wait for each other here. The zero value is ready.
type deque struct {
	chunks []*chunk
	head   int // of the first chunk
	n      int
	spare  *chunk
}

func (d *deque) at(i int) *item {
	i += d.head
	return &d.chunks[i/chunkItems][i%chunkItems]
}

func (d *deque) push(it item) {
	if d.head+d.n == len(d.chunks)*chunkItems {
		c := d.spare
		if d.spare = nil; c == nil {
			c = new(chunk)
		}
		d.chunks = append(d.chunks, c)
	}
	d.n++
	*d.at(d.n - 1) = it
}

// shift takes the oldest item out; there must be one.
func (d *deque) shift() item {
	p := d.at(0)
	it := *p
	*p = item{}
	d.n--
	if d.head++; d.head == chunkItems {
		d.head = 0
		d.spare = d.chunks[0] // all zero again
		d.chunks[0] = nil
		d.chunks = d.chunks[1:]
	}
	return it
}

// keep shortens the deque to its first n items.
func (d *deque) keep(n int) {
	for i := n; i < d.n; i++ {
		*d.at(i) = item{}
	}
	d.n = n
}
