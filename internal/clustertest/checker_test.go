package clustertest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerifySeesProblems(t *testing.T) {
	t.Parallel()
	want := []int{1, 3, 4}
	maybe := map[int]bool{2: true}
	ok := func(got []int, mover, lossy bool) bool {
		_, problem := verify(got, want, mover, maybe, lossy)
		return problem == ""
	}
	require.True(t, ok([]int{1, 3, 4}, false, false))
	require.True(t, ok([]int{1, 2, 3, 4}, true, false), "a mover may get what went to its room")
	require.True(t, ok([]int{1, 4}, false, true), "lossy")
	require.False(t, ok([]int{1, 4}, false, false), "missing")
	require.False(t, ok(nil, false, false), "all missing")
	require.False(t, ok([]int{1, 2, 3, 4}, false, true), "for others")
	require.False(t, ok([]int{1, 3, 4, 5}, true, true), "for others, a mover's as well")
	require.False(t, ok([]int{1, 3, 3, 4}, false, true), "twice")
	require.False(t, ok([]int{3, 1, 4}, false, true), "out of order")
	m, fine := parse(`42["m",3,4]`)
	require.True(t, fine)
	require.Equal(t, message{3, 4}, m)
	_, fine = parse(`42["m",3]`)
	require.False(t, fine)
}
