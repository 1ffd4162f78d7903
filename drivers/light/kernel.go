package light

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/warthog618/go-gpiocdev"
)

// KernelChips opens every GPIO chip of this machine through the character device (uAPI v2, Linux
// 5.10 and newer). The caller closes them; lines that were taken stay. A machine without GPIO has none. Chips
// that cannot be opened, for want of permission for example, are left out and told in the error,
// which does not void the others.
func KernelChips() ([]Chip, error) {
	var chips []Chip
	var errs []error
	for _, name := range gpiocdev.Chips() {
		if gpiocdev.IsChip(name) != nil {
			continue // a symlink that some systems keep for old names
		}
		c, err := gpiocdev.NewChip(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("open %s: %w", name, err))
			continue
		}
		k := &kernelChip{chip: c, lines: make([]string, c.Lines())}
		for i := range k.lines {
			if info, err := c.LineInfo(i); err == nil {
				k.lines[i] = info.Name
			}
		}
		chips = append(chips, k)
	}
	return chips, errors.Join(errs...)
}

type kernelChip struct {
	chip  *gpiocdev.Chip
	lines []string
}

func (k *kernelChip) Name() string    { return k.chip.Name }
func (k *kernelChip) Label() string   { return k.chip.Label }
func (k *kernelChip) Lines() []string { return k.lines }
func (k *kernelChip) Close() error    { return k.chip.Close() }

func (k *kernelChip) Output(offset int, activeLow bool, user string) (Line, error) {
	options := []gpiocdev.LineReqOption{gpiocdev.WithConsumer(user)}
	if activeLow {
		options = append(options, gpiocdev.AsActiveLow)
	}
	options = append(options, gpiocdev.AsOutput(0)) // logical: dark with either polarity
	return k.chip.RequestLine(offset, options...)
}

// bounce is how long a contact may chatter.
const bounce = 10 * time.Millisecond

func (k *kernelChip) Input(offset int, activeLow bool, user string, pressed func()) (io.Closer, error) {
	options := []gpiocdev.LineReqOption{
		gpiocdev.WithConsumer(user), gpiocdev.AsInput, gpiocdev.WithDebounce(bounce), gpiocdev.WithRisingEdge, // logical
		gpiocdev.WithEventHandler(func(gpiocdev.LineEvent) { pressed() }),
	}
	if activeLow {
		options = append(options, gpiocdev.AsActiveLow, gpiocdev.WithPullUp)
	} else {
		options = append(options, gpiocdev.WithPullDown)
	}
	return k.chip.RequestLine(offset, options...)
}
