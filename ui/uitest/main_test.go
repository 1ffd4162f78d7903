package uitest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

var (
	pictures = flag.String("pictures", "", "write the pictures of the README into this directory")
	looks    = flag.String("looks", "", "write a picture of every office, language, theme and width into this directory")
	screens  = flag.String("screens", "", "write a picture of every page, language and theme into this directory")
)

// insideEnv tells a run that it is in a network of its own.
const insideEnv = "UITEST_INSIDE"

// boxAddress is where a test serves a page so that a browser sees it as it sees a box: at an address of a local
// network. A browser trusts loopback as if it were HTTPS, and would hide what a box's visitors meet.
func boxAddress() string {
	if os.Getenv(insideEnv) == "" {
		return "127.0.0.1:0"
	}
	return "192.168.77.1:0"
}

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(insideEnv) != "":
		if err := network(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		goleak.VerifyTestMain(m)
	case testing.Short():
		goleak.VerifyTestMain(m)
	case os.Getuid() != 0:
		if os.Getenv("CI") == "true" {
			fmt.Fprintln(os.Stderr, "CI=true, and only root can make the network in which the page is judged")
			os.Exit(1)
		}
		fmt.Println("without root the page is judged on loopback, which a browser trusts more than a network")
		goleak.VerifyTestMain(m)
	default:
		os.Exit(inside())
	}
}

// inside runs the tests once more, in a network namespace; it returns their exit code.
func inside() int {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// network gives the namespace its loopback and the box's address.
func network() error {
	for _, args := range [][]string{
		{"link", "set", "lo", "up"}, {"addr", "add", "192.168.77.1/24", "dev", "lo"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w\n%s", args, err, out)
		}
	}
	return nil
}
