package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/throng-server/throng/socketio"
)

// pages are plain HTTP handlers beside the sockets.
func pages(srv *socketio.Server) {
	srv.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.FormValue("name"))
	})
	srv.HandleFunc("/remote", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RemoteAddr)
	})
	srv.HandleFunc("POST /upper", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(bytes.ToUpper(body))
	})
	// The stream goes on when somebody asks it to.
	goOn := make(chan struct{})
	srv.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		select {
		case <-goOn:
			_, _ = io.WriteString(w, "second\n")
		case <-r.Context().Done():
		}
	})
	srv.HandleFunc("POST /stream-on", func(w http.ResponseWriter, r *http.Request) {
		select {
		case goOn <- struct{}{}:
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	})
	srv.HandleFunc("POST /emit", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.Emit("news", r.FormValue("msg")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	srv.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
}
