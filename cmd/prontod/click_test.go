package main_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// click asks for a call from the desk's own phones, by their number.
func (d *desk) click(own, number string) *peer.Watch {
	d.t.Helper()
	w, err := d.Click(d.t.Context(), own, number, "")
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

// tells judges the last word of the box about a click; what lies between may be told together (RFC 6665
// section 4.2.2).
func tells(t *testing.T, w *peer.Watch, last string) {
	t.Helper()
	if told := learned(t, w.Notes); told[0] != "100" || told[len(told)-1] != last {
		t.Errorf("who clicked is told %q, want the end %s", told, last)
	}
}

func TestRFC5359Section2_18ClickToDial(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, Carrier: 5070, Routes: `{prefix: "+39899", via: ["trunk:carrier"]}`, Dial: map[int]string{203: "internal, local"},
		Extra: "toll: {premium: true}\n",
	})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzStranger)
	carrier := carrierOf(t, o, hzCarrier)

	t.Run("a colleague", func(t *testing.T) {
		w := alice.click("201", "202")
		note(t, w, "active", "SIP/2.0 100")
		a := alice.ring()
		if a.Caller != "202" {
			t.Errorf("Alice's phone shows %q", a.Caller)
		}
		bob.quiet("Alice has not answered yet")
		a.Answer()
		b := bob.ring()
		if b.Caller != "201" {
			t.Errorf("Bob's phone shows %q", b.Caller)
		}
		note(t, w, "active", "SIP/2.0 180")
		b.Answer()
		note(t, w, "terminated;reason=noresource", "SIP/2.0 200")
		talking(t, "connected", a, hzCaller, b, hzAgent)
		over(t, a, b)
		if r := o.CallRecords(1)[0]; r.From != "201" || r.To != "202" || r.In != "phone:201" || r.Out != "phone:202" || r.Direction != tel.Internal {
			t.Errorf("call record %+v", r)
		}
	})

	t.Run("the public network", func(t *testing.T) {
		w := carol.click("203", "0698765432")
		c := carol.picksUp()
		out := carrier.picksUp()
		tells(t, w, "200")
		talking(t, "connected", c, hzStranger, out, hzCarrier)
		over(t, out, c)
		if r := o.CallRecords(2)[0]; r.Direction != tel.Outbound || r.Out != "trunk:carrier" {
			t.Errorf("call record %+v", r)
		}
	})

	t.Run("an emergency number, which goes out like any", func(t *testing.T) {
		w := carol.click("203", "112")
		c := carol.picksUp()
		out := carrier.picksUp()
		if why := o.Alarm("emergency", true); !strings.Contains(why, "Agent 203") || !strings.Contains(why, "112") {
			t.Errorf("the page says %q", why)
		}
		tells(t, w, "200")
		talking(t, "connected", c, hzStranger, out, hzCarrier)
		over(t, out, c)
	})

	t.Run("nobody picks up the own phone: nobody is called", func(t *testing.T) {
		w := alice.click("201", "202")
		alice.ring().Reject(486)
		tells(t, w, "486")
		bob.quiet("Alice did not want to")
	})

	t.Run("the other is busy: the person hears it, the screen is told", func(t *testing.T) {
		w := alice.click("201", "202")
		a := alice.picksUp()
		bob.ring().Reject(486)
		tells(t, w, "486")
		listen(t, "the regret", a)
		ended(t, a)
	})

	t.Run("no NOTIFY when none is wanted (RFC 4488)", func(t *testing.T) {
		w, err := alice.Click(t.Context(), "201", "202", "Refer-Sub: false\r\n")
		if err != nil {
			t.Fatal(err)
		}
		a, b := alice.picksUp(), bob.picksUp()
		talking(t, "connected", a, hzCaller, b, hzAgent)
		over(t, a, b)
		if len(w.Notes) > 0 {
			t.Errorf("NOTIFY %+v", <-w.Notes)
		}
	})

	t.Run("no way around the rights of a person, and to nobody else's phones", func(t *testing.T) {
		stranger := unknown(t, o, "127.0.0.1", "201")
		for name, c := range map[string]struct {
			by         *desk
			to, number string
			status     string
		}{
			"a premium number that the class forbids":   {carol, "203", "899123456", "403"},
			"a mobile that the class forbids":           {carol, "203", "3331234567", "403"},
			"a number that nobody has":                  {carol, "203", "299", "404"},
			"the phones of a colleague":                 {carol, "201", "202", "403"},
			"a stranger who says that he is Alice":      {stranger, "201", "202", "401"},
			"a stranger who wants help for the account": {stranger, "201", "112", "401"},
		} {
			_, err := c.by.Click(t.Context(), c.to, c.number, "")
			if err == nil || !strings.Contains(err.Error(), "refer: "+c.status) && !strings.Contains(err.Error(), "no challenge") {
				t.Errorf("%s: %v, want %s", name, err, c.status)
			}
		}
		time.Sleep(300 * time.Millisecond) // what would ring would ring by now
		for _, d := range []*desk{alice, bob, carol, carrier} {
			d.quiet("nothing was asked for that is allowed")
		}
	})
}

// A click outlives the death of the program at each of its steps: the own phone rings, the other rings,
// both talk.
func TestAClickedCallOutlivesCrashes(t *testing.T) {
	t.Parallel()
	o, anna, bruno, _ := colleagues(t, pbxtest.Setup{})
	w := anna.click("201", "202")
	first := anna.ring()
	o.Kill()
	within(t, "the end of the ring before", first.Ended())
	a := anna.picksUp()
	rings := bruno.ring()
	note(t, w, "active", "SIP/2.0 180")
	o.Until("the time that the supervisor wants between two crashes", func(n pbxtest.Now) bool { return len(n.Calls) == 1 })
	time.Sleep(3200 * time.Millisecond)
	o.Kill()
	within(t, "the end of the second ring before", rings.Ended())
	b := bruno.picksUp()
	note(t, w, "terminated;reason=noresource", "SIP/2.0 200")
	talking(t, "after two crashes", a, hzAgent, b, hzCarrier)
	over(t, a, b)
	if r := o.CallRecords(1)[0]; !r.Recovered || r.From != "201" || r.To != "202" {
		t.Errorf("call record %+v", r)
	}
}

// SIPp is the program at Alice's desk that clicks for her phone.
func TestRFC5359Section2_18ClickToDialBySIPp(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	alice, bob := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent)
	program := o.SIPpPhone(201, pbxtest.Password(201))
	s := program.Run(t, filepath.Join("testdata", "rfc5359", "2.18-click.xml"), keys{"callee": "201", "target": "202"})
	a := alice.picksUp()
	b := bob.ring()
	program.Passed("NOTIFY ", "SIP/2.0 180") // which the scenario demands to see
	b.Answer()
	s.Wait()
	allHear(t, "2.18, connected", ear{"Alice", a, hzAgent}, ear{"Bob", b, hzCaller})
	over(t, a, b)
}
