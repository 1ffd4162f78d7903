package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// applyFor is how long a change may take before the page gives up waiting for it.
const applyFor = 40 * time.Second

// changes shows the visitor's draft beside what is in force.
func (s *server) changes(w http.ResponseWriter, v *visit) {
	s.changesPage(w, v, http.StatusOK, page.Changes{})
}

func (s *server) changesPage(w http.ResponseWriter, v *visit, status int, p page.Changes) {
	p.Reader, p.Box = s.reader(v), s.Name()
	p.Reader.Path = "/changes" // where it can be read again, whatever was posted
	if !p.Done {
		now, c := s.Settings.Current(), s.drafted(v)
		p.Changes = inWords(config.Diff(*now, c), now, &c)
		for _, problem := range c.Check() { // what was good when it was saved may not be any more
			p.Others = append(p.Others, s.problemAt(problem))
		}
	}
	html, err := s.pages[v.lang].Changes(p, time.Now())
	s.show(w, status, html, err)
}

// applyChanges makes the visitor's draft the configuration in force, and asks the box about it.
func (s *server) applyChanges(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	if s.pending(v) == 0 {
		redirect(w, v, "/changes")
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	before := s.Settings.Current()
	done, secrets, no, err := s.apply(ctx, v, v.PostForm.Get("why"))
	s.outcome(ctx, w, v, before, done, secrets, no, err)
}

// outcome shows what came of a change: what it did, or why it was not done.
func (s *server) outcome(ctx context.Context, w http.ResponseWriter, v *visit, before *config.Config, done settings.Applied, secrets []page.Secret, no settings.Refusal, err error) {
	switch {
	case err != nil:
		s.Log.Error("a change of the configuration failed", "user", v.user.Name, "err", err)
		said := s.sentence("fault")
		said.Detail = err.Error()
		s.changesPage(w, v, http.StatusInternalServerError, page.Changes{Said: said})
		return
	case no.Sentence != "":
		said := s.sentence(no.Sentence)
		said.Detail = no.Detail
		s.changesPage(w, v, http.StatusConflict, page.Changes{Said: said})
		return
	case done.Version == 0:
		redirect(w, v, "/changes")
		return
	}
	p := page.Changes{
		Done: true, Version: done.Version, Before: s.earlier(ctx, done.Version), Restart: done.Restart, Drain: done.Drain,
		Changes: inWords(done.Changes, before, s.Settings.Current()), Findings: s.Settings.Probe(ctx, done.Changes),
	}
	switch {
	case len(secrets) == 0:
	case v.unheard():
		p.Secrets = secrets
	default:
		p.Unshown, p.Private = true, s.overTLS(v, "/people")
	}
	s.changesPage(w, v, http.StatusOK, p)
}

// earlier is the version before one; 0 when none is kept.
func (s *server) earlier(ctx context.Context, version int) int {
	all, err := s.Settings.Versions(ctx)
	if err != nil {
		return 0
	}
	for _, x := range all {
		if x.Number < version {
			return x.Number
		}
	}
	return 0
}

func (s *server) discardChanges(w http.ResponseWriter, v *visit) {
	s.drafts.set(v.user.Name, nil)
	redirect(w, v, "/changes")
}

// undo takes the latest change back, unless somebody has changed something after it.
func (s *server) undo(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	number, _ := strconv.Atoi(v.PostForm.Get("version"))
	all, err := s.Settings.Versions(ctx)
	switch before := s.earlier(ctx, number); {
	case err != nil:
		s.fault(w, v, err)
	case len(all) == 0 || all[0].Number != number || before == 0:
		s.changesPage(w, v, http.StatusConflict, page.Changes{Said: s.sentence("undo.late")})
	default:
		s.restoreTo(ctx, w, v, before)
	}
}

func (s *server) restoreTo(ctx context.Context, w http.ResponseWriter, v *visit, number int) {
	before := s.Settings.Current()
	done, no, err := s.Settings.Restore(ctx, number, by(v))
	s.outcome(ctx, w, v, before, done, nil, no, err)
}
