package demo

import (
	"net/url"
	"strings"
	"testing"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	addr := start(t)
	a, b := dial(t, addr, "/notify,"), dial(t, addr, "/notify,")
	send := "http://" + addr + "/send_notification"
	for _, c := range []struct{ method, query, msg string }{
		{"GET", "", "System update available!"},
		{"POST", "", "System update available!"},
		{"GET", "?msg=" + url.QueryEscape("<b>tea</b> & ü€"), "<b>tea</b> & ü€"},
		{"POST", "?msg=from+afar", "from afar"},
		{"GET", "?msg=%ff", "\uFFFD"},
	} {
		requires(t, c.method, send+c.query, 200, `{"status":"Notification sent"}`)
		a.hears("notification", obj{"msg": c.msg})
		b.hears("notification", obj{"msg": c.msg})
	}
	requires(t, "GET", send+"?msg="+strings.Repeat("x", maxNotification+1), 400,
		`{"error":"msg has more than 1000 bytes"}`)
	requires(t, "GET", send+"?msg=next", 200, `{"status":"Notification sent"}`)
	a.hears("notification", obj{"msg": "next"})
}
