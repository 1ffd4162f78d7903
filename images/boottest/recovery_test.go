package boottest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/pronto-pbx/pronto/board/disk"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/layout"
)

// secret is what no byte of may be left on a card after a factory reset.
const secret = "il segreto della bottega, 8f3a51c0"

// stickWith makes a stick of FAT32 with an order on it.
func stickWith(t *testing.T, order string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stick-") // QEMU takes no comma in a path, and the names of tests have some
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := filepath.Join(dir, "stick")
	var files []fat.File
	if order != "" {
		files = append(files, fat.File{Name: "pronto.txt", Data: []byte(order + "\r\n")})
	}
	if err := fat.Make(t.Context(), at, fat.Spec{Label: "CHIAVETTA", ID: 1, Size: 64 << 20, Cluster: 1, Files: files}); err != nil {
		t.Fatal(err)
	}
	return at
}

// plant puts the secret into the data of a card: into a file, and into another that is removed again.
func plant(t *testing.T, disk string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(at, bytes.Repeat([]byte(secret+"\n"), 20_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pronto/secret", "pronto/removed"} {
		if err := ext4.Put(t.Context(), disk, layout.Offset(layout.Data), name, at); err != nil {
			t.Fatal(err)
		}
	}
	debugfs(t, disk, "rm /pronto/removed")
	if n := secrets(t, disk); n < 40_000 {
		t.Fatalf("only %d secrets were planted", n)
	}
}

// debugfs does something in the data of a card.
func debugfs(t *testing.T, disk, command string) {
	t.Helper()
	if out, err := exec.Command("debugfs", "-w", "-R", command, fmt.Sprintf("%s?offset=%d", disk, layout.Offset(layout.Data))).CombinedOutput(); err != nil {
		t.Fatalf("debugfs %s: %v\n%s", command, err, out)
	}
}

// secrets counts the secret on the whole card.
func secrets(t *testing.T, disk string) (n int) {
	t.Helper()
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keep := len(secret) - 1
	b := make([]byte, 4<<20)
	have := 0
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		got, err := io.ReadFull(r, b[have:])
		n += bytes.Count(b[:have+got], []byte(secret))
		if err != nil {
			return n
		}
		copy(b, b[len(b)-keep:])
		have = keep
	}
}

// guest is a browser in front of the page of the recovery system.
type guest struct {
	t    *testing.T
	site string // "http://192.168.90.50"
	http.Client
}

func newGuest(t *testing.T, c *cable) *guest {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, site: "http://" + c.box.String(), Client: *browser}
	g.Jar, g.Timeout = jar, patience
	return g
}

// unheard is a guest who comes over HTTPS, and takes the box's word for who it is.
func unheard(t *testing.T, c *cable) *guest {
	g := newGuest(t, c)
	g.site = "https://" + c.box.String()
	g.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // whose certificate it is, is not judged here
	return g
}

func (g *guest) post(path string, form url.Values) (status int, body string) {
	g.t.Helper()
	return g.send(path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (g *guest) send(path, kind string, content io.Reader) (status int, body string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, g.site+path, content)
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Origin", g.site)
	return g.read(g.Do(req))
}

func (g *guest) get(path string) (status int, body string) {
	g.t.Helper()
	return g.read(g.Get(g.site + path))
}

func (g *guest) read(res *http.Response, err error) (int, string) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

var keyForm = regexp.MustCompile(`AGE-SECRET-KEY-1[0-9A-Z]+`)

func TestABoxThatDoesNotStartOpensItsRecoverySystemToWhoStandsInFrontOfItAndForgetsItsOwner(t *testing.T) {
	t.Parallel()
	card, wire := card(t, layout.ImageSize), lay(t, 20)
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office), 0o600); err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(personalise(t, card, "-id", boxID, "-office", file), "claim#")
	code, _, _ = strings.Cut(code, ",")
	plant(t, card)

	// Three starts that are over before the exchange is ready.
	for n := range 3 {
		m := start(t, options{disk: card, initrd: chosen(t, card), once: true})
		m.says(fmt.Sprintf("msg=start service=prontoinit failed_before=%d", n), 1)
		m.cut()
	}
	m := start(t, options{disk: card, initrd: chosen(t, card), once: true})
	m.says("recovery: it came to nothing too often", 1)
	m.restarts()

	// The recovery system is not in the network until a stick names the box.
	stick := stickWith(t, strings.ToLower(boxID)+" recovery")
	m = start(t, options{disk: card, initrd: chosen(t, card), once: true, cable: wire, stick: stick})
	m.says("id="+boxID+" name=pronto-9qxa why=failed", 1)
	if conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(wire.box, 80).String(), 3*time.Second); err == nil {
		_ = conn.Close()
		t.Error("its port is open to whoever is in the network")
	}
	m.plug()
	m.says("somebody stands at the box: the page is open", 1)
	wire.answers(t, m)

	g := newGuest(t, wire)
	if status, body := g.get("/?lang=en"); status != http.StatusOK || !strings.Contains(body, `action="/enter`) || strings.Contains(body, `action="/reset`) {
		t.Errorf("a stranger sees %d %s", status, body)
	}
	if status, _ := g.post("/reset", url.Values{"typed": {boxID}}); status != http.StatusForbidden {
		t.Errorf("a stranger resets: %d", status)
	}
	if status, _ := g.post("/enter", url.Values{"code": {"0000-0000-0"}}); status != http.StatusForbidden {
		t.Errorf("a wrong code: %d", status)
	}
	if status, _ := g.post("/enter", url.Values{"code": {code}}); status != http.StatusSeeOther {
		t.Fatalf("the code of the label: %d\n%s", status, m.text())
	}
	if _, body := g.get("/?lang=en"); !strings.Contains(body, "did not come up") || !strings.Contains(body, "can be read.") {
		t.Errorf("inside: %s", body)
	}
	scan(t, wire, 80, 443)
	takenAway(t, wire, code)

	status, body := g.post("/copy?lang=en", nil)
	key := keyForm.FindString(body)
	if status != http.StatusOK || key == "" {
		t.Fatalf("the copy: %d %s\n%s", status, body, m.text())
	}
	if status, body := g.post("/reset?lang=en", url.Values{"typed": {boxID}}); status != http.StatusOK || !strings.Contains(body, "erases itself now") {
		t.Fatalf("the reset: %d %s", status, body)
	}
	m.restarts()
	opened(t, stick, key)
	if out, err := exec.Command("mdir", "-b", "-i", stick, "::pronto-done.txt").CombinedOutput(); err != nil {
		t.Errorf("the order on the stick is not crossed out: %v\n%s", err, out)
	}

	// The usual system erases the data, and is new.
	m = start(t, options{disk: card, initrd: chosen(t, card), once: true, cable: wire})
	m.says("factory reset: nothing of the owner is left", 1)
	wire.answers(t, m)
	m.says("id="+boxID+" name=pronto-9qxa new=false", 1)
	m.says("phones=0 queues=0", 1)

	// Its next owner gives it away again, on the page, which does so where nobody overhears the password.
	const password = "una frase lunga per la scatola"
	g = unheard(t, wire)
	if status, body := g.post("/claim", url.Values{"code": {code}, "name": {"titolare"}, "password": {password}}); status != http.StatusSeeOther {
		t.Fatalf("the claim: %d %s", status, body)
	}
	if status, body := g.post("/reset?lang=en", url.Values{"typed": {"Pronto"}, "old": {password}}); status != http.StatusOK || !strings.Contains(body, "erases itself now") {
		t.Fatalf("the reset on the page: %d %s", status, body)
	}
	m.restarts()
	m = start(t, options{disk: card, initrd: chosen(t, card), once: true, cable: wire})
	m.says("asked_by=page", 1)
	wire.answers(t, m)
	claim(t, wire, code)
	m.switchOff()
	if n := secrets(t, card); n > 0 {
		t.Errorf("%d secrets are left on the card", n)
	}
	if err := ext4.Check(t.Context(), partition(t, card, layout.Data)); err != nil {
		t.Error(err)
	}
}

var takeForm = regexp.MustCompile(`href="(/take/pronto-[^"]+\.age)"`)

// takenAway has somebody who has the code take a copy away over the network, and opens it with the key that was shown.
func takenAway(t *testing.T, c *cable, code string) {
	t.Helper()
	g := unheard(t, c)
	if status, _ := g.post("/take", nil); status != http.StatusForbidden {
		t.Errorf("a stranger takes a copy away: %d", status)
	}
	if status, _ := g.post("/enter", url.Values{"code": {code}}); status != http.StatusSeeOther {
		t.Fatalf("the code of the label, over HTTPS: %d", status)
	}
	status, body := g.post("/take?lang=en", nil)
	key, where := keyForm.FindString(body), takeForm.FindStringSubmatch(body)
	if status != http.StatusOK || key == "" || where == nil {
		t.Fatalf("a copy to be taken away: %d %s", status, body)
	}
	status, copied := g.get(where[1])
	if status != http.StatusOK {
		t.Fatalf("the copy: %d", status)
	}
	unlocked(t, strings.NewReader(copied), key)
}

// unlocked reads a backup of the office with a key.
func unlocked(t *testing.T, from io.Reader, key string) {
	t.Helper()
	kit, err := age.ParseX25519Identity(key)
	if err != nil {
		t.Fatal(err)
	}
	if m, total, err := backup.Check(from, kit); err != nil || m.Name != "Bottega" || total.Files == 0 {
		t.Errorf("the copy: %+v, %+v, %v", m, total, err)
	}
}

// opened reads the backup of a stick with a key.
func opened(t *testing.T, stick, key string) {
	t.Helper()
	at := filepath.Join(t.TempDir(), "copies")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mcopy", "-i", stick, "::pronto-*.age", at).CombinedOutput(); err != nil {
		t.Fatalf("no copy on the stick: %v\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(at, "*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("on the stick lie %q, %v", found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unlocked(t, f, key)
}

func TestTheButtonOpensTheRecoverySystemAndSwitchesItOff(t *testing.T) {
	t.Parallel()
	card, wire := card(t, layout.ImageSize), lay(t, 21)
	personalise(t, card, "-id", boxID)
	if err := disk.WriteChoice(disk.Card{Disk: card, Table: layout.Table()}, choice.Choice{Slot: layout.SlotA, Recover: choice.Failed}); err != nil {
		t.Fatal(err)
	}
	m := start(t, options{disk: card, initrd: chosen(t, card), once: true, cable: wire})
	m.says("why=failed", 1)
	m.says("waits for somebody", 1)
	m.press(`the page is open" service=prontoinit by=button`)
	wire.answers(t, m)
	m.switchOff()
	// Switching it off and on leads out of it.
	if got := chosen(t, card); got != "initramfs.zst" {
		t.Errorf("next starts %s", got)
	}
}

func TestAnExchangeThatRefusesToStartIsExplainedOnAPage(t *testing.T) {
	t.Parallel()
	wire := lay(t, 23)
	m := start(t, options{disk: card(t, layout.ImageSize), initrd: "refuser.initramfs", cable: wire})
	wire.answers(t, m)
	g := newGuest(t, wire)
	status, body := g.get("/queues?lang=en")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "refuses to start") || !strings.Contains(body, "the office has 2 mistakes") {
		t.Errorf("%d %s", status, body)
	}
	scan(t, wire, 80, 443)
}
