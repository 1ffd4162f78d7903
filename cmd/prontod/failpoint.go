//go:build failpoint

package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/durable/failpoint"
)

// disk ends this program, on SIGUSR1, after as many more writes of the hot journal as the file "failpoint" in the
// directory of what survives a crash says, or in place of the last of them if it says so by a minus; the file is removed when they are counted. It is in no program but that of the crash test, which is built with the tag.
func disk(dir string) durable.FileSystem {
	d := &failpoint.Disk{}
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	go func() { // until the end of the program, which is what it is for
		for range usr1 {
			path := filepath.Join(dir, "run", "failpoint")
			text, err := os.ReadFile(path)
			if n, wrong := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && wrong == nil {
				if n < 0 {
					d.Before(-n)
				} else {
					d.After(n)
				}
				_ = os.Remove(path) // else the test waits, and says so
			}
		}
	}()
	return d
}
