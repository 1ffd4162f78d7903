//go:build race

package main_test

import "testing"

// beside is less than without the race detector: it makes the telephones of the tests ten times as hungry, and
// who starves hears nothing.
const beside = "3"

// fast leaves a test out that needs the whole speed and the whole memory of the machine, of which the race detector
// leaves little.
func fast(t *testing.T) {
	t.Helper()
	t.Skip("left out under the race detector: it measures what that takes away")
}
