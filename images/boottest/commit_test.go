package boottest

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
)

// sector is where the card's choice lies, and what it says.
func (b *tried) sector() (at int64, text []byte) {
	b.t.Helper()
	f, err := os.Open(b.card)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	first := layout.Offset(layout.Select)
	in, err := choice.Find(section{f, first})
	if err != nil {
		b.t.Fatal(err)
	}
	text = make([]byte, choice.Size)
	if _, err := f.ReadAt(text, first+in); err != nil {
		b.t.Fatal(err)
	}
	return first + in, text
}

// section reads a file from an offset on.
type section struct {
	f  *os.File
	at int64
}

func (s section) ReadAt(b []byte, at int64) (int, error) { return s.f.ReadAt(b, s.at+at) }

// named is how many bytes of a choice it takes to name the partition that starts.
const named = len("[all]\ntryboot_a_b=1\nboot_partition=3\n")

// tear leaves the card's choice as a power cut in its write may: the first n bytes are the new ones, the others neither.
func (b *tried) tear(to, n int) {
	b.t.Helper()
	at, text := b.sector()
	copy(text[:n], choice.Encode(choice.Choice{Slot: to}))
	copy(text[n:], bytes.Repeat([]byte{0xFF}, len(text)))
	f, err := os.OpenFile(b.card, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(text, at)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// changes waits until the card itself chooses another slot: the machine's kernel writes it there at once.
func (b *tried) changes(from []byte) {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, text := b.sector(); !bytes.Equal(text, from) {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the choice of the card does not change\n%s", b.m.text())
		}
	}
}

func TestAReleaseThatCarriesACallIsKeptAndNoCutOfThePowerLeavesABoxWithoutOne(t *testing.T) {
	t.Parallel()
	const seed = 2
	b := newTried(t, 42, seed)
	b.on(layout.SlotA)
	b.carries()

	// Kept, and then the power is cut.
	began := time.Now()
	b.installs(system{version: "1.1.0"})
	b.tries("1.1.0", layout.SlotB)
	b.carries()
	b.v.refuses(b.m, "try 1.0.0", gate.CodeOnTrial)
	b.v.does(b.m, "keep")
	b.v.does(b.m, "keep") // whose answer was lost asks again
	b.m.cut()
	b.on(layout.SlotB)
	b.carries()
	b.outcome("kept, and the power is cut after that", began, gate.Trial{Version: "1.1.0", Slot: layout.SlotB, Outcome: "kept"})

	// The other way round, with the cut while it is kept: the sector is written, what follows may not be.
	began = time.Now()
	b.installs(system{version: "1.2.0"})
	b.tries("1.2.0", layout.SlotA)
	b.carries()
	_, before := b.sector()
	b.v.begin(b.m, "keep")
	b.changes(before)
	b.m.cut()
	b.on(layout.SlotA)
	b.carries()
	b.outcome("kept, and the power is cut at that", began, gate.Trial{Version: "1.2.0", Slot: layout.SlotA, Outcome: "kept"})

	// The cut tears the sector: the recovery system mends it, with what was there before.
	began = time.Now()
	b.installs(system{version: "1.3.0"})
	b.tries("1.3.0", layout.SlotB)
	b.v.slots(b.m)
	b.m.cut()
	b.tear(layout.SlotB, b.rand.IntN(named-2))
	b.on(layout.Select)
	b.m.says("the choice of what to start is mended", 1)
	b.resets(patience)
	b.on(layout.SlotA)
	b.carries()
	b.outcome("the write that keeps it is torn early", began, gate.Trial{Version: "1.3.0", Slot: layout.SlotB, Outcome: "back", Why: trial.WhyReset})

	// It tears it behind what the boot loader needs: that starts what was to be kept, which mends the rest.
	began = time.Now()
	b.tries("1.3.0", layout.SlotB) // it lies there still, and whoever runs the box wants it
	b.v.slots(b.m)
	b.m.cut()
	b.tear(layout.SlotB, named+b.rand.IntN(100))
	b.on(layout.SlotB)
	b.carries()
	b.outcome("the write that keeps it is torn late", began, gate.Trial{Version: "1.3.0", Slot: layout.SlotB, Outcome: "kept"})
	if _, text := b.sector(); !bytes.Equal(text, choice.Encode(choice.Choice{Slot: layout.SlotB})) {
		t.Errorf("the choice stays torn: %q", text)
	}

	fmt.Printf("seed %d: %d outcomes of keeping\n", seed, b.n)
}

func TestAKeptReleaseThatDoesNotStartAnyMoreGivesItsPlaceToTheOneBefore(t *testing.T) {
	t.Parallel()
	b := newTried(t, 46, 6)
	b.on(layout.SlotA)
	b.installs(system{version: "1.1.0"})
	b.tries("1.1.0", layout.SlotB)
	b.carries()
	b.v.does(b.m, "keep")
	b.m.cut()
	began := time.Now()
	for n := range 3 { // a month later
		b.on(layout.SlotB)
		b.m.says(fmt.Sprintf("msg=start service=prontoinit failed_before=%d", n), 1)
		b.m.cut()
	}
	b.on(layout.SlotB)
	b.m.says("the other slot: this one came to nothing too often", 1)
	b.resets(patience)
	b.on(layout.SlotA)
	b.carries()
	b.outcome("kept, and it does not start any more", began, gate.Trial{Version: "1.1.0", Slot: layout.SlotB, Outcome: "back", Why: trial.WhyStarts})
}

func TestAnUpdaterReachesItsSlotsAndItsVendorAndNothingElse(t *testing.T) {
	t.Parallel()
	const seed = 3
	b := newTried(t, 43, seed)
	b.on(layout.SlotA)
	b.carries()
	s := b.v.slots(b.m)
	if s.Running != layout.SlotA || s.Chosen != layout.SlotA || s.Trying || s.Last != (gate.Trial{}) || s.Model != "arm64" || s.Modified {
		t.Errorf("%+v", s)
	}
	for _, may := range []string{"read /run/otad/active", "write /run/otad/idle", "reach " + b.wire.us.String() + ":80", "reach 127.0.0.1:5060"} {
		b.v.does(b.m, may)
	}
	for _, mayNot := range []string{
		"write /run/otad/active", "read /dev/vda", "read /dev/vda1", "read /dev/vda2", "write /dev/vda3", "write /dev/vda4", "read /data/trial.json", "read /data/pronto/pronto.yaml", "read /data/pronto/label.json",
		"reach " + b.wire.us.String() + ":8080", "reach " + b.wire.us.String() + ":53000", "restart",
	} {
		b.v.refuses(b.m, mayNot, "")
	}
	b.v.refuses(b.m, "keep", gate.CodeNotOn)
	b.v.refuses(b.m, "back unfit no", gate.CodeNotOn)
	b.v.refuses(b.m, "try 1.1.0", gate.CodeSlot) // nothing lies there

	// A disk on which no program has room for a byte is no reason to lose a way: the first program keeps some for itself.
	began := time.Now()
	b.installs(system{version: "1.1.0"})
	fmt.Printf("the updater fills the disk with %s bytes\n", b.v.order(b.m, "fill"))
	b.v.refuses(b.m, "put more x", "no space left on device")
	b.carries()
	b.tries("1.1.0", layout.SlotB)
	b.carries()
	b.v.does(b.m, "keep")
	b.m.cut()
	b.on(layout.SlotB)
	b.v.refuses(b.m, "put more x", "no space left on device") // it is full still
	b.carries()
	b.outcome("kept, with the disk of the data full", began, gate.Trial{Version: "1.1.0", Slot: layout.SlotB, Outcome: "kept"})
	b.v.does(b.m, "empty")

	// What is not what was installed is said to be.
	b.v.does(b.m, `put slots.json {"3":{"version":"1.0.0","sha256":"00"}}`)
	b.m.cut()
	b.on(layout.SlotB)
	b.m.says("the slot is modified", 1)
	if s := b.v.slots(b.m); !s.Modified {
		t.Errorf("%+v", s)
	}
}
