package call

import (
	"cmp"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Clerk does for scripts what lies outside of a call: mailboxes, codes, announcements.
type Clerk interface {
	// Spool is the file for a recording of that name.
	Spool(name string) string
	// Do carries out what a script asks of others. It never blocks. A Check and a List are answered once,
	// before Do returns or later from any goroutine.
	Do(call tel.CallID, e ivr.Effect, answer func(ivr.Event))
}

// The inputs and effects of scripts.
type (
	// Scripted is an answer for the script that runs.
	Scripted struct{ Event ivr.Event }

	DoRecord struct {
		Leg          tel.LegID
		Name         string
		Max, Silence time.Duration
	}
	DoStopRecord struct{ Leg tel.LegID }
	DoEcho       struct{ Leg tel.LegID }
	DoClerk      struct{ Order ivr.Effect } // after a Check or a List Scripted follows
)

func (DoRecord) effect()     {}
func (DoStopRecord) effect() {}
func (DoEcho) effect()       {}
func (DoClerk) effect()      {}

// wakeScript begins the keys of a script's timers; the timer's number follows.
const wakeScript = "script:"

// testLimit ends an echo or a test tone that somebody forgot.
const testLimit = 10 * time.Minute

// startScript hands the caller to a script; it is what the caller wanted, so a transfer is done.
func (st *step) startScript(script *ivr.State) {
	s := st.s
	st.accept()
	s.Ring = nil
	st.transferred(s.Caller.Party)
	state := *script
	state.ID, state.Language = string(s.Call), s.Language
	if d := state.Deposit; d != nil {
		about := *d
		about.From, about.CallerName = s.From, s.FromName
		state.Deposit = &about
	}
	if c := state.Conference; c != nil {
		own := *c
		own.Caller = cmp.Or(string(s.From), s.Caller.Party)
		state.Conference = &own
	}
	s.Script = &state
	st.stage(tel.StageMenu)
	st.script(ivr.Started{})
}

// startTest lets the caller hear itself, or a tone, until it hangs up.
func (st *step) startTest(d Decision) {
	s := st.s
	st.accept()
	s.Ring = nil
	st.transferred(s.Caller.Party)
	st.stage(tel.StageMenu)
	if d.Kind == ToEcho {
		st.do(DoEcho{s.Caller.ID})
	} else {
		st.do(DoPlay{s.Caller.ID, d.Sound})
	}
	st.do(DoWake{wakeTest, st.now.Add(testLimit)})
}

// script gives the running script an event and carries its effects over.
func (st *step) script(e ivr.Event) {
	s := st.s
	if s.Script == nil {
		return
	}
	next, effects := ivr.Next(*s.Script, e, st.now.In(s.zone()))
	s.Script = &next
	caller := s.Caller.ID
	defer func() {
		if next.Gone && next.Done && s.Stage != tel.StageEnded { // what the caller left behind is in good hands
			st.finish(s.LastCause, "caller")
		}
	}()
	for _, e := range effects {
		if s.Stage == tel.StageEnded {
			return
		}
		switch e := e.(type) {
		case ivr.Play:
			st.do(DoPlay{caller, Sound{Names: e.Names, Language: s.Language}})
		case ivr.Hush:
			st.do(DoHush{caller})
		case ivr.Record:
			st.do(DoRecord{caller, e.Path, e.Max, e.Silence})
		case ivr.StopRecord:
			st.do(DoStopRecord{caller})
		case ivr.Wait:
			st.do(DoWake{wakeScript + strconv.Itoa(e.Timer), st.now.Add(e.For)})
		case ivr.Language:
			s.Language = e.Lang
		case ivr.Goto:
			st.leaveScript(DoResolve{To: e.To, As: s.scriptAs()})
		case ivr.Dial:
			st.leaveScript(DoResolve{To: "ext:" + string(e.Number)})
		case ivr.CallBack:
			s.As = "ext:" + e.Box
			st.leaveScript(DoRoute{As: s.As, Number: e.Number})
		case ivr.AskCallback:
			number := e.Number
			if wide, ok := number.E164(); ok {
				number = wide // as callers show theirs
			}
			st.tell(tel.WantCallback{Call: s.Call, Number: number})
		case ivr.GoOn:
			st.goOn()
		case ivr.Enter:
			st.sit(e)
		case ivr.Hangup:
			st.finish(tel.CauseNormal, "box")
		default:
			st.do(DoClerk{e})
		}
	}
}

// scriptAs is whose rights a script's destinations have: those of the phone that dialled into it when
// it asked for a code, otherwise nobody's but the configuration's.
func (s *State) scriptAs() string {
	if s.Script != nil && s.Script.Kind == ivr.KindPIN {
		return s.Caller.Party
	}
	return ""
}

// leaveScript sends the caller on; one who wanders from menu to menu without end is let go.
func (st *step) leaveScript(to Effect) {
	s := st.s
	s.Script = nil
	if s.Menus++; s.Menus > maxMenus {
		st.refuse(tel.CauseCongestion)
		return
	}
	st.do(DoHush{s.Caller.ID})
	st.stage(tel.StageRouting)
	st.do(to)
}

// maxMenus is how many scripts one caller may pass through.
const maxMenus = 100

// scriptEvent gives the script what happened on the caller's leg; false when it is not for it. A
// caller's end is not the end of the call while the script still waits for the recording of what was
// said.
func (st *step) scriptEvent(where int, e LegEvent) bool {
	s := st.s
	if s.Script == nil || where != asCaller {
		return false
	}
	switch e.Kind {
	case LegDigit:
		st.script(ivr.Digit{Key: e.Digit})
	case LegPlayed:
		st.script(ivr.Played{})
	case LegEnded:
		s.Caller.ID, s.LastCause = "", e.Cause
		st.script(ivr.Left{})
	default:
		return false
	}
	return true
}

// recorded gives the script the outcome of its recording, which may come after the caller's end.
func (st *step) recorded(e LegEvent) {
	name := strings.TrimSuffix(filepath.Base(e.Path), filepath.Ext(e.Path))
	st.script(ivr.Recorded{Path: name, Length: e.Length, Why: e.Why})
}

// scriptWoke runs a timer of a script.
func (st *step) scriptWoke(key string) {
	if n, err := strconv.Atoi(strings.TrimPrefix(key, wakeScript)); err == nil {
		st.script(ivr.Expired{Timer: n})
	}
}

// zone is where the caller hears dates and times of.
func (s *State) zone() *time.Location {
	if zone, err := time.LoadLocation(s.Zone); err == nil {
		return zone
	}
	return time.UTC
}

func (a *actor) record(e DoRecord) {
	if c := a.x.cfg.Clerk; c != nil {
		a.with(e.Leg, func(l Leg) { l.Record(c.Spool(e.Name), e.Max, e.Silence) })
		return
	}
	a.tell(LegEvent{Leg: e.Leg, Kind: LegRecorded, Path: e.Name, Why: ivr.WhyFailed})
}
