package web

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// putOff are the days for which updates can be put off; 0: no longer.
func putOff() []int { return []int{1, 3, 7, 30, 0} }

// lookAgain is after how many seconds the page of an update that is on its way is asked for again.
const lookAgain = "3"

func (s *server) update(w http.ResponseWriter, v *visit) {
	p := page.Update{}
	switch done := v.URL.Query().Get("done"); done {
	case "checked", "installing", "postponed", "resumed", "saved", "seen", "given":
		p.Done = "update.done." + done
	}
	s.updatePage(w, v, http.StatusOK, p)
}

func (s *server) updatePage(w http.ResponseWriter, v *visit, status int, p page.Update) {
	p.Reader, p.Box, p.State = s.reader(v), s.Name(), s.Updates.Now(v.Context())
	p.Reader.Path = "/update"
	p.Private = v.unheard()
	p.Own, p.Days = v.user.May(access.Own), putOff()
	p.May = p.Own && p.Private && !p.State.Moves()
	if p.State.Moves() && p.Said.Sentence == "" {
		w.Header().Set("Refresh", lookAgain+"; url=/update?lang="+v.lang)
	}
	html, err := s.pages[v.lang].Update(p, time.Now())
	s.show(w, status, html, err)
}

// updates does what the owner asks of who installs releases; what tells whether and what was done.
func (s *server) updates(do func(v *visit) (done, detail string, no settings.Refusal)) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		if s.Updates.Without() {
			s.updated(w, v, "", "", settings.Refusal{Sentence: "update.off"})
			return
		}
		done, detail, no := do(v)
		s.updated(w, v, done, detail, no)
	}
}

func (s *server) updated(w http.ResponseWriter, v *visit, done, detail string, no settings.Refusal) {
	if no.Sentence != "" {
		s.updatePage(w, v, http.StatusConflict, page.Update{Said: s.refusal(no)})
		return
	}
	if done != "checked" && done != "seen" {
		s.Accounts.Note(access.DeedUpdate, v.user.Name, detail, v.from)
	}
	redirect(w, v, "/update?done="+done)
}

func (s *server) checkUpdates(v *visit) (done, detail string, no settings.Refusal) {
	return "checked", "", s.Updates.Check(v.Context())
}

func (s *server) seenUpdate(v *visit) (done, detail string, no settings.Refusal) {
	return "seen", "", s.Updates.Seen(v.Context())
}

func (s *server) installUpdate(v *visit) (done, detail string, no settings.Refusal) {
	version := v.PostForm.Get("version")
	return "installing", "install " + version, s.Updates.Install(v.Context(), version)
}

func (s *server) postponeUpdates(v *visit) (done, detail string, no settings.Refusal) {
	days, err := strconv.Atoi(v.PostForm.Get("days"))
	if err != nil || !slices.Contains(putOff(), days) {
		return "", "", settings.Refusal{Sentence: "update.mistaken"}
	}
	if days == 0 {
		return "resumed", "postponed no longer", s.Updates.Postpone(v.Context(), time.Time{})
	}
	return "postponed", "postponed " + strconv.Itoa(days) + " d", s.Updates.Postpone(v.Context(), time.Now().AddDate(0, 0, days))
}

func (s *server) setUpdates(v *visit) (done, detail string, no settings.Refusal) {
	x := page.UpdateSettings{Auto: v.PostForm.Get("auto") == "on", Channel: v.PostForm.Get("channel"), EndCalls: v.PostForm.Get("end") == "on"}
	drain, errDrain := strconv.Atoi(v.PostForm.Get("drain"))
	from, err := time.Parse("15:04", v.PostForm.Get("from"))
	to, err2 := time.Parse("15:04", v.PostForm.Get("to"))
	if errors.Join(err, err2, errDrain) != nil || !slices.Contains(x.Drains(), drain) || x.Channel != "stable" && x.Channel != "beta" {
		return "", "", settings.Refusal{Sentence: "update.mistaken"}
	}
	x.Drain = drain
	x.From, x.To = from.Hour()*60+from.Minute(), to.Hour()*60+to.Minute()
	return "saved", "automatic " + strconv.FormatBool(x.Auto) + ", " + x.Channel + ", " + x.Opens() + "-" + x.Shuts(), s.Updates.Set(v.Context(), x)
}

func (s *server) stickUpdate(v *visit) (done, detail string, no settings.Refusal) {
	name := v.PostForm.Get("name")
	if !slices.Contains(s.Updates.Now(v.Context()).Sticks, name) {
		return "", "", settings.Refusal{Sentence: "update.bundle", Detail: "it is not on the stick"}
	}
	return "given", "stick " + name, s.Updates.Stick(v.Context(), name)
}

// giveUpdate passes a bundle on as it comes. The browser hears why one is refused before all of it has come.
func (s *server) giveUpdate(w http.ResponseWriter, v *visit) {
	no, name := s.takeBundle(w, v)
	s.updated(w, v, "given", "file "+name, no)
}

// formRoom is what a form has around its file, in bytes.
const formRoom = 64 << 10

func (s *server) takeBundle(w http.ResponseWriter, v *visit) (no settings.Refusal, name string) {
	if s.Updates.Without() {
		return settings.Refusal{Sentence: "update.off"}, ""
	}
	if v.ContentLength > s.Updates.Most+formRoom {
		w.Header().Set("Connection", "close") // the rest is not read
		return settings.Refusal{Sentence: "update.large"}, ""
	}
	v.Body = http.MaxBytesReader(w, v.Body, s.Updates.Most+formRoom)
	form, err := v.MultipartReader()
	if err != nil {
		return settings.Refusal{Sentence: "form.unread"}, ""
	}
	slow := unhurried{v.Body, http.NewResponseController(w)}
	slow.extend()
	for {
		part, err := form.NextPart()
		if err != nil {
			return settings.Refusal{Sentence: "update.nothing"}, ""
		}
		if part.FormName() != "file" || part.FileName() == "" {
			continue
		}
		no := s.Updates.Give(v.Context(), unhurried{part, http.NewResponseController(w)})
		if no.Sentence != "" {
			_, _ = io.CopyN(io.Discard, slow, drained)
		}
		return no, part.FileName()
	}
}
