package web

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// overTLS is where a path of this page is over HTTPS; empty without.
func (s *server) overTLS(v *visit, path string) string {
	if s.TLSPort == 0 {
		return ""
	}
	host := v.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return "https://" + net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(int(s.TLSPort))) + path
}

// refusal is a refusal of the box as the page says it; nothing where there is none.
func (s *server) refusal(no settings.Refusal) page.Said {
	if no.Sentence == "" {
		return page.Said{}
	}
	said := s.sentence(no.Sentence)
	said.Detail = no.Detail
	return said
}

func placeKind() kind[config.Backup] {
	type b = config.Backup
	return kind[b]{
		name: "backup",
		groups: []group[b]{
			{"place", []binding[b]{
				text("to", "to", func(x *b) *string { return &x.To }),
				text("user", "user", func(x *b) *string { return &x.User }),
				secret("password", "password", func(x *b) *config.Secret { return &x.Password }),
				text("region", "region", func(x *b) *string { return &x.Region }),
				count("hour", "hour", func(x *b) *int { return &x.Hour }),
				check("recordings", "recordings", func(x *b) *bool { return &x.Recordings }),
			}},
		},
	}
}

func (s *server) backup(w http.ResponseWriter, v *visit) {
	p := page.Backup{}
	if done := v.URL.Query().Get("done"); done == "confirmed" || done == "forgotten" {
		p.Done = "backup.done." + done
	}
	s.backupPage(w, v, http.StatusOK, p)
}

func (s *server) backupPage(w http.ResponseWriter, v *visit, status int, p page.Backup) {
	c := s.Settings.Current()
	p.Reader, p.Box, p.State, p.To, p.Hour = s.reader(v), s.Name(), s.Backups.State(v.Context()), c.Backup.To, c.Backup.Hour
	p.Reader.Path = "/backup"
	p.Private = v.unheard()
	if s.Recordings != nil {
		p.Tapes, p.TapeBytes = s.Recordings.Total()
		p.WithTapes = c.Backup.Recordings
	}
	if p.To != "" && !p.State.Away {
		var no settings.Refusal
		p.Copies, no = s.Backups.List(v.Context())
		p.Unread = s.refusal(no)
	}
	var err error
	if p.Ready, err = s.Backups.Ready(); err != nil {
		s.fault(w, v, err)
		return
	}
	if p.Place == nil {
		drafted := s.drafted(v)
		p.Place = placeKind().blocks(&drafted, &drafted.Backup, nil, nil)
	}
	if p.State.Running {
		w.Header().Set("Refresh", "3; url=/backup?lang="+v.lang)
	}
	html, err := s.pages[v.lang].Backup(p, time.Now())
	s.show(w, status, html, err)
}

// backupPlace tries a place as the nightly backup would use it, and takes it into the visitor's draft.
func (s *server) backupPlace(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	c, k := s.drafted(v), placeKind()
	p := k.read(v.PostForm)
	was := c.Backup
	mistakes := k.write(&c.Backup, p)
	wrong, others := map[string]page.Said{}, []page.Said(nil)
	for _, x := range c.Check() {
		name := ""
		if path, ours := strings.CutPrefix(x.Path, "backup."); ours {
			name = k.fieldAt(path)
		}
		if name == "" {
			others = append(others, s.problemAt(x))
		} else {
			wrong[name] = s.problemAt(x)
		}
	}
	for name, code := range mistakes {
		wrong[name] = page.Said{Sentence: "problem." + code, Where: name}
	}
	again := func(status int, said page.Said) {
		s.backupPage(w, v, status, page.Backup{Said: said, Others: others, Place: k.blocks(&c, &was, p, wrong)})
	}
	if len(wrong) > 0 || len(others) > 0 {
		again(http.StatusUnprocessableEntity, s.sentence("form.wrong"))
		return
	}
	if c.Backup.To != "" {
		if no := s.Backups.Try(v.Context(), c.Backup); no.Sentence != "" {
			again(http.StatusConflict, s.refusal(no))
			return
		}
	}
	problems, err := s.propose(v, step{do: func(c *config.Config) error { k.write(&c.Backup, p); return nil }})
	if err != nil || len(problems) > 0 {
		again(http.StatusConflict, s.sentence("changes.full"))
		return
	}
	redirect(w, v, "/changes")
}

func (s *server) backupNow(w http.ResponseWriter, v *visit) {
	if no := s.Backups.Now(v.Context()); no.Sentence != "" {
		s.backupPage(w, v, http.StatusConflict, page.Backup{Said: s.refusal(no)})
		return
	}
	s.Accounts.Note(access.DeedBackup, v.user.Name, "", v.from)
	redirect(w, v, "/backup")
}

// backupCopy hands a backup out, encrypted as it is.
func (s *server) backupCopy(w http.ResponseWriter, v *visit) {
	name := v.PathValue("name")
	body, no := s.Backups.Copy(v.Context(), name)
	if no.Sentence != "" {
		s.backupPage(w, v, http.StatusConflict, page.Backup{Said: s.refusal(no)})
		return
	}
	defer body.Close()
	s.Accounts.Note(access.DeedBackupTaken, v.user.Name, name, v.from)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+url.PathEscape(name)+`"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // half a backup must not look whole
	}
}

// newKit makes a recovery kit and shows it, once.
func (s *server) newKit(w http.ResponseWriter, v *visit) {
	secret, err := s.Backups.NewKit()
	if err != nil {
		s.fault(w, v, err)
		return
	}
	s.Accounts.Note(access.DeedKitMade, v.user.Name, "", v.from)
	k := page.Kit{Reader: s.reader(v), Box: s.Name(), Secret: secret, Code: s.Accounts.Code().String(), Made: time.Now()}
	k.Reader.Path = "/backup"
	html, err := s.pages[v.lang].Kit(k, time.Now())
	s.show(w, http.StatusOK, html, err)
}

// confirmKit takes the end of the kit from whoever has it. It is no secret by itself.
func (s *server) confirmKit(w http.ResponseWriter, v *visit) {
	if !s.form(w, v) {
		return
	}
	no, err := s.Backups.Confirm(v.PostForm.Get("end"))
	switch {
	case err != nil:
		s.fault(w, v, err)
	case no.Sentence != "":
		s.backupPage(w, v, http.StatusUnprocessableEntity, page.Backup{Said: s.refusal(no)})
	default:
		s.Accounts.Note(access.DeedKitConfirmed, v.user.Name, "", v.from)
		redirect(w, v, "/backup?done=confirmed")
	}
}
