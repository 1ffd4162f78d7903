//go:build !race

package plan

const eventsByDefault = 1_000_000
