package web

import (
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// auditLines is how many lines of the audit log a page shows.
const auditLines = 200

func (s *server) security(w http.ResponseWriter, v *visit) {
	notes, err := s.Settings.Audit(auditLines)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	c := s.drafted(v)
	p := page.Security{Reader: s.reader(v), Box: s.Name(), Plain: c.Web.PlainHTTP, HTTPS: s.TLSPort != 0, Erase: s.Erase != nil}
	for _, n := range notes {
		p.Audit = append(p.Audit, page.Deed{At: n.At, What: "deed." + n.What, User: n.User, Whom: n.Whom, From: n.From})
	}
	html, err := s.pages[v.lang].Security(p, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// plainHTTP puts into the visitor's draft whether the page can be used without HTTPS.
func (s *server) plainHTTP(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	on := v.PostForm.Get("plain")
	switch {
	case on != "on" && on != "off":
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	case on == "off" && s.TLSPort == 0:
		s.refuse(w, v, http.StatusConflict, "security.no_https") // nobody would come in any more
		return
	}
	if problems, err := s.propose(v, step{do: func(c *config.Config) error { c.Web.PlainHTTP = on == "on"; return nil }}); err != nil || len(problems) > 0 {
		s.refuse(w, v, http.StatusConflict, "changes.full")
		return
	}
	redirect(w, v, "/changes")
}

func (s *server) system(w http.ResponseWriter, v *visit) {
	html, err := s.pages[v.lang].System(s.Name(), s.reader(v), time.Now())
	s.show(w, http.StatusOK, html, err)
}
