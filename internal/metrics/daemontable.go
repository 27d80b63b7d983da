package metrics

import "strconv"

// daemonTable is about the process around the server.
var daemonTable = []Metric{
	{Name: "throng_config_reloads_total", Help: "SIGHUPs, by result.", kind: counter,
		Labels: []string{"result"}, read: func(s *Snapshot, add adder) {
			add(float64(s.ReloadsOK), "ok")
			add(float64(s.ReloadsFailed), "refused")
		}},
	{Name: "throng_config_reload_success", Help: "1 if the last configuration that was read is " +
		"in force.", kind: gauge, read: one(func(s *Snapshot) float64 { return flag(s.LastReloadOK) })},
	{Name: "throng_config_last_reload_success_timestamp_seconds", Help: "When the configuration " +
		"in force was read.", kind: gauge, read: one(func(s *Snapshot) float64 {
		return float64(s.LastReload.UnixMilli()) / 1000
	})},
	{Name: "throng_api_requests_total", Help: "Requests to the HTTP API.", kind: counter,
		Labels: []string{"endpoint", "status"}, read: func(s *Snapshot, add adder) {
			for c, n := range s.API {
				add(float64(n), c.Endpoint, strconv.Itoa(c.Status))
			}
		}},
}
