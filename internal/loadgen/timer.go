package loadgen

// timer is something to look at later. It is stale when its connection has a
// newer generation, and is then ignored.
type timer struct {
	at   int64
	conn int32
	gen  uint32
	kind timerKind
}

type timerKind uint8

const (
	timerHandshake timerKind = iota // give the handshake up
	timerRedial                     // connect again
)

// timers is a binary heap, the earliest first.
type timers []timer

func (h *timers) add(t timer) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].at <= s[i].at {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

// pop removes and returns the earliest timer.
func (h *timers) pop() timer {
	s := *h
	first, n := s[0], len(s)-1
	s[0] = s[n]
	s = s[:n]
	*h = s
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < n && s[down].at < s[least].at {
				least = down
			}
		}
		if least == i {
			return first
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
