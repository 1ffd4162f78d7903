package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/bootloader"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/loader"
)

// A release is kept by the write of one sector. Wherever a power cut tears that, and whatever it leaves behind the tear,
// the boot loader starts the slot of before, the new one, or the recovery system; the box ends with a whole choice of a
// slot that holds a system, and tells truly what became of the trial.
func TestWhereverTheWriteOfTheChoiceIsTornTheBoxEndsInASystem(t *testing.T) {
	b := twoSlots(t, second, slotA)
	c, err := os.OpenFile(b.card.Disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := layout.Offset(layout.Select)
	in, err := choice.Find(partition{c, first})
	if err != nil {
		t.Fatal(err)
	}
	old, new := choice.Encode(choice.Default()), choice.Encode(choice.Choice{Slot: layout.SlotB})
	asked := trial.Begin("1.1.0", layout.SlotB, time.Time{})
	ends := map[string]int{}
	for n := 0; n <= choice.Size; n++ {
		for what, behind := range map[string][]byte{"old": old, "ones": bytes.Repeat([]byte{0xFF}, choice.Size), "zeros": make([]byte, choice.Size)} {
			sector := append(bytes.Clone(new[:n]), behind[n:]...)
			if _, err := c.WriteAt(sector, first+in); err != nil {
				t.Fatal(err)
			}
			started := loader.Partition(sector, false)
			if started == layout.Select {
				text, err := recordText(t, asked)
				if err != nil {
					t.Fatal(err)
				}
				r := &rescuer{broken: "the data lies elsewhere in this test"}
				r.log, r.card, r.plate.Files = b.log, b.card, map[string][]byte{trial.File: text}
				if r.choose() && !r.mend() {
					t.Fatalf("%d bytes, then %s: the recovery system mends nothing", n, what)
				}
				started = chosen(t, b).Slot
				ends["mended, then "+map[int]string{layout.SlotA: "the slot of before", layout.SlotB: "the new one"}[started]]++
			} else {
				ends[map[int]string{layout.SlotA: "the slot of before", layout.SlotB: "the new one"}[started]]++
			}
			b.slots.onCard = false // nothing is written down but the choice
			b.slots.loader = bootloader.Start{Slot: started}
			b.slots.begin(asked)
			want := trial.Back
			if started == layout.SlotB {
				want = trial.Kept
			}
			if got := chosen(t, b); got != (choice.Choice{Slot: started}) || b.slots.running != started || b.slots.trying || b.slots.record.Outcome != want {
				t.Fatalf("%d bytes, then %s: it runs %d, chooses %+v and says %+v", n, what, b.slots.running, got, b.slots.record)
			}
			if _, err := disk.ReadSlot(b.card, started); err != nil {
				t.Fatalf("%d bytes, then %s: %v", n, what, err)
			}
		}
	}
	if len(ends) < 3 {
		t.Errorf("not all ends were met: %v", ends)
	}
	t.Logf("figure: %d torn sectors: %v", 3*(choice.Size+1), ends)
}

// partition reads a card from the beginning of a partition on.
type partition struct {
	f  *os.File
	at int64
}

func (p partition) ReadAt(b []byte, at int64) (int, error) { return p.f.ReadAt(b, p.at+at) }
