// Package imagetest says what the tests of images and boards need of the machine that they run on.
package imagetest

import (
	"os"
	"os/exec"
	"testing"
)

// Programs leaves a test out where a program is not installed. With CI=true that is a failure.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			leaveOut(t, name+" is not installed; .ci/install-test-deps gets it")
		}
	}
}

// Root leaves a test out that needs the rights to make interfaces and namespaces.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		leaveOut(t, "root is needed")
	}
}

func leaveOut(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("left out: " + why)
}
