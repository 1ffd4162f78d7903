package call

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Decision is where a call goes, as the dial plan decided at this instant.
type Decision struct {
	Kind          DecisionKind
	Devices       []tel.DeviceID // ToDevices
	Agent         tel.AgentID    // ToDevices: whose devices they are; AgentCommand: who commands
	Queue         tel.QueueID    // ToQueue
	QueuePriority int
	Needs         map[string][]tel.Need // ToQueue: what callers ask of an agent, by their language
	Greeting      []string              // ToQueue: prompts said first; nil: the usual ones, empty: none
	Notice        bool                  // ToQueue: callers from outside are told behind the greeting that the call is recorded
	OptOut        rune                  // ToQueue: the key that the notice names; 0: none
	NewPlace      bool                  // ToQueue: who has been served before goes to the end of the queue
	Attempts      []Attempt             // ToOutside, in order of preference
	Emergency     bool
	Ring          Ring         // ToRing
	Slots         []tel.Number // ToPark: the places that may be taken, in order; ToSlot: the one asked for
	ParkFor       time.Duration
	Pickup        []tel.DeviceID // ToPickup: the phones of whose calls one is taken
	Replaces      string         // ToReplace: reference of the leg whose place is taken
	EarlyOnly     bool           // ToReplace: only while it rings (RFC 3891 section 7.1)
	Script        *ivr.State     // ToScript; not started yet
	Sound         Sound          // ToSound
	Watch         Watch          // ToWatch
	Cancel        bool           // ToWish: takes the wish back
	Command       string         // AgentCommand: login, logout, pause, resume, finish_wrap_up
	Reason        string         // AgentCommand: of a pause
	Cause         tel.Cause      // Refuse
	Forwards      []tel.Move     // that led here, without their time
}

// Attempt is one way out of the box.
type Attempt struct {
	Via    string     `json:"via"`            // "trunk:tim" or "line:gsm0"
	Number tel.Number `json:"number"`         // as that trunk or line shall get it
	From   tel.Number `json:"from,omitempty"` // shown to the called one; empty: the line decides
	Hide   bool       `json:"hide,omitempty"` // the caller's number is withheld (CLIR)

	Dialed tel.Number `json:"dialed,omitempty"` // the number itself, for limits and records
	Person tel.Number `json:"person,omitempty"` // whose rights and caps it uses; empty: the configuration's own
	Price  tel.Money  `json:"price,omitempty"`  // per minute
	Priced bool       `json:"priced,omitempty"` // Price is known
}

// DecisionKind is the sort of destination.
type DecisionKind uint8

// The kinds of destination.
const (
	Refuse    DecisionKind = iota
	ToDevices              // one person's phones; short for a Ring with one branch
	ToQueue
	ToOutside // short for a Ring with one branch of attempts
	ToRing    // several phones or lines, at once or one after the other
	ToPark    // wait in a numbered place until somebody fetches the call
	ToSlot    // fetch a parked call
	ToPickup  // take a call that rings elsewhere
	ToReplace // take the place of one leg of a call
	ToScript  // a menu, a mailbox, an announcement
	ToEcho    // the caller hears itself
	ToSound   // the caller hears Sound until it hangs up
	ToPage    // the caller speaks to Devices, which answer by themselves
	ToWatch   // the caller takes part in the conversation of an agent, as Watch says
	ToWish    // completion on busy: to be called back when the last busy number is free, or no more
	AgentCommand
)

// Ring is a hunt: branches start at their times, the first answer wins, and when nobody answered the
// call goes on to one of the fallbacks. In a Decision the times count from the start of the ring.
type Ring struct {
	Branches      []Branch `json:"branches,omitempty"` // not started yet, in the order of their times
	OnBusy        string   `json:"on_busy,omitempty"`  // destination of the dial plan; empty: the caller is told
	OnNoAnswer    string   `json:"on_no_answer,omitempty"`
	OnUnreachable string   `json:"on_unreachable,omitempty"`
	As            string   `json:"as,omitempty"` // whose rights the fallbacks use: "phone:201"; empty: the configuration's
}

// Branch is one attempt of a Ring: phones that ring together, or one way out after the other.
type Branch struct {
	Devices  []tel.DeviceID `json:"devices,omitempty"`
	Agent    tel.AgentID    `json:"agent,omitempty"` // whose phones they are
	Attempts []Attempt      `json:"attempts,omitempty"`
	After    time.Duration  `json:"after,omitempty"`     // since the start of the ring; sooner when the branches before have failed
	For      time.Duration  `json:"for,omitempty"`       // 0: 60 s for phones, 3 min for lines
	SkipBusy bool           `json:"skip_busy,omitempty"` // phones that are in a call are busy: no call waiting
	Intercom bool           `json:"intercom,omitempty"`  // phones answer by themselves
	At       time.Time      `json:"at,omitzero"`         // when it starts; set by the machine
}
