package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// Target is one address of the server under test.
type Target struct {
	Host string         `json:"host"` // as it stands in the Host header
	Addr netip.AddrPort `json:"addr"`
}

// ParseTarget looks up a URL such as http://127.0.0.1:5000; a path in it is
// returned beside, "" for none.
func ParseTarget(ctx context.Context, text string) (t Target, path string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return t, "", err
	}
	switch u.Scheme {
	case "http", "ws":
	case "https", "wss":
		return t, "", errors.New("TLS is not spoken here: measure behind the proxy that ends it")
	default:
		return t, "", fmt.Errorf("%q is not a URL such as http://127.0.0.1:5000", text)
	}
	port := 80
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil || port < 1 || port > 65535 {
			return t, "", fmt.Errorf("%q has no port number", text)
		}
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return t, "", err
	}
	addr := addrs[0]
	for _, a := range addrs {
		if a.Unmap().Is4() { // of localhost, the one with many source addresses
			addr = a
			break
		}
	}
	if u.Path != "/" {
		path = u.Path
	}
	return Target{u.Host, netip.AddrPortFrom(addr.Unmap(), uint16(port))}, path, nil
}

// Foreign reports whether the target is another machine.
func (t Target) Foreign() bool {
	ip := t.Addr.Addr()
	if ip.IsLoopback() || ip.IsUnspecified() {
		return false
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if own, ok := netip.AddrFromSlice(n.IP); ok && own.Unmap() == ip {
				return false
			}
		}
	}
	return true
}

// sourcesPerWorker times some 28,000 ports is how many connections, those in
// TIME_WAIT included, one worker may have on loopback.
const sourcesPerWorker = 64

// sources returns the addresses that worker w connects from; the zero address
// leaves the choice to the kernel.
func (p *Plan) sources(w int) []netip.Addr {
	if len(p.Sources) > 0 {
		return p.Sources
	}
	for _, t := range p.Targets {
		if a := t.Addr.Addr(); !a.Is4() || !a.IsLoopback() {
			return []netip.Addr{{}}
		}
	}
	// Away from 127.0.x.y, where servers and other clients live.
	out := make([]netip.Addr, sourcesPerWorker)
	for i := range out {
		out[i] = netip.AddrFrom4([4]byte{127, byte(64 + w%128), byte(1 + w/128), byte(1 + i)})
	}
	return out
}
