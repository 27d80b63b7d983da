package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// built is the directory that binary has made.
var built string

// binary is the program as it is installed, built once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "throng")
	if err != nil {
		return "", err
	}
	built = dir
	name := filepath.Join(dir, "throng")
	cmd := exec.Command("go", "build", "-o", name, "./cmd/throng")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return name, nil
})

// removeBinary is for the end of all tests.
func removeBinary() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}

// command is the binary with an environment in which it finds no settings.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	name, err := binary()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir, "XDG_CONFIG_HOME=" + cmd.Dir}, env...)
	return cmd
}

// result runs the binary to its end.
func result(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

const testKey = "0123456789abcdef-test"

// base is what the settings of every daemon begin with.
const base = `listen = "127.0.0.1:0"
loops = 1
internal.listen = "127.0.0.1:0"
`

// daemon is a `throng serve` that runs.
type daemon struct {
	t                *testing.T
	cmd              *exec.Cmd
	file             string
	log              *output
	public, internal string
	ended            chan struct{}
}

func daemonize(t *testing.T, settings string, env []string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, file: filepath.Join(t.TempDir(), "throng.toml"), log: newOutput(),
		ended: make(chan struct{})}
	d.write(settings)
	d.cmd = command(t, env, append([]string{"serve", "--config", d.file}, args...)...)
	d.cmd.Stderr = d.log
	require.NoError(t, d.cmd.Start())
	go func() { _ = d.cmd.Wait(); close(d.ended) }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
	})
	d.internal = "http://" + d.log.find(t, `"msg":"internal port","address":"([^"]+)"`)
	d.public = "http://" + d.log.find(t, `"msg":"listening".*"listen":"([^"]+)"`)
	d.soon("ready", func() bool { status, _ := d.get("/readyz"); return status == 200 })
	return d
}

func (d *daemon) write(settings string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.file, []byte(base+settings), 0o600))
}

// reload puts other settings in force, or has them refused.
func (d *daemon) reload(settings string) {
	d.t.Helper()
	before := strings.Count(d.log.String(), `"msg":"settings`)
	d.write(settings)
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGHUP))
	d.soon("reload", func() bool { return strings.Count(d.log.String(), `"msg":"settings`) > before })
}

func (d *daemon) soon(what string, f func() bool) {
	d.t.Helper()
	for late := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		require.True(d.t, time.Now().Before(late), "%s: %s", what, d.log)
	}
}

func (d *daemon) do(method, url, body string, header ...string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(d.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	return res.StatusCode, string(b)
}

func (d *daemon) get(path string) (int, string) {
	d.t.Helper()
	return d.do("GET", d.internal+path, "")
}

func (d *daemon) api(key, path, body string) (int, string) {
	d.t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	return d.do(method, d.internal+"/api/v1/"+path, body, "Authorization", "Bearer "+key,
		"Content-Type", "application/json")
}

// metric is the value of a line of /metrics, 0 if it is not there.
func (d *daemon) metric(line string) float64 {
	d.t.Helper()
	_, text := d.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(m[1], 64)
	require.NoError(d.t, err)
	return v
}

// poll opens a session.
func (d *daemon) poll(header ...string) (status int, session string) {
	d.t.Helper()
	url := d.public + "/socket.io/?EIO=4&transport=polling"
	status, body := d.do("GET", url, "", header...)
	var open struct{ SID string }
	if status == 200 {
		require.NoError(d.t, json.Unmarshal([]byte(body[1:]), &open))
	}
	return status, url + "&sid=" + open.SID
}

// join opens a session and joins "/".
func (d *daemon) join() (session string) {
	d.t.Helper()
	_, session = d.poll()
	d.post(session, "40")
	_, body := d.do("GET", session, "")
	require.True(d.t, strings.HasPrefix(body, "40{"), body)
	return session
}

func (d *daemon) post(session string, packets ...string) {
	d.t.Helper()
	status, body := d.do("POST", session, strings.Join(packets, "\x1e"))
	require.Equal(d.t, 200, status, body)
}

// lines are those of the log that are JSON with a message.
func (d *daemon) lines(message string) (list []map[string]any) {
	d.t.Helper()
	for s := bufio.NewScanner(strings.NewReader(d.log.String())); s.Scan(); {
		var line map[string]any
		require.NoError(d.t, json.Unmarshal(s.Bytes(), &line), s.Text())
		if line["msg"] == message {
			list = append(list, line)
		}
	}
	return list
}
