package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"
)

type client struct {
	t *testing.T
	io.ReadWriter
}

func (c client) send(text string) {
	c.t.Helper()
	require.NoError(c.t, wsutil.WriteClientText(c, []byte(text)))
}

func (c client) next() string {
	c.t.Helper()
	b, _, err := wsutil.ReadServerData(c)
	require.NoError(c.t, err)
	return string(b)
}

func TestContract(t *testing.T) {
	srv, err := newServer(settings{addr: "127.0.0.1:0"}, nil)
	require.NoError(t, err)
	require.NoError(t, srv.Start())
	defer func() { require.NoError(t, srv.Shutdown(context.Background())) }()

	dial := func() client {
		conn, br, _, err := ws.Dial(context.Background(),
			"ws://"+srv.Addr().String()+"/socket.io/?EIO=4&transport=websocket")
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		c := client{t: t, ReadWriter: conn}
		if br != nil {
			c.ReadWriter = struct {
				io.Reader
				io.Writer
			}{br, conn}
		}
		require.True(t, strings.HasPrefix(c.next(), "0{"))
		c.send("40")
		require.True(t, strings.HasPrefix(c.next(), "40{"))
		return c
	}
	conn, br, _, err := ws.Dial(context.Background(),
		"ws://"+srv.Addr().String()+"/socket.io/?EIO=3&transport=websocket")
	require.NoError(t, err, "clients before 3.0 may come")
	if br != nil {
		ws.PutReader(br)
	}
	require.NoError(t, conn.Close())
	a, b := dial(), dial()
	a.send(`42["join","r0"]`)
	require.Equal(t, `42["joined","r0"]`, a.next())
	a.send(`42["echo","x~y"]`)
	require.Equal(t, `42["echo","x~y"]`, a.next())
	b.send(`42["room",{"r":"r0","d":"to the room"}]`)
	require.Equal(t, `42["room","to the room"]`, a.next())
	b.send(`42["all","to all"]`)
	require.Equal(t, `42["all","to all"]`, a.next())
	require.Equal(t, `42["all","to all"]`, b.next(), "not in the room")
}
