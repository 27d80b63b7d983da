package netpoll

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// Until the listeners are there nobody else gets the port.
func TestAPortThatWasFoundIsTaken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", ":0", "0.0.0.0:0"} {
		s := &Server{opt: Options{Addr: addr}}
		release, err := s.probe()
		require.NoError(t, err)
		found := s.addr.String()
		require.NotZero(t, s.addr.(*net.TCPAddr).Port)
		_, err = net.Listen("tcp", found)
		require.ErrorContains(t, err, "address already in use", addr)
		_, err = net.Dial("tcp", (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1),
			Port: s.addr.(*net.TCPAddr).Port}).String())
		require.ErrorContains(t, err, "connection refused", "it does not listen")
		release()
		ln, err := net.Listen("tcp", found)
		require.NoError(t, err)
		require.NoError(t, ln.Close())
	}
}
