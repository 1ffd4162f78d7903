package call

import (
	"errors"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// visitRing is how long the phone outside rings of who is to come in: longer than the phone on the own desk.
const visitRing = 45 * time.Second

// ErrNobody is returned for a visit that would ring nothing.
var ErrNobody = errors.New("there is no phone to ring")

// Visit is a call that the box begins itself: it rings phones, or a number outside, and who answers there is
// the caller of a destination, as somebody who has dialled the office. So the owner hears what customers hear.
type Visit struct {
	Call     tel.CallID     // names the call; empty: it gets a name
	Devices  []tel.DeviceID // rung together
	Attempts []Attempt      // instead: the ways to one number outside, in order of preference; their Person pays
	To       string         // destination of the dial plan, such as "queue:sales"
	Shows    tel.Number     // what the phones that ring show; empty: nothing
}

// Visit begins such a call and returns its name. Errors: ErrNobody, ErrFull, ErrClosed.
func (x *Exchange) Visit(v Visit) (tel.CallID, error) {
	if len(v.Devices) == 0 && len(v.Attempts) == 0 {
		return "", ErrNobody
	}
	plan := x.cfg.Plan()
	if v.Call == "" {
		v.Call = tel.NewCallID()
	}
	s := State{
		Call: v.Call, Direction: tel.Internal, To: v.Shows, Language: plan.Language(), Zone: plan.Zone(), Stage: tel.StageRouting,
		Summons: &Summons{Devices: v.Devices, Attempts: v.Attempts, Number: v.Shows, To: v.To},
	}
	if len(v.Attempts) > 0 {
		s.Direction, s.From, s.FromName = tel.Outbound, v.Attempts[0].Dialed, plan.NameOf(v.Attempts[0].Dialed)
	} else {
		_, s.From, s.FromName = plan.AgentAt(v.Devices[0])
	}
	a := newActor(x, plan, s)
	if err := x.add(a); err != nil {
		return "", err
	}
	a.tell(Summon{*s.Summons})
	x.begin(a)
	return s.Call, nil
}
