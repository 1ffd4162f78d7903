package network

import (
	"errors"
	"time"
)

// TrialTime is how long a choice on trial waits to be confirmed.
const TrialTime = 90 * time.Second

// trial is where a change of the choice stands: the plan as it lies on the disk, and what its confirmation asks for.
type trial struct {
	plan  Plan
	token string    // proves that who confirms was told so by the box
	until time.Time // when the trial ends, by a clock that never jumps
}

// happening is what happens to a trial.
type happening interface{ isHappening() }

type (
	began    struct{} // the box has started
	proposed struct {
		choice Choice
		token  string
	}
	confirmed  struct{ token string }
	recalled   struct{} // who proposed it takes it back
	timePassed struct{}
)

func (began) isHappening()      {}
func (proposed) isHappening()   {}
func (confirmed) isHappening()  {}
func (recalled) isHappening()   {}
func (timePassed) isHappening() {}

// The refusals of a trial.
var (
	ErrTrial   = errors.New("another change of the network waits to be confirmed")
	ErrNoTrial = errors.New("no change of the network waits to be confirmed with this token")
	ErrTaken   = errors.New("another machine has this address")
	ErrNoCable = errors.New("the box has no network interface yet")
)

// judge is what a happening means. The plan that is returned must be on the disk before it is used: a power cut at
// any moment finds either the old plan or the new one, and a trial that it finds is over.
func judge(t trial, now time.Time, h happening) (trial, error) {
	switch h := h.(type) {
	case began:
		if t.plan.Trial != nil {
			t.plan = t.plan.back(Restarted, now)
		}
	case proposed:
		if t.plan.Trial != nil {
			return t, ErrTrial
		}
		t.plan.Trial, t.plan.Undone, t.plan.UndoneAt, t.plan.Lost = &h.choice, "", time.Time{}, nil
		t.token, t.until = h.token, now.Add(TrialTime)
	case confirmed:
		if t.plan.Trial == nil || h.token == "" || h.token != t.token {
			return t, ErrNoTrial
		}
		return trial{plan: Plan{Held: *t.plan.Trial}}, nil
	case recalled:
		if t.plan.Trial == nil {
			return t, ErrNoTrial
		}
		return trial{plan: t.plan.back(GivenUp, now)}, nil
	case timePassed:
		if t.plan.Trial != nil && !now.Before(t.until) {
			return trial{plan: t.plan.back(NotConfirmed, now)}, nil
		}
	}
	return t, nil
}
