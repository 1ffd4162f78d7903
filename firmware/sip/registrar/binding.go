package registrar

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Binding is one place where a device can be reached. Requests go to Flow, whatever host Contact
// names (RFC 5626 section 5.3, RFC 3581): the contact of a phone behind a NAT leads nowhere.
type Binding struct {
	Contact   sip.Uri
	Instance  string // +sip.instance without its quotes; empty = the contact itself is the identity
	RegID     int    // names one of several flows of the instance (RFC 5626); 0 = it has only this one
	Flow      stack.Flow
	Path      []sip.Uri // RFC 3327; to be put as Route, in this order
	Expires   time.Time
	Updated   time.Time // of the last REGISTER
	CallID    string    // of the last REGISTER
	CSeq      uint32    // of the last REGISTER
	UserAgent string
	WeakAuth  bool // registered with MD5
	Reachable bool // answers OPTIONS; a new binding counts as reachable
	RTT       time.Duration
}

func (b Binding) clone() Binding {
	b.Contact = *b.Contact.Clone()
	if b.Path != nil {
		path := make([]sip.Uri, len(b.Path))
		for i := range b.Path {
			path[i] = *b.Path[i].Clone()
		}
		b.Path = path
	}
	return b
}

// limits is the policy of one registration.
type limits struct {
	minExpires, maxExpires time.Duration
	maxBindings            int
}

// apply carries out a registration on the bindings of one device (RFC 3261 section 10.3 steps 6 to
// 8): all of it or, when refused, nothing. have is not changed. The result is ordered by the last
// REGISTER, oldest first.
func apply(have []Binding, reg registration, flow stack.Flow, weak bool, lim limits, now time.Time) ([]Binding, *final) {
	next := make([]Binding, 0, len(have)+len(reg.contacts))
	for _, b := range have {
		if b.Expires.After(now) {
			next = append(next, b)
		}
	}
	if reg.removeAll {
		for _, b := range next {
			if reg.late(b) {
				return nil, outOfOrder()
			}
		}
		return nil, nil
	}
	earlier := len(next) // bindings made by earlier requests stand in front of those made by this one
	for _, c := range reg.contacts {
		if c.expires > 0 && c.expires < lim.minExpires {
			return nil, tooBrief(lim.minExpires)
		}
		at := find(next, c)
		fresh := Binding{Reachable: true}
		if at >= 0 {
			if at < earlier {
				if reg.late(next[at]) {
					return nil, outOfOrder()
				}
				earlier--
			}
			fresh.RTT = next[at].RTT
			next = append(next[:at], next[at+1:]...)
		}
		if c.expires == 0 {
			continue
		}
		fresh.Contact, fresh.Instance, fresh.RegID, fresh.Flow, fresh.Path = c.uri, c.instance, c.regID, flow, reg.path
		fresh.Expires, fresh.Updated = now.Add(min(c.expires, lim.maxExpires)), now
		fresh.CallID, fresh.CSeq, fresh.UserAgent, fresh.WeakAuth = reg.callID, reg.cseq, reg.agent, weak
		next = append(next, fresh)
	}
	if over := len(next) - lim.maxBindings; over > 0 {
		next = next[over:]
	}
	return next, nil
}

// late reports a REGISTER that was overtaken by a later one of the same phone.
func (reg registration) late(b Binding) bool { return b.CallID == reg.callID && reg.cseq <= b.CSeq }

func outOfOrder() *final {
	return &final{status: sip.StatusInternalServerError, reason: "CSeq Out Of Order"}
}

func tooBrief(least time.Duration) *final {
	return &final{
		status: sip.StatusIntervalToBrief, reason: "Interval Too Brief",
		headers: []sip.Header{sip.NewHeader("Min-Expires", strconv.FormatInt(int64(least/time.Second), 10))},
	}
}

// find returns the binding that c renews: the same flow of the same instance, or else the same
// contact. Two flows of one phone may name one contact, so of flows only the names count.
func find(list []Binding, c contact) int {
	if c.instance != "" {
		for i := range list {
			if list[i].Instance == c.instance && list[i].RegID == c.regID {
				return i
			}
		}
	}
	if c.regID > 0 {
		return -1
	}
	for i := range list {
		if list[i].RegID == 0 && sameContact(&list[i].Contact, &c.uri) {
			return i
		}
	}
	return -1
}

// sameContact compares as RFC 3261 section 19.1.4 does, as far as phones differ: scheme, user,
// password, host, port and transport. Other parameters may change between two REGISTERs of one phone.
func sameContact(a, b *sip.Uri) bool {
	return a.Scheme == b.Scheme && a.User == b.User && a.Password == b.Password &&
		strings.EqualFold(a.Host, b.Host) && a.Port == b.Port && strings.EqualFold(transport(a), transport(b))
}

func transport(u *sip.Uri) string {
	t, _ := parameter(u.UriParams, "transport")
	return t
}
