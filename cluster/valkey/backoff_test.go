package valkey

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Waits grow up to their bound, and begin anew below the same one.
func TestBackoffKeepsItsBound(t *testing.T) {
	t.Parallel()
	woken := make(chan struct{})
	close(woken)
	for most, bound := range map[time.Duration]time.Duration{
		0:                      maxWait,
		500 * time.Millisecond: 500 * time.Millisecond,
		time.Millisecond:       time.Millisecond,
		time.Minute:            maxWait,
	} {
		b := backoff{most: most}
		for range 2 {
			for range 20 {
				require.False(t, b.wait(nil, woken))
				require.LessOrEqual(t, b.last, bound)
			}
			require.Equal(t, bound, b.last)
			require.Positive(t, b.total)
			b.reset()
			require.Zero(t, b.total)
		}
	}
}
