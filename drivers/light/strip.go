package light

import (
	"errors"
	"fmt"
	"sync"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"

	"github.com/pronto-pbx/pronto/firmware/lamp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// StripKind is a chip of addressable LEDs.
type StripKind struct {
	name   string
	clock  physic.Frequency
	encode func([]rgb) []byte
	most   int // LEDs that fit into one transfer of the kernel, 4,096 bytes
}

// String names the chip.
func (k StripKind) String() string { return k.name }

// APA102 has a clock line, so that the speed of the bus is free; the SK9822 is its twin.
func APA102() StripKind { return StripKind{"apa102", 4 * physic.MegaHertz, apa102, 960} }

// WS2812 has one wire whose pulses say 0 or 1 by their length. Three bits of a 2.4 MHz bus make one of its bits; on a
// Raspberry Pi 3 or 4 the bus keeps that speed only with core_freq fixed.
func WS2812() StripKind { return StripKind{"ws2812", 2400 * physic.KiloHertz, ws2812, 430} }

// StripLamp describes one lamp on a strip: Count LEDs from First on, which counts from 0 at the box.
type StripLamp struct {
	Lamp         tel.LampID
	First, Count int
}

// OpenStrip drives the LEDs of one strip. All are dark when it returns, up to the last lamp's. The port is closed with
// the last light, or when opening fails.
func OpenStrip(port spi.PortCloser, kind StripKind, lamps []StripLamp) ([]lamp.Light, error) {
	fail := func(err error) ([]lamp.Light, error) { return nil, errors.Join(err, port.Close()) }
	var errs []error
	owner := map[int]tel.LampID{}
	length := 0
	for _, l := range lamps {
		if l.First < 0 || l.Count < 1 || l.First+l.Count > kind.most {
			errs = append(errs, fmt.Errorf("lamp %q: LEDs %d to %d are not within 0 and %d of a %s", l.Lamp, l.First, l.First+l.Count-1, kind.most-1, kind))
			continue
		}
		for n := l.First; n < l.First+l.Count; n++ {
			if other, taken := owner[n]; taken {
				errs = append(errs, fmt.Errorf("lamp %q: LED %d is already that of lamp %q", l.Lamp, n, other))
				break
			}
			owner[n] = l.Lamp
		}
		length = max(length, l.First+l.Count)
	}
	if len(lamps) == 0 {
		errs = append(errs, errors.New("a strip without lamps"))
	}
	if len(errs) > 0 {
		return fail(errors.Join(errs...))
	}
	conn, err := port.Connect(kind.clock, spi.Mode0, 8)
	if err != nil {
		return fail(fmt.Errorf("connect to the %s strip: %w", kind, err))
	}
	s := &strip{port: port, conn: conn, kind: kind, leds: make([]rgb, length), open: len(lamps)}
	if err := s.write(); err != nil {
		return fail(err)
	}
	lights := make([]lamp.Light, len(lamps))
	for i, l := range lamps {
		lights[i] = &stripLight{strip: s, lamp: l}
	}
	return lights, nil
}

// strip is the state of all its LEDs, shared by the lights on it.
type strip struct {
	mu   sync.Mutex
	port spi.PortCloser
	conn spi.Conn
	kind StripKind
	leds []rgb
	open int // lights not yet closed
}

func (s *strip) write() error {
	if err := s.conn.Tx(s.kind.encode(s.leds), nil); err != nil {
		return fmt.Errorf("write to the %s strip: %w", s.kind, err)
	}
	return nil
}

type stripLight struct {
	strip  *strip
	lamp   StripLamp
	closed bool // guarded by strip.mu
}

// ID implements lamp.Light.
func (l *stripLight) ID() tel.LampID { return l.lamp.Lamp }

// Set implements lamp.Light.
func (l *stripLight) Set(v lamp.Level) error {
	l.strip.mu.Lock()
	defer l.strip.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.show(v)
}

func (l *stripLight) show(v lamp.Level) error {
	c := colour(v)
	for n := l.lamp.First; n < l.lamp.First+l.lamp.Count; n++ {
		l.strip.leds[n] = c
	}
	return l.strip.write()
}

// Close implements lamp.Light.
func (l *stripLight) Close() error {
	l.strip.mu.Lock()
	defer l.strip.mu.Unlock()
	if l.closed {
		return nil
	}
	err := l.show(lamp.Level{})
	l.closed = true
	if l.strip.open--; l.strip.open == 0 {
		err = errors.Join(err, l.strip.port.Close())
	}
	return err
}

// apa102 is a frame: 32 zero bits, 32 bits a LED (three ones, five bits of common brightness, blue, green, red), then
// 32 zeros, which the SK9822 shows its colours after, and half a clock for each LED, since each delays the data by
// that much.
func apa102(leds []rgb) []byte {
	frame := make([]byte, 4, 8+4*len(leds)+(len(leds)+15)/16)
	for _, c := range leds {
		frame = append(frame, 0xff, c.b, c.g, c.r)
	}
	return frame[:cap(frame)]
}

// Lengths of the WS2812B's line in bytes of the 2.4 MHz bus: a low of 280 us or more shows what was sent. It is sent
// before the data too, because the line may have been high until then.
const ws2812Latch = 280*2400/1000/8 + 1

// ws2812 is a frame: green, red and blue of each LED, most significant bit first, a 1 as 110 and a 0 as 100.
func ws2812(leds []rgb) []byte {
	frame := make([]byte, ws2812Latch, 2*ws2812Latch+9*len(leds))
	for _, c := range leds {
		for _, part := range []uint8{c.g, c.r, c.b} {
			var bits uint32
			for i := 7; i >= 0; i-- {
				bits = bits<<3 | 0b100 | uint32(part>>i&1)<<1
			}
			frame = append(frame, byte(bits>>16), byte(bits>>8), byte(bits))
		}
	}
	return frame[:cap(frame)]
}
