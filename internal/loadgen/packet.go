package loadgen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The accept key of the fixed nonce is the example of RFC 6455 section 1.3.
const acceptKey = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

// upgradeRequest asks a target for a WebSocket.
func (p *Plan) upgradeRequest(t Target) []byte {
	return fmt.Appendf(nil, "GET %s%sEIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", p.Path, p.querySign(), t.Host)
}

// querySign is what joins a query to the path.
func (p *Plan) querySign() string {
	if strings.Contains(p.Path, "?") {
		return "&"
	}
	return "?"
}

var headEnd = []byte("\r\n\r\n")

// feed takes what is whole at the start of b, and returns how much that was.
func (w *worker) feed(i int32, b []byte) (used int) {
	c := &w.conns[i]
	gen := c.gen
	if c.state == upgrading {
		end := bytes.Index(b, headEnd)
		if end < 0 {
			return 0
		}
		head := b[:end]
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) ||
			!bytes.Contains(head, []byte(acceptKey)) {
			first, _, _ := bytes.Cut(head, []byte("\r"))
			w.drop(i, errStatus, fmt.Sprintf("not upgraded: %.60s %.100s", first, b[end+4:]))
			return 0
		}
		c.state = opening
		used = end + len(headEnd)
	}
	for c.gen == gen && used < len(b) {
		op, payload, n, err := parseFrame(b[used:])
		if err != nil {
			w.drop(i, errProtocol, err.Error())
			return 0
		}
		if n == 0 {
			break
		}
		used += n
		switch op {
		case opText:
			w.packet(i, payload)
		case opPing:
			w.scratch = appendFrame(w.scratch[:0], opPong, payload)
			w.write(i, w.scratch)
		case opClose:
			w.closeFrame(i, payload)
		}
	}
	return used
}

func (w *worker) closeFrame(i int32, payload []byte) {
	if w.conns[i].state == closing {
		w.hangUp(i, false)
		return
	}
	text := "close frame without a code"
	if len(payload) >= 2 {
		text = fmt.Sprintf("close frame %d %s", int(payload[0])<<8|int(payload[1]), payload[2:])
	}
	w.drop(i, errClosed, text)
}

// send sends a packet by whatever transport the connection has.
func (w *worker) send(i int32, packet []byte) bool {
	if w.plan.Transport == Polling {
		return w.pollSend(i, packet)
	}
	w.scratch = appendFrame(w.scratch[:0], opText, packet)
	return w.write(i, w.scratch)
}

var pong = []byte("3")

// packet handles one Engine.IO packet.
func (w *worker) packet(i int32, p []byte) {
	c := &w.conns[i]
	if len(p) == 0 {
		return
	}
	switch p[0] {
	case '0':
		w.opened(i, p[1:])
	case '1':
		w.drop(i, errClosed, "Engine.IO close")
	case '2':
		w.counts.Pings++
		c.heard = now()
		if len(p) == 1 {
			w.send(i, pong)
		}
	case '4':
		w.message(i, p)
	}
}

// opened takes the open packet and asks for the namespace.
func (w *worker) opened(i int32, text []byte) {
	c := &w.conns[i]
	if c.state != opening {
		return
	}
	if w.pingInterval == 0 || c.poll != nil {
		var open struct {
			SID          string `json:"sid"`
			PingInterval int    `json:"pingInterval"`
			PingTimeout  int    `json:"pingTimeout"`
		}
		if err := json.Unmarshal(text, &open); err != nil {
			w.drop(i, errProtocol, "open packet: "+err.Error())
			return
		}
		w.pingInterval = time.Duration(open.PingInterval) * time.Millisecond
		w.pingTimeout = time.Duration(open.PingTimeout) * time.Millisecond
		if c.poll != nil {
			c.poll.sid = open.SID
		}
	}
	c.state = entering
	w.packetBuf = append(append(w.packetBuf[:0], "40"...), nspPart(w.plan.Contract.Namespace)...)
	if c.rec != nil && len(c.rec.pid) > 0 && len(c.rec.offset) > 0 {
		w.packetBuf = fmt.Appendf(w.packetBuf, `{"pid":"%s","offset":"%s"}`, c.rec.pid, c.rec.offset)
	} else {
		w.packetBuf = append(w.packetBuf, w.plan.Auth...)
	}
	w.send(i, w.packetBuf)
}

// message handles a Socket.IO packet, with the "4" before it.
func (w *worker) message(i int32, p []byte) {
	c := &w.conns[i]
	if len(p) < 2 {
		return
	}
	switch p[1] {
	case '0':
		if c.state == entering {
			w.entered(i, p)
		}
	case '1':
		w.drop(i, errNamespace, "disconnected from the namespace")
	case '2':
		w.event(i, p)
	case '4':
		w.drop(i, errNamespace, fmt.Sprintf("CONNECT_ERROR %s", p))
	}
}

// entered is the namespace's answer to CONNECT.
func (w *worker) entered(i int32, p []byte) {
	c := &w.conns[i]
	c.state, c.heard = ready, now()
	w.counts.InFlight--
	w.counts.Ready++
	w.counts.Handshakes++
	w.handshake.add(c.heard - c.since)
	recovered := false
	if w.plan.Recover {
		if c.rec == nil {
			c.rec = &recoveryMark{}
		}
		pid := field(p, `"pid":"`)
		recovered = len(c.rec.offset) > 0 && len(pid) > 0 && bytes.Equal(pid, c.rec.pid)
		c.rec.pid = append(c.rec.pid[:0], pid...)
	}
	if c.back {
		c.back = false
		for k := range w.ownWindows(i) {
			w.ownWindows(i)[k].away = !recovered
		}
		w.counts.Returned++
		w.backTime.add(c.heard - c.lost)
		if recovered {
			w.counts.Recovered++
		}
		if recovered && w.plan.joins() {
			c.joined = true
			w.counts.Joined++
		}
	}
	if w.cameIn != nil {
		w.cameIn(i)
	}
}

// field is the text after key up to the next quote.
func field(p []byte, key string) []byte {
	_, rest, ok := bytes.Cut(p, []byte(key))
	if !ok {
		return nil
	}
	value, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return nil
	}
	return value
}

// event handles one event: a measured message, or the answer to a join.
func (w *worker) event(i int32, p []byte) {
	c := &w.conns[i]
	if c.rec != nil {
		c.rec.keepOffset(p)
	}
	if s, ok := findStamp(p); ok {
		w.receive(i, s)
		return
	}
	if !c.joined && len(w.joinedHead) > 0 && bytes.HasPrefix(p, w.joinedHead) {
		c.joined = true
		w.counts.Joined++
	}
}

// keepOffset keeps the last argument of an event, by which a server that
// recovers connections numbers it.
func (r *recoveryMark) keepOffset(p []byte) {
	text, ok := bytes.CutSuffix(p, []byte(`"]`))
	if !ok || len(r.pid) == 0 {
		return
	}
	if from := bytes.LastIndexByte(text, '"'); from >= 0 {
		r.offset = append(r.offset[:0], text[from+1:]...)
	}
}

// receive accounts for one delivery.
func (w *worker) receive(i int32, s stamp) {
	if s.run != w.plan.Run {
		w.counts.Foreign++
		return
	}
	slot := w.plan.stream(w.global(i), s.stream)
	if slot < 0 {
		w.counts.Misrouted++
		return
	}
	c := &w.conns[i]
	win := &w.windows[int(i)*w.perConn+slot]
	v, gap := win.take(s.seq)
	if v == duplicate {
		w.counts.Duplicate++
		return
	}
	age := now() - s.at
	w.latency.add(age)
	w.interval.add(age)
	w.counts.Deliveries++
	w.last.add(s.stream, s.seq, age)
	switch {
	case v == late:
		w.counts.Late++
	case win.away:
		w.counts.Missed += uint64(gap)
	default:
		w.counts.Gap += uint64(gap)
	}
	win.away = false
	if c.sender >= 0 && w.senders[c.sender].stream == s.stream {
		w.credit(c.sender, int(gap)+1)
	}
}
