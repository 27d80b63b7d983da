package netpoll

import (
	"net/http"
	"strconv"
)

// AppendResponse appends an HTTP/1.1 response to dst and returns the extended
// slice; it allocates only when dst has no room. Any goroutine.
//
// extraHeader is empty or whole lines, each ending in CRLF. keepAlive false
// adds "Connection: close"; a client of HTTP/1.0 that asked for keep-alive
// needs "Connection: keep-alive" in extraHeader. headOnly leaves the body out
// and keeps its length, as the answer to HEAD must. A Content-Type is written
// when contentType is not empty. Statuses that cannot have a body (1xx, 204,
// 304) get none, and no length either. There is no Date: RFC 9110 section
// 6.6.1 asks for it from servers whose responses may be cached.
func AppendResponse(dst []byte, status int, contentType, extraHeader string, body []byte,
	keepAlive, headOnly bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	dst = append(dst, "\r\n"...)
	if contentType != "" {
		dst = append(dst, "Content-Type: "...)
		dst = append(dst, contentType...)
		dst = append(dst, "\r\n"...)
	}
	bodiless := status < 200 || status == http.StatusNoContent ||
		status == http.StatusNotModified
	if !bodiless {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(body)), 10)
		dst = append(dst, "\r\n"...)
	}
	if !keepAlive {
		dst = append(dst, "Connection: close\r\n"...)
	}
	dst = append(dst, extraHeader...)
	dst = append(dst, "\r\n"...)
	if !bodiless && !headOnly {
		dst = append(dst, body...)
	}
	return dst
}
