package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Header fields of a request and its answer.
const (
	// HeaderTimestamp has the time of the request in seconds since 1970.
	HeaderTimestamp = "Throng-Timestamp"
	// HeaderSignature has what Sign returns.
	HeaderSignature = "Throng-Signature"
	// HeaderID has the id of the call; a batch has those of its calls only in
	// the body.
	HeaderID = "Throng-Id"
	// HeaderBatch, in an answer, says how many calls one request may have.
	HeaderBatch = "Throng-Batch"
)

const (
	maxBatch = 1000
	maxRoute = 64 // bytes of a name in a URL
	// idleTime is shorter than any server keeps an idle connection: one that
	// is about to be closed must not be used for an event.
	idleTime    = time.Second
	dialTimeout = 2 * time.Second
	maxAttempts = 3
	firstPause  = 50 * time.Millisecond
)

// eventMark in a URL stands for the name of the event, or for connect or
// disconnect: then each can be a route of its own.
const eventMark = "{event}"

// routable tells whether the name of an event may be part of a URL: clients
// choose it.
func routable(name string) bool {
	if len(name) == 0 || len(name) > maxRoute {
		return false
	}
	for _, c := range []byte(name) {
		if c != '_' && c != '-' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// Sign returns the signature of a body: "sha256=" and the hexadecimal
// HMAC-SHA256 of the timestamp, a dot and the body.
func Sign(secret []byte, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(timestamp))
	m.Write([]byte{'.'})
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

func newClient(o *Options) *http.Client {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: min(dialTimeout, o.Timeout)}).DialContext,
		MaxIdleConnsPerHost: o.MaxRequests,
		IdleConnTimeout:     idleTime,
		DisableCompression:  true,
	}
	if o.H2C {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
		t.Protocols.SetHTTP2(true)
	}
	return &http.Client{Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post sends the body of a call, or of a batch, and returns the answer's, at
// most limit bytes. Attempts that have sent nothing are repeated, others only if
// the endpoint handles an id once; all together have one timeout.
func (e *endpoint) post(c *call, body []byte, limit int) ([]byte, *Failure) {
	ctx, cancel := context.WithTimeout(context.Background(), e.o.Timeout)
	defer cancel()
	pause := firstPause
	for attempt := 1; ; attempt++ {
		answer, f := e.attempt(ctx, c, body, limit)
		if f == nil || attempt == maxAttempts || !e.repeatable(f) {
			return answer, f
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, f
		}
		pause *= 4
		e.retried.Add(1)
	}
}

func (e *endpoint) repeatable(f *Failure) bool {
	return f.Code == CodeUnavailable || e.o.Retry && f.Code != CodeTimeout && f.down()
}

func (e *endpoint) attempt(ctx context.Context, c *call, body []byte, limit int) (
	[]byte, *Failure,
) {
	url := strings.ReplaceAll(e.url, eventMark, c.name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, unavailable(0, err)
	}
	h := req.Header
	h["Content-Type"] = []string{"application/json"}
	h["User-Agent"] = []string{"throng"}
	if c.id != "" {
		h[HeaderID] = []string{c.id}
	}
	if len(e.o.Secret) > 0 {
		ts := strconv.FormatInt(e.now().Unix(), 10)
		h[HeaderTimestamp] = []string{ts}
		h[HeaderSignature] = []string{Sign(e.o.Secret, ts, body)}
	}
	e.requests.Add(1)
	resp, err := e.client.Do(req)
	if err != nil {
		return nil, broken(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, broken(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, refused(resp)
	}
	n, _ := strconv.Atoi(resp.Header.Get(HeaderBatch)) // 0: one at a time
	e.batch.Store(int32(min(n, maxBatch)))
	if len(answer) > limit {
		return nil, invalid(fmt.Sprintf("longer than %d bytes", limit))
	}
	return bytes.TrimSpace(answer), nil
}

// broken is a request without a whole answer.
func broken(err error) *Failure {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return unavailable(minOpen, err)
	}
	if t := net.Error(nil); errors.As(err, &t) && t.Timeout() {
		return &Failure{Code: CodeTimeout, Message: "the application did not answer in time",
			detail: err}
	}
	return &Failure{Code: CodeLost, Message: "the connection to the application broke", detail: err}
}

// refused is an answer that is an error.
func refused(resp *http.Response) *Failure {
	f := &Failure{Code: CodeFailed, Message: "the application failed", status: resp.StatusCode,
		detail: errors.New(resp.Status)}
	if resp.StatusCode == http.StatusNotFound {
		f.Message = "the application does not handle this"
	}
	if f.down() {
		f.Message, f.RetryAfter = "the application is not available", minOpen
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			f.RetryAfter = min(time.Duration(s)*time.Second, time.Hour)
		}
	}
	return f
}
