package cli

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/cluster/queue"
	"github.com/throng-server/throng/internal/feed"
	"github.com/throng-server/throng/socketio"
)

// queues are what other processes emit through, besides Socket.IO.
type queues struct {
	flaskURL      string
	flaskChannels []string
	nodeURL       string
	nodeKey       string
	readers       []*queue.Reader
}

func (q *queues) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&q.flaskURL, "flask-queue", "",
		"Redis or Valkey URL where Flask-SocketIO and python-socketio publish emits; "+
			"whoever can publish there speaks for the server (default off)")
	f.StringSliceVar(&q.flaskChannels, "flask-channel", nil,
		"channel of --flask-queue, repeatable (default flask-socketio and socketio)")
	f.StringVar(&q.nodeURL, "node-emitter", "",
		"Redis or Valkey URL where Node's @socket.io/redis-emitter publishes emits; "+
			"whoever can publish there speaks for the server (default off)")
	f.StringVar(&q.nodeKey, "node-emitter-key", queue.NodePrefix, "the emitter's option \"key\"")
}

// check finds what is wrong with the flags.
func (q *queues) check() error {
	for _, f := range []struct{ name, url string }{
		{"--flask-queue", q.flaskURL}, {"--node-emitter", q.nodeURL},
	} {
		if f.url == "" {
			continue
		}
		if err := checkURL(f.name, f.url); err != nil {
			return err
		}
	}
	if q.flaskURL == "" && len(q.flaskChannels) > 0 {
		return errors.New("--flask-channel is nothing without --flask-queue")
	}
	return nil
}

// open begins to read for srv, which has started.
func (q *queues) open(srv *socketio.Server, log *slog.Logger) error {
	sink := feed.New(srv)
	for _, s := range []struct {
		url    string
		source queue.Source
	}{
		{q.flaskURL, queue.Python(q.flaskChannels...)}, {q.nodeURL, queue.Node(q.nodeKey)},
	} {
		if s.url == "" {
			continue
		}
		r, err := queue.Open(queue.Options{URL: s.url, Source: s.source, Logger: log}, sink)
		if err != nil {
			return err
		}
		q.readers = append(q.readers, r)
	}
	return nil
}

// connected tells whether all that is configured is.
func (q *queues) connected() bool {
	for _, r := range q.readers {
		if !r.Status().Connected {
			return false
		}
	}
	return true
}

// close ends reading and leaves what was read in the log.
func (q *queues) close(log *slog.Logger) {
	for _, r := range q.readers {
		r.Close()
		s := r.Status()
		log.Info("queue closed", "received", s.Received, "applied", s.Applied,
			"ignored", s.Ignored, "refused", s.Refused, "reconnects", s.Reconnects)
	}
}
