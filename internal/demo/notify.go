package demo

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/throng-server/throng/socketio"
)

// maxNotification is the longest text of a notification, in bytes.
const maxNotification = 1000

// Notify tells everybody in the namespace /notify what an HTTP request says:
//
//	GET or POST /send_notification[?msg=text]   {"status": "Notification sent"}
//
// and the clients receive
//
//	notification {msg}
//
// A program in any language, or a shell script, can so speak to browsers.
func Notify(srv *socketio.Server) {
	ns := srv.Of("/notify")
	ns.OnError(tellSender)

	// Handle and HandleFunc serve HTTP on the server's own port, with the
	// patterns of net/http.
	send := func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		msg := r.FormValue("msg") // of the address or of a form
		if msg == "" {
			msg = "System update available!"
		}
		if len(msg) > maxNotification {
			reply(w, http.StatusBadRequest, failure{"msg has more than 1000 bytes"})
			return
		}
		err := ns.Emit("notification", status{Msg: strings.ToValidUTF8(msg, "\uFFFD")})
		if err != nil {
			reply(w, http.StatusInternalServerError, failure{"the notification was not sent"})
			return
		}
		reply(w, http.StatusOK, done{"Notification sent"})
	}
	srv.HandleFunc("GET /send_notification", send)
	srv.HandleFunc("POST /send_notification", send)
}

// reply answers a request in JSON.
func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

type done struct {
	Status string `json:"status"`
}

type failure struct {
	Error string `json:"error"`
}
