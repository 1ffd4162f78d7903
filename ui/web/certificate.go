package web

import (
	"io"
	"net/http"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// pemLimit bounds an uploaded certificate with its key, in bytes.
const pemLimit = 160 << 10

func (s *server) certificate(w http.ResponseWriter, v *visit) {
	p := page.Certificate{}
	switch done := v.URL.Query().Get("done"); done {
	case "given", "undone", "withdrawn":
		p.Done = "certificate.done." + done
	}
	s.certificatePage(w, v, http.StatusOK, p)
}

func (s *server) certificatePage(w http.ResponseWriter, v *visit, status int, p page.Certificate) {
	p.Reader, p.Box, p.State = s.reader(v), s.Name(), s.Certificate.State()
	p.Reader.Path = "/certificate"
	p.Private = v.unheard()
	html, err := s.pages[v.lang].Certificate(p, time.Now())
	s.show(w, status, html, err)
}

// giveCertificate takes a chain and its key, which nobody may overhear.
func (s *server) giveCertificate(w http.ResponseWriter, v *visit) {
	v.Body = http.MaxBytesReader(w, v.Body, pemLimit)
	if err := v.ParseMultipartForm(pemLimit); err != nil {
		s.refuse(w, v, http.StatusBadRequest, "form.unread")
		return
	}
	no, err := s.Certificate.Give(uploaded(v, "chain"), uploaded(v, "key"))
	s.certificateDone(w, v, access.DeedCertificate, "given", no, err)
}

// uploaded is a file of a form; nothing where there is none.
func uploaded(v *visit, name string) []byte {
	f, _, err := v.FormFile(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil
	}
	return text
}

func (s *server) undoCertificate(w http.ResponseWriter, v *visit) {
	no, err := s.Certificate.Undo()
	s.certificateDone(w, v, access.DeedCertificateUndone, "undone", no, err)
}

func (s *server) withdrawCertificate(w http.ResponseWriter, v *visit) {
	no, err := s.Certificate.Withdraw()
	s.certificateDone(w, v, access.DeedCertificateWithdrawn, "withdrawn", no, err)
}

func (s *server) certificateDone(w http.ResponseWriter, v *visit, deed access.Deed, done string, no settings.Refusal, err error) {
	switch {
	case err != nil:
		s.fault(w, v, err)
	case no.Sentence != "":
		s.certificatePage(w, v, http.StatusUnprocessableEntity, page.Certificate{Said: s.refusal(no)})
	default:
		s.Accounts.Note(deed, v.user.Name, s.Certificate.State().Fingerprint, v.from)
		redirect(w, v, "/certificate?done="+done)
	}
}
