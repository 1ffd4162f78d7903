package access

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Users lists the people by name, without their passwords.
func (a *Accounts) Users() []User {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.state.Users)
	for i := range all {
		all[i].Password, all[i].Known, all[i].Spare, all[i].Handle, all[i].Passkeys = "", nil, nil, nil, nil
		if all[i].Secret != "" {
			all[i].Secret = "***" // that there is one is no secret
		}
	}
	slices.SortFunc(all, func(x, y User) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// Sessions lists the browsers in which a person is signed in, the latest first.
func (a *Accounts) Sessions(name string) []Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.DeleteFunc(living(a.state.Sessions, time.Now()), func(s Session) bool { return s.User != fold(name) })
	slices.SortFunc(all, func(x, y Session) int { return y.Seen.Compare(x.Seen) })
	return all
}

// Add takes a new person in. Errors: ErrName, ErrTaken, ErrRole, ErrFull, those of Check, ErrBusy.
func (a *Accounts) Add(ctx context.Context, by, name string, role Role, agent tel.AgentID, queues []tel.QueueID, password string, v Visitor) error {
	name = fold(name)
	if err := checkName(name); err != nil {
		return err
	}
	if !slices.Contains(Roles(), role) {
		return ErrRole
	}
	if err := Check(password, name); err != nil {
		return err
	}
	var hashed string
	if err := a.hasher.run(ctx, func() { hashed = hash(password) }); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.find(name) >= 0:
		return ErrTaken
	case len(a.state.Users) >= maxUsers:
		return ErrFull
	}
	if err := a.change(func(s *State) {
		s.Users = append(s.Users, User{Name: name, Role: role, Agent: agent, Queues: slices.Clone(queues), Password: hashed})
	}); err != nil {
		return err
	}
	a.note(DeedUserAdded, by, name, v)
	return nil
}

// SetRole changes what a person is; what the person did not have any more ends with the next request.
// Errors: ErrNobody, ErrRole, ErrLastOwner.
func (a *Accounts) SetRole(by, name string, role Role, agent tel.AgentID, queues []tel.QueueID, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.find(fold(name))
	switch {
	case at < 0:
		return ErrNobody
	case !slices.Contains(Roles(), role):
		return ErrRole
	case role != Owner && a.lastOwner(at):
		return ErrLastOwner
	}
	if err := a.change(func(s *State) {
		u := &s.Users[at]
		u.Role, u.Agent, u.Queues = role, agent, slices.Clone(queues)
	}); err != nil {
		return err
	}
	a.note(DeedUserChanged, by, fold(name), v)
	return nil
}

func (a *Accounts) lastOwner(at int) bool {
	owners := 0
	for _, u := range a.state.Users {
		if u.Role == Owner {
			owners++
		}
	}
	return owners == 1 && a.state.Users[at].Role == Owner
}

// Remove takes a person out and ends the person's sessions. Errors: ErrNobody, ErrLastOwner.
func (a *Accounts) Remove(by, name string, v Visitor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = fold(name)
	at := a.find(name)
	switch {
	case at < 0:
		return ErrNobody
	case a.lastOwner(at):
		return ErrLastOwner
	}
	if err := a.change(func(s *State) {
		s.Users = slices.Delete(s.Users, at, at+1)
		s.Sessions = slices.DeleteFunc(s.Sessions, func(x Session) bool { return x.User == name })
	}); err != nil {
		return err
	}
	a.note(DeedUserRemoved, by, name, v)
	return nil
}

// SetPassword gives a person another password. Every session of the person ends but the one of keep, a
// token: whoever had stolen one has it no longer. Where another person sets it, passkeys end as well. Errors: ErrNobody, those of Check, ErrBusy.
func (a *Accounts) SetPassword(ctx context.Context, by, name, password, keep string, v Visitor) error {
	name = fold(name)
	if err := Check(password, name); err != nil {
		return err
	}
	var hashed string
	if err := a.hasher.run(ctx, func() { hashed = hash(password) }); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.find(name)
	if at < 0 {
		return ErrNobody
	}
	id := ""
	if keep != "" {
		id = sessionID(keep)
	}
	if err := a.change(func(s *State) {
		s.Users[at].Password = hashed
		if fold(by) != name {
			s.Users[at].Passkeys = nil
		}
		s.Sessions = slices.DeleteFunc(s.Sessions, func(x Session) bool { return x.User == name && x.ID != id })
	}); err != nil {
		return err
	}
	a.note(DeedPassword, by, name, v)
	return nil
}
