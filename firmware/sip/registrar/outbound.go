package registrar

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

// Client-initiated connections (RFC 5626). A phone that asks for it keeps one or more flows, each
// named by its instance and a reg-id; requests go down the flow that the REGISTER came up, and a flow
// that ends takes its binding with it. GRUU (RFC 5627) is not offered: within one box a device is
// found by its user name, and nothing here hands out a contact of a phone to outsiders.

const (
	statusFirstHop = 439 // First Hop Lacks Outbound Support, RFC 5626 section 11.6

	// flowTimer is told to the phone as Flow-Timer (RFC 5626 section 10), in seconds: it must send a
	// keep-alive more often than that. These hold the address translators that forget soonest: half a
	// minute for UDP (RFC 4787 section 4.3), some minutes for TCP.
	flowTimer    = 120
	flowTimerUDP = 29
)

// agree decides whether the flow that the phone asks for can be kept (RFC 5626 section 6). When it
// cannot, the reg-id means nothing and the registration is one without outbound; a phone that
// insists is told.
func (reg *registration) agree(req *sip.Request, flow stack.Flow, stun bool) *final {
	insists := tagged(req, "require", "outbound")
	asks := (insists || tagged(req, "supported", "outbound")) &&
		slices.ContainsFunc(reg.contacts, func(c contact) bool { return c.regID > 0 })
	direct := len(req.GetHeaders("via")) == 1
	switch {
	case !asks:
	case reg.living() > 1:
		return malformed("One Contact For Each Flow")
	case !direct && !edge(reg.path):
		return &final{status: statusFirstHop, reason: "First Hop Lacks Outbound Support"}
	case !direct: // a proxy keeps the flow, and names its timer
		reg.keepsFlow = true
		return nil
	case flow.Reliable():
		reg.keepsFlow, reg.timer = true, flowTimer
		return nil
	case stun:
		reg.keepsFlow, reg.timer = true, flowTimerUDP
		return nil
	}
	if insists {
		return badExtension("outbound")
	}
	for i := range reg.contacts {
		reg.contacts[i].regID = 0
	}
	return nil
}

// living counts the contacts that are to stay.
func (reg *registration) living() (n int) {
	for _, c := range reg.contacts {
		if c.expires > 0 {
			n++
		}
	}
	return n
}

// edge reports that the proxy next to the phone keeps its flow: it stands last in Path, since each
// proxy puts itself in front, and says so by the URI parameter ob (RFC 5626 section 5.1).
func edge(path []sip.Uri) bool {
	if len(path) == 0 {
		return false
	}
	_, ob := parameter(path[len(path)-1].UriParams, "ob")
	return ob
}

// tagged reports that a header lists an option tag.
func tagged(req *sip.Request, header, tag string) bool {
	for _, h := range req.GetHeaders(header) {
		for t := range strings.SplitSeq(h.Value(), ",") {
			if strings.EqualFold(strings.TrimSpace(t), tag) {
				return true
			}
		}
	}
	return false
}

// flowHeaders promise the phone that its flow is used.
func (reg *registration) flowHeaders() []sip.Header {
	if !reg.keepsFlow {
		return nil
	}
	headers := []sip.Header{sip.NewHeader("Require", "outbound")}
	if reg.timer > 0 {
		headers = append(headers, sip.NewHeader("Flow-Timer", strconv.Itoa(reg.timer)))
	}
	return headers
}

// byPhone puts the flows of one phone together, the one to use first in front: one that answers,
// and of these the latest. Phones come in the order of their latest REGISTER, oldest first. list is
// in the order of the REGISTERs.
func byPhone(list []Binding, now time.Time) [][]Binding {
	var phones [][]Binding
	for i := len(list) - 1; i >= 0; i-- {
		b := &list[i]
		if !b.Expires.After(now) {
			continue
		}
		at := -1
		if b.RegID > 0 {
			at = slices.IndexFunc(phones, func(p []Binding) bool { return p[0].RegID > 0 && p[0].Instance == b.Instance })
		}
		if at < 0 {
			phones = append(phones, []Binding{b.clone()})
		} else {
			phones[at] = append(phones[at], b.clone())
		}
	}
	for _, flows := range phones {
		slices.SortStableFunc(flows, func(a, b Binding) int {
			switch {
			case a.Reachable == b.Reachable:
				return 0
			case a.Reachable:
				return -1
			default:
				return 1
			}
		})
	}
	slices.Reverse(phones)
	return phones
}
