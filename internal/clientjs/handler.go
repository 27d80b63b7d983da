package clientjs

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
)

// ServeHTTP answers a request for a client file by the last element of its
// path, as the reference server does: with an ETag of the version, so that a
// browser asks again but loads only once. Any goroutine.
func (c *Client) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	h := w.Header()
	if body, contentType, etag, ok := c.File(name); ok && readOnly(r) {
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "public, max-age=0")
		h.Set("ETag", etag)
		h.Set("Vary", "Accept-Encoding")
		h.Set("X-Content-Type-Options", "nosniff")
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if coding := pick(r.Header.Values("Accept-Encoding")); coding != "" {
			body = c.compressed(name, coding, body)
			h.Set("Content-Encoding", coding)
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the browser went away
		}
		return
	}
	if url, ok := c.Redirect(name); ok && readOnly(r) {
		h.Set("Cache-Control", "no-store")
		http.Redirect(w, r, url, http.StatusFound)
		return
	}
	// What Engine.IO says to a request it does not know.
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `{"code":0,"message":"Transport unknown"}`)
}

// compressed returns body in a content coding, which is made once for each
// file. Deflate is the zlib format (RFC 9110, section 8.4.1.2).
func (c *Client) compressed(name, coding string, body []byte) []byte {
	key := coding + " " + name
	if b, ok := c.small.Load(key); ok {
		return b.([]byte)
	}
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "br":
		z = brotli.NewWriter(&b)
	case "gzip":
		z = gzip.NewWriter(&b)
	default:
		z = zlib.NewWriter(&b)
	}
	_, _ = z.Write(body) // a Buffer takes everything
	_ = z.Close()
	first, _ := c.small.LoadOrStore(key, b.Bytes())
	return first.([]byte)
}

// codings are those there are, in the order of the reference server.
var codings = [...]string{"br", "gzip", "deflate"}

// pick returns the content coding that Accept-Encoding headers give the most
// weight, "" if they allow none.
func pick(headers []string) (best string) {
	var weights [len(codings)]float64
	var named [len(codings)]bool
	others := 0.0
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(item, ";")
		weight := 1.0
		if _, q, ok := strings.Cut(strings.ReplaceAll(params, " ", ""), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64) // no number: not allowed
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "*" {
			others = weight
		}
		if i := slices.Index(codings[:], name); i >= 0 {
			weights[i], named[i] = weight, true
		}
	}
	top := 0.0
	for i, name := range codings {
		if !named[i] {
			weights[i] = others
		}
		if weights[i] > top {
			top, best = weights[i], name
		}
	}
	return best
}

func readOnly(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// matches reads an If-None-Match header: a list of tags, weak ones too.
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}
