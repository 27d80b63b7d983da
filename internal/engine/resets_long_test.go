//go:build long

package engine

const resets = 10_000
