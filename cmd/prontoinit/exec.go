package main

import (
	"fmt"
	"os"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/board/confine"
	"golang.org/x/sys/unix"
)

// become is what a service begins as: the supervisor has taken all privileges from it already; it goes into
// its cell and executes its program there. The walls are not left to the program, which may be somebody
// else's: they stand before its first instruction.
func become(name string, args []string) error {
	p := paths()
	if isRecovery() {
		p.Update = rescueDir
	}
	a, ok := account.Of(name, p)
	if isRecovery() {
		a.Cell.Program = "/bin/prontoinit" // the only file there
	}
	if !ok {
		return fmt.Errorf("no service is called %q", name)
	}
	if uid := os.Getuid(); uid != int(a.UID) {
		return fmt.Errorf("%s runs as user %d, not as %d", name, a.UID, uid)
	}
	if err := confine.Enter(a.Cell); err != nil {
		// It goes on, and says so on the page: a box that is less safe still has telephones.
		fmt.Fprintf(os.Stderr, "level=ERROR msg=\"the walls around the service are not whole\" err=%q\n", err)
	}
	return fmt.Errorf("%s: %w", a.Cell.Program, unix.Exec(a.Cell.Program, append([]string{a.Cell.Program}, args...), os.Environ()))
}
