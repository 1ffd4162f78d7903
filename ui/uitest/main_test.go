package uitest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
)

var (
	pictures = flag.String("pictures", "", "write the pictures of the README into this directory")
	looks    = flag.String("looks", "", "write a picture of every office, language, theme and width into this directory")
	screens  = flag.String("screens", "", "write a picture of every page, language and theme into this directory")
)

// insideEnv tells a run that it is in a network of its own, and where the programs of a box are: they are built
// while there is a network from which their modules may come.
const insideEnv = "UITEST_INSIDE"

// boxAddress is where a test serves a page so that a browser sees it as it sees a box: at an address of a local
// network. A browser trusts loopback as if it were HTTPS, and would hide what a box's visitors meet.
func boxAddress() string {
	if os.Getenv(insideEnv) == "" {
		return "127.0.0.1:0"
	}
	return theBox + ":0"
}

// Who is who in the namespace: the box, a stranger's machine in the same network, and a stranger far away.
const (
	theBox      = "192.168.77.1"
	theStranger = "192.168.77.66"
	farAway     = "198.51.100.7"
	// evil is a name of the stranger's domain.
	evil = "evil.example"
	// theRouter has the name server of the network, where a test plays one; theDesk a telephone; theCarrier is far away.
	theRouter  = "192.168.77.254"
	theDesk    = "192.168.77.20"
	theCarrier = "203.0.113.5"
)

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
	bench, err := pbxtest.NewBench("../../cmd/prontod", "../../cmd/recordd", "../../cmd/prontoctl")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer bench.Close()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideEnv+"="+bench.Programs())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// network gives the namespace its addresses, the stranger's name and a name server.
func network() error {
	hosts := filepath.Join(os.Getenv(insideEnv), "hosts")
	names := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", theStranger, evil)
	if err := os.WriteFile(hosts, []byte(names), 0o644); err != nil {
		return err
	}
	resolv := filepath.Join(os.Getenv(insideEnv), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+theRouter+"\n"), 0o644); err != nil {
		return err
	}
	commands := []string{"ip link set lo up", "mount --make-rprivate /", "mount --bind " + hosts + " /etc/hosts", "mount --bind " + resolv + " /etc/resolv.conf"}
	for _, near := range []string{theBox, theStranger, theRouter, theDesk} {
		commands = append(commands, "ip addr add "+near+"/24 dev lo")
	}
	for _, far := range []string{farAway, theCarrier} {
		commands = append(commands, "ip addr add "+far+"/32 dev lo")
	}
	for _, command := range commands {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
	}
	return nil
}
