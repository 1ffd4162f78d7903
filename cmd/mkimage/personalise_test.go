package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/board/identity"
	"github.com/pronto-pbx/pronto/board/network"
	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ui/access"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func image(t *testing.T) string {
	t.Helper()
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs", "debugfs")
	at := filepath.Join(t.TempDir(), "image")
	if err := card.Write(t.Context(), at, nil, nil); err != nil {
		t.Fatal(err)
	}
	return at
}

func ran(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var said, errs bytes.Buffer
	err = run(t.Context(), args, &said, &errs)
	return said.String(), err
}

// taken copies a file of the image's data out.
func taken(t *testing.T, image, name string) (at string) {
	t.Helper()
	b, err := ext4.Read(t.Context(), image, layout.Offset(layout.Data), name)
	if err != nil {
		t.Fatal(err)
	}
	at = filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(at, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestABoxIsGivenItsIdentityCodeOfficeAndAddress(t *testing.T) {
	at, office, labels := image(t), filepath.Join(t.TempDir(), "office.yaml"), filepath.Join(t.TempDir(), "labels")
	if err := os.WriteFile(office, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	typed := access.NewCode()
	out, err := ran(t, "personalise", "-image", at, "-id", "7H3K9QXA", "-code", strings.ToLower(typed.String()), "-office", office,
		"-address", "192.168.1.10/24", "-gateway", "192.168.1.1", "-labels", labels)
	if err != nil {
		t.Fatal(err)
	}
	if want := "box 7H3K9QXA, http://pronto-9qxa.local/claim#" + string(typed) + ", code " + typed.String() + "\n"; out != want {
		t.Errorf("said %q, want %q", out, want)
	}
	if who, made, err := identity.Load(taken(t, at, identity.File)); err != nil || made || who.ID != "7H3K9QXA" {
		t.Errorf("identity %+v, %v, %v", who, made, err)
	}
	var code access.Code
	if err := statefile.Load(taken(t, at, "pronto/label.json"), access.CodeVersion, &code); err != nil || code != typed {
		t.Errorf("code %q, %v", code, err)
	}
	if f, err := network.LoadFixed(taken(t, at, network.File)); err != nil || f.Address.String() != "192.168.1.10/24" || f.Router.String() != "192.168.1.1" || f.DNS[0].String() != "192.168.1.1" {
		t.Errorf("address %+v, %v", f, err)
	}
	if b, err := os.ReadFile(taken(t, at, "pronto/pronto.yaml")); err != nil || string(b) != "version: 1\n" {
		t.Errorf("office %q, %v", b, err)
	}
	for _, name := range []string{"label-7H3K9QXA.svg", "label-7H3K9QXA.csv"} {
		if b, err := os.ReadFile(filepath.Join(labels, name)); err != nil || !strings.Contains(string(b), typed.String()) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestTwoBoxesOfOneImageAreNotAlike(t *testing.T) {
	at := image(t)
	first, err := ran(t, "personalise", "-image", at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ran(t, "personalise", "-image", at)
	if err != nil {
		t.Fatal(err)
	}
	_, codeOfFirst, _ := strings.Cut(first, "code ")
	if first == second || strings.HasSuffix(second, codeOfFirst) {
		t.Errorf("%q and %q", first, second)
	}
}

func TestWhoHoldsTheCardCanHaveTheBoxForgetItsOwner(t *testing.T) {
	at := image(t)
	if out, err := ran(t, "reset", "-image", at); err != nil || !strings.Contains(out, "forgets its owner") {
		t.Fatalf("%q, %v", out, err)
	}
	taken(t, at, disk.ResetMark)
	if _, err := ran(t, "reset"); err == nil {
		t.Error("reset nothing")
	}
	if _, err := ran(t, "reset", "-image", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("reset what is not there")
	}
}

func TestWhatCannotWorkIsRefusedBeforeTheImageIsTouched(t *testing.T) {
	at := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(at, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"", "-image is needed"},
		{"-image " + at + " -id 7h3k9qxa", "-id \"7h3k9qxa\" has not eight characters"},
		{"-image " + at + " -code AAAA-AAAA-A", "can be no claim code"},
		{"-image " + at + " -gateway 192.168.1.1", "go with -address"},
		{"-image " + at + " -address 192.168.1.10", "-address: "},
		{"-image " + at + " -address 192.168.1.10/24 -gateway 10.0.0.1", "is not in the network"},
		{"-image " + at + " -address 192.168.1.10/24 -dns nowhere", "-dns: "},
		{"-image " + at, "is no image of Pronto"},
		{"-image " + at + ".none", "no such file"},
	} {
		if _, err := ran(t, append([]string{"personalise"}, strings.Fields(tc.args)...)...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want %s", tc.args, err, tc.want)
		}
	}
	if _, err := ran(t, "build"); err == nil || !strings.Contains(err.Error(), "-time is needed") {
		t.Errorf("build without a time: %v", err)
	}
	for _, args := range [][]string{nil, {"flash"}, {"build", "-colour"}} {
		if _, err := ran(t, args...); err == nil {
			t.Errorf("%q is taken", args)
		} else if args == nil && !errors.Is(err, flag.ErrHelp) {
			t.Errorf("without a command: %v", err)
		}
	}
}
