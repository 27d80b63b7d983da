package loadgen

import "encoding/binary"

// maxReceipts bounds what a worker remembers of single messages.
const maxReceipts = 1 << 18

// receipts keeps for the first messages of each stream how long the last
// receiver of a worker waited for it, in us. The zero value keeps nothing.
type receipts struct {
	per  int // messages of a stream
	ages []uint32
}

func newReceipts(streams int) receipts {
	per := maxReceipts / max(streams, 1)
	return receipts{per, make([]uint32, per*streams)}
}

func (r *receipts) add(stream uint32, seq uint32, ns int64) {
	if k := int(seq) - 1; k < r.per && k >= 0 {
		if at := int(stream)*r.per + k; at < len(r.ages) {
			// A receipt in the first microsecond is still a receipt, as is one
			// before: processors' clocks differ by some.
			r.ages[at] = max(r.ages[at], uint32(min(max(ns/1000, 1), histMax)))
		}
	}
}

// bytes is what a worker reports.
func (r *receipts) bytes() []byte {
	b := make([]byte, 0, 4*len(r.ages))
	for _, a := range r.ages {
		b = binary.LittleEndian.AppendUint32(b, a)
	}
	return b
}

// merge takes the later of its own and another worker's receipts.
func (r *receipts) merge(b []byte) {
	if missing := len(b)/4 - len(r.ages); missing > 0 {
		r.ages = append(r.ages, make([]uint32, missing)...)
	}
	for i := range len(b) / 4 {
		r.ages[i] = max(r.ages[i], binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// hist is one value for each message that somebody got.
func (r *receipts) hist() hist {
	h := newHist()
	for _, a := range r.ages {
		if a > 0 {
			h.add(int64(a) * 1000)
		}
	}
	return h
}
