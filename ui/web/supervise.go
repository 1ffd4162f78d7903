package web

import (
	"net/http"
	"slices"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// supervise carries out what a supervisor has chosen at an agent: the supervisor's own phone rings. It works
// without JavaScript: the answer leads back to the page.
func (s *server) supervise(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	mode, agent := tel.SupervisionMode(v.PostForm.Get("mode")), tel.AgentID(v.PostForm.Get("agent"))
	switch {
	case !slices.Contains(tel.SupervisionModes(), mode) || agent == "":
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	case v.user.Agent == "":
		s.refuse(w, v, http.StatusForbidden, "supervise.nobody")
		return
	}
	if sentence := s.Supervise(v.user.Agent, agent, mode); sentence != "" {
		s.refuse(w, v, http.StatusForbidden, sentence)
		return
	}
	redirect(w, v, "/")
}
