package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
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
	// maxGuess is the largest answer that gets its memory before it comes.
	maxGuess = 64 << 10
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
	return sign(hmac.New(sha256.New, secret), timestamp, body)
}

// sign is Sign with a hash that has the secret, and may have been used.
func sign(m hash.Hash, timestamp string, body []byte) string {
	const prefix = "sha256="
	var sum [sha256.Size]byte
	var text [len(prefix) + 2*sha256.Size]byte
	m.Reset()
	_, _ = io.WriteString(m, timestamp) // never fails
	m.Write([]byte{'.'})
	m.Write(body)
	return string(hex.AppendEncode(append(text[:0], prefix...), m.Sum(sum[:0])))
}

func newTransport(o *Options) *http.Transport {
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
	return t
}

// newRequest makes a request without body. It goes to a RoundTripper without
// http.Client, which would follow redirects and knows cookies, and copies a
// request for that; only the password of the URL is its work otherwise.
func newRequest(to string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, to, nil)
	if err != nil {
		return nil, err
	}
	r.Header["Content-Type"] = []string{"application/json"}
	r.Header["User-Agent"] = []string{"throng"}
	if u := r.URL.User; u != nil {
		password, _ := u.Password()
		r.SetBasicAuth(u.Username(), password)
	}
	return r, nil
}

// redacted is a URL for the log, without its password.
func redacted(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// attempt is what one request after the other can use: a context with its
// timer, and a hash with the secret.
type attempt struct {
	ctx   context.Context
	stop  context.CancelCauseFunc
	timer *time.Timer
	hash  hash.Hash
}

// begin returns an attempt that ends after the timeout. It must be given back.
func (e *endpoint) begin() *attempt {
	if a, ok := e.spare.Get().(*attempt); ok {
		a.timer.Reset(e.o.Timeout)
		return a
	}
	a := &attempt{}
	a.ctx, a.stop = context.WithCancelCause(context.Background())
	if len(e.o.Secret) > 0 {
		a.hash = hmac.New(sha256.New, e.o.Secret)
	}
	a.timer = time.AfterFunc(e.o.Timeout, func() { a.stop(context.DeadlineExceeded) })
	return a
}

func (e *endpoint) finish(a *attempt) {
	if a.timer.Stop() {
		e.spare.Put(a)
	} else {
		a.stop(nil)
	}
}

// post sends the body of a call, or of a batch, and returns the answer's, at
// most limit bytes. Attempts that have sent nothing are repeated, others only if
// the endpoint handles an id once; all together have one timeout.
func (e *endpoint) post(id, name string, body []byte, limit int) ([]byte, *Failure) {
	a := e.begin()
	defer e.finish(a)
	pause := firstPause
	for n := 1; ; n++ {
		answer, f := e.try(a, id, name, body, limit)
		if f == nil || n == maxAttempts || !e.repeatable(f) {
			return answer, f
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-a.ctx.Done():
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

func (e *endpoint) try(a *attempt, id, name string, body []byte, limit int) (
	[]byte, *Failure,
) {
	template := e.request
	if template == nil {
		var err error
		if template, err = newRequest(strings.ReplaceAll(e.url, eventMark, name)); err != nil {
			return nil, unavailable(0, err)
		}
	}
	req := template.WithContext(a.ctx)
	req.ContentLength = int64(len(body))
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(body)), nil
	}
	// What the transport reads of a request belongs to it, until nobody knows
	// when: only what is never written to is shared.
	req.Header = make(http.Header, len(template.Header)+3)
	maps.Copy(req.Header, template.Header)
	values := new([3]string)
	set := func(i int, field, value string) {
		values[i] = value
		req.Header[field] = values[i : i+1 : i+1]
	}
	if id != "" {
		set(0, HeaderID, id)
	}
	if a.hash != nil {
		ts := strconv.FormatInt(e.now().Unix(), 10)
		set(1, HeaderTimestamp, ts)
		set(2, HeaderSignature, sign(a.hash, ts, body))
	}
	e.requests.Add(1)
	resp, err := e.http.RoundTrip(req)
	if err != nil {
		return nil, broken(a.ctx, err)
	}
	defer resp.Body.Close()
	answer, err := read(resp, limit)
	if err != nil {
		return nil, broken(a.ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, refused(resp)
	}
	n := 0 // one at a time
	if v := resp.Header.Get(HeaderBatch); v != "" {
		n, _ = strconv.Atoi(v)
	}
	e.batch.Store(int32(min(n, maxBatch)))
	if len(answer) > limit {
		return nil, invalid(fmt.Sprintf("longer than %d bytes", limit))
	}
	return answer, nil
}

// read returns the body of an answer, or its first limit+1 bytes.
func read(resp *http.Response, limit int) ([]byte, error) {
	if n := resp.ContentLength; n >= 0 && n <= min(int64(limit), maxGuess) {
		// With room for the end, which lets the connection go.
		b := bytes.NewBuffer(make([]byte, 0, n+bytes.MinRead))
		_, err := b.ReadFrom(resp.Body)
		return b.Bytes(), err
	}
	return io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
}

// broken is a request without a whole answer.
func broken(ctx context.Context, err error) *Failure {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return unavailable(minOpen, err)
	}
	if t := net.Error(nil); ctx.Err() != nil || errors.As(err, &t) && t.Timeout() {
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
