// Command deaf takes the place of prontod: it says that it is ready, and again and again that it lives, and carries no
// call.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
)

func main() {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err == nil {
		err = k.Ready()
	}
	fmt.Fprintln(os.Stderr, "deaf: ready", err)
	for err == nil {
		time.Sleep(2 * time.Second)
		err = k.Alive()
	}
	os.Exit(1)
}
