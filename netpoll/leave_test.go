package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// knocking opens WebSockets one after the other until stop, and counts those
// that got no answer.
type knocking struct {
	addr     string
	stop     atomic.Bool
	done, ko atomic.Int64
	first    atomic.Pointer[error]
	wg       sync.WaitGroup
}

func knock(addr string, clients int) *knocking {
	k := &knocking{addr: addr}
	for range clients {
		k.wg.Go(func() {
			for !k.stop.Load() {
				if err := k.once(); err != nil {
					k.ko.Add(1)
					k.first.CompareAndSwap(nil, &err)
				} else {
					k.done.Add(1)
				}
			}
		})
	}
	return k
}

func (k *knocking) once() error {
	c, err := net.DialTimeout("tcp", k.addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetLinger(0) // no ports in TIME_WAIT
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte(goodUpgrade)); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.Contains(line, " 101 ") {
		err = fmt.Errorf("answer %q", line)
	}
	return err
}

// more waits until so many further ones have got through.
func (k *knocking) more(t *testing.T, n int64) {
	from := k.done.Load()
	eventually(t, "connections", func() bool { return k.done.Load() >= from+n })
}

// end returns how many got no answer, and why the first did not.
func (k *knocking) end() (int64, error) {
	k.stop.Store(true)
	k.wg.Wait()
	if err := k.first.Load(); err != nil {
		return k.ko.Load(), *err
	}
	return 0, nil
}

// handOver makes s leave the port, and checks that those who stay get every
// connection from then on.
func handOver(t *testing.T, k *knocking, s *Server) {
	t.Helper()
	settled, ok := s.LeavePort(t.Context(), 60*time.Millisecond)
	require.True(t, ok)
	<-settled
	eventually(t, "the last ones to be taken", func() bool {
		n := s.Stats().Accepted
		k.more(t, 20)
		return s.Stats().Accepted == n
	})
	shutdown(t, s)
	k.more(t, 50)
}

func sharing(t *testing.T, addr string, loops int) *Server {
	return startEcho(t, Options{Addr: addr, ReusePort: true, Loops: loops}, &echoHandler{})
}

// A port goes from server to server under load and nobody is turned away,
// whatever the numbers of their loops: upgrades, one that is taken back, and
// three at once.
func TestLeavePortLosesNobody(t *testing.T) {
	for _, loops := range [][]int{{1, 1}, {2, 2}, {2, 3}, {3, 4}, {4, 1}, {1, 4}} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) {
			a := sharing(t, "127.0.0.1:0", loops[0])
			addr := a.Addr().String()
			k := knock(addr, 3)
			k.more(t, 20)
			b := sharing(t, addr, loops[1])
			handOver(t, k, a)
			eventually(t, "it sees that it is alone", func() bool {
				b.port.look()
				b.port.mu.Lock()
				defer b.port.mu.Unlock()
				return len(b.port.elders) == 0
			})
			c := sharing(t, addr, loops[0]) // taken back
			handOver(t, k, c)
			d, e := sharing(t, addr, loops[0]), sharing(t, addr, 1)
			handOver(t, k, b)
			k.more(t, 20)
			n, err := k.end()
			t.Logf("%d connections, %d lost", k.done.Load(), n)
			require.NotZero(t, d.Stats().Accepted+e.Stats().Accepted)
			if loops[1] >= loops[0] && loops[1] <= loops[0]+1 {
				require.Zero(t, n, "%v", err)
			} else { // somebody goes who has more loops than those who stay
				require.LessOrEqual(t, n, int64(2), "%v", err)
			}
		})
	}
}

// Nobody to leave it to, or a port that is not shared: nothing changes.
func TestLeavePortAlone(t *testing.T) {
	for _, share := range []bool{false, true} {
		s := startEcho(t, Options{ReusePort: share}, &echoHandler{})
		_, ok := s.LeavePort(t.Context(), time.Millisecond)
		require.False(t, ok)
		connect(t, s, 0)
	}
}

// When the eldest has gone, the places are even again: every loop is chosen.
func TestLeavePortEndsTheSteering(t *testing.T) {
	a := sharing(t, "127.0.0.1:0", 2)
	b := sharing(t, a.Addr().String(), 2)
	settled, ok := a.LeavePort(t.Context(), time.Millisecond)
	require.True(t, ok)
	<-settled
	shutdown(t, a)
	b.port.look()
	eventually(t, "connections on both loops", func() bool {
		connect(t, b, 0)
		n := 0
		for _, l := range b.Loops() {
			if l.pub.conns.Load() > 0 {
				n++
			}
		}
		return n == 2
	})
}

// The group is told apart by address and family.
func TestPortGroup(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr)
	all, err := portGroup(addr)
	require.NoError(t, err)
	require.Len(t, all, 1)
	own, err := ownListeners(all)
	require.NoError(t, err)
	require.Len(t, own, 1)
	require.Equal(t, all[0], own[0].inode)

	all, err = portGroup(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: addr.Port})
	require.NoError(t, err)
	require.Empty(t, all)

	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	defer six.Close()
	all, err = portGroup(six.Addr().(*net.TCPAddr))
	require.NoError(t, err)
	require.Len(t, all, 1)
}

// An end of the context leaves the listeners as they are.
func TestLeavePortEndsWithItsContext(t *testing.T) {
	a := sharing(t, "127.0.0.1:0", 1)
	b := sharing(t, a.Addr().String(), 1)
	require.Equal(t, a.Addr(), b.Addr())
	settled, ok := a.LeavePort(ctxEnded(t), time.Hour)
	require.True(t, ok)
	<-settled
	own, err := ownListeners(a.port.seen)
	require.NoError(t, err)
	require.NotEmpty(t, own)
}

func ctxEnded(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
