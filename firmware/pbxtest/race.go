//go:build race

package pbxtest

// raced says that the test has the race detector, and its programs with it: what they find is in the office's log.
const raced = true
