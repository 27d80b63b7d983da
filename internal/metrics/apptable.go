package metrics

// appTable is about the application that handles what clients do.
var appTable = []Metric{
	{Name: "throng_app_calls_total", Help: "What the application was told: events, connects and " +
		"disconnects.", kind: counter, If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Calls) })},
	{Name: "throng_app_failures_total", Help: "Those that it did not handle, by the code that the " +
		"client got.", kind: counter, Labels: []string{"code"}, If: ifApp, when: hasApp,
		read: byName(func(s *Snapshot) map[string]uint64 { return s.App.Failures })},
	{Name: "throng_app_requests_total", Help: "Requests that carried them.", kind: counter,
		If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Requests) })},
	{Name: "throng_app_batches_total", Help: "Those of the requests that carried several.",
		kind: counter, If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Batches) })},
	{Name: "throng_app_retries_total", Help: "Requests that were repeated.", kind: counter,
		If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Retried) })},
	{Name: "throng_app_waiting", Help: "Calls that wait for their turn.", kind: gauge,
		If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Waiting) })},
	{Name: "throng_app_requests_in_flight", Help: "Requests that wait for their answers.",
		kind: gauge, If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Flying) })},
	{Name: "throng_app_endpoints_down", Help: "Endpoints that are not asked for a while because " +
		"they failed.", kind: gauge, If: ifApp, when: hasApp,
		read: one(func(s *Snapshot) float64 { return float64(s.App.Down) })},

	{Name: "throng_app_stream_connected", Help: "1 while the broker of a stream answers.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return flag(x.Connected) })},
	{Name: "throng_app_stream_length", Help: "Calls in a stream, of all servers: waiting or in the " +
		"hands of workers.", kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Length) })},
	{Name: "throng_app_stream_pending", Help: "Of them, those in the hands of workers.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Pending) })},
	{Name: "throng_app_stream_waiting", Help: "Calls of this server that wait for their answers.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Waiting) })},
	{Name: "throng_app_stream_dead", Help: "Calls that were given up and are kept in NAME:dead.",
		kind: gauge, Labels: []string{"stream"}, If: ifStream, when: hasStream,
		read: streams(func(x *AppStream) float64 { return float64(x.Kept) })},
	{Name: "throng_app_stream_calls_total", Help: "Calls by what this server did with them: added, " +
		"redelivered (their workers did not answer), dead (given up).", kind: counter,
		Labels: []string{"stream", "what"}, If: ifStream, when: hasStream,
		read: func(s *Snapshot, add adder) {
			for _, x := range s.App.Streams {
				add(float64(x.Added), x.Name, "added")
				add(float64(x.Redelivered), x.Name, "redelivered")
				add(float64(x.Dead), x.Name, "dead")
			}
		}},
	{Name: "throng_app_stream_answers_total", Help: "Answers of workers: in time, late (nobody waited " +
		"any more), orphan (to a server that is gone), unknown (a second one, or much too late).",
		kind: counter, Labels: []string{"stream", "what"}, If: ifStream, when: hasStream,
		read: func(s *Snapshot, add adder) {
			for _, x := range s.App.Streams {
				others := x.Late + x.Orphans + x.Unknown
				add(float64(x.Answers-min(others, x.Answers)), x.Name, "in_time")
				add(float64(x.Late), x.Name, "late")
				add(float64(x.Orphans), x.Name, "orphan")
				add(float64(x.Unknown), x.Name, "unknown")
			}
		}},
}

func streams(f func(x *AppStream) float64) func(*Snapshot, adder) {
	return func(s *Snapshot, add adder) {
		for i := range s.App.Streams {
			add(f(&s.App.Streams[i]), s.App.Streams[i].Name)
		}
	}
}
