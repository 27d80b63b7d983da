//go:build !long

package engine

// resets is how many connections TestResetsLeaveNothing resets a run.
const resets = 600
