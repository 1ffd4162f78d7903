package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/appliance/supervise"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("PRONTOINIT_TEST_MAIN") != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

func TestItRefusesToRunAnywhereButAsTheFirstProgramOfABox(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PRONTOINIT_TEST_MAIN=1")
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), "runs nowhere else") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheSupervisorTakesTheServicesAndRecordsComeFirst(t *testing.T) {
	all := services("1.0.0")
	if _, err := supervise.New(all, supervise.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[2].Name != updater || all[2].KeepFDs != 0 || all[0].Name != recorder || all[1].Name != exchange || all[1].Watchdog <= 0 || all[1].KeepFDs < 1024 {
		t.Errorf("%+v", all)
	}
	if i := slices.Index(all[0].Args, "-var"); i < 0 || all[0].Args[i+1] != state().Dir || state().Records != recordsDir {
		t.Errorf("recordd makes no backups of the office: %q", all[0].Args)
	}
	// What survives a crash lies in memory. Both know the same socket and the same history, and none is what it would
	// be as root.
	if hotDir != officeDir+"/run" {
		t.Errorf("prontod's memory is %s", hotDir)
	}
	socket := all[0].Args[slices.Index(all[0].Args, "-socket")+1]
	if filepath.Dir(socket) != recordsHot || all[1].Args[slices.Index(all[1].Args, "-records")+1] != socket || all[0].Args[slices.Index(all[0].Args, "-journal")+1] != officeDir+"/history" {
		t.Errorf("recordd: %q\nprontod: %q", all[0].Args, all[1].Args)
	}
	for _, s := range all {
		if s.User == nil || s.User.UID == 0 || s.Path != "/bin/prontoinit" || !slices.Equal(s.Args[:2], []string{"service", s.Name}) {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

func TestAFileIsReplacedWhole(t *testing.T) {
	at := filepath.Join(t.TempDir(), "office.yaml")
	for _, text := range []string{"first, and longer", "second"} {
		if err := replace(at, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(at); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(at)); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := replace(filepath.Join(at, "no", "directory"), nil); err == nil {
		t.Error("a file was written below a file")
	}
}
