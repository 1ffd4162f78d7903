// Package dns asks for the records that find SIP servers (RFC 3263): NAPTR, SRV, A and AAAA, each
// kept for as long as its time to live says. net.Resolver knows neither NAPTR nor times to live.
package dns

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Errors of a look-up.
var (
	ErrNoRecord = errors.New("the name has no such record")
	ErrNoServer = errors.New("no name server answered")
)

// NAPTR is a rule of RFC 3403 as RFC 3263 uses it: which service is where.
type NAPTR struct {
	Order, Preference uint16
	Flags, Service    string // such as "s" and "SIP+D2U"
	Replacement       string // without the last dot
}

// SRV names one server of a service (RFC 2782).
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string // without the last dot; empty: the service is not offered
}

// typeNAPTR is not among dnsmessage's types.
const typeNAPTR dnsmessage.Type = 35

const (
	maxAnswers = 64 // records believed of one answer
	ednsSize   = 1232
)

// answer is what a name server said to one question.
type answer struct {
	naptr []NAPTR
	srv   []SRV
	addrs []netip.Addr
	ttl   time.Duration
}

func (a answer) empty() bool { return len(a.naptr)+len(a.srv)+len(a.addrs) == 0 }

// verdict is what an answer means for the search.
type verdict uint8

const (
	useIt       verdict = iota
	noRecord            // the name or the type does not exist
	askAnother          // the server cannot say
	truncated           // ask again over TCP
	notTheReply         // not ours: keep listening
)

// query packs a question that wants recursion.
func query(id uint16, name string, kind dnsmessage.Type) ([]byte, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("%q is no name: %w", name, err)
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	b.EnableCompression()
	var opt dnsmessage.ResourceHeader
	err = errors.Join(
		b.StartQuestions(), b.Question(dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}),
		b.StartAdditionals(), opt.SetEDNS0(ednsSize, dnsmessage.RCodeSuccess, false), b.OPTResource(opt, dnsmessage.OPTResource{}),
	)
	if err != nil {
		return nil, fmt.Errorf("%q is no name: %w", name, err)
	}
	return b.Finish()
}

// parse reads the reply to a query; what a stranger sent is notTheReply.
func parse(raw []byte, id uint16, name string, kind dnsmessage.Type) (answer, verdict) {
	var p dnsmessage.Parser
	h, err := p.Start(raw)
	if err != nil || !h.Response || h.ID != id {
		return answer{}, notTheReply
	}
	q, err := p.Question()
	if err != nil || q.Type != kind || !strings.EqualFold(plain(q.Name), strings.TrimSuffix(name, ".")) {
		return answer{}, notTheReply
	}
	switch {
	case h.Truncated:
		return answer{}, truncated
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError, p.SkipAllQuestions() != nil:
		return answer{}, askAnother
	}
	a := answer{ttl: maxTTL}
	for n := 0; n < maxAnswers; n++ {
		rh, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil || a.take(&p, rh) != nil {
			return answer{}, askAnother
		}
	}
	if !a.empty() {
		slices.SortStableFunc(a.naptr, func(x, y NAPTR) int {
			return cmp.Or(cmp.Compare(x.Order, y.Order), cmp.Compare(x.Preference, y.Preference))
		})
		return a, useIt
	}
	a.ttl = negativeTTL(&p)
	return a, noRecord
}

// take reads one record of an answer. Records of other types, such as the CNAMEs on the way, only
// shorten its life.
func (a *answer) take(p *dnsmessage.Parser, h dnsmessage.ResourceHeader) error {
	a.ttl = min(a.ttl, time.Duration(h.TTL)*time.Second)
	switch h.Type {
	case dnsmessage.TypeA:
		r, err := p.AResource()
		a.addrs = append(a.addrs, netip.AddrFrom4(r.A))
		return err
	case dnsmessage.TypeAAAA:
		r, err := p.AAAAResource()
		a.addrs = append(a.addrs, netip.AddrFrom16(r.AAAA).Unmap())
		return err
	case dnsmessage.TypeSRV:
		r, err := p.SRVResource()
		if err == nil {
			a.srv = append(a.srv, SRV{r.Priority, r.Weight, r.Port, plain(r.Target)})
		}
		return err
	case typeNAPTR:
		r, err := p.UnknownResource()
		if err != nil {
			return err
		}
		n, err := parseNAPTR(r.Data)
		if err == nil {
			a.naptr = append(a.naptr, n)
		}
		return err
	}
	return p.SkipAnswer()
}

// negativeTTL is how long the absence of a record holds (RFC 2308 section 5).
func negativeTTL(p *dnsmessage.Parser) time.Duration {
	for range maxAnswers {
		h, err := p.AuthorityHeader()
		if err != nil {
			break
		}
		if h.Type != dnsmessage.TypeSOA {
			if p.SkipAuthority() != nil {
				break
			}
			continue
		}
		if soa, err := p.SOAResource(); err == nil {
			return min(time.Duration(min(h.TTL, soa.MinTTL))*time.Second, maxNegativeTTL)
		}
		break
	}
	return maxNegativeTTL
}

var errNAPTR = errors.New("a NAPTR record is cut short")

// parseNAPTR reads the data of RFC 3403 section 4.1; its name is never compressed.
func parseNAPTR(d []byte) (NAPTR, error) {
	if len(d) < 4 {
		return NAPTR{}, errNAPTR
	}
	n := NAPTR{Order: binary.BigEndian.Uint16(d), Preference: binary.BigEndian.Uint16(d[2:])}
	d = d[4:]
	var texts [3]string // flags, services, regular expression
	for i := range texts {
		if len(d) == 0 || len(d) < 1+int(d[0]) {
			return NAPTR{}, errNAPTR
		}
		texts[i], d = string(d[1:1+d[0]]), d[1+d[0]:]
	}
	n.Flags, n.Service = strings.ToLower(texts[0]), strings.ToUpper(texts[1])
	var labels []string
	for {
		if len(d) == 0 || d[0] > 63 || len(d) < 1+int(d[0]) {
			return NAPTR{}, errNAPTR
		}
		if d[0] == 0 {
			n.Replacement = strings.Join(labels, ".")
			return n, nil
		}
		labels, d = append(labels, string(d[1:1+d[0]])), d[1+d[0]:]
	}
}

func plain(n dnsmessage.Name) string { return strings.TrimSuffix(n.String(), ".") }
