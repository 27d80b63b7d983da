package lastport

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// greet answers each connection with a word.
func greet(t *testing.T, addr, word string) *net.TCPListener {
	t.Helper()
	ln, err := Listen(addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, word)
			_ = c.Close()
		}
	}()
	return ln
}

func ask(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	require.NoError(t, err)
	defer c.Close()
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(b)
}

func TestTheLastGetsAll(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", ":0"} {
		a := greet(t, addr, "a")
		addr = a.Addr().String()
		to := addr
		if host, port, _ := net.SplitHostPort(addr); host == "::" || host == "0.0.0.0" {
			to = "127.0.0.1:" + port
		}
		all := func(word string) {
			for range 20 {
				require.Equal(t, word, ask(t, to))
			}
		}
		others := func(ln *net.TCPListener, want int) {
			n, err := Others(ln)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		all("a")
		others(a, 0)
		b := greet(t, addr, "b")
		all("b")
		others(a, 1)
		// The new one does not do: the old one is still there.
		require.NoError(t, b.Close())
		all("a")
		greet(t, addr, "c")
		all("c")
		require.NoError(t, a.Close())
		all("c")
		greet(t, addr, "d")
		all("d")
	}
}

func TestAPortThatIsNotShared(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	_, err = Listen(ln.Addr().String())
	require.ErrorContains(t, err, "address already in use")
}
