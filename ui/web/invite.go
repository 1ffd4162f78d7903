package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// invite lets somebody become a user, as the list of users has it.
func (s *server) invite(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	role := access.Role(v.PostForm.Get("role"))
	queues, ok := s.limits(role, v.PostForm["queue"])
	if !ok {
		s.usersPage(w, v, http.StatusUnprocessableEntity, page.Users{Said: s.sentence("user.queues_bad"), Name: v.PostForm.Get("name"), Role: role})
		return
	}
	s.invited(w, v, v.PostForm.Get("name"), role, tel.AgentID(v.PostForm.Get("agent")), queues)
}

// invitePerson invites a person of the configuration to see the own work.
func (s *server) invitePerson(w http.ResponseWriter, v *visit) {
	a, _ := personKind().find(s.Settings.Current(), v.PathValue("id"))
	if a == nil {
		s.refuse(w, v, http.StatusNotFound, "gone")
		return
	}
	users := s.Accounts.Users()
	if i := slices.IndexFunc(users, func(u access.User) bool { return u.Agent == a.ID }); i >= 0 {
		s.refuse(w, v, http.StatusConflict, "invite.there")
		return
	}
	name := ""
	for _, i := range s.Accounts.Invites() { // who is invited again keeps the name
		if i.Agent == a.ID {
			name = i.Name
		}
	}
	name = cmp.Or(name, freeID(a.Name, string(a.ID), func(id string) bool {
		return slices.ContainsFunc(users, func(u access.User) bool { return u.Name == id }) ||
			slices.ContainsFunc(s.Accounts.Invites(), func(i access.Invite) bool { return i.Name == id })
	}))
	s.invited(w, v, name, access.Agent, a.ID, nil)
}

// invited makes an invitation and shows it once.
func (s *server) invited(w http.ResponseWriter, v *visit, name string, role access.Role, agent tel.AgentID, queues []tel.QueueID) {
	code, err := s.Accounts.Invite(v.user.Name, name, role, agent, queues, v.from)
	if err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said, Name: name, Role: role})
		return
	}
	scheme := "http"
	if v.TLS != nil {
		scheme = "https"
	}
	p := page.Invitation{
		Reader: s.reader(v), Box: s.Name(), Name: strings.ToLower(strings.TrimSpace(name)), Link: scheme + "://" + v.Host + "/invite#" + code, Until: time.Now().Add(access.InviteFor).In(s.Zone()),
	}
	p.Reader.Path = "/users"
	html, err := s.pages[v.lang].Invitation(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// uninvite takes an invitation back.
func (s *server) uninvite(w http.ResponseWriter, v *visit) {
	if err := s.Accounts.Uninvite(v.user.Name, v.PathValue("name"), v.from); err != nil {
		said, status := s.said(w, v, err)
		s.usersPage(w, v, status, page.Users{Said: said})
		return
	}
	redirect(w, v, "/users")
}

// inviteForm is where the invited sets the own password. The code stands behind # in the link, so that browsers
// send it to nobody; a script puts it into the form.
func (s *server) inviteForm(w http.ResponseWriter, v *visit) {
	s.invitePage(w, v, http.StatusOK, page.Door{})
}

func (s *server) invitePage(w http.ResponseWriter, v *visit, status int, d page.Door) {
	d.Reader, d.Box, d.MinPassword = s.reader(v), s.Name(), access.MinPassword
	html, err := s.pages[v.lang].Invited(d, time.Now())
	s.show(w, status, html, err)
}

// accept makes the invited a user, with the PIN at the phone if one was chosen.
func (s *server) accept(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	code, pin := v.PostForm.Get("code"), config.Secret(strings.TrimSpace(v.PostForm.Get("pin")))
	wrong := func(err error, sentence string) {
		said, status := s.sentence(sentence), http.StatusUnprocessableEntity
		if err != nil {
			said, status = s.said(w, v, err)
		}
		s.invitePage(w, v, status, page.Door{Said: said, Code: code})
	}
	who, err := s.Accounts.Invited(code, v.from)
	if err != nil {
		wrong(err, "")
		return
	}
	setPIN := func(c *config.Config) {
		if a, _ := personKind().find(c, string(who.Agent)); a != nil {
			a.Calls.PIN = pin
		}
	}
	if pin != "" {
		trial := s.Settings.Current().Clone()
		before := len(trial.Check())
		setPIN(&trial)
		if len(trial.Check()) > before {
			wrong(nil, "invite.pin_bad")
			return
		}
	}
	patient, done := context.WithTimeout(ctx, patience)
	defer done()
	token, err := s.Accounts.Accept(patient, code, v.PostForm.Get("password"), v.from)
	if err != nil {
		wrong(err, "")
		return
	}
	if pin != "" && who.Agent != "" {
		v.user.Name = who.Name
		_, no, err := s.Settings.Apply(ctx, setPIN, by(v), "")
		if err != nil || no.Sentence != "" {
			s.Log.Error("the PIN of an invited person is not set", "user", who.Name, "err", errors.Join(err, errors.New(no.Sentence+" "+no.Detail)))
			s.setCookie(w, v, token, 0)
			s.refuse(w, v, http.StatusConflict, "invite.pin_later")
			return
		}
	}
	s.enter(w, v, token, "/me")
}
