package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/pronto-pbx/pronto/firmware/statefile"
)

// File is where a fixed address lies below the directory of the data. Without it a box asks for one.
const File = "network.json"

const fixedVersion = 1

// Fixed is an address that was chosen by hand.
type Fixed struct {
	Address netip.Prefix `json:"address"` // of the box, with the length of its network
	Router  netip.Addr   `json:"router"`  // invalid: none
	DNS     []netip.Addr `json:"dns,omitempty"`
}

// Validate says in words what cannot work.
func (f Fixed) Validate() error {
	a := f.Address.Addr()
	switch {
	case !f.Address.IsValid() || !a.Is4():
		return errors.New("fixed address: an IPv4 address with its prefix is needed, as 192.168.1.10/24")
	case f.Address.Bits() < 8 || f.Address.Bits() > 30:
		return fmt.Errorf("fixed address: prefix /%d leaves no network to live in; /8 to /30 do", f.Address.Bits())
	case a == f.Address.Masked().Addr() || a == broadcast(f.Address):
		return fmt.Errorf("fixed address: %v means the whole network, not a box in it", a)
	case a.IsLoopback() || a.IsMulticast() || a.IsUnspecified():
		return fmt.Errorf("fixed address: %v is not for a box", a)
	case f.Router.IsValid() && !f.Address.Contains(f.Router):
		return fmt.Errorf("fixed address: the router %v is not in the network %v", f.Router, f.Address.Masked())
	case f.Router == a:
		return fmt.Errorf("fixed address: %v is the router's", a)
	}
	return nil
}

func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// SaveFixed writes the file at path, safe from a power cut.
func SaveFixed(path string, f Fixed) error { return statefile.Save(path, fixedVersion, f) }

// LoadFixed reads the file at path; nil where there is none. A damaged one is an error, and the box asks
// for an address.
func LoadFixed(path string) (*Fixed, error) {
	var f Fixed
	if err := statefile.Load(path, fixedVersion, &f); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := f.Validate(); err != nil {
		return nil, err
	}
	return &f, nil
}
