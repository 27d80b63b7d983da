package config

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/throng-server/throng/socketio"
)

// Options returns what the settings mean to the library. Logger, ClientFiles
// and Cluster are left to the caller. The settings must be valid.
func (c *Config) Options() socketio.Options {
	o := socketio.Options{
		Addr: c.Listen, Path: c.Path, Loops: c.Loops, ReusePort: c.ReusePort,
		MaxConnections:           c.Limits.Connections,
		MaxConnectionsPerAddress: c.Limits.PerAddress,
		EventRate:                c.Limits.EventRate, EventBurst: c.Limits.EventBurst,
		PingInterval: c.PingInterval, PingTimeout: c.PingTimeout,
		ConnectTimeout: c.ConnectTimeout, UpgradeTimeout: c.UpgradeTimeout,
		MaxPayload: c.MaxHTTPBufferSize, MaxAttachments: c.Limits.Attachments,
		MaxNamespaces: c.Limits.Namespaces, MaxDynamicNamespaces: c.Limits.DynamicNamespaces,
		CleanupEmptyChildNamespaces: c.CleanupNamespaces, MaxRooms: c.Limits.Rooms,
		MailboxEvents: c.Limits.MailboxEvents, MailboxBytes: c.Limits.MailboxBytes,
		MailboxTotal: c.Limits.MailboxTotal, MaxPendingBytes: c.Limits.PendingBytes,
		MaxPendingFrames: c.Limits.PendingFrames, MaxWorkers: c.Limits.Workers,
		CORSAllowedOrigins: c.CORS.AllowedOrigins, CORSCredentials: c.CORS.Credentials,
		CORSMethods: c.CORS.Methods, CORSAllowedHeaders: c.CORS.AllowedHeaders,
		CORSExposedHeaders: c.CORS.ExposedHeaders, CORSMaxAge: c.CORS.MaxAge,
		AllowEIO3: c.AllowEIO3, Transports: c.Transports, DisableUpgrades: !c.AllowUpgrades,
		HTTPCompression: -1, EventNames: c.Metrics.Events,
	}
	if c.HTTPCompression {
		o.HTTPCompression = c.CompressionThreshold
	}
	if c.Cookie != "" {
		o.Cookie = &http.Cookie{Name: c.Cookie}
	}
	if c.Recovery.Duration > 0 {
		o.ConnectionStateRecovery = &socketio.ConnectionStateRecovery{
			MaxDisconnectionDuration: c.Recovery.Duration,
			RunMiddlewares:           !c.Recovery.SkipMiddlewares,
		}
	}
	for _, p := range c.TrustedProxies {
		n, _ := network(p) // validated
		o.TrustedProxies = append(o.TrustedProxies, n)
	}
	return o
}

// network reads an address or a network.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// validate finds what only shows when all values are there.
func (l *Loaded) validate() (problems []Problem) {
	bad := func(key, format string, args ...any) {
		problems = append(problems, l.Origins[key].Problem(key, fmt.Sprintf(format, args...)))
	}
	c := &l.Config
	for _, n := range c.Namespaces {
		if !strings.HasPrefix(n, "/") || strings.Contains(n, ",") {
			bad("namespaces", "%q does not begin with a slash, or has a comma", n)
		}
	}
	if a := c.Internal.Listen; a != "off" {
		if _, _, err := net.SplitHostPort(a); err != nil {
			bad("internal.listen", "%q is neither host:port nor off", a)
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := network(p); err != nil {
			bad("trusted_proxies", "%q is neither an address nor a network", p)
		}
	}
	for i, k := range c.API.Keys {
		_, key := splitKey(k)
		if len(key) < MinKey || strings.ContainsAny(key, " \t\r\n") {
			bad("api.keys", "key %d is shorter than %d characters, or has a space", i+1, MinKey)
		} else if badHash(k) {
			bad("api.keys", "key %d begins like a hash, and is not %s and 64 hexadecimal digits",
				i+1, hashMark)
		}
	}
	if c.Cluster.Valkey == "" {
		for _, key := range []string{"cluster.node_id", "cluster.advertise"} {
			if byKey[key].text(byKey[key].Get(c)) != "" {
				bad(key, "is nothing without cluster.valkey (--valkey)")
			}
		}
	}
	if c.Cluster.Valkey == "" && c.App.Valkey == "" && len(c.App.Stream) > 0 {
		bad("app.stream", "is nothing without app.valkey (--app-valkey) or cluster.valkey (--valkey)")
	}
	if c.Queues.Flask == "" && len(c.Queues.FlaskChannels) > 0 {
		bad("queues.flask_channels", "is nothing without queues.flask (--flask-queue)")
	}
	if len(problems) > 0 {
		return problems
	}
	var wrong *socketio.OptionError
	if _, err := c.Options().Checked(); errors.As(err, &wrong) {
		bad(l.keyOf(wrong.Field), "%s", wrong.Reason)
	}
	return problems
}

// keyOf names the setting of an option of the library.
func (l *Loaded) keyOf(option string) string {
	for _, f := range fields {
		if f.Option == option {
			return f.Key
		}
	}
	return option
}
