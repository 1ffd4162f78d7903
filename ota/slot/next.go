package slot

import (
	"bytes"
	"time"
)

// Event is what happened; each type below is one.
type Event interface{ event() }

// The events. Now is the time of day.
type (
	// Started is the first one of each start of the program: what the box looks like.
	Started struct {
		Facts Facts
		Now   time.Time
	}
	// Offered is a release that the policy takes, or that somebody asks for (Release.Asked).
	Offered struct {
		Release Release
		Facts   Facts
	}
	// Withdrawn says that the vendor offers no more what is under way.
	Withdrawn struct{ Now time.Time }
	// Fetched says that the download is whole and what was signed.
	Fetched struct{}
	// Written says that the content is in the slot but for its first sector, which is told.
	Written struct{ First []byte }
	// Checked says that the slot gave everything back, and has its first sector.
	Checked struct{}
	// Failed says that the work of the phase came to nothing.
	Failed struct {
		Code  Code
		Words string
		Now   time.Time
	}
	// Again says that the time of a retry has come.
	Again struct{}
	// Quiet says that nobody would notice a restart, and that the vendor still offers the release.
	Quiet struct{}
	// Disturbed says that the box could not restart: somebody is on the phone after all.
	Disturbed struct{}
	// Judged is the end of the health check.
	Judged struct {
		Fit   bool
		Code  Code
		Words string
	}
	// Committed says that the slot on trial is what every start starts.
	Committed struct{ Now time.Time }
	// Unchanged says that the commit came to nothing.
	Unchanged struct{ Words string }
	// Seen says that somebody has read how the last update ended.
	Seen struct{}
)

func (Started) event()   {}
func (Offered) event()   {}
func (Withdrawn) event() {}
func (Fetched) event()   {}
func (Written) event()   {}
func (Checked) event()   {}
func (Failed) event()    {}
func (Again) event()     {}
func (Quiet) event()     {}
func (Disturbed) event() {}
func (Judged) event()    {}
func (Committed) event() {}
func (Unchanged) event() {}
func (Seen) event()      {}

// Effect is what the owner does, in order, once the state is safe on the disk.
type Effect string

// The effects.
const (
	Stop       Effect = "stop"       // end the work that runs, and hear nothing more of it
	Fetch      Effect = "fetch"      // bring the content into the download
	Write      Effect = "write"      // and from there into the slot
	Check      Effect = "check"      // read the slot back, write its first sector
	Try        Effect = "try"        // start the slot, once
	Examine    Effect = "examine"    // whether the release on trial is fit
	Keep       Effect = "keep"       // make the slot on trial what every start starts
	Return     Effect = "return"     // restart into the slot of before, for the reason in Verdict
	Discard    Effect = "discard"    // the download
	Invalidate Effect = "invalidate" // the slot: it must not be started
)

// tries is how often a release may fail in ways that do not pass by themselves, and how often a commit is tried.
const tries = 3

// Next is what becomes of an update. An event that does not belong to the phase changes nothing.
func Next(s State, e Event) (State, []Effect) {
	switch e := e.(type) {
	case Started:
		return started(s, e)
	case Offered:
		return offered(s, e)
	case Withdrawn:
		return withdrawn(s, e)
	case Fetched:
		if s.Phase == Fetching {
			return s.enter(Writing), []Effect{Write}
		}
	case Written:
		if s.Phase == Writing {
			s = s.enter(Checking)
			s.First = bytes.Clone(e.First)
			return s, []Effect{Check}
		}
	case Checked:
		if s.Phase == Checking {
			return s.enter(Waiting), nil
		}
	case Failed:
		return failed(s, e)
	case Again:
		if !s.Retry.IsZero() {
			s.Retry = time.Time{}
			return s, s.work()
		}
	case Quiet:
		if s.Phase == Waiting && s.Retry.IsZero() {
			return s.enter(Trying), []Effect{Try}
		}
	case Disturbed:
		if s.Phase == Trying && s.Verdict == nil {
			return s.enter(Waiting), nil
		}
	case Judged, Committed, Unchanged:
		if s.Phase == Trying {
			return tried(s, e)
		}
	case Seen:
		if s.Last != nil && !s.Last.Seen {
			last := *s.Last
			last.Seen = true
			s.Last = &last
			if !s.Busy() {
				s.Phase = Idle
			}
		}
	}
	return s, nil
}

// enter begins a phase, with nothing that troubles it.
func (s State) enter(p Phase) State {
	s.Phase, s.Trouble, s.Words, s.Failures, s.Retry = p, None, "", 0, time.Time{}
	return s
}

// work is what a phase does.
func (s State) work() []Effect {
	switch s.Phase {
	case Fetching:
		return []Effect{Fetch}
	case Writing:
		return []Effect{Write}
	case Checking:
		return []Effect{Check}
	default:
		return nil
	}
}

// end gives an update up, or has it kept. Who began it sees the reason.
func (s State) end(p Phase, code Code, words string, now time.Time) State {
	s = s.enter(p)
	s.Last = &Outcome{Version: s.Want.Version, Result: p, Code: code, Words: words, At: now}
	s.First, s.Verdict, s.Whole, s.Strikes, s.Resets = nil, nil, false, 0, 0
	return s
}

func offered(s State, e Offered) (State, []Effect) {
	same := s.Busy() && s.Want.Version == e.Release.Version && s.Want.SHA256 == e.Release.SHA256
	_, barred := s.Against(e.Release)
	switch {
	case s.Phase == Trying, barred && !e.Release.Asked, e.Facts.Trying:
		return s, nil
	case same:
		asked := s.Want.Asked || e.Release.Asked
		s.Want = e.Release
		s.Want.Asked = asked
		if e.Release.Asked && !s.Retry.IsZero() {
			s.Retry = time.Time{}
			return s, s.work()
		}
		return s, nil
	}
	var effects []Effect
	if s.Busy() {
		effects = []Effect{Stop, Discard}
	}
	s.unbar(e.Release.Version)
	s = s.enter(Fetching)
	s.Want, s.Slot, s.First, s.Verdict, s.Whole, s.Strikes, s.Resets = e.Release, e.Facts.Other(), nil, nil, false, 0, 0
	return s, append(effects, Fetch)
}

func withdrawn(s State, e Withdrawn) (State, []Effect) {
	switch s.Phase {
	case Fetching:
		return s.end(Refused, CodeWithdrew, "", e.Now), []Effect{Stop, Discard}
	case Writing, Checking, Waiting:
		return s.end(Refused, CodeWithdrew, "", e.Now), []Effect{Stop, Discard, Invalidate}
	default:
		return s, nil
	}
}

// Passes reports whether what a code says may be otherwise the next time, without anybody doing anything for it.
func (c Code) Passes() bool {
	switch c {
	case CodeNetwork, CodeFull, CodeDisk, CodeSlots, CodeMetadata, CodeWayBack:
		return true
	default:
		return false
	}
}

func failed(s State, e Failed) (State, []Effect) {
	switch s.Phase {
	case Fetching, Writing, Checking, Waiting:
	case Trying: // it was not started
		s.Phase = Waiting
	default:
		return s, nil
	}
	s.Trouble, s.Words = e.Code, e.Words
	if e.Code.Passes() {
		s.Failures++
		s.Retry = e.Now.Add(Backoff(s.Failures))
		return s, nil
	}
	if e.Code == CodeDamaged { // nothing is wrong with the release: it is begun anew when it is offered again
		return s.end(Refused, e.Code, e.Words, e.Now), []Effect{Discard}
	}
	s.Strikes++
	switch {
	case e.Code == CodeLarge, s.Strikes >= tries:
		s.bar(e.Code, e.Words, e.Now)
		effects := []Effect{Discard}
		if s.Phase != Fetching {
			effects = append(effects, Invalidate)
		}
		return s.end(Refused, e.Code, e.Words, e.Now), effects
	case e.Code == CodeHash:
		// Whatever came is thrown away, and nothing is made out of what lies here any more.
		s.Phase, s.Whole = Fetching, true
		return s, []Effect{Discard, Fetch}
	default:
		// What the card did may be a single mistake of it: it is written once more.
		s.Phase = Writing
		return s, []Effect{Write}
	}
}

func tried(s State, e Event) (State, []Effect) {
	switch e := e.(type) {
	case Judged:
		switch {
		case s.Verdict != nil:
		case e.Fit:
			return s, []Effect{Keep}
		default:
			s.Verdict = &Verdict{e.Code, e.Words}
			return s, []Effect{Return}
		}
	case Committed:
		return s.kept(e.Now), []Effect{Discard}
	case Unchanged:
		if s.Strikes++; s.Strikes < tries {
			return s, []Effect{Keep}
		}
		s.Verdict = &Verdict{CodeSlots, e.Words}
		return s, []Effect{Return}
	}
	return s, nil
}

func (s State) kept(now time.Time) State {
	s.unbar(s.Want.Version)
	s.Epoch = max(s.Epoch, s.Want.Epoch)
	return s.end(Kept, None, "", now)
}
