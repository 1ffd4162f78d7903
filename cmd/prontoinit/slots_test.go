package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/bootloader"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/power"
	"github.com/pronto-pbx/pronto/board/starts"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/board/watchdog"
	image "github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
)

var (
	first  = imprint.Imprint{Version: "1.0.0", Data: imprint.Data{Writes: 1, Reads: 1}}
	second = `{"version":"1.1.0","data_schema":{"writes":2,"reads_from":1}}`
)

// twoSlots is a box whose card is a file, its slots two others: nothing in B but a release, if one is given. It runs
// what the boot loader says.
func twoSlots(t *testing.T, b string, loader bootloader.Start) *box {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs", "debugfs")
	dir := t.TempDir()
	c := disk.Card{Disk: filepath.Join(dir, "card"), Table: layout.Table(), Slots: [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}
	if err := image.Write(t.Context(), c.Disk, recipe.Select(nil), nil); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{`{"version":"1.0.0"}`, b} {
		var files []fat.File
		if text != "" {
			files = []fat.File{{Name: imprint.File, Data: []byte(text)}}
		}
		if err := fat.Make(t.Context(), c.Slots[i], fat.Spec{Label: "S", ID: 1, Size: layout.SlotSize, Cluster: layout.SlotCluster, Files: files}); err != nil {
			t.Fatal(err)
		}
	}
	box := &box{log: quiet(), card: c, where: disk.InMemory, ending: make(chan power.End, 1), turns: make(chan turn)}
	onceMore(box, dir, loader, first)
	return box
}

// onceMore is the next start of a box.
func onceMore(b *box, dir string, loader bootloader.Start, made imprint.Imprint) {
	b.attempt = attempt{}
	b.slots.log, b.slots.card, b.slots.onCard, b.slots.made, b.slots.at = b.log, b.card, true, made, filepath.Join(dir, trial.File)
	b.slots.loader, b.slots.limit, b.slots.model = loader, trial.Limit, "pi4"
	b.slots.age = func() time.Duration { return time.Minute }
	b.slots.leave = func(promise string) error {
		if promise != promised {
			return errors.New("there is no such promise")
		}
		return nil
	}
	b.slots.learn()
}

// promised is the name of the promise that the exchange of these tests has given.
const promised = "token"

func dirOf(b *box) string { return filepath.Dir(b.slots.at) }

func chosen(t *testing.T, b *box) choice.Choice {
	t.Helper()
	c, err := disk.ReadChoice(b.card)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	slotA = bootloader.Start{Slot: layout.SlotA}
	slotB = bootloader.Start{Slot: layout.SlotB}
	tryB  = bootloader.Start{Slot: layout.SlotB, Trying: true}
)

func TestATrialIsBegunOfWhatWasNamedAndKeptByOneWrite(t *testing.T) {
	b := twoSlots(t, second, slotA)
	if s := b.slots.told(nil); s.Running != 2 || s.Chosen != 2 || s.Trying || s.Idle != "/run/otad/idle" || s.Active != "/run/otad/active" || s.Model != "pi4" {
		t.Errorf("%+v", s)
	}
	if err := b.try("1.2.0", promised); code(err) != gate.CodeSlot {
		t.Errorf("another version than lies there: %v", err)
	}
	if err := b.keep(); code(err) != gate.CodeNotOn {
		t.Errorf("kept without a trial: %v", err)
	}
	if err := b.try("1.1.0", promised); err != nil {
		t.Fatal(err)
	}
	if how := <-b.ending; how != power.Try {
		t.Errorf("the box ends by %d", how)
	}
	if got := chosen(t, b); got != choice.Default() {
		t.Errorf("a trial chooses %+v", got)
	}
	// The boot loader starts it once.
	new := imprint.Imprint{Version: "1.1.0", Data: imprint.Data{Writes: 2, Reads: 1}}
	onceMore(b, dirOf(b), tryB, new)
	s := b.slots.told(nil)
	if !s.Trying || s.Running != 3 || s.Chosen != 2 || s.Idle != "" || s.Left <= 0 || s.Last.Outcome != "asked" || s.Last.Version != "1.1.0" {
		t.Errorf("on trial: %+v", s)
	}
	if err := b.try("1.0.0", promised); code(err) != gate.CodeOnTrial {
		t.Errorf("a trial in a trial: %v", err)
	}
	if err := b.slots.kept(); err != nil {
		t.Fatal(err)
	}
	if got := chosen(t, b); got != (choice.Choice{Slot: layout.SlotB}) {
		t.Errorf("kept is %+v", got)
	}
	if s := b.slots.told(nil); s.Trying || s.Idle == "" || s.Last.Outcome != "kept" {
		t.Errorf("after it: %+v", s)
	}
	if err := b.keep(); err != nil { // the answer of the first time was lost
		t.Errorf("kept twice: %v", err)
	}
	// The old release does not know data of the new one: nothing leads back but a person.
	if err := b.try("1.0.0", promised); code(err) != gate.CodeData {
		t.Errorf("%v", err)
	}
}

func TestATrialEndsWithItsReason(t *testing.T) {
	for _, tc := range []struct {
		name  string
		end   func(b *box) bool
		next  bootloader.Start
		why   string
		words bool
	}{
		{"by the updater", func(b *box) bool { return b.leave("unfit", "no tone was heard") == nil && <-b.ending == power.Restart }, slotA, "unfit", true},
		{"by an exchange that falls", func(b *box) bool { return b.judge(watchdog.Seen{Restarts: 9}, true) }, slotA, trial.WhyGivenUp, true},
		{"by time", func(b *box) bool { b.slots.limit = 1; return b.judge(watchdog.Seen{Running: true}, true) }, slotA, trial.WhyExpired, true},
		{"by a cut of the power", func(*box) bool { return true }, slotA, trial.WhyReset, false},
	} {
		b := twoSlots(t, second, slotA)
		if err := b.try("1.1.0", promised); err != nil {
			t.Fatal(err)
		}
		<-b.ending
		onceMore(b, dirOf(b), tryB, imprint.Imprint{Version: "1.1.0"})
		if b.judge(watchdog.Seen{Running: true}, true) {
			t.Errorf("%s: it ends at once", tc.name)
		}
		if !tc.end(b) {
			t.Errorf("%s: it does not end", tc.name)
		}
		onceMore(b, dirOf(b), tc.next, first)
		if s := b.slots.told(nil); s.Trying || s.Running != 2 || s.Last.Outcome != "back" || s.Last.Why != tc.why || (s.Last.Words != "") != tc.words || s.Idle == "" {
			t.Errorf("%s: %+v", tc.name, s)
		}
		if b.judge(watchdog.Seen{Restarts: 9}, false) {
			t.Errorf("%s: a box without a trial ends as one", tc.name)
		}
	}
}

func TestASlotThatCouldNotWorkIsNotTried(t *testing.T) {
	for name, tc := range map[string]struct{ release, code string }{
		"nothing lies there":                      {"", gate.CodeSlot},
		"it does not know the data":               {`{"version":"1.1.0","data_schema":{"writes":3,"reads_from":2}}`, gate.CodeData},
		"it would not know what it writes itself": {`{"version":"1.1.0","data_schema":{"writes":1,"reads_from":2}}`, gate.CodeSlot},
	} {
		b := twoSlots(t, tc.release, slotA)
		if err := b.try("1.1.0", promised); code(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
		if len(b.ending) > 0 {
			t.Errorf("%s: the box ends", name)
		}
	}
	b := twoSlots(t, second, slotA)
	b.slots.at = filepath.Join(dirOf(b), "full", "disk") // nothing can be written there
	if err := b.try("1.1.0", promised); code(err) != gate.CodeDisk || len(b.ending) > 0 {
		t.Errorf("what cannot be remembered is tried: %v", err)
	}
}

func TestASlotThatFailsGivesItsPlaceToTheOtherOnce(t *testing.T) {
	count := func(b *box) error { return b.countStart(filepath.Join(dirOf(b), starts.File)) }
	failing := func(b *box) { b.attempt.count = starts.Count{Unready: starts.Most} }
	b := twoSlots(t, `{"version":"1.1.0"}`, slotA)
	if err := count(b); err != nil {
		t.Fatal(err)
	}
	failing(b)
	if restart, ok := errors.AsType[errRestart](count(b)); !ok || restart.why != "the other slot: this one came to nothing too often" {
		t.Fatalf("%v", restart)
	}
	if got := chosen(t, b); got != (choice.Choice{Slot: layout.SlotB}) {
		t.Errorf("chosen is %+v", got)
	}
	onceMore(b, dirOf(b), slotB, imprint.Imprint{Version: "1.1.0", Data: imprint.Data{Writes: 1, Reads: 1}})
	if s := b.slots.told(nil); s.Last.Why != trial.WhyStarts || s.Last.Slot != 2 || s.Last.Version != "1.0.0" {
		t.Errorf("%+v", s.Last)
	}
	// The other one fails too: recovery, not the first one again.
	c, err := starts.Load(filepath.Join(dirOf(b), starts.File))
	if err != nil || !c.Fell || c.Failed() != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	b.attempt.count = starts.Count{Unready: starts.Most, Fell: true}
	if err := count(b); err == nil {
		t.Error("it goes on")
	}
	if got := chosen(t, b); got.Recover != choice.Failed || got.Slot != layout.SlotB {
		t.Errorf("chosen is %+v", got)
	}
	for name, tc := range map[string]struct {
		release string
		made    imprint.Imprint
		last    trial.Record
	}{
		"nothing lies there":           {"", first, trial.Record{}},
		"it does not know the data":    {`{"version":"1.1.0"}`, imprint.Imprint{Version: "2", Data: imprint.Data{Writes: 2, Reads: 2}}, trial.Record{}},
		"it was given up in its trial": {`{"version":"1.1.0"}`, first, trial.Begin("1.1.0", layout.SlotB, time.Time{}).GoBack("unfit", "", time.Time{})},
	} {
		b := twoSlots(t, tc.release, slotA)
		b.slots.made, b.slots.record = tc.made, tc.last
		failing(b)
		if err := count(b); err == nil {
			t.Errorf("%s: it goes on", name)
		}
		if got := chosen(t, b); got != (choice.Choice{Slot: layout.SlotA, Recover: choice.Failed}) {
			t.Errorf("%s: chosen is %+v", name, got)
		}
	}
}

func TestADamagedChoiceIsWrittenAnewByWhatRuns(t *testing.T) {
	b := twoSlots(t, second, slotA)
	if err := os.WriteFile(b.card.Disk, nil, 0o600); err != nil { // not even the partition is there
		t.Fatal(err)
	}
	onceMore(b, dirOf(b), slotB, first)
	if b.slots.running != layout.SlotB || b.slots.chosen != layout.SlotB {
		t.Errorf("%+v", b.slots.told(nil))
	}
}

func TestTheRecoverySystemMendsAChoiceThatLeadsNowhere(t *testing.T) {
	kept := trial.Begin("1.1.0", layout.SlotB, time.Time{}).Keep(time.Time{})
	asked := trial.Begin("1.1.0", layout.SlotB, time.Time{})
	for name, tc := range map[string]struct {
		b      string // release in the other slot
		chosen int    // 0: damaged
		last   trial.Record
		want   int // 0: nothing is mended
	}{
		"torn while a trial was kept":       {second, 0, asked, layout.SlotA},
		"damaged long after":                {second, 0, kept, layout.SlotB},
		"damaged, and nothing is known":     {second, 0, trial.Record{}, layout.SlotA},
		"what is chosen holds a system":     {second, layout.SlotB, kept, 0},
		"what is chosen holds none":         {"", layout.SlotB, kept, layout.SlotA},
		"damaged, what was kept holds none": {"", 0, kept, layout.SlotA},
	} {
		b := twoSlots(t, tc.b, slotA)
		r := &rescuer{chosen: tc.chosen, broken: "the data lies elsewhere in this test"}
		r.log, r.card = b.log, b.card
		text, err := recordText(t, tc.last)
		if err != nil {
			t.Fatal(err)
		}
		r.plate.Files = map[string][]byte{trial.File: text}
		before := chosen(t, b)
		mended := r.mend()
		want := before
		if tc.want != 0 {
			want = choice.Choice{Slot: tc.want}
		}
		if got := chosen(t, b); got != want || mended != (tc.want != 0) {
			t.Errorf("%s: %v, chosen is %+v", name, mended, got)
		}
	}
}

func recordText(t *testing.T, r trial.Record) ([]byte, error) {
	at := filepath.Join(t.TempDir(), trial.File)
	if err := trial.Save(at, r); err != nil {
		return nil, err
	}
	return os.ReadFile(at)
}

// The box ends only if the exchange keeps its promise to the last moment; where it does not, nothing has happened.
func TestABoxThatMayNotEndTriesNothingAndRemembersNothing(t *testing.T) {
	b := twoSlots(t, second, slotA)
	before, err := trial.Load(b.slots.at)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.try("1.1.0", "another"); code(err) != gate.CodeCalls {
		t.Errorf("%v", err)
	}
	after, err := trial.Load(b.slots.at)
	if err != nil || after != before || b.slots.record != before || len(b.ending) > 0 {
		t.Errorf("it remembers %+v, %v", after, err)
	}
	var rememberedFirst bool
	b.slots.leave = func(string) error {
		r, err := trial.Load(b.slots.at)
		rememberedFirst = err == nil && r.Outcome == trial.Asked && r.Version == "1.1.0"
		return nil
	}
	if err := b.try("1.1.0", promised); err != nil || !rememberedFirst || <-b.ending != power.Try {
		t.Errorf("%v; the disk was written before the last question: %v", err, rememberedFirst)
	}
}

func TestASlotThatIsNotWhatWasInstalledIsSaidToBeModified(t *testing.T) {
	b := twoSlots(t, second, slotA)
	sum, err := disk.SumSlot(t.Context(), b.card, layout.SlotA)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dirOf(b), "slots.json")
	for _, tc := range []struct {
		name, text string
		want       bool
	}{
		{"nothing was installed", "", false},
		{"it is", `{"2":{"version":"1.0.0","sha256":"` + sum + `"}}`, false},
		{"another slot was installed", `{"3":{"sha256":"00"}}`, false},
		{"the file is none", `{`, false},
		{"it is not", `{"2":{"version":"1.0.0","sha256":"00"}}`, true},
	} {
		if tc.text != "" {
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		b.slots.compare(t.Context(), file)
		if got := b.slots.told(nil).Modified; got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestWhoAsksWhileTheBoxEndsIsNotLeftWaiting(t *testing.T) {
	b := &box{log: quiet(), turns: make(chan turn)} // nobody attends
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		_, err := b.updates(func() []string { return nil }).Slots(ctx)
		answered <- err
	}()
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
