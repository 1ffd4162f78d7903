// Package choice is the sector by which the boot loader of a Raspberry Pi chooses what to start: the file
// autoboot.txt of the first partition. It is as long as one sector, so that a change is one write, which a
// power cut leaves done or not done.
//
// Why the recovery system was chosen, and which slot it stands in for, are comments in it: the data of a box
// may be what is broken.
package choice

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/pronto-pbx/pronto/images/layout"
)

// File is its name on the first partition, Size its length in bytes.
const (
	File = "autoboot.txt"
	Size = 512
)

// Reason is why the recovery system starts.
type Reason string

// The reasons.
const (
	None   Reason = ""       // it does not
	Failed Reason = "failed" // the slot was started in vain again and again
	Button Reason = "button" // somebody held the button when the box was switched on
	Stick  Reason = "stick"  // a stick that names this box asked for it
)

// Presence tells whether the reason proves that somebody stands at the box.
func (r Reason) Presence() bool { return r == Button || r == Stick }

// Choice is what the sector says.
type Choice struct {
	Slot    int    // layout.SlotA or SlotB
	Recover Reason // not None: the recovery system starts in its place
}

// Default is the choice of a new card.
func Default() Choice { return Choice{Slot: layout.SlotA} }

// ErrDamaged is returned for a sector that chooses nothing.
var ErrDamaged = errors.New("the choice of what to start is damaged")

const comment = "# recovery for slot"

// Encode writes the sector.
func Encode(c Choice) []byte {
	other := layout.SlotA + layout.SlotB - c.Slot
	start := c.Slot
	if c.Recover != None {
		start = layout.Select
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "[all]\ntryboot_a_b=1\nboot_partition=%d\n[tryboot]\nboot_partition=%d\n", start, other)
	if c.Recover != None {
		fmt.Fprintf(&b, "%s %d: %s\n", comment, c.Slot, c.Recover)
	}
	return append(b.Bytes(), bytes.Repeat([]byte{'\n'}, Size-b.Len())...)
}

// Decode reads the sector as Encode writes it. It understands no other text of that file.
func Decode(sector []byte) (Choice, error) {
	for _, slot := range []int{layout.SlotA, layout.SlotB} {
		for _, why := range []Reason{None, Failed, Button, Stick} {
			if c := (Choice{slot, why}); bytes.Equal(sector, Encode(c)) {
				return c, nil
			}
		}
	}
	first, _, _ := strings.Cut(strings.ToValidUTF8(string(sector[:min(len(sector), 60)]), "?"), "\n\n")
	return Choice{}, fmt.Errorf("%w: it begins with %q", ErrDamaged, first)
}
