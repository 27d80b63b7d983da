package loadgen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// One line for each processor, in hexadecimal; kernels differ in how many
// columns there are.
func TestBacklogDropsOfAllProcessors(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(0x10a+2), backlogDrops(
		"6e5eb761 0000010a 0000023c 00000000\n58ba3c36 00000002 0000021e 00000000 00000001\n"))
	require.Zero(t, backlogDrops(""))
	require.Zero(t, backlogDrops("6e5eb761\nno columns\n"))
}
