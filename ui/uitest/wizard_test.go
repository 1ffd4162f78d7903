package uitest

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/sip/dns/dnstest"
	"github.com/pronto-pbx/pronto/ui/setup"
)

// What the letter of the carrier says, and the carrier's own spelling of the user.
const (
	letterServer  = "sip.operatore.example"
	letterUser    = "0612345678"
	letterSecret  = "Xk7pQ2mW"
	carriersUser  = "+390612345678"
	ownMobile     = "3331112222"
	aCustomer     = "+393339876543"
	toneCustomer  = 980
	toneAnna      = 620
	theWholeSetUp = 10 * time.Minute
)

// street is what is around a new box: the router with its name server, the carrier, telephones.
type street struct {
	*person
	office  *pbxtest.Office
	names   *dnstest.Server
	carrier *peer.Peer
	mobile  <-chan *peer.Call // what rings at the mobile of who sets up
	mortal  bool              // prontod dies where the walk says so
}

// newStreet starts a box that is out of its carton, and what is around it.
func newStreet(t *testing.T, b *Browser, lamps string, secret string) *street {
	t.Helper()
	programs := os.Getenv(insideEnv)
	names := dnstest.At(t, netip.AddrPortFrom(netip.MustParseAddr(theRouter), 53))
	names.Addrs(letterServer, 60, theCarrier)
	s := &street{names: names, office: pbxtest.BenchAt(programs).Start(t, pbxtest.Setup{
		New: true, Page: netip.MustParseAddr(theBox), Extra: lamps,
		LongestPause: time.Second, // the deaths of the mortal walk are no loop of crashes
	})}
	s.carrier, s.mobile = telephone(t, peer.Config{
		Listen: netip.AddrPortFrom(netip.MustParseAddr(theCarrier), 5060), Box: s.office.SIP, Hz: toneCustomer, Accounts: map[string]string{carriersUser: secret},
	})
	s.person = &person{T: t, page: b.Open(t, "about:blank#", Look{Width: 390, Height: 844})}
	return s
}

// telephone is a peer whose calls are answered by hand.
func telephone(t *testing.T, cfg peer.Config) (p *peer.Peer, rings <-chan *peer.Call) {
	t.Helper()
	all := make(chan *peer.Call, 8)
	cfg.Law, cfg.Incoming = tone.ALaw, func(c *peer.Call) { c.Ring(); all <- c }
	p, err := peer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, all
}

// dies has prontod killed, if it is mortal. The supervisor starts the next one, and what the browser asks meanwhile
// waits.
func (s *street) dies() {
	s.Helper()
	if s.mortal {
		s.office.Kill()
	}
}

// comesBack opens the box's address anew, in a browser in which somebody is signed in, and is led to a step.
func (s *street) comesBack(to setup.Step) {
	s.Helper()
	s.page.Eval(s, `window.before = true`, nil)
	from := time.Now()
	s.page.visit(s, "https://"+s.office.WebTLS+"/")
	s.arrives(`!window.before`, from)
	s.at(to)
}

// picksUp waits for a telephone to ring, and answers it.
func (s *street) picksUp(who string, rings <-chan *peer.Call) *peer.Call {
	s.Helper()
	c := awaits(s.person, who+" to ring", rings)
	s.keys(1)
	if !c.Answer() {
		s.Fatalf("%s: the call of %s is gone", who, c.Caller)
	}
	awaits(s.person, who+" to be connected", c.Answered())
	return c
}

// hangsUp ends a call and waits until both sides know.
func (s *street) hangsUp(c *peer.Call) {
	s.Helper()
	s.keys(1)
	c.Hangup()
	awaits(s.person, "the end of the call", c.Ended())
}

// on continues to the next screen, which must be the one that is expected.
func (s *street) on(next setup.Step) {
	s.Helper()
	s.goes(id("do-on"))
	s.at(next)
}

// at begins the part of a step whose screen is shown.
func (s *street) at(step setup.Step) {
	s.Helper()
	var path string
	if s.page.Eval(s, `location.pathname`, &path); path != fmt.Sprint("/setup/", setup.Number(step)) {
		s.Fatalf("%s is shown instead of the step %s", path, step)
	}
	s.begins(string(step))
}

// claims scans the label, whose address is plain HTTP, and takes the box over the protected way that the page offers.
func (s *street) claims() {
	s.Helper()
	s.begins("claim")
	s.keys(1) // the camera
	from := time.Now()
	s.page.visit(s, "http://"+s.office.Web+"/claim#"+s.office.Code())
	s.arrives(`location.pathname === "/claim"`, from)
	s.goes("#private")
	s.tap("#details-button") // the browser warns of a certificate that nobody has signed
	s.goes("#proceed-link")
	s.types("#name", "anna")
	s.types("#password", pbxtest.OwnerPassword)
	s.goes("main form button")
}

// begin are the steps of every walk up to the network: the language, who sets up, the office.
func (s *street) begin() {
	s.Helper()
	s.claims()
	s.at(setup.Welcome)
	s.goes(id("do-begin"))
	s.at(setup.You)
	s.types("#f-mobile", ownMobile)
	s.goes(id("do-you"))
	s.at(setup.Place)
	s.types("#f-name", "Bottega Rossi")
	s.chooses("#f-town", "bologna")
	s.goes(id("do-place"))
	s.sees("#good")
	s.on(setup.Network)
}

// tries the account of the letter.
func (s *street) triesAccount() {
	s.Helper()
	s.chooses("#f-carrier", "generic-register")
	s.goes(id("do-carrier"))
	field := func(name string) string { return id("f-generic-register-" + name) }
	s.types(field("server"), letterServer)
	s.types(field("user"), letterUser)
	s.types(field("password"), letterSecret)
	s.types(field("number"), letterUser)
	s.dies()
	s.goes(id("do-account"))
}

// says where the telephone plugs in today.
func (s *street) today() {
	s.Helper()
	s.tap(`label:has(#plug-letter)`)
	s.goes(id("do-today"))
	s.sees("#good")
	s.on(setup.Lines)
}

// TestTheSetUpIsWalkedInABrowser goes from the code of the label to the end of the set-up as its owner does, in a
// browser and at telephones, at an address of a network, which a browser does not trust like loopback.
func TestTheSetUpIsWalkedInABrowser(t *testing.T) {
	if testing.Short() || os.Getenv(insideEnv) == "" {
		t.Skip("left out: only root can make the network of this test (with CI=true that is a failure)")
	}
	b := Start(t, "--disable-features=LocalNetworkAccessChecks")
	for _, c := range []struct {
		name string
		walk func(*testing.T, *Browser)
	}{
		{"to the first answered call, with every probe working", func(t *testing.T, b *Browser) { everyProbeWorks(t, b, false) }},
		{"to the first answered call, though prontod is killed in the middle of it three times", func(t *testing.T, b *Browser) { everyProbeWorks(t, b, true) }},
		{"to its end with everything owed, with every probe failing", everyProbeFails},
	} {
		if !t.Run(c.name, func(t *testing.T) { c.walk(t, b) }) {
			return
		}
	}
}

// everyProbeWorks walks to the end; where it is mortal, prontod dies with a form filled in, with a step just done and with a kit
// that was shown once, and the walk just goes on.
func everyProbeWorks(t *testing.T, b *Browser, mortal bool) {
	s := newStreet(t, b, "lamps:\n  - {id: desk1, driver: sim}\n", letterSecret)
	s.names.Addrs("pool.ntp.org", 60, theCarrier)
	s.mortal = mortal
	s.begin()
	s.goes(id("do-look"))
	s.sees("#good")
	s.on(setup.Today)
	s.today()

	s.triesAccount()
	s.sees("#good") // the carrier wants the number with +39, which the letter does not say
	s.on(setup.LineTest)
	s.goes(id("do-call-trunk:generic-register"))
	mine := s.picksUp("the mobile", s.mobile)
	s.keys(1)
	mine.Audio().Press("1")
	s.sees(id("test-trunk:generic-register") + " .proved")
	s.hangsUp(mine)
	in := s.dials("the office", letterUser)
	s.sees(id("test-trunk:generic-register") + " .heard")
	s.hangsUp(in)
	s.goes(id("do-look"))
	s.sees("#good")
	s.on(setup.People)

	s.types("#f-names", "Anna Bianchi\nBruno Rossi")
	s.goes(id("do-people"))
	secret := s.reads("main table code.secret")
	s.dies()
	if mortal {
		s.comesBack(setup.Phones)
	} else {
		s.on(setup.Phones)
	}
	server := regexp.MustCompile(`[0-9.]+:[0-9]+`).FindString(s.reads("p.note"))
	if server != s.office.SIP.String() {
		t.Errorf("the page says that %q is the telephones' server, which is %s", server, s.office.SIP)
	}
	s.keys(6, server, "201", secret) // two at each of the three fields of the telephone's own menu
	phone, anna := telephone(t, peer.Config{Listen: netip.AddrPortFrom(netip.MustParseAddr(theDesk), 0), Box: s.office.SIP, User: "201", Password: secret, Hz: toneAnna})
	phone.KeepRegistered(time.Minute)
	s.office.Phone(201)
	s.goes(id("do-look"))
	s.sees("#good")
	s.goes(id("do-ring-201"))
	s.hangsUp(s.picksUp("Anna's telephone", anna))
	s.on(setup.Queue)

	s.chooses("#f-hours", "always")
	s.goes(id("do-queue"))
	s.sees("#good")
	s.on(setup.Lamps)
	s.goes(id("do-blink-desk1"))
	s.sees("#good")
	s.chooses("#f-desk1-agent-desk1", "anna-bianchi")
	s.goes(id("do-lamp-desk1"))
	s.on(setup.Message)
	s.goes(id("do-play"))
	greeted := s.picksUp("Anna's telephone", anna)
	s.sees("#trail-line.none") // the box has noticed: before that the step would be left out
	s.on(setup.TestCall)
	s.hangsUp(greeted)

	s.goes(id("do-login"))
	s.sees("#good")
	first := s.dials("the office", letterUser)
	desk := s.picksUp("Anna's telephone", anna)
	s.sees("#trail-line.done")
	s.sees("#trail-queue.done")
	s.sees("#trail-phone.done")
	s.sees("#trail-lamp.done")
	s.sees("#trail-end.good")
	s.hangsUp(first)
	awaits(s.person, "the end at the desk", desk.Ended())
	s.goes(id("do-look"))
	s.sees("#good")
	s.on(setup.Privacy)
	s.goes(id("do-read"))
	s.on(setup.Safety)
	s.goes(id("do-kit"))
	kit := s.reads("#kit")
	s.tap(id("do-file"))
	s.types("#f-secret", kit)
	s.dies() // of the kit that is in somebody's hands the next program knows
	s.goes(id("do-confirm"))
	s.sees("#good")
	s.on(setup.GoLive)
	s.goes(id("do-finish"))
	s.begins("home")
	s.demands()
	s.ends()
}

func everyProbeFails(t *testing.T, b *Browser) {
	s := newStreet(t, b, "", "another secret than that of the letter")
	s.begin()
	s.goes(id("do-look")) // the router finds no names but one
	s.sees(".said")
	s.on(setup.Today)
	s.today()
	s.sees("p.note") // no modem is plugged in
	s.triesAccount()
	s.sees(".said")
	var tried []string
	if s.page.Eval(t, `[...document.querySelectorAll("#findings li.error")].map((e) => e.innerText)`, &tried); len(tried) != 3 {
		t.Errorf("the account was tried in %d ways, want as in the letter, with +39 and over TCP: %q", len(tried), tried)
	}
	s.goes(id("do-look"))
	s.sees(".said")
	s.on(setup.LineTest)
	s.sees("p.note") // there is no line to test
	s.on(setup.People)
	s.types("#f-names", "Anna Bianchi")
	s.goes(id("do-people"))
	secret := s.reads("main table code.secret")
	s.on(setup.Phones)
	s.goes(id("do-look")) // nobody has connected
	s.sees(".said")
	s.on(setup.Queue)
	s.goes(id("do-queue"))
	s.sees("#good")
	s.on(setup.Lamps)
	s.sees("p.note") // the box has none
	s.on(setup.Message)
	s.goes(id("do-play")) // no telephone is there
	s.sees(".said")
	s.on(setup.TestCall)
	for _, in := range []string{"do-login", "do-me", "do-look"} {
		s.goes(id(in))
		s.sees(".said")
	}
	s.on(setup.Privacy)
	s.goes(id("do-read"))
	s.on(setup.Safety)
	s.on(setup.GoLive)
	s.goes(id("do-finish")) // not before somebody has the kit
	s.sees(".said")
	s.goes(".onward a")
	s.at(setup.Safety)
	s.goes(id("do-kit"))
	kit := s.reads("#kit")
	s.types("#f-secret", kit[:len(kit)-1]+"-")
	s.goes(id("do-confirm"))
	s.sees(".said")
	s.types("#f-secret", kit)
	s.goes(id("do-confirm"))
	s.sees("#good")
	s.on(setup.GoLive)
	left := []string{"setup.network", "setup.lines", "setup.linetest", "setup.phones", "setup.lamps", "setup.message", "setup.testcall"}
	var shown int
	if s.page.Eval(t, `document.querySelectorAll("#owed li").length`, &shown); shown != len(left) {
		t.Errorf("the last screen shows %d debts, want %d", shown, len(left))
	}
	s.goes(id("do-finish"))
	s.begins("home")
	s.demands(left...)

	// A telephone that comes by itself, later, is no debt any more.
	phone, _ := telephone(t, peer.Config{Listen: netip.AddrPortFrom(netip.MustParseAddr(theDesk), 0), Box: s.office.SIP, User: "201", Password: secret})
	phone.KeepRegistered(time.Minute)
	s.demands(slices.DeleteFunc(left, func(l string) bool { return l == "setup.phones" })...)
	s.ends()
}

// dials a number at somebody's mobile.
func (s *street) dials(whom, number string) *peer.Call {
	s.Helper()
	s.keys(1, number)
	c, err := s.carrier.CallIn(carriersUser, peer.Outgoing{To: carriersUser, From: aCustomer})
	if err != nil {
		s.Fatalf("%s is not reached: %v", whom, err)
	}
	return c
}

// demands waits until Home, which follows what happens, says that exactly this of the set-up is to do.
func (s *street) demands(all ...string) {
	s.Helper()
	slices.Sort(all)
	from := time.Now()
	s.page.Wait(s, fmt.Sprintf(`location.pathname === "/" && `+isLive+` &&
		[...document.querySelectorAll("#part-health li")].map((e) => e.id).filter((i) => i.startsWith("todo-setup.")).map((i) => i.slice(5)).sort().join(" ") === %q`, strings.Join(all, " ")))
	s.now().waited += time.Since(from)
}

// ends tells what the walk has cost, which must be less than ten minutes.
func (s *street) ends() {
	s.Helper()
	if sum := s.tells(); sum > theWholeSetUp {
		s.Errorf("the set-up takes %v", sum)
	}
	allowed := []string{"409", "422", "ERR_CERT_AUTHORITY_INVALID"}
	if s.mortal {
		allowed = append(allowed, "/setup/live", "/live") // whose streams end with prontod, and begin again
	}
	if faults := s.page.Faults(allowed...); len(faults) > 0 {
		s.Errorf("the browser complains:\n%s", strings.Join(faults, "\n"))
	}
}
