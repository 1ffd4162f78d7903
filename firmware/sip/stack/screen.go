package stack

import "github.com/emiago/sipgo/sip"

// Refusal is how a request of a stranger is answered. Status 0 says nothing at all.
type Refusal struct {
	Status  int
	Reason  string
	Headers []sip.Header
}

// Screen sets who is asked about each request outside of a dialog before anything is kept of it; nil
// as its answer lets the request go on. A refusal is sent once and forgotten (RFC 3261 section 8.2.7):
// a challenge that was kept and repeated would make the box a tool against whoever's address a
// stranger writes on a datagram. f runs on the shard of the Call-ID and must not block. Call Screen
// before Serve.
func (s *Stack) Screen(f func(req *sip.Request, flow Flow) *Refusal) { s.screen = f }

// screened reports that a request was refused. The mutex is not held.
func (s *Stack) screened(req *sip.Request, flow Flow) bool {
	if s.screen == nil || !outsideDialog(req) {
		return false
	}
	no := s.screen(req, flow)
	if no == nil {
		return false
	}
	s.count.screened.Add(1)
	if no.Status != 0 {
		s.answer(req, flow, no.Status, no.Reason, "", no.Headers...)
	}
	return true
}
