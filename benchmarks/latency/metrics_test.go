package latency

import (
	"bytes"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/benchmarks/internal/client"
)

// afterScrape is how long a scrape may be felt when it has been answered.
const afterScrape = 5 * time.Millisecond

// metrics scrapes /metrics on one connection, as Prometheus does, from the loop
// of the process that measures: a scraper of its own would take that one's
// processor.
type metrics struct {
	fd         int
	ask        []byte
	every      time.Duration
	next       time.Time // zero: never
	asked, end time.Time // the scrape that is under way or was last; end is zero meanwhile
	part       [64 << 10]byte
	buf        []byte
	n          int
	took       time.Duration
}

func openMetrics(addr string) (*metrics, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	fd, err := client.Detach(c.(*net.TCPConn))
	return &metrics{fd: fd, ask: []byte("GET /metrics HTTP/1.1\r\nHost: " + addr + "\r\n\r\n")}, err
}

func (m *metrics) close() { _ = unix.Close(m.fd) }

// begin starts to count. The first scrape comes after half of every.
func (m *metrics) begin(every string) (err error) {
	m.n, m.took, m.next = 0, 0, time.Time{}
	if m.every, err = time.ParseDuration(every); err == nil && m.every > 0 {
		m.next = time.Now().Add(m.every / 2)
	}
	return err
}

// during tells whether a question asked at t and answered now was under way
// while a scrape was, or soon after.
func (m *metrics) during(t time.Time) bool {
	return !m.asked.IsZero() && (m.end.IsZero() || t.Before(m.end.Add(afterScrape)))
}

// poll begins a scrape if it is time, and reads what there is of its answer.
func (m *metrics) poll() error {
	if m.asked.IsZero() || !m.end.IsZero() {
		if m.next.IsZero() || time.Now().Before(m.next) {
			return nil
		}
		m.asked, m.end, m.buf = time.Now(), time.Time{}, m.buf[:0]
		m.next = m.asked.Add(m.every)
		_, err := unix.Write(m.fd, m.ask)
		return err
	}
	n, err := client.ReadSome(m.fd, m.part[:])
	if n == 0 {
		return err
	}
	if m.buf = append(m.buf, m.part[:n]...); !bytes.HasPrefix(m.buf, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("/metrics: %q", m.buf)
	}
	if bytes.HasSuffix(m.buf, []byte("\r\n0\r\n\r\n")) {
		m.end = time.Now()
		m.n++
		m.took += m.end.Sub(m.asked)
	}
	return nil
}
