package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Service is what a box offers, so that it stands in the lists of programs that look around in a network
// (RFC 6763). Its instance carries the id of the box, which no other has, and so is asked for by nobody else:
// it is not probed.
type Service struct {
	Instance string   // what people read: "Pronto 7H3K9QXA"
	Kind     string   // "_http._tcp"
	Port     uint16   // of the host that has the responder's first name
	Text     []string // "id=7H3K9QXA": a key, =, a value
}

// every is the name under which all kinds of services are listed (RFC 6763 section 9).
const every = "_services._dns-sd._udp.local."

// sharedTTL is how long others may remember what does not name a host, in seconds (RFC 6762 section 10).
const sharedTTL = 4500

func (s Service) kind() string     { return s.Kind + ".local." }
func (s Service) instance() string { return s.Instance + "." + s.kind() }

// reply is what somebody asks of a service.
type reply int

const (
	nothing reply = iota
	listing       // which kinds are there?
	pointer       // which instances are there?
	details       // where is this instance?
)

// serviceQuestion is a question about a service, of whomever.
type serviceQuestion struct {
	name  string // in small letters
	kind  dnsmessage.Type
	alone bool
}

// asked tells what a question wants of us.
func (s Service) asked(q serviceQuestion) reply {
	is := func(kinds ...dnsmessage.Type) bool {
		return q.kind == dnsmessage.TypeALL || slices.Contains(kinds, q.kind)
	}
	switch {
	case s.Kind == "":
	case q.name == every && is(dnsmessage.TypePTR):
		return listing
	case q.name == strings.ToLower(s.kind()) && is(dnsmessage.TypePTR):
		return pointer
	case q.name == strings.ToLower(s.instance()) && is(dnsmessage.TypeSRV, dnsmessage.TypeTXT):
		return details
	}
	return nothing
}

// knows tells whether the asker has the answer already and will have it for a while (RFC 6762 section 7.1).
func (s Service) knows(known []string, r reply) bool {
	return r == pointer && slices.Contains(known, strings.ToLower(s.instance()))
}

// answer says it, for a host; or that it is there no more.
func (s Service) answer(r reply, label string, addrs []netip.Addr, goodbye bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	shared, own := uint32(sharedTTL), uint32(ttl)
	if goodbye {
		shared, own = 0, 0
	}
	p := putter{b: &b, err: b.StartAnswers()}
	switch r {
	case listing:
		p.ptr(every, s.kind(), shared)
		return finish(b, p.err)
	case pointer:
		p.ptr(s.kind(), s.instance(), shared)
		p.then(b.StartAdditionals)
	case details, nothing:
	}
	p.srv(s.instance(), domain(label), s.Port, own)
	p.txt(s.instance(), s.Text, shared)
	if r == details {
		p.then(b.StartAdditionals)
	}
	for _, a := range addrs {
		p.address(domain(label), a, dnsmessage.ClassINET|top, own)
	}
	return finish(b, p.err)
}

// putter adds records to a message until one fails.
type putter struct {
	b   *dnsmessage.Builder
	err error
}

func (p *putter) then(do func() error) {
	if p.err == nil {
		p.err = do()
	}
}

// named makes the name of a record and adds it.
func (p *putter) named(name string, add func(dnsmessage.Name) error) {
	p.then(func() error {
		n, err := dnsmessage.NewName(name)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		return add(n)
	})
}

func (p *putter) ptr(name, to string, seconds uint32) {
	p.named(name, func(n dnsmessage.Name) error {
		target, err := dnsmessage.NewName(to)
		if err != nil {
			return err
		}
		return p.b.PTRResource(dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET, TTL: seconds}, dnsmessage.PTRResource{PTR: target})
	})
}

func (p *putter) srv(name, host string, port uint16, seconds uint32) {
	p.named(name, func(n dnsmessage.Name) error {
		target, err := dnsmessage.NewName(host)
		if err != nil {
			return err
		}
		return p.b.SRVResource(dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET | top, TTL: seconds}, dnsmessage.SRVResource{Target: target, Port: port})
	})
}

func (p *putter) txt(name string, text []string, seconds uint32) {
	p.named(name, func(n dnsmessage.Name) error {
		return p.b.TXTResource(dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET | top, TTL: seconds}, dnsmessage.TXTResource{TXT: text})
	})
}

// address adds an A or an AAAA record.
func (p *putter) address(name string, a netip.Addr, class dnsmessage.Class, seconds uint32) {
	p.named(name, func(n dnsmessage.Name) error {
		h := dnsmessage.ResourceHeader{Name: n, Class: class, TTL: seconds}
		if a.Is4() {
			return p.b.AResource(h, dnsmessage.AResource{A: a.As4()})
		}
		return p.b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: a.As16()})
	})
}

// offered is what is to be said of the service: answers about what others may have too wait a moment, so that
// not everybody speaks at once (RFC 6762 section 6).
type offered struct {
	Service
	timer *time.Timer
	want  []reply
	last  [details + 1]time.Time // when each was said to everybody
}

// hold notes what is to be said in a moment.
func (o *offered) hold(r reply, now time.Time, delay time.Duration) {
	if r == nothing || now.Sub(o.last[r]) < answerEvery || slices.Contains(o.want, r) {
		return // said just now, or about to be
	}
	if len(o.want) == 0 {
		o.timer.Reset(delay)
	}
	o.want = append(o.want, r)
}

// Of section 6: the time that shared answers wait.
const (
	waitLeast = 20 * time.Millisecond
	waitRange = 100 * time.Millisecond
)
