package queue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPythonJSON(t *testing.T) {
	t.Parallel()
	emit := func(rest string) string {
		return `{"method": "emit", "event": "ev", ` + rest + `, "host_id": "h"}`
	}
	for _, c := range []struct{ name, body, want string }{
		// 5.15.1 and later: always a list of arguments.
		{"one dict", emit(`"data": [{"a": 1}], "binary": false, "namespace": "/", "room": null, "skip_sid": null, "callback": null`),
			`2["ev",{"a": 1}] to all`},
		{"several", emit(`"data": [1, "b"], "binary": false, "namespace": "/chat", "room": "r"`),
			`2/chat,["ev",1,"b"] to ["r"]`},
		{"None", emit(`"data": [null], "binary": false`), `2["ev"] to all`},
		{"two None", emit(`"data": [null, null], "binary": false`), `2["ev",null,null] to all`},
		{"no arguments", emit(`"data": [], "binary": false`), `2["ev"] to all`},
		{"a list", emit(`"data": [["l"]], "binary": false`), `2["ev",["l"]] to all`},
		{"binary", emit(`"data": [[{"b": {"_placeholder": true, "num": 0}}], "AQI="], "binary": true, "namespace": "/", "room": "r"`),
			`51-["ev",{"b": {"_placeholder":true,"num":0}}] 0102 to ["r"]`},
		{"two binary arguments", emit(`"data": [[{"_placeholder": true, "num": 0}, {"_placeholder": true, "num": 1}], "YQ==", "Yg=="], "binary": true`),
			`52-["ev",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] 61 62 to all`},
		{"floats that are no JSON", emit(`"data": [{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \" Infinity"}], "binary": false`),
			`2["ev",{"a": null, "b": [null, null], "c": "NaN \" Infinity"}] to all`},
		{"escapes", emit(`"data": ["\u00e9\ud83d\ude00\ud83d"], "binary": false`),
			`2["ev","\u00e9\ud83d\ude00\ud83d"] to all`},
		// 5.14.2 to 5.15.0: what emit was given.
		{"raw dict", emit(`"data": {"a": 1}, "binary": false`), `2["ev",{"a": 1}] to all`},
		{"raw text", emit(`"data": "t", "binary": false`), `2["ev","t"] to all`},
		{"raw None", emit(`"data": null, "binary": false`), `2["ev"] to all`},
		{"raw binary", emit(`"data": [{"_placeholder": true, "num": 0}, "AQI="], "binary": true`),
			`51-["ev",{"_placeholder":true,"num":0}] 0102 to all`},
		// 5.14.0 and 5.14.1.
		{"old list", emit(`"data": [1, 2]`), `2["ev",[1, 2]] to all`},
		{"old dict", emit(`"data": {"a": 1}`), `2["ev",{"a": 1}] to all`},
		{"old None", emit(`"data": null`), `2["ev"] to all`},
		{"no data", emit(`"x": 1`), `2["ev"] to all`},

		{"rooms", emit(`"data": [1], "binary": false, "room": ["a", 2, "a"], "skip_sid": ["s", "t"]`),
			`2["ev",1] to ["a" "2" "a"] except ["s" "t"]`},
		{"a number as room", emit(`"data": [1], "binary": false, "room": 12, "skip_sid": "s"`),
			`2["ev",1] to ["12"] except ["s"]`},
		{"an empty name", emit(`"data": [1], "binary": false, "room": ""`), `2["ev",1] to [""]`},
		{"a callback", emit(`"data": [1], "binary": false, "room": "r", "callback": ["r", "/", 1]`),
			`2["ev",1] to ["r"]`},
		{"no namespace", emit(`"data": [1], "binary": false, "namespace": null`), `2["ev",1] to all`},
		{"a placeholder in data", emit(`"data": [{"_placeholder": true, "num": 3}], "binary": false`),
			`2["ev",{"_placeholder": true, "num": 3}] to all`},
		{"another namespace", emit(`"data": [1], "binary": false, "namespace": "/no"`), "unknown namespace"},

		{"enter", `{"method": "enter_room", "sid": "s", "room": "r", "namespace": "/chat", "host_id": "h"}`,
			`/chat: ["s"] join ["r"]`},
		{"enter a number", `{"method": "enter_room", "sid": "s", "room": 7}`, `/: ["s"] join ["7"]`},
		{"leave", `{"method": "leave_room", "sid": "s", "room": "r", "namespace": "/"}`, `/: ["s"] leave ["r"]`},
		{"close", `{"method": "close_room", "room": "r", "namespace": "/chat"}`, `/chat: close "r"`},
		{"disconnect", `{"method": "disconnect", "sid": "s", "namespace": "/"}`, `/: disconnect ["s"] false`},
		{"callback", `{"method": "callback", "host_id": "h", "sid": "s", "id": 1, "args": []}`,
			"error: not for this server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, told(readPython([]byte(c.body))))
		})
	}
}

func TestPythonRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		``:                               "an empty message",
		`nonsense`:                       "no JSON object",
		`[]`:                             "no JSON object",
		`null`:                           "no method",
		`{}`:                             "no method",
		`{"method": 1}`:                  "method is no string",
		`{"method": "x"}`:                `unknown method "x"`,
		`{"method": "emit"}`:             "no event",
		`{"method": "emit", "event": 1}`: "event is no string",
		`{"method": "emit", "event": "e", "room": {}}`:                                                        "room is neither",
		`{"method": "emit", "event": "e", "room": [[1]]}`:                                                     "room is neither",
		`{"method": "emit", "event": "e", "room": true}`:                                                      "room is neither",
		`{"method": "emit", "event": "e", "room": []}`:                                                        "empty list",
		`{"method": "emit", "event": "e", "skip_sid": {}}`:                                                    "skip_sid is neither",
		`{"method": "emit", "event": "e", "namespace": 1}`:                                                    "namespace is no string",
		`{"method": "emit", "event": "connect", "data": []}`:                                                  "reserved",
		`{"method": "emit", "event": "e", "data": [NaN`:                                                       "no JSON object",
		`{"method": "emit", "event": "e", "data": 1, "binary": true}`:                                         "binary data is no list",
		`{"method": "emit", "event": "e", "data": [[1], 1], "binary": true}`:                                  "attachment 0 is no string",
		`{"method": "emit", "event": "e", "data": [[1], "!"], "binary": true}`:                                "attachment 0: illegal base64",
		`{"method": "emit", "event": "e", "binary": true, "data": [[{"_placeholder":true,"num":1}], "YQ=="]}`: "illegal attachments",
		`{"method": "enter_room", "sid": "s"}`:                                                                "no room",
		`{"method": "enter_room", "room": "s"}`:                                                               "no sid",
		`{"method": "disconnect", "sid": ["s"]}`:                                                              "sid is neither",
		`{"method": "disconnect"}`:                                                                            "no sid",
		`{"method": "close_room", "room": null}`:                                                              "no room",
		`{"method": "emit", "event": "e", "data": "` + "\xff" + `"}`:                                          "UTF-8",
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, told(readPython([]byte(body))), want)
		})
	}
}

func TestPythonDeepJSON(t *testing.T) {
	t.Parallel()
	body := `{"method": "emit", "event": "e", "data": ` + strings.Repeat("[", 9000) +
		strings.Repeat("]", 9000) + `}`
	require.Contains(t, told(readPython([]byte(body))), "error: ")
}
