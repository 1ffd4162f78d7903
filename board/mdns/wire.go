package mdns

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// top is the highest bit of a class: "answer to me alone" in a question, "forget what you knew" in an answer
	// (RFC 6762 sections 5.4 and 10.2).
	top = 1 << 15
	// ttl is how long others may remember an address, in seconds (section 10).
	ttl = 120
	// legacyTTL is for who asks as if we were a DNS server (section 6.7).
	legacyTTL = 10
	// mostQuestions and mostRecords bound what is read of one message.
	mostQuestions, mostRecords = 32, 64
)

// question is one about a name that could be ours.
type question struct {
	label string
	alone bool // the answer should go to the asker alone
	q     dnsmessage.Question
}

// message is what we understand of one packet.
type message struct {
	id        uint16
	response  bool
	questions []question
	services  []serviceQuestion
	known     []string // instances that the asker knows and will know for a while, in small letters
	records   []heard
}

// read takes a packet apart. What is not about addresses of names in .local, or about services, is passed over.
func read(packet []byte) (m message, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil {
		return m, fmt.Errorf("mDNS: %w", err)
	}
	m.id, m.response = h.ID, h.Response
	if h.OpCode != 0 || h.RCode != 0 {
		return m, nil // section 18: passed over
	}
	for range mostQuestions {
		q, err := p.Question()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		} else if err != nil {
			return m, fmt.Errorf("mDNS: %w", err)
		}
		name := strings.ToLower(q.Name.String())
		label, ok := labelOf(name)
		class, alone := q.Class&^top, q.Class&top != 0
		switch {
		case class != dnsmessage.ClassINET && class != dnsmessage.ClassANY:
		case ok && (q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA || q.Type == dnsmessage.TypeALL):
			m.questions = append(m.questions, question{label, alone, q})
		case !ok:
			m.services = append(m.services, serviceQuestion{name, q.Type, alone})
		}
	}
	if err := p.SkipAllQuestions(); err != nil {
		return m, fmt.Errorf("mDNS: %w", err)
	}
	if m.records, err = m.addresses(&p, p.AnswerHeader, p.SkipAnswer, false, nil); err != nil || m.response {
		return m, err
	}
	// In a question the answers are what the asker knows already; the authorities are what it would say.
	m.records, err = m.addresses(&p, p.AuthorityHeader, p.SkipAuthority, true, nil)
	return m, err
}

// addresses reads one section. A name is told apart by its IPv4 address, which every box has: what somebody
// says of IPv6 alone is passed over.
func (m *message) addresses(p *dnsmessage.Parser, header func() (dnsmessage.ResourceHeader, error), skip func() error, probe bool, all []heard) ([]heard, error) {
	for range mostRecords {
		h, err := header()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return all, nil
		} else if err != nil {
			return all, fmt.Errorf("mDNS: %w", err)
		}
		label, ok := labelOf(h.Name.String())
		if h.Type == dnsmessage.TypePTR && !probe && h.TTL >= sharedTTL/2 {
			r, err := p.PTRResource()
			if err != nil {
				return all, fmt.Errorf("mDNS: %w", err)
			}
			m.known = append(m.known, strings.ToLower(r.PTR.String()))
			continue
		}
		if !ok || h.Type != dnsmessage.TypeA || h.Class&^top != dnsmessage.ClassINET || h.TTL == 0 {
			if err := skip(); err != nil {
				return all, fmt.Errorf("mDNS: %w", err)
			}
			continue
		}
		a, err := p.AResource()
		if err != nil {
			return all, fmt.Errorf("mDNS: %w", err)
		}
		all = append(all, heard{label, netip.AddrFrom4(a.A), probe})
	}
	return all, nil
}

// probeOf asks whether anybody has a name, and says what it would stand for.
func probeOf(label string, addrs []netip.Addr) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	p := putter{b: &b, err: b.StartQuestions()}
	p.named(domain(label), func(n dnsmessage.Name) error {
		return b.Question(dnsmessage.Question{Name: n, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET | top})
	})
	p.then(b.StartAuthorities)
	for _, a := range addrs {
		p.address(domain(label), a, dnsmessage.ClassINET, ttl)
	}
	return finish(b, p.err)
}

// answerOf says what a name stands for, to everybody; with a time of 0 that it does no more.
func answerOf(label string, addrs []netip.Addr, seconds uint32) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	p := putter{b: &b, err: b.StartAnswers()}
	for _, a := range addrs {
		p.address(domain(label), a, dnsmessage.ClassINET|top, seconds)
	}
	return finish(b, p.err)
}

// legacyAnswer answers one question as a DNS server would: with the kind of address that was asked for.
func legacyAnswer(id uint16, q question, addrs []netip.Addr) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, Response: true, Authoritative: true})
	p := putter{b: &b, err: b.StartQuestions()}
	p.then(func() error { return b.Question(q.q) })
	p.then(b.StartAnswers)
	for _, a := range addrs {
		if q.q.Type == dnsmessage.TypeALL || a.Is4() == (q.q.Type == dnsmessage.TypeA) {
			p.address(domain(q.label), a, dnsmessage.ClassINET, legacyTTL)
		}
	}
	return finish(b, p.err)
}

func finish(b dnsmessage.Builder, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	packet, err := b.Finish()
	if err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	return packet, nil
}
