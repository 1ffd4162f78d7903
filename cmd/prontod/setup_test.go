package main_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// screen is what somebody does on a screen of the set-up, and what the page says then; a sentence, or the beginning
// of the address of the next screen.
type screen struct {
	number int
	fields string // as an address has them
	wants  string
}

// does posts a form of a screen and returns the page.
func does(t *testing.T, v *pbxtest.Visitor, s screen) string {
	t.Helper()
	form, err := url.ParseQuery(s.fields)
	if err != nil {
		t.Fatal(err)
	}
	status, page := v.Post(fmt.Sprintf("/setup/%d?lang=en", s.number), form)
	if status != http.StatusOK && status != http.StatusSeeOther || !strings.Contains(page, s.wants) {
		t.Fatalf("screen %d, %s: %d, without %q\n%s", s.number, s.fields, status, s.wants, page)
	}
	return page
}

var shownSecret = regexp.MustCompile(`<td>(\d+)</td><td><code class="secret">([^<]+)</code>`)

// carrierWith is a carrier at which the customer DID logs in.
func carrierWith(t *testing.T, o *pbxtest.Office) *desk {
	t.Helper()
	d := &desk{t: t, hz: hzCarrier, rings: make(chan *peer.Call, 8)}
	var err error
	if d.Peer, err = peer.New(peer.Config{
		Listen: netip.AddrPortFrom(o.Carrier, o.CarrierPort), Box: o.SIP, Law: tone.ALaw, Hz: hzCarrier,
		Accounts: map[string]string{pbxtest.DID: pbxtest.CarrierPassword},
		Incoming: func(c *peer.Call) { c.Ring(); d.rings <- c },
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// From a box out of its carton to a customer who is answered: everything by the forms of the page, and each step
// judged by the box itself.
func TestANewBoxIsSetUpAndAnswersItsFirstCall(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{New: true, Agents: 1, Carrier: 5070})
	carrier := carrierWith(t, o)
	v := o.Claim()
	if status, _ := v.Get("/"); status != http.StatusSeeOther {
		t.Fatalf("the owner of a new box is not led into the set-up: %d", status)
	}
	does(t, v, screen{1, "do=begin&language=en", ""})
	does(t, v, screen{2, "do=you&mobile=0698765432", ""})
	does(t, v, screen{3, "do=place&name=Bottega&town=bologna&timezone=Europe/Rome", "San Petronio"})
	v.Post("/setup/4?lang=en", url.Values{"do": {"look"}}) // what the network of this machine is like is not judged here
	does(t, v, screen{5, "do=today&plug=letter", "Have the letter at hand"})

	// The letter says the number without +39; the carrier wants it with.
	does(t, v, screen{6, fmt.Sprintf("do=account&which=generic-register&server=%s:%d&user=0612345678&password=%s&number=0612345678", o.Carrier, o.CarrierPort, pbxtest.CarrierPassword), "other way to write the user:"})
	o.Line("trunk:generic-register", true)

	does(t, v, screen{7, "do=call&which=trunk:generic-register&number=0698765432", ""})
	mobile := carrier.picksUp()
	listen(t, "the greeting at the mobile", mobile)
	mobile.Audio().Press("1")
	v.Shows("/setup/7?lang=en", "Calls out: heard in both directions")
	within(t, "the end of the test", mobile.Ended())
	in, err := carrier.CallIn(pbxtest.DID, peer.Outgoing{To: pbxtest.DID, From: "+390698765432"})
	if err != nil {
		t.Fatal(err)
	}
	v.Shows("/setup/7?lang=en", "Calls in: "+pbxtest.DID[1:]) // + is written as an entity
	in.Hangup()
	does(t, v, screen{7, "do=look", "A line works in both directions"})

	page := does(t, v, screen{8, "do=people&names=Anna+Bianchi%0ABruno+Rossi", "2 people were added"})
	secrets := map[string]string{}
	for _, m := range shownSecret.FindAllStringSubmatch(page, -1) {
		secrets[m[1]] = m[2]
	}
	o.Kill() // somebody trips over the cable
	if status, page := v.Get("/setup"); status != http.StatusSeeOther {
		t.Fatalf("after the kill: %d %s", status, page)
	}
	v.Shows("/setup/9?lang=en", "has not connected yet")
	anna := &desk{t: t, hz: hzAgent, rings: make(chan *peer.Call, 8)}
	anna.Peer = phoneWith(t, o, 201, secrets["201"], hzAgent, func(c *peer.Call) { c.Ring(); anna.rings <- c })
	does(t, v, screen{9, "do=ring&which=201", "201 rings now"})
	found := anna.picksUp()
	listen(t, "at the telephone that is looked for", found)
	found.Hangup()
	does(t, v, screen{9, "do=look", "A telephone is connected"})

	does(t, v, screen{10, "do=queue&name=Office&number=400&hours=always&mailbox=anna-bianchi", "Queue Office is there"})
	does(t, v, screen{11, "do=blink&which=desk201", "desk201 blinks"})
	does(t, v, screen{11, "do=give&which=desk201&agent-desk201=anna-bianchi", "It is saved"})
	does(t, v, screen{11, "do=on", ""})
	does(t, v, screen{12, "do=play&number=201", ""})
	heard := anna.picksUp()
	listen(t, "the greeting at the desk", heard)
	heard.Hangup()
	does(t, v, screen{12, "do=on", ""})

	does(t, v, screen{13, "do=login", "1 people are at work"})
	customer, err := carrier.CallIn(pbxtest.DID, peer.Outgoing{To: pbxtest.DID, From: "+390698765432"})
	if err != nil {
		t.Fatal(err)
	}
	at := anna.picksUp()
	talking(t, "the first call", customer, hzCarrier, at, hzAgent)
	v.Shows("/setup/13?lang=en", `id="trail-line" class="done"`, `id="trail-queue" class="done"`, `id="trail-phone" class="done"`, `id="trail-lamp" class="done"`, "The call went all the way")
	over(t, customer, at)
	does(t, v, screen{13, "do=look", "Your office answers"})

	does(t, v, screen{14, "do=read", "Noted"})
	page = does(t, v, screen{15, "do=kit", "AGE-SECRET-KEY-1"})
	kit := regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]+`).FindString(page)
	if status, page := v.Post("/setup/16?lang=en", url.Values{"do": {"finish"}}); status != http.StatusConflict {
		t.Errorf("the end before the kit is confirmed: %d %s", status, page)
	}
	does(t, v, screen{15, "do=confirm&secret=" + strings.ToLower(kit), "This is the key"})
	does(t, v, screen{16, "do=finish", ""})
	if status, _ := v.Get("/"); status != http.StatusOK {
		t.Errorf("after the end Home is still the set-up: %d", status)
	}
	n := o.Until("Anna's lamp to follow", func(n pbxtest.Now) bool { return n.Lamps["desk201"].Agent == "anna-bianchi" })
	if n.Agents["anna-bianchi"].State == tel.AgentLoggedOut {
		t.Error("Anna is out")
	}
}

// Somebody wants to hear what customers hear: the box rings, and who answers waits in the queue like anybody, at a
// desk or outside, where it costs.
func TestTheBoxCallsSomebodyAsACustomer(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, Carrier: 5070, Extra: "toll: {person: {calls: 3}}\n"})
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)
	v := o.Claim()
	call := func(fields string) string {
		t.Helper()
		form, err := url.ParseQuery("do=call&which=sales&" + fields)
		if err != nil {
			t.Fatal(err)
		}
		_, page := v.Post("/queues/sales/call?lang=en", form)
		return page
	}
	call("at=202")
	me := bruno.ring()
	if me.Caller != "400" {
		t.Errorf("the telephone shows %q", me.Caller)
	}
	me.Answer()
	at := anna.picksUp()
	talking(t, "from the desk", me, hzCaller, at, hzAgent)
	over(t, me, at)
	o.Lamp(201, tel.AgentReady)

	call("number=06+98765432")
	out := carrier.picksUp()
	at = anna.picksUp()
	talking(t, "from outside", out, hzCarrier, at, hzAgent)
	over(t, out, at)
	if w := o.WaitRecords(2)[0]; w.Caller != "+390698765432" || w.Queue != "sales" {
		t.Errorf("the wait %+v", w)
	}
	if r := o.CallRecords(2)[0]; r.Direction != tel.Outbound || r.In != "trunk:carrier" {
		t.Errorf("the call %+v", r)
	}
	o.Lamp(201, tel.AgentReady)
	if page := call("number=0012125550100"); !strings.Contains(page, "callme.refused") {
		t.Errorf("a number that nobody may call: %s", page)
	}
}
