package socketio

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/throng-server/throng/netpoll"
	"github.com/throng-server/throng/protocol/sio"
)

// OfFunc returns a parent of namespaces that come into being when a client
// connects to them: match decides with the name and the client's auth object,
// "{}" if it sent none. It is asked on the admission pool and may block; parents
// are asked in the order of their registration until one matches.
//
// A child begins with the parent's middleware, handlers and hooks as they are
// at that moment; later changes do not reach it. What a parent sends goes to all
// children. It has no sockets of its own: calls that collect from sockets return
// ErrParent.
//
// Names are the clients' choice: at most Options.MaxDynamicNamespaces children
// exist, names of more than 256 bytes are refused, and empty children are
// removed only with Options.CleanupEmptyChildNamespaces. Without it match should
// know who asks, or whoever makes up names can use up the places.
func (s *Server) OfFunc(match func(name string, auth json.RawMessage) bool) *Namespace {
	return s.newParent(match, false)
}

// OfPattern is OfFunc for names a regular expression matches. A namespace that
// Of makes later becomes a child, too, if its name fits. The expression finds
// its match anywhere in the name unless it is anchored with ^ and $.
func (s *Server) OfPattern(pattern *regexp.Regexp) *Namespace {
	return s.newParent(func(name string, _ json.RawMessage) bool {
		return pattern.MatchString(name)
	}, true)
}

// parentName is a name no client can connect to: it has no leading slash.
func parentName(n int) string { return "parent-" + strconv.Itoa(n) }

// Parent returns the parent the namespace is a child of, or nil.
func (n *Namespace) Parent() *Namespace { return n.parent }

// Children returns the namespaces of a parent, in no order.
func (n *Namespace) Children() []*Namespace {
	n.srv.namespaces.mu.RLock()
	defer n.srv.namespaces.mu.RUnlock()
	return slices.Collect(maps.Values(n.kids))
}

// each calls f with b, or for a parent with a broadcast to each of its
// children.
func (b Broadcast) each(f func(b Broadcast)) {
	if b.ns.match == nil {
		f(b)
		return
	}
	for _, kid := range b.ns.Children() {
		b.ns = kid
		f(b)
	}
}

// emitToChildren encodes for each child: its name is in the packet.
func (b Broadcast) emitToChildren(event string, args []any) error {
	// What cannot be encoded is an error whether there are children or not.
	buf, atts, err := sio.AppendEvent(newFrame(nil), "/", -1, event, args)
	if err != nil {
		return err
	}
	if m := b.ns.srv.mesh; m != nil {
		if _, elsewhere := b.reach(); elsewhere {
			wire, _, err := finishFrames(buf, atts, b.ns.srv.opt.MaxAttachments)
			if err != nil {
				return err
			}
			m.emit(&b, nil, wire, false)
		}
		b = b.Local()
	}
	var first error
	b.each(func(b Broadcast) {
		if err := b.emit(nil, event, args); err != nil && first == nil {
			first = err
		}
	})
	return first
}

// search looks for the namespace of a CONNECT, off the loop: in those that are
// being made, then among the parents.
type search struct {
	srv  *Server
	c    *client
	name string
	auth json.RawMessage
}

// seeks tells whether a search for a name is under way.
func (c *client) seeks(name []byte) bool {
	return c.rare != nil && slices.ContainsFunc(c.rare.seeking,
		func(s string) bool { return s == string(name) })
}

// seek begins a search, or refuses the client. It holds the request head like
// a socket that is connecting.
func (c *client) seek(pk *sio.Packet) {
	srv := c.server()
	known := srv.namespaces.find(pk.Namespace) != nil
	if !known && (len(pk.Namespace) > maxDynamicName || len(srv.namespaces.parentList()) == 0) {
		c.refuse(string(pk.Namespace), invalidNamespace, nil)
		return
	}
	r := c.uncommon()
	name := string(pk.Namespace)
	if len(r.more)+len(r.seeking) >= srv.opt.MaxNamespaces {
		srv.drop(dropNamespaces)
		c.refuse(name, tooManyNamespaces, nil)
		return
	}
	r.seeking = append(r.seeking, name)
	r.starting++
	q := &search{srv: srv, c: c, name: name, auth: slices.Clone(pk.Data)}
	c.Loop().Server().Admission().Go(q)
}

// Run runs on an admission worker.
func (q *search) Run() {
	f := &found{q: q, refusal: invalidNamespace}
	// Whatever the application's function does, the client gets an answer.
	defer func() { q.c.Loop().Post(f) }()
	f.ns, f.refusal = q.srv.search(q.name, q.auth)
}

// search returns the namespace of a name, held, or the reason why there is
// none. It may wait for the application.
func (s *Server) search(name string, auth json.RawMessage) (n *Namespace, refusal string) {
	if len(auth) == 0 {
		auth = json.RawMessage("{}")
	}
	set := &s.namespaces
	for {
		n := set.find([]byte(name))
		if n == nil {
			var parent *Namespace
			for _, p := range set.parentList() {
				ok := false
				s.guard("OfFunc", func() { ok = p.match(name, auth) })
				if ok {
					parent = p
					break
				}
			}
			if parent == nil {
				return nil, invalidNamespace
			}
			var made bool
			n, made = set.enter(name, func() *Namespace { return set.conceive(s, name, parent) })
			if n == nil {
				s.drop(dropDynamic)
				s.warn(noteDynamic, "a client was refused: there are too many namespaces that "+
					"clients have named", "option", "MaxDynamicNamespaces",
					"limit", s.opt.MaxDynamicNamespaces)
				return nil, tooManyNamespaces
			}
			if made {
				s.announce(n)
				return n, "" // made held
			}
		}
		select {
		case <-n.ready:
		case <-s.ended:
			return nil, invalidNamespace
		}
		if n.hold() {
			return n, ""
		}
		// It was removed meanwhile; the next look makes it again.
	}
}

// conceive makes the child a client has named, held by it, unless there are
// too many. mu is held.
func (set *namespaceSet) conceive(s *Server, name string, parent *Namespace) *Namespace {
	if set.dynamic >= s.opt.MaxDynamicNamespaces {
		return nil
	}
	set.dynamic++
	n := set.make(s, name, parent)
	if n.child.counts = s.opt.CleanupEmptyChildNamespaces; n.child.counts {
		n.child.users.Store(1)
	}
	return n
}

// found brings the outcome of a search back to the loop.
type found struct {
	q       *search
	ns      *Namespace
	refusal string
}

func (f *found) Run(*netpoll.Loop) bool {
	c := f.q.c
	r := c.rare
	if c.ended || r == nil {
		if f.ns != nil {
			f.ns.release()
		}
		return false
	}
	r.seeking = slices.DeleteFunc(r.seeking, func(s string) bool { return s == f.q.name })
	if f.ns == nil {
		c.refuse(f.q.name, f.refusal, nil)
	} else {
		c.enter(f.ns, f.q.auth)
	}
	c.started()
	return false
}
