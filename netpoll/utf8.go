package netpoll

import "unicode/utf8"

// utf8Check validates UTF-8 that arrives in chunks and fails at the first byte
// that no continuation can make valid, as RFC 6455 section 8.1 allows and the
// strict reading wants. The zero value is ready.
type utf8Check struct {
	need   uint8 // continuation bytes that the open rune still wants
	lo, hi uint8 // range of the next one of them
	bad    bool
}

// Reset makes u ready for another text.
func (u *utf8Check) Reset() { *u = utf8Check{} }

// Done reports whether the text may end here: valid and no rune open.
func (u *utf8Check) Done() bool { return u.need == 0 && !u.bad }

// Write takes the next chunk. It returns false when the text can no longer
// become valid, now and from then on.
func (u *utf8Check) Write(p []byte) bool {
	for u.need > 0 && len(p) > 0 && !u.bad {
		u.step(p[0])
		p = p[1:]
	}
	if u.bad || len(p) == 0 {
		return !u.bad
	}
	// p starts on a rune boundary. What may be an open rune at its end goes
	// through the state, the bulk through utf8.Valid and its fast ASCII path.
	cut := openTail(p)
	if !utf8.Valid(p[:cut]) {
		u.bad = true
		return false
	}
	for _, c := range p[cut:] {
		u.step(c)
	}
	return !u.bad
}

// openTail returns the index at which a rune starts that p does not finish, or
// len(p).
func openTail(p []byte) int {
	for i := 1; i <= min(3, len(p)); i++ {
		switch c := p[len(p)-i]; {
		case c < 0x80:
			return len(p)
		case c >= 0xc0:
			if i < 2 || i < 3 && c >= 0xe0 || c >= 0xf0 {
				return len(p) - i
			}
			return len(p)
		}
	}
	return len(p)
}

// step advances by one byte; Unicode table 3-7, the same as RFC 3629's syntax.
func (u *utf8Check) step(c byte) {
	if u.need > 0 {
		if c < u.lo || c > u.hi {
			u.bad = true
			return
		}
		u.need--
		u.lo, u.hi = 0x80, 0xbf
		return
	}
	u.lo, u.hi = 0x80, 0xbf
	switch {
	case c < 0x80:
	case c < 0xc2: // a stray continuation, or an overlong form
		u.bad = true
	case c < 0xe0:
		u.need = 1
	case c < 0xf0:
		u.need = 2
		if c == 0xe0 { // below are overlong forms
			u.lo = 0xa0
		} else if c == 0xed { // above are surrogates
			u.hi = 0x9f
		}
	case c < 0xf5:
		u.need = 3
		if c == 0xf0 { // below are overlong forms
			u.lo = 0x90
		} else if c == 0xf4 { // above U+10FFFF
			u.hi = 0x8f
		}
	default:
		u.bad = true
	}
}
