package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestAFixedAddressThatCannotWorkIsRefusedInWords(t *testing.T) {
	for _, tc := range []struct{ address, router, want string }{
		{"192.168.1.10/24", "192.168.1.1", ""},
		{"192.168.1.10/24", "", ""},
		{"192.168.1.10/31", "", "leaves no network to live in"},
		{"192.168.1.0/24", "", "means the whole network"},
		{"192.168.1.255/24", "", "means the whole network"},
		{"127.0.0.5/8", "", "is not for a box"},
		{"224.0.0.5/8", "", "is not for a box"},
		{"2001:db8::1/64", "", "an IPv4 address with its prefix is needed"},
		{"192.168.1.10/24", "192.168.2.1", "is not in the network 192.168.1.0/24"},
		{"192.168.1.10/24", "192.168.1.10", "is the router's"},
	} {
		f := Fixed{Address: netip.MustParsePrefix(tc.address)}
		if tc.router != "" {
			f.Router = netip.MustParseAddr(tc.router)
		}
		if err := f.Validate(); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s by %s: %v, want %q", tc.address, tc.router, err, tc.want)
		}
	}
	if err := (Fixed{}).Validate(); err == nil {
		t.Error("no address at all passes")
	}
}

func TestAFixedAddressIsReadBackAndADamagedOneIsNotUsed(t *testing.T) {
	at := filepath.Join(t.TempDir(), File)
	if f, err := LoadFixed(at); f != nil || err != nil {
		t.Errorf("without a file: %v, %v", f, err)
	}
	want := Fixed{Address: netip.MustParsePrefix("10.1.2.3/8"), Router: netip.MustParseAddr("10.0.0.1"), DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}
	if err := SaveFixed(at, want); err != nil {
		t.Fatal(err)
	}
	if f, err := LoadFixed(at); err != nil || !reflect.DeepEqual(*f, want) {
		t.Errorf("%+v, %v", f, err)
	}
	if err := SaveFixed(at, Fixed{Address: netip.MustParsePrefix("10.0.0.0/8")}); err != nil {
		t.Fatal(err)
	}
	if f, err := LoadFixed(at); f != nil || err == nil {
		t.Errorf("an address that cannot work: %+v, %v", f, err)
	}
	if err := os.WriteFile(at, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := LoadFixed(at); f != nil || err == nil {
		t.Errorf("damaged: %+v, %v", f, err)
	}
}
