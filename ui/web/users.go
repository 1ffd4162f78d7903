package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

func (s *server) users(w http.ResponseWriter, v *visit) {
	s.usersPage(w, v, http.StatusOK, page.Users{})
}

func (s *server) usersPage(w http.ResponseWriter, v *visit, status int, u page.Users) {
	u.Reader, u.Box, u.MinPassword = s.reader(v), s.Name(), access.MinPassword
	u.Users, u.People, u.Roles = s.Accounts.Users(), s.People(), access.Roles()
	u.Queues, u.Invites = s.Queues(), s.Accounts.Invites()
	u.Role = cmp.Or(u.Role, access.Agent) // nobody becomes an owner because a list was not looked at
	html, err := s.pages[v.lang].Users(u, time.Now())
	s.show(w, status, html, err)
}

func (s *server) addUser(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	name, role := v.PostForm.Get("name"), access.Role(v.PostForm.Get("role"))
	queues, ok := s.limits(role, v.PostForm["queue"])
	if !ok {
		s.usersPage(w, v, http.StatusUnprocessableEntity, page.Users{Said: s.sentence("user.queues_bad"), Name: name, Role: role})
		return
	}
	err := s.Accounts.Add(ctx, v.user.Name, name, role, tel.AgentID(v.PostForm.Get("agent")), queues, v.PostForm.Get("password"), v.from)
	if err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said, Name: name, Role: role})
		return
	}
	redirect(w, v, "/users")
}

// userRole changes what a person is and, of a supervisor, for which queues. It holds from the person's next request on.
func (s *server) userRole(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	name, role, chosen := v.PathValue("name"), access.Role(v.PostForm.Get("role")), v.PostForm["queue"]
	if role != access.Supervisor {
		chosen = nil // of what the person was until now
	}
	queues, ok := s.limits(role, chosen)
	if !ok {
		s.usersPage(w, v, http.StatusUnprocessableEntity, page.Users{Said: page.Said{Sentence: "user.queues_bad"}})
		return
	}
	if err := s.Accounts.SetRole(v.user.Name, name, role, tel.AgentID(v.PostForm.Get("agent")), queues, v.from); err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said})
		return
	}
	to := "/users"
	if name == v.user.Name && !role.May(access.Own) { // who is no owner any more cannot see the list
		to = "/"
	}
	redirect(w, v, to)
}

// limits are the queues to which a supervisor is limited: each must exist, and only supervisors have them.
func (s *server) limits(role access.Role, ids []string) (queues []tel.QueueID, ok bool) {
	if len(ids) > 0 && role != access.Supervisor {
		return nil, false
	}
	known := s.Queues()
	for _, id := range ids {
		if !slices.ContainsFunc(known, func(q page.Choice) bool { return q.ID == id }) {
			return nil, false
		}
		queues = append(queues, tel.QueueID(id))
	}
	return queues, true
}

func (s *server) userPassword(w http.ResponseWriter, v *visit) {
	s.password(w, v, v.PathValue("name"), "/users", func(said page.Said, status int) {
		s.usersPage(w, v, status, page.Users{Said: said})
	})
}

// password gives somebody another password and goes on at a path, or shows what is wrong with it.
func (s *server) password(w http.ResponseWriter, v *visit, name, to string, wrong func(page.Said, int)) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	keep := ""
	if name == v.user.Name {
		keep = v.token
	}
	if err := s.Accounts.SetPassword(ctx, v.user.Name, name, v.PostForm.Get("password"), keep, v.from); err != nil {
		wrong(s.said(w, v, err))
		return
	}
	redirect(w, v, to)
}

func (s *server) removeUser(w http.ResponseWriter, v *visit) {
	if err := s.Accounts.Remove(v.user.Name, v.PathValue("name"), v.from); err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said})
		return
	}
	redirect(w, v, "/users")
}

func (s *server) me(w http.ResponseWriter, v *visit) {
	s.mePage(w, v, http.StatusOK, page.Said{})
}

func (s *server) mePage(w http.ResponseWriter, v *visit, status int, said page.Said) {
	me := page.Me{
		Reader: s.reader(v), Box: s.Name(), Said: said, MinPassword: access.MinPassword, OneTime: v.user.OneTime(), Passkeys: v.user.Passkeys, Sessions: s.Accounts.Sessions(v.user.Name),
	}
	if v.user.Agent != "" && v.user.May(access.Work) {
		ctx, cancel := context.WithTimeout(v.Context(), patience)
		defer cancel()
		var err error
		if me.Desk, err = s.Desk(ctx, v.user.Agent); err != nil {
			s.Log.Error("an agent's work cannot be shown", "agent", v.user.Agent, "err", err)
		}
	}
	html, err := s.pages[v.lang].Me(me, time.Now())
	s.show(w, status, html, err)
}

// ownWork carries out what an agent does with the buttons of the own page.
func (s *server) ownWork(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	if v.user.Agent == "" {
		s.mePage(w, v, http.StatusNotFound, s.sentence("desk.none"))
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	if err := s.Command(ctx, v.user.Agent, v.PostForm.Get("do"), v.PostForm.Get("with")); err != nil {
		s.Log.Info("an agent's command was refused", "agent", v.user.Agent, "command", v.PostForm.Get("do"), "err", err)
		s.mePage(w, v, http.StatusConflict, s.sentence("desk.refused"))
		return
	}
	redirect(w, v, "/me")
}

// ownPassword demands the old password too: a browser left alone must not be enough to take an account.
func (s *server) ownPassword(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	wrong := func(said page.Said, status int) { s.mePage(w, v, status, said) }
	if err := s.Accounts.Verify(ctx, v.user.Name, v.PostForm.Get("old"), v.from); err != nil {
		wrong(s.said(w, v, err))
		return
	}
	s.password(w, v, v.user.Name, "/me", wrong)
}
