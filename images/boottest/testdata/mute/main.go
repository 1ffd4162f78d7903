// Command mute takes the place of prontod: it says that it is ready and then nothing any more.
package main

import (
	"os"
	"time"

	"github.com/pronto-pbx/pronto/firmware/keeper"
)

func main() {
	k, err := keeper.New(keeper.FromEnv(os.Getenv))
	if err != nil || k.Ready() != nil {
		os.Exit(1)
	}
	for {
		time.Sleep(time.Hour) // select {} would be a deadlock that the runtime ends
	}
}
