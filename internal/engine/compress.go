package engine

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/throng-server/throng/netpoll"
)

// coding picks a content coding of an Accept-Encoding field: gzip, deflate, or
// none.
func coding(accept []byte) string {
	deflate := false
	for part := range strings.SplitSeq(string(accept), ",") {
		name, params, _ := strings.Cut(part, ";")
		if refusesCoding(params) {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip", "*":
			return "gzip"
		case "deflate":
			deflate = true
		}
	}
	if deflate {
		return "deflate"
	}
	return ""
}

// refusesCoding tells whether the parameters say q=0.
func refusesCoding(params string) bool {
	name, v, ok := strings.Cut(params, "=")
	if !ok || strings.TrimSpace(strings.ToLower(name)) != "q" {
		return false
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
	return err == nil && q == 0
}

// compress takes an answer over that is worth it: a worker makes it small and
// delivers it.
func (s *Server) compress(x *exchange, r *netpoll.Reply) bool {
	if x.coding == "" || x.kind != pollGet || r.Status != 200 ||
		len(r.Body) < s.opt.CompressFrom {
		return false
	}
	x.home.Server().Workers().Go(&squeeze{x: x, r: *r})
	return true
}

// squeeze compresses an answer off the loops.
type squeeze struct {
	x *exchange
	r netpoll.Reply
}

var gzips = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, flate.BestSpeed) // the level is valid
	return w
}}

var deflates = sync.Pool{New: func() any {
	w, _ := zlib.NewWriterLevel(nil, flate.BestSpeed) // the level is valid
	return w
}}

// Run runs on a worker.
func (q *squeeze) Run() {
	var b bytes.Buffer
	type writer interface {
		io.WriteCloser
		Reset(io.Writer)
	}
	pool := &gzips
	if q.x.coding == "deflate" {
		pool = &deflates
	}
	w := pool.Get().(writer)
	w.Reset(&b)
	_, _ = w.Write(q.r.Body) // a Buffer takes everything
	_ = w.Close()
	pool.Put(w)
	q.r.Body = b.Bytes()
	q.r.Header += "Content-Encoding: " + q.x.coding + "\r\n"
	if q.x.conn == nil {
		q.x.out <- q.r
		return
	}
	q.x.origin.Post(&answered{q.x, q.r})
}
