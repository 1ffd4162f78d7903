package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The inputs of the machine beside LegEvent and the queue's messages.
type (
	// Begin starts the call.
	Begin struct{ Decision Decision }
	// Rerouted continues a call that left its queue, was forwarded or transferred.
	Rerouted struct{ Decision Decision }
	// Redirected answers DoRedirect: where the phone of group Key wants the call to go.
	Redirected struct {
		Key      string
		Decision Decision
	}
	// Dialed reports the legs that a Dial effect made; none means unreachable.
	Dialed struct {
		Key   string
		Via   string // of DoDialOut
		Legs  []LegState
		Cause tel.Cause
	}
	// Wake is a timer that fired: of a group, or one of the keys below.
	Wake struct{ Key string }
	// ParkedAt answers DoPark; an empty slot says that none is free.
	ParkedAt struct{ Slot tel.Number }
	// Adopt offers a leg of another call: it takes a place in this one.
	Adopt struct {
		Leg    LegState
		Target Target

		Permit   Permit    // of a Target that watches: what the one who asks may do
		Watchers []Watcher // who go along with the leg
		Tape     TapeChain // of the call that the leg was in
	}
	// HandedOver answers DoHandOver.
	HandedOver struct {
		Leg   tel.LegID
		Into  tel.CallID // the call that has the leg now
		OK    bool
		Along []tel.LegID        // who watched its party and went with it
		Cause tel.Cause          // why not
		Why   tel.SupervisionEnd // why not, of a Watch
	}
	// Freed answers DoPreempt: a line may be free now.
	Freed struct{}
	// End is a command from outside to end the call.
	End struct{ Cause tel.Cause }
)

// Keys of timers that belong to no group.
const (
	wakeBranch   = "branch"   // the next branch of the ring is due
	wakePark     = "park"     // nobody fetched the parked call
	wakeHandOver = "handover" // another call did not take the leg
	wakePage     = "paged"    // an announcement has lasted long enough
	wakeTest     = "test"     // an echo or a test tone has lasted long enough
	wakePreempt  = "preempt"  // a line for the emergency call did not become free
)

// Target names the place that a leg takes in another call. Exactly one of Ref, Slot, Ringing and Watch
// is set.
type Target struct {
	Ref       string         // the leg with this reference is replaced
	EarlyOnly bool           // only while it rings
	Slot      tel.Number     // who is parked here is fetched
	Ringing   []tel.DeviceID // what rings on one of these phones is picked up
	Watch     *Watch         // the conversation is supervised
}

// Effect is something the actor must do; each type below is one.
type Effect interface{ effect() }

// The effects.
type (
	DoAlert  struct{ Early bool }    // tell the caller that it rings
	DoAccept struct{ Leg tel.LegID } // answer a leg that arrived
	DoHangup struct {
		Leg   tel.LegID
		Cause tel.Cause
	}
	DoPlay struct {
		Leg   tel.LegID
		Sound Sound
	}
	DoHush  struct{ Leg tel.LegID }
	DoJoin  struct{ A, B tel.LegID }
	DoPart  struct{ Leg tel.LegID }
	DoDigit struct {
		From, To tel.LegID
		Digit    rune
		Beside   bool // it came beside the audio: no bridge carries it
	}
	DoFlash struct { // a hook flash for the line of To
		From, To tel.LegID
		Beside   bool
	}
	DoDialDevices struct {
		Key      string
		Devices  []tel.DeviceID
		Agent    tel.AgentID // when set, its devices are rung
		Ring     time.Duration
		SkipBusy bool
		Intercom bool
	}
	DoDialOut struct {
		Key string
		Attempt
	}
	DoTellQueue struct{ Message tel.ToQueue }
	DoCommand   struct {
		Agent           tel.AgentID
		Command, Reason string
	}
	// DoResolve asks where a destination of the configuration leads, with the rights of As.
	DoResolve struct{ To, As string }
	// DoRoute asks where a number leads that the party As has dialled.
	DoRoute struct {
		As     string
		Number tel.Number
	}
	// DoRedirect asks where a phone of group Key sends the call that rings there (a 302).
	DoRedirect struct {
		Key, As string
		Number  tel.Number
	}
	DoWake struct {
		Key string
		At  time.Time
	}
	DoPark     struct{ Slots []tel.Number } // take the first free place
	DoUnpark   struct{ Slot tel.Number }
	DoHandOver struct { // give a leg to another call
		Leg      LegState
		Target   Target
		Watchers []Watcher // who go along
	}
	DoTake    struct{ Leg tel.LegID } // the leg of the Adopt at hand is ours now
	DoDecline struct {                // the Adopt at hand is refused
		Cause tel.Cause
		Why   tel.SupervisionEnd
	}
	// DoAnswerRefer and DoNotifyRefer tell a transferor how the transfer goes (RFC 3515).
	DoAnswerRefer struct {
		Leg    tel.LegID
		Status int
	}
	DoNotifyRefer struct {
		Leg    tel.LegID
		Status int
		Final  bool
	}
	// DoPreempt frees one of the lines for an emergency call (Freed follows).
	DoPreempt struct{ Vias []string }
	// DoOpenDoor opens the door of the party Door because By has pressed its key.
	DoOpenDoor struct{ Door, By string }
	DoEnd      struct{ Record tel.CallEnded }
)

func (DoAlert) effect()       {}
func (DoAccept) effect()      {}
func (DoHangup) effect()      {}
func (DoPlay) effect()        {}
func (DoHush) effect()        {}
func (DoJoin) effect()        {}
func (DoPart) effect()        {}
func (DoDigit) effect()       {}
func (DoFlash) effect()       {}
func (DoDialDevices) effect() {}
func (DoDialOut) effect()     {}
func (DoTellQueue) effect()   {}
func (DoCommand) effect()     {}
func (DoResolve) effect()     {}
func (DoRoute) effect()       {}
func (DoRedirect) effect()    {}
func (DoWake) effect()        {}
func (DoPark) effect()        {}
func (DoUnpark) effect()      {}
func (DoHandOver) effect()    {}
func (DoTake) effect()        {}
func (DoDecline) effect()     {}
func (DoAnswerRefer) effect() {}
func (DoNotifyRefer) effect() {}
func (DoPreempt) effect()     {}
func (DoOpenDoor) effect()    {}
func (DoEnd) effect()         {}
