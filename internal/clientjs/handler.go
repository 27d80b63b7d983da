package clientjs

import (
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
		h.Set("X-Content-Type-Options", "nosniff")
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
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
