package loadgen

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are kept in us from 1 us to 10 minutes with three digits.
const (
	histMax    = int64(10 * time.Minute / time.Microsecond)
	histDigits = 3
)

type hist struct{ *hdrhistogram.Histogram }

func newHist() hist { return hist{hdrhistogram.New(1, histMax, histDigits)} }

// add records a time in ns.
func (h hist) add(ns int64) {
	_ = h.RecordValue(min(max(ns/1000, 0), histMax)) // within what the histogram takes
}

// MarshalText is the compressed form that all HDR histograms read.
func (h hist) MarshalText() ([]byte, error) {
	return h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

func (h *hist) UnmarshalText(b []byte) (err error) {
	if h.Histogram, err = hdrhistogram.Decode(b); err != nil {
		return fmt.Errorf("a worker's histogram: %w", err)
	}
	return nil
}

// Latency is the short form of a histogram, in ms.
type Latency struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// latency is nil for an empty histogram: no latency is not a latency of 0.
func (h hist) latency() *Latency {
	n := h.TotalCount()
	if n == 0 {
		return nil
	}
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return &Latency{
		Count: n, Min: ms(h.Min()), Mean: h.Mean() / 1000, Max: ms(h.Max()),
		P50: ms(h.ValueAtQuantile(50)), P90: ms(h.ValueAtQuantile(90)),
		P99: ms(h.ValueAtQuantile(99)), P999: ms(h.ValueAtQuantile(99.9)),
	}
}

// late is the part of the values above a time.
func (h hist) late(d time.Duration) float64 {
	n := h.TotalCount()
	if n == 0 {
		return 0
	}
	limit, above := d.Microseconds(), int64(0)
	for _, bar := range h.Distribution() {
		if bar.From > limit {
			above += bar.Count
		}
	}
	return float64(above) / float64(n)
}
