package web

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

// proven is a box with the certificate that it made.
func proven(t *testing.T) *site {
	s := office(t)
	s.proof.Stands = page.CertificateState{Kind: "own", Names: []string{"bottega.local", "192.168.1.40"}, Expires: at, Fingerprint: strings.Repeat("0123456789abcdef", 4)}
	return s
}

// give uploads a chain and a key as a browser does.
func (s *site) give(scheme, chain, key string) *httptest.ResponseRecorder {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, text := range map[string]string{"chain": chain, "key": key} {
		part, err := form.CreateFormFile(name, name+".pem")
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = part.Write([]byte(text))
	}
	_ = form.Close()
	return s.submit(scheme+"://pronto.local/certificate?lang=en", form.FormDataContentType(), &body, access.Owner)
}

func TestACertificateIsUploadedOverHTTPSCheckedUsedAndUndone(t *testing.T) {
	s := proven(t)
	if w := s.give("http", settingstest.GoodChain, settingstest.GoodKey); w.Code != http.StatusForbidden || s.proof.Stands.Kind != "own" {
		t.Errorf("a key in the clear: %d", w.Code)
	}
	for name, tc := range map[string]struct{ chain, key, sentence string }{
		"a picture": {"\x89PNG", settingstest.GoodKey, "certificate.unread"}, "another key": {settingstest.GoodChain, "x", "certificate.pair"}, "nothing": {"", "", "certificate.unread"},
	} {
		if w := s.give("https", tc.chain, tc.key); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "<code>"+tc.sentence+"</code>") || s.proof.Stands.Kind != "own" {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.give("https", strings.Repeat("x", pemLimit), ""); w.Code != http.StatusBadRequest {
		t.Errorf("a file that is too large: %d", w.Code)
	}
	if w := s.give("https", settingstest.GoodChain, settingstest.GoodKey); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/certificate?done=given&lang=en" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := s.overTLS(http.MethodGet, "/certificate?lang=en&done=given", nil); !strings.Contains(w.Body.String(), "The new certificate is in use") || !strings.Contains(w.Body.String(), "01:23:45:67:89:AB:CD:EF:01") {
		t.Errorf("%s", w.Body)
	}
	if status, to := s.post("/certificate/undo", nil); status != http.StatusSeeOther || to != "/certificate?done=undone" || s.proof.Stands.Kind != "own" {
		t.Errorf("%d %s", status, to)
	}
	s.proof.Stands.Undo = false
	if status, body := s.post("/certificate/withdraw?lang=en", nil); status != http.StatusUnprocessableEntity || !strings.Contains(body, "certificate.first") {
		t.Errorf("%d %s", status, body)
	}
	s.proof.Err = errors.New("the disk is full")
	if w := s.give("https", settingstest.GoodChain, settingstest.GoodKey); w.Code != http.StatusInternalServerError {
		t.Errorf("a disk that fails: %d", w.Code)
	}
	if got := s.deeds(); !slices.Equal(got, []access.Deed{access.DeedCertificate, access.DeedCertificateUndone}) {
		t.Errorf("the audit log says %v", got)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/certificate", as: access.Installer}); w.Code != http.StatusForbidden {
		t.Errorf("an installer: %d", w.Code)
	}
}

func TestThePagesOfTheCertificateLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := proven(t)
		see := func(name string) {
			t.Helper()
			look(t, lang, "certificate-"+name, s.overTLS(http.MethodGet, "/certificate?lang="+lang, nil).Body.String())
		}
		see("own")
		s.proof.Stands.Kind, s.proof.Stands.Undo, s.proof.Stands.Alone, s.proof.Stands.Uncovered, s.proof.Stands.Issuer = "given", true, true, []string{hostile}, "CN="+hostile
		see("given")
		look(t, lang, "certificate-clear", s.do(ask{method: http.MethodGet, path: "/certificate?lang=" + lang, as: access.Owner}).Body.String())
		s.proof.Stands.Kind = "files"
		see("files")
		s.proof.Stands = page.CertificateState{}
		see("none")
	}
}
