package load_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	bench "github.com/pronto-pbx/pronto/firmware/pbxtest/load"
)

// program is the path of the prontod that the tests run as a child; TestMain sets it once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "linelab-load-")
	if err == nil {
		program, err = bench.Build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
