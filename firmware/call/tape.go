package call

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Taping is what a call knows of its recording. A conversation is recorded in parts: another one begins whenever
// who talks has changed. All parts of one conversation, through whatever calls it passes, have one chain.
type Taping struct {
	Chain string   `json:"chain,omitempty"` // empty: nothing was recorded so far
	Also  []string `json:"also,omitempty"`  // chains of calls that were joined with this one

	For  string   `json:"for,omitempty"`  // the parties whom Rule is for
	Rule TapeRule `json:"rule,omitzero"`  // that holds for who talks now
	Now  string   `json:"now,omitempty"`  // the part that runs
	Part int      `json:"part,omitempty"` // parts begun so far in this call
	Gap  string   `json:"gap,omitempty"`  // why the part that runs is paused

	Asked   bool      `json:"asked,omitempty"`   // somebody wants it, on demand
	Stopped bool      `json:"stopped,omitempty"` // somebody wants it no more
	Paused  bool      `json:"paused,omitempty"`  // an agent takes down the number of a card
	Refused bool      `json:"refused,omitempty"` // the caller has opted out, of the whole chain
	RetryAt time.Time `json:"retry_at,omitzero"` // the disk has refused; not before this

	Noticed  bool      `json:"noticed,omitempty"` // the outside party has heard that it is recorded
	Notice   tel.LegID `json:"notice,omitempty"`  // hears it now
	NoticeBy time.Time `json:"notice_by,omitzero"`
	Notices  int       `json:"notices,omitempty"`  // begun so far
	Greeting bool      `json:"greeting,omitempty"` // the notice is at the end of the queue's greeting
	Key      rune      `json:"key,omitempty"`      // that the caller was told opts out
	Keys     string    `json:"keys,omitempty"`     // the last of an agent
}

// TapeRule is whether and how a conversation is recorded, as the configuration says at its beginning.
type TapeRule struct {
	Mode    TapeMode      `json:"mode,omitempty"`
	Purpose string        `json:"purpose,omitempty"`
	Keep    time.Duration `json:"keep,omitempty"`    // then it is deleted
	Follow  bool          `json:"follow,omitempty"`  // it goes on when the call is passed to somebody without a rule
	Notice  bool          `json:"notice,omitempty"`  // the outside party is told before it begins
	OptOut  rune          `json:"opt_out,omitempty"` // the key by which it stops and deletes it; 0: none
	OnHold  bool          `json:"on_hold,omitempty"` // also while a party holds the other
	Demand  string        `json:"demand,omitempty"`  // the keys by which an agent begins and stops it
	Pause   string        `json:"pause,omitempty"`   // the keys by which an agent pauses it and goes on
}

// TapeMode is when a conversation is recorded.
type TapeMode string

// The modes. The empty one says nothing: a rule of before may follow the call.
const (
	TapeAlways TapeMode = "always"
	TapeDemand TapeMode = "demand"
	TapeNever  TapeMode = "never"
)

// TapeAsk is a conversation that may be recorded.
type TapeAsk struct {
	Direction tel.Direction
	Queue     tel.QueueID
	Agents    []tel.AgentID
	Via       []string // trunks and lines that take part: "trunk:tim", "line:gsm0"
}

// Tape is one part to be recorded. The first leg is the customer's, where there is one.
type Tape struct {
	ID, Chain string
	Call      tel.CallID
	Began     time.Time
	Legs      []tel.LegID
	Parties   []string
	Agents    []tel.AgentID
	Queue     tel.QueueID
	Rule      TapeRule
}

// TapeChain is what goes along with a leg that is handed to another call.
type TapeChain struct {
	Chain                   string
	Also                    []string
	Rule                    TapeRule
	Asked, Refused, Noticed bool
}

// Recorder records conversations. Its methods never wait for the disk.
type Recorder interface {
	// Judge says by which rule a conversation is recorded that begins now.
	Judge(TapeAsk) TapeRule
	// Begin begins a part; failed, if it is called, says why the part has ended by itself.
	Begin(t Tape, legs []Leg, failed func(why string))
	// Pause keeps nothing of a part until it is called with no reason.
	Pause(id, why string)
	End(id, why string)
	// Forget deletes all parts of chains for good, also those that run.
	Forget(chains []string)
}

// The inputs and effects of recording.
type (
	// TapeJudged answers DoJudgeTape.
	TapeJudged struct{ Rule TapeRule }
	// TapeFailed says that a part has ended by itself.
	TapeFailed struct{ ID, Why string }
	// TapeOrder is the wish of somebody at the page.
	TapeOrder struct{ What TapeWish }

	DoJudgeTape  struct{ Ask TapeAsk } // TapeJudged follows
	DoTape       struct{ Tape Tape }
	DoPauseTape  struct{ ID, Why string } // no reason: go on
	DoEndTape    struct{ ID, Why string }
	DoForgetTape struct{ Chains []string }
)

// TapeWish is what an agent or a supervisor wants of a recording.
type TapeWish string

// The wishes.
const (
	TapeStart  TapeWish = "start"
	TapeStop   TapeWish = "stop"
	TapePause  TapeWish = "pause"
	TapeResume TapeWish = "resume"
)

func (DoJudgeTape) effect()  {}
func (DoTape) effect()       {}
func (DoPauseTape) effect()  {}
func (DoEndTape) effect()    {}
func (DoForgetTape) effect() {}

const (
	// wakeTape begins the next part after the disk has refused, or after a restart; wakeNotice says the notice
	// again when its end was not heard of.
	wakeTape   = "tape"
	wakeNotice = "notice"
	// tapeRetry is how long after a refusal of the disk.
	tapeRetry = 10 * time.Second
	// noticeWait is the longest that a notice may take, maxNotices how often it is begun. Who does not hear it is
	// not recorded.
	noticeWait = 20 * time.Second
	maxNotices = 4
	// maxTapes bounds the parts of a call.
	maxTapes = 500
)

// Why a part ended, or is paused.
const (
	TapeParted  = "parted"     // who talks has changed
	TapeCallEnd = "call_ended" // the call is over
	TapeStopped = "stopped"    // somebody wanted it no more
	TapeOptOut  = "opt_out"    // the caller did not want it
	TapeCrashed = "crashed"    // the process ended; another part goes on
	TapeCard    = "card"       // of a pause: an agent takes down the number of a card
	TapeHold    = "hold"       // of a pause: a party holds the other
)

// noticeWords say that the call is recorded, and which key opts out.
func noticeWords(key rune) []string {
	switch {
	case key == 0:
		return []string{"recording_notice"}
	case key == '*':
		return []string{"recording_notice", "recording_opt_out", "key_star"}
	case key == '#':
		return []string{"recording_notice", "recording_opt_out", "key_hash"}
	default:
		return []string{"recording_notice", "recording_opt_out", "digit_" + string(key)}
	}
}

// outside reports whether a leg is that of somebody who is not of the house.
func (l *LegState) outside() bool {
	return tel.OutsideParty(l.Party)
}

// customer is the outside party of a conversation; nil when there is none.
func (s *State) customer() *LegState {
	for _, l := range []*LegState{&s.Caller, s.Peer} {
		if l != nil && l.outside() {
			return l
		}
	}
	return nil
}

// conversants are who is recorded now: the customer first, then the other, then who barges in. None while nobody
// talks.
func (s *State) conversants() []*LegState {
	if s.Stage != tel.StageTalking || s.Peer == nil || s.Peer.ID == "" || s.Caller.ID == "" || s.Emergency {
		return nil
	}
	all := []*LegState{&s.Caller, s.Peer}
	if !s.Caller.outside() && s.Peer.outside() {
		slices.Reverse(all)
	}
	for i := range s.Watchers {
		if w := &s.Watchers[i]; w.Live && w.Now.Mode == tel.SuperviseBarge && !w.Held {
			all = append(all, &w.LegState)
		}
	}
	return all
}

// taping brings the recording to where the state of the call wants it. It follows every input.
func (st *step) taping() {
	s := st.s
	t := &s.Tape
	who := s.conversants()
	if who == nil {
		st.endPart(TapeParted)
		t.For, t.Notice = "", ""
		return
	}
	t.Greeting = false // cut short, if it was not over
	pair := string(who[0].ID) + " " + string(who[1].ID)
	if t.For != pair {
		st.endPart(TapeParted)
		t.For, t.Paused, t.Keys, t.Notice = pair, false, "", ""
		st.do(DoJudgeTape{s.tapeAsk(who)})
		return // TapeJudged is the next input
	}
	if !st.wanted() {
		st.endPart(TapeStopped)
		return
	}
	if !st.noticed(who) {
		return
	}
	if running := s.lastTape(); t.Now != "" && (running == nil || !slices.Equal(running.Legs, legIDs(who))) {
		st.endPart(TapeParted)
	}
	if t.Now == "" && !st.beginPart(who) {
		return
	}
	st.gap(who)
}

// wanted reports whether the rule and the wishes of the parties say that it is recorded now.
func (st *step) wanted() bool {
	t := &st.s.Tape
	switch {
	case t.Refused || t.Stopped:
		return false
	case t.Rule.Mode == TapeAlways:
		return true
	default:
		return t.Rule.Mode == TapeDemand && t.Asked
	}
}

// noticed reports whether the outside party knows; otherwise it is told, and the other hears it too, so that
// neither talks to nobody.
func (st *step) noticed(who []*LegState) bool {
	t := &st.s.Tape
	customer := st.s.customer()
	if !t.Rule.Notice || t.Noticed || customer == nil {
		return true
	}
	if who[0].Held || who[1].Held {
		t.Notice = ""
		return false
	}
	if t.Notice != "" || t.Notices >= maxNotices {
		return false
	}
	t.Notice, t.Key = customer.ID, t.Rule.OptOut
	t.NoticeBy = st.now.Add(noticeWait)
	t.Notices++
	say := Sound{Names: noticeWords(t.Key), Language: st.s.Language}
	st.do(DoPlay{who[0].ID, say}, DoPlay{who[1].ID, say}, DoWake{wakeNotice, t.NoticeBy})
	return false
}

func legIDs(who []*LegState) (ids []tel.LegID) {
	for _, l := range who {
		ids = append(ids, l.ID)
	}
	return ids
}

// lastTape is the newest part; nil when there is none.
func (s *State) lastTape() *tel.Recorded {
	if len(s.Tapes) == 0 {
		return nil
	}
	return &s.Tapes[len(s.Tapes)-1]
}

// beginPart begins to record; false while the disk refuses.
func (st *step) beginPart(who []*LegState) bool {
	s, t := st.s, &st.s.Tape
	if st.now.Before(t.RetryAt) || len(s.Tapes) >= maxTapes {
		return false
	}
	if t.Chain == "" {
		t.Chain = string(s.Call)
	}
	t.Part++
	tape := Tape{
		ID: fmt.Sprintf("%s-%d", s.Call, t.Part), Chain: t.Chain, Call: s.Call, Began: st.now, Legs: legIDs(who), Queue: s.Queue, Rule: t.Rule,
	}
	for _, l := range who {
		tape.Parties = append(tape.Parties, l.Party)
		if l.Agent != "" {
			tape.Agents = append(tape.Agents, l.Agent)
		}
	}
	t.Now, t.Gap = tape.ID, ""
	s.Tapes = append(s.Tapes, tel.Recorded{ID: tape.ID, Chain: t.Chain, Also: t.Also, Legs: tape.Legs, From: st.now})
	st.do(DoTape{tape})
	return true
}

// endPart ends the part that runs, if one does.
func (st *step) endPart(why string) {
	s, t := st.s, &st.s.Tape
	if t.Now == "" {
		return
	}
	last := s.lastTape()
	last.To, last.Why = st.now, why
	st.do(DoEndTape{t.Now, why})
	t.Now, t.Gap = "", ""
}

// gap pauses the part that runs, or lets it go on.
func (st *step) gap(who []*LegState) {
	t := &st.s.Tape
	why := ""
	switch {
	case t.Paused:
		why = TapeCard
	case !t.Rule.OnHold && (who[0].Held || who[1].Held):
		why = TapeHold
	}
	if why != t.Gap {
		t.Gap = why
		st.do(DoPauseTape{t.Now, why})
	}
}

func (s *State) tapeAsk(who []*LegState) TapeAsk {
	ask := TapeAsk{Direction: s.Direction, Queue: s.Queue}
	for _, l := range who[:2] {
		switch {
		case l.outside():
			ask.Via = append(ask.Via, l.Party)
		case l.Agent != "":
			ask.Agents = append(ask.Agents, l.Agent)
		}
	}
	return ask
}

// tapeJudged takes the rule for who talks now. One of before goes on where there is none.
func (st *step) tapeJudged(r TapeRule) {
	t := &st.s.Tape
	if r.Mode == "" && t.Rule.Follow {
		return
	}
	t.Rule = r
}

// greetingWithNotice puts the notice behind a queue's greeting, so that no time of the talk is lost with it.
func (st *step) greetingWithNotice(greeting []string, d Decision) []string {
	t := &st.s.Tape
	if !d.Notice || t.Noticed || t.Refused || !st.s.Caller.outside() {
		return greeting
	}
	t.Greeting, t.Key = true, d.OptOut
	return slices.Concat(greeting, noticeWords(d.OptOut))
}

// noticeMissed lets the notice be said again whose end was not heard of.
func (st *step) noticeMissed() {
	if t := &st.s.Tape; t.Notice != "" && !st.now.Before(t.NoticeBy) {
		t.Notice = ""
	}
}

// tapeFailed ends a part that the disk refuses; another one is begun soon, while it is wanted.
func (st *step) tapeFailed(f TapeFailed) {
	s, t := st.s, &st.s.Tape
	for i := range s.Tapes {
		if s.Tapes[i].ID == f.ID {
			s.Tapes[i].Failed = f.Why
		}
	}
	if t.Now != f.ID || f.ID == "" {
		return
	}
	st.s.lastTape().To = st.now
	t.Now, t.Gap, t.RetryAt = "", "", st.now.Add(tapeRetry)
	st.do(DoWake{wakeTape, t.RetryAt})
}

// noticePlayed follows the end of a sound; true when it was that of the notice.
func (st *step) noticePlayed(leg tel.LegID) bool {
	t := &st.s.Tape
	if t.Notice == "" || t.Notice != leg {
		return false
	}
	t.Notice, t.Noticed = "", true
	return true
}

// tapeKey takes a key of a party: that of the customer who opts out, or those of an agent. True says that it
// shall not go on to the other party.
func (st *step) tapeKey(leg *LegState, key rune) bool {
	t := &st.s.Tape
	if leg.outside() {
		if t.Key == 0 || key != t.Key || t.Refused || t.Now == "" && t.Notice == "" && t.Chain == "" && !t.Noticed && !t.Greeting {
			return false
		}
		st.optOut(leg)
		return true
	}
	if leg.Agent == "" {
		return false
	}
	if t.Keys += string(key); len(t.Keys) > 8 {
		t.Keys = t.Keys[len(t.Keys)-8:]
	}
	switch {
	case t.Rule.Demand != "" && strings.HasSuffix(t.Keys, t.Rule.Demand):
		if t.Now != "" || t.Notice != "" {
			st.tapeWish(TapeStop, leg)
		} else {
			st.tapeWish(TapeStart, leg)
		}
	case t.Rule.Pause != "" && strings.HasSuffix(t.Keys, t.Rule.Pause):
		if t.Paused {
			st.tapeWish(TapeResume, leg)
		} else {
			st.tapeWish(TapePause, leg)
		}
	}
	return false
}

// tapeWish does what somebody wants of the recording, and says so to the agent whose keys it was.
func (st *step) tapeWish(what TapeWish, leg *LegState) {
	t := &st.s.Tape
	say := ""
	switch {
	case t.Rule.Mode != TapeAlways && t.Rule.Mode != TapeDemand || t.Refused:
		say = "recording_not_here"
	case what == TapeStart:
		t.Asked, t.Stopped, t.Notices, say = true, false, 0, "recording_on"
	case what == TapeStop && t.Rule.Mode == TapeAlways: // what the house wants is not for one to end
		say = "recording_not_here"
	case what == TapeStop:
		t.Asked, t.Notice, say = false, "", "recording_off"
	case t.Now == "":
		say = "recording_not_here"
	case what == TapePause:
		t.Paused, say = true, "recording_paused"
	case what == TapeResume:
		t.Paused, say = false, "recording_on"
	}
	if leg != nil && t.Notice == "" && !(what == TapeStart && t.Rule.Notice && !t.Noticed && st.s.customer() != nil) {
		st.do(DoPlay{leg.ID, Sound{Names: []string{say}}})
	}
	t.Keys = ""
}

// optOut ends the recording of a caller who does not want it, and deletes what there is of it.
func (st *step) optOut(leg *LegState) {
	s, t := st.s, &st.s.Tape
	t.Refused, t.Notice, t.Greeting = true, "", false
	st.endPart(TapeOptOut)
	if t.Chain != "" {
		st.do(DoForgetTape{append([]string{t.Chain}, t.Also...)})
	}
	for i := range s.Tapes {
		s.Tapes[i].Why = TapeOptOut
	}
	if !s.Saying {
		st.do(DoPlay{leg.ID, Sound{Names: []string{"recording_refused"}, Language: s.Language}})
	}
}

// tapeChain is what goes along with a leg to another call.
func (s *State) tapeChain() TapeChain {
	t := &s.Tape
	return TapeChain{Chain: t.Chain, Also: t.Also, Rule: t.Rule, Asked: t.Asked, Refused: t.Refused, Noticed: t.Noticed}
}

// joinChain goes on with the chain of a leg that comes from another call. The chain of this call, if it has one of
// its own, is named beside it.
func (st *step) joinChain(leg *LegState, c TapeChain) {
	t := &st.s.Tape
	if c.Chain != "" && c.Chain != t.Chain {
		st.endPart(TapeParted)
		also := slices.Concat(t.Also, c.Also)
		if t.Chain != "" {
			also = append(also, t.Chain)
		}
		slices.Sort(also)
		t.Chain, t.Also = c.Chain, slices.DeleteFunc(slices.Compact(also), func(x string) bool { return x == c.Chain })
	}
	t.Refused, t.Asked = t.Refused || c.Refused, t.Asked || c.Asked
	if leg.outside() {
		t.Noticed, t.Notices = c.Noticed, 0
	}
	if c.Rule.Follow && t.Rule.Mode == "" {
		t.Rule = c.Rule
	}
}

// resumeTape ends the part that the earlier process wrote; another one goes on.
func (s *State) resumeTape(now time.Time) (again bool) {
	t := &s.Tape
	s.untaped(now, TapeCrashed, "")
	if t.Now == "" && t.Notice == "" && t.RetryAt.IsZero() {
		return false
	}
	t.RetryAt = time.Time{} // its timer has ended with the process
	if last := s.lastTape(); t.Now != "" && last != nil {
		last.To, last.Why = now, TapeCrashed
	}
	t.Now, t.Gap, t.Notice = "", "", ""
	return true
}

// recording is what observers see of it.
func (s *State) recording() string {
	switch t := &s.Tape; {
	case t.Now == "":
		return ""
	case t.Gap != "":
		return "paused"
	default:
		return "on"
	}
}

// tape carries out the effects of recording; false for another effect.
func (a *actor) tape(e Effect) bool {
	r := a.x.cfg.Recorder
	switch e := e.(type) {
	case DoJudgeTape:
		rule := TapeRule{}
		if r != nil {
			rule = r.Judge(e.Ask)
		}
		a.handle(TapeJudged{rule})
	case DoTape:
		var legs []Leg
		for _, id := range e.Tape.Legs {
			if l, ok := a.legs[id]; ok {
				legs = append(legs, l.Leg)
			}
		}
		if r == nil || len(legs) != len(e.Tape.Legs) { // one has ended in this instant, and is told so
			a.handle(TapeFailed{e.Tape.ID, "a party has left"})
			return true
		}
		r.Begin(e.Tape, legs, func(why string) { a.tell(TapeFailed{e.Tape.ID, why}) })
	case DoPauseTape:
		if r != nil {
			r.Pause(e.ID, e.Why)
		}
	case DoEndTape:
		if r != nil {
			r.End(e.ID, e.Why)
		}
	case DoForgetTape:
		if r != nil {
			r.Forget(e.Chains)
		}
	default:
		return false
	}
	return true
}

// Tape carries out what somebody at the page wants of the recording of an agent's conversation. The error is
// ErrNoConversation.
func (x *Exchange) Tape(agent tel.AgentID, what TapeWish) error {
	x.mu.Lock()
	target := x.watchable(Watch{Agent: agent})
	x.mu.Unlock()
	if target == nil || !target.tell(TapeOrder{what}) {
		return ErrNoConversation
	}
	return nil
}
