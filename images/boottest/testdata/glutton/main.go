// Command glutton takes the place of recordd in an image: it says that it is ready, and takes all the memory that it
// can get.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
)

// bite is how much it takes at a time, in bytes.
const bite = 4 << 20

func main() {
	group, err := os.ReadFile("/proc/self/cgroup")
	fmt.Fprintf(os.Stderr, "glutton: begins in %q %v, told %s\n", strings.TrimSpace(string(group)), err, os.Getenv("GOMEMLIMIT"))
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err == nil {
		err = k.Ready()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "glutton:", err)
	}
	var all [][]byte
	for {
		b := make([]byte, bite)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1 // what is not written is not there
		}
		all = append(all, b)
		if len(all)%16 == 0 {
			fmt.Fprintf(os.Stderr, "glutton: has %d MB\n", len(all)*bite>>20)
			time.Sleep(50 * time.Millisecond) // so that the lines come out
		}
	}
}
