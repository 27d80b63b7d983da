package clientjs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder writes client files whose banner names version.
func folder(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range Names {
		text := "/*!\n * Socket.IO v" + version + "\n */\n" + name
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestFolder(t *testing.T) {
	t.Parallel()
	c, err := Open("dir:" + folder(t, Version))
	require.NoError(t, err)
	for _, name := range Names {
		body, contentType, etag, ok := c.File(name)
		require.True(t, ok, name)
		require.True(t, strings.HasSuffix(string(body), name))
		require.Equal(t, `"4.8.4"`, etag)
		if strings.HasSuffix(name, ".map") {
			require.Equal(t, "application/json; charset=utf-8", contentType)
		} else {
			require.Equal(t, "application/javascript; charset=utf-8", contentType)
		}
		_, redirect := c.Redirect(name)
		require.False(t, redirect)
	}
	for _, name := range []string{"", "../client.go", "socket.io.ts", "SOCKET.IO.JS"} {
		_, _, _, ok := c.File(name)
		require.False(t, ok, name)
	}
}

func TestFolderOfAnotherVersion(t *testing.T) {
	t.Parallel()
	_, err := Open("dir:" + folder(t, "4.8.40"))
	require.ErrorContains(t, err, "is not of version 4.8.4")
	_, err = Open("dir:" + t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	c, err := Open("redirect")
	require.NoError(t, err)
	url, ok := c.Redirect("socket.io.min.js")
	require.True(t, ok)
	require.Equal(t, "https://cdn.socket.io/4.8.4/socket.io.min.js", url)
	_, ok = c.Redirect("//evil.example")
	require.False(t, ok, "only the known names")
	_, _, _, ok = c.File("socket.io.min.js")
	require.False(t, ok)

	c, err = Open("redirect:http://host:81/js/")
	require.NoError(t, err)
	url, _ = c.Redirect("socket.io.js")
	require.Equal(t, "http://host:81/js/socket.io.js", url)
}

func TestOff(t *testing.T) {
	t.Parallel()
	c, err := Open("off")
	require.NoError(t, err)
	_, _, _, ok := c.File("socket.io.js")
	require.False(t, ok)
	_, ok = c.Redirect("socket.io.js")
	require.False(t, ok)
}

func TestUnknownMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"on", "dir:", "redirect:", "embedded:x", " "} {
		_, err := Open(mode)
		require.Error(t, err, mode)
	}
}

// Without a folder and without the build tag browsers go to the CDN. The test
// runs in this package's folder, where Dir does not lie.
func TestAuto(t *testing.T) {
	t.Parallel()
	c, err := Open("")
	require.NoError(t, err)
	if embedded != nil {
		require.Equal(t, "embedded", c.Mode())
		return
	}
	require.Equal(t, "redirect:"+CDN, c.Mode())
}

func TestPackageJSONPinsTheSameVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("package-lock.json")
	require.NoError(t, err)
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	require.NoError(t, json.Unmarshal(text, &lock))
	p := lock.Packages["node_modules/socket.io-client"]
	require.Equal(t, Version, p.Version)
	require.True(t, strings.HasPrefix(p.Integrity, "sha512-"))
}
