package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/page"
)

// editor is the pages on which the entries of a list are changed, added and removed.
type editor[T any] struct {
	kind[T]
	title, fresh string                       // keys of the titles of its forms
	at           string                       // path of the list
	back         string                       // path to go to instead of the list; empty: the list
	blank        func(c *config.Config) T     // what a new entry begins with; nil: none is made here
	born         func(c *config.Config, x *T) // gives a new entry its id
	extras       func(x *T) []page.Extra      // buttons beside the form of an entry
	links        func(x *T) []page.Link       // ways from the form of an entry to more about it
	remove       func(c *config.Config, x T)  // what else goes with an entry
	tree         func(c *config.Config, x *T) []page.Branch
}

// form shows the form of the entry that the path names.
func (e editor[T]) form(s *server) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		c := s.drafted(v)
		x, _ := e.find(&c, v.PathValue("id"))
		if x == nil {
			s.refuse(w, v, http.StatusNotFound, "gone")
			return
		}
		e.show(s, w, v, http.StatusOK, &c, x, page.Form{})
	}
}

// blankForm shows the form of a new entry.
func (e editor[T]) blankForm(s *server) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		c := s.drafted(v)
		x := e.blank(&c)
		e.show(s, w, v, http.StatusOK, &c, &x, page.Form{})
	}
}

func (e editor[T]) show(s *server, w http.ResponseWriter, v *visit, status int, c *config.Config, x *T, f page.Form) {
	id := e.id(x)
	f.Reader, f.Box, f.Back = s.reader(v), s.Name(), cmp.Or(e.back, e.at)
	if id == "" {
		f.Key, f.Action = e.fresh, e.at
		f.Reader.Path = e.at + "/new"
	} else {
		f.Key, f.Action, f.Title = e.title, e.at+"/"+id, nameOf(c, e.kind.name, id)
		f.Reader.Path = f.Action
		if e.extras != nil {
			f.Extras = e.extras(x)
		}
		if e.tree != nil {
			f.Tree = e.tree(c, x)
		}
		if e.links != nil {
			f.Links = e.links(x)
		}
		if e.blank != nil {
			f.Remove = f.Action + "/remove"
		}
	}
	if f.Blocks == nil {
		f.Blocks = e.blocks(c, x, nil, nil)
	}
	html, err := s.pages[v.lang].Form(f, time.Now())
	s.show(w, status, html, err)
}

// save takes what was changed in a form into the visitor's draft, or shows what is wrong with it.
func (e editor[T]) save(s *server) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		c := s.drafted(v)
		id, p := v.PathValue("id"), e.read(v.PostForm)
		x, at := e.find(&c, id)
		if x == nil {
			s.refuse(w, v, http.StatusNotFound, "gone")
			return
		}
		before := *x
		wrong := e.write(x, p)
		e.settle(s, w, v, &c, &before, at, p, wrong, func(c *config.Config) error {
			x, _ := e.find(c, id)
			if x == nil {
				return errGone
			}
			e.write(x, p)
			return nil
		})
	}
}

// create takes a new entry into the visitor's draft, or shows what is wrong with it.
func (e editor[T]) create(s *server) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		c := s.drafted(v)
		before := e.blank(&c)
		x, p := before, e.read(v.PostForm)
		wrong := e.write(&x, p)
		e.born(&c, &x)
		list := e.of(&c)
		*list = append(*list, x)
		e.settle(s, w, v, &c, &before, len(*list)-1, p, wrong, func(c *config.Config) error {
			if other, _ := e.find(c, e.id(&x)); other != nil {
				return errGone
			}
			copied := e.of(c)
			*copied = append(*copied, x)
			return nil
		})
	}
}

// settle judges a draft whose entry at a place was written, and keeps the step or shows the form again with
// every mistake.
func (e editor[T]) settle(s *server, w http.ResponseWriter, v *visit, c *config.Config, before *T, at int, p posted, wrong map[string]string, do func(*config.Config) error) {
	fields, others := e.sort(c.Check(), at, s.problemAt)
	for name, code := range wrong {
		fields[name] = page.Said{Sentence: "problem." + code, Where: name}
	}
	if len(fields) == 0 && len(others) == 0 {
		switch problems, err := s.propose(v, step{do: do}); {
		case errors.Is(err, errFull):
			e.show(s, w, v, http.StatusConflict, c, before, page.Form{Said: s.sentence("changes.full"), Blocks: e.blocks(c, before, p, nil)})
			return
		case err != nil:
			s.refuse(w, v, http.StatusConflict, "gone")
			return
		case len(problems) == 0:
			redirect(w, v, "/changes")
			return
		default:
			fields, others = e.sort(problems, at, s.problemAt)
		}
	}
	e.show(s, w, v, http.StatusUnprocessableEntity, c, before, page.Form{
		Said: s.sentence("form.wrong"), Others: others, Blocks: e.blocks(c, before, p, fields),
	})
}

// drop takes an entry out of the visitor's draft, or says what still needs it.
func (e editor[T]) drop(s *server) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		id := v.PathValue("id")
		problems, err := s.propose(v, step{do: func(c *config.Config) error {
			x, at := e.find(c, id)
			if x == nil {
				return errGone
			}
			gone, list := *x, e.of(c)
			*list = slices.Delete(*list, at, at+1)
			if e.remove != nil {
				e.remove(c, gone)
			}
			return nil
		}})
		c := s.drafted(v)
		x, _ := e.find(&c, id)
		switch {
		case errors.Is(err, errFull) && x != nil:
			e.show(s, w, v, http.StatusConflict, &c, x, page.Form{Said: s.sentence("changes.full")})
		case err != nil:
			s.refuse(w, v, http.StatusNotFound, "gone")
		case len(problems) > 0:
			var others []page.Said
			for _, p := range problems {
				others = append(others, s.problemAt(p))
			}
			e.show(s, w, v, http.StatusConflict, &c, x, page.Form{Said: s.sentence("form.needed"), Others: others})
		default:
			redirect(w, v, "/changes")
		}
	}
}
