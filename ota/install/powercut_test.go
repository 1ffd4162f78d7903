package install

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
)

// In the tests a slot is small, so that it is written in as many strokes as a large one.
const (
	shortStride = 2 << 10
	shortApart  = 6 << 10
)

func nothing(int64) {}

func partOf(content []byte) release.Part {
	return release.Part{Name: "slot", Size: int64(len(content)), SHA256: otatest.Sum(content)}
}

// installed writes a content into slot B and proves it.
func installed(ctx context.Context, c *otatest.Card, content []byte) error {
	slot := c.Slot(layout.SlotB)
	first, err := write(ctx, slot, bytes.NewReader(content), partOf(content), nothing, shortStride, shortApart)
	if err != nil {
		return err
	}
	return Check(ctx, slot, first, partOf(content), nothing)
}

// commit is what the first program does: one sector, synced.
func commit(c *otatest.Card, slot int) error {
	if _, err := c.Choice().WriteAt(choice.Encode(choice.Choice{Slot: slot}), 0); err != nil {
		return err
	}
	return c.Choice().Sync()
}

// An update of a box whose other slot holds the release of before it, with the power cut at each moment.
func TestAfterEveryPowerCutTheBoxStartsARelease(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []byte // in slot B
	}{
		{"into an empty slot", nil},
		{"over an earlier release", otatest.Content("0.9.0", 22<<10)},
		{"over the same release, cut off before", otatest.Content("2.0.0", 24<<10)[:13<<10]},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := otatest.Content("1.0.0", 16<<10), otatest.Content("2.0.0", 24<<10)
			blank := otatest.Blank(one)
			otatestPut(blank, c.before)
			card := otatest.NewCard(blank)
			if err := installed(t.Context(), card, two); err != nil {
				t.Fatal(err)
			}
			proved := card.Operations()
			if err := commit(card, layout.SlotB); err != nil {
				t.Fatal(err)
			}
			var states, inRecovery, again int
			for cut := range card.Cuts() {
				states++
				switch otatest.Chosen(cut.Card, false) {
				case layout.SlotA:
					if !otatest.Holds(cut.Card, layout.SlotA, one) {
						t.Fatalf("%s: slot A is damaged", cut.Name)
					}
				case layout.SlotB:
					if cut.After <= proved || !otatest.Holds(cut.Card, layout.SlotB, two) {
						t.Fatalf("%s: slot B starts and is not proved", cut.Name)
					}
				default: // the sector of the choice is torn: the recovery system repairs it, both slots are whole
					inRecovery++
					if cut.After <= proved || !otatest.Holds(cut.Card, layout.SlotA, one) || !otatest.Holds(cut.Card, layout.SlotB, two) {
						t.Fatalf("%s: the recovery system starts", cut.Name)
					}
				}
				// What the loader would take for a system in slot B is one.
				if otatest.Bootable(cut.Card, layout.SlotB) && !otatest.Holds(cut.Card, layout.SlotB, two) && !otatest.Holds(cut.Card, layout.SlotB, c.before) {
					t.Fatalf("%s: slot B is taken for whole", cut.Name)
				}
				if cut.After < proved { // and the update goes on from there
					again++
					left := otatest.NewCard(cut.Card)
					if err := installed(t.Context(), left, two); err != nil || !otatest.Holds(left.Content(), layout.SlotB, two) || otatest.Chosen(left.Content(), true) != layout.SlotB {
						t.Fatalf("%s: the update does not go on: %v", cut.Name, err)
					}
				}
			}
			if states < 200 || inRecovery == 0 {
				t.Errorf("%d states and %d in recovery prove little", states, inRecovery)
			}
			t.Logf("%d operations, %d states: %d with a torn choice (the recovery system repairs it), from %d the update went on to its end", card.Operations(), states, inRecovery, again)
		})
	}
}

func otatestPut(card, content []byte) {
	c := otatest.NewCard(card)
	_, _ = c.Slot(layout.SlotB).WriteAt(content, 0)
	copy(card, c.Content())
}

// Between the old choice and the new one there is no byte at which a torn sector would choose something else.
func TestATornChoiceStartsOneOfTheTwoOrTheRecoverySystem(t *testing.T) {
	one, two := otatest.Content("1.0.0", 64<<10), otatest.Content("2.0.0", 64<<10)
	card := otatest.NewCard(otatest.Blank(one))
	if err := installed(t.Context(), card, two); err != nil {
		t.Fatal(err)
	}
	is, was := choice.Encode(choice.Choice{Slot: layout.SlotB}), choice.Encode(choice.Default())
	for n := range choice.Size + 1 {
		for _, torn := range [][]byte{append(bytes.Clone(is[:n]), was[n:]...), append(bytes.Clone(was[:n]), is[n:]...)} {
			if _, err := card.Choice().WriteAt(torn, 0); err != nil {
				t.Fatal(err)
			}
			if got := otatest.Chosen(card.Content(), false); got != layout.SlotA && got != layout.SlotB {
				t.Errorf("torn at byte %d: partition %d", n, got)
			}
		}
		if _, err := card.Choice().WriteAt(append(bytes.Clone(is[:n]), make([]byte, choice.Size-n)...), 0); err != nil {
			t.Fatal(err)
		}
		if got := otatest.Chosen(card.Content(), false); got == layout.SlotA {
			t.Errorf("with %d bytes: partition %d, which was not written", n, got)
		}
	}
}

// A card that lies is found out before the box starts from it.
func TestWhatTheCardKeepsOtherwiseIsFoundWhenItIsReadBack(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	for name, stores := range map[string]func(int64, []byte) []byte{
		"a bit turns":                func(_ int64, b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"a worn block keeps nothing": func(_ int64, b []byte) []byte { return b[:len(b)/2] },
		"a fake card keeps nothing behind its true size": func(off int64, b []byte) []byte {
			if off > otatest.SlotSize {
				return b[:40<<10]
			}
			return b
		},
		"the first sector is another": nil,
	} {
		t.Run(name, func(t *testing.T) {
			card := otatest.NewCard(otatest.Blank(otatest.Content("1.0.0", 64<<10)))
			card.Stores = func(off int64, b []byte) []byte {
				switch first := len(b) == Sector; {
				case first && stores == nil && b[0] != 0:
					b[300] ^= 1
				case !first && stores != nil: // what is wrong is seen before the first sector is written
					return stores(off, b)
				}
				return b
			}
			slot := card.Slot(layout.SlotB)
			first, err := Write(t.Context(), slot, bytes.NewReader(content), partOf(content), nothing) // at once: nothing is forgotten before Check
			if err == nil {
				err = Check(t.Context(), slot, first, partOf(content), nothing)
			}
			if CodeOf(err) != "slot_differs" {
				t.Fatalf("%v", err)
			}
			// A first sector that differs is found when it is there; the updater writes the slot anew, or invalidates it.
			if lost := card.Lost(func(int) bool { return true }).Content(); stores != nil && otatest.Bootable(lost, layout.SlotB) {
				t.Error("it would be started")
			}
		})
	}
}

func TestWhatIsWrittenAlreadyIsNotWrittenAgain(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	card := otatest.NewCard(otatest.Blank(content))
	if err := installed(t.Context(), card, content); err != nil {
		t.Fatal(err)
	}
	written := 0
	card.Write = func(_ int64, n int) error { written += n; return nil }
	if err := installed(t.Context(), card, content); err != nil {
		t.Fatal(err)
	}
	if written != 2*Sector {
		t.Errorf("%d bytes were written again, want the first sector twice", written)
	}
}

// Check alone goes on after a start: the first sector is remembered.
func TestTheProofIsGivenAgainAfterARestart(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	card := otatest.NewCard(otatest.Blank(content))
	slot := card.Slot(layout.SlotB)
	first, err := Write(t.Context(), slot, bytes.NewReader(content), partOf(content), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if otatest.Bootable(card.Content(), layout.SlotB) {
		t.Fatal("it would be started unproved")
	}
	for n := range 2 {
		if err := Check(t.Context(), slot, first, partOf(content), nothing); err != nil || !otatest.Holds(card.Content(), layout.SlotB, content) {
			t.Fatalf("time %d: %v", n, err)
		}
	}
	if err := Check(t.Context(), slot, first[:10], partOf(content), nothing); CodeOf(err) != "slot_differs" {
		t.Error(err)
	}
	if _, err := slot.WriteAt([]byte{1}, 5000); err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), slot, first, partOf(content), nothing); CodeOf(err) != "slot_differs" {
		t.Errorf("a slot that changed since is %v", err)
	}
}

func TestWhatDoesNotBelongIntoASlotIsRefused(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	for _, c := range []struct {
		name   string
		is     []byte
		change func(*release.Part)
		code   string
	}{
		{"another content", otatest.Content("evil", 64<<10), func(*release.Part) {}, "hash"},
		{"a shorter one", content[:60<<10], func(*release.Part) {}, "hash"},
		{"none", nil, func(*release.Part) {}, "hash"},
		{"a longer one", append(bytes.Clone(content), 1), func(*release.Part) {}, "hash"},
		{"one that is larger than the slot", content, func(p *release.Part) { p.Size = otatest.SlotSize + 1 }, "too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := otatest.NewCard(otatest.Blank(content))
			part := partOf(content)
			c.change(&part)
			if _, err := Write(t.Context(), card.Slot(layout.SlotB), bytes.NewReader(c.is), part, nothing); string(CodeOf(err)) != c.code {
				t.Error(err)
			}
			if otatest.Bootable(card.Content(), layout.SlotB) || otatest.Chosen(card.Content(), false) != layout.SlotA || !otatest.Holds(card.Content(), layout.SlotA, content) {
				t.Error("the box would not start as before")
			}
		})
	}
}

func TestACardThatFailsIsAReasonWithACode(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	eio := fmt.Errorf("input/output error")
	for _, c := range []struct {
		name  string
		fault func(*otatest.Card)
		code  string
	}{
		{"it cannot be written", func(c *otatest.Card) { c.Write = func(int64, int) error { return eio } }, "slot_write"},
		{"it cannot be written somewhere", func(c *otatest.Card) {
			c.Write = func(off int64, _ int) error {
				if off > otatest.SlotSize+20<<10 {
					return eio
				}
				return nil
			}
		}, "slot_write"},
		{"it cannot make safe what was written", func(c *otatest.Card) { c.Synced = func() error { return eio } }, "slot_write"},
		{"it gives an error when it is read back", func(c *otatest.Card) { c.Read = func(int64, int) error { return eio } }, "slot_read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := otatest.NewCard(otatest.Blank(content))
			c.fault(card)
			if err := installed(t.Context(), card, content); string(CodeOf(err)) != c.code {
				t.Error(err)
			}
			if otatest.Bootable(card.Content(), layout.SlotB) {
				t.Error("it would be started")
			}
		})
	}
}

func TestAnInvalidatedSlotNeverComesBack(t *testing.T) {
	content := otatest.Content("2.0.0", 64<<10)
	card := otatest.NewCard(otatest.Blank(content))
	if err := installed(t.Context(), card, content); err != nil {
		t.Fatal(err)
	}
	if err := Invalidate(card.Slot(layout.SlotB)); err != nil {
		t.Fatal(err)
	}
	if lost := card.Lost(func(int) bool { return false }).Content(); otatest.Bootable(lost, layout.SlotB) || otatest.Chosen(lost, true) != layout.Select {
		t.Error("it would be started")
	}
}
