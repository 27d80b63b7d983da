package demo

import (
	"context"
	"strings"
	"time"

	"github.com/throng-server/throng/socketio"
)

const (
	// generateEvery is the time between two events of the background task.
	generateEvery = 10 * time.Second
	// goodbye is how long a client may take to acknowledge its farewell.
	goodbye = time.Second
)

// Console is the example application that Flask-SocketIO is learned with: in
// the namespace /test with blanks in its event names, as in "my event", and in
// / with underscores, as in its newer version, where any unknown event comes
// back, too. doc.go lists the events.
func Console(srv *socketio.Server) {
	test := console{srv.Of("/test"), " "}
	root := console{srv.Of("/"), "_"}
	test.register()
	root.register()

	// Events that nothing else handles; Raw has the arguments as they came.
	root.ns.OnUnhandled(func(s *socketio.Socket, e *socketio.Event) {
		data := append([]any{e.Name()}, e.Raw()...)
		_ = s.Emit("my_response", answer{data, count(s)})
	})

	// One task for everybody, however many clients there are. Local: with
	// several servers in a cluster each has such a task for its own clients.
	_ = srv.Go(func(ctx context.Context) {
		tick := time.NewTicker(generateEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				for _, c := range []console{test, root} {
					_ = c.ns.Local().Emit(c.name("my response"), answer{"Server generated event", n})
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// console is the application in one namespace.
type console struct {
	ns    *socketio.Namespace
	blank string // what stands for the blanks in event names
}

func (c console) name(event string) string { return strings.ReplaceAll(event, " ", c.blank) }

func (c console) register() {
	ns, response := c.ns, c.name("my response")
	ns.OnError(tellSender)

	ns.OnConnection(func(s *socketio.Socket) {
		_ = s.Emit(response, answer{"Connected", 0})
	})

	// To the sender, to everybody, to a room: three receivers, one Emit.
	socketio.On(ns, c.name("my event"), func(s *socketio.Socket, in said) error {
		data, err := dataOf(in)
		if err != nil {
			return err
		}
		return s.Emit(response, answer{data, count(s)})
	})
	socketio.On(ns, c.name("my broadcast event"), func(s *socketio.Socket, in said) error {
		data, err := dataOf(in)
		if err != nil {
			return err
		}
		return ns.Emit(response, answer{data, count(s)})
	})
	socketio.On(ns, c.name("my room event"), func(s *socketio.Socket, in said) error {
		data, err := dataOf(in)
		if err != nil {
			return err
		}
		room, _ := in["room"].(string)
		if room == "" {
			return refuse("room is missing")
		}
		return ns.To(room).Emit(response, answer{data, count(s)})
	})

	inRooms := func(s *socketio.Socket) error {
		text := "In rooms: " + strings.Join(roomsOf(s), ", ")
		return s.Emit(response, answer{text, count(s)})
	}
	socketio.On(ns, "join", func(s *socketio.Socket, in roomRequest) error {
		if err := enter(s, in.Room); err != nil {
			return err
		}
		return inRooms(s)
	})
	socketio.On(ns, "leave", func(s *socketio.Socket, in roomRequest) error {
		if in.Room == "" {
			return refuse("room is missing")
		}
		s.Leave(in.Room)
		return inRooms(s)
	})
	socketio.On(ns, c.name("close room"), func(s *socketio.Socket, in roomRequest) error {
		if in.Room == "" {
			return refuse("room is missing")
		}
		text := "Room " + in.Room + " is closing."
		if err := ns.To(in.Room).Emit(response, answer{text, count(s)}); err != nil {
			return err
		}
		// Behind the event, because one goroutine did both. Its members stay
		// connected.
		ns.CloseRoom(in.Room)
		return nil
	})

	// The farewell asks for an acknowledgement. The function runs when it has
	// come, and with an error when it has not.
	ns.On(c.name("disconnect request"), func(s *socketio.Socket, _ *socketio.Event) {
		_ = s.Timeout(goodbye).EmitFunc(func(*socketio.Ack, error) {
			s.Disconnect(false)
		}, response, answer{"Disconnected!", count(s)})
	})

	// The page measures the time between the two.
	ns.On(c.name("my ping"), func(s *socketio.Socket, _ *socketio.Event) {
		_ = s.Emit(c.name("my pong"))
	})
}

// count returns how many events the client has sent, this one included. What a
// socket keeps with Set is its own and gone with it; its handlers run one
// after the other, so that nothing comes between Get and Set.
func count(s *socketio.Socket) int {
	n, _ := s.Get("receive_count").(int)
	s.Set("receive_count", n+1)
	return n + 1
}

// said is the payload of the events that are answered, whatever it consists
// of: decoded into a map its binary values are []byte, and are sent as such
// again.
type said = map[string]any

func dataOf(in said) (any, error) {
	data, ok := in["data"]
	if !ok {
		return nil, refuse("data is missing")
	}
	return data, nil
}

type answer struct {
	Data  any `json:"data"`
	Count int `json:"count"`
}
