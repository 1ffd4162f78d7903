package slot

import "time"

// started goes on where the last process was cut off, by what the box says of itself: it may have lost power at any
// moment, and this program's memory may have been lost.
func started(s State, e Started) (State, []Effect) {
	f := e.Facts
	switch {
	case f.Trying:
		return onTrial(s, f)
	case s.Phase == Trying:
		return afterTrial(s, f, e.Now)
	}
	s = s.account(f, e.Now)
	if !s.Busy() {
		return s, nil
	}
	if s.Slot != f.Other() { // another start has turned the slots around: this one is not to be written any more
		s = s.enter(Fetching)
		s.Slot, s.First = f.Other(), nil
		return s, []Effect{Fetch}
	}
	s.Retry = time.Time{}
	if s.Phase == Waiting { // what was proved long ago is proved once more
		s = s.enter(Checking)
	}
	return s, s.work()
}

// onTrial examines what runs, whether we remember how it came there or not.
func onTrial(s State, f Facts) (State, []Effect) {
	if s.Phase != Trying || s.Slot != f.Running {
		s = s.enter(Trying)
		if s.Want.Version != f.Last.Version {
			s.Want = Release{Version: f.Last.Version}
		}
		s.Slot, s.Verdict = f.Running, nil
	}
	if s.Verdict != nil {
		return s, []Effect{Return}
	}
	return s, []Effect{Examine}
}

// again is how often a release is tried once more whose trial ended without a word. It may have hung, and it may have lost
// its power, which says nothing against it; nobody can tell these apart. To give a good release up for ever because of
// a cut is worse than one more restart of a box on which nobody is on the phone; a release that hangs does so twice.
const again = 1

// afterTrial tells how a trial ended that nobody could tell us of: the restart was its end.
func afterTrial(s State, f Facts, now time.Time) (State, []Effect) {
	switch {
	case f.Running == s.Slot: // the cut came after the commit
		s.Told = f.Last
		return s.kept(now), []Effect{Discard}
	case s.Verdict == nil && f.Last.same(s.Told): // the cut came before the first program heard of it
		s = s.enter(Checking)
		return s, []Effect{Check}
	}
	why := Verdict{CodeReset, f.Last.Words}
	switch {
	case s.Verdict != nil:
		why = *s.Verdict
	case f.Last.Why != None:
		why.Code = f.Last.Why
	}
	s.Told = f.Last
	if why.Code == CodeReset && s.Resets < again { // the slot is proved once more: the cut may have hurt it
		s.Resets++
		s = s.enter(Checking)
		return s, []Effect{Check}
	}
	s.bar(why.Code, why.Words, now)
	return s.end(Back, why.Code, why.Words, now), []Effect{Discard, Invalidate}
}

// account tells of the way back of a release that had been kept, or of a trial that we do not remember.
func (s State) account(f Facts, now time.Time) State {
	if f.Last.same(s.Told) {
		return s
	}
	s.Told = f.Last
	if f.Last.Outcome != TrialBack {
		return s
	}
	was := s
	s.Want = Release{Version: f.Last.Version}
	s.bar(f.Last.Why, f.Last.Words, now)
	s = s.end(Back, f.Last.Why, f.Last.Words, now)
	if was.Busy() { // another release is under way, which goes on
		last := s.Last
		barred := s.Barred
		s = was
		s.Last, s.Barred = last, barred
	}
	return s
}

func (t Trial) same(o Trial) bool {
	return t.Version == o.Version && t.Slot == o.Slot && t.Asked.Equal(o.Asked) && t.Outcome == o.Outcome
}
