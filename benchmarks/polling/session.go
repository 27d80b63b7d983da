package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// wait bounds each answer that must come at once.
const wait = 20 * time.Second

// maxBody bounds what an answer may hold.
const maxBody = 64 << 10

// wire is one keep-alive connection.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	body []byte
}

// dial connects from a source address that depends on i, so that local ports
// do not run out.
func dial(addr string, i int) (*wire, error) {
	from := net.IPv4(127, 0, byte(16+i/4_000), 1)
	d := net.Dialer{Timeout: wait, LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return newWire(conn), nil
}

func newWire(conn net.Conn) *wire {
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 1024)}
}

// send writes a request that was made beforehand.
func (w *wire) send(request []byte) error {
	_, err := w.conn.Write(request)
	return err
}

// answer reads a response and returns its body, valid until the next one.
func (w *wire) answer() ([]byte, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	status, err := w.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return nil, fmt.Errorf("answered %q", status)
	}
	length := -1
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length") {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 || length > maxBody {
		return nil, fmt.Errorf("a body of %d bytes", length)
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	_, err = io.ReadFull(w.r, w.body)
	return w.body, err
}

func (w *wire) ask(request []byte) ([]byte, error) {
	if err := w.send(request); err != nil {
		return nil, err
	}
	return w.answer()
}

// session is a client that polls.
type session struct {
	poll *wire
	path string
	get  []byte
}

const query = "/socket.io/?EIO=4&transport=polling"

func getRequest(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n")
}

func postRequest(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n"+
		"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s",
		path, len(body), body)
}

// join opens a session and joins "/", all on one connection.
func join(addr string, i int) (*session, error) {
	w, err := dial(addr, i)
	if err != nil {
		return nil, err
	}
	open, err := w.ask(getRequest(query))
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	_, rest, ok := strings.Cut(string(open), `0{"sid":"`)
	sid, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		return nil, fmt.Errorf("handshake: answered %q", open)
	}
	s := &session{poll: w, path: query + "&sid=" + sid}
	s.get = getRequest(s.path)
	if err := expect(w, postRequest(s.path, "40"), "ok"); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	welcome, err := w.ask(s.get)
	if err != nil || !bytes.HasPrefix(welcome, []byte(`40{"sid":"`)) {
		return nil, errors.Join(err, fmt.Errorf("join: answered %q", welcome))
	}
	return s, nil
}

func expect(w *wire, request []byte, want string) error {
	got, err := w.ask(request)
	if err == nil && string(got) != want {
		err = fmt.Errorf("answered %q instead of %q", got, want)
	}
	return err
}

// idle opens the poll that nothing answers.
func (s *session) idle() (net.Conn, error) {
	return s.poll.conn, s.poll.send(s.get)
}

// echo sends the event and awaits it until stop is closed; it returns the
// requests that were answered.
func (s *session) echo(addr string, i int, stop <-chan struct{}) (requests int, err error) {
	posts, err := dial(addr, i)
	if err != nil {
		return 0, err
	}
	defer func() { _ = posts.conn.Close() }()
	event := `42["echo","` + strings.Repeat("x", 48) + `"]`
	post := postRequest(s.path, event)
	for {
		select {
		case <-stop:
			return requests, nil
		default:
		}
		if err := s.poll.send(s.get); err != nil {
			return requests, err
		}
		if err := expect(posts, post, "ok"); err != nil {
			return requests, fmt.Errorf("post: %w", err)
		}
		got, err := s.poll.answer()
		if err != nil || string(got) != event {
			return requests, errors.Join(err, fmt.Errorf("poll: answered %q", got))
		}
		requests += 2
	}
}
