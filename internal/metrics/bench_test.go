package metrics

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkScrape is what the process spends on one question, without the way.
func BenchmarkScrape(b *testing.B) {
	s := full()
	h := Handler(func() Snapshot { return s })
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
