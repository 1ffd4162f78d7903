package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ResetMark is the file in the directory of the data that asks for a factory reset at the next start. What it
// holds is who asked.
const ResetMark = "factory-reset"

// Who asks for a factory reset.
const (
	ByPage   = "page"
	ByStick  = "stick"
	ByButton = "button"
	ByCard   = "card" // whoever had it in their hands, with mkimage reset
)

// kept outlives a factory reset: who the box is, the code on its label, and which system it last ran, so that none that
// its vendor has withdrawn can be put in the place of that.
var kept = []string{"box.json", "pronto/label.json", "kept.json"}

// AskReset asks for a factory reset at the next start.
func AskReset(dir, by string) error {
	return restore(dir, ResetMark, []byte(by+"\n"))
}

// ResetAsked tells whether the mounted data asks for a factory reset, and who did.
func ResetAsked(dir string) (by string, asked bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, ResetMark))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("factory reset: %w", err)
	}
	switch by = strings.TrimSpace(string(b)); by {
	case ByPage, ByStick, ByButton:
		return by, true, nil
	}
	return ByCard, true, nil
}

// Condemn notes on the card's plate that its data is to be erased, and by whom; from here on only Renew makes
// it usable again. What the data at dir says of the box itself is saved; where dir is empty, since the data
// cannot be mounted any more, the plate has it already. Nothing is written into the data.
func Condemn(c Card, dir, by string, now time.Time) error {
	p, err := ReadPlate(c)
	if err != nil && !errors.Is(err, ErrNoPlate) {
		return fmt.Errorf("factory reset: %w", err)
	}
	if dir != "" {
		p.take(dir)
	}
	p.Erasing, p.Resets = true, append(p.Resets, ResetNote{now.UTC().Truncate(time.Second), by})
	if err := WritePlate(c, p); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	return nil
}

// Condemned tells whether the data of a card is to be erased.
func Condemned(c Card) (Plate, bool) {
	p, err := ReadPlate(c)
	return p, err == nil && p.Erasing
}

// Reprieve ends an erasure: the data at dir is new, mounted, and gets what the plate keeps.
func Reprieve(c Card, dir string, p Plate) error {
	var failed []error
	for _, name := range kept {
		if b := p.Files[name]; len(b) > 0 {
			failed = append(failed, restore(dir, name, b))
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("factory reset: %w", err)
	}
	p.Erasing = false
	return WritePlate(c, p)
}
