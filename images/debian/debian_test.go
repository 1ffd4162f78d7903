package debian

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/imagetest"
)

var made = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestVersionsFollowTheGrammarOfDebianAndGrow(t *testing.T) {
	for _, tc := range []struct{ name, described, want string }{
		{"a release", "v1.2.3", "1.2.3"},
		{"commits after it", "v1.2.3-4-gabc1234", "1.2.3+4+gabc1234"},
		{"with changes that are in no commit", "v1.2.3-4-gabc1234-dirty", "1.2.3+4+gabc1234+dirty"},
		{"no release yet", "9552b3c", "0~20261101120000.9552b3c"},
		{"nothing known", "", "0~20261101120000"},
		{"what no version may hold", "v1.0/ü_x:2", "1.0x2"},
		{"a word", "devel", "0~20261101120000.devel"},
	} {
		if got := Version(tc.described, made); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	imagetest.Programs(t, "dpkg")
	rising := []string{Version("9552b3c", made), Version("0000000", made.Add(time.Second)), Version("v0.1.0", made), Version("v0.1.0-4-gabc", made), Version("v0.1.1", made)}
	for i := range rising[1:] {
		if err := exec.Command("dpkg", "--compare-versions", rising[i], "lt", rising[i+1]).Run(); err != nil {
			t.Errorf("%s is not before %s: %v", rising[i], rising[i+1], err)
		}
	}
}

func release() Release {
	return Release{
		Version: "1.2.3", Release: "1.2.3", Arch: "arm64", Built: made, Maintainer: "A <a@example.org>", Example: []byte("version: 1\n"),
		Programs:  map[string][]byte{"prontod": []byte("d"), "recordd": []byte("r"), "prontoctl": []byte("c"), "otad": []byte("o")},
		Documents: map[string][]byte{"sbom.json": []byte("{}"), "licences.txt": []byte("words")},
	}
}

func TestAPackageHoldsEachProgramServiceAndDocumentOfRoot(t *testing.T) {
	imagetest.Programs(t, "dpkg-deb")
	var all [2][]byte
	for i := range all {
		at := filepath.Join(t.TempDir(), "x.deb")
		if err := Write(t.Context(), "../..", at, release()); err != nil {
			t.Fatal(err)
		}
		var err error
		if all[i], err = os.ReadFile(at); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			continue
		}
		list, err := exec.Command("dpkg-deb", "-c", at).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"-rwxr-xr-x root/root         1 2026-11-01 12:00 ./usr/lib/pronto/prontod", "./usr/lib/pronto/recordd", "./usr/lib/pronto/prontoctl", "-rwxr-xr-x root/root       339 2026-11-01 12:00 ./usr/sbin/prontoctl",
			"./usr/lib/systemd/system/pronto.service", "./usr/lib/systemd/system/prontod.service", "./usr/lib/systemd/system/pronto-records.service", "./usr/lib/systemd/system/pronto-updater.service", "./usr/lib/pronto/otad", "./usr/lib/tmpfiles.d/pronto.conf", "./usr/lib/udev/rules.d/45-pronto.rules",
			"-rw-r--r-- root/root         2 2026-11-01 12:00 ./usr/share/pronto/sbom.json", "./usr/share/pronto/licences.txt", "./usr/share/doc/pronto/copyright", "./usr/share/man/man8/prontoctl.8.gz",
		} {
			if !bytes.Contains(list, []byte(want)) {
				t.Errorf("%q is not in\n%s", want, list)
			}
		}
		for line := range strings.Lines(string(list)) {
			if !strings.Contains(line, " root/root ") || !strings.Contains(line, " 2026-11-01 12:00 ") {
				t.Errorf("whose, and of when, is %s", line)
			}
		}
		fields, err := exec.Command("dpkg-deb", "-f", at, "Package", "Version", "Architecture", "Depends").Output()
		if want := "Package: pronto\nVersion: 1.2.3\nArchitecture: arm64\nDepends: adduser\n"; err != nil || string(fields) != want {
			t.Errorf("%v %s", err, fields)
		}
	}
	if !bytes.Equal(all[0], all[1]) {
		t.Error("two packages of the same differ")
	}
}

func TestAPackageWithoutOneOfItsProgramsIsNotMade(t *testing.T) {
	r := release()
	delete(r.Programs, "recordd")
	if err := Write(t.Context(), "../..", filepath.Join(t.TempDir(), "x.deb"), r); err == nil || !strings.Contains(err.Error(), "recordd is missing") {
		t.Error(err)
	}
}

func TestScriptsAreThoseOfAPlainShell(t *testing.T) {
	for _, name := range []string{"postinst", "prerm", "postrm", "prontoctl"} {
		cmd := exec.Command("sh", "-n")
		cmd.Stdin = bytes.NewReader(file(name))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", name, err, out)
		}
	}
}

func TestServicesRunAsTheirUserWithNothingThatTheyDoNotNeed(t *testing.T) {
	for _, name := range Services() {
		unit := "\n" + string(file(name))
		who := []string{"User=pronto"}
		if name == "pronto-updater.service" { // systemd starts the package manager for root alone, which keeps none of its powers
			who = []string{"User=root", "CapabilityBoundingSet="}
		}
		for _, want := range append(who, "NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "RestrictNamespaces=yes") {
			if !strings.Contains(unit, "\n"+want+"\n") {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
}
