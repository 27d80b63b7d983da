package valkey

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/throng-server/throng/cluster"
)

// quick are options for outages of seconds.
func quick(url, id string) Options {
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("THRONG_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{
			Level: slog.LevelDebug})).With("node", id)
	}
	return Options{URL: url, NodeID: id, Lease: 1500 * time.Millisecond,
		Timeout: 450 * time.Millisecond,
		Logger:  log}
}

// node is a transport with a receiver that keeps the history.
type node struct {
	*Transport
	t testing.TB

	mu      sync.Mutex
	cond    *sync.Cond
	got     map[string][]uint64 // by sender
	missed  map[string]uint64
	joined  []cluster.Node
	lost    []lostNode
	busy    bool
	sockets map[string]int
	hook    func(from cluster.Node, n uint64)

	next uint64 // to publish
}

// away tells whether what is published has to wait. A reader may notice before
// the writer does that something is wrong.
func (n *node) away() bool {
	n.health.mu.Lock()
	defer n.health.mu.Unlock()
	return n.health.away
}

type lostNode struct {
	cluster.Node
	left bool
}

func open(t testing.TB, opt Options) *node {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tr, err := Open(ctx, opt)
	require.NoError(t, err)
	n := &node{Transport: tr, t: t, got: map[string][]uint64{}, missed: map[string]uint64{},
		sockets: map[string]int{"/": 3}}
	n.cond = sync.NewCond(&n.mu)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n.Close(ctx) // after an outage it may have something left
	})
	require.NoError(t, n.Start(ctx, n))
	return n
}

// crash ends a transport as kill -9 does: nobody hears of it.
func (n *node) crash() {
	n.Transport.mu.Lock()
	n.life.closed = true
	n.Transport.mu.Unlock()
	n.lines.close()
	n.end()
	n.client.Close()
}

func (n *node) Receive(from cluster.Node, entry []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alone()
	num := binary.BigEndian.Uint64(entry)
	n.got[from.ID] = append(n.got[from.ID], num)
	if n.hook != nil {
		n.hook(from, num)
	}
	n.cond.Broadcast()
}

// alone fails if two calls of the receiver overlap.
func (n *node) alone() {
	if n.busy {
		n.t.Error("calls of the receiver overlap")
	}
}

func (n *node) NodeJoined(x cluster.Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.joined = append(n.joined, x)
	n.cond.Broadcast()
}

func (n *node) NodeLost(x cluster.Node, left bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = append(n.lost, lostNode{x, left})
	n.cond.Broadcast()
}

func (n *node) Gap(from cluster.Node, missed uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.missed[from.ID] += missed
	n.cond.Broadcast()
}

func (n *node) Sockets() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.sockets)
}

// entry is a numbered entry of 32 bytes.
func entry(num uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, num)[:8:8]
}

// publish publishes the next k numbers, from 1 on.
func (n *node) publish(k int) {
	for range k {
		n.next++
		require.True(n.t, n.Publish(cluster.Kept, entry(n.next)))
	}
}

// until waits for f, which is called under the lock.
func (n *node) until(what string, f func() bool) {
	n.t.Helper()
	n.within(20*time.Second, what, f)
}

func (n *node) within(d time.Duration, what string, f func() bool) {
	n.t.Helper()
	timer := time.AfterFunc(d, func() {
		n.mu.Lock()
		n.cond.Broadcast()
		n.mu.Unlock()
	})
	defer timer.Stop()
	deadline := time.Now().Add(d)
	n.mu.Lock()
	defer n.mu.Unlock()
	for !f() {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: not so after %v: %s", what, d, n.describe())
		}
		n.cond.Wait()
	}
}

func (n *node) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "node %s:", n.opt.NodeID)
	for id, got := range n.got {
		fmt.Fprintf(&b, " %d of %s (last %d)", len(got), id, got[len(got)-1])
	}
	fmt.Fprintf(&b, " missed %v joined %d lost %d", n.missed, len(n.joined), len(n.lost))
	return b.String()
}

// knows waits until a node with this id lives for n.
func (n *node) knows(ids ...string) {
	n.t.Helper()
	n.until(fmt.Sprint("knows ", ids), func() bool {
		have := map[string]bool{}
		for _, x := range n.Nodes() {
			have[x.ID] = true
		}
		for _, id := range ids {
			if !have[id] {
				return false
			}
		}
		return true
	})
}

// accounts waits until n has received or counted as missed all that from has
// published, and checks that nothing came twice or out of order. It returns
// how much is missing.
func (n *node) accounts(from *node) uint64 {
	n.t.Helper()
	id := from.opt.NodeID
	n.until("has all of "+id, func() bool {
		return uint64(len(n.got[id]))+n.missed[id] >= from.next
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	require.Equal(n.t, from.next, uint64(len(n.got[id]))+n.missed[id], n.describe())
	n.ordered(id)
	return n.missed[id]
}

func (n *node) ordered(id string) {
	n.t.Helper()
	for i, num := range n.got[id][min(1, len(n.got[id])):] {
		require.Greater(n.t, num, n.got[id][i], "twice or out of order, of %s", id)
	}
}

// eventually waits for something that nobody announces.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not so: " + what)
		}
	}
}
