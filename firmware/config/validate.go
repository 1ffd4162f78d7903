package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Validate returns every problem, each with the path of its field.
func (c *Config) Validate() Problems {
	v := validator{c: c, ids: map[string]bool{}, numbers: map[tel.Number]string{}}
	v.box()
	v.bans()
	v.transports()
	v.sessions()
	for i := range c.Phones {
		v.phone(fmt.Sprintf("phones[%d]", i), &c.Phones[i])
	}
	for i := range c.Lamps {
		v.lamp(fmt.Sprintf("lamps[%d]", i), &c.Lamps[i])
	}
	for i := range c.Agents {
		v.agent(fmt.Sprintf("agents[%d]", i), &c.Agents[i])
	}
	for i := range c.Queues {
		v.queue(fmt.Sprintf("queues[%d]", i), &c.Queues[i])
	}
	for i := range c.Trunks {
		v.trunk(fmt.Sprintf("trunks[%d]", i), &c.Trunks[i])
	}
	v.sharedTrust()
	for i := range c.Lines {
		v.line(fmt.Sprintf("lines[%d]", i), &c.Lines[i])
	}
	for i := range c.Routes {
		v.route(fmt.Sprintf("routes[%d]", i), &c.Routes[i])
	}
	for i := range c.Buttons {
		v.button(fmt.Sprintf("buttons[%d]", i), &c.Buttons[i])
	}
	v.shared()
	v.lights()
	v.contacts()
	v.dialling()
	v.sms()
	v.overflowLoops()
	v.missedCallers()
	v.menus()
	v.conferences()
	v.voicemail()
	v.dialPlan()
	v.presence()
	v.work()
	v.distribution()
	v.supervision()
	v.recording()
	v.browsers()
	return v.found
}

type validator struct {
	c       *Config
	found   Problems
	ids     map[string]bool       // "phone/201"
	numbers map[tel.Number]string // internal number -> path that took it
}

func (v *validator) box() {
	c := v.c
	if c.Version != Version {
		v.found.add("version", "version", "is %d; this program reads version %d", c.Version, Version)
	}
	if c.Box.Language != "it" && c.Box.Language != "en" {
		v.found.add("box.language", "choice", "%q is not a language of this box; use it or en", c.Box.Language)
	}
	if _, err := time.LoadLocation(c.Box.Timezone); err != nil {
		v.found.add("box.timezone", "timezone", "%q is not a time zone; use a name like Europe/Rome", c.Box.Timezone)
	}
	if c.Box.SupportUntil != "" {
		if _, err := time.Parse(time.DateOnly, c.Box.SupportUntil); err != nil {
			v.found.add("box.support_until", "date", "%q is not a day such as 2031-12-31", c.Box.SupportUntil)
		}
	}
	if !c.SIP.Listen.IsValid() {
		v.found.add("sip.listen", "address", "needs an address and a port, such as 0.0.0.0:5060")
	}
	if c.SIP.Realm == "" || strings.ContainsAny(c.SIP.Realm, "\"\\\r\n") {
		v.found.add("sip.realm", "realm", "must not be empty or hold quotes")
	}
	if !c.Web.Listen.IsValid() {
		v.found.add("web.listen", "address", "needs an address and a port, such as 127.0.0.1:8080")
	}
	m := c.Media
	if m.PortMin < 1024 || m.PortMax > 65535 || m.PortMin%2 != 0 || m.PortMax-m.PortMin < 15 {
		v.found.add("media", "ports", "port_min %d and port_max %d: need an even first port from 1024 and at least 16 ports", m.PortMin, m.PortMax)
	}
	if m.OpusMax < -1 || m.OpusMax > mostOpus {
		v.found.add("media.opus_max", "range", "%d: use -1 (by the cores of the board) to %d", m.OpusMax, mostOpus)
	}
}

// id checks that an identifier is usable in URLs and file names and is not taken.
func (v *validator) id(path, kind, id string) {
	switch {
	case id == "":
		v.found.add(path+".id", "missing", "is missing")
		return
	case len(id) > 40 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "":
		v.found.add(path+".id", "id", "%q: use at most 40 of a-z 0-9 - _ .", id)
	case v.ids[kind+"/"+id]:
		v.found.add(path+".id", "duplicate", "%q is used twice", id)
	}
	v.ids[kind+"/"+id] = true
}

func (v *validator) number(path string, n tel.Number, must bool) {
	switch {
	case n == "" && !must:
	case n == "":
		v.found.add(path, "missing", "is missing")
	case len(n) < 2 || len(n) > 5 || strings.Trim(string(n), "0123456789") != "":
		v.found.add(path, "number", "%q is not an internal number of 2 to 5 digits", n)
	case n.Emergency():
		v.found.add(path, "emergency", "%q is an emergency number", n)
	case v.numbers[n] != "":
		v.found.add(path, "duplicate", "%q is already the number of %s", n, v.numbers[n])
	default:
		v.numbers[n] = path
	}
}

// host checks host, host:port or a literal address, an IPv6 one with a port in brackets. Empty is fine.
func (v *validator) host(path, text string) {
	if a, err := netip.ParseAddrPort(text); text == "" || err == nil && a.Port() != 0 {
		return
	}
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return
	}
	name, port, has := strings.Cut(text, ":")
	if n, err := strconv.ParseUint(port, 10, 16); has && (err != nil || n == 0) {
		v.found.add(path, "host", "%q: the port is not 1 to 65535", text)
	} else if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != "" {
		v.found.add(path, "host", "%q is not a host name or an address", text)
	}
}

func (v *validator) phone(path string, p *Phone) {
	v.id(path, "phone", string(p.ID))
	v.srtp(path, p.SRTP)
	if len(p.Password) < 12 {
		v.found.add(path+".password", "password", "needs at least 12 characters")
	}
	v.placePhone(path, p)
}

func (v *validator) agent(path string, a *Agent) {
	v.id(path, "agent", string(a.ID))
	v.number(path+".extension", a.Extension, true)
	for i, d := range a.Phones {
		if !slices.ContainsFunc(v.c.Phones, func(p Phone) bool { return p.ID == d }) {
			v.found.add(fmt.Sprintf("%s.phones[%d]", path, i), "unknown", "there is no phone %q", d)
		}
		for _, other := range v.c.Agents {
			if other.ID != a.ID && slices.Contains(other.Phones, d) && other.ID < a.ID {
				v.found.add(fmt.Sprintf("%s.phones[%d]", path, i), "shared", "phone %q already belongs to agent %q", d, other.ID)
			}
		}
	}
	if a.Lamp != "" && !v.ids["lamp/"+string(a.Lamp)] {
		v.found.add(path+".lamp", "unknown", "there is no lamp %q", a.Lamp)
	}
	for i, d := range a.Dial {
		if !slices.Contains([]string{"internal", "local", "mobile", "international", "premium"}, d) {
			v.found.add(fmt.Sprintf("%s.dial[%d]", path, i), "choice", "%q is not one of internal, local, mobile, international, premium", d)
		}
	}
}

func (v *validator) queue(path string, q *Queue) {
	v.id(path, "queue", string(q.ID))
	v.number(path+".number", q.Number, true)
	for i, a := range q.Agents {
		if !v.ids["agent/"+string(a)] {
			v.found.add(fmt.Sprintf("%s.agents[%d]", path, i), "unknown", "there is no agent %q", a)
		}
		if slices.Index(q.Agents, a) != i {
			v.found.add(fmt.Sprintf("%s.agents[%d]", path, i), "duplicate", "%q is named twice", a)
		}
	}
	if len(q.Agents) == 0 {
		v.found.add(path+".agents", "missing", "a queue needs at least one agent")
	}
	v.duration(path+".ring", q.Ring, 5*time.Second, 2*time.Minute)
	v.duration(path+".wrap_up", q.WrapUp, 0, time.Hour)
	v.duration(path+".max_wait", q.MaxWait, 0, 24*time.Hour)
	if q.MaxLength < 0 {
		v.found.add(path+".max_length", "range", "must not be negative")
	}
	v.destination(path+".overflow", q.Overflow)
	v.waiting(path, q)
	v.alarms(path, q)
}

func (v *validator) between(path string, n, low, high int) {
	if n < low || n > high {
		v.found.add(path, "range", "%d is not between %d and %d", n, low, high)
	}
}

func (v *validator) duration(path string, d, low, high time.Duration) {
	if d < low || d > high {
		v.found.add(path, "range", "%s is not between %s and %s", d, low, high)
	}
}

func (v *validator) line(path string, l *Line) {
	v.id(path, "line", string(l.ID))
	if l.Type != LineGSM && l.Type != LineAnalog {
		v.found.add(path+".type", "choice", "%q is not a kind of line; use gsm or fxo", l.Type)
	}
	if l.AT == "" {
		v.found.add(path+".at", "missing", "is missing: usb, usb:SOCKET or the path of the modem's AT port")
	}
	if l.In != "" {
		v.destination(path+".in", l.In)
	}
	v.sim(path+".sim", &l.SIM)
	v.power(path+".power", &l.Power)
	v.modem(path, l)
	v.analog(path, l)
}

func (v *validator) route(path string, r *Route) {
	if strings.Trim(r.Prefix, "+0123456789") != "" {
		v.found.add(path+".prefix", "number", "%q is not a dialled prefix", r.Prefix)
	}
	if r.Strip < 0 || r.Strip > 10 {
		v.found.add(path+".strip", "range", "must be 0 to 10 digits")
	}
	if len(r.Via) == 0 {
		v.found.add(path+".via", "missing", "needs at least one trunk or line")
	}
	for i, via := range r.Via {
		if kind, name, ok := strings.Cut(via, ":"); !ok || (kind != "trunk" && kind != "line") || !v.ids[kind+"/"+name] {
			v.found.add(fmt.Sprintf("%s.via[%d]", path, i), "unknown", "there is no %q; write trunk:ID or line:ID", via)
		}
	}
}
