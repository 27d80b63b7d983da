package socketio

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pollPeer is a client of the polling transport.
type pollPeer struct {
	t      testing.TB
	url    string
	client *http.Client
	early  string // what came with the answer to CONNECT
}

func pollDial(t testing.TB, s *Server) *pollPeer {
	t.Helper()
	p := &pollPeer{t: t, url: fmt.Sprintf("http://%s/socket.io/?EIO=4&transport=polling", s.Addr()),
		client: &http.Client{Timeout: patience, Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true}}}
	open, _ := p.get()
	p.url += "&sid=" + open[len(`0{"sid":"`):][:20]
	p.post("40")
	got, _ := p.get()
	require.True(t, strings.HasPrefix(got, `40{"sid":"`), got)
	_, p.early, _ = strings.Cut(got, "\x1e")
	return p
}

func (p *pollPeer) get() (string, http.Header) {
	p.t.Helper()
	req, err := http.NewRequest("GET", p.url, nil)
	require.NoError(p.t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := p.client.Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(p.t, err)
		b, err = io.ReadAll(z)
		require.NoError(p.t, err)
	}
	return string(b), resp.Header
}

func (p *pollPeer) post(body string) {
	p.t.Helper()
	resp, err := p.client.Post(p.url, "text/plain", strings.NewReader(body))
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, "ok", string(b))
}

func TestPollingClient(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 2} {
		reasons := make(chan string, 1)
		s := serve(t, Options{Loops: loops}, func(s *Server) {
			s.On("echo", func(k *Socket, e *Event) { _ = k.Emit("echo", e.Raw()...) })
			s.OnDisconnect(func(_ *Socket, reason string) { reasons <- reason })
		})
		p := pollDial(t, s)
		require.Equal(t, 1, s.Stats().Detached)
		p.post("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID\x1e42[\"echo\",1]")
		var got string
		for !strings.Contains(got, `42["echo",1]`) {
			next, _ := p.get()
			got += next + "\x1e"
		}
		require.Equal(t, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID\x1e42[\"echo\",1]\x1e", got)
		p.post("1")
		require.Equal(t, "transport close", receive(t, reasons))
	}
}

// Volatile events are for clients that wait for them; compression is for
// events that want it.
func TestPollingFlags(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Loops: 1}, nil)
	p := pollDial(t, s)
	long := strings.Repeat("a", 3000)
	require.NoError(t, s.Volatile().Emit("lost"))
	require.NoError(t, s.All().Compress(false).Emit("plain", long))
	got, h := p.get()
	require.Equal(t, `42["plain","`+long+`"]`, got)
	require.Empty(t, h.Values("Content-Encoding"))
	require.NoError(t, s.All().Compress(false).Emit("plain", long))
	require.NoError(t, s.All().Compress(true).Emit("tight", long))
	var all bytes.Buffer
	for !strings.Contains(all.String(), "gzip") {
		_, h := p.get()
		all.WriteString(h.Get("Content-Encoding") + " ")
	}
	require.EqualValues(t, 1, s.Stats().Drops["volatile"])
}
