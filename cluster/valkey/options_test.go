package valkey

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/internal/brokertest"
)

func TestOptionsNameTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"URL":                    {},
		"URL is not valid":       {URL: "http://user:secret@x"},
		"NodeID":                 {URL: "valkey://x", NodeID: "a{b}"},
		"NodeID has":             {URL: "valkey://x", NodeID: strings.Repeat("x", 129)},
		"Addr":                   {URL: "valkey://x", Addr: "localhost"},
		"Prefix":                 {URL: "valkey://x", Prefix: "{x}:"},
		"Lease":                  {URL: "valkey://x", Lease: time.Millisecond},
		"Timeout":                {URL: "valkey://x", Timeout: 6 * time.Second},
		"SpillBytes is":          {URL: "valkey://x", SpillBytes: -1},
		"StreamAge is":           {URL: "valkey://x", StreamAge: -1},
		"MaxEntry":               {URL: "valkey://x", MaxEntry: -1},
		"TLS is set, but":        {URL: "valkey://x", TLS: &tls.Config{}},
		"127.0.0.1:1/2 does not": {URL: "valkey://u:secret@127.0.0.1:1/2?x=secret"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := Open(ctx, o)
		cancel()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	o := Options{URL: "valkey://x"}
	require.NoError(t, o.validate())
	require.Equal(t, 15*time.Second, o.Lease)
	require.Equal(t, 3*time.Second, o.Timeout)
	require.Equal(t, "throng:", o.Prefix)
	require.NoError(t, checkNodeID(o.NodeID))
	p := Options{URL: "valkey://x"}
	require.NoError(t, p.validate())
	require.NotEqual(t, o.NodeID, p.NodeID)
}

func TestSchemesPasswordsAndDatabases(t *testing.T) {
	t.Parallel()
	cert, key, roots := brokertest.Certificate(t)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, tlsPort, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	s := brokertest.Start(t, "--unixsocket", socket, "--tls-port", tlsPort,
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	s.Do(append([]string{"ACL", "SETUSER", "node", "on", ">pass:word", "~throng:*"},
		rights(t)...)...)
	s.Do("ACL", "SETUSER", "default", "off")
	conf := &tls.Config{RootCAs: roots}
	for i, url := range []string{
		"valkey://node:pass%3Aword@" + s.Addr + "/3",
		"redis://node:pass%3Aword@" + s.Addr + "/3",
		"valkeys://node:pass%3Aword@127.0.0.1:" + tlsPort + "/3",
		"rediss://node:pass%3Aword@localhost:" + tlsPort + "?db=3",
		"unix://node:pass%3Aword@" + socket + "?db=3",
	} {
		o := quick(url, string(rune('a'+i)))
		if strings.HasPrefix(url, "valkeys") || strings.HasPrefix(url, "rediss") {
			o.TLS = conf
		}
		n := open(t, o)
		n.until(url, func() bool { return len(n.Nodes()) == i })
		require.False(t, n.Status().Degraded, n.Status().Err)
	}
	begun := time.Now()
	_, err = Open(t.Context(), quick("valkey://node:wrong@"+s.Addr, "x"))
	require.ErrorContains(t, err, "WRONGPASS")
	require.NotContains(t, err.Error(), "wrong@")
	_, err = Open(t.Context(), quick("valkeys://node:pass%3Aword@127.0.0.1:"+tlsPort, "x"))
	require.ErrorContains(t, err, "x509")
	require.Less(t, time.Since(begun), connectPatience, "what does not heal is told at once")
}

// rights are those that the package's doc says are needed.
func rights(t *testing.T) []string {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?s)the keys PREFIX\* and: (.*?)\. An`).FindSubmatch(text)
	require.NotNil(t, m)
	var out []string
	for _, w := range regexp.MustCompile(`[A-Z]+`).FindAll(m[1], -1) {
		out = append(out, "+"+string(w))
	}
	require.Greater(t, len(out), 10)
	return out
}
