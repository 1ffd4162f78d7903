package boottest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/images/ext4"
	"github.com/pronto-pbx/pronto/images/layout"
)

const (
	boxID   = "7H3K9QXA"
	hzAgent = 620
	hzCalls = 440
)

// authoritiesOfItsOwn is what a program says whose system knows no certificate authority.
const authoritiesOfItsOwn = `msg=authorities of="this program" listed=202`

// office is what the box's owner asked for in advance.
const office = `version: 1
box: {name: Bottega, language: it, timezone: Europe/Rome}
sip: {listen: "0.0.0.0:5060"}
web: {listen: "0.0.0.0:80", tls_listen: "0.0.0.0:443"}
phones:
  - {id: "201", name: Anna, password: image-test-201-secret}
  - {id: "202", name: Bruno, password: image-test-202-secret}
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"], login: true}
  - {id: bruno, name: Bruno, extension: "202", phones: ["202"]}
queues:
  - {id: shop, name: Negozio, number: "400", agents: [anna], ring: 60s}
`

func (c *cable) page(path string) string { return "http://" + c.box.String() + path }

var browser = &http.Client{
	Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answers waits until the page does.
func (c *cable) answers(t *testing.T, m *machine) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		res, err := browser.Get(c.page("/healthz"))
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the page does not answer: %v\n%s", err, m.text())
		}
	}
}

func phone(t *testing.T, c *cable, user string, hz int, incoming func(*peer.Call)) *peer.Peer {
	t.Helper()
	p, err := peer.New(peer.Config{
		Listen: netip.AddrPortFrom(c.us, 0), Box: netip.AddrPortFrom(c.box, 5060), User: user, Password: "image-test-" + user + "-secret",
		Hz: hz, Law: tone.ALaw, Incoming: incoming,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for end := time.Now().Add(patience); ; { // a registration takes long on an emulated machine
		if _, err = p.Register(t.Context(), time.Hour); err == nil {
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("phone %s: %v", user, err)
		}
	}
}

func happens(t *testing.T, m interface{ text() string }, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("not within %v: %s\n%s", patience, what, m.text())
	}
}

// hears waits until a party hears one tone and not the other; before that its own may still be on the way.
func hears(t *testing.T, who string, c *peer.Call, want, other int) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		c.Audio().Forget()
		time.Sleep(time.Second) // of speech, to be judged
		err := tone.Heard(c.Audio().Heard(), want, other)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", who, err)
		}
	}
}

func TestABoxThatWasNeverOnIsClaimedServesACallAndIsSwitchedOffByItsButton(t *testing.T) {
	t.Parallel()
	disk, wire := card(t, 2<<30), lay(t, 1)
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office), 0o600); err != nil {
		t.Fatal(err)
	}
	said := personalise(t, disk, "-id", boxID, "-office", file, "-labels", t.TempDir())
	_, code, _ := strings.Cut(said, "claim#")
	code, _, _ = strings.Cut(code, ",")
	if !strings.HasPrefix(said, "box "+boxID+", http://pronto-9qxa.local/claim#") || len(code) != 9 {
		t.Fatalf("personalise says %q", said)
	}
	m := start(t, options{disk: disk, cable: wire})
	wire.answers(t, m)
	fmt.Printf("first answer of the page %.1f s after power-on\n", time.Since(m.begun).Seconds())
	fmt.Println(m.says("the exchange runs", 1))
	m.says("id="+boxID+" name=pronto-9qxa new=false", 1)
	m.says(authoritiesOfItsOwn, 2) // the exchange, for carriers, and the records, for backups
	for _, name := range []string{"pronto-9qxa.local", "pronto.local"} {
		m.says(`msg="name in the network" service=prontoinit name=`+name+" is=ours address="+wire.box.String(), 1)
	}

	var owner *http.Cookie
	t.Run("the owner claims it with the code of the label", func(t *testing.T) { owner = claim(t, wire, code) })
	t.Run("a call to the queue is answered and heard both ways", func(t *testing.T) { call(t, wire, m) })
	t.Run("nothing but the page and SIP can be reached", func(t *testing.T) { scan(t, wire, 80, 443, 5060) })
	t.Run("nothing but SIP and the box's name answers datagrams", func(t *testing.T) { scanDatagrams(t, wire, 5060, 5353) })
	t.Run("the owner gives it another address, and one that nobody confirms is gone after the next start", func(t *testing.T) { renumber(t, wire, m, owner) })

	m.switchOff()
	data := partition(t, disk, layout.Data)
	if err := ext4.Check(t.Context(), data); err != nil {
		t.Errorf("the data was not left clean: %v", err)
	}
	if log, err := ext4.Read(t.Context(), data, 0, "last.log"); err != nil || !strings.Contains(string(log), "prontod: ") {
		t.Errorf("the log of the run is not on the card: %d bytes, %v", len(log), err)
	}
	grown(t, disk, data)

	// The second start finds all of it.
	m = start(t, options{disk: disk, cable: wire})
	wire.answers(t, m)
	m.says("id="+boxID+" name=pronto-9qxa new=false", 1)
	if page := post(t, wire, "/network", owner, nil); !strings.Contains(page, "spento prima della conferma") {
		t.Errorf("the page does not say that the change was taken back: %s", page)
	}
	res, err := browser.Get(wire.page("/claim"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		t.Error("the box has forgotten its owner")
	}
	if strings.Contains(m.text(), "level=ERROR") {
		t.Errorf("the box complains:\n%s", m.text())
	}
	m.switchOff()

	// Who holds the card has it forget its owner: it can be claimed again, by the same label.
	if out, err := exec.Command(made("mkimage"), "reset", "-image", disk).CombinedOutput(); err != nil {
		t.Fatalf("reset: %v\n%s", err, out)
	}
	wire.box = netip.AddrFrom4([4]byte{192, 168, 71, 50}) // by DHCP again
	m = start(t, options{disk: disk, cable: wire})
	wire.answers(t, m)
	m.says("factory reset: nothing of the owner is left", 1)
	m.says("id="+boxID+" name=pronto-9qxa new=false", 1)
	m.says("phones=0 queues=0", 1)
	claim(t, wire, code)
}

// post sends a form, or asks for a page with none, as somebody who has signed in, and returns the page.
func post(t *testing.T, c *cable, path string, who *http.Cookie, form url.Values) string {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.page(path), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "http://"+c.box.String())
	if who != nil {
		req.AddCookie(who)
	}
	res, err := browser.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v\n%s", path, res.StatusCode, err, body)
	}
	return string(body)
}

// renumber gives the box a fixed address, confirms it from there, and leaves another change on trial.
func renumber(t *testing.T, c *cable, m *machine, owner *http.Cookie) {
	fixed := func(a netip.Addr) url.Values {
		return url.Values{"how": {"fixed"}, "was-how": {"dhcp"}, "address": {a.String()}, "was-address": {""}, "router": {c.us.String()}, "was-router": {""}}
	}
	to := netip.AddrFrom4([4]byte{192, 168, c.us.As4()[2], 77})
	page := post(t, c, "/network", owner, fixed(to))
	_, token, _ := strings.Cut(page, "token=")
	token, _, _ = strings.Cut(token, `"`)
	if !strings.Contains(page, "http://"+to.String()+"/network/confirm") || len(token) != 32 {
		t.Fatalf("the page does not say where to confirm: %s", page)
	}
	c.box = to
	c.answers(t, m)
	if page := post(t, c, "/network/confirm", nil, url.Values{"token": {token}}); !strings.Contains(page, "La rete resta") {
		t.Fatalf("it cannot be confirmed: %s", page)
	}
	m.says(`msg="name in the network" service=prontoinit name=pronto-9qxa.local is=ours address=`+to.String(), 1)
	if page := post(t, c, "/network", owner, url.Values{"ntp": {"192.0.2.1"}, "was-ntp": {""}}); !strings.Contains(page, "token=") {
		t.Errorf("a second change: %s", page)
	}
}

func claim(t *testing.T, c *cable, code string) (owner *http.Cookie) {
	form := url.Values{"code": {code}, "name": {"titolare"}, "password": {"una frase lunga per la scatola"}}
	post := func(code string) int {
		form.Set("code", code)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.page("/claim"), strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+c.box.String())
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if all := res.Cookies(); len(all) > 0 {
			owner = all[0]
		}
		return res.StatusCode
	}
	if got := post("00000000" + "0"); got == http.StatusSeeOther {
		t.Error("another code opens the box")
	}
	if got := post(code); got != http.StatusSeeOther {
		t.Errorf("the label's code: status %d", got)
	}
	return owner
}

func call(t *testing.T, c *cable, m *machine) {
	out, in := talk(t, c, m)
	out.Hangup()
	happens(t, m, "the agent's call ends", in.Ended())
}

// talk has a customer call the queue and an agent answer; both hear each other.
func talk(t *testing.T, c *cable, m interface{ text() string }) (out, in *peer.Call) {
	t.Helper()
	picked := make(chan *peer.Call, 1)
	phone(t, c, "201", hzAgent, func(in *peer.Call) {
		in.Ring()
		if in.Answer() {
			picked <- in
		}
	})
	caller := phone(t, c, "202", hzCalls, nil)
	out, err := caller.Dial(peer.Outgoing{To: "400"})
	if err != nil {
		t.Fatal(err)
	}
	happens(t, m, "the caller is answered", out.Answered())
	select {
	case in = <-picked:
	case <-time.After(patience):
		t.Fatalf("the agent's phone does not ring\n%s", m.text())
	}
	hears(t, "the agent", in, hzCalls, hzAgent)
	hears(t, "the caller", out, hzAgent, hzCalls)
	return out, in
}

// scan tries every TCP port.
func scan(t *testing.T, c *cable, want ...int) {
	var mu sync.Mutex
	var open []int
	ports := make(chan int)
	var scanners sync.WaitGroup
	for range 128 {
		scanners.Go(func() {
			for p := range ports {
				conn, err := net.DialTimeout("tcp", netip.AddrPortFrom(c.box, uint16(p)).String(), 10*time.Second)
				if err == nil {
					_ = conn.Close()
					mu.Lock()
					open = append(open, p)
					mu.Unlock()
				} else if !strings.Contains(err.Error(), "connection refused") {
					t.Errorf("port %d: %v", p, err)
				}
			}
		})
	}
	for p := 1; p <= 65535; p++ {
		ports <- p
	}
	close(ports)
	scanners.Wait()
	slices.Sort(open)
	if !slices.Equal(open, want) {
		t.Errorf("open ports %v, documented are %v", open, want)
	}
}

// grown checks that the data has the rest of the card.
func grown(t *testing.T, disk, data string) {
	t.Helper()
	info, err := os.Stat(disk)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("dumpe2fs", "-h", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	var blocks int64
	for line := range strings.Lines(string(out)) {
		_, _ = fmt.Sscanf(line, "Block count: %d", &blocks)
	}
	if want := info.Size() - layout.Offset(layout.Data); blocks*4096 != want {
		t.Errorf("the data has %d bytes of %d", blocks*4096, want)
	}
}

func TestPowerCutsDuringTheFirstStartLoseNothing(t *testing.T) {
	t.Parallel()
	disk, wire := card(t, 4<<30), lay(t, 2)
	for _, moment := range []string{"msg=Pronto", "the data gets the rest", `msg="service started"`, "msg=data", "msg=ready"} {
		m := start(t, options{disk: disk, cable: wire})
		if moment == "the data gets the rest" && strings.Contains(m.text(), "msg=data") {
			t.Fatal("grown twice")
		}
		m.await(moment+" or later", patience, func(lines, _ []string) bool {
			return slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, moment) || strings.Contains(l, "msg=ready") })
		})
		m.cut()
	}
	m := start(t, options{disk: disk, cable: wire})
	wire.answers(t, m)
	m.says("new=false", 1)
	m.says("msg=data", 1)
	m.cut()

	// What the journal of a card that was pulled out holds is not written over.
	if out, err := exec.Command(made("mkimage"), "reset", "-image", disk).CombinedOutput(); err == nil || !strings.Contains(string(out), "was pulled out while the box was on") {
		t.Errorf("reset of a card that was pulled out: %v\n%s", err, out)
	}
	m = start(t, options{disk: disk, cable: wire})
	wire.answers(t, m)
	m.says("msg=data", 1)
	m.switchOff()
	data := partition(t, disk, layout.Data)
	if err := ext4.Check(t.Context(), data); err != nil {
		t.Error(err)
	}
	grown(t, disk, data)
}

func TestABoxAnswersWhateverItsCard(t *testing.T) {
	t.Parallel()
	personal := func(disk string) { personalise(t, disk, "-id", boxID) }
	for n, tc := range []struct {
		name     string
		disk     func() string
		readOnly bool
		says     string
	}{
		{"without a card", func() string { return "" }, false, "no card"},
		{"with one that can only be read, with its own name", func() string { d := card(t, layout.ImageSize); personal(d); return d }, true, "name=pronto-9qxa new=false"},
		{"with one that is smaller than the image", func() string { return card(t, layout.Offset(layout.Data)-layout.MiB) }, false, "lies in memory"},
		{"with one as large as the image", func() string { return card(t, layout.ImageSize) }, false, "msg=data "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wire := lay(t, 10+n)
			m := start(t, options{disk: tc.disk(), readOnly: tc.readOnly, cable: wire})
			wire.answers(t, m)
			m.says(tc.says, 1)
		})
	}
}

func TestTheHardwareResetsABoxWhoseFirstProgramStandsStill(t *testing.T) {
	t.Parallel()
	m := start(t, options{disk: card(t, layout.ImageSize), initrd: "freezer.initramfs"})
	m.says("the first program stands still", 1)
	m.reports("WATCHDOG", 2*time.Minute)
	m.says("msg=Pronto", 2)
}
