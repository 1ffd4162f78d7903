package conference

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// TapeRule is whether and how a conference is recorded. The rule of the first member's moment holds to the end.
type TapeRule struct {
	Mode    TapeMode      `json:"mode,omitempty"` // empty: it is not
	Purpose string        `json:"purpose,omitempty"`
	Keep    time.Duration `json:"keep,omitempty"`    // then it is deleted
	Notice  bool          `json:"notice,omitempty"`  // everybody is told, and nobody is recorded before
	OptOut  rune          `json:"opt_out,omitempty"` // the key by which who is outside has it stopped and deleted; 0: none
	OnHold  bool          `json:"on_hold,omitempty"` // also while all but one hold the room at their phones
}

// TapeMode is when a conference is recorded.
type TapeMode string

// The modes.
const (
	TapeAlways TapeMode = "always" // as soon as two are there
	TapeDemand TapeMode = "demand" // a leader, or somebody at the page, wants it
)

// Taping is what a room knows of its recording. A conference has one chain; a part ends when fewer than two are left,
// when somebody ends it, and with the process.
//
// Who opts out has the recording of the whole conference stopped and deleted, and it does not begin again: voices that
// were mixed cannot be taken apart, what others answer tells what was asked, and to have to leave would be no free choice
// (GDPR articles 7(4) and 21). A caller's key does the same in a call.
type Taping struct {
	Rule    TapeRule  `json:"rule,omitzero"`
	Chain   string    `json:"chain,omitempty"`   // empty: nothing was recorded so far
	Now     string    `json:"now,omitempty"`     // the part that runs
	Gap     string    `json:"gap,omitempty"`     // why it is paused
	Part    int       `json:"part,omitempty"`    // parts begun so far
	Asked   bool      `json:"asked,omitempty"`   // somebody wants it, on demand
	Refused bool      `json:"refused,omitempty"` // somebody has opted out
	RetryAt time.Time `json:"retry_at,omitzero"` // the disk has refused; not before this
}

// Ear is what the recorder makes of a member.
type Ear struct {
	Told    bool      `json:"told,omitempty"`    // it has heard that it is recorded, or need not
	Telling bool      `json:"telling,omitempty"` // it hears so now
	TellBy  time.Time `json:"tell_by,omitzero"`
	Tells   int       `json:"tells,omitempty"` // begun so far
	Taped   bool      `json:"taped,omitempty"` // its call knows that it is recorded
	Never   bool      `json:"never,omitempty"` // it has refused before it came: its voice is left out
}

// The inputs of recording.
type (
	// TapeFailed says that a part has ended by itself.
	TapeFailed struct{ ID, Why string }
	// Tick says that time has passed, while something waits for it.
	Tick struct{}
)

// The effects of recording.
type (
	// Tape begins a part.
	Tape struct{ Part }
	// Keep says who is there, and whose voices are kept from now on.
	Keep struct {
		ID     string
		Voices []TapeVoice
	}
	// PauseTape keeps nothing of a part; without a reason it goes on.
	PauseTape struct{ ID, Why string }
	// EndTape ends a part.
	EndTape struct{ ID, Why string }
	// ForgetTape deletes all parts of a chain for good.
	ForgetTape struct{ Chain string }
)

func (Tape) effect()       {}
func (Keep) effect()       {}
func (PauseTape) effect()  {}
func (EndTape) effect()    {}
func (ForgetTape) effect() {}

// Part is one part to be recorded.
type Part struct {
	ID, Chain string
	Room      tel.ConferenceID
	Began     time.Time
	Rule      TapeRule
}

// TapeVoice is a member as the recorder knows it.
type TapeVoice struct {
	Leg   tel.LegID
	Party string
	Told  bool // it takes part in what is recorded
	Kept  bool // and is heard
}

const (
	// tapeRetry is how long after a refusal of the disk another part is begun.
	tapeRetry = 10 * time.Second
	// noticeWait is the longest that a notice may take, maxNotices how often it is begun. Who does not hear it is not
	// recorded.
	noticeWait = 20 * time.Second
	maxNotices = 4
	// maxTapes bounds the parts of a conference.
	maxTapes = 500
)

// Why a part ended or is paused, in the words of calls.
const (
	tapeParted  = "parted"
	tapeOver    = "call_ended"
	tapeStopped = "stopped"
	tapeOptOut  = "opt_out"
	tapeHold    = "hold"
)

// Due reports whether the machine waits for time to pass.
func (s *State) Due() bool {
	return !s.Tape.RetryAt.IsZero() || slices.ContainsFunc(s.Members, func(m Member) bool { return m.Telling })
}

// present counts who is there, and who of them does not hold the room.
func (s *State) present() (there, active int) {
	for i := range s.Members {
		if m := &s.Members[i]; !m.Away {
			if there++; !m.Held {
				active++
			}
		}
	}
	return there, active
}

// wanted reports whether the conference is to be recorded now; otherwise why not.
func (s *State) wanted() (bool, string) {
	t := &s.Tape
	switch there, _ := s.present(); {
	case t.Refused:
		return false, tapeOptOut
	case t.Rule.Mode == TapeDemand && !t.Asked:
		return false, tapeStopped
	case t.Rule.Mode == "" || there < 2 || s.Waits():
		return false, tapeParted
	}
	return true, ""
}

// taping brings the recording to where the state wants it. It follows every input.
func (st *step) taping() {
	s, t := st.s, &st.s.Tape
	wanted, why := s.wanted()
	if !wanted {
		st.endTape(why)
		return
	}
	told := 0
	for i := range s.Members {
		m := &s.Members[i]
		if m.Away {
			continue
		}
		if !m.Told {
			st.notice(m)
		}
		if m.Told && !m.Never {
			told++
		}
	}
	switch {
	case told == 0:
		st.endPart(tapeParted)
		return
	case t.Now == "" && !st.beginTape():
		return
	}
	st.gap()
	st.keep()
}

// notice tells a member that it is recorded.
func (st *step) notice(m *Member) {
	rule := st.s.Tape.Rule
	if !rule.Notice {
		m.Told = true
		return
	}
	if m.Telling || m.Held || m.Tells >= maxNotices {
		return
	}
	m.Telling, m.TellBy = true, st.now.Add(noticeWait)
	m.Tells++
	names := []string{"recording_notice"}
	if rule.OptOut != 0 && m.outside() {
		names = append(names, "recording_opt_out", keyName(rule.OptOut))
	}
	for i, e := range st.out { // behind what it is told in this instant
		tell, ok := e.(Tell)
		if says, is := tell.Message.(tel.ConferenceSays); ok && is && says.Call == m.Call && !says.Loop && len(says.Names) > 0 {
			says.Names = slices.Concat(says.Names, names)
			st.out[i] = Tell{says}
			return
		}
	}
	st.tell(tel.ConferenceSays{Call: m.Call, Names: names})
}

// keyName is the sound of a key.
func keyName(key rune) string {
	switch key {
	case '*':
		return "key_star"
	case '#':
		return "key_hash"
	default:
		return "digit_" + string(key)
	}
}

// outside reports whether a member is not of the house.
func (m *Member) outside() bool {
	return strings.HasPrefix(m.Party, "trunk:") || strings.HasPrefix(m.Party, "line:")
}

// beginTape begins a part; false while the disk refuses.
func (st *step) beginTape() bool {
	s, t := st.s, &st.s.Tape
	if st.now.Before(t.RetryAt) || t.Part >= maxTapes {
		return false
	}
	t.RetryAt = time.Time{}
	if t.Chain == "" {
		t.Chain = fmt.Sprintf("room-%s-%s", s.Spec.ID, strconv.FormatInt(st.now.UnixMilli(), 36))
	}
	t.Part++
	t.Now, t.Gap = fmt.Sprintf("%s-%d", t.Chain, t.Part), ""
	st.out = append(st.out, Tape{Part{ID: t.Now, Chain: t.Chain, Room: s.Spec.ID, Began: st.now, Rule: t.Rule}})
	st.kept = true
	return true
}

// gap pauses the part that runs while all but one hold the room, or lets it go on.
func (st *step) gap() {
	t, why := &st.s.Tape, ""
	if _, active := st.s.present(); active < 2 && !t.Rule.OnHold {
		why = tapeHold
	}
	if why != t.Gap {
		t.Gap = why
		st.out = append(st.out, PauseTape{t.Now, why})
	}
}

// keep tells the recorder whom it hears, and the calls that they are recorded.
func (st *step) keep() {
	s, t := st.s, &st.s.Tape
	keep := Keep{ID: t.Now}
	for i := range s.Members {
		m := &s.Members[i]
		if m.Away {
			continue
		}
		on := m.Told && !m.Never
		if on && !m.Taped {
			m.Taped, st.kept = true, true
			st.tell(tel.ConferenceTaped{Call: m.Call, ID: t.Now, Chain: t.Chain})
		}
		keep.Voices = append(keep.Voices, TapeVoice{m.Leg, m.Party, on, on && s.heard(m)})
	}
	if st.kept || st.mix {
		st.out = append(st.out, keep)
	}
}

// endTape ends the part that runs, if one does, and notices that are not over.
func (st *step) endTape(why string) {
	st.s.Tape.RetryAt = time.Time{}
	for i := range st.s.Members {
		st.s.Members[i].Telling = false
	}
	st.endPart(why)
}

func (st *step) endPart(why string) {
	t := &st.s.Tape
	if t.Now == "" {
		return
	}
	st.out = append(st.out, EndTape{t.Now, why})
	st.untaped(why, "")
	t.Now, t.Gap = "", ""
}

// untaped tells the calls that they are recorded no more.
func (st *step) untaped(why, failed string) {
	for i := range st.s.Members {
		m := &st.s.Members[i]
		if m.Taped && !m.Away {
			st.tell(tel.ConferenceTaped{Call: m.Call, ID: st.s.Tape.Now, Chain: st.s.Tape.Chain, Why: why, Failed: failed})
		}
		m.Taped = false
	}
}

// tapeFailed ends a part that the disk refuses; another one is begun soon, while it is wanted.
func (st *step) tapeFailed(f TapeFailed) {
	t := &st.s.Tape
	if t.Now != f.ID || f.ID == "" {
		return
	}
	st.untaped("", f.Why)
	t.Now, t.Gap, t.RetryAt = "", "", st.now.Add(tapeRetry)
}

// said follows the end of words: those of the notice, if it is under way.
func (st *step) said(call tel.CallID) {
	if m := st.s.member(call); m != nil && m.Telling {
		m.Telling, m.Told = false, true
	}
}

// ticked lets a notice be said again whose end was not heard of.
func (st *step) ticked() {
	for i := range st.s.Members {
		if m := &st.s.Members[i]; m.Telling && !st.now.Before(m.TellBy) {
			m.Telling = false
		}
	}
}

// optsOut takes the key of a member who does not want to be recorded.
func (st *step) optsOut(m *Member, key rune) bool {
	t := &st.s.Tape
	if t.Rule.OptOut == 0 || key != t.Rule.OptOut || m.Star || !m.outside() || !t.Rule.Notice || t.Refused || !m.Told && !m.Telling {
		return false
	}
	t.Refused = true
	chain := t.Chain
	st.endTape(tapeOptOut)
	for i := range st.s.Members {
		m := &st.s.Members[i]
		if chain != "" && !m.Away {
			st.tell(tel.ConferenceTaped{Call: m.Call, Chain: chain, Why: tapeOptOut})
		}
		st.say(m, "recording_refused")
	}
	st.forgetTape()
	return true
}

// forgetTape has what a member has refused deleted.
func (st *step) forgetTape() {
	if t := &st.s.Tape; t.Refused && t.Chain != "" {
		st.out = append(st.out, ForgetTape{t.Chain})
	}
}

// Recordable reports whether somebody may begin and end the recording.
func (s *State) Recordable() bool { return s.Tape.Rule.Mode == TapeDemand && !s.Tape.Refused }

// record begins or ends the recording on demand. By is the leader whose key it was; nil: somebody at the page.
func (st *step) record(on bool, by *Member) {
	t := &st.s.Tape
	if !st.s.Recordable() {
		if by != nil {
			st.say(by, "recording_not_here")
		}
		return
	}
	if t.Asked == on {
		return
	}
	t.Asked = on
	words := "recording_off"
	if on {
		words = "recording_on"
	}
	there, _ := st.s.present()
	for i := range st.s.Members {
		m := &st.s.Members[i]
		m.Tells = 0
		if m.Told || there < 2 { // else the notice says so
			st.say(m, words)
		}
	}
}
