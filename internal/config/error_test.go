package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"ping_intervall = \"25s\"", `1:1: unknown key "ping_intervall": did you mean "ping_interval"?`},
		{"\n  pingInterval = 25000", `2:3: unknown key "pingInterval": it is "ping_interval" here`},
		{"cors_allowed_origins = []", `1:1: unknown key "cors_allowed_origins": it is "cors.allowed_origins" here`},
		{"[limits]\nconections = 5", `2:1: unknown key "limits.conections": did you mean "limits.connections"?`},
		{"level = \"info\"", `1:1: unknown key "level": did you mean "log.level"?`},
		{"[lmits]\nx = 1", `1:2: unknown key "lmits": did you mean [limits]?`},
		{"zzzzzzzzzz = 1", `1:1: unknown key "zzzzzzzzzz"`},
		{"limits = 5", `1:1: limits is a table: write [limits]`},
		{"listen = 5", `1:10: listen: want text in quotes, not the number 5`},
		{"loops = \"4\"", `1:9: loops: want a whole number, not text`},
		{"loops = 2.5", `1:9: loops: want a whole number, not the number 2.5`},
		{"loops = 999", `1:9: loops: 999 is not between 0 and 255`},
		{"reuse_port = 1", `1:14: reuse_port: want true or false, not the number 1`},
		{"ping_interval = 25000", `1:17: ping_interval: want a duration with its unit, in quotes, such as "25s", not the number 25000`},
		{"ping_interval = \"25\"", `1:17: ping_interval: "25" is not a duration such as "25s", "500ms" or "2m"`},
		{"ping_interval = \"1ms\"", `1:17: ping_interval: 1ms is not between 100ms and 24h`},
		{"ping_interval = 2020-01-01", `1:17: ping_interval: want a duration with its unit, in quotes, such as "25s", not a date or time`},
		{"max_http_buffer_size = \"many\"", `1:24: max_http_buffer_size: "many" is not a number of bytes such as 65536, "64KiB" or "1MB"`},
		{"transports = \"polling\"", `1:14: transports: want a list such as ["a", "b"], not text`},
		{"transports = [1]", `1:15: transports: want a list of texts in quotes, not of the number 1`},
		{"transports = [\"pigeon\"]", `1:1: transports: "pigeon" is neither "polling" nor "websocket"`},
		{"log = {level = \"loud\"}", `1:16: log.level: "loud" is none of debug, info, warn, error`},
		{"log.levle = \"info\"", `1:5: unknown key "log.levle": did you mean "log.level"?`},
		{"[limits]\nevents_per_second = nan", `2:21: limits.events_per_second: want a number, not the number NaN`},
		{"listen = \"nowhere\"", `1:1: listen: "nowhere" is not host:port`},
		{"path = \"/\"", `1:1: path: must not be the root: every request would be taken for Engine.IO`},
		{"namespaces = [\"chat\"]", `1:1: namespaces: "chat" does not begin with a slash, or has a comma`},
		{"trusted_proxies = [\"10.0.0.0/99\"]", `1:1: trusted_proxies: "10.0.0.0/99" is neither an address nor a network`},
		{"[cors]\nallowed_origins = [\"x\"]", `2:1: cors.allowed_origins: "x" is neither "*" nor scheme://host[:port]`},
		{"[api]\nkeys = [\"short\"]", `2:1: api.keys: key 1 is shorter than 16 characters, or has a space`},
		{"[api]\nkeys = [\"sha256:0123456789abcdef\"]", `2:1: api.keys: key 1 begins like a hash, and is not sha256: and 64 hexadecimal digits`},
		{"[api]\nkeys = [\"ci:SHA256:" + strings.Repeat("0", 64) + "\"]", `2:1: api.keys: key 1 begins like a hash, and is not sha256: and 64 hexadecimal digits`},
		{"[app]\nstream = [\"a\"]", `2:1: app.stream: is nothing without app.valkey (--app-valkey) or cluster.valkey (--valkey)`},
		{"[cluster]\nnode_id = \"a\"", `2:1: cluster.node_id: is nothing without cluster.valkey (--valkey)`},
		{"[internal]\nlisten = \"on\"", `2:1: internal.listen: "on" is neither host:port nor off`},
		{"[cluster]\nvalkey_file = \"/does/not/exist\"", `2:1: cluster.valkey_file: open /does/not/exist: no such file or directory`},
		{"[cluster]\nvalkey = \"redis://h\"\nvalkey_file = \"/x\"", `3:1: cluster.valkey and cluster.valkey_file are both set`},
		{"a = = 1", `1:5: unexpected character U+003D '=' at start of value`},
		{"loops = 1\nloops = 2", `2:1: key loops is already defined`},
		{"[log]\n[log]", `2:2: table log already exists`},
	} {
		name := file(t, c.text)
		_, err := Load(Sources{File: name})
		var bad *Error
		require.ErrorAs(t, err, &bad, c.text)
		require.False(t, bad.OnlyFlags())
		require.Equal(t, name+":"+c.want, err.Error(), c.text)
	}
}

func TestAllProblemsAreTold(t *testing.T) {
	t.Parallel()
	name := file(t, "loops = \"x\"\nlisten = 5\nfoo = 1\n")
	_, err := Load(Sources{File: name, Env: []string{"THRONG_PATH=/"},
		Flags: map[string]string{"ping-timeout": "x"}})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 5, err)
	for i, want := range []string{name + ":1:9: ", name + ":2:10: ", name + ":3:1: ",
		"--ping-timeout: ", "THRONG_PATH: "} {
		require.True(t, strings.HasPrefix(lines[i], want), lines[i])
	}
}

func TestBadEnvironmentAndFlags(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]string{
		"THRONG_LOOPS=x":        `THRONG_LOOPS: "x" is not a whole number`,
		"THRONG_LOG_LEVEL=loud": `THRONG_LOG_LEVEL: "loud" is none of debug, info, warn, error`,
		"THRONG_REUSE_PORT=yes": `THRONG_REUSE_PORT: "yes" is neither true nor false`,
	} {
		_, err := Load(Sources{File: nothing(t), Env: []string{env}})
		require.EqualError(t, err, want)
	}
	_, err := Load(Sources{File: nothing(t), Flags: map[string]string{"loops": "-1"}})
	var bad *Error
	require.ErrorAs(t, err, &bad)
	require.True(t, bad.OnlyFlags())
	require.EqualError(t, err, "--loops: -1 is not between 0 and 255")
}

func TestStrangeVariables(t *testing.T) {
	t.Parallel()
	l, err := Load(Sources{File: nothing(t), Env: []string{"THRONG_LOG_LEVLE=info",
		"THRONG_SERVICE_HOST=10.0.0.1", "THRONG_PORT=tcp://10.0.0.1:5000", "THRONG_QQQQQQQQQQQQ=1",
		"THRONG_PORT_5000_TCP=x"}})
	require.NoError(t, err)
	require.Equal(t, []string{
		"THRONG_LOG_LEVLE in the environment sets nothing; did you mean THRONG_LOG_LEVEL?",
		"THRONG_QQQQQQQQQQQQ in the environment sets nothing"}, l.Warnings)
}

func TestPORTAndDEBUG(t *testing.T) {
	t.Parallel()
	env := []string{"PORT=8080", "DEBUG=socketio"}
	l, err := Load(Sources{File: nothing(t), Env: env})
	require.NoError(t, err)
	require.Equal(t, ":8080", l.Listen)
	require.Equal(t, "socketio", l.Log.Debug)
	l, err = Load(Sources{File: file(t, "listen = \"h:1\"\n[log]\ndebug = \"\"\n"), Env: env})
	require.NoError(t, err)
	require.Equal(t, "h:1", l.Listen)
	require.Empty(t, l.Log.Debug)
}

func TestWhereTheFileIs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	home := filepath.Join(dir, "home")
	put := func(name string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte("loops = 1\n"), 0o600))
	}
	env := []string{"HOME=" + home}
	find := func(env ...string) string {
		l, err := Load(Sources{Env: env})
		require.NoError(t, err)
		return l.File
	}
	put(filepath.Join(home, ".config/throng/throng.toml"))
	require.Equal(t, filepath.Join(home, ".config/throng/throng.toml"), find(env...))
	put(filepath.Join(dir, "xdg/throng/throng.toml"))
	require.Equal(t, filepath.Join(dir, "xdg/throng/throng.toml"),
		find("HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(dir, "xdg")))
	put("throng.toml")
	require.Equal(t, "throng.toml", find(env...))
	put("named.toml")
	require.Equal(t, "named.toml", find("THRONG_CONFIG=named.toml"))
	_, err := Load(Sources{File: "missing.toml"})
	require.EqualError(t, err, "open missing.toml: no such file or directory")
}

func TestSecretsAreNeitherPrintedNorQuoted(t *testing.T) {
	t.Parallel()
	const key, pass = "0123456789abcdef-key", "pass-word"
	l, err := Load(Sources{File: nothing(t), Env: []string{"THRONG_API_KEYS=ci:" + key + "," + key + "2",
		"THRONG_CLUSTER_VALKEY=redis://user:" + pass + "@h:1/0?password=" + pass}})
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, l.Print(&b))
	require.NotContains(t, b.String(), key)
	require.NotContains(t, b.String(), pass)
	require.Contains(t, b.String(), `keys = ["ci:********", "********"]`)
	require.Contains(t, l.Secrets(), pass)

	_, err = Load(Sources{File: nothing(t), Env: []string{"THRONG_API_KEYS=abc-secret",
		"THRONG_CLUSTER_VALKEY=pass-word:%%%"}})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "abc-secret")
	require.NotContains(t, err.Error(), pass)
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte("# ours\n\n  a:0123456789abcdef  \n0123456789abcdefg\n"), 0o600))
	l, err := Load(Sources{File: file(t, "[api]\nkeys = [\"old-0123456789abcdef\"]\n"),
		Env: []string{"THRONG_API_KEYS_FILE=" + keys}})
	require.NoError(t, err)
	want := []string{
		"a:sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f",
		fmt.Sprintf(":sha256:%x", sha256.Sum256([]byte("0123456789abcdefg"))),
	}
	require.Equal(t, want, l.API.Keys, "hashes only")

	// A hash may stand there in the first place.
	again := fmt.Sprintf("[api]\nkeys = [%q, %q]\n", want[0],
		"sha256:"+strings.ToUpper(strings.TrimPrefix(want[1], ":sha256:")))
	l, err = Load(Sources{File: file(t, again)})
	require.NoError(t, err)
	require.Equal(t, want, l.API.Keys)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	old, err := Load(Sources{File: nothing(t)})
	require.NoError(t, err)
	for _, f := range Fields() {
		if f.FileOf != nil {
			continue
		}
		text, _, want := other(t, f)
		next, err := Load(Sources{File: nothing(t), Env: append(needed(f), f.Env+"="+text)})
		require.NoError(t, err)
		merged, changes := old.Merge(next)
		if f.Reload == Restart {
			require.Contains(t, changes.Restart, f.Key)
			require.Equal(t, f.Get(&old.Config), f.Get(&merged.Config), f.Key)
			require.Empty(t, changes.Applied)
			require.Equal(t, FromDefault, merged.Origins[f.Key].Source)
			continue
		}
		require.Equal(t, Changes{Applied: []string{f.Key}}, changes)
		require.Equal(t, want, f.Get(&merged.Config), f.Key)
		require.Equal(t, FromEnv, merged.Origins[f.Key].Source)
	}
}

func FuzzReadFile(f *testing.F) {
	for _, s := range []string{"loops = 1", "[log]\nlevel = \"x\"", "a.b = {c = [1, {d = 2}]}", "[[x]]\n", "[api]\nkeys=[\"a\"]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, problems := readFile("f", data)
		for _, p := range problems {
			require.NotEmpty(t, p.Text)
			require.Equal(t, "f", p.File)
		}
	})
}
