package load

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Office is a configuration of the size that the numbers are promised for.
type Office struct {
	SIP, Web netip.AddrPort
	Carrier  string // the address that the carrier's calls come from
	text     string
}

// Size of the office.
const (
	Phones     = 50 // 201 to 250, each with a person
	Agents     = 20 // of these persons, the first ones, serve queues unless a Work says otherwise
	FirstPhone = 201

	SalesQueue, HelpQueue   = "400", "401"               // dialled by phones
	SalesNumber, HelpNumber = "+39061111", "+39062222"   // called through the carrier
	boxIP, carrierIP        = "127.0.0.61", "127.0.0.62" // nothing else of the tests uses them
)

// Password of a phone.
func Password(user string) string { return "load-office-" + user }

// Extension is the number, and the user name, of the i-th phone from 0.
func Extension(i int) string { return fmt.Sprint(FirstPhone + i) }

// PhoneIP is the loopback address of the i-th phone: one each, as in an office, since the box
// counts messages by source.
func PhoneIP(i int) string { return fmt.Sprintf("127.0.62.%d", 1+i) }

// Work is how an office serves its two queues: every agent belongs to both.
type Work struct {
	Strategy string // default longest_idle
	WrapUp   string // default 0s
	Agents   int    // default the constant Agents
}

// Defaults fills what was left out.
func (w Work) Defaults() Work {
	return Work{cmp.Or(w.Strategy, "longest_idle"), cmp.Or(w.WrapUp, "0s"), cmp.Or(w.Agents, Agents)}
}

// NewOffice writes a configuration on free ports.
func NewOffice(w Work) (Office, error) {
	w = w.Defaults()
	ports, err := FreePorts(boxIP, boxIP)
	if err != nil {
		return Office{}, err
	}
	o := Office{SIP: ports[0], Web: ports[1], Carrier: carrierIP}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nsip: {listen: %q}\nmedia: {bind: %s, port_min: 16384, port_max: 24575}\nweb: {listen: %q}\nphones:\n", o.SIP, boxIP, o.Web)
	for i := range Phones {
		fmt.Fprintf(&b, "  - {id: %q, name: P%s, password: %s, md5: true}\n", Extension(i), Extension(i), Password(Extension(i)))
	}
	b.WriteString("lamps:\n")
	for i := range w.Agents {
		fmt.Fprintf(&b, "  - {id: lamp%s, driver: sim}\n", Extension(i))
	}
	b.WriteString("agents:\n")
	var members []string
	for i := range Phones {
		if i < w.Agents {
			members = append(members, "a"+Extension(i))
			fmt.Fprintf(&b, "  - {id: a%[1]s, name: A%[1]s, extension: %[1]q, phones: [%[1]q], lamp: lamp%[1]s, login: true}\n", Extension(i))
		} else {
			fmt.Fprintf(&b, "  - {id: a%[1]s, name: A%[1]s, extension: %[1]q, phones: [%[1]q]}\n", Extension(i))
		}
	}
	b.WriteString("queues:\n")
	for id, number := range map[string]string{"sales": SalesQueue, "help": HelpQueue} {
		fmt.Fprintf(&b, "  - {id: %s, name: %s, number: %q, strategy: %s, agents: [%s], ring: 15s, wrap_up: %s}\n",
			id, id, number, w.Strategy, strings.Join(members, ", "), w.WrapUp)
	}
	fmt.Fprintf(&b, "trunks:\n  - id: carrier\n    name: Carrier\n    server: %s:5080\n    match: [%s/32]\n    number: %q\n    in: {%q: queue:sales, %q: queue:help}\n",
		o.Carrier, o.Carrier, SalesNumber, SalesNumber, HelpNumber)
	o.text = b.String()
	return o, nil
}

// OfficeOf wraps a configuration that somebody else wrote, with the addresses that it names.
func OfficeOf(text string, sip, web netip.AddrPort) Office {
	return Office{SIP: sip, Web: web, text: text}
}
