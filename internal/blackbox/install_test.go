package blackbox

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// run runs a command in the repository and returns what it says.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// files lists what is below dir.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, strings.TrimPrefix(p, dir))
		}
		return err
	}))
	return list
}

func TestInstallAndUninstall(t *testing.T) {
	t.Parallel()
	dest := t.TempDir()
	env := []string{"DESTDIR=" + dest, "PREFIX=/opt/throng", "BINARY=" + binary}
	run(t, root, env, "make", "install")
	have := files(t, dest)
	for _, f := range []string{
		"/opt/throng/bin/throng", "/opt/throng/lib/systemd/system/throng.service",
		"/opt/throng/lib/systemd/system/throng@.service", "/opt/throng/lib/sysusers.d/throng.conf",
		"/opt/throng/lib/sysctl.d/60-throng.conf", "/opt/throng/share/man/man1/throng.1",
		"/opt/throng/share/bash-completion/completions/throng",
		"/opt/throng/share/zsh/site-functions/_throng",
		"/opt/throng/share/fish/vendor_completions.d/throng.fish", "/etc/default/throng",
		"/etc/throng/throng.toml.sample",
	} {
		require.Contains(t, have, f)
	}
	require.Contains(t, run(t, root, nil, filepath.Join(dest, "/opt/throng/bin/throng"), "version"), "throng ")
	run(t, root, nil, "bash", "-n", filepath.Join(dest, "/opt/throng/share/bash-completion/completions/throng"))
	checkUnits(t, dest, filepath.Join(dest, "/opt/throng/lib/systemd/system"))

	// What an administrator has changed survives both.
	options := filepath.Join(dest, "/etc/default/throng")
	require.NoError(t, os.WriteFile(options, []byte("OPTIONS=--listen :80\n"), 0o600))
	run(t, root, env, "make", "install")
	run(t, root, env, "make", "uninstall")
	require.Equal(t, []string{"/etc/default/throng"}, files(t, dest))
	b, err := os.ReadFile(options)
	require.NoError(t, err)
	require.Equal(t, "OPTIONS=--listen :80\n", string(b))

	require.NoError(t, os.Remove(options))
	run(t, root, env, "make", "install")
	run(t, root, env, "make", "uninstall")
	require.Empty(t, files(t, dest))
}

// checkUnits looks for what the units must say and, where it is there, asks
// systemd about the rest.
func checkUnits(t *testing.T, dest, dir string) {
	t.Helper()
	analyze, missing := exec.LookPath("systemd-analyze")
	for name, args := range map[string]string{
		"throng.service": "serve $OPTIONS", "throng@.service": "serve --reuse-port $OPTIONS",
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		unit := string(b)
		require.NotContains(t, strings.SplitN(unit, "[Unit]", 2)[1], "@BINDIR@")
		for _, line := range []string{"ExecStart=/opt/throng/bin/throng " + args, "Type=notify",
			"RestartPreventExitStatus=2 78", "LimitNOFILE=1048576", "NoNewPrivileges=yes"} {
			require.True(t, slices.Contains(strings.Split(unit, "\n"), line), line)
		}
		if missing != nil {
			continue
		}
		// Where systemd finds the program.
		unit = strings.ReplaceAll(unit, "/opt/throng", dest+"/opt/throng")
		there := filepath.Join(t.TempDir(), strings.Replace(name, "@", "@a", 1))
		require.NoError(t, os.WriteFile(there, []byte(unit), 0o600))
		said := run(t, root, nil, analyze, "verify", "--man=no", there)
		for line := range strings.Lines(said) {
			require.NotContains(t, line, filepath.Base(there), "systemd-analyze verify")
		}
	}
}

// Each line of the sysctl file has its reason above it, and is a setting.
func TestSysctlFile(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join(root, "packaging/throng.sysctl"))
	require.NoError(t, err)
	n := 0
	for block := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n\n") {
		lines := strings.Split(block, "\n")
		require.True(t, strings.HasPrefix(lines[0], "# "), block)
		for _, l := range lines {
			if !strings.HasPrefix(l, "#") {
				require.Regexp(t, `^-?[a-z]+(\.[a-z0-9_]+)+ = \d+( \d+)?$`, l)
				n++
			}
		}
	}
	require.Greater(t, n, 5)
}

// The same source gives the same bytes in any directory, with the version in
// them.
func TestReproducibleBuild(t *testing.T) {
	t.Parallel()
	tracked := strings.Split(strings.TrimRight(run(t, root, nil, "git", "ls-files", "-coz",
		"--exclude-standard", "go.mod", "go.sum", "scripts/lib.sh", "cmd", "internal", "socketio",
		"netpoll", "protocol", "rooms", "cluster"), "\x00"), "\x00")
	var built [][]byte
	for range 2 {
		dir := t.TempDir()
		for _, f := range tracked {
			b, err := os.ReadFile(filepath.Join(root, f))
			if os.IsNotExist(err) {
				continue // removed, not yet from git
			}
			require.NoError(t, err)
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, f), b, 0o644))
		}
		out := filepath.Join(dir, "out")
		run(t, dir, []string{"VERSION=v9.8.7-test"}, "bash", "-c",
			`. scripts/lib.sh && go_binary "$1" ""`, "bash", out)
		b, err := os.ReadFile(out)
		require.NoError(t, err)
		built = append(built, b)
		require.Contains(t, run(t, dir, nil, out, "version"), "throng v9.8.7-test ")
	}
	require.True(t, slices.Equal(built[0], built[1]), "the builds differ")
}
