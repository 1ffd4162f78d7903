package queuelog

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// none stands in a field that has no value.
const none = "NONE"

// Log collects the lines of a span. Make one by New, Take all that happened in its order, then Write it.
type Log struct {
	Anonymous bool // agents are not told apart, and their pauses are left out

	from, to time.Time
	lines    []line
	queues   map[tel.QueueID][]*caller // who waits, in order of service
	calls    map[tel.CallID]*caller
	rings    map[tel.OfferID]time.Time
	paused   map[tel.AgentID]string // with the reason
}

type line struct {
	at   time.Time
	text string
}

// caller is one wait, and the conversation after it.
type caller struct {
	call      tel.CallID
	queue     tel.QueueID
	joined    tel.QueueJoined
	original  int // place when the wait began, from 1
	agent     tel.AgentID
	rang      time.Time // for the agent who answered
	connected time.Time
	waited    time.Duration
	over      time.Time // when the conversation was
}

// New makes an empty log of what happens in [from, to). What happened before may be taken too: a wait that began
// then ends in it.
func New(from, to time.Time) *Log {
	return &Log{
		from: from, to: to, queues: map[tel.QueueID][]*caller{}, calls: map[tel.CallID]*caller{}, rings: map[tel.OfferID]time.Time{},
		paused: map[tel.AgentID]string{},
	}
}

// write adds a line, if it lies in the span.
func (l *Log) write(at time.Time, call tel.CallID, queue tel.QueueID, agent tel.AgentID, event string, with ...string) {
	if at.Before(l.from) || !at.Before(l.to) {
		return
	}
	who := string(agent)
	if l.Anonymous && who != "" {
		who = "Agent"
	}
	fields := []string{strconv.FormatInt(at.Unix(), 10), cmp.Or(string(call), none), cmp.Or(string(queue), none), cmp.Or(who, none), event}
	fields = append(fields, with...)
	for i := range fields {
		fields[i] = plain(fields[i])
	}
	l.lines = append(l.lines, line{at, strings.Join(fields, "|")})
}

// plain keeps a value from looking like two, or like another line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '|' || r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(max(0, d)/time.Second), 10) }

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(0, d).Milliseconds(), 10) }

// Take reads what happened at a moment. Events of other kinds change nothing.
func (l *Log) Take(at time.Time, e tel.Event) {
	switch e := e.(type) {
	case tel.QueueJoined:
		l.joined(at, e)
	case tel.QueueLeft:
		l.left(e)
	case tel.QueueOffered:
		l.rings[e.Offer] = e.At
		if c := l.calls[e.Call]; c != nil {
			c.agent, c.rang = e.Agent, e.At
		}
	case tel.QueueOfferEnded:
		l.rang(e)
	case tel.AgentInterval:
		l.talked(e)
	case tel.AgentChanged:
		l.changed(e)
	case tel.MembershipChanged:
		l.member(e)
	case tel.CallEnded:
		l.ended(e)
	}
}

// byTurn is the order of service.
func byTurn(a, b *caller) int {
	x, y := a.joined, b.joined
	return cmp.Or(cmp.Compare(y.Priority, x.Priority), x.Due.Compare(y.Due), x.At.Compare(y.At), cmp.Compare(a.call, b.call))
}

func (l *Log) joined(at time.Time, e tel.QueueJoined) {
	c := &caller{call: e.Call, queue: e.Queue, joined: e}
	i, found := slices.BinarySearchFunc(l.queues[e.Queue], c, byTurn)
	if found {
		return // told again, as after a restart
	}
	l.queues[e.Queue] = slices.Insert(l.queues[e.Queue], i, c)
	c.original = i + 1
	l.calls[e.Call] = c
	l.write(at, e.Call, e.Queue, "", "ENTERQUEUE", "", string(e.Caller), strconv.Itoa(c.original))
}

func (l *Log) left(e tel.QueueLeft) {
	c := l.calls[e.Call]
	if c == nil || c.queue != e.Queue {
		return // was refused, or began to wait before all that we know
	}
	i, found := slices.BinarySearchFunc(l.queues[e.Queue], c, byTurn)
	if found {
		l.queues[e.Queue] = slices.Delete(l.queues[e.Queue], i, i+1)
	}
	position, original := strconv.Itoa(i+1), strconv.Itoa(c.original)
	c.waited = e.Left.Sub(e.Joined)
	exit := func(event string, before ...string) {
		l.write(e.Left, e.Call, e.Queue, "", event, append(before, position, original, seconds(c.waited))...)
		delete(l.calls, e.Call)
	}
	switch e.Outcome {
	case tel.OutcomeAnswered:
		ring := time.Duration(0)
		if c.agent == e.Agent {
			ring = e.Left.Sub(c.rang)
		}
		c.agent, c.connected = e.Agent, e.Left
		l.write(e.Left, e.Call, e.Queue, e.Agent, "CONNECT", seconds(c.waited), string(e.Call), seconds(ring))
	case tel.OutcomeTimedOut, tel.OutcomeOverflow:
		exit("EXITWITHTIMEOUT")
	case tel.OutcomeExitKey:
		exit("EXITWITHKEY", "")
	case tel.OutcomeCallback:
		exit("EXITWITHKEY", "callback")
	case tel.OutcomeEmpty:
		exit("EXITEMPTY")
	case tel.OutcomeWithdrawn:
		exit("WITHDRAW")
	default:
		exit("ABANDON")
	}
}

// rang writes of a ring that nobody answered.
func (l *Log) rang(e tel.QueueOfferEnded) {
	began, known := l.rings[e.Offer]
	delete(l.rings, e.Offer)
	if !known {
		return
	}
	switch e.Cause {
	case tel.CauseNoAnswer, tel.CauseRejected, tel.CauseBusy, tel.CauseTimeout, tel.CauseUnreachable:
		l.write(e.At, e.Call, e.Queue, e.Agent, "RINGNOANSWER", milliseconds(e.At.Sub(began)))
	case tel.CauseCancelled:
		l.write(e.At, e.Call, e.Queue, e.Agent, "RINGCANCELED", milliseconds(e.At.Sub(began)))
	}
}

// talked notes when a conversation was over: at the end of the last interval of talk or hold.
func (l *Log) talked(e tel.AgentInterval) {
	if e.State != tel.AgentTalking && e.State != tel.AgentHold || e.Queue == "" {
		return
	}
	if c := l.calls[e.Call]; c != nil && c.agent == e.Agent && !c.connected.IsZero() {
		c.over = e.To
	}
}

// ended writes how a conversation ended. Only the record of the call knows who hung up.
func (l *Log) ended(e tel.CallEnded) {
	c := l.calls[e.Call]
	if c == nil || c.connected.IsZero() {
		return
	}
	delete(l.calls, e.Call)
	over := c.over
	if over.IsZero() {
		over = e.Ended
	}
	sums := []string{seconds(c.waited), seconds(over.Sub(c.connected)), strconv.Itoa(c.original)}
	for _, m := range e.Moves {
		if m.At.Before(c.connected) || m.At.After(over.Add(time.Second)) {
			continue
		}
		switch m.Kind {
		case tel.MoveBlind:
			l.write(over, e.Call, c.queue, c.agent, "BLINDTRANSFER", append([]string{string(m.To), ""}, sums...)...)
			return
		case tel.MoveInto, tel.MoveReplaced:
			l.write(over, e.Call, c.queue, c.agent, "ATTENDEDTRANSFER", append([]string{"BRIDGE", string(m.Call)}, sums...)...)
			return
		}
	}
	event := "COMPLETEAGENT"
	if e.EndedBy == "caller" {
		event = "COMPLETECALLER"
	}
	l.write(over, e.Call, c.queue, c.agent, event, sums...)
}

// changed writes of pauses from all queues.
func (l *Log) changed(e tel.AgentChanged) {
	reason, was := l.paused[e.Agent]
	is := e.State == tel.AgentPaused
	switch {
	case l.Anonymous:
	case is && (!was || reason != e.Reason):
		l.paused[e.Agent] = e.Reason
		l.write(e.Since, "", "", e.Agent, "PAUSEALL", e.Reason)
	case was && !is:
		delete(l.paused, e.Agent)
		l.write(e.Since, "", "", e.Agent, "UNPAUSEALL", reason)
	}
}

// member writes of pauses in one queue, and of who was added to it or taken out of it by a supervisor.
func (l *Log) member(e tel.MembershipChanged) {
	event := map[[2]bool]string{{true, false}: "UNPAUSE", {false, false}: "PAUSE", {true, true}: "ADDMEMBER", {false, true}: "REMOVEMEMBER"}[[2]bool{e.Serving, e.By != ""}]
	switch {
	case l.Anonymous:
	case e.By != "":
		l.write(e.At, "", e.Queue, e.Agent, event)
	default:
		l.write(e.At, "", e.Queue, e.Agent, event, e.Reason)
	}
}

// Write writes the lines in the order of their times.
func (l *Log) Write(w io.Writer) error {
	slices.SortStableFunc(l.lines, func(a, b line) int { return a.at.Compare(b.at) })
	for _, x := range l.lines {
		if _, err := fmt.Fprintln(w, x.text); err != nil {
			return err
		}
	}
	return nil
}

// Len counts the lines.
func (l *Log) Len() int { return len(l.lines) }
