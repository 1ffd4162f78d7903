package stack

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"
)

// link is a socket as sipgo sees it: something with a name.
type link interface {
	// arrived is called by the socket's reader when a message of it has parsed.
	arrived() Flow
	// text is the message that has just arrived, good until the next one is read; nil: its bytes are gone.
	text() []byte
}

// linkName is the address that sipgo is shown in place of a real one.
type linkName string

// Network and String make a linkName a net.Addr.
func (n linkName) Network() string { return "sip" }
func (n linkName) String() string  { return string(n) }

// fromTransport takes a message from sipgo, in the goroutine that reads its socket.
func (s *Stack) fromTransport(msg sip.Message) {
	s.guard("reader", func() {
		l := s.links.byName(msg.Source())
		if l == nil {
			return // the connection has just been closed
		}
		flow := l.arrived()
		msg.SetSource(flow.Remote.String())
		if trace := s.cfg.Trace; trace != nil {
			text := l.text()
			if text == nil {
				text = []byte(msg.String())
			}
			trace(false, flow, text)
		}
		s.receive(msg, flow)
	})
}

// receive checks a message and queues it at its shard. It never blocks.
func (s *Stack) receive(msg sip.Message, flow Flow) {
	s.count.received.Add(1)
	switch m := msg.(type) {
	case *sip.Request:
		if m.Via() == nil {
			s.count.malformed.Add(1)
			return
		}
		tidy(&m.MessageData)
		stampVia(m.Via(), flow.Remote)
		if p := checkRequest(m); p != nil {
			s.count.malformed.Add(1)
			s.log.say("malformed", "a broken SIP request was refused", "from", flow.Remote, "why", p.reason)
			s.refuse(m, flow, p.status, p.reason)
			return
		}
		s.learnFrom(m, flow)
	case *sip.Response:
		if m.Via() == nil || checkShape(&m.MessageData) != nil || m.StatusCode < 100 || m.StatusCode > 699 {
			s.count.malformed.Add(1)
			return
		}
	default:
		return
	}
	sh := s.shardOf(msg.CallID().Value())
	// Keep the last quarter of the queue for calls that exist.
	if req, ok := msg.(*sip.Request); ok && len(sh.net) >= cap(sh.net)-cap(sh.net)/4 &&
		outsideDialog(req) && req.Method != sip.ACK && req.Method != sip.CANCEL {
		s.overload(req, flow)
		return
	}
	select {
	case sh.net <- inbound{msg, flow}:
	default:
		s.count.dropped.Add(1)
		s.log.say("dropped", "a SIP message was dropped because its shard is full")
	}
}

// refusedByParser answers a message that sipgo could not parse, where that is possible.
func (s *Stack) refusedByParser(raw []byte, flow Flow, status, reason string) {
	s.count.malformed.Add(1)
	s.log.say("malformed", "a broken SIP message was refused", "from", flow.Remote, "why", "it does not parse")
	if foreignScheme(raw) {
		status, reason = "416", "Unsupported URI Scheme"
	}
	if res := salvage(raw, status, reason, s.secret+"x"); res != nil {
		if err := s.transmit(flow, res, nil); err != nil {
			s.count.sendErrors.Add(1)
		}
	}
}

// admitted applies keep-alive, filter, first look and rate limit to a datagram. Junk is dropped
// before the rate limit, so that it leaves no trace of its sources.
func (s *Stack) admitted(src netip.AddrPort, data []byte) bool {
	if len(data) <= 8 && len(bytes.Trim(data, "\r\n\x00")) == 0 {
		s.count.keepalives.Add(1)
		return false
	}
	if s.stunAnswer(data) {
		return false
	}
	if s.cfg.Filter != nil && !s.cfg.Filter(src, data) {
		s.count.filtered.Add(1)
		return false
	}
	if !plausible(data) {
		s.count.junk.Add(1)
		return false
	}
	if !s.sources.allow(src.Addr(), time.Now()) {
		s.count.throttled.Add(1)
		s.log.say("throttled", "a source sends more than its rate", "from", src.Addr())
		return false
	}
	return true
}
