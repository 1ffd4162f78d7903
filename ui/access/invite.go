package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Invite is somebody who may become a user by setting a password.
type Invite struct {
	ID    string        `json:"id"`   // SHA-256 of the code: a stolen file opens nothing
	Name  string        `json:"name"` // that the person will sign in with
	Role  Role          `json:"role"`
	Agent tel.AgentID   `json:"agent,omitempty"`
	Queue []tel.QueueID `json:"queues,omitempty"` // of a supervisor; empty: all
	Until time.Time     `json:"until"`
}

// Limits of invitations.
const (
	// InviteFor is how long an invitation is valid. It is valid once.
	InviteFor    = 24 * time.Hour
	maxInvites   = 200
	inviteLength = 20 // letters of 5 bits
)

// ErrInvite is the error for a code that is of no invitation: used, too old, taken back, or never given.
var ErrInvite = errors.New("this invitation is not valid any more")

// readInvite takes what somebody typed: any case, with or without dashes and spaces.
func readInvite(typed string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '\u00a0' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
}

// Invite lets somebody become a user, and returns the code with which; it is told once. An earlier invitation of
// the same name ends. Nobody becomes an owner so. Errors: ErrName, ErrTaken, ErrRole, ErrFull.
func (a *Accounts) Invite(by, name string, role Role, agent tel.AgentID, queues []tel.QueueID, v Visitor) (code string, err error) {
	name = fold(name)
	if err := checkName(name); err != nil {
		return "", err
	}
	if !slices.Contains(Roles(), role) || role == Owner {
		return "", ErrRole
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	others := slices.DeleteFunc(valid(a.state.Invites, now), func(i Invite) bool { return i.Name == name })
	switch {
	case a.find(name) >= 0:
		return "", ErrTaken
	case len(others) >= maxInvites || len(a.state.Users) >= maxUsers:
		return "", ErrFull
	}
	code = rand.Text()[:inviteLength]
	invite := Invite{ID: sessionID(code), Name: name, Role: role, Agent: agent, Queue: slices.Clone(queues), Until: now.Add(InviteFor)}
	if err := a.change(func(s *State) { s.Invites = append(others, invite) }); err != nil {
		return "", err
	}
	a.note(DeedInvited, by, name, v)
	return code, nil
}

func valid(all []Invite, now time.Time) []Invite {
	return slices.DeleteFunc(slices.Clone(all), func(i Invite) bool { return !now.Before(i.Until) })
}

// Invites lists who is invited, by name.
func (a *Accounts) Invites() []Invite {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := valid(a.state.Invites, time.Now())
	slices.SortFunc(all, func(x, y Invite) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// Uninvite takes an invitation back. Errors: ErrNobody.
func (a *Accounts) Uninvite(by, name string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = fold(name)
	at := slices.IndexFunc(valid(a.state.Invites, time.Now()), func(i Invite) bool { return i.Name == name })
	if at < 0 {
		return ErrNobody
	}
	if err := a.change(func(s *State) {
		s.Invites = slices.DeleteFunc(s.Invites, func(i Invite) bool { return i.Name == name })
	}); err != nil {
		return err
	}
	a.note(DeedUninvited, by, name, v)
	return nil
}

// Invited tells who is invited with a typed code, by the rules of the door at which a box is claimed: from the
// box's own networks only, and wrong codes slow their sender down. Errors: ErrUnclaimed, ErrOutside,
// TooSoonError, ErrInvite.
func (a *Accounts) Invited(typed string, v Visitor) (Invite, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.invited(typed, v)
}

func (a *Accounts) invited(typed string, v Visitor) (Invite, error) {
	now := time.Now()
	switch {
	case !a.claimed():
		return Invite{}, ErrUnclaimed
	case !v.LAN:
		return Invite{}, ErrOutside
	}
	if w := a.senders.wait(v.key(), now); w > 0 {
		return Invite{}, TooSoonError{w}
	}
	id := sessionID(readInvite(typed))
	all := valid(a.state.Invites, now)
	at := slices.IndexFunc(all, func(i Invite) bool { return i.ID == id })
	if at < 0 {
		a.senders.failed(v.key(), now)
		a.note(DeedWrongInvite, "", "", v)
		return Invite{}, ErrInvite
	}
	a.senders.passed(v.key())
	return all[at], nil
}

// Accept makes the invited person a user with a password, and opens a session. Errors: those of Invited and of
// Check, ErrTaken, ErrBusy.
func (a *Accounts) Accept(ctx context.Context, typed, password string, v Visitor) (token string, err error) {
	who, err := a.Invited(typed, v)
	if err != nil {
		return "", err
	}
	if err := Check(password, who.Name); err != nil {
		return "", err
	}
	var hashed string
	if err := a.hasher.run(ctx, func() { hashed = hash(password) }); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if who, err = a.invited(typed, v); err != nil { // it counts once
		return "", err
	}
	if a.find(who.Name) >= 0 {
		return "", ErrTaken
	}
	now := time.Now()
	token, session := newSession(who.Name, v, now)
	if err := a.change(func(s *State) {
		s.Invites = slices.DeleteFunc(valid(s.Invites, now), func(i Invite) bool { return i.ID == who.ID })
		s.Users = append(s.Users, User{Name: who.Name, Role: who.Role, Agent: who.Agent, Queues: who.Queue, Password: hashed, Known: []string{v.key()}})
		s.Sessions = append(living(s.Sessions, now), session)
	}); err != nil {
		return "", err
	}
	a.note(DeedAccepted, who.Name, "", v)
	return token, nil
}
