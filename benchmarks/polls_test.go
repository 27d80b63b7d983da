package benchmarks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// pollers is how many connections make the requests of all sessions.
const pollers = 16

// polls are sessions that poll, without a connection of their own.
type polls struct {
	addr string
	sids []string
}

// gatherPolls begins n sessions in the namespace "/".
func gatherPolls(b *testing.B, addr string, n int) *polls {
	return (&polls{addr: addr}).more(b, n)
}

// more begins n sessions more.
func (p *polls) more(b *testing.B, n int) *polls {
	b.Helper()
	first := len(p.sids)
	p.sids = append(p.sids, make([]string, n)...)
	p.each(b, first, func(c *poller, i int) error {
		body, err := c.do("GET", "", "")
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(body, []byte(`"sid":"`))
		sid, _, ok := bytes.Cut(rest, []byte(`"`))
		if !ok {
			return fmt.Errorf("no session in %q", body)
		}
		p.sids[i] = string(sid)
		if _, err := c.do("POST", p.sids[i], "40"); err != nil {
			return err
		}
		body, err = c.do("GET", p.sids[i], "")
		if err == nil && !bytes.HasPrefix(body, []byte("40{")) {
			err = fmt.Errorf("not in the namespace: %q", body)
		}
		return err
	})
	return p
}

// drain has every session fetch what waits for it; something must.
func (p *polls) drain(b *testing.B) {
	b.Helper()
	p.each(b, 0, func(c *poller, i int) error {
		_, err := c.do("GET", p.sids[i], "")
		return err
	})
}

// each calls do for the sessions from first on, by all pollers.
func (p *polls) each(b *testing.B, first int, do func(c *poller, i int) error) {
	b.Helper()
	var wg sync.WaitGroup
	errs := make([]error, pollers)
	for k := range pollers {
		wg.Go(func() {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				errs[k] = err
				return
			}
			defer conn.Close()
			c := &poller{conn: conn, in: bufio.NewReader(conn), host: p.addr}
			for i := first + k; i < len(p.sids) && errs[k] == nil; i += pollers {
				errs[k] = do(c, i)
			}
		})
	}
	wg.Wait()
	require.NoError(b, errors.Join(errs...))
}

// poller is one keep-alive connection.
type poller struct {
	conn net.Conn
	in   *bufio.Reader
	host string
	out  []byte
	body []byte
}

// do makes one request and returns its answer, valid until the next.
func (c *poller) do(method, sid, body string) ([]byte, error) {
	c.out = fmt.Appendf(c.out[:0], "%s /socket.io/?EIO=4&transport=polling", method)
	if sid != "" {
		c.out = append(append(c.out, "&sid="...), sid...)
	}
	c.out = fmt.Appendf(c.out, " HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s",
		c.host, len(body), body)
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	buf := bytes.NewBuffer(c.body[:0])
	if _, err := io.Copy(buf, resp.Body); err != nil {
		return nil, err
	}
	c.body = buf.Bytes()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(c.body)))
	}
	return c.body, nil
}
