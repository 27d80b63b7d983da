package loadgen

import "bytes"

// stamp is what a payload says about itself. As text it needs no escaping in
// JSON, whatever a server wraps it in: a mark, then fields of hexadecimal
// digits, then filling up to the wanted size.
type stamp struct {
	run    uint16 // tells this run from others on the same server
	stream uint32 // 24 bits: the publisher, the room or the echoing connection
	seq    uint32 // from 1, without gaps in a stream
	at     int64  // when it was due, ns of now
}

const (
	stampMark = '~'
	stampSize = 1 + 4 + 6 + 8 + 16
	fill      = 'x'
	maxStream = 1<<24 - 1
)

// appendStamp appends s as a payload of size bytes, at least stampSize.
func appendStamp(b []byte, s stamp, size int) []byte {
	b = append(b, stampMark)
	b = appendHex(b, uint64(s.run), 4)
	b = appendHex(b, uint64(s.stream), 6)
	b = appendHex(b, uint64(s.seq), 8)
	b = appendHex(b, uint64(s.at), 16)
	for range size - stampSize {
		b = append(b, fill)
	}
	return b
}

// findStamp looks for a payload in a packet.
func findStamp(p []byte) (s stamp, ok bool) {
	for {
		i := bytes.IndexByte(p, stampMark)
		if i < 0 || len(p)-i < stampSize {
			return s, false
		}
		p = p[i+1:]
		run, ok1 := parseHex(p[:4])
		stream, ok2 := parseHex(p[4:10])
		seq, ok3 := parseHex(p[10:18])
		at, ok4 := parseHex(p[18:34])
		if ok1 && ok2 && ok3 && ok4 {
			return stamp{uint16(run), uint32(stream), uint32(seq), int64(at)}, true
		}
	}
}

const digits = "0123456789abcdef"

func appendHex(b []byte, v uint64, n int) []byte {
	for shift := 4 * (n - 1); shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

func parseHex(p []byte) (v uint64, ok bool) {
	for _, c := range p {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
