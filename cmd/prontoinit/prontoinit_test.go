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
	all := services()
	if _, err := supervise.New(all, supervise.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Name != "recordd" || all[1].Name != exchange || all[1].Watchdog <= 0 || all[1].KeepFDs < 1024 {
		t.Errorf("%+v", all)
	}
	if i := slices.Index(all[0].Args, "-var"); i < 0 || all[0].Args[i+1] != state().Dir || state().Records != recordsDir {
		t.Errorf("recordd makes no backups of the office: %q", all[0].Args)
	}
	// What survives a crash lies in memory, what survives a power cut on the card.
	if !strings.HasPrefix(all[0].Args[slices.Index(all[0].Args, "-socket")+1], hotDir+"/") || hotDir != officeDir+"/run" {
		t.Errorf("recordd listens at %q; prontod's memory is %s", all[0].Args, hotDir)
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
