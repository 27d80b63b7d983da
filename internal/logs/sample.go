package logs

import (
	"sync"
	"time"
)

// Of lines with the same message, perSecond are written a second; messages are
// remembered up to maxMessages.
const (
	perSecond   = 5
	maxMessages = 256
)

// sampler keeps what clients can cause at will from filling the disk.
type sampler struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]*recent
}

type recent struct {
	second  int64
	lines   int
	skipped int
}

func newSampler(now func() time.Time) *sampler {
	return &sampler{now: now, seen: make(map[string]*recent)}
}

// allow tells whether a line with this message is written, and how many before
// it were not.
func (s *sampler) allow(message string) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.seen[message]
	if r == nil {
		if len(s.seen) >= maxMessages {
			clear(s.seen)
		}
		r = &recent{}
		s.seen[message] = r
	}
	if second := s.now().Unix(); second != r.second {
		r.second, r.lines = second, 0
	}
	if r.lines++; r.lines > perSecond {
		r.skipped++
		return 0, false
	}
	skipped, r.skipped = r.skipped, 0
	return skipped, true
}
