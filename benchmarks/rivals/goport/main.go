// Command goport is the contract of benchmarks/contractserver in
// zishang520/socket.io v3, the Go port of Node's server, with its defaults:
//
//	goport HOST:PORT
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: goport HOST:PORT")
	}
	io := socket.NewServer(nil, nil)
	_ = io.On("connection", func(args ...any) {
		s := args[0].(*socket.Socket)
		_ = s.On("join", func(a ...any) {
			room := a[0].(string)
			s.Join(socket.Room(room))
			_ = s.Emit("joined", room)
		})
		_ = s.On("echo", func(a ...any) { _ = s.Emit("echo", a[0]) })
		_ = s.On("room", func(a ...any) {
			in := a[0].(map[string]any)
			_ = io.To(socket.Room(in["r"].(string))).Emit("room", in["d"])
		})
		_ = s.On("all", func(a ...any) { _ = io.Emit("all", a[0]) })
	})
	http.Handle("/socket.io/", io.ServeHandler(nil))
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", ln.Addr())
	log.Fatal(http.Serve(ln, nil))
}
