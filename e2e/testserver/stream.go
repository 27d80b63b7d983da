package main

import (
	"time"

	"github.com/throng-server/throng/socketio"
)

// streams emits numbers from its own goroutine, as an application does that
// knows nothing of transports: "stream" (how many, per how many milliseconds)
// sends "n" with 0, 1, 2 ..., every tenth with an attachment.
func streams(srv *socketio.Server) {
	srv.On("stream", func(s *socketio.Socket, e *socketio.Event) {
		var count, every int
		if e.Bind(&count, &every) != nil {
			return
		}
		go func() {
			for i := range count {
				if every > 0 {
					time.Sleep(time.Duration(every) * time.Millisecond)
				}
				var err error
				if i%10 == 9 {
					err = s.Emit("n", i, []byte{byte(i)})
				} else {
					err = s.Emit("n", i)
				}
				if err != nil {
					return // gone
				}
			}
		}()
	})
}
