// Package light drives lamps: on GPIO lines through the kernel's character device, on chains of 74HC595 shift
// registers and strips of APA102 or WS2812 LEDs through SPI, on MCP23017 and PCA9685 chips through I2C, and busy lights
// by USB. It reads push buttons on GPIO lines. What cannot dim (GPIO, 74HC595, MCP23017) lights when the brightness is
// above zero, and a colour's part from half its strength on.
package light

import (
	"errors"

	"github.com/pronto-pbx/pronto/firmware/lamp"
)

// ErrClosed is returned by Set after Close.
var ErrClosed = errors.New("the light is closed")

// parts says which of the outputs of a light are lit: the red, green and blue one of a colour
// light. Half strength is the threshold at which the eight colours that remain are nearest to the
// one that was meant; a colour too dark for any part still shows its strongest.
func parts(l lamp.Level) (r, g, b bool) {
	if l.Brightness == 0 {
		return false, false, false
	}
	if most := max(l.R, l.G, l.B); most < 128 {
		return l.R == most, l.G == most, l.B == most
	}
	return l.R >= 128, l.G >= 128, l.B >= 128
}
