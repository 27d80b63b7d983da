package clientjs

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
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
		if zipped(r.Header.Values("Accept-Encoding")) {
			body = c.gzip(name, body)
			h.Set("Content-Encoding", "gzip")
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

// gzip returns body compressed, which is done once for each file.
func (c *Client) gzip(name string, body []byte) []byte {
	if b, ok := c.small.Load(name); ok {
		return b.([]byte)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a Buffer takes everything
	_ = z.Close()
	first, _ := c.small.LoadOrStore(name, b.Bytes())
	return first.([]byte)
}

// zipped tells whether Accept-Encoding headers allow gzip.
func zipped(headers []string) bool {
	others := false
	for item := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, weight, _ := strings.Cut(item, ";")
		_, q, _ := strings.Cut(strings.ReplaceAll(weight, " ", ""), "q=")
		n, err := strconv.ParseFloat(q, 64)
		allowed := q == "" || err == nil && n > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip":
			return allowed
		case "*":
			others = allowed
		}
	}
	return others
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
