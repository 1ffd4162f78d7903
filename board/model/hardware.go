package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Hardware is what of a board concerns lamps, and how it does.
type Hardware struct {
	// Chip is the label of the GPIO chip whose lines the header has. Its number is no name: a Raspberry Pi 5 has it as
	// gpiochip4 up to Linux 6.6.20, as gpiochip0 from 6.6.45 on and as gpiochip11 or higher with later builds, while
	// the label stays.
	Chip    string
	Header  bool // the 40 pins of every Raspberry Pi since the B+, on the board or on the carrier that is sold with it
	Carrier bool // what there is besides depends on the board on which the module sits
	Lines   bool // it may have GPIO lines of its own names, which are looked up on the machine
	PinMA   int  // the most that one pin may give or take, mA
	SumMA   int  // the most that all pins may give together, mA: what is documented for the 3.3 V of the BCM2835 family
	Clock   bool // it has a clock that keeps time without power if a battery is plugged in
	Hot     int  // from so many degrees Celsius on it is too hot: a Raspberry Pi slows down from 80 on
}

// bcm is a Raspberry Pi whose header hangs on the processor itself. A pad drives 16 mA at most (BCM2835 ARM
// Peripherals, GPIO pads control).
func bcm(chip string) Hardware {
	return Hardware{Chip: chip, Header: true, PinMA: 16, SumMA: 50, Hot: 80}
}

// rp1 is a Raspberry Pi whose header hangs on the RP1, of which a pad drives 12 mA at most (RP1 Peripherals, pads).
func rp1() Hardware {
	return Hardware{Chip: "pinctrl-rp1", Header: true, PinMA: 12, SumMA: 50, Clock: true, Hot: 80}
}

// onCarrier is that of a module, whose usual carrier has the header or has not.
func (h Hardware) onCarrier(header bool) Hardware {
	h.Carrier, h.Header, h.Lines = true, header, !header
	return h
}

// Kind is what a pin of the header is.
type Kind string

// The kinds.
const (
	Supply3V3 Kind = "3.3 V"
	Supply5V  Kind = "5 V"
	Ground    Kind = "ground"
	Signal    Kind = "signal"
)

// Pin is one of the 40 of the header.
type Pin struct {
	Number int // as it is counted on the board: 1 to 40
	Kind   Kind
	GPIO   int      // of a signal: its number at the chip, which is its offset too
	Names  []string // of a signal: what device trees call its line, the usual name first
	Roles  []string // what else it is: "SPI0 MOSI"
	// Identity: the pin reads the memory of an expansion board at the start and is nobody's otherwise.
	Identity bool
}

// String is how a person finds the pin.
func (p Pin) String() string {
	if p.Kind == Signal {
		return fmt.Sprintf("pin %d (GPIO%d)", p.Number, p.GPIO)
	}
	return fmt.Sprintf("pin %d (%s)", p.Number, p.Kind)
}

// Bus is an SPI bus at the header, or an I2C bus; a wire that it has not is -1.
type Bus struct {
	Number            int
	MOSI, MISO, Clock int   // GPIO of SPI
	Select            []int // GPIO of the chip selects of SPI, by their number
	Data              int   // GPIO of I2C, whose clock is Clock
}

// SPI lists the SPI buses of a header.
func SPI() []Bus {
	return []Bus{
		{Number: 0, MOSI: 10, MISO: 9, Clock: 11, Select: []int{8, 7}, Data: -1},
		{Number: 1, MOSI: 20, MISO: 19, Clock: 21, Select: []int{18, 17, 16}, Data: -1},
	}
}

// I2C lists the I2C buses of a header on which lamps can hang. Bus 0 is that of the expansion boards' memories.
func I2C() []Bus {
	return []Bus{{Number: 1, MOSI: -1, MISO: -1, Clock: 3, Data: 2}}
}

// supplies are the pins that are no signals.
var supplies = [...]struct {
	kind Kind
	pins []int
}{
	{Supply3V3, []int{1, 17}}, {Supply5V, []int{2, 4}}, {Ground, []int{6, 9, 14, 20, 25, 30, 34, 39}},
}

// signals are the GPIO numbers of the header's other pins, in the order of the pins.
var signals = [...]int{2, 3, 4, 14, 15, 17, 18, 27, 22, 23, 24, 10, 9, 25, 11, 8, 7, 0, 1, 5, 6, 12, 13, 19, 16, 26, 20, 21}

// aliases are what some device trees call a line in place of GPIOn: those of Linux itself, and those of Raspberry Pi
// for the carrier of a Compute Module 4.
func aliases(gpio int) []string {
	switch gpio {
	case 0:
		return []string{"ID_SDA"}
	case 1:
		return []string{"ID_SCL"}
	case 2:
		return []string{"SDA1"}
	case 3:
		return []string{"SCL1"}
	case 4:
		return []string{"GPIO_GCLK"}
	case 7:
		return []string{"SPI_CE1_N"}
	case 8:
		return []string{"SPI_CE0_N"}
	case 9:
		return []string{"SPI_MISO"}
	case 10:
		return []string{"SPI_MOSI"}
	case 11:
		return []string{"SPI_SCLK"}
	case 14:
		return []string{"TXD1", "TXD0"}
	case 15:
		return []string{"RXD1", "RXD0"}
	}
	return nil
}

// Pins are the 40 of the header in their order: odd numbers in the row towards the middle of the board.
func Pins() []Pin {
	all := make([]Pin, 40)
	for _, s := range supplies {
		for _, n := range s.pins {
			all[n-1] = Pin{Number: n, Kind: s.kind}
		}
	}
	next := 0
	for i := range all {
		if all[i].Kind == "" {
			all[i] = signal(i+1, signals[next])
			next++
		}
	}
	return all
}

func signal(number, gpio int) Pin {
	p := Pin{Number: number, Kind: Signal, GPIO: gpio, Names: append([]string{"GPIO" + strconv.Itoa(gpio)}, aliases(gpio)...), Identity: gpio < 2}
	role := func(g int, format string, args ...any) {
		if g == gpio {
			p.Roles = append(p.Roles, fmt.Sprintf(format, args...))
		}
	}
	for _, b := range SPI() {
		role(b.MOSI, "SPI%d MOSI", b.Number)
		role(b.MISO, "SPI%d MISO", b.Number)
		role(b.Clock, "SPI%d SCLK", b.Number)
		for i, s := range b.Select {
			role(s, "SPI%d CE%d", b.Number, i)
		}
	}
	for _, b := range I2C() {
		role(b.Data, "I2C%d SDA", b.Number)
		role(b.Clock, "I2C%d SCL", b.Number)
	}
	role(14, "UART TXD")
	role(15, "UART RXD")
	for i, g := range []int{12, 13} { // each channel of the PWM reaches two pins
		role(g, "PWM%d", i)
		role(g+6, "PWM%d", i)
	}
	return p
}

// PinOf finds the pin of a GPIO number.
func PinOf(gpio int) (Pin, bool) {
	all := Pins()
	i := slices.IndexFunc(all, func(p Pin) bool { return p.Kind == Signal && p.GPIO == gpio })
	if i < 0 {
		return Pin{}, false
	}
	return all[i], true
}

// Named reads how a person or a configuration names a pin of the header: "pin 11" by what is counted on the board, or
// any name of its line, such as GPIO17. ok is false for what names none of the 40.
func Named(text string) (p Pin, ok bool) {
	all := Pins()
	if number, counted := strings.CutPrefix(strings.ToLower(text), "pin"); counted {
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil || n < 1 || n > len(all) {
			return Pin{}, false
		}
		return all[n-1], true
	}
	i := slices.IndexFunc(all, func(p Pin) bool { return slices.Contains(p.Names, text) })
	if i < 0 {
		return Pin{}, false
	}
	return all[i], true
}

// Counted tells whether a text means a pin by its number on the board.
func Counted(text string) bool {
	number, ok := strings.CutPrefix(strings.ToLower(text), "pin")
	return ok && number != "" && strings.Trim(number, " 0123456789") == ""
}
