package uitest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// What is heard of whom, in Hz.
const (
	tonePage      = 900
	toneCaller    = 500
	toneColleague = 700
)

// headset is what the page plays, by the browser's own analyser: the loudest note in Hz, 0 of silence.
const headset = `window.loudest ??= (() => {
	const context = new AudioContext(), hears = context.createAnalyser();
	hears.fftSize = 8192;
	let from, stream;
	return () => {
		const now = document.getElementById("softphone-ear").srcObject;
		if (!now) return 0;
		if (now !== stream) { from?.disconnect(); stream = now; from = context.createMediaStreamSource(now); from.connect(hears); }
		const bins = new Float32Array(hears.frequencyBinCount);
		hears.getFloatFrequencyData(bins);
		const top = bins.indexOf(bins.reduce((a, b) => Math.max(a, b)));
		return bins[top] < -60 ? 0 : top * context.sampleRate / hears.fftSize;
	};
})();`

// desk is somebody who telephones with the page, and a telephone that has called.
type desk struct {
	*testing.T
	page   *Page
	caller *peer.Call
}

// signsIn fills the form in and waits for the page behind it.
func (d *desk) signsIn(name, password, to string) {
	d.Helper()
	d.page.Wait(d, `location.pathname === "/signin" && document.readyState === "complete" && document.getElementById("password")`)
	d.page.Eval(d, fmt.Sprintf(`document.getElementById("name").value = %q; document.getElementById("password").value = %q; document.querySelector("main form").requestSubmit()`, name, password), nil)
	d.page.Wait(d, fmt.Sprintf(`location.pathname === %q`, to))
}

// wire gives the network an interface that is not the loopback: browsers and the box offer no loopback for audio. It
// returns when nothing of the network changes any more: a browser gives up what it loads when something does, so there
// are no addresses of IPv6, which the kernel tries for a second or two, and both ends are up.
func wire(t *testing.T) {
	t.Helper()
	ip := func(command string) string {
		out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	for _, command := range []string{
		"link add nic0 type veth peer name nic1", "link set nic0 addrgenmode none", "link set nic1 addrgenmode none",
		"addr add 192.168.78.1/24 dev nic0", "link set nic1 up", "link set nic0 up",
	} {
		ip(command)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(ip("-o link show nic0"), "state UP") && strings.Contains(ip("-o link show nic1"), "state UP") {
			break
		}
		if time.Now().After(end) {
			t.Fatal(ip("link show"))
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "link", "del", "nic0").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// presses a button of the only call.
func (d *desk) presses(do string) {
	d.Helper()
	button := `article button[value="` + do + `"]`
	d.page.Wait(d, `document.querySelector('`+button+`')`)
	d.page.Tap(d, button, 1)
}

// shows waits until the page has one call in a stage, or none.
func (d *desk) shows(stage string) {
	d.Helper()
	is := `document.querySelectorAll("article[data-stage]").length === 0`
	if stage != "" {
		is = `[...document.querySelectorAll("article[data-stage]")].map((a) => a.dataset.stage).join() === "` + stage + `"`
	}
	d.page.Wait(d, is)
}

// isHeard waits until the caller hears a note in its last half second.
func (d *desk) isHeard(what string, hz int, want bool) {
	d.Helper()
	d.caller.Audio().Forget()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		pcm := tone.Tail(d.caller.Audio().Heard(), tone.Rate/2, 0)
		if err = tone.Heard(pcm, hz); len(pcm) >= tone.Rate/4 && (err == nil) == want {
			return
		}
	}
	d.Fatalf("%s: the caller hears %d Hz, want %v: %v", what, hz, want, err)
}

// hears waits until the page plays a note.
func (d *desk) hears(hz int) {
	d.Helper()
	d.page.Wait(d, fmt.Sprintf(`(() => { %s return Math.abs(window.loudest() - %d) < 15; })()`, headset, hz))
}

func (d *desk) both(what string) {
	d.Helper()
	d.isHeard(what, tonePage, true)
	d.hears(toneCaller)
}

// An agent whose only telephone is the page takes a call of the queue in a real browser over HTTPS, holds it, loads the
// page anew, has the box killed, and sends the caller on.
func TestAPersonTelephonesWithThePage(t *testing.T) {
	programs := os.Getenv(insideEnv)
	if testing.Short() || programs == "" {
		t.Skip("left out: only root can make the network of this test (with CI=true that is a failure)")
	}
	wire(t)
	voice := filepath.Join(t.TempDir(), "voice.wav")
	write(t, voice, tone.WAV(tone.Sine(tonePage, 10*tone.Rate)))
	b := Start(t, "--ignore-certificate-errors", "--disable-features=LocalNetworkAccessChecks", "--use-file-for-fake-audio-capture="+voice)
	o := pbxtest.BenchAt(programs).Start(t, pbxtest.Setup{
		Agents: 3, LoggedIn: 1, WrapUp: time.Minute, Ring: time.Minute, Browser: []int{201}, Page: netip.MustParseAddr(theBox),
	})
	o.Claim()
	d := &desk{T: t}
	d.page = b.Open(t, "https://"+o.WebTLS+"/signin?lang=en&to=/users", Look{Width: 390, Height: 844})
	d.signsIn("owner", pbxtest.OwnerPassword, "/users")
	var added int
	d.page.Eval(t, `fetch("/users", {method: "POST", body: new URLSearchParams({name: "sara", role: "agent", agent: "agent201", password: "tre civette sul comò"})}).then((r) => r.status)`, &added)
	if added != 200 {
		t.Fatalf("sara becomes no user: %d", added)
	}
	d.page.Eval(t, `document.querySelector(".account button").click()`, nil)
	d.page.Wait(t, `location.pathname === "/signin"`)
	d.page.Eval(t, `location.assign("/signin?lang=en&to=/phone")`, nil)
	d.page.Wait(t, `location.search.includes("phone")`)
	d.signsIn("sara", "tre civette sul comò", "/phone")
	d.page.Wait(t, `location.pathname === "/phone" && document.getElementById("softphone")?.innerText.includes("ready") && document.getElementById("softphone-bell").className === "good"`)
	o.Lamp(201, tel.AgentReady)

	at := func(user string, hz int) peer.Config {
		return peer.Config{Listen: netip.AddrPortFrom(netip.MustParseAddr(theDesk), 0), Box: o.SIP, User: user, Password: pbxtest.Password(map[string]int{"202": 202, "203": 203}[user]), Hz: hz}
	}
	caller, _ := telephone(t, at("202", toneCaller))
	colleague, rings := telephone(t, at("203", toneColleague))
	caller.KeepRegistered(time.Hour)
	colleague.KeepRegistered(time.Hour)
	o.Phone(202)
	o.Phone(203)
	var err error
	if d.caller, err = caller.Dial(peer.Outgoing{To: "400"}); err != nil {
		t.Fatal(err)
	}
	d.shows("ringing")
	o.Lamp(201, tel.AgentRinging)
	d.presses("answer")
	d.shows("talking")
	d.both("after the answer")
	o.Lamp(201, tel.AgentTalking)
	if *screens != "" {
		write(t, filepath.Join(*screens, "softphone-talking.png"), d.page.Picture(t))
	}
	d.presses("hold")
	o.Lamp(201, tel.AgentHold)
	d.isHeard("on hold", tonePage, false)
	d.presses("resume")
	d.both("after the hold")

	d.page.Eval(t, `window.before = true; location.reload()`, nil)
	d.page.Wait(t, `!window.before && document.readyState === "complete" && document.getElementById("softphone")`)
	d.both("after the page was loaded anew")

	o.Kill()
	d.both("after the box was killed")
	o.Lamp(201, tel.AgentTalking)

	d.page.Tap(t, `article input[name="number"]`, 1)
	d.page.Type(t, "203")
	d.presses("transfer")
	select {
	case c := <-rings:
		c.Answer()
	case <-time.After(patience):
		t.Fatal("the transfer rings nowhere")
	}
	d.shows("")
	d.isHeard("sent on", toneColleague, true)
	o.Lamp(201, tel.AgentWrapUp)
	noFaults(t, d.page, "/live", "favicon", "net::ERR", "certificate") // the streams end with prontod, and begin again
}
