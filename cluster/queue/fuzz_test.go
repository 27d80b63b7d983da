package queue

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// fits checks what a command may hold, whatever it was read from, and runs it.
func fits(t *testing.T, size int, c command, err error) {
	t.Helper()
	if err != nil {
		return
	}
	require.NotEmpty(t, c.ns)
	for _, list := range [][]string{c.to.Rooms, c.to.Except, c.names} {
		require.LessOrEqual(t, len(list), maxNames)
	}
	r := newRecorder()
	if _, err := c.run(r); err == nil {
		for _, line := range r.take() {
			require.LessOrEqual(t, len(line), 4096+64*size)
		}
	}
}

func FuzzPython(f *testing.F) {
	for _, s := range []string{
		`{"method": "emit", "event": "ev", "data": [{"a": 1}], "binary": false, "namespace": "/", "room": null}`,
		`{"method": "emit", "event": "ev", "data": [[{"b": {"_placeholder": true, "num": 0}}], "AQI="], "binary": true, "room": ["a", 1]}`,
		`{"method": "emit", "event": "ev", "data": [NaN, -Infinity, "Infinity"], "binary": false}`,
		`{"method": "enter_room", "sid": "s", "room": "r"}`,
		`{"method": "close_room", "room": 1.5}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 && b[0] == opProto {
			return
		}
		c, err := readPython(b)
		fits(t, len(b), c, err)
	})
}

func FuzzPickle(f *testing.F) {
	for _, p := range pickles(f) {
		if len(p.body) < 1000 {
			f.Add(p.body)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := unpickleMessage(b)
		if err != nil {
			return
		}
		sum := 0
		for _, raw := range m.object {
			require.True(t, json.Valid(raw))
			sum += len(raw)
		}
		require.LessOrEqual(t, sum, 6*MaxMessage)
		c, err := m.command()
		if sum < 1<<16 {
			fits(t, 1<<16, c, err)
		}
	})
}

func FuzzNode(f *testing.F) {
	f.Add("#/#", packed(f, "93 'emitter' 83 'type' 02 'data' 93 'ev' c40101 d40000 'nsp' '/' 83 'rooms' 91 'a' 'flags' 81 'volatile' c3 'except' 91 07"))
	f.Add("#/chat#", packed(f, "83 'type' 02 'opts' 82 'rooms' 91 'r' 'except' 90 'rooms' 91 'q'"))
	f.Add("#/#", []byte(`{"uid":"emitter","type":6,"data":["sse",1]}`))
	f.Add("#/#", []byte(`{"type":4,"opts":{"rooms":["s"],"except":[]},"close":true}`))
	f.Fuzz(func(t *testing.T, channel string, b []byte) {
		channel = "#/" + channel + "#"
		c, err := readBroadcast(channel, b)
		fits(t, len(b), c, err)
		c, err = readRequest(channel, b)
		fits(t, len(b), c, err)
	})
}
