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
)

// shortest is the fewest digits of an international number; less is a short code or an extension,
// which has no international form.
const shortest = 7

// In reads a number as the carrier wrote it.
func (f Format) In(n tel.Number) tel.Number {
	s := string(n)
	switch {
	case f == AsIs, n.Emergency(), strings.HasPrefix(s, "+"):
		return n
	case f == E164 && strings.HasPrefix(s, "00"):
		return tel.Number("+" + s[2:])
	case f == E164:
		if len(s) < shortest || strings.ContainsAny(s, "*#") {
			return n
		}
		return tel.Number("+" + s)
	}
	if e, ok := n.E164(); ok {
		return e
	}
	return n
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
	if f == E164 {
		return e
	}
	if rest, ok := strings.CutPrefix(string(e), "+39"); ok {
		return tel.Number(rest)
	}
	return tel.Number("00" + string(e[1:]))
}
