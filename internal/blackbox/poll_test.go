package blackbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// pollPause is between two polls: a client's own work.
const pollPause = 20 * time.Millisecond

var (
	// errSentAway is the end of a session as the server says it.
	errSentAway = errors.New("close packet")
	// errUnknownSession is a request behind the end.
	errUnknownSession = errors.New("no such session")
)

// brokenPoll is an answer no client should get, or none.
type brokenPoll struct{ error }

// poller is a client of the polling transport.
type poller struct {
	url    string
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	joined atomic.Bool // and not sent away
}

// byPolling returns what makes a guest that polls: on connections that are
// kept, as a browser's, or on one for each request.
func byPolling(kept bool) func(addr string) (guest, error) {
	return func(addr string) (guest, error) {
		p := &poller{url: "http://" + addr + "/socket.io/?EIO=4&transport=polling",
			client: &http.Client{Timeout: 30 * time.Second,
				Transport: &http.Transport{DisableKeepAlives: !kept}}}
		p.ctx, p.cancel = context.WithCancel(context.Background())
		open, err := p.do("GET", "")
		if err == nil {
			if len(open) < 30 || open[:8] != `0{"sid":` {
				err = fmt.Errorf("%.40q instead of an open packet", open)
			} else {
				p.url += "&sid=" + open[9:29]
				_, err = p.do("POST", "40")
			}
		}
		if err == nil {
			if open, err = p.do("GET", ""); err == nil && !strings.HasPrefix(open, "40{") {
				err = fmt.Errorf("%.40q instead of a CONNECT", open)
			}
		}
		if err != nil {
			_ = p.Close()
			return nil, err
		}
		p.joined.Store(true)
		return p, nil
	}
}

func (p *poller) do(method, body string) (string, error) {
	req, err := http.NewRequestWithContext(p.ctx, method, p.url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return "", &brokenPoll{err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", &brokenPoll{err}
	case resp.StatusCode == 400 && string(b) == `{"code":1,"message":"Session ID unknown"}`:
		return "", errUnknownSession
	case resp.StatusCode != 200:
		return "", &brokenPoll{fmt.Errorf("%s %s: %s", method, resp.Status, b)}
	}
	return string(b), nil
}

func (p *poller) hear() ([]string, error) {
	time.Sleep(pollPause)
	got, err := p.do("GET", "")
	packets := strings.Split(got, "\x1e")
	for _, packet := range packets {
		switch {
		case packet == "2" && err == nil:
			_, err = p.do("POST", "3")
		case packet == "1" && err == nil:
			err = errSentAway
		}
	}
	if err != nil {
		p.joined.Store(false)
	}
	return packets, err
}

// Close says goodbye, as clients do that leave.
func (p *poller) Close() error {
	if p.joined.Swap(false) {
		_, _ = p.do("POST", "1")
	}
	p.cancel()
	p.client.CloseIdleConnections()
	return nil
}
