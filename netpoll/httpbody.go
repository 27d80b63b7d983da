package netpoll

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

const (
	// bodyTimeout bounds the time a body may take.
	bodyTimeout = 60 * time.Second
	// maxChunkLine bounds a line of chunked coding: the size with its
	// extensions, or a trailer field. RFC 9112 section 7.1.1 asks for a limit.
	maxChunkLine = 256
	// maxTrailer bounds all trailer fields.
	maxTrailer = 4 << 10
)

// chunkPart is what comes next in a body in chunked coding.
type chunkPart uint8

const (
	chunkNone    chunkPart = iota // the body has a Content-Length
	chunkSize                     // digits of the size
	chunkExt                      // an extension, ignored up to the line's end
	chunkData                     // left bytes
	chunkDataEnd                  // the CRLF behind them
	chunkTrailer                  // fields, ignored up to an empty line
)

var errChunk = errors.New("malformed chunked body")

var continueMsg = NewMsgWire([]byte("HTTP/1.1 100 Continue\r\n\r\n"), 1)

// startBody prepares for the body of a request.
func (c *Conn) startBody(r *Request, reply *Reply) {
	q := &request{framing: framingOf(r), w: reply.Waiter, reading: true, limit: reply.Limit,
		left: max(r.ContentLength, 0)}
	if r.Chunked {
		q.chunk = chunkSize
	}
	c.partial().wait = q
	switch {
	case q.left > int64(q.limit):
		c.endBody(ErrTooLarge)
		return
	case q.left == 0 && !r.Chunked:
		c.endBody(nil)
		return
	}
	c.setTimer(ticksOf(bodyTimeout))
	if r.Expect {
		c.push(continueMsg)
		c.markDirect()
	}
}

// endBody hands the body to the waiter and does what it says.
func (c *Conn) endBody(err error) {
	q := c.in.wait
	q.reading = false
	body := q.body
	q.body = nil
	if err != nil {
		body, q.last = nil, true
	}
	c.setTimer(0)
	reply := q.w.Body(c, body, err)
	if c.state != stateHTTP || c.in == nil || c.in.wait != q {
		return
	}
	if reply.Kind == Defer {
		q.w = reply.Waiter
		c.setTimer(reply.Wait)
		return
	}
	c.in.wait = nil
	c.settle()
	c.write(q.framing, &reply)
}

// readBody takes bytes of the body and returns what is behind it.
func (c *Conn) readBody(p []byte) []byte {
	q := c.in.wait
	if q.chunk != chunkNone {
		return c.readChunks(q, p)
	}
	n := int(min(q.left, int64(len(p))))
	q.take(p[:n])
	if q.left -= int64(n); q.left == 0 {
		c.endBody(nil)
	}
	return p[n:]
}

// take appends to the body. The first allocation is bounded whatever length
// was announced, so that a head alone reserves no megabyte.
func (q *request) take(p []byte) {
	if need := len(q.body) + len(p); need > cap(q.body) {
		want := need
		if q.chunk == chunkNone {
			want = int(min(int64(len(q.body))+q.left, max(firstReserve, int64(16*need))))
		}
		q.body = slices.Grow(q.body, want-len(q.body))
	}
	q.body = append(q.body, p...)
}

// readChunks decodes chunked coding, RFC 9112 section 7.1. Lines end in CRLF
// only: whatever a proxy in front might read otherwise is refused.
func (c *Conn) readChunks(q *request, p []byte) []byte {
	for len(p) > 0 {
		switch q.chunk {
		case chunkData:
			n := int(min(q.left, int64(len(p))))
			q.take(p[:n])
			p = p[n:]
			if q.left -= int64(n); q.left == 0 {
				q.chunk = chunkDataEnd
			}
			continue
		case chunkTrailer:
			rest, done, ok := q.trailer(p)
			if !ok {
				c.badBody()
				return nil
			}
			if done {
				c.endBody(nil)
			}
			if done || len(rest) == 0 {
				return rest
			}
			p = rest
			continue
		}
		b := p[0]
		p = p[1:]
		if q.line++; q.line > maxChunkLine || !q.chunkByte(b) {
			c.badBody()
			return nil
		}
		if int64(len(q.body))+max(q.left, q.size-1) > int64(q.limit) {
			c.endBody(ErrTooLarge)
			return nil
		}
	}
	return p
}

// chunkByte takes one byte of a size line or of the line end behind data.
func (q *request) chunkByte(b byte) bool {
	cr := q.left == -1 // the CR of this line has come
	switch {
	case cr:
		if b != '\n' {
			return false
		}
		q.left, q.line = 0, 0
		if q.chunk == chunkDataEnd {
			q.chunk = chunkSize
			return true
		}
		n := q.size - 1
		q.size = 0
		if n == 0 {
			q.chunk = chunkTrailer
			return true
		}
		q.left, q.chunk = n, chunkData
	case b == '\r':
		if q.chunk != chunkDataEnd && q.size == 0 {
			return false // no digit
		}
		q.left = -1
	case q.chunk == chunkDataEnd:
		return false
	case q.chunk == chunkExt:
		return charClass[b]&isValue != 0
	case b == ';' || b == ' ' || b == '\t':
		if q.size == 0 {
			return false
		}
		q.chunk = chunkExt
	default:
		d, ok := hexDigit(b)
		if !ok {
			return false
		}
		// size is one more than the number, so that 0 means none yet.
		q.size = (max(q.size, 1)-1)*16 + d + 1
		return q.size < 1<<40
	}
	return true
}

func hexDigit(b byte) (int64, bool) {
	switch {
	case digit(b):
		return int64(b - '0'), true
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int64(b|0x20-'a') + 10, true
	}
	return 0, false
}

// trailer skips fields up to the empty line. left counts the bytes of the
// current line, size those of all of them.
func (q *request) trailer(p []byte) (rest []byte, done, ok bool) {
	lf := bytes.IndexByte(p, '\n')
	n := lf + 1
	if lf < 0 {
		n = len(p)
	}
	if q.size += int64(n); q.size > maxTrailer {
		return nil, false, false
	}
	q.body = append(q.body, p[:n]...) // below the mark is the body
	q.line += n
	if lf < 0 {
		return nil, false, true
	}
	line := q.body[len(q.body)-q.line:]
	q.body = q.body[:len(q.body)-q.line]
	q.line = 0
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, false, false
	}
	return p[n:], len(line) == 2, true
}

// badBody refuses a body that is not framed as it should be.
func (c *Conn) badBody() {
	c.abandon(&ProtocolError{Err: errChunk})
	c.refuse(400, errChunk.Error())
}
