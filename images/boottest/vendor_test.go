package boottest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/imprint"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/images/vfat"
)

// buildReleases makes one image, and the programs that its releases are spoilt with.
func buildReleases(dir string) error {
	if out, err := goBuild(filepath.Join(dir, "mkimage"), "./cmd/mkimage"); err != nil {
		return fmt.Errorf("mkimage: %w\n%s", err, out)
	}
	cmd := exec.Command(filepath.Join(dir, "mkimage"), "build", "-root", ".", "-time", fmt.Sprint(built.Unix()), "-version", "test", "-out", filepath.Join(dir, "one"))
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	for _, name := range []string{"updater", "deaf", "crasher", "freezer", "refuser"} {
		if out, err := goBuild(filepath.Join(dir, name), "./images/boottest/testdata/"+name, "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
	}
	if out, err := goBuild(filepath.Join(dir, "helper"), "./cmd/prontoinit", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64", "GOFLAGS=-tags="+recipe.RecoveryTag); err != nil {
		return fmt.Errorf("the first program of the recovery system: %w\n%s", err, out)
	}
	return unpack(dir, filepath.Join(dir, "one", "pronto.img"))
}

// planted are programs of testdata by the place that they have in a system.
type planted map[string]string

// system is one for a slot: the image's own, with a version, the updater of these tests, and other programs planted.
type system struct {
	version string
	planted planted
	damaged bool // its initramfs cannot be unpacked
	own     bool // it has the image's own updater
	// documents are further files of /usr/share/pronto.
	documents map[string][]byte
}

// part makes what such a release has for a slot, of slot A of the image.
func (r system) part(t *testing.T) []byte {
	t.Helper()
	at := filepath.Join(t.TempDir(), "slot")
	if out, err := exec.Command("dd", "if="+made("one/pronto.img"), "of="+at, "bs=4M", "conv=sparse", "status=none", fmt.Sprintf("skip=%d", layout.Offset(layout.SlotA)/(4*layout.MiB)), fmt.Sprintf("count=%d", layout.SlotSize/(4*layout.MiB))).CombinedOutput(); err != nil {
		t.Fatalf("dd: %v\n%s", err, out)
	}
	r.into(t, at, 0)
	f, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := vfat.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	used, err := v.Used()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, used)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// into puts the release in the place of the image's system, in the file system that begins at offset in a file.
func (r system) into(t *testing.T, at string, offset int64) {
	t.Helper()
	own, err := json.Marshal(imprint.Imprint{Version: r.version, Time: built.Unix(), Kernel: "of the image", Epoch: 1, Data: imprint.Data{Writes: 1, Reads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(made("initramfs.zst"))
	if err != nil {
		t.Fatal(err)
	}
	all := []cpio.Entry{{Name: "usr/share/pronto/" + imprint.File, Mode: 0o644, Data: own}}
	for name, b := range r.documents {
		all = append(all, cpio.Entry{Name: "usr/share/pronto/" + name, Mode: 0o644, Data: b})
	}
	programs := planted{"bin/otad": "updater"}
	if r.own {
		programs = planted{}
	}
	for place, name := range r.planted {
		programs[place] = name
	}
	for place, name := range programs {
		program, err := os.ReadFile(made(name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, cpio.Entry{Name: place, Mode: 0o755, Data: program})
	}
	var more bytes.Buffer
	if err := cpio.Write(&more, all); err != nil {
		t.Fatal(err)
	}
	packed = append(packed, make([]byte, (4-len(packed)%4)%4)...)
	if r.damaged {
		copy(packed[len(packed)/2:], bytes.Repeat([]byte{0xA5}, 4096))
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"initramfs.zst": append(packed, more.Bytes()...), imprint.File: own} {
		from := filepath.Join(dir, name)
		if err := os.WriteFile(from, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("mcopy", "-o", "-i", fmt.Sprintf("%s@@%d", at, offset), from, "::"+name).CombinedOutput(); err != nil {
			t.Fatalf("mcopy %s: %v\n%s", name, err, out)
		}
	}
}

// vendor is the server at the other end of a cable from which the updater of these tests takes its orders and releases.
type vendor struct {
	t      *testing.T
	orders chan string
	said   chan string

	asked int // orders

	mu   sync.Mutex
	part []byte
	over chan struct{} // closed when the updater that asks now is another one
}

// open has the vendor answer at our end of a cable.
func open(t *testing.T, c *cable) *vendor {
	t.Helper()
	v := &vendor{t: t, orders: make(chan string), said: make(chan string), over: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /next", v.next)
	mux.HandleFunc("POST /said", func(_ http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return // its power was cut
		}
		select {
		case v.said <- string(b):
		case <-v.gone():
		}
	})
	mux.HandleFunc("GET /slot", func(w http.ResponseWriter, q *http.Request) {
		v.mu.Lock()
		part := v.part
		v.mu.Unlock()
		http.ServeContent(w, q, "slot", time.Time{}, bytes.NewReader(part))
	})
	l, err := net.Listen("tcp", netip.AddrPortFrom(c.us, 80).String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := &http.Server{Handler: mux, BaseContext: func(net.Listener) context.Context { return ctx }, ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() {
		v.forget()
		cancel()
		_ = server.Close()
		<-served
	})
	return v
}

// forget sends away whoever waits for an order: its machine was switched off.
func (v *vendor) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.over)
	v.over = make(chan struct{})
}

func (v *vendor) gone() chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.over
}

func (v *vendor) next(w http.ResponseWriter, q *http.Request) {
	v.forget() // an updater asks once at a time, so who asked before is no more
	select {
	case order := <-v.orders:
		_, _ = io.WriteString(w, order)
	case <-v.gone():
	case <-q.Context().Done():
	}
}

// order has the updater of a machine do something, and returns what it says.
func (v *vendor) order(m *machine, line string) string {
	v.t.Helper()
	number := v.begin(m, line)
	timer := time.NewTimer(4 * patience)
	defer timer.Stop()
	for {
		select {
		case said := <-v.said:
			if own, ok := strings.CutPrefix(said, number); ok {
				return own
			}
		case <-timer.C:
			v.t.Fatalf("the updater does not do %q\n%s", line, m.text())
		}
	}
}

// begin gives an order, and returns how the answer to it begins.
func (v *vendor) begin(m *machine, line string) (number string) {
	v.t.Helper()
	v.asked++
	number = fmt.Sprint(v.asked) + " "
	select {
	case v.orders <- number + line:
	case <-time.After(2 * patience):
		v.t.Fatalf("the updater does not ask for the order %q\n%s", line, m.text())
	}
	return number
}

// does has the updater do what must go well.
func (v *vendor) does(m *machine, line string) {
	v.t.Helper()
	if said := v.order(m, line); strings.HasPrefix(said, "error") {
		v.t.Fatalf("%s: %s\n%s", line, said, m.text())
	}
}

// refuses has the updater ask for what is not given.
func (v *vendor) refuses(m *machine, line, want string) {
	v.t.Helper()
	if said := v.order(m, line); !strings.HasPrefix(said, "error: ") || !strings.Contains(said, want) {
		v.t.Errorf("%s: %q, want %q", line, said, want)
	}
}

// slots is how the first program says it stands.
func (v *vendor) slots(m *machine) (s gate.Slots) {
	v.t.Helper()
	if said := v.order(m, "slots"); json.Unmarshal([]byte(said), &s) != nil {
		v.t.Fatalf("slots: %s", said)
	}
	return s
}
