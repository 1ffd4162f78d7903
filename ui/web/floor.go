package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// Order is what a supervisor decides about an agent or a waiting caller.
type Order struct {
	By    string // user name
	From  string // address, for the audit log
	Do    string // one of pause, logout, record, record_stop, record_pause, record_resume, add, remove, skill, assign, move, drop, dismiss, conference
	Agent tel.AgentID
	Call  tel.CallID
	With  string // the reason of a pause, a queue, a skill, the number of a missed caller, a conference room
	Level int    // of a skill

	Callback tel.CallbackID // that is dropped
	Wish     string         // of a conference: mute, unmute, remove (with Call), lock, unlock, mute_all, unmute_all, end
}

// caller shows a waiting caller to who supervises the queue.
func (s *server) caller(w http.ResponseWriter, v *visit) {
	if c := s.callerOf(w, v); c != nil {
		s.callerPage(w, v, http.StatusOK, *c)
	}
}

// callerOf finds the caller that the path names, or answers why the visitor gets none.
func (s *server) callerOf(w http.ResponseWriter, v *visit) *page.Caller {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	c, err := s.Caller(ctx, tel.CallID(v.PathValue("call")))
	switch {
	case err != nil:
		s.fault(w, v, err)
	case c == nil:
		s.refuse(w, v, http.StatusNotFound, "floor.gone")
	case !v.user.Supervises(c.Queue):
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
	default:
		return c
	}
	return nil
}

func (s *server) callerPage(w http.ResponseWriter, v *visit, status int, c page.Caller) {
	c.Reader, c.Box = s.reader(v), s.Name()
	c.Reader.Path = "/waiting/" + v.PathValue("call") // where it can be read again, whatever was posted
	html, err := s.pages[v.lang].Caller(c, time.Now())
	s.show(w, status, html, err)
}

// moveCaller sends a waiting caller to another queue. Who supervises the queue in which the caller waits
// may: where a caller belongs is decided by who has the caller.
func (s *server) moveCaller(w http.ResponseWriter, v *visit) {
	s.decide(w, v, func(o *Order) { o.Do, o.With = "move", v.PostForm.Get("queue") }, "/")
}

// assignCaller rings one agent for a waiting caller.
func (s *server) assignCaller(w http.ResponseWriter, v *visit) {
	s.decide(w, v, func(o *Order) { o.Do, o.Agent = "assign", tel.AgentID(v.PostForm.Get("agent")) }, "/")
}

// decide carries out a form of the page of a waiting caller and goes on at a path.
func (s *server) decide(w http.ResponseWriter, v *visit, fill func(*Order), to string) {
	if !s.form(w, v) {
		return
	}
	c := s.callerOf(w, v)
	if c == nil {
		return
	}
	o := Order{Call: c.Call}
	fill(&o)
	s.order(w, v, o, to, func(said page.Said) {
		c.Said = said
		s.callerPage(w, v, http.StatusConflict, *c)
	})
}

// agent shows an agent to any supervisor; what may be changed depends on whose queues are whose.
func (s *server) agent(w http.ResponseWriter, v *visit) {
	if a := s.agentOf(w, v); a != nil {
		s.agentPage(w, v, http.StatusOK, *a)
	}
}

// agentOf finds the agent that the path names, or answers that there is none.
func (s *server) agentOf(w http.ResponseWriter, v *visit) *page.Agent {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	a, err := s.Agent(ctx, tel.AgentID(v.PathValue("agent")))
	switch {
	case err != nil:
		s.fault(w, v, err)
		return nil
	case a == nil:
		s.refuse(w, v, http.StatusNotFound, "floor.no_agent")
		return nil
	}
	a.Limit(v.user.Supervises)
	return a
}

func (s *server) agentPage(w http.ResponseWriter, v *visit, status int, a page.Agent) {
	a.Reader, a.Box = s.reader(v), s.Name()
	a.Reader.Path = "/agents/" + v.PathValue("agent")
	a.Desk.Tape.Action = "/agents/" + string(a.ID) + "/order"
	a.Talks = s.Hub.Office().Supervision && view.Talks(a.Desk.State)
	html, err := s.pages[v.lang].Agent(a, time.Now())
	s.show(w, status, html, err)
}

// agentOrder carries out what a supervisor has decided about an agent.
func (s *server) agentOrder(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	a := s.agentOf(w, v)
	if a == nil {
		return
	}
	o := Order{Agent: a.ID, Do: v.PostForm.Get("do"), With: v.PostForm.Get("with")}
	queue := func(q page.DeskQueue) bool { return string(q.ID) == o.With && !q.Locked }
	call := func(c page.Caller) bool { return string(c.Call) == o.With }
	var may bool
	switch o.Do {
	case "add", "remove":
		may = slices.ContainsFunc(a.Desk.Queues, queue) || slices.ContainsFunc(a.Others, queue)
	case "assign":
		may = slices.ContainsFunc(a.Waiting, call)
		o.Call, o.With = tel.CallID(o.With), ""
	case "skill":
		level, err := strconv.Atoi(v.PostForm.Get("level"))
		if err != nil || !slices.Contains(a.Known, o.With) {
			s.refuse(w, v, http.StatusBadRequest, "form.unread")
			return
		}
		o.Level, may = level, a.May
	case "pause", "logout", "record", "record_stop", "record_pause", "record_resume":
		may = a.May
	default:
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	if !may {
		s.refuse(w, v, http.StatusForbidden, "floor.not_yours")
		return
	}
	s.order(w, v, o, "/agents/"+string(a.ID), func(said page.Said) {
		a.Said = said
		s.agentPage(w, v, http.StatusConflict, *a)
	})
}

// order has the box carry out an order and goes on at a path, or shows why it was refused.
func (s *server) order(w http.ResponseWriter, v *visit, o Order, to string, refused func(page.Said)) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	o.By, o.From = v.user.Name, v.from.Addr.String()
	switch sentence, err := s.Order(ctx, o); {
	case err != nil:
		s.fault(w, v, err)
	case sentence != "":
		refused(s.sentence(sentence))
	default:
		redirect(w, v, to)
	}
}

// fault says that the box itself failed, and writes down how.
func (s *server) fault(w http.ResponseWriter, v *visit, err error) {
	said, status := s.said(w, v, err)
	s.refuse(w, v, status, said.Sentence)
}
