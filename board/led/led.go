// Package led is the small light on a board by which a box without a screen says how it is.
package led

import (
	"errors"
	"os"
	"path/filepath"
)

// Pattern is what the light does.
type Pattern int

// The patterns. Each is told apart by its rhythm alone.
const (
	Starting  Pattern = iota + 1 // beats like a heart
	Working                      // is lit
	Trouble                      // flickers: the exchange does not run
	Recovery                     // blinks slowly: the recovery system waits for somebody
	Attention                    // blinks very slowly, mostly lit: the recovery page is open
	Refused                      // short flashes, mostly dark: an update that was brought is not to be trusted
)

// rhythm is a trigger of the kernel, with times in milliseconds where it has some.
type rhythm struct{ trigger, on, off string }

var rhythms = map[Pattern]rhythm{
	Starting:  {"heartbeat", "", ""},
	Working:   {"default-on", "", ""},
	Trouble:   {"timer", "100", "100"},
	Recovery:  {"timer", "1000", "1000"},
	Attention: {"timer", "2500", "500"},
	Refused:   {"timer", "100", "1400"},
}

// names are those of the light on the boards of an image.
var names = []string{"ACT", "led0"}

// Show has the light do something. dir is /sys/class/leds; a board without the light is none to complain of.
func Show(dir string, p Pattern) error {
	for _, n := range names {
		at := filepath.Join(dir, n)
		if _, err := os.Stat(filepath.Join(at, "trigger")); err != nil {
			continue
		}
		r := rhythms[p]
		err := os.WriteFile(filepath.Join(at, "trigger"), []byte(r.trigger), 0)
		if err == nil && r.on != "" {
			err = errors.Join(os.WriteFile(filepath.Join(at, "delay_on"), []byte(r.on), 0), os.WriteFile(filepath.Join(at, "delay_off"), []byte(r.off), 0))
		}
		return err
	}
	return nil
}
