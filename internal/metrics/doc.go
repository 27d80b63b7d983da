// Package metrics owns what /metrics shows: the names, units and labels, and
// their page in docs/operate.md. Values are read when somebody asks for them,
// from the counters that the server has anyway; nothing is counted here.
//
// Labels have few values: namespaces are those of the configuration and "other",
// because clients may bring namespaces into being, and so are events.
package metrics
