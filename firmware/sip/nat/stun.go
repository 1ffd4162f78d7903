// Package nat knows what an address translator does to SIP: it asks STUN servers for the address
// that others see (RFC 8489), and recognises a router that rewrites SIP on its way (a SIP ALG).
// It is pure; sip/stack sends and receives.
package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// ID is the number of a STUN transaction.
type ID [12]byte

const (
	cookie         = 0x2112A442 // RFC 8489 section 5
	head           = 20
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	bindingError   = 0x0111

	attrMapped    = 0x0001
	attrErrorCode = 0x0009
	attrXORMapped = 0x0020
)

// Errors of Parse.
var (
	ErrNotSTUN = errors.New("this is no answer to a STUN binding request")
	ErrRefused = errors.New("the STUN server refused")
)

// Request packs a binding request.
func Request(id ID) []byte {
	b := make([]byte, head)
	binary.BigEndian.PutUint16(b, bindingRequest)
	binary.BigEndian.PutUint32(b[4:], cookie)
	copy(b[8:], id[:])
	return b
}

// IsSTUN tells STUN from SIP on one port: SIP begins with a letter, STUN with two zero bits and the
// magic cookie (RFC 8489 section 5).
func IsSTUN(raw []byte) bool {
	return len(raw) >= head && raw[0]&0xC0 == 0 && binary.BigEndian.Uint32(raw[4:]) == cookie
}

// Parse reads the answer to a binding request: its number and our address as the server saw it.
func Parse(raw []byte) (ID, netip.AddrPort, error) {
	var id ID
	if !IsSTUN(raw) || int(binary.BigEndian.Uint16(raw[2:])) != len(raw)-head {
		return id, netip.AddrPort{}, ErrNotSTUN
	}
	copy(id[:], raw[8:head])
	kind := binary.BigEndian.Uint16(raw)
	if kind != bindingSuccess && kind != bindingError {
		return id, netip.AddrPort{}, ErrNotSTUN
	}
	var mapped, plain netip.AddrPort
	code := 0
	for rest := raw[head:]; len(rest) > 0; {
		if len(rest) < 4 {
			return id, netip.AddrPort{}, ErrNotSTUN
		}
		name, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := (size + 3) &^ 3
		if len(rest)-4 < padded {
			return id, netip.AddrPort{}, ErrNotSTUN
		}
		value := rest[4 : 4+size]
		rest = rest[4+padded:]
		switch {
		case name == attrXORMapped:
			mapped = address(value, raw[4:head])
		case name == attrMapped:
			plain = address(value, make([]byte, 16))
		case name == attrErrorCode && size >= 4:
			code = int(value[2]&7)*100 + int(value[3])%100
		case name < 0x8000 && kind == bindingSuccess && name != attrErrorCode:
			// RFC 8489 section 6.3.3: what must be understood and is not spoils the answer.
			return id, netip.AddrPort{}, fmt.Errorf("%w: it demands attribute %#04x", ErrRefused, name)
		}
	}
	if kind == bindingError {
		return id, netip.AddrPort{}, fmt.Errorf("%w with code %d", ErrRefused, code)
	}
	if !mapped.IsValid() {
		mapped = plain // servers of RFC 3489
	}
	if !mapped.IsValid() || mapped.Port() == 0 {
		return id, netip.AddrPort{}, ErrNotSTUN
	}
	return id, mapped, nil
}

// address reads an address that is masked with the cookie and the number (RFC 8489 section 14.2).
func address(v, mask []byte) netip.AddrPort {
	if len(v) != 8 && len(v) != 20 || v[1] != 1 && len(v) == 8 || v[1] != 2 && len(v) == 20 {
		return netip.AddrPort{}
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ binary.BigEndian.Uint16(mask)
	a := append([]byte(nil), v[4:]...)
	for i := range a {
		a[i] ^= mask[i]
	}
	addr, _ := netip.AddrFromSlice(a)
	return netip.AddrPortFrom(addr.Unmap(), port)
}

// Answer packs the success that a server gives to a request, for tests and for peers that ask us.
func Answer(id ID, seen netip.AddrPort) []byte {
	addr := seen.Addr().AsSlice()
	family := byte(1)
	if seen.Addr().Is6() {
		family = 2
	}
	b := Request(id)
	binary.BigEndian.PutUint16(b, bindingSuccess)
	binary.BigEndian.PutUint16(b[2:], uint16(8+len(addr)))
	b = binary.BigEndian.AppendUint16(b, attrXORMapped)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(addr)))
	b = append(b, 0, family)
	b = binary.BigEndian.AppendUint16(b, seen.Port()^cookie>>16)
	for i, x := range addr {
		b = append(b, x^b[4+i])
	}
	return b
}

// RequestID returns the number of a binding request, for a server.
func RequestID(raw []byte) (id ID, ok bool) {
	if !IsSTUN(raw) || binary.BigEndian.Uint16(raw) != bindingRequest {
		return id, false
	}
	copy(id[:], raw[8:head])
	return id, true
}
