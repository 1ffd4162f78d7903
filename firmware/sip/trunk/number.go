package trunk

import (
	"strings"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Format is how a carrier writes telephone numbers. Inside the box a number that has an
// international form is written as + and E.164.
type Format uint8

// The formats.
const (
	AsIs     Format = iota // passed on as it comes
	E164                   // +390212345678; read with or without +
	National               // 0212345678, and 0044... for abroad
	Bare                   // 390212345678; read as E164
	Prefixed               // 00390212345678, and 0044...
)

// shortest is the fewest digits of an international number; less is a short code or an extension,
// which has no international form.
const shortest = 7

// In reads a number as the carrier wrote it. The zero that begins an Italian land line belongs to the
// number and stays, also behind +39.
func (f Format) In(n tel.Number) tel.Number {
	s := string(n)
	switch {
	case f == AsIs, n.Emergency(), strings.HasPrefix(s, "+"):
		return n
	case f != E164 && f != Bare || strings.HasPrefix(s, "0"):
		// No country code begins with 0: this is 00 and the country, or a land line.
		if e, ok := n.E164(); ok {
			return e
		}
		return n
	case len(s) < shortest || strings.ContainsAny(s, "*#"):
		return n
	}
	return tel.Number("+" + s)
}

// Out writes a number as the carrier wants it. Emergency numbers, short codes and whatever has no
// international form leave unchanged.
func (f Format) Out(n tel.Number) tel.Number {
	if f == AsIs || n.Emergency() {
		return n
	}
	e, ok := n.E164()
	if !ok {
		return n
	}
	digits := string(e[1:])
	switch f {
	case E164:
		return e
	case Bare:
		return tel.Number(digits)
	case National:
		if rest, ok := strings.CutPrefix(digits, "39"); ok {
			return tel.Number(rest)
		}
	}
	return tel.Number("00" + digits)
}
