package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/kept"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

func TestASystemGoesWhereNothingIsLostAndIsTriedWhereSomethingMayBeGood(t *testing.T) {
	const a, b = layout.SlotA, layout.SlotB
	for _, tc := range []struct {
		name   string
		chosen int
		holds  []int
		why    choice.Reason
		slot   int
		trial  bool
	}{
		{"both are spoilt", a, nil, choice.None, b, false},
		{"both are spoilt, the other way round", b, nil, choice.Failed, a, false},
		{"the choice is damaged, too", 0, nil, choice.None, a, false},
		{"the chosen one is spoilt", a, []int{b}, choice.Stick, a, false},
		{"the other one is empty, and somebody came", a, []int{a}, choice.Button, b, true},
		{"the other one is empty, and the chosen one came to nothing", a, []int{a}, choice.Failed, b, false},
		{"both hold something, and somebody came", b, []int{a, b}, choice.Stick, a, true},
		{"both hold something, and the chosen one came to nothing", b, []int{a, b}, choice.Failed, a, false},
		{"the boot loader starts neither", a, []int{a, b}, choice.None, b, false},
	} {
		holds := func(n int) bool {
			for _, h := range tc.holds {
				if h == n {
					return true
				}
			}
			return false
		}
		n, trial := into(tc.chosen, holds, tc.why)
		if n != tc.slot || trial != tc.trial {
			t.Errorf("%s: slot %d, trial %v", tc.name, n, trial)
		}
		if trial && (n == tc.chosen || !holds(tc.chosen)) {
			t.Errorf("%s: a trial without a way back", tc.name)
		}
	}
}

func TestReleasesAreJudgedAgainstAllThatIsKnownOfTheBox(t *testing.T) {
	own := imprint.Imprint{Version: "1.0.0", Epoch: 1, Data: imprint.Data{Writes: 1, Reads: 1}}
	later := imprint.Imprint{Version: "1.4.0", Epoch: 2, Data: imprint.Data{Writes: 2, Reads: 1}}
	for name, tc := range map[string]struct {
		chosen imprint.Imprint
		last   kept.System
		want   release.Box
	}{
		"nothing but the recovery system": {imprint.Imprint{}, kept.System{}, release.Box{Version: "1.0.0", Epoch: 1, Data: 1}},
		"what is chosen can be read":      {later, kept.System{}, release.Box{Version: "1.4.0", Epoch: 2, Data: 2}},
		"what was kept is on the plate":   {imprint.Imprint{}, kept.System{Version: "1.5.0", Epoch: 3, Data: 2}, release.Box{Version: "1.5.0", Epoch: 3, Data: 2}},
		"a slot that says less":           {own, kept.System{Version: "1.5.0", Epoch: 3, Data: 2}, release.Box{Version: "1.5.0", Epoch: 3, Data: 2}},
	} {
		if got := boxOf(own, tc.chosen, tc.last); got != tc.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheUpdaterIsHeardToItsEndWhateverItSays(t *testing.T) {
	done := string(rescue.Step{Phase: rescue.Done, Version: "1.2.0", SHA256: "ab"}.Encode())
	for name, tc := range map[string]struct {
		says  string
		phase rescue.Phase
		code  slot.Code
		told  int
	}{
		"it is done":         {`{"phase":"looking"}` + "\n" + `{"phase":"writing","at":1,"of":2}` + "\n" + done, rescue.Done, "", 3},
		"it fails":           {string(rescue.Step{Phase: rescue.Failed, Code: slot.CodeTrust}.Encode()), rescue.Failed, slot.CodeTrust, 1},
		"it dies":            {`{"phase":"writing","at":1,"of":2}` + "\n", rescue.Failed, slot.CodeSlots, 1},
		"it says nothing":    {"", rescue.Failed, slot.CodeSlots, 0},
		"it raves":           {"panic: out of memory\n" + done, rescue.Failed, slot.CodeSlots, 0},
		"it does not stop":   {strings.Repeat("x", 3*rescue.MostLine), rescue.Failed, slot.CodeSlots, 0},
		"its line is cut in": {done[:20], rescue.Failed, slot.CodeSlots, 0},
	} {
		told := 0
		from := strings.NewReader(tc.says)
		if s := hear(from, func(rescue.Step) { told++ }); s.Phase != tc.phase || s.Code != tc.code || told != tc.told {
			t.Errorf("%s: %+v, told %d times", name, s, told)
		}
		if from.Len() > 0 {
			t.Errorf("%s: it stands still with %d bytes that nobody takes", name, from.Len())
		}
	}
}

func TestOneInstallationIsUnderWayAndNoneWithoutAVendor(t *testing.T) {
	var i reinstall
	if err := i.begin(""); !errors.Is(err, errNoVendor) {
		t.Errorf("without a vendor: %v", err)
	}
	i.vendor = "https://updates.example.org"
	if err := i.begin("x.update"); err != nil {
		t.Fatal(err)
	}
	if err := i.begin(""); !errors.Is(err, errBusy) {
		t.Errorf("a second one: %v", err)
	}
	i.step(rescue.Step{Phase: rescue.Done}) // it is not over before the first program has seen for itself
	if from, last, running, _ := i.now(); !running || last.Phase != rescue.Looking || from != "x.update" {
		t.Errorf("%+v, %v", last, running)
	}
	i.end(rescue.Step{Phase: rescue.Failed, Code: slot.CodeHash}, false)
	if err := i.begin(""); err != nil {
		t.Errorf("after one that failed: %v", err)
	}
	i.end(rescue.Step{Phase: rescue.Done, Version: "1.2.0"}, true)
	if err := i.begin(""); !errors.Is(err, errBusy) {
		t.Errorf("after one that is done: %v", err)
	}
	// Whoever restarts the box then has what was installed tried.
	r := &rescuer{ending: make(chan power.End, 1)}
	r.again.end(rescue.Step{Phase: rescue.Done}, true)
	if r.Restart(); <-r.ending != power.Try {
		t.Error("it is not tried")
	}
	r.again.end(rescue.Step{Phase: rescue.Done}, false)
	if r.Restart(); <-r.ending != power.Restart {
		t.Error("a trial without one")
	}
}

func TestAVendorIsOneOnlyWithItsKeysItsAddressAndTheProgram(t *testing.T) {
	share := t.TempDir()
	for _, at := range []string{filepath.Join(share, recipe.VendorRoot), filepath.Join(share, recipe.UpdateURL)} {
		if got := vendorAt(share, true); got != "" {
			t.Errorf("before %s: %q", at, got)
		}
		if err := os.WriteFile(at, []byte("https://updates.example.org/pronto\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := vendorAt(share, true); got != "https://updates.example.org/pronto" {
		t.Errorf("%q", got)
	}
	if got := vendorAt(share, false); got != "" {
		t.Errorf("without the program: %q", got)
	}
}

// saved is a rescuer of a box with two slots, and what the slot holds that was written.
func installedInB(t *testing.T) (r *rescuer, b *box, s rescue.Step) {
	t.Helper()
	b = twoSlots(t, second, slotA)
	r = &rescuer{chosen: layout.SlotA}
	r.log, r.card, r.ctx = b.log, b.card, t.Context()
	sum, err := disk.SumSlot(t.Context(), b.card, layout.SlotB)
	if err != nil {
		t.Fatal(err)
	}
	return r, b, rescue.Step{Phase: rescue.Done, Version: "1.1.0", SHA256: sum}
}

func TestTheFirstProgramSeesForItselfWhatWasInstalled(t *testing.T) {
	for name, lie := range map[string]func(b *box, s *rescue.Step){
		"another version": func(_ *box, s *rescue.Step) { s.Version = "1.2.0" },
		"another content": func(_ *box, s *rescue.Step) { s.SHA256 = strings.Repeat("0", 64) },
		"nothing":         func(b *box, _ *rescue.Step) { _ = os.WriteFile(b.card.Slots[1], make([]byte, 4096), 0o600) },
	} {
		r, b, s := installedInB(t)
		lie(b, &s)
		if err := r.adopt(s, layout.SlotB, false); err == nil {
			t.Errorf("%s: it is believed", name)
		}
		if got := chosen(t, b); got != choice.Default() {
			t.Errorf("%s: it chooses %+v", name, got)
		}
		if _, err := disk.ReadPlate(b.card); !errors.Is(err, disk.ErrNoPlate) {
			t.Errorf("%s: it is noted: %v", name, err)
		}
	}
	r, b, s := installedInB(t)
	if err := r.adopt(s, layout.SlotB, true); err != nil || chosen(t, b) != choice.Default() {
		t.Errorf("for a trial: %v, %+v", err, chosen(t, b))
	}
	if err := r.adopt(s, layout.SlotB, false); err != nil || chosen(t, b) != (choice.Choice{Slot: layout.SlotB}) {
		t.Errorf("%v, %+v", err, chosen(t, b))
	}
}

// What was installed has as many starts as any system, and is not said to be modified, though the updater knows of
// another one in its slot.
func TestASystemThatWasInstalledAgainBeginsAnew(t *testing.T) {
	r, b, s := installedInB(t)
	if err := r.adopt(s, layout.SlotB, false); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dirOf(b), starts.File)
	tired := starts.Count{Unready: starts.Most, Fell: true}
	onceMore(b, dirOf(b), slotA, first)
	if got := b.fresh(path, tired); got != tired {
		t.Errorf("of the other slot: %+v", got)
	}
	onceMore(b, dirOf(b), slotB, imprint.Imprint{Version: "1.1.0", Data: imprint.Data{Writes: 2, Reads: 1}})
	if got := b.fresh(path, tired); got != (starts.Count{}) {
		t.Errorf("at its first start: %+v", got)
	}
	if got, err := starts.Load(path); err != nil || got != (starts.Count{}) {
		t.Errorf("on the disk: %+v, %v", got, err)
	}
	if got := b.fresh(path, tired); got != tired { // once
		t.Errorf("at its second start: %+v", got)
	}
	file := filepath.Join(dirOf(b), "slots.json")
	if err := os.WriteFile(file, []byte(`{"3":{"version":"0.9.0","sha256":"00"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if b.slots.compare(t.Context(), file); b.slots.told(nil).Modified {
		t.Error("what was installed again is said to be modified")
	}
	f, err := os.OpenFile(b.card.Slots[1], os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("changed"), 3) // the name of who made the file system
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if b.slots.compare(t.Context(), file); !b.slots.told(nil).Modified {
		t.Error("what was changed afterwards is not said to be modified")
	}
}

func TestTheUpdatersMemoryIsTakenFromNowhereElse(t *testing.T) {
	data, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	update := filepath.Join(data, "update")
	if err := os.Mkdir(update, 0o700); err != nil {
		t.Fatal(err)
	}
	copied := func() error { return copyOut(data, "update/state.json", to, os.Getuid()) }
	if err := copied(); err != nil {
		t.Errorf("one that is not there: %v", err)
	}
	at := filepath.Join(update, "state.json")
	if err := os.WriteFile(at, []byte("memory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copied(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "memory" {
		t.Errorf("%q, %v", text, err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func() error{
		"a way out":      func() error { return os.Symlink(secret, at) },
		"a directory":    func() error { return os.Mkdir(at, 0o700) },
		"too much of it": func() error { return os.WriteFile(at, make([]byte, mostMemory+1), 0o600) },
	} {
		if err := errors.Join(os.RemoveAll(at), os.RemoveAll(to), plant()); err != nil {
			t.Fatal(err)
		}
		if err := copied(); err == nil {
			t.Errorf("%s: it is taken", name)
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was copied", name)
		}
	}
}

// Every failure has a sentence in each language, with its cause and what is to be done.
func TestEveryWayInWhichAnInstallationFailsHasItsSentence(t *testing.T) {
	codes := []slot.Code{
		slot.CodeTrust, slot.CodeMetadata, rescue.CodeOlder, rescue.CodeRefused, slot.CodeNone, slot.CodeBundle, slot.CodeHash, slot.CodeNetwork, slot.CodeFull, slot.CodeRead, slot.CodeWrite,
		slot.CodeDiffers, slot.CodeLarge, slot.CodeSlots, "of a later updater",
	}
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codes {
			p := shown("", rescue.Step{Phase: rescue.Failed, Version: "1.2.0", Code: code, Words: "words"}, false, false)
			for _, part := range []string{"", ".why", ".do"} {
				if key := p.Wrong.Sentence + part; !cat.Has(key) {
					t.Errorf("%s: %s has no %s", lang, code, key)
				}
			}
		}
		for _, code := range []release.Code{release.OtherModel, release.OldEEPROM, release.StepStone, release.LowerEpoch, release.UnknownData, release.NoPart, release.Nameless, "of a later release"} {
			p := shown("", rescue.Step{Phase: rescue.Failed, Reasons: []release.Reason{{Code: code}}}, false, false)
			if key := "update.refused." + p.Refused[0].Code; !cat.Has(key) {
				t.Errorf("%s: no %s", lang, key)
			}
		}
	}
	if p := shown("x", rescue.Step{Phase: rescue.Writing, At: 1, Of: 4}, true, false); p.Phase != "writing" || p.Percent() != 25 || p.Wrong.Sentence != "" {
		t.Errorf("%+v", p)
	}
}

// What a box is known to have run outlives its data and its slots, on the plate.
func TestWhatABoxRanIsKnownWithoutItsData(t *testing.T) {
	b := twoSlots(t, second, slotA)
	data := t.TempDir()
	last := kept.System{Version: "1.5.0", Epoch: 3, Data: 2}
	if err := kept.Save(filepath.Join(data, kept.File), last); err != nil {
		t.Fatal(err)
	}
	if err := disk.Engrave(b.card, data); err != nil {
		t.Fatal(err)
	}
	if err := disk.Condemn(b.card, data, disk.ByPage, time.Now()); err != nil { // a factory reset does not take it away
		t.Fatal(err)
	}
	p, err := disk.ReadPlate(b.card)
	if err != nil {
		t.Fatal(err)
	}
	r := &rescuer{made: first, chosen: layout.SlotA, plate: p, broken: "its file system is damaged"}
	r.log, r.card = b.log, b.card
	if err := os.Truncate(b.card.Slots[0], 0); err != nil {
		t.Fatal(err)
	}
	if got := r.thisBox(); got.Version != "1.5.0" || got.Epoch != 3 || got.Data != 2 {
		t.Errorf("%+v", got)
	}
}
