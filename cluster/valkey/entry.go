package valkey

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/throng-server/throng/cluster/fields"
)

// Fields of entries.
const (
	fieldMessages = "m" // a batch: each message with its length before it
	fieldFence    = "x" // the end of a stream: one of the two below
	fieldFrom     = "f" // NODE.INCARNATION, in the stream of answers
	fieldNumber   = "k" // there, the sender's number of the entry, which ascends
	fieldNews     = "n" // the directory has changed: look
	fieldWake     = "w" // nothing; it ends a blocking read
	fieldMaybe    = "o" // where the batch may have been added before: INCARNATION-SEQ ...

	fenceLost = "lost"
	fenceLeft = "left"
)

// The epoch of all ids of messages: the incarnation, which the key names, is
// what changes. A fence is above all of them.
const (
	epoch      = 1
	fenceEpoch = math.MaxUint64 - 1
	fenceID    = "18446744073709551614-1"
	// highestMessage is the highest id that a message may have.
	highestMessage = "1-18446744073709551615"
)

// streamID is the id of an entry.
type streamID struct{ ms, seq uint64 }

func (i streamID) String() string {
	return strconv.FormatUint(i.ms, 10) + "-" + strconv.FormatUint(i.seq, 10)
}

func (i streamID) less(o streamID) bool {
	return i.ms < o.ms || i.ms == o.ms && i.seq < o.seq
}

func parseID(s string) (streamID, error) {
	a, b, ok := strings.Cut(s, "-")
	ms, err := strconv.ParseUint(a, 10, 64)
	seq, err2 := strconv.ParseUint(b, 10, 64)
	if !ok || err != nil || err2 != nil {
		return streamID{}, fmt.Errorf("%q is not the id of a stream's entry", s)
	}
	return streamID{ms, seq}, nil
}

func messageID(seq uint64) streamID { return streamID{epoch, seq} }

// place is where a batch ends in the stream of an incarnation.
type place struct{ incarnation, seq uint64 }

func formatPlaces(list []place) string {
	var b strings.Builder
	for i, p := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(streamID{p.incarnation, p.seq}.String())
	}
	return b.String()
}

// parsePlaces leaves out what is no place.
func parsePlaces(s string) (list []place, err error) {
	for f := range strings.FieldsSeq(s) {
		id, bad := parseID(f)
		if bad != nil {
			err = bad
			continue
		}
		list = append(list, place{id.ms, id.seq})
	}
	return list, err
}

var errBatch = errors.New("not a batch of messages")

// messages splits a batch. The messages share its bytes.
func messages(batch []byte) ([][]byte, error) {
	n := 0
	for r := (fields.Reader{Rest: batch}); len(r.Rest) > 0; n++ {
		if r.Bytes(); r.Bad {
			return nil, errBatch
		}
	}
	if n == 0 {
		return nil, errBatch
	}
	out := make([][]byte, 0, n)
	for r := (fields.Reader{Rest: batch}); len(r.Rest) > 0; {
		out = append(out, r.Bytes())
	}
	return out, nil
}

// bytesOf shares the bytes of a string, which nobody may change then.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
