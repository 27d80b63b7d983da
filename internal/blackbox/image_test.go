package blackbox

import (
	"debug/elf"
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
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// dockerfile is the instructions of each stage, without comments and with
// continued lines joined.
func dockerfile(t *testing.T) (stages [][]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "packaging/docker/Dockerfile"))
	require.NoError(t, err)
	for line := range strings.Lines(strings.ReplaceAll(string(b), "\\\n", "")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "FROM "):
			stages = append(stages, []string{line})
		default:
			stages[len(stages)-1] = append(stages[len(stages)-1], line)
		}
	}
	return stages
}

// arguments are those of the instructions of a kind.
func arguments(stage []string, kind string) (args []string) {
	for _, line := range stage {
		if rest, is := strings.CutPrefix(line, kind+" "); is {
			args = append(args, rest)
		}
	}
	return args
}

// confined runs a command as a user in a directory that is its whole file
// system, as a container does.
func confined(dir string, uid, gid int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	if os.Getuid() != 0 {
		a.Cloneflags = syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getgid(), Size: 1}}
		a.Credential.NoSetGroups = true
	}
	return a
}

// What the image is made of is made by the commands of the Dockerfile, put
// where it says, and run as it says: with no other file, not even /proc, and
// by nobody.
func TestImage(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	require.Len(t, stages, 3)
	client, build, image := stages[0], stages[1], stages[2]
	b, err := os.ReadFile(filepath.Join(root, "scripts/lib.sh"))
	require.NoError(t, err)
	scripts := string(b)
	require.Contains(t, scripts, arguments(client, "RUN")[0], "make build gets the browser client so, too")
	copied := strings.Fields(arguments(client, "COPY")[0])
	for _, f := range copied[:len(copied)-1] {
		require.FileExists(t, filepath.Join(root, f))
	}
	run(t, root, nil, "bash", "-c", ". scripts/lib.sh && client_files")

	// The second stage, in the repository.
	commands := arguments(build, "RUN")
	dir := t.TempDir()
	require.Contains(t, commands[1], "-o /throng ")
	run(t, root, []string{"VERSION=v9.8.7-image"}, "bash", "-c",
		strings.Replace(commands[1], "-o /throng ", "-o "+dir+"/throng ", 1))
	f, err := elf.Open(dir + "/throng")
	require.NoError(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "not static")
	}

	// The image: what it copies is there, and nothing else.
	require.Equal(t, "FROM scratch", image[0])
	for _, c := range arguments(image, "COPY") {
		require.Regexp(t, `^--from=build (/throng /throng|\S+/ca-certificates.crt /etc/ssl/certs/)$`, c)
	}
	user := regexp.MustCompile(`^(\d+):(\d+)$`).FindStringSubmatch(arguments(image, "USER")[0])
	require.NotNil(t, user)
	uid, err := strconv.Atoi(user[1])
	require.NoError(t, err)
	require.NotZero(t, uid)
	gid, err := strconv.Atoi(user[2])
	require.NoError(t, err)
	var entry, args []string
	require.NoError(t, json.Unmarshal([]byte(arguments(image, "ENTRYPOINT")[0]), &entry))
	require.NoError(t, json.Unmarshal([]byte(arguments(image, "CMD")[0]), &args))
	require.Equal(t, ":5000", args[len(args)-1])
	require.Equal(t, "5000", arguments(image, "EXPOSE")[0])
	args[len(args)-1] = "127.0.0.1:0"

	inside := func(args ...string) *exec.Cmd {
		cmd := &exec.Cmd{Path: entry[0], Args: append([]string{entry[0]}, args...), Dir: "/",
			Env: []string{"PATH=/bin", "HOME=/", "THRONG_INTERNAL_LISTEN=off"}, SysProcAttr: confined(dir, uid, gid)}
		return cmd
	}
	version := launch(t, inside("version"))
	require.Equal(t, 0, version.code())
	require.Contains(t, version.String(), "throng v9.8.7-image ")
	p := launch(t, inside(args...))
	addr := p.listening()
	if os.Getuid() == 0 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		require.NoError(t, err)
		require.Contains(t, string(status), fmt.Sprintf("\nUid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid))
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/socket.io/socket.io.js": "Socket.IO v"} {
		resp, err := http.Get("http://" + addr + path)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode, path)
		require.Contains(t, string(b), want, path)
	}
	c, err := join(addr)
	require.NoError(t, err)
	defer c.Close()
	require.Equal(t, "SIGTERM", arguments(image, "STOPSIGNAL")[0])
	p.signal(syscall.SIGTERM)
	require.Equal(t, 0, p.code())
}
