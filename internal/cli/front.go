package cli

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/throng-server/throng/socketio"
)

// front is what stands before the server: proxies, which it believes, and
// balancers, which other servers are behind.
type front struct {
	proxies []string
	end     ending
}

func (f *front) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&f.proxies, "trusted-proxies", nil,
		"networks or addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto count "+
			"(default none)")
	c.Flags().DurationVar(&f.end.drain, "drain-time", defaultDrain,
		"over how long TERM sends the clients away to the other servers of --valkey or "+
			"--reuse-port, 0 is at once")
}

// apply sets what the flags say.
func (f *front) apply(o *socketio.Options, m *membership) error {
	for _, p := range f.proxies {
		n, err := network(p)
		if err != nil {
			return fmt.Errorf("--trusted-proxies: %q is neither an address nor a network", p)
		}
		o.TrustedProxies = append(o.TrustedProxies, n)
	}
	if f.end.drain < 0 {
		return fmt.Errorf("--drain-time: %s is negative", f.end.drain)
	}
	if m.url == "" && !o.ReusePort {
		f.end.drain = 0 // there is no other server for them to go to
	} else if m.addr == "" && !o.ReusePort {
		m.addr = reachable(o.Addr)
	}
	return nil
}

// network reads 10.0.0.0/8, 10.1.2.3 and the like of IPv6.
func network(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return ip.Prefix(ip.BitLen())
}

// reachable returns an address to listen on if others can connect to it as it
// stands: one that names a host and a port.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || host == "" || port == "0" || port == "" {
		return ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return ""
	}
	return listen
}
