package access

import (
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Role is what a person is to the box.
type Role string

// The roles.
const (
	Owner      Role = "owner"
	Installer  Role = "installer"
	Supervisor Role = "supervisor" // of the queues that User.Queues lists
	Agent      Role = "agent"      // the person that User.Agent names
	Reader     Role = "reader"     // sees, and changes nothing: a screen on the wall
)

// Roles lists every role.
func Roles() []Role { return []Role{Owner, Installer, Supervisor, Agent, Reader} }

// Right is one thing that somebody may do. Each route of the page demands one.
type Right string

// The rights.
const (
	Anybody   Right = ""          // also who is not known
	See       Right = "see"       // the live page
	Know      Right = "know"      // who calls: numbers and names
	Work      Right = "work"      // one's own state: log in, pause, finish
	Supervise Right = "supervise" // other people's states, waiting callers, listening
	Configure Right = "configure" // people, queues, lines, and everything else that a file holds
	Own       Right = "own"       // users and their roles, backups, the end of ownership
)

// May tells whether the role has a right. A role that is not known has none.
func (r Role) May(x Right) bool {
	if x == Anybody {
		return true
	}
	return slices.Contains(rights(r), x)
}

func rights(r Role) []Right {
	switch r {
	case Owner:
		return []Right{See, Know, Work, Supervise, Configure, Own}
	case Installer:
		return []Right{See, Know, Supervise, Configure}
	case Supervisor:
		return []Right{See, Know, Work, Supervise}
	case Agent:
		return []Right{See, Know, Work}
	case Reader:
		return []Right{See}
	default:
		return nil
	}
}

// User is one person who may sign in.
type User struct {
	Name     string        `json:"name"` // with which the person signs in, in lower case
	Role     Role          `json:"role"`
	Agent    tel.AgentID   `json:"agent,omitempty"`  // who the person is at the phones; empty: nobody
	Queues   []tel.QueueID `json:"queues,omitempty"` // of a supervisor; empty: all
	Password string        `json:"password"`         // hashed; see Hash
	Secret   string        `json:"secret,omitempty"` // of one-time codes; empty: none
	Step     int64         `json:"step,omitempty"`   // of the last one-time code: each counts once
	Spare    []string      `json:"spare,omitempty"`  // hashed
	Handle   []byte        `json:"handle,omitempty"` // chance; what passkeys know the person by
	Passkeys []Passkey     `json:"passkeys,omitempty"`
	// Known are the addresses from which the person has signed in lately: a stranger who guesses the
	// password slows down himself, not them.
	Known []string `json:"known,omitempty"`
}

// May tells whether the user has a right.
func (u User) May(x Right) bool { return u.Role.May(x) }

// OneTime tells whether the user signs in with one-time codes.
func (u User) OneTime() bool { return u.Secret != "" }

// Supervises tells whether the user may act on a queue.
func (u User) Supervises(q tel.QueueID) bool {
	return u.May(Supervise) && (u.Role != Supervisor || len(u.Queues) == 0 || slices.Contains(u.Queues, q))
}
