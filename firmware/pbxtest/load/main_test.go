package load_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/load"
)

// program is the path of the prontod that the tests run as a child; TestMain sets it once.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m.Run)) }

func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "prontod-load-")
	if err == nil {
		defer os.RemoveAll(dir)
		program, err = load.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}
