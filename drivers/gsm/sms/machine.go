package sms

import (
	"fmt"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
)

// Plan says how one modem keeps its messages.
type Plan struct {
	Memories []string      // that are looked through, e.g. SM and ME (TS 27.005 section 3.2.3)
	Sweep    time.Duration // between two looks at what is stored: a +CMTI may be lost
	Rest     time.Duration // after a failure, before the modem is asked again
	Command  time.Duration // limit of a command
	Network  time.Duration // limit of AT+CMGS, for the prompt and again for the network
}

// Room is what the calls of the line leave to messages.
type Room struct{ Read, Send bool }

// EventKind is what happened.
type EventKind uint8

// The events.
const (
	Turned    EventKind = iota + 1 // Room may have changed, or the deadline passed
	Started                        // the modem is in service: everything stored is fetched
	Lost                           // the modem is gone: what is under way has failed
	Notified                       // +CMTI or +CDSI: Slot holds something new
	Pushed                         // +CDS: Raw is a report that is stored nowhere
	Send                           // Outgoing shall be sent
	Abandoned                      // whoever asked for Token does not wait any more
	Replied                        // Answer to the command under way
	Committed                      // the Inbox has answered: Err
)

// Event is one happening; which fields count is said at its kind.
type Event struct {
	Kind     EventKind
	Slot     Slot
	Raw      string
	Octets   int
	Outgoing Outgoing
	Token    uint64
	Answer   Answer
	Err      error
}

// Slot is a place in a memory.
type Slot struct {
	Memory string
	Index  int
}

// Outgoing is one part to send.
type Outgoing struct {
	Token uint64 // names it in Sent
	PDU   PDU
	More  bool // another part of the same message follows at once
}

// Answer is what became of a command.
type Answer struct {
	OK     bool
	Code   int // of +CMS ERROR or +CME ERROR, -1 = none
	Lines  []string
	Silent bool // the modem did not answer
	Given  bool // Silent, and it has the text of the message

	Aborted bool // Silent, because a call came before the modem had the text
}

// EffectKind is what the owner shall do.
type EffectKind uint8

// The effects.
const (
	Ask     EffectKind = iota + 1 // send Command and tell Replied
	Commit                        // give Part to the Inbox and tell Committed
	Deliver                       // give Part to the Inbox; nothing waits for it
	Sent                          // Outgoing Token is done: Reference, or Err
	Storage                       // Used and Total places of Memory
)

// Effect is one thing to do.
type Effect struct {
	Kind        EffectKind
	Command     Command
	Part        line.ReceivedPart
	Token       uint64
	Reference   int
	Err         error
	Memory      string
	Used, Total int
}

// Command is an AT command; Body answers its prompt.
type Command struct {
	Text, Body, Prefix string
	Plain              bool // lines without prefix belong to the answer
	Timeout            time.Duration
}

type step uint8

const (
	resting step = iota
	selecting
	listing
	reading
	committing
	deleting
	keeping // AT+CMMS: the radio link is kept for the next part
	sending
)

// State is all that the machine knows. The zero value is a modem that is not in service.
type State struct {
	Up       bool
	Deadline time.Time // next Turned; zero = none

	step     step
	memory   string    // that AT+CPMS selected, "" = not known
	at       stored    // what is being read, committed or deleted
	page     []stored  // listed, and not committed yet
	fetch    []stored  // to be read one by one
	round    []string  // memories that this sweep still looks through
	counted  bool      // the first of round was selected and counted
	looked   bool      // and listed at least once
	moved    bool      // something of that listing could be deleted
	due      time.Time // of the next sweep
	rest     time.Time // until then nothing is fetched
	outgoing []Outgoing
	now      Outgoing
	kept     bool // AT+CMMS was tried for now
	lastRead bool // the last turn was the receiving side's
}

// stored is one entry of a memory.
type stored struct {
	Slot
	raw    string
	octets int
	looks  int // how often it could not be understood
}

// Resting reports that no command about messages is under way.
func (s State) Resting() bool { return s.step == resting }

const (
	// maxFetch bounds the notifications that wait; beyond it the next sweep finds them.
	maxFetch = 64
	// maxLooks is how often an entry is read before it counts as broken: serial ports lose bytes.
	maxLooks = 3
	// maxOutgoing bounds what waits for a free line.
	maxOutgoing = 32
)

type machine struct {
	State
	plan *Plan
	time time.Time
	room Room
	out  []Effect
}

// Next is the whole behaviour.
func Next(s State, e Event, now time.Time, room Room, plan *Plan) (State, []Effect) {
	s.fetch, s.page, s.outgoing = slices.Clone(s.fetch), slices.Clone(s.page), slices.Clone(s.outgoing)
	m := &machine{State: s, plan: plan, time: now, room: room}
	m.take(e)
	m.proceed()
	m.setDeadline()
	return m.State, m.out
}

func (m *machine) do(e Effect) { m.out = append(m.out, e) }

func (m *machine) take(e Event) {
	switch e.Kind {
	case Started:
		outgoing := m.outgoing
		m.State = State{Up: true, due: m.time, outgoing: outgoing}
	case Lost:
		m.lose()
	case Notified:
		if e.Slot.Index < 0 || len(m.fetch) >= maxFetch {
			m.due = m.time
			return
		}
		if e.Slot.Memory == "" {
			e.Slot.Memory = m.memory
		}
		if !slices.ContainsFunc(m.fetch, func(x stored) bool { return x.Slot == e.Slot }) {
			m.fetch = append(m.fetch, stored{Slot: e.Slot})
		}
	case Pushed:
		m.do(Effect{Kind: Deliver, Part: Decode(e.Raw, e.Octets)})
	case Send:
		m.send(e.Outgoing)
	case Abandoned:
		m.abandon(e.Token)
	case Replied:
		m.replied(e.Answer)
	case Committed:
		m.committed(e.Err)
	case Turned:
	}
}

func (m *machine) lose() {
	if m.step == sending {
		m.do(Effect{Kind: Sent, Token: m.now.Token, Reference: -1, Err: line.ErrUncertain})
	}
	if m.step == keeping {
		m.do(Effect{Kind: Sent, Token: m.now.Token, Reference: -1, Err: line.ErrDown})
	}
	for _, o := range m.outgoing {
		m.do(Effect{Kind: Sent, Token: o.Token, Reference: -1, Err: line.ErrDown})
	}
	m.State = State{}
}

func (m *machine) send(o Outgoing) {
	switch {
	case !m.Up:
		m.do(Effect{Kind: Sent, Token: o.Token, Reference: -1, Err: line.ErrDown})
	case !m.room.Send, len(m.outgoing) >= maxOutgoing:
		m.do(Effect{Kind: Sent, Token: o.Token, Reference: -1, Err: line.ErrBusy})
	default:
		m.outgoing = append(m.outgoing, o)
	}
}

// refuse gives back what a call came before.
func (m *machine) refuse() {
	for _, o := range m.outgoing {
		m.do(Effect{Kind: Sent, Token: o.Token, Reference: -1, Err: line.ErrBusy})
	}
	m.outgoing = nil
}

func (m *machine) abandon(token uint64) {
	if i := slices.IndexFunc(m.outgoing, func(o Outgoing) bool { return o.Token == token }); i >= 0 {
		m.outgoing = slices.Delete(m.outgoing, i, i+1)
		m.do(Effect{Kind: Sent, Token: token, Reference: -1, Err: line.ErrTimeout})
	}
}

// proceed starts the next step when none is under way.
func (m *machine) proceed() {
	if !m.room.Send {
		m.refuse()
	}
	if !m.Up || m.step != resting {
		return
	}
	if len(m.page) > 0 { // it is out of the modem already: no command disturbs a call
		m.commit()
		return
	}
	// Both directions get their turn, so that a flood of messages keeps none of ours waiting.
	mayRead := m.room.Read && !m.time.Before(m.rest)
	if len(m.outgoing) > 0 && (m.lastRead || !mayRead || !m.mail()) {
		m.lastRead = false
		m.now, m.outgoing = m.outgoing[0], m.outgoing[1:]
		m.kept = false
		m.dispatch()
		return
	}
	if mayRead && m.mail() {
		m.lastRead = true
		m.receive()
	}
}

// mail reports whether there is something to fetch.
func (m *machine) mail() bool {
	return len(m.fetch) > 0 || len(m.round) > 0 || !m.time.Before(m.due)
}

func (m *machine) dispatch() {
	if m.now.More && !m.kept {
		m.kept = true
		m.step = keeping
		m.do(Effect{Kind: Ask, Command: Command{Text: "AT+CMMS=1", Timeout: m.plan.Command}})
		return
	}
	m.step = sending
	m.do(Effect{Kind: Ask, Command: Command{
		Text: fmt.Sprintf("AT+CMGS=%d", m.now.PDU.Octets), Body: m.now.PDU.Hex, Prefix: "+CMGS:", Timeout: m.plan.Network,
	}})
}

// receive fetches one notified message, or goes on with a sweep.
func (m *machine) receive() {
	if len(m.fetch) > 0 {
		m.at = m.fetch[0]
		if m.at.Memory != m.memory {
			m.sel(m.at.Memory)
			return
		}
		m.fetch = m.fetch[1:]
		m.step = reading
		m.do(Effect{Kind: Ask, Command: Command{
			Text: fmt.Sprintf("AT+CMGR=%d", m.at.Index), Prefix: "+CMGR:", Plain: true, Timeout: m.plan.Command,
		}})
		return
	}
	if len(m.round) == 0 {
		m.round = slices.Clone(m.plan.Memories)
		m.counted, m.looked, m.due = false, false, m.time.Add(m.plan.Sweep)
	}
	switch {
	case len(m.round) == 0:
	case !m.counted || m.memory != m.round[0]:
		m.sel(m.round[0])
	case m.looked && !m.moved: // what is left cannot be deleted, or is not ours
		m.nextMemory()
		m.proceed()
	default:
		m.step = listing
		m.looked, m.moved = true, false
		m.do(Effect{Kind: Ask, Command: Command{Text: "AT+CMGL=4", Prefix: "+CMGL:", Plain: true, Timeout: m.plan.Command}})
	}
}

func (m *machine) sel(memory string) {
	m.step, m.memory = selecting, memory
	m.do(Effect{Kind: Ask, Command: Command{Text: fmt.Sprintf("AT+CPMS=%q", memory), Prefix: "+CPMS:", Timeout: m.plan.Command}})
}

func (m *machine) replied(a Answer) {
	was := m.step
	m.step = resting
	if a.Silent && was != sending && was != keeping {
		// The engine finds its way back; what was under way is found again by the next sweep.
		m.memory, m.round, m.page = "", nil, nil
		m.pause()
		return
	}
	switch was {
	case selecting:
		m.selected(a)
	case listing:
		m.listed(a)
	case reading:
		m.read(a)
	case deleting:
		m.moved = m.moved || a.OK
	case keeping:
		if m.room.Send {
			m.dispatch()
		} else { // a call came in between
			m.do(Effect{Kind: Sent, Token: m.now.Token, Reference: -1, Err: line.ErrBusy})
		}
	case sending:
		m.sent(a)
	default:
		m.step = was // an answer to nothing
	}
}

// pause lets the modem rest, and then looks through everything.
func (m *machine) pause() {
	m.rest = m.time.Add(m.plan.Rest)
	m.due = m.rest
}

func (m *machine) selected(a Answer) {
	memory := m.memory
	if !a.OK {
		m.memory = ""
		// A modem without this memory: nothing can lie there.
		if len(m.round) > 0 && m.round[0] == memory {
			m.round = m.round[1:]
		}
		m.fetch = slices.DeleteFunc(m.fetch, func(x stored) bool { return x.Memory == memory })
		return
	}
	if used, total, ok := parseStorage(a.Lines); ok {
		m.do(Effect{Kind: Storage, Memory: memory, Used: used, Total: total})
	}
	m.counted = len(m.round) > 0 && m.round[0] == memory
}

func (m *machine) listed(a Answer) {
	entries, pushed := parseList(a.Lines)
	m.orphans(pushed)
	for _, e := range entries {
		e.Memory = m.memory
		if Decode(e.raw, e.octets).Kind == line.UnreadablePart && len(m.fetch) < maxFetch {
			e.looks = 1
			m.fetch = append(m.fetch, e) // once more, alone
			continue
		}
		m.page = append(m.page, e)
	}
	if len(entries) == 0 { // looked through; a longer list than an answer holds is listed again
		m.nextMemory()
	}
}

// nextMemory ends the sweep of one memory.
func (m *machine) nextMemory() {
	if len(m.round) > 0 {
		m.round = m.round[1:]
	}
	m.counted, m.looked = false, false
}

func (m *machine) read(a Answer) {
	e, pushed, ok := parseOne(a.Lines)
	m.orphans(pushed)
	if !a.OK || !ok {
		return // the place is empty, or was never filled
	}
	e.Slot, e.looks = m.at.Slot, m.at.looks
	if Decode(e.raw, e.octets).Kind == line.UnreadablePart {
		e.looks++
		if e.looks < maxLooks {
			m.fetch = append([]stored{e}, m.fetch...)
			return
		}
	}
	m.page = append(m.page, e)
}

// orphans are PDUs within an answer that belong to no header of it: a report that was pushed meanwhile.
func (m *machine) orphans(raw []string) {
	for _, r := range raw {
		if p := Decode(r, -1); p.Kind == line.DeliveryReport {
			m.do(Effect{Kind: Deliver, Part: p})
		}
	}
}

func (m *machine) commit() {
	m.at, m.page = m.page[0], m.page[1:]
	m.step = committing
	m.do(Effect{Kind: Commit, Part: Decode(m.at.raw, m.at.octets)})
}

func (m *machine) committed(err error) {
	if m.step != committing {
		return // of an earlier life of the modem
	}
	m.step = resting
	if err != nil {
		m.page, m.round = nil, nil // they stay where they are
		m.pause()
		return
	}
	m.step = deleting
	m.do(Effect{Kind: Ask, Command: Command{Text: fmt.Sprintf("AT+CMGD=%d", m.at.Index), Timeout: m.plan.Command}})
}

func (m *machine) sent(a Answer) {
	e := Effect{Kind: Sent, Token: m.now.Token, Reference: -1}
	switch {
	case a.OK:
		e.Reference = parseReference(a.Lines)
	case a.Aborted:
		e.Err = line.ErrBusy // a call came first, and the modem has no text
	case a.Silent && a.Given:
		e.Err = line.ErrUncertain
	case a.Silent:
		e.Err = line.ErrTimeout
	default:
		e.Err = &line.RefusedMessage{Code: a.Code, Why: reason(a.Code), Temporary: temporary(a.Code)}
		if a.Code == cmsMemoryFull {
			m.due = m.time // something lies there that nobody fetched
		}
	}
	m.do(e)
}

// setDeadline wakes the machine when time alone makes something to do.
func (m *machine) setDeadline() {
	m.Deadline = time.Time{}
	if !m.Up || m.step != resting || !m.room.Read {
		return
	}
	m.Deadline = m.due
	if len(m.fetch) > 0 || len(m.round) > 0 || m.due.Before(m.rest) {
		m.Deadline = m.rest
	}
}
