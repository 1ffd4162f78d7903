//go:build !race

package plan

const eventsByDefault = 200_000
