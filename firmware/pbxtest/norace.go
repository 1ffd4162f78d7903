//go:build !race

package pbxtest

const raced = false
