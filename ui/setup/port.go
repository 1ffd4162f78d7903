package setup

import (
	"context"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Box is what the set-up asks of the running box, and has it do. Where a func returns a sentence, that is why the
// box did not do it; empty: it did.
type Box struct {
	Setup *Setup

	// Towns are those whose patron's day the box knows, by their ids, and Patron is that day, as it comes next.
	Towns  func() []string
	Patron func(town string) (name string, day time.Time, known bool)
	// Network looks at the box's addresses, at names, at the clock, and at what the router does to calls.
	Network func(ctx context.Context) []page.Finding
	// Modems are those of known kinds that are plugged in.
	Modems func() ([]Modem, error)
	// Carriers are the accounts that the box knows how to use.
	Carriers func() ([]Carrier, error)
	// Try logs in at a carrier with an account, and with what is known to be otherwise for some customers until
	// one works. Nothing of it stays at the carrier.
	Try func(ctx context.Context, account config.Trunk) []Tried
	// TestLine calls a number outside over a line, "trunk:tim" or "line:gsm0"; who answers presses 1.
	TestLine func(line string, number tel.Number) (sentence string, err error)
	// Tests are how the tests of lines stand, by line.
	Tests func() map[string]page.LineTest
	// Phones are the telephones of the configuration, and those that knock without being in it.
	Phones func() (ours []Phone, strangers []Stranger)
	// Ring lets a telephone ring so that it is found; who answers hears the greeting.
	Ring func(phone tel.DeviceID) (sentence string, err error)
	// Blink lets a lamp blink so that it is found; false: there is no such lamp.
	Blink func(lamp tel.LampID) bool
	// CallMe rings an own extension or a number outside, which is charged to the agent who wants it, and makes who
	// answers a caller of the queue.
	CallMe func(queue tel.QueueID, number tel.Number, by tel.AgentID) (call tel.CallID, sentence string, err error)
	// Play rings an extension; who answers hears what callers hear first.
	Play func(number tel.Number) (call tel.CallID, sentence string, err error)
	// Trail is the way of a call, or of the newest one; the channel is closed when one of them has changed.
	Trail func(call tel.CallID) (t view.Trail, known bool, changed <-chan struct{})
	// NewKit makes a recovery kit, whose secret is not kept.
	NewKit func() (secret string, err error)
	// ConfirmKit proves that somebody has it; the error says what is wrong with it.
	ConfirmKit func(secret string) error
	// Kit tells when the kit was made and when it was confirmed; zero: not yet.
	Kit func() (made, confirmed time.Time, err error)
}

// Modem is a modem that is plugged in.
type Modem struct {
	Socket string // of USB, such as 1.2
	Line   string // which has it, "line:gsm0"; empty: none yet
}

// Carrier is an account of which the box knows most.
type Carrier struct {
	ID, Label string
	Asks      []string // fields of a trunk that only the customer knows
	Optional  []string // those of Asks that may stay empty
}

// Tried is one way in which an account was tried.
type Tried struct {
	Key   string // what was otherwise: page key "variant." + Key
	Value string // such as the server
	Cause tel.LineCause
	Works bool
	Trunk config.Trunk // to be kept when it works
}

// Phone is a telephone of the configuration.
type Phone struct {
	ID    tel.DeviceID
	Name  string
	Here  bool   // it is registered
	From  string // address
	Agent string // name of the person; empty: nobody's
}

// Stranger is who wants to be a telephone and is none.
type Stranger struct {
	From string // address
	User string // the name with which it tries
	At   time.Time
}
