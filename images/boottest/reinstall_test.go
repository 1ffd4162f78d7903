package boottest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/loader"
)

// spoilt is a box neither of whose slots holds a system, with a recovery system that knows a vendor.
type spoilt struct {
	*tried
	p     *publisher
	code  string // of the label
	stick string
}

// newSpoilt makes one that has the office of the tests. Its vendor offers release 1.0.0.
func newSpoilt(t *testing.T, wire int) *spoilt {
	t.Helper()
	b := &tried{t: t, card: card(t, layout.ImageSize), wire: lay(t, wire)}
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office), 0o600); err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(personalise(t, b.card, "-id", boxID, "-office", file), "claim#")
	code, _, _ = strings.Cut(code, ",")
	s := &spoilt{tried: b, p: publish(t, b.wire), code: code}
	s.know()
	s.p.offers(system{version: "1.0.0", documents: s.p.documents, own: true}, "arm64")
	f, err := os.OpenFile(b.card, os.O_WRONLY, 0)
	if err == nil { // B has never held anything
		_, err = f.WriteAt(bytes.Repeat([]byte{0xA5}, 4<<20), layout.Offset(layout.SlotA))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// know puts into the recovery system what an image that was made with a vendor has there: no image of the tests may be
// made with the keys that everybody has.
func (s *spoilt) know() {
	s.t.Helper()
	packed, err := fat.Read(s.t.Context(), s.card, layout.Offset(layout.Select), "initramfs.zst")
	if err != nil {
		s.t.Fatal(err)
	}
	program, err := os.ReadFile(made("helper"))
	if err != nil {
		s.t.Fatal(err)
	}
	all := []cpio.Entry{{Name: "bin/prontoinit", Mode: 0o755, Data: program}}
	for name, b := range s.p.documents {
		all = append(all, cpio.Entry{Name: "usr/share/pronto/" + name, Mode: 0o644, Data: b})
	}
	var more bytes.Buffer
	if err := cpio.Write(&more, all); err != nil {
		s.t.Fatal(err)
	}
	packed = append(packed, make([]byte, (4-len(packed)%4)%4)...)
	from := filepath.Join(s.t.TempDir(), "initramfs.zst")
	if err := os.WriteFile(from, append(packed, more.Bytes()...), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("mcopy", "-o", "-i", fmt.Sprintf("%s@@%d", s.card, layout.Offset(layout.Select)), from, "::initramfs.zst").CombinedOutput(); err != nil {
		s.t.Fatalf("mcopy: %v\n%s", err, out)
	}
}

// bundle is a release of the vendor as a file.
func (s *spoilt) bundle(version string) []byte {
	s.t.Helper()
	var b bytes.Buffer
	if err := s.p.Bundle(&b, "stable", version, nil); err != nil {
		s.t.Fatal(err)
	}
	return b.Bytes()
}

// puts makes a stick with updates on it, and the order to open the recovery system.
func (s *spoilt) puts(updates map[string][]byte) {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "stick-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.stick = filepath.Join(dir, "stick")
	files := []fat.File{{Name: "pronto.txt", Data: []byte(boxID + " recovery\r\n")}}
	for name, b := range updates {
		files = append(files, fat.File{Name: "pronto/" + name, Data: b})
	}
	if err := fat.Make(s.t.Context(), s.stick, fat.Spec{Label: "CHIAVETTA", ID: 1, Size: 512 << 20, Cluster: 4, Files: files}); err != nil {
		s.t.Fatal(err)
	}
}

// helps starts what the boot loader starts, which is the recovery system, and plugs the stick in.
func (s *spoilt) helps() {
	s.t.Helper()
	f, err := os.Open(s.card)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	l, err := loader.Load(f, false)
	if err != nil || l.Partition != layout.Select {
		s.t.Fatalf("the boot loader starts partition %d, %v\n%s", l.Partition, err, s.said())
	}
	s.m = start(s.t, options{disk: s.card, loaded: &l, once: true, cable: s.wire, stick: s.stick})
	s.m.says("msg=\"recovery system\"", 1)
	if s.stick != "" {
		s.m.plug()
	}
}

// enter has somebody give the code of the label.
func (s *spoilt) enter() *guest {
	s.t.Helper()
	s.wire.answers(s.t, s.m)
	g := newGuest(s.t, s.wire)
	if status, _ := g.post("/install", url.Values{"from": {"1.0.0.update"}}); status != http.StatusForbidden {
		s.t.Errorf("a stranger installs: %d", status)
	}
	if status, _ := g.post("/enter", url.Values{"code": {s.code}}); status != http.StatusSeeOther {
		s.t.Fatalf("the code of the label: %d\n%s", status, s.m.text())
	}
	return g
}

// installs begins, and waits until the page says something.
func (s *spoilt) installs(g *guest, from, until string) {
	s.t.Helper()
	if status, body := g.post("/install?lang=en", url.Values{"from": {from}}); status != http.StatusSeeOther && status != http.StatusOK {
		s.t.Fatalf("%q: %d %s\n%s", from, status, body, s.m.text())
	}
	var body string
	for end := time.Now().Add(2 * patience); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if _, body = g.get("/?lang=en"); strings.Contains(body, until) {
			return
		}
	}
	s.t.Fatalf("%q: the page does not say %q: %s\n%s", from, until, body, s.m.text())
}

// comesBack judges that the box runs what was installed, with its office as it was.
func (s *spoilt) comesBack() {
	s.t.Helper()
	s.resets(patience)
	s.on(layout.SlotB)
	s.m.says("the system was installed again", 1)
	s.m.says("msg=start service=prontoinit failed_before=0", 1)
	s.carries()
}

func TestABoxWhoseSlotsAreBothSpoiltHasAReleaseInstalledFromAStick(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := newSpoilt(t, 47)
	whole := s.bundle("1.0.0")
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1 // in the content, which is nearly all of it
	s.puts(map[string][]byte{"1.0.0.update": whole, "damaged.update": damaged, "holiday.update": []byte("a picture")})
	s.helps()
	g := s.enter()
	if _, body := g.get("/?lang=en"); !strings.Contains(body, "<option>1.0.0.update</option>") || !strings.Contains(body, "<code>http://"+s.wire.us.String()+"/pronto</code>") {
		t.Errorf("the page offers: %s", body)
	}
	s.installs(g, "holiday.update", "this is no whole file of a vendor")
	s.installs(g, "damaged.update", "what came is damaged")

	// The power is cut while it is written: the recovery system starts again, and does it again.
	s.installs(g, "1.0.0.update", "Version 1.0.0 is being written")
	s.m.cut()
	s.helps()
	s.m.press(`the page is open" service=prontoinit by=button`)
	g = s.enter()
	scan(t, s.wire, 80, 443)
	s.installs(g, "1.0.0.update", "Version 1.0.0 is installed")
	s.comesBack()
	fmt.Printf("both slots spoilt, refused twice, cut once, installed from a stick, a call: %.0f s\n", time.Since(began).Seconds())
}

func TestABoxWhoseSlotsAreBothSpoiltHasAReleaseInstalledFromItsVendorsServer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := newSpoilt(t, 48)
	s.helps()
	s.m.press(`the page is open" service=prontoinit by=button`)
	s.installs(s.enter(), "", "Version 1.0.0 is installed")
	s.comesBack()
	fmt.Printf("both slots spoilt, installed from a server, a call: %.0f s\n", time.Since(began).Seconds())
}
