package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

// key is one that opens the API. The text itself is not kept.
type key struct {
	name   string
	hash   [sha256.Size]byte
	bucket *bucket
}

// newKey takes an entry of Settings.Keys. One that is none opens nothing.
func newKey(entry string, rate float64) (k key, ok bool) {
	name, digits, ok := strings.Cut(entry, ":sha256:")
	hash, err := hex.DecodeString(digits)
	if !ok || err != nil || len(hash) != sha256.Size {
		return k, false
	}
	return key{name, [sha256.Size]byte(hash), &bucket{rate: rate}}, true
}

// admit finds the key of a request. It takes as long for a wrong one as for any
// right one.
func (f *inForce) admit(r *http.Request, now time.Time) (name string, p *Problem) {
	if len(f.keys) == 0 {
		return "", &Problem{Type: "no-keys", Status: http.StatusForbidden,
			Detail: "no keys are configured: set api.keys"}
	}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	hash := sha256.Sum256([]byte(strings.TrimSpace(text)))
	found := -1
	for i := range f.keys {
		equal := subtle.ConstantTimeCompare(f.keys[i].hash[:], hash[:])
		found = subtle.ConstantTimeSelect(equal, i, found)
	}
	if found < 0 || !strings.EqualFold(scheme, "Bearer") {
		return "", &Problem{Type: "key", Status: http.StatusUnauthorized,
			Detail: "a valid key is needed: Authorization: Bearer KEY"}
	}
	k := &f.keys[found]
	if !k.bucket.take(now) {
		return k.name, &Problem{Type: "rate", Status: http.StatusTooManyRequests,
			Detail: "more requests than api.requests_per_second allows", retry: true}
	}
	return k.name, nil
}

// bucket holds as many tokens as come in a second, at least one.
type bucket struct {
	rate   float64 // 0: no limit
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.rate <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	most := max(b.rate, 1)
	if b.at.IsZero() {
		b.tokens = most
	} else {
		b.tokens = min(most, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
