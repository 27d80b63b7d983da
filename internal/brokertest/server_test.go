package brokertest

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatAServerKeeps(t *testing.T) {
	t.Parallel()
	s := Start(t, Always()...)
	s.Do("SET", "k", "v")
	s.Kill()
	_, err := net.DialTimeout("tcp", s.Addr, time.Second)
	require.Error(t, err)
	s.Restart()
	require.Equal(t, "v", s.Do("GET", "k"))
	s.Stop()
	s.RestartEmpty()
	require.Empty(t, s.Do("GET", "k"))
}

func TestProxyFails(t *testing.T) {
	t.Parallel()
	s := Start(t)
	p := NewProxy(t, s.Addr)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.Addr)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	ask := func(c net.Conn, patience time.Duration) (string, error) {
		c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("PING\r\n")); err != nil {
			return "", err
		}
		b := make([]byte, 64)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	c := dial()
	answer, err := ask(c, 5*time.Second)
	require.NoError(t, err)
	require.Equal(t, "+PONG\r\n", answer)

	p.Hold()
	_, err = ask(c, 50*time.Millisecond)
	require.ErrorContains(t, err, "timeout")
	p.Heal()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 64)
	n, err := c.Read(b)
	require.NoError(t, err)
	require.Equal(t, "+PONG\r\n", string(b[:n]), "what was held comes")

	p.Slow(30 * time.Millisecond)
	begun := time.Now()
	_, err = ask(c, 5*time.Second)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begun), 60*time.Millisecond)

	p.Cut()
	_, err = ask(c, 5*time.Second)
	require.Error(t, err)
	_, err = ask(dial(), 5*time.Second)
	require.Error(t, err)
	p.Heal()
	_, err = ask(dial(), 5*time.Second)
	require.NoError(t, err)
}
