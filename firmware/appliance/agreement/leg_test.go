package agreement

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// leg is a party as its own telephone knows it.
type leg struct {
	o      *office
	id     tel.LegID
	ref    string
	party  string
	called bool // by the box, else it called the box

	// Guarded by office.mu.
	events func(call.LegEvent)
	up     bool
	over   bool
	byBox  bool // over, by the box
	why    tel.Cause
	held   bool
	heard  string // what is played
}

// ID implements call.Leg, and so do the methods below.
func (l *leg) ID() tel.LegID { return l.id }
func (l *leg) Party() string { return l.party }
func (l *leg) Ref() string   { return l.ref }
func (l *leg) Alert(bool)    {}

func (l *leg) Accept() { l.change("up") }

func (l *leg) Hangup(why tel.Cause) {
	l.why = why
	if l.change("over by the box") {
		l.says(call.LegEvent{Kind: call.LegEnded, Cause: why})
		l.says(call.LegEvent{Kind: call.LegQuiet})
	}
}

func (l *leg) Play(s call.Sound) {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	l.heard = s.Names[0]
}

func (l *leg) Hush()                                                    {}
func (l *leg) Join(call.Leg) error                                      { return nil }
func (l *leg) Part()                                                    {}
func (l *leg) SendDTMF(string)                                          {}
func (l *leg) Page([]call.Leg) error                                    { return nil }
func (l *leg) Mix([]call.Leg, []call.Leg, func(int, int) float64) error { return nil }
func (l *leg) Echo()                                                    {}
func (l *leg) Record(path string, _, _ time.Duration)                   { _ = path }
func (l *leg) StopRecord()                                              {}
func (l *leg) PassesDTMF() bool                                         { return true }
func (l *leg) Note() tel.LegNote                                        { return tel.LegNote{Leg: l.id, Party: l.party} }
func (l *leg) AnswerRefer(int)                                          {}
func (l *leg) NotifyRefer(int, bool)                                    {}

// change notes on the wire what becomes of the leg; false: it is over already, or is that.
func (l *leg) change(to string) bool {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	if l.over || to == "up" && l.up {
		return false
	}
	l.become(to)
	l.o.log = append(l.o.log, entry{kind: wire, key: l.ref, change: to})
	return true
}

// become wants mu held.
func (l *leg) become(to string) {
	switch to {
	case "up":
		l.up = true
	case "over by the box":
		l.over, l.byBox = true, true
	case "over":
		l.over = true
	}
}

// says tells the box what happens at the telephone.
func (l *leg) says(e call.LegEvent) {
	e.Leg = l.id
	l.o.mu.Lock()
	events := l.events
	l.o.mu.Unlock()
	events(e)
}

func (l *leg) answers() {
	if l.called && l.change("up") {
		l.says(call.LegEvent{Kind: call.LegAnswered})
	}
}

func (l *leg) hangsUp(why tel.Cause) {
	if l.change("over") {
		l.says(call.LegEvent{Kind: call.LegEnded, Cause: why, Remote: true})
	}
}

func (l *leg) is() (up, over bool) {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	return l.up, l.over
}

// DialDevice implements call.Dialer.
func (o *office) DialDevice(dev tel.DeviceID, _ call.Outgoing, events func(call.LegEvent)) ([]call.Leg, error) {
	return []call.Leg{o.leg("phone:"+string(dev), true, events)}, nil
}

// DialOut implements call.Dialer.
func (o *office) DialOut(via string, _ tel.Number, _ call.Outgoing, events func(call.LegEvent)) (call.Leg, error) {
	return o.leg(via, true, events), nil
}

// WhenQuiet implements call.Dialer: what was hung up is quiet.
func (o *office) WhenQuiet(_ []tel.DeviceID, fn func()) { fn() }

// Find implements call.Finder: a leg is found once, while it is there.
func (o *office) Find(id tel.LegID, ref, _ string, events func(call.LegEvent)) (call.Leg, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.legs[ref]
	if l == nil || l.over || o.found[ref] {
		return nil, false
	}
	o.found[ref] = true
	l.id, l.events = id, events
	return l, true
}
