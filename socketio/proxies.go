package socketio

import (
	"net/http"
	"net/netip"
	"strings"
)

// viaProxies finds out who sent a request and whether by https, given the
// address the connection came from. What X-Forwarded-For and X-Forwarded-Proto
// say counts as far as it was written by trusted proxies: the last address that
// none of them has is the client's.
func viaProxies(trusted []netip.Prefix, remote string, h http.Header) (address string, secure bool) {
	if len(trusted) == 0 || !within(trusted, remote) {
		return remote, false
	}
	address = viaHops(trusted, remote, strings.Join(h.Values("X-Forwarded-For"), ","))
	protos := strings.Split(strings.Join(h.Values("X-Forwarded-Proto"), ","), ",")
	return address, strings.EqualFold(strings.TrimSpace(protos[len(protos)-1]), "https")
}

// viaHops finds the client's address in the X-Forwarded-For of a trusted proxy.
func viaHops(trusted []netip.Prefix, remote, forwarded string) (address string) {
	address = remote
	hops := strings.Split(forwarded, ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		ip, ok := hopAddr(hop)
		if !ok {
			break // nobody trusted would have written it
		}
		address = ip.String()
		if !within(trusted, address) {
			break
		}
	}
	return address
}

// within tells whether an address, with or without a port, is in a network.
func within(networks []netip.Prefix, address string) bool {
	ip, ok := hopAddr(address)
	if !ok {
		return false
	}
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// hopAddr reads an address as proxies write it: ip, ip:port, [ip6] or
// [ip6]:port.
func hopAddr(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return ip.Unmap(), err == nil
}
