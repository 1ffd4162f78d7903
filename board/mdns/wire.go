package mdns

import (
	"errors"
	"fmt"
	"net/netip"

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
	records   []heard
}

// read takes a packet apart. What is not about addresses of names in .local is passed over.
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
		label, ok := labelOf(q.Name.String())
		class := q.Class &^ top
		if ok && (q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeALL) && (class == dnsmessage.ClassINET || class == dnsmessage.ClassANY) {
			m.questions = append(m.questions, question{label, q.Class&top != 0, q})
		}
	}
	if err := p.SkipAllQuestions(); err != nil {
		return m, fmt.Errorf("mDNS: %w", err)
	}
	if m.records, err = addresses(&p, p.AnswerHeader, p.SkipAnswer, false, nil); err != nil || m.response {
		return m, err
	}
	// In a question the answers are what the asker knows already; the authorities are what it would say.
	m.records, err = addresses(&p, p.AuthorityHeader, p.SkipAuthority, true, nil)
	return m, err
}

// addresses reads one section.
func addresses(p *dnsmessage.Parser, header func() (dnsmessage.ResourceHeader, error), skip func() error, probe bool, all []heard) ([]heard, error) {
	for range mostRecords {
		h, err := header()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return all, nil
		} else if err != nil {
			return all, fmt.Errorf("mDNS: %w", err)
		}
		label, ok := labelOf(h.Name.String())
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
func probeOf(label string, addr netip.Addr) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	name, err := dnsmessage.NewName(domain(label))
	if err == nil {
		err = b.StartQuestions()
	}
	if err == nil {
		err = b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.TypeALL, Class: dnsmessage.ClassINET | top})
	}
	if err == nil {
		err = b.StartAuthorities()
	}
	if err == nil {
		err = b.AResource(dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}, dnsmessage.AResource{A: addr.As4()})
	}
	return finish(b, err)
}

// answerOf says what a name stands for, to everybody; with a time of 0 that it does no more.
func answerOf(label string, addr netip.Addr, seconds uint32) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	return answer(b, label, addr, dnsmessage.ClassINET|top, seconds)
}

// legacyAnswer answers one question as a DNS server would.
func legacyAnswer(id uint16, q question, addr netip.Addr) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, Response: true, Authoritative: true})
	if err := b.StartQuestions(); err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	if err := b.Question(q.q); err != nil {
		return nil, fmt.Errorf("mDNS: %w", err)
	}
	return answer(b, q.label, addr, dnsmessage.ClassINET, legacyTTL)
}

func answer(b dnsmessage.Builder, label string, addr netip.Addr, class dnsmessage.Class, seconds uint32) ([]byte, error) {
	name, err := dnsmessage.NewName(domain(label))
	if err == nil {
		err = b.StartAnswers()
	}
	if err == nil {
		err = b.AResource(dnsmessage.ResourceHeader{Name: name, Class: class, TTL: seconds}, dnsmessage.AResource{A: addr.As4()})
	}
	return finish(b, err)
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
