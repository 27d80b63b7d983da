package socketio

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/throng-server/throng/internal/engine"
)

// addressKey stands for a client's address: an IPv4 address, or the /64 network
// of an IPv6 one, which is what one customer has. 0 stands for none; networks
// whose first half is zero do not exist on the internet.
type addressKey uint64

func keyOf(ip netip.Addr) addressKey {
	if ip = ip.Unmap(); ip.Is4() {
		b := ip.As4()
		return addressKey(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	return max(addressKey(binary.BigEndian.Uint64(b[:8])), 1)
}

// addresses counts sessions by address, for Options.MaxConnectionsPerAddress.
// Any goroutine; its locks are held for one access to a map.
type addresses struct {
	most   atomic.Int64 // 0: no limit, and nothing is counted
	shards [32]addressShard
}

type addressShard struct {
	mu sync.Mutex
	n  map[addressKey]int64
	_  [48]byte
}

func (a *addresses) shard(k addressKey) *addressShard {
	return &a.shards[(uint64(k)*0x9e3779b97f4a7c15)>>59]
}

// full tells that there are at least most sessions.
func (a *addresses) full(k addressKey, most int64) bool {
	sh := a.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.n[k] >= most
}

// add counts a session unless there are most of them.
func (a *addresses) add(k addressKey, most int64) bool {
	sh := a.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.n[k] >= most {
		return false
	}
	if sh.n == nil {
		sh.n = make(map[addressKey]int64)
	}
	sh.n[k]++
	return true
}

func (a *addresses) remove(k addressKey) {
	sh := a.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.n[k]--; sh.n[k] <= 0 {
		delete(sh.n, k)
	}
}

// crowded implements engine.Options.Crowded.
func (s *Server) crowded(remote func() net.Addr, forwarded func() string) bool {
	most := s.addresses.most.Load()
	if most == 0 {
		return false
	}
	k := s.addressOf(remote(), forwarded)
	return k != 0 && s.addresses.full(k, most)
}

// addressOf returns the key of a client, 0 if its address is unknown.
func (s *Server) addressOf(remote net.Addr, forwarded func() string) addressKey {
	if remote == nil {
		return 0
	}
	address := remote.String()
	if within(s.opt.TrustedProxies, address) {
		address = viaHops(s.opt.TrustedProxies, address, forwarded())
	}
	ip, ok := hopAddr(address)
	if !ok {
		return 0
	}
	return keyOf(ip)
}

// hold counts a session that begins for its address; false if that has too
// many. Loop only.
func (lp *loop) hold(c *client, head []byte, remote net.Addr) bool {
	a := &lp.srv.addresses
	most := a.most.Load()
	if most == 0 {
		return true
	}
	k := lp.srv.addressOf(remote, func() string {
		r, err := engine.ParseHead(head, "")
		if err != nil {
			return ""
		}
		return strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	})
	if k == 0 {
		return true
	}
	if !a.add(k, most) {
		return false
	}
	for len(lp.held) <= int(c.Slot()) {
		lp.held = append(lp.held, 0)
	}
	lp.held[c.Slot()] = k
	return true
}

// let gives back what hold has counted. Loop only.
func (lp *loop) let(c *client) {
	if at := int(c.Slot()); at < len(lp.held) && lp.held[at] != 0 {
		lp.srv.addresses.remove(lp.held[at])
		lp.held[at] = 0
	}
}
