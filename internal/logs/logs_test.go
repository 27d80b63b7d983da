package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		debug string
		on    string
	}{
		{"", ""},
		{"*", "socketio engine netpoll cluster cli"},
		{"throng:*", "socketio engine netpoll cluster cli"},
		{"throng", "socketio engine netpoll cluster cli"},
		{"throng:socketio", "socketio"},
		{"socketio,netpoll", "socketio netpoll"},
		{"socketio netpoll", "socketio netpoll"},
		{"*,-netpoll", "socketio engine cluster cli"},
		{"engine*", "engine"},
		{"socket.io:*,engine*", "socketio engine"},
		{"socket.io*", "socketio"},
		{"express:*", ""},
		{"1", ""},
		{"[", ""},
		{"-", ""},
	} {
		f := parseFilter(c.debug)
		for _, m := range []string{"socketio", "engine", "netpoll", "cluster", "cli"} {
			require.Equal(t, strings.Contains(" "+c.on+" ", " "+m+" "), f.has(m), "%q %s", c.debug, m)
		}
	}
}

func TestModuleIsTheCallersPackage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, c := New(&b, "text")
	log.Debug("unseen")
	c.Set(Settings{Debug: "netpoll"})
	log.Debug("unseen")
	c.Set(Settings{Debug: "logs"})
	log.Debug("seen")
	log.With("a", 1).WithGroup("g").Debug("seen too", "b", 2)
	require.NotContains(t, b.String(), "unseen")
	require.Contains(t, b.String(), "msg=seen\n")
	require.Contains(t, b.String(), `msg="seen too" a=1 g.b=2`)
	require.Empty(t, moduleOf(0))
}

func TestLevel(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, c := New(&b, "text")
	c.Set(Settings{Level: slog.LevelWarn})
	log.Info("no")
	log.Warn("yes")
	require.False(t, log.Enabled(t.Context(), slog.LevelInfo))
	require.NotContains(t, b.String(), "no")
	require.Contains(t, b.String(), "yes")
}

func TestFormat(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log, _ := New(&b, "auto")
	log.Info("x", "within", time.Second)
	var line map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &line))
	require.Equal(t, "1s", line["within"])
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here")
	}
	defer tty.Close()
	require.True(t, terminal(tty))
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	require.False(t, terminal(f))
	require.False(t, terminal(io.Discard))
}

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, c := New(&b, format)
		c.Set(Settings{Secrets: []string{"hunter2", "hunter2-long", "ab"}})
		log.With("c", "hunter2").Error("key hunter2-long", "a", "x hunter2 y",
			"err", errors.New("dial hunter2@h"), slog.Group("g", "d", "hunter2"), "cab", "cab")
		require.NotContains(t, b.String(), "hunter2")
		require.NotContains(t, b.String(), "-long")
		require.Contains(t, b.String(), "cab", "too short to be looked for")
	}
}

func TestRepeatedLinesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log, _ := New(&b, "text")
		for i := range 100 {
			log.Warn("noise", "i", i)
			log.Info("asked for", "i", i)
		}
		log.Error("something else")
		require.Equal(t, perSecond, strings.Count(b.String(), "msg=noise"))
		require.Equal(t, 100, strings.Count(b.String(), `msg="asked for"`))
		require.Equal(t, 1, strings.Count(b.String(), "something else"))
		time.Sleep(time.Second)
		log.Warn("noise")
		require.Contains(t, b.String(), "skipped=95")
		log.Warn("noise")
		require.Equal(t, 1, strings.Count(b.String(), "skipped="))
	})
}

func TestMessagesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newSampler(time.Now)
	for i := range 10 * maxMessages {
		_, ok := s.allow(strings.Repeat("x", i))
		require.True(t, ok)
		require.LessOrEqual(t, len(s.seen), maxMessages)
	}
}
