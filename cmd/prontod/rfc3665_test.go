package main_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Every flow here is judged by SIPp in both roles; the box is what stands between Alice and Bob. It is
// a back-to-back user agent and a registrar, so section 3.5 (a session through a SIP ALG) has no part
// for it, and where the RFC's proxy forwards, the box answers and calls.

func rfc3665(name string) string { return filepath.Join("testdata", "rfc3665", name) }

// registration runs one REGISTER with its challenge: the lines of the second request, the status of its
// answer, and patterns that this answer must match and must not.
func registration(t testing.TB, p *pbxtest.SIPpPhone, status int, lines, shows, hides string) *pbxtest.SIPp {
	checks := ""
	for _, s := range strings.Fields(shows) {
		checks += fmt.Sprintf(`<ereg regexp="%s" search_in="msg" check_it="true" assign_to="seen"/>`, s)
	}
	for _, s := range strings.Fields(hides) {
		checks += fmt.Sprintf(`<ereg regexp="%s" search_in="msg" check_it_inverse="true" assign_to="seen"/>`, s)
	}
	return p.Run(t, rfc3665("register.xml"), map[string]string{"status": fmt.Sprint(status), "contacts": lines, "checks": checks})
}

const contactHere = "Contact: <sip:[service]@[local_ip]:[local_port]>"

func TestRFC3665Section2Registrations(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	bob := o.SIPpPhone(201, pbxtest.Password(201))
	mine := fmt.Sprintf("sip:201@%s", bob.At())
	registration(t, bob, 200, contactHere+"\nExpires: 3600", mine+" expires=3600", "").Wait() // 2.1 a new one
	o.Phone(201)
	other := "sip:201@127.0.0.1:5091"
	registration(t, bob, 200, "Contact: <"+other+">\nExpires: 1800", mine+" "+other+".*expires=1800", "").Wait() // 2.2 one more contact
	registration(t, bob, 200, "Subject: which contacts?", mine+" "+other, "").Wait()                             // 2.3 the current list
	registration(t, bob, 200, "Contact: *\nExpires: 0", "Call-ID", "Contact:").Wait()                            // 2.4 all are given up
	o.Until("the phone to be gone", func(n pbxtest.Now) bool { return !n.Devices["201"].Reachable })
	registration(t, o.SIPpPhone(201, "a-wrong-password"), 401, contactHere, "WWW-Authenticate", "Contact:").Wait() // 2.5
	registration(t, bob, 200, "Subject: which contacts?", "Call-ID", "Contact:").Wait()                            // which has changed nothing
}

// ready logs SIPp in as a phone.
func ready(t testing.TB, o *pbxtest.Office, number int) *pbxtest.SIPpPhone {
	p := o.SIPpPhone(number, pbxtest.Password(number))
	registration(t, p, 200, contactHere+"\nExpires: 3600", "Contact:", "").Wait()
	o.Phone(number)
	return p
}

type keys = map[string]string

func TestRFC3665Section3Sessions(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3, Carrier: 5070, Challenge: true, Calls: map[int]string{203: "ring: 5s"}})
	alice, bob := ready(t, o, 201), ready(t, o, 202)
	carrier := o.SIPpCarrier(netip.AddrPort{})
	o.Line("trunk:carrier", true)
	records := 0
	// flow lets Alice call, and checks what the box wrote down of it.
	flow := func(section, callee, caller string, to *pbxtest.SIPpPhone, more keys, cause tel.Cause) {
		t.Run(section, func(t *testing.T) {
			called := to.Run(t, rfc3665(callee), more)
			caller := alice.Run(t, rfc3665(caller), more)
			caller.Wait()
			called.Wait()
			records++
			if r := o.CallRecords(records)[0]; r.Cause != cause || r.From != "201" {
				t.Errorf("call record %+v", r)
			}
		})
	}
	toBob := func(more keys) keys {
		all := keys{"callee": "202"}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	ringing := "<send><![CDATA[\nSIP/2.0 180 Ringing\n[last_Via:]\n[last_From:]\n[last_To:];tag=[pid]\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[service]@[local_ip]:[local_port]>\nContent-Length: 0\n\n]]></send>"
	flow("3.1 successful", "3.1-callee.xml", "3.1-caller.xml", bob, toBob(nil), tel.CauseNormal)
	flow("3.2 and 3.3 through a second hop that asks for a password of its own", "3.3-carrier.xml", "3.1-caller.xml", carrier,
		keys{"callee": "0698765432", "user": strings.Replace(pbxtest.DID, "+", "[+]", 1)}, tel.CauseNormal)
	flow("3.6 the answer in the ACK", "3.1-callee.xml", "3.6-caller.xml", bob, toBob(nil), tel.CauseNormal)
	flow("3.7 the called phone changes its address", "3.7-callee.xml", "3.1-caller.xml", bob, toBob(nil), tel.CauseNormal)
	flow("3.8 no answer, the caller gives up", "3.8-callee.xml", "3.8-caller.xml", bob, toBob(nil), tel.CauseCancelled)
	flow("3.9 busy", "refused-callee.xml", "refused-caller.xml", bob, toBob(keys{"status": "486", "reason": "Busy Here", "first": ""}), tel.CauseBusy)
	flow("3.11 temporarily unavailable", "refused-callee.xml", "refused-caller.xml", bob, toBob(keys{"status": "480", "reason": "Temporarily Unavailable", "first": ringing}), tel.CauseNoAnswer)
	carla := ready(t, o, 203)
	t.Run("3.6 by a phone that redirects", func(t *testing.T) {
		called := bob.Run(t, rfc3665("3.1-callee.xml"), nil)
		away := carla.Run(t, rfc3665("3.6-redirect.xml"), keys{"target": "202"})
		alice.Run(t, rfc3665("3.6-caller.xml"), keys{"callee": "203"}).Wait()
		away.Wait()
		called.Wait()
		records++
		if r := o.CallRecords(records)[0]; r.Out != "phone:202" || len(r.Moves) != 1 || r.Moves[0].Kind != tel.MoveForward {
			t.Errorf("call record %+v", r)
		}
	})
	flow("3.10 no response", "3.10-callee.xml", "refused-caller.xml", carla, keys{"callee": "203", "status": "480"}, tel.CauseNoAnswer)
}

// The box tries the next of the route's carriers, as the RFC's user agent tries its second proxy.
func TestRFC3665Section3_4SessionWithAHopThatFails(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Extra: `trunks:
  - {id: first, name: First, server: "127.0.0.21:5071", match: [127.0.0.21/32], number: "+390612345678", in: {"*": "queue:sales"}}
  - {id: second, name: Second, server: "127.0.0.22:5072", match: [127.0.0.22/32], number: "+390612345678", user: "390612345678", password: carrier-password, in: {"*": "queue:sales"}}
routes: [{prefix: "+390", via: ["trunk:first", "trunk:second"]}]
`})
	alice := ready(t, o, 201)
	one, other := o.SIPpCarrier(netip.MustParseAddrPort("127.0.0.21:5071")), o.SIPpCarrier(netip.MustParseAddrPort("127.0.0.22:5072"))
	o.Line("trunk:first", true)
	o.Line("trunk:second", true)
	first := one.Run(t, rfc3665("3.4-carrier.xml"), nil)
	second := other.Run(t, rfc3665("3.3-carrier.xml"), keys{"user": "390612345678"})
	alice.Run(t, rfc3665("3.1-caller.xml"), keys{"callee": "0698765432"}).Wait()
	first.Wait()
	second.Wait()
	if r := o.CallRecords(1)[0]; r.Out != "trunk:second" || r.Cause != tel.CauseNormal {
		t.Errorf("call record %+v", r)
	}
}
