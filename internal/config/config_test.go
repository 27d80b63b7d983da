package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

// other returns a value of a field that is not its default, as it stands in the
// environment and in the file, and what it is in Config.
func other(t *testing.T, f *Field) (text, toml string, want any) {
	t.Helper()
	switch {
	case f.FileOf != nil:
		name := filepath.Join(t.TempDir(), "secret")
		text, _, want := other(t, f.FileOf)
		require.NoError(t, os.WriteFile(name, []byte(text+"\n"), 0o600))
		return name, quote(name), want
	case f.Secret == "url":
		return "redis://u:pw@h:1/0", `"redis://u:pw@h:1/0"`, "redis://u:pw@h:1/0"
	case f.Secret == "text":
		return "0123456789abcdef", `"0123456789abcdef"`, "0123456789abcdef"
	case f.Secret == "list":
		return "a:0123456789abcdef", `["a:0123456789abcdef"]`, []string{hashed("a:0123456789abcdef")}
	case len(f.Choices) > 0:
		last := f.Choices[len(f.Choices)-1]
		return last, quote(last), last
	case f.Unit == "duration":
		return "7s", `"7s"`, 7 * time.Second
	case f.Unit == "bytes":
		return "3KiB", `"3KiB"`, 3072
	}
	if s, ok := map[string]string{"listen": "127.0.0.1:7", "internal.listen": "127.0.0.1:8",
		"client": "off", "path": "/x/", "log.debug": "socketio", "cluster.advertise": "h:1"}[f.Key]; ok {
		return s, quote(s), s
	}
	if s, ok := map[string]string{"namespaces": "/a", "trusted_proxies": "10.0.0.0/8",
		"transports": "websocket", "cors.allowed_origins": "https://a.example"}[f.Key]; ok {
		return s, "[" + quote(s) + "]", []string{s}
	}
	switch v := f.Get(Default()).(type) {
	case string:
		return "other", `"other"`, "other"
	case []string:
		return "b,c", `["b", "c"]`, []string{"b", "c"}
	case bool:
		return fmt.Sprint(!v), fmt.Sprint(!v), !v
	case int:
		return "17", "17", 17
	case float64:
		return "1.5", "1.5", 1.5
	}
	t.Fatalf("%s: no value", f.Key)
	return "", "", nil
}

// needed are the settings without which a field is refused.
func needed(f *Field) []string {
	switch f.Key {
	case "cluster.node_id", "cluster.advertise":
		return []string{"THRONG_CLUSTER_VALKEY=redis://h"}
	case "app.stream":
		return []string{"THRONG_APP_VALKEY=redis://h"}
	case "queues.flask_channels":
		return []string{"THRONG_QUEUES_FLASK=redis://h"}
	}
	return nil
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "throng.toml")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// nothing is an empty file, so that none of the machine's is read.
func nothing(t *testing.T) string { return file(t, "") }

func (f *Field) target() *Field {
	if f.FileOf != nil {
		return f.FileOf
	}
	return f
}

func TestEveryFieldByFileEnvironmentAndFlag(t *testing.T) {
	t.Parallel()
	for _, f := range Fields() {
		t.Run(f.Key, func(t *testing.T) {
			t.Parallel()
			text, toml, want := other(t, f)
			require.NotEqual(t, want, f.target().Get(Default()), "not the default")
			line := f.word() + " = " + toml + "\n"
			if f.Table != "" {
				line = "[" + f.Table + "]\n" + line
			}
			for _, c := range []struct {
				s    Sources
				from Source
				name string
			}{
				{Sources{File: file(t, line)}, FromFile, ""},
				{Sources{File: nothing(t), Env: []string{f.Env + "=" + text}}, FromEnv, f.Env},
				{Sources{File: nothing(t), Flags: map[string]string{f.Flag: text}}, FromFlag, f.Flag},
			} {
				c.s.Env = append(c.s.Env, needed(f)...)
				l, err := Load(c.s)
				require.NoError(t, err, c.from)
				require.Equal(t, want, f.target().Get(&l.Config), c.from)
				o := l.Origins[f.target().Key]
				require.Equal(t, c.from, o.Source)
				if c.name != "" {
					require.Equal(t, c.name, o.Name)
				}
				require.Empty(t, l.Warnings)
			}
		})
	}
}

// File, environment and flag say different things: each is set by one source
// more than the run before.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	s := Sources{File: file(t, "ping_interval = \"3s\"\n")}
	for _, want := range []time.Duration{3, 4, 5} {
		switch want {
		case 4:
			s.Env = []string{"THRONG_PING_INTERVAL=4s"}
		case 5:
			s.Flags = map[string]string{"ping-interval": "5s"}
		}
		l, err := Load(s)
		require.NoError(t, err)
		require.Equal(t, want*time.Second, l.PingInterval)
	}
}

// What is printed as default is what the library does.
func TestDefaultsAreTheLibrarys(t *testing.T) {
	t.Parallel()
	real, err := socketio.Options{}.Checked()
	require.NoError(t, err)
	v := reflect.ValueOf(Default().Options())
	w := reflect.ValueOf(real)
	for _, f := range Fields() {
		switch f.Option {
		case "", "Addr", "Loops", "Cookie", "CORSAllowedOrigins": // ours is another on purpose, or none
			continue
		}
		name, _, nested := strings.Cut(f.Option, ".")
		if nested {
			require.True(t, w.FieldByName(name).IsNil() && v.FieldByName(name).IsNil())
			continue
		}
		require.Equal(t, w.FieldByName(name).Interface(), v.FieldByName(name).Interface(), f.Key)
	}
	on := Default()
	on.Recovery.Duration = 2 * time.Minute
	got := on.Options().ConnectionStateRecovery
	require.Equal(t, 2*time.Minute, got.MaxDisconnectionDuration)
	require.False(t, got.RunMiddlewares)
}

// The options that `serve` does not have are known and few.
func TestEveryOptionHasASetting(t *testing.T) {
	t.Parallel()
	known := map[string]bool{
		"NodeTag": true, "Cluster": true, "Logger": true, "ClientFiles": true, // made by serve
		"AllowRequest": true, "InitialHeaders": true, "Headers": true, "OnError": true, // functions
		"KeepHeaders": true, "KeepHandshake": true, // for handlers, of which there are none
	}
	for _, f := range Fields() {
		name, _, _ := strings.Cut(f.Option, ".")
		known[name] = true
	}
	o := reflect.TypeFor[socketio.Options]()
	for i := range o.NumField() {
		require.True(t, known[o.Field(i).Name], "%s is no setting", o.Field(i).Name)
	}
}

func TestPrintedDefaultsAreTheDefaults(t *testing.T) {
	t.Parallel()
	for _, f := range Fields() {
		if f.FileOf != nil {
			continue
		}
		v, err := f.parse(f.text(f.Get(Default())))
		if f.Default == "" {
			require.Empty(t, f.text(f.Get(Default())), f.Key)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, f.Get(Default()), v, f.Key)
	}
}

func TestPrintedSettingsCanBeRead(t *testing.T) {
	t.Parallel()
	l, err := Load(Sources{File: nothing(t), Env: []string{"THRONG_COOKIE=a",
		"THRONG_TRANSPORTS=websocket", "THRONG_LIMITS_PENDING_BYTES=2MiB", "THRONG_CORS_MAX_AGE=90s"}})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, l.Print(&b))
	again, err := Load(Sources{File: file(t, b.String())})
	require.NoError(t, err)
	require.Equal(t, l.Config, again.Config)
	require.Contains(t, b.String(), "# THRONG_COOKIE")
}

func TestSampleIsTheDefaults(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, Sample(&b))
	l, err := Load(Sources{File: file(t, b.String())})
	require.NoError(t, err)
	require.Equal(t, *Default(), l.Config)
	lines := strings.Split(b.String(), "\n")
	for i, s := range lines {
		if strings.HasPrefix(s, "#") && !strings.HasPrefix(s, "# ") {
			lines[i] = s[1:]
		}
		require.LessOrEqual(t, len(s), 100, s)
	}
	l, err = Load(Sources{File: file(t, strings.Join(lines, "\n"))})
	require.NoError(t, err)
	require.Equal(t, *Default(), normal(l.Config))
}

// normal makes empty lists nil ones.
func normal(c Config) Config {
	for _, f := range Fields() {
		if f.FileOf == nil && f.typ.Kind() == reflect.Slice && f.of(&c).Len() == 0 {
			f.of(&c).SetZero()
		}
	}
	return c
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"--config": true, "THRONG_CONFIG": true}
	for _, f := range Fields() {
		for _, name := range []string{f.Key, "--" + f.Flag, f.Env} {
			require.False(t, seen[name], name)
			seen[name] = true
		}
	}
}

func TestReferenceNamesEverything(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, Reference(&b))
	page, err := os.ReadFile("../../docs/configure.md")
	require.NoError(t, err)
	require.Equal(t, string(page), b.String(), "go run ./cmd/throng config reference > docs/configure.md")
	for _, name := range []string{"pingInterval", "maxHttpBufferSize", "connectionStateRecovery",
		"cors_allowed_origins", "message_queue", "async_handlers"} {
		require.Contains(t, b.String(), name)
	}
}

func TestListOfOne(t *testing.T) {
	t.Parallel()
	l, err := Load(Sources{File: file(t, "[app]\nurl = \"http://x/{event}\"\nstream = [\"/a=b\"]\nvalkey = \"redis://h\"")})
	require.NoError(t, err)
	require.Equal(t, []string{"http://x/{event}"}, l.App.URL)
	require.Equal(t, []string{"/a=b"}, l.App.Stream)
	_, err = Load(Sources{File: file(t, "[app]\nurl = 1")})
	require.ErrorContains(t, err, "want a list")
}
