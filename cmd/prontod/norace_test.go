//go:build !race

package main_test

import "testing"

// beside is how many of the tests that may run beside each other do: they mostly wait for people who talk,
// so a machine carries more of them than it has cores.
const beside = "6"

// fast leaves a test out under the race detector.
func fast(*testing.T) {}
