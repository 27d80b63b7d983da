package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/throng-server/throng/socketio"
)

// collector reads the table at each scrape.
type collector struct {
	read  func() Snapshot
	descs []*prometheus.Desc
}

// maxScrapes is how many may be answered at the same time; more get 503.
const maxScrapes = 4

// Handler serves /metrics. read is called once a scrape, on any goroutine.
func Handler(read func() Snapshot) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(read), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		// Half of the processor's time of a scrape would be spent on it, and
		// clients wait for the same processor.
		DisableCompression:  true,
		MaxRequestsInFlight: maxScrapes,
	})
}

func newCollector(read func() Snapshot) *collector {
	c := &collector{read: read}
	for _, m := range table {
		c.descs = append(c.descs, prometheus.NewDesc(m.Name, m.Help, m.Labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.read()
	for i, m := range table {
		if m.when != nil && !m.when(&s) {
			continue
		}
		if m.hist != nil {
			ch <- histogram(c.descs[i], m.hist(&s))
			continue
		}
		m.read(&s, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, v, labels...)
		})
	}
}

// histogram is h in the form of Prometheus, whose buckets hold those before
// them as well.
func histogram(d *prometheus.Desc, h *socketio.Histogram) prometheus.Metric {
	up := make(map[float64]uint64, len(h.Bounds))
	n := uint64(0)
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		up[bound] = n
	}
	return prometheus.MustNewConstHistogram(d, h.Count(), h.Sum, up)
}
