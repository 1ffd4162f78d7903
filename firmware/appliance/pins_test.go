package appliance

import (
	"os"
	"path/filepath"
	"testing"
)

// Three restarts with a wrong PIN must not lock the SIM, so the try is known to the next process.
func TestATriedPINIsKnownAfterARestartAndWhenTheDiskDoesNotSay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pins")
	if (pinFile{dir}).Tried("sim-a") {
		t.Error("a PIN that nobody tried counts as tried")
	}
	if err := (pinFile{dir}).Remember("sim-a"); err != nil {
		t.Fatal(err)
	}
	again := pinFile{dir}
	if !again.Tried("sim-a") || again.Tried("sim-b") {
		t.Error("after the restart it is not known, or another SIM's is")
	}
	if err := again.Forget("sim-a"); err != nil || again.Tried("sim-a") {
		t.Errorf("forgotten: %v", err)
	}
	if err := again.Forget("sim-a"); err != nil {
		t.Errorf("forgotten twice: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // the disk is broken
		t.Fatal(err)
	}
	if !again.Tried("sim-a") {
		t.Error("a disk that does not say counts as untried")
	}
	if again.Remember("sim-a") == nil {
		t.Error("a try that is not on the disk counts as remembered")
	}
}
