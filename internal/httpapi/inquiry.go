package httpapi

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/throng-server/throng/socketio"
)

// Pages have this many items if nothing is said, and at most.
const (
	pageItems    = 100
	maxPageItems = 1000
)

// page is a part of a list in the order of its names.
type page struct {
	after string
	limit int
}

func pageOf(q url.Values) (p page, err error) {
	p = page{after: q.Get("after"), limit: pageItems}
	if text := q.Get("limit"); text != "" {
		if p.limit, err = strconv.Atoi(text); err != nil || p.limit < 1 || p.limit > maxPageItems {
			return p, invalid("limit is not between 1 and %d", maxPageItems)
		}
	}
	return p, nil
}

// cut returns the items of a sorted list that are on the page, and the name that
// the next one begins after, "" if this is the last.
func cut[T any](p page, list []T, name func(T) string) (items []T, next string) {
	from, found := slices.BinarySearchFunc(list, p.after, func(v T, s string) int {
		return cmp.Compare(name(v), s)
	})
	if found {
		from++
	}
	if p.after == "" {
		from = 0
	}
	items = append([]T{}, list[from:min(from+p.limit, len(list))]...)
	if from+len(items) < len(list) {
		next = name(items[len(items)-1])
	}
	return items, next
}

type room struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
}

type socket struct {
	ID    string   `json:"id"`
	Node  string   `json:"node,omitempty"`
	Rooms []string `json:"rooms"`
}

// missing names the nodes whose part of an answer is not there; any other error
// is returned.
func missing(err error) ([]string, error) {
	var partial *socketio.PartialError
	if errors.As(err, &partial) {
		return partial.Missing, nil
	}
	return nil, err
}

func (a *API) rooms(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := pageOf(q)
	if err != nil {
		return nil, err
	}
	n, err := a.namespace(q.Get("namespace"))
	if err != nil {
		return nil, err
	}
	all, err := n.Rooms(r.Context())
	lost, err := missing(err)
	if err != nil {
		return nil, err
	}
	list := make([]room, 0, len(all))
	for name, members := range all {
		list = append(list, room{name, members})
	}
	slices.SortFunc(list, func(a, b room) int { return cmp.Compare(a.Name, b.Name) })
	items, next := cut(p, list, func(r room) string { return r.Name })
	return struct {
		Rooms   []room   `json:"rooms"`
		Next    string   `json:"next,omitempty"`
		Missing []string `json:"missing_nodes,omitempty"`
	}{items, next, lost}, nil
}

func (a *API) sockets(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := pageOf(q)
	if err != nil {
		return nil, err
	}
	n, err := a.namespace(q.Get("namespace"))
	if err != nil {
		return nil, err
	}
	list, err := n.To(r.PathValue("room")).FetchSockets(r.Context())
	lost, err := missing(err)
	if err != nil {
		return nil, err
	}
	id := func(s *socketio.RemoteSocket) string { return s.ID() }
	slices.SortFunc(list, func(a, b *socketio.RemoteSocket) int { return cmp.Compare(id(a), id(b)) })
	some, next := cut(p, list, id)
	items := make([]socket, len(some))
	for i, s := range some {
		items[i] = socket{s.ID(), s.Node(), s.Rooms()}
	}
	return struct {
		Sockets []socket `json:"sockets"`
		Next    string   `json:"next,omitempty"`
		Missing []string `json:"missing_nodes,omitempty"`
	}{items, next, lost}, nil
}

// stats are the figures that people ask for; /metrics has all of them.
func (a *API) stats(*http.Request) (any, error) {
	s := a.srv.Stats()
	return struct {
		Connections int               `json:"connections"`
		Limit       int               `json:"connections_limit"`
		Draining    bool              `json:"draining"`
		Sockets     map[string]int    `json:"sockets"`
		Rooms       int               `json:"rooms"`
		Events      uint64            `json:"events"`
		Acks        uint64            `json:"acks"`
		Emits       uint64            `json:"emits"`
		Deliveries  uint64            `json:"broadcast_deliveries"`
		BytesIn     uint64            `json:"bytes_in"`
		BytesOut    uint64            `json:"bytes_out"`
		Dropped     map[string]uint64 `json:"dropped"`
		Nodes       int               `json:"other_nodes"`
	}{s.Connections, s.ConnectionsLimit, s.Draining, s.Sockets, s.Rooms, s.Events, s.Acks,
		s.Emits, s.Deliveries, s.BytesIn, s.BytesOut, s.Drops, len(s.Cluster.Nodes)}, nil
}
