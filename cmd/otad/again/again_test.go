package again

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/updater"
	"go.uber.org/goleak"
)

// asProgram marks a process of the test that is the program.
const asProgram = "REINSTALL_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// box is a machine with a vendor and a slot.
type box struct {
	t      *testing.T
	dir    string
	vendor *repositorytest.Vendor
	log    bytes.Buffer
}

func newBox(t *testing.T, size int64) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir(), vendor: repositorytest.New(t, time.Now)}
	server := httptest.NewServer(http.FileServer(http.Dir(b.vendor.Dir)))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	for name, content := range map[string][]byte{"share/" + recipe.VendorRoot: b.vendor.Root, "share/" + recipe.UpdateURL: []byte(server.URL + "\n"), "slot": make([]byte, size)} {
		at := filepath.Join(b.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// reinstalls has the real program install the system again. after is when it is killed; 0: it is not.
func (b *box) reinstalls(from string, is release.Box, after time.Duration) (last rescue.Step, phases map[rescue.Phase]int) {
	b.t.Helper()
	text, err := json.Marshal(is)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-var", filepath.Join(b.dir, "update"), "-scratch", filepath.Join(b.dir, "scratch"), "-share", filepath.Join(b.dir, "share"),
		"-from", from, "-slot", filepath.Join(b.dir, "slot"), "-box", string(text))
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.Stderr = &b.log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
	}
	phases = map[rescue.Phase]int{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if last, err = rescue.Decode(lines.Bytes()); err != nil {
			b.t.Fatalf("%q: %v", lines.Text(), err)
		}
		phases[last.Phase]++
	}
	err = cmd.Wait()
	killed := after > 0 && cmd.ProcessState.ExitCode() < 0 // also between its last word and its end
	if done := last.Phase == rescue.Done; !killed && done != (err == nil) {
		b.t.Errorf("it ends by %v after %+v", err, last)
	}
	return last, phases
}

var before = release.Box{Model: "pi4", EEPROM: "2024-01-15", Version: "1.0.0", Epoch: 1, Data: 1}

// Killed at any moment it is done again, from the server, and what lies in the slot is whole.
func TestASystemIsInstalledAgainHoweverOftenThatIsCutOff(t *testing.T) {
	content := otatest.Content("1.0.0", 12<<20)
	b := newBox(t, 16<<20)
	b.vendor.Release("stable", "1.0.0", content, func(m *release.Manifest) { m.Epoch = 1 })
	draw, kills, seen := rand.New(rand.NewPCG(3, 4)), 0, map[rescue.Phase]int{}
	for range 6 {
		last, phases := b.reinstalls(rescue.Server, before, time.Duration(1+draw.IntN(400))*time.Millisecond)
		for p, n := range phases {
			seen[p] += n
		}
		if last.Phase == rescue.Done {
			continue
		}
		kills++
		if is, err := os.ReadFile(filepath.Join(b.dir, "slot")); err != nil || is[510] == 0x55 && !bytes.Equal(is[:len(content)], content) {
			t.Fatalf("after %+v the slot would be started, %v", last, err)
		}
	}
	last, phases := b.reinstalls(rescue.Server, before, 0)
	is, err := os.ReadFile(filepath.Join(b.dir, "slot"))
	if err != nil || last.Phase != rescue.Done || last.Version != "1.0.0" || last.SHA256 != otatest.Sum(content) || !bytes.Equal(is[:len(content)], content) {
		t.Errorf("%+v, %v", last, err)
	}
	if phases[rescue.Looking] == 0 || phases[rescue.Writing] == 0 || phases[rescue.Checking] == 0 {
		t.Errorf("it told of %v", phases)
	}
	t.Logf("cut off %d times, after %v", kills, seen)
}

func TestWhatTheUpdaterKnewHoldsWhenTheSystemIsInstalledAgain(t *testing.T) {
	b := newBox(t, 1<<20)
	content := otatest.Content("1.0.0", 64<<10)
	b.vendor.Release("stable", "1.0.0", content, func(m *release.Manifest) { m.Epoch = 1 })
	update := filepath.Join(b.dir, "update")
	if err := os.MkdirAll(update, 0o700); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(b.dir, "1.0.0.update")
	f, err := os.Create(bundle)
	if err == nil {
		err = b.vendor.Bundle(f, "stable", "1.0.0", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if last, _ := b.reinstalls(bundle, before, 0); last.Phase != rescue.Done {
		t.Fatalf("%+v", last)
	}
	remembers := func(epoch uint32) {
		t.Helper()
		var m struct {
			ID   string     `json:"id"`
			Slot slot.State `json:"slot"`
		}
		m.ID, m.Slot.Epoch = "PLACE", epoch
		if err := keep.Save(keep.Machine{}, filepath.Join(update, updater.StateFile), 1, m); err != nil {
			t.Fatal(err)
		}
	}
	// The box has kept a later epoch: the first program, whose disk may be lost, need not know it.
	remembers(2)
	if last, _ := b.reinstalls(bundle, before, 0); last.Code != rescue.CodeRefused || len(last.Reasons) != 1 || last.Reasons[0].Code != release.LowerEpoch {
		t.Errorf("below the epoch: %+v", last)
	}
	remembers(1)
	if err := os.Truncate(bundle, 5000); err != nil {
		t.Fatal(err)
	}
	if last, _ := b.reinstalls(bundle, before, 0); last.Code != slot.CodeBundle {
		t.Errorf("a bundle that is cut short: %+v", last)
	}
	if last, _ := b.reinstalls(filepath.Join(b.dir, "none.update"), before, 0); last.Code != slot.CodeBundle {
		t.Errorf("a stick that was pulled out: %+v", last)
	}
	if err := os.WriteFile(filepath.Join(update, updater.StateFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if last, _ := b.reinstalls(rescue.Server, before, 0); last.Phase != rescue.Done {
		t.Errorf("with a damaged memory: %+v", last)
	}
	for _, name := range []string{recipe.VendorRoot, recipe.UpdateURL} {
		if err := os.Remove(filepath.Join(b.dir, "share", name)); err != nil {
			t.Fatal(err)
		}
	}
	if last, _ := b.reinstalls(rescue.Server, before, 0); last.Code != slot.CodeSlots {
		t.Errorf("without a vendor: %+v", last)
	}
}
