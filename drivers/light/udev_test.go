package light

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rules of the package give the exchange each light that it speaks, and no other device.
func TestThePackageOpensEveryUSBLightAndNothingElse(t *testing.T) {
	text, err := os.ReadFile("../../images/debian/files/udev.rules")
	if err != nil {
		t.Fatal(err)
	}
	var opened, spoken []string
	for _, m := range regexp.MustCompile(`(?m)^KERNELS=="0003:([0-9A-F]{4}):([0-9A-F]{4})\.\*", GROUP="pronto", MODE="0660"$`).FindAllStringSubmatch(string(text), -1) {
		opened = append(opened, strings.ToLower(m[1]+":"+m[2]))
	}
	for _, m := range makers() {
		spoken = append(spoken, m.devices...)
	}
	slices.Sort(opened)
	slices.Sort(spoken)
	if !slices.Equal(opened, spoken) {
		t.Errorf("the rules open %q, spoken are %q", opened, spoken)
	}
	if n := strings.Count(string(text), "KERNELS=="); n != len(opened) {
		t.Errorf("%d rules for devices, of which %d are understood", n, len(opened))
	}
}
