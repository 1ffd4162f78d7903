package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

func (s *server) history(w http.ResponseWriter, v *visit) {
	s.historyPage(w, v, http.StatusOK, page.Said{})
}

func (s *server) historyPage(w http.ResponseWriter, v *visit, status int, said page.Said) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	all, err := s.Settings.Versions(ctx)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	file, err := s.Settings.File(ctx)
	if err != nil {
		s.fault(w, v, err)
		return
	}
	p := page.History{Reader: s.reader(v), Box: s.Name(), Said: said, Edited: file.Edited, File: file.Path}
	p.Reader.Path = "/history"
	for _, x := range all {
		p.Versions = append(p.Versions, x.Kept)
	}
	for _, x := range file.Problems {
		p.Mistakes = append(p.Mistakes, x.String())
	}
	html, err := s.pages[v.lang].History(p, time.Now())
	s.show(w, status, html, err)
}

// handFile decides about what somebody wrote into the file by hand: into force, or aside.
func (s *server) handFile(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	switch v.PostForm.Get("do") {
	case "discard":
		if err := s.Settings.Discard(ctx, by(v)); err != nil {
			s.fault(w, v, err)
			return
		}
		redirect(w, v, "/history")
	case "reload":
		before := s.Settings.Current()
		done, no, err := s.Settings.Reload(ctx, by(v))
		if err == nil && no.Sentence != "" {
			said := s.sentence(no.Sentence)
			said.Detail = no.Detail
			s.historyPage(w, v, http.StatusConflict, said)
			return
		}
		s.outcome(ctx, w, v, before, done, nil, no, err)
	default:
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
	}
}

// version finds the version that the path names, or answers that there is none.
func (s *server) version(ctx context.Context, w http.ResponseWriter, v *visit) (x settings.Version, newest, ok bool) {
	number, _ := strconv.Atoi(v.PathValue("number"))
	all, err := s.Settings.Versions(ctx)
	if err != nil {
		s.fault(w, v, err)
		return x, false, false
	}
	i := slices.IndexFunc(all, func(x settings.Version) bool { return x.Number == number })
	if i < 0 {
		s.refuse(w, v, http.StatusNotFound, "past.gone")
		return x, false, false
	}
	return all[i], i == 0, true
}

// past shows a configuration of the past beside the one of now, part by part.
func (s *server) past(w http.ResponseWriter, v *visit) {
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	x, newest, ok := s.version(ctx, w, v)
	if !ok {
		return
	}
	p := page.Past{Reader: s.reader(v), Box: s.Name(), Version: x.Kept, Newest: newest}
	status := http.StatusOK
	if old, err := x.Parse(); err != nil {
		p.Said, status = s.sentence("past.unread"), http.StatusConflict
		p.Said.Detail = err.Error()
	} else {
		p.Things = things(s.Settings.Current(), &old)
	}
	html, err := s.pages[v.lang].Past(p, time.Now())
	s.show(w, status, html, err)
}

// things groups what differs by what can be taken back alone.
func things(now, old *config.Config) (all []page.Thing) {
	for _, c := range config.Diff(*now, *old) {
		path := config.Thing(c.Path)
		i := slices.IndexFunc(all, func(t page.Thing) bool { return t.Path == path })
		if i < 0 {
			name := path
			if list, id, entry := strings.Cut(strings.TrimSuffix(path, "]"), "["); entry {
				name = cmp.Or(nameOf(now, list, id), nameOf(old, list, id), path)
			}
			all = append(all, page.Thing{Path: path, Name: name})
			i = len(all) - 1
		}
		words := inWords([]config.Change{c}, now, old)
		words[0].Thing = ""
		all[i].Changes = append(all[i].Changes, words...)
	}
	return all
}

// takeBack puts one part of a configuration of the past into the visitor's draft.
func (s *server) takeBack(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), patience)
	defer cancel()
	x, _, ok := s.version(ctx, w, v)
	if !ok {
		return
	}
	old, err := x.Parse()
	if err != nil {
		s.refuse(w, v, http.StatusConflict, "past.unread")
		return
	}
	thing := v.PostForm.Get("thing")
	problems, err := s.propose(v, step{do: func(c *config.Config) error { return c.TakeBack(&old, thing) }})
	switch {
	case err != nil:
		s.refuse(w, v, http.StatusConflict, "gone")
	case len(problems) > 0:
		said := s.sentence("form.needed")
		said.Where, said.Detail = thing, problems.Error()
		s.refuseSaid(w, v, http.StatusConflict, said)
	default:
		redirect(w, v, "/changes")
	}
}

func (s *server) restore(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	ctx, cancel := context.WithTimeout(v.Context(), applyFor)
	defer cancel()
	if x, _, ok := s.version(ctx, w, v); ok {
		s.restoreTo(ctx, w, v, x.Number)
	}
}
