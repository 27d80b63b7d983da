package metrics

// clusterTable is about recovery and the other nodes.
var clusterTable = []Metric{
	{Name: "throng_recoveries_total", Help: "Clients that asked for their sessions, by result.",
		kind: counter, Labels: []string{"result"}, If: ifRecovery, when: recovers,
		read: byName(func(s *Snapshot) map[string]uint64 { return s.Recovery.Results })},
	{Name: "throng_recovery_parked_sessions", Help: "Sessions that wait for their clients.",
		kind: gauge, If: ifRecovery, when: recovers,
		read: one(func(s *Snapshot) float64 { return float64(s.Recovery.Parked) })},
	{Name: "throng_recovery_log_bytes", Help: "Bytes of events kept for clients that may have " +
		"missed them.", kind: gauge, If: ifRecovery, when: recovers,
		read: one(func(s *Snapshot) float64 { return float64(s.Recovery.LogBytes) })},

	{Name: "throng_foreign_sid_total", Help: "Requests of sessions that are on another server: " +
		"forwarded to it, failed because it did not answer, received from others.", kind: counter,
		Labels: []string{"action"}, If: ifCluster, when: inCluster,
		read: func(s *Snapshot, add adder) {
			add(float64(s.ForwardedOut-min(s.ForwardedOut, s.ForwardErrors)), "forwarded")
			add(float64(s.ForwardErrors), "failed")
			add(float64(s.ForwardedIn), "received")
		}},
	{Name: "throng_cluster_connected", Help: "1 while the broker answers.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return flag(s.Cluster.Connected) })},
	{Name: "throng_cluster_degraded", Help: "1 while other nodes may miss what this one publishes.",
		kind: gauge, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return flag(s.Cluster.Degraded) })},
	{Name: "throng_cluster_nodes", Help: "Other nodes that live.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(len(s.Cluster.Nodes)) })},
	{Name: "throng_cluster_lag_entries", Help: "Entries of the other node this one is most behind.",
		kind: gauge, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.mostLag()) })},
	{Name: "throng_cluster_queued_entries", Help: "Entries that wait to be sent.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.QueuedEntries) })},
	{Name: "throng_cluster_queued_bytes", Help: "Bytes that wait to be sent.", kind: gauge,
		If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.QueuedBytes) })},
	{Name: "throng_cluster_entries_total", Help: "Entries sent and received.", kind: counter,
		Labels: []string{"direction"}, If: ifCluster, when: inCluster,
		read: func(s *Snapshot, add adder) {
			add(float64(s.Cluster.Published), "out")
			add(float64(s.Cluster.Received), "in")
		}},
	{Name: "throng_cluster_bytes_total", Help: "Bytes of those entries.", kind: counter,
		Labels: []string{"direction"}, If: ifCluster, when: inCluster,
		read: func(s *Snapshot, add adder) {
			add(float64(s.Cluster.PublishedBytes), "out")
			add(float64(s.Cluster.ReceivedBytes), "in")
		}},
	{Name: "throng_cluster_dropped_total", Help: "Own entries that were not sent, by reason.",
		kind: counter, Labels: []string{"reason"}, If: ifCluster, when: inCluster,
		read: byName(func(s *Snapshot) map[string]uint64 { return s.Cluster.Dropped })},
	{Name: "throng_cluster_missed_total", Help: "Entries of others that did not come.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Missed) })},
	{Name: "throng_cluster_reconnects_total", Help: "How often the broker came back.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Reconnects) })},
	{Name: "throng_cluster_incarnations_total", Help: "How often this node's lease had lapsed.",
		kind: counter, If: ifCluster, when: inCluster,
		read: one(func(s *Snapshot) float64 { return float64(s.Cluster.Incarnations) })},
}
