package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// Limits of an upload.
const (
	uploadLimit = 8 << 30          // bytes
	uploadPause = 30 * time.Second // between two pieces of it
	fieldLimit  = 4 << 10          // bytes of a field before the file
	drained     = 64 << 20         // bytes that are read of a file that is refused, so that the browser hears why
)

// Where a backup comes back: of a box that has an owner, and of one that has none yet.
const (
	restoreAt      = "/backup/restore"
	firstRestoreAt = "/restore"
)

// restoreForm shows the form to the owner.
func (s *server) restoreForm(w http.ResponseWriter, v *visit) {
	s.restorePage(w, v, http.StatusOK, page.Restore{})
}

// firstRestoreForm shows it to who stands before a box without an owner.
func (s *server) firstRestoreForm(w http.ResponseWriter, v *visit) {
	if !s.unowned(w, v) {
		return
	}
	if err := s.Accounts.Claimable(v.from); err != nil {
		said, status := s.said(w, v, err)
		s.restorePage(w, v, status, page.Restore{Said: said, Shut: true})
		return
	}
	s.restorePage(w, v, http.StatusOK, page.Restore{})
}

// unowned sends those who come to a box that has an owner to the owner's form; false says that it did.
func (s *server) unowned(w http.ResponseWriter, v *visit) bool {
	if s.Accounts.Claimed() {
		redirect(w, v, restoreAt)
		return false
	}
	return true
}

func (s *server) restorePage(w http.ResponseWriter, v *visit, status int, p page.Restore) {
	p.Reader, p.Box, p.At = s.reader(v), s.Name(), restoreAt
	if v.user.Name == "" {
		p.At = firstRestoreAt
	}
	p.Reader.Path = p.At
	p.Private, p.Parts, p.Starts = v.unheard(), s.Backups.Parts, s.Backups.Restart != nil
	if p.Private && !p.Shut && (v.user.Name != "" || p.Code != "") { // a stranger is not told what lies ready
		var err error
		if p.Ready, err = s.Backups.Ready(); err != nil {
			s.fault(w, v, err)
			return
		}
	}
	if v.user.Name != "" && p.Private && p.Ready == nil && s.Settings.Current().Backup.To != "" {
		p.Copies, _ = s.Backups.List(v.Context()) // without them there is still the upload
	}
	html, err := s.pages[v.lang].Restore(p, time.Now())
	s.show(w, status, html, err)
}

// order is what a posted form of a restore says before its file.
type order struct {
	code, key, copied string
	parts             []string
}

// restoreUpload takes a backup, in order: the code of the label, the key of the kit, what of it is wanted, then the file,
// which is unpacked as it arrives.
func (s *server) restoreUpload(w http.ResponseWriter, v *visit) {
	v.Body = http.MaxBytesReader(w, v.Body, uploadLimit)
	form, err := v.MultipartReader()
	if err != nil {
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	slow := unhurried{v.Body, http.NewResponseController(w)}
	slow.extend()
	var o order
	said, status := s.takeOrder(w, v, form, &o)
	if said.Sentence != "" {
		_, _ = io.CopyN(io.Discard, slow, drained)
		code := o.code
		if status == http.StatusForbidden || status == http.StatusTooManyRequests {
			code = "" // a wrong code shows nothing of what lies ready
		}
		s.restorePage(w, v, status, page.Restore{Said: said, Code: code})
		return
	}
	s.Accounts.Note(access.DeedRestore, v.user.Name, strings.Join(o.parts, ","), v.from)
	s.restorePage(w, v, http.StatusOK, page.Restore{Code: o.code})
}

// takeOrder reads the form and does what it says; a sentence says why not.
func (s *server) takeOrder(w http.ResponseWriter, v *visit, form *multipart.Reader, o *order) (page.Said, int) {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return s.sentence("restore.nothing"), http.StatusUnprocessableEntity
		}
		if err != nil {
			return s.sentence("form.unread"), http.StatusBadRequest
		}
		if part.FormName() != "file" {
			value, err := io.ReadAll(io.LimitReader(part, fieldLimit))
			if err != nil {
				return s.sentence("form.unread"), http.StatusBadRequest
			}
			o.take(part.FormName(), string(value))
			continue
		}
		if said, status := s.entitled(w, v, o); said.Sentence != "" {
			return said, status
		}
		var body io.Reader = unhurried{part, http.NewResponseController(w)}
		if o.copied != "" {
			copied, no := s.Backups.Copy(v.Context(), o.copied)
			if no.Sentence != "" {
				return s.refusal(no), http.StatusConflict
			}
			defer copied.Close()
			body = copied
		} else if part.FileName() == "" {
			return s.sentence("restore.nothing"), http.StatusUnprocessableEntity
		}
		no, err := s.Backups.Stage(body, o.key, o.parts, by(v))
		if err != nil {
			said, status := s.said(w, v, err)
			said.Detail = err.Error()
			return said, status
		}
		return s.refusal(no), http.StatusUnprocessableEntity
	}
}

func (o *order) take(name, value string) {
	switch name {
	case "code":
		o.code = strings.TrimSpace(value)
	case "key":
		o.key = value
	case "copy":
		o.copied = value
	case "part":
		o.parts = append(o.parts, value)
	}
}

// entitled judges who restores and with what, before a byte of the file is looked at.
func (s *server) entitled(w http.ResponseWriter, v *visit, o *order) (page.Said, int) {
	if err := s.Accounts.Prove(o.code, v.from); err != nil {
		return s.said(w, v, err)
	}
	if no := s.Backups.Key(o.key); no.Sentence != "" {
		return s.refusal(no), http.StatusUnprocessableEntity
	}
	if len(o.parts) == 0 || slices.ContainsFunc(o.parts, func(p string) bool { return !slices.Contains(s.Backups.Parts, p) }) {
		return s.sentence("restore.part"), http.StatusUnprocessableEntity
	}
	return page.Said{}, 0
}

// unhurried reads what may take long to arrive: each piece has time of its own.
type unhurried struct {
	io.Reader
	way *http.ResponseController
}

func (u unhurried) extend() { _ = u.way.SetReadDeadline(time.Now().Add(uploadPause)) }

// Read implements io.Reader.
func (u unhurried) Read(b []byte) (int, error) {
	u.extend()
	return u.Reader.Read(b)
}

// firstly is a form of a box that nobody owns yet.
func (s *server) firstly(do func(http.ResponseWriter, *visit)) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if s.unowned(w, v) {
			do(w, v)
		}
	}
}

// settleRestore does something about a backup that lies ready, for who knows the code.
func (s *server) settleRestore(done page.Restore, do func(v *visit) error) func(http.ResponseWriter, *visit) {
	return func(w http.ResponseWriter, v *visit) {
		if !s.form(w, v) {
			return
		}
		code := v.PostForm["code"]
		typed := ""
		for _, c := range code {
			typed += strings.TrimSpace(c) // of two fields one is empty
		}
		if err := s.Accounts.Prove(typed, v.from); err != nil {
			said, status := s.said(w, v, err)
			s.restorePage(w, v, status, page.Restore{Said: said})
			return
		}
		if err := do(v); err != nil {
			s.fault(w, v, err)
			return
		}
		p := done
		p.Code = typed
		s.restorePage(w, v, http.StatusOK, p)
	}
}

func (s *server) restoreLines() func(http.ResponseWriter, *visit) {
	return s.settleRestore(page.Restore{}, func(*visit) error { return s.Backups.TakeCarriers() })
}

func (s *server) restoreForget() func(http.ResponseWriter, *visit) {
	return s.settleRestore(page.Restore{}, func(v *visit) error {
		s.Accounts.Note(access.DeedRestoreForgot, v.user.Name, "", v.from)
		return s.Backups.Forget()
	})
}

func (s *server) restoreStart() func(http.ResponseWriter, *visit) {
	return s.settleRestore(page.Restore{Started: true}, func(v *visit) error {
		if s.Backups.Restart == nil {
			return errors.New("this box cannot start anew by itself")
		}
		return s.Backups.Restart(v.Context())
	})
}
