package blackbox

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

// session is a shell that somebody copies commands into.
type session struct {
	t     *testing.T
	stdin io.Writer
	lines chan string
	n     int
}

func shell(t *testing.T, dir string, env ...string) *session {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = w, w
	require.NoError(t, cmd.Start())
	_ = w.Close()
	s := &session{t: t, stdin: stdin, lines: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			s.lines <- sc.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = out.Close()
	})
	return s
}

// paste runs commands one after the other, and returns what is printed; the
// first that fails ends it.
func (s *session) paste(commands string) string {
	s.t.Helper()
	s.n++
	mark := fmt.Sprintf("--- %d: ", s.n)
	_, err := fmt.Fprintf(s.stdin, "trap 'echo \"%sfailed: $BASH_COMMAND\"' ERR\n%s\ntrap - ERR\necho '%sdone'\n",
		mark, commands, mark)
	require.NoError(s.t, err)
	var said []string
	late := time.After(100 * time.Second)
	for {
		select {
		case line, ok := <-s.lines:
			text := strings.Join(said, "\n")
			require.True(s.t, ok, "the shell is gone: %s", text)
			if rest, is := strings.CutPrefix(line, mark); is {
				require.Equal(s.t, "done", rest, text)
				return text
			}
			said = append(said, line)
		case <-late:
			require.FailNow(s.t, "late", strings.Join(said, "\n"))
		}
	}
}

// tested returns the README's commands of a name.
func tested(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)<!-- tested: " + name + " -->\n```sh\n(.*?)```").FindStringSubmatch(string(b))
	require.NotNil(t, m, "no commands %q in README.md", name)
	return m[1]
}

// free is an address that nobody listens on now.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// shown is what a page shows.
type shown struct {
	text string
	err  error
}

// browse opens a page in a browser that waits for a text, as long as the test
// runs; nil without a browser to open it in.
func browse(t *testing.T, url, text string) <-chan shown {
	t.Helper()
	if os.Getenv("CHROMIUM") == "" {
		t.Log("CHROMIUM names no browser: the push is seen by a WebSocket client alone")
		return nil
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(root, "e2e/lib/shows.js"), url, text)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it closes its browser
	done := make(chan shown, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		done <- shown{string(out), err}
	}()
	return done
}

// sockets awaits so many in the namespace /.
func sockets(t *testing.T, internal string, n int) {
	t.Helper()
	want := fmt.Sprintf("throng_sockets{namespace=\"/\"} %d\n", n)
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + internal + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(b), want)
	}, time.Minute, 20*time.Millisecond, "%d sockets", n)
}

// Who has just come copies the README's commands and has a service, a push
// that a browser shows, a reload and a graceful end. Only ports and the home
// directory are others. CHROMIUM names the browser, as make test does.
func TestREADME(t *testing.T) {
	begun := time.Now()
	public, internal := free(t), free(t)
	here := strings.NewReplacer("127.0.0.1:5000", public, "127.0.0.1:5001", internal)
	home := t.TempDir()
	repository, err := filepath.Abs(root)
	require.NoError(t, err)
	// The caches of Go and npm are not what is tested.
	goEnv := strings.Split(strings.TrimSpace(run(t, root, nil, "go", "env", "GOMODCACHE", "GOCACHE")), "\n")
	env := []string{"HOME=" + home, "GOMODCACHE=" + goEnv[0], "GOCACHE=" + goEnv[1]}
	if old := os.Getenv("HOME"); old != "" && os.Getenv("NPM_CONFIG_USERCONFIG") == "" {
		env = append(env, "NPM_CONFIG_USERCONFIG="+filepath.Join(old, ".npmrc"))
	}
	s := shell(t, repository, env...)

	said := s.paste(here.Replace(tested(t, "start")))
	require.Contains(t, said, "installed below")
	require.Contains(t, said, `"status":"ok"`)
	require.Regexp(t, `OK +websocket`, said, "the doctor, with --url")

	c, err := join(public)
	require.NoError(t, err)
	defer c.Close()
	clients := 1
	page := browse(t, "http://"+public, "hello")
	if page != nil {
		clients++
	}
	sockets(t, internal, clients)
	said = s.paste(here.Replace(tested(t, "push")))
	require.Regexp(t, `throng_connections\S* [1-9]`, said)
	if page != nil {
		got := <-page
		require.NoError(t, got.err, got.text)
		require.Regexp(t, `(?s)^News\s+hello\s*$`, got.text)
	}
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second))) // a browser takes its time
	got, err := wsutil.ReadServerText(c)
	require.NoError(t, err)
	require.Equal(t, `42["news","hello"]`, string(got))

	said = s.paste(here.Replace(tested(t, "end")))
	require.Contains(t, said, "throng_config_reload_success 1")
	require.Contains(t, said, "limits.events_per_second", "the log names what the reload has changed")
	require.Contains(t, said, "exit code 0")
	_, err = net.DialTimeout("tcp", public, time.Second)
	require.Error(t, err)
	require.Less(t, time.Since(begun), 10*time.Minute)
}
