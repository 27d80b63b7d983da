package loadgen

// window is what one receiver has got of one stream: enough to tell a
// duplicate from one that was overtaken.
type window struct {
	last uint32 // the highest number received
	got  uint32 // different numbers received
	seen uint64 // bit k: last-k was received
	away bool   // the client was offline since the last one
}

// windowSize is how far back a window remembers. What comes later than that
// counts as a duplicate, and as lost.
const windowSize = 64

type verdict int

const (
	inOrder   verdict = iota // the next one, or the first after a gap
	late                     // overtaken by a higher number
	duplicate                // received before
)

// take accounts for one message; gap is how many were passed over to reach it.
func (x *window) take(seq uint32) (v verdict, gap uint32) {
	if seq > x.last {
		step := seq - x.last
		x.seen = x.seen<<min(step, windowSize) | 1 // a shift by 64 is 0 in Go
		x.last = seq
		x.got++
		return inOrder, step - 1
	}
	back := x.last - seq
	if back >= windowSize || x.seen>>back&1 == 1 {
		return duplicate, 0
	}
	x.seen |= 1 << back
	x.got++
	return late, 0
}
