package clustertest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/socketio"
)

func acknowledgements(t *testing.T, r *Rig, c []*Client, act *socketio.Namespace) {
	ctx := bounded(t)
	// All answer.
	var wg sync.WaitGroup
	for k := range c {
		if inS(k) {
			wg.Go(func() { answer(c[k], `["`+c[k].ID+`",{"k":1}]`) })
		}
	}
	list, err := act.To("s").EmitWithAck(ctx, "q", "x")
	require.NoError(t, err)
	wg.Wait()
	require.Len(t, list, 4)
	seen := map[string]bool{}
	for _, a := range list {
		var id string
		require.NoError(t, a.Bind(&id))
		require.Equal(t, a.From, id)
		seen[id] = true
	}
	require.Len(t, seen, 4)

	// Nobody is asked.
	list, err = act.To("nobody").EmitWithAck(ctx, "q")
	require.NoError(t, err)
	require.Empty(t, list)

	// One is silent.
	for k := range c {
		if inS(k) && k != 4 {
			wg.Go(func() { answer(c[k], `[1]`) })
		}
	}
	list, err = act.To("s").Timeout(700*time.Millisecond).EmitWithAck(ctx, "q")
	wg.Wait()
	require.ErrorIs(t, err, socketio.ErrTimeout)
	require.Len(t, list, 3)
	var p *socketio.PartialError
	if r.Servers[c[4].Node] == act.Server() {
		require.False(t, errors.As(err, &p))
	} else {
		require.ErrorAs(t, err, &p)
		require.Equal(t, []string{r.Servers[c[4].Node].Stats().Cluster.Self.ID}, p.Missing)
	}

	// One leaves.
	require.Contains(t, c[4].Next(), `["q"]`)
	for k := range c {
		if inS(k) && k != 4 {
			wg.Go(func() { answer(c[k], `[1]`) })
		}
	}
	wg.Go(func() {
		c[4].Next()
		_ = c[4].conn.Close()
	})
	list, err = act.To("s").EmitWithAck(ctx, "q")
	wg.Wait()
	require.ErrorIs(t, err, socketio.ErrDisconnected)
	require.Len(t, list, 3)
	require.False(t, errors.As(err, &p), "the node has told of all")

	// With a function.
	for k := range c {
		if inR(k) {
			wg.Go(func() { answer(c[k], `[1]`) })
		}
	}
	done := make(chan int, 1)
	require.NoError(t, act.To("r").EmitFunc(func(list []socketio.Answer, err error) {
		if err == nil {
			done <- len(list)
		} else {
			done <- -1
		}
	}, "q"))
	require.Equal(t, 3, <-done)
	wg.Wait()
}
