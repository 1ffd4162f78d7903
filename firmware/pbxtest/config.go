package pbxtest

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// config writes the office's file. It is text and not the product's own encoder, as an owner writes it.
func (o *Office) config(s Setup) string {
	var b strings.Builder
	lan := ""
	if s.LAN != "" {
		lan = fmt.Sprintf(", lan: [%s]", s.LAN)
	}
	listen, bind := o.SIP, "0.0.0.0"
	if s.IPv6 {
		listen, bind = netip.AddrPortFrom(netip.IPv6Unspecified(), o.SIP.Port()), "'::'"
	}
	if s.TLS {
		lan += fmt.Sprintf(", tls_listen: %q", o.TLS)
	}
	secure := ""
	if o.WebTLS != "" {
		secure = fmt.Sprintf(", tls_listen: %q", o.WebTLS)
	}
	fmt.Fprintf(&b, "version: 1\nbox: {name: Test, language: en, emergency_test: %q}\nsip: {listen: %q%s}\nmedia: {bind: %s, port_min: %d, port_max: %d, browsers: {port: %d}}\nweb: {listen: %q%s}\n",
		s.EmergencyTest, listen, lan, bind, o.MediaLo, o.MediaHi, o.MediaBrowser, o.Web, secure)
	if s.New {
		return b.String() + s.Extra
	}
	var phones, lamps, agents, members []string
	for i := range s.Agents {
		n := 201 + i
		srtp := "optional"
		if i < len(s.SRTP) {
			srtp = s.SRTP[i]
		}
		phones = append(phones, fmt.Sprintf("{id: \"%d\", name: Phone %[1]d, password: %s, md5: %v, srtp: %s, any_network: %v}", n, Password(n), !s.SHA256, srtp, slices.Contains(s.Home, n)))
		lamps = append(lamps, fmt.Sprintf("{id: desk%d, driver: sim}", n))
		dial := ""
		if allowed, ok := s.Dial[n]; ok {
			dial = fmt.Sprintf(", dial: [%s]", allowed)
		}
		if calls, ok := s.Calls[n]; ok {
			dial += fmt.Sprintf(", calls: {%s}", calls)
		}
		if work, ok := s.Work[n]; ok {
			dial += fmt.Sprintf(", work: {%s}", work)
		}
		if skills, ok := s.Skills[n]; ok {
			dial += fmt.Sprintf(", skills: {%s}", skills)
		}
		if whom, ok := s.Supervises[n]; ok {
			dial += fmt.Sprintf(", supervises: [%s]", whom)
		}
		if slices.Contains(s.Browser, n) {
			dial += ", browser: true"
		}
		agents = append(agents, fmt.Sprintf("{id: agent%d, name: Agent %[1]d, extension: \"%[1]d\", phones: [\"%[1]d\"], lamp: desk%[1]d, login: %v%s}", n, i < s.LoggedIn, dial))
		if !slices.Contains(s.Apart, n) {
			members = append(members, fmt.Sprintf("agent%d", n))
		}
	}
	list := func(name string, entries []string) {
		fmt.Fprintf(&b, "%s:\n  - %s\n", name, strings.Join(entries, "\n  - "))
	}
	list("phones", phones)
	list("lamps", lamps)
	list("agents", agents)
	queue := ""
	if s.Queue != "" {
		queue = ", " + s.Queue
	}
	list("queues", append([]string{fmt.Sprintf("{id: sales, name: Sales, number: \"400\", strategy: %s, agents: [%s], ring: %s, wrap_up: %s%s}",
		cmp.Or(s.Strategy, "longest_idle"), strings.Join(members, ", "), cmp.Or(s.Ring, 15*time.Second), s.WrapUp, queue)}, s.Queues...))
	var routes []string
	if s.Carrier != 0 {
		access := fmt.Sprintf("match: [%s/32]", o.Carrier)
		if s.Challenge {
			access += fmt.Sprintf(", user: %q, password: %s", DID, CarrierPassword)
		}
		if s.Registers {
			access = fmt.Sprintf("register: true, user: %q, password: %s", DID, CarrierPassword)
		}
		if s.Spare != 0 {
			access += fmt.Sprintf(", servers: [\"%s:%d\"]", o.Carrier, s.Spare)
		}
		numbers := ""
		if s.Numbers != "" {
			numbers = ", " + s.Numbers
		}
		list("trunks", []string{fmt.Sprintf("{id: carrier, name: Carrier, server: \"%s:%d\", %s, number: %q, in: {\"*\": %q%s}}",
			o.Carrier, s.Carrier, access, DID, cmp.Or(s.In, "queue:sales"), numbers)})
		routes = append(routes, `{prefix: "+390", via: ["trunk:carrier"]}`)
	}
	var lines []string
	if s.Modem {
		lines = append(lines, fmt.Sprintf("{id: gsm0, name: Mobile, type: gsm, at: %s, audio: %s, in: %q}",
			filepath.Join(o.Dir, "modem0-at"), filepath.Join(o.Dir, "modem0-pcm"), cmp.Or(s.In, "queue:sales")))
		routes = append(routes, `{prefix: "+393", via: ["line:gsm0"]}`)
	}
	if s.Analog {
		lines = append(lines, fmt.Sprintf("{id: fxo0, name: Fisso, type: fxo, at: %s, in: %q}", filepath.Join(o.Dir, "modem1-fxo"), cmp.Or(s.In, "queue:sales")))
		routes = append(routes, `{prefix: "+3902", via: ["line:fxo0"]}`)
	}
	if lines != nil {
		list("lines", lines)
	}
	if s.Routes != "" {
		routes = append(routes, s.Routes)
	}
	if routes != nil {
		list("routes", routes)
	}
	b.WriteString(s.Extra)
	return b.String()
}
