package metrics

// nodeTable has the names of npm's socket.io-prometheus, so that boards made for
// it go on.
var nodeTable = []Metric{
	{Name: "socket_io_connected", Help: "Connected sockets.", kind: gauge, If: ifNode, when: asNode,
		read: one(func(s *Snapshot) (n float64) {
			for _, v := range s.Sockets {
				n += float64(v)
			}
			return n
		})},
	{Name: "socket_io_connect_total", Help: "Sessions that began.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return total(s.Handshakes) })},
	{Name: "socket_io_disconnect_total", Help: "Sessions that ended.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return total(s.Disconnects) })},
	{Name: "socket_io_events_received_total", Help: "Events from clients, by name if metrics.events " +
		"has it.", kind: counter, Labels: []string{"event"}, If: ifNode, when: asNode,
		read: byEvent(func(s *Snapshot) map[string]uint64 { return s.EventsByName })},
	{Name: "socket_io_events_sent_total", Help: "Events to clients, each receiver counted.",
		kind: counter, Labels: []string{"event"}, If: ifNode, when: asNode,
		read: byEvent(func(s *Snapshot) map[string]uint64 { return s.SentByName })},
	{Name: "socket_io_recieve_bytes", Help: "Bytes received; spelled as there.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return float64(s.BytesIn) })},
	{Name: "socket_io_transmit_bytes", Help: "Bytes sent.", kind: counter,
		If: ifNode, when: asNode, read: one(func(s *Snapshot) float64 { return float64(s.BytesOut) })},
}
