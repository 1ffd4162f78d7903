package gsm

// Held counts what a line holds in its memory, for tests that look for growth. It may be called while
// nothing moves in the bubble of the line.
func (m *Modem) Held() int {
	n := len(m.outbox) + len(m.later) + len(m.letters) + len(m.pieces) + len(m.seenNoise) + len(m.requests)
	if s := m.session.Load(); s != nil {
		n += len(s.inbox)
	}
	return n
}

// CallUp reports whether the line has a call, in the words of its state machine.
func (m *Modem) CallUp() bool { return m.st.phase != idle && m.st.phase != settling }
