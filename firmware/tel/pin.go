package tel

import (
	"errors"
	"fmt"
	"strings"
)

// ErrEasyPIN is returned for a code that others guess first.
var ErrEasyPIN = errors.New("this code is too easy")

// GoodPIN says why a code cannot protect what belongs to an internal number: 4 to 10 digits, not the
// number itself, not one digit repeated, not counted up or down. The error wraps ErrEasyPIN.
func GoodPIN(owner Number, pin string) error {
	switch {
	case len(pin) < 4 || len(pin) > 10 || strings.Trim(pin, "0123456789") != "":
		return fmt.Errorf("%w: it needs 4 to 10 digits", ErrEasyPIN)
	case strings.Trim(pin, "0") == strings.Trim(string(owner), "0"), pin == string(owner)+string(owner):
		return fmt.Errorf("%w: it is the internal number", ErrEasyPIN)
	}
	for _, step := range []byte{0, 1, 9} { // the same, up (890), down (109)
		steady := true
		for i := 1; i < len(pin); i++ {
			steady = steady && (pin[i]-pin[i-1]+10)%10 == step
		}
		if steady {
			return fmt.Errorf("%w: it repeats or counts", ErrEasyPIN)
		}
	}
	return nil
}
