// Package imagetest says what the tests of images and boards need of the machine that they run on.
package imagetest

import (
	"os"
	"os/exec"
	"syscall"
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

// aloneEnv marks the run in a network namespace of its own.
const aloneEnv = "IMAGETEST_ALONE"

// Alone runs the test again in a network namespace of its own, which has no interface but a loopback that is
// down, and tells whether this is that run. It needs root.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}
