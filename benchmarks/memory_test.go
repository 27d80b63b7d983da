package benchmarks

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/throng-server/throng/socketio"
)

// idleClients is below the 20,000 descriptors of a common hard limit, with
// both ends in this process.
const idleClients = 8_000

// BenchmarkIdleMemory reports the live heap of a connection that has joined
// the namespace and waits. Its clients are bare descriptors, so that the heap
// is the server's alone; the kernel's own 4 to 5 kB a socket are not in it.
func BenchmarkIdleMemory(b *testing.B) {
	for b.Loop() {
		srv := serve(b, func(*socketio.Server) {})
		addr := srv.Addr().(*net.TCPAddr)
		warm := idle(b, addr, 100) // what grows once for all is there already
		before := liveHeap()
		fds := idle(b, addr, idleClients)
		after := liveHeap()
		b.ReportMetric(float64(after-before)/idleClients, "heap-B/conn")
		for _, fd := range append(warm, fds...) {
			_ = unix.Close(fd)
		}
	}
}

// liveHeap waits until connection handlers are done with, then collects.
func liveHeap() uint64 {
	var m runtime.MemStats
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const upgradeHead = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\n" +
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// idle opens n sessions in namespace "/" and returns their descriptors.
func idle(b testing.TB, addr *net.TCPAddr, n int) []int {
	b.Helper()
	head := fmt.Sprintf(upgradeHead, addr)
	fds := make([]int, n)
	buf := make([]byte, 4096)
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(b, err)
		fds[i] = fd
		require.NoError(b, unix.Connect(fd, &unix.SockaddrInet4{
			Port: addr.Port, Addr: [4]byte(addr.IP.To4())}))
		_, err = unix.Write(fd, []byte(head))
		require.NoError(b, err)
		got, err := unix.Read(fd, buf) // 101 and the open packet
		require.NoError(b, err)
		if !bytes.Contains(buf[:got], []byte(" 101 ")) {
			b.Fatalf("no upgrade: %s", buf[:got])
		}
		_, err = unix.Write(fd, joinFrame)
		require.NoError(b, err)
		_, err = unix.Read(fd, buf) // the CONNECT reply
		require.NoError(b, err)
	}
	return fds
}
