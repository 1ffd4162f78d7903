package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

const aCopy = "pronto-bottega-20260302T010000Z.age"

// safe is a box with backups, as its owner wants it.
func safe(t *testing.T) *site {
	s := office(t)
	s.backups.Stands = page.BackupState{Made: at, Tried: at, Name: aCopy, To: "/media/usb", Files: 123, Bytes: 4_560_000, Kit: at, Confirmed: at.Add(time.Minute)}
	s.backups.Copies = []page.Copy{{Name: aCopy, Made: at}}
	s.post("/backup/place", url.Values{"to": {"/media/usb"}})
	if status, body := s.post("/changes/apply", nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return s
}

// field is one of a form with a file; of the file the name is "file".
type field struct{ name, value string }

// sendFile posts a form with a file as a browser does, over HTTPS.
func (s *site) sendFile(path string, as access.Role, fields ...field) *httptest.ResponseRecorder {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, f := range fields {
		create := w.CreateFormField
		if f.name == "file" {
			name := "backup.age"
			if f.value == "" {
				name = ""
			}
			create = func(field string) (io.Writer, error) { return w.CreateFormFile(field, name) }
		}
		part, err := create(f.name)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = part.Write([]byte(f.value))
	}
	_ = w.Close()
	return s.submit("https://pronto.local"+path, w.FormDataContentType(), &body, as)
}

// submit posts a body as a browser does.
func (s *site) submit(to, kind string, body io.Reader, as access.Role) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, to, body)
	r.RemoteAddr = inTheOffice
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if as != "" {
		name, token := plainCookie, s.tokens[as]
		if r.TLS != nil {
			name, token = tlsCookie, sealedToken(token)
		}
		r.AddCookie(&http.Cookie{Name: name, Value: token})
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *site) deeds() (all []access.Deed) {
	for _, n := range s.notes {
		all = append(all, n.What)
	}
	return all
}

func (s *site) overTLS(method, path string, form url.Values) *httptest.ResponseRecorder {
	return s.do(ask{method: method, path: path, form: form, as: access.Owner, tls: true})
}

func TestAPlaceIsTriedBeforeItIsSaved(t *testing.T) {
	s := office(t)
	s.backups.Refuse = settings.Refusal{Sentence: "backup.refused", Detail: "no such host " + hostile}
	if status, body := s.post("/backup/place?lang=en", url.Values{"to": {"https://nas.local/backup"}, "user": {"box"}, "password": {"a-secret"}}); status != http.StatusConflict ||
		!strings.Contains(body, "no such host") || strings.Contains(body, "a-secret") || !strings.Contains(body, `value="https://nas.local/backup"`) {
		t.Errorf("a place that does not work: %d", status)
	}
	if got := s.backups.Tried; len(got) != 1 || got[0].To != "https://nas.local/backup" || string(got[0].Password) != "a-secret" {
		t.Fatalf("tried %+v", got)
	}
	s.backups.Refuse = settings.Refusal{}
	for _, wrong := range []url.Values{{"to": {"nas"}}, {"hour": {"25"}}, {"hour": {"noon"}}, {"to": {"s3://host"}}} {
		if status, body := s.post("/backup/place?lang=en", wrong); status != http.StatusUnprocessableEntity || !strings.Contains(body, `class="wrong"`) {
			t.Errorf("%v: %d", wrong, status)
		}
	}
	if len(s.backups.Tried) != 1 {
		t.Error("what is no place was tried")
	}
	if status, to := s.post("/backup/place", url.Values{"to": {"/media/usb"}, "hour": {"4"}}); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	s.post("/changes/apply", nil)
	if c := s.settings.Port().Current().Backup; c.To != "/media/usb" || c.Hour != 4 {
		t.Errorf("%+v", c)
	}
}

func TestABackupIsMadeOnDemandAndHandedOutOverHTTPSOnly(t *testing.T) {
	s := safe(t)
	if status, to := s.post("/backup/now", nil); status != http.StatusSeeOther || to != "/backup" || s.backups.Made != 1 {
		t.Fatalf("%d %s", status, to)
	}
	s.backups.Stands.Running = true
	if w := s.overTLS(http.MethodGet, "/backup?lang=en", nil); !strings.HasPrefix(w.Header().Get("Refresh"), "3;") || !strings.Contains(w.Body.String(), "looks again by itself") {
		t.Error("nobody sees that one is being made")
	}
	if w := s.overTLS(http.MethodGet, "/backup/copy/"+aCopy, nil); w.Code != http.StatusOK || w.Body.String() != settingstest.Whole+" "+aCopy || !strings.Contains(w.Header().Get("Content-Disposition"), aCopy) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/backup/copy/" + aCopy, as: access.Owner}); w.Code != http.StatusSeeOther || strings.Contains(w.Body.String(), settingstest.Whole) {
		t.Errorf("in the clear: %d", w.Code)
	}
	if w := s.overTLS(http.MethodGet, "/backup/copy/..%2fpronto.yaml", nil); w.Code != http.StatusConflict {
		t.Errorf("what is no backup: %d", w.Code)
	}
	s.backups.Refuse = settings.Refusal{Sentence: "backup.absent"}
	if status, _ := s.post("/backup/now", nil); status != http.StatusConflict {
		t.Errorf("nobody makes any: %d", status)
	}
	if got := s.deeds(); !slices.Equal(got[len(got)-2:], []access.Deed{access.DeedBackup, access.DeedBackupTaken}) {
		t.Errorf("the audit log says %v", got)
	}
}

func TestTheKitIsShownOnceOverHTTPSAndConfirmedByItsEnd(t *testing.T) {
	s := office(t)
	if status, body := s.plainly("/backup/kit", nil); status != http.StatusForbidden || strings.Contains(body, "AGE-SECRET") {
		t.Errorf("in the clear: %d", status)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/backup/kit", as: access.Installer, tls: true}); w.Code != http.StatusForbidden {
		t.Errorf("an installer: %d", w.Code)
	}
	w := s.overTLS(http.MethodPost, "/backup/kit?lang=en", nil)
	body := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(body, "AGE-SECRET-KEY-1 QYQS") ||
		!strings.Contains(body, s.accounts.Code().String()) || !strings.Contains(body, "data:text/plain;charset=utf-8,Recovery%20kit") {
		t.Fatalf("%d %v %s", w.Code, w.Header(), body)
	}
	if w := s.overTLS(http.MethodGet, "/backup", nil); strings.Contains(w.Body.String(), "AGE-SECRET") {
		t.Error("it is shown again")
	}
	for end, want := range map[string]int{"NONSENSE": http.StatusUnprocessableEntity, "": http.StatusUnprocessableEntity, settingstest.KitSecret[len(settingstest.KitSecret)-8:]: http.StatusSeeOther} {
		if w := s.overTLS(http.MethodPost, "/backup/kit/confirm", url.Values{"end": {end}}); w.Code != want {
			t.Errorf("%q: %d", end, w.Code)
		}
	}
	s.backups.Err = errors.New("the disk is full")
	if w := s.overTLS(http.MethodPost, "/backup/kit", nil); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "AGE-SECRET") {
		t.Errorf("a kit that was not kept: %d", w.Code)
	}
	if got := s.deeds(); !slices.Equal(got, []access.Deed{access.DeedKitMade, access.DeedKitConfirmed}) {
		t.Errorf("the audit log says %v", got)
	}
}

// order is the form of a restore, with the code and the key that are right.
func rightOrder(s *site, file string) []field {
	return []field{{"code", s.accounts.Code().String()}, {"key", settingstest.KitSecret}, {"part", "config"}, {"part", "people"}, {"file", file}}
}

func TestARestoreAsksForTheCodeAndTheKeyAndTellsWhatLiesReady(t *testing.T) {
	s := safe(t)
	s.backups.Foreign = true
	w := s.sendFile("/backup/restore?lang=en", access.Owner, rightOrder(s, settingstest.Whole)...)
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.Contains(body, "The backup of Bar Centrale") || !strings.Contains(body, "<strong>tim</strong>") || len(s.backups.Staged) != 1 || s.backups.Staged[0].User != "anna" {
		t.Fatalf("%d %s", w.Code, body)
	}
	code := url.Values{"code": {s.accounts.Code().String()}}
	if w := s.overTLS(http.MethodPost, "/backup/restore/lines", url.Values{"code": {"0000-0000-0"}}); w.Code != http.StatusForbidden || s.backups.Carried {
		t.Errorf("the lines without the code: %d", w.Code)
	}
	if w := s.overTLS(http.MethodPost, "/backup/restore/lines?lang=en", code); w.Code != http.StatusOK || !s.backups.Carried || !strings.Contains(w.Body.String(), "must stay off") {
		t.Errorf("the lines: %d", w.Code)
	}
	if w := s.overTLS(http.MethodPost, "/backup/restore/start?lang=en", code); w.Code != http.StatusOK || s.backups.Starts != 1 || !strings.Contains(w.Body.String(), "The box restarts") {
		t.Errorf("the start: %d", w.Code)
	}
	if w := s.overTLS(http.MethodPost, "/backup/restore/forget", code); w.Code != http.StatusOK || s.backups.Standby != nil {
		t.Errorf("forgetting: %d", w.Code)
	}
	if got := s.deeds(); !slices.Contains(got, access.DeedRestore) || !slices.Contains(got, access.DeedRestoreForgot) {
		t.Errorf("the audit log says %v", got)
	}
	order := rightOrder(s, "")
	order = slices.Insert(order, 4, field{"copy", aCopy})
	if w := s.sendFile("/backup/restore?lang=en", access.Owner, order...); w.Code != http.StatusOK || len(s.backups.Staged) != 2 {
		t.Errorf("out of the place: %d %s", w.Code, w.Body)
	}
}

func TestWhatCannotBeRestoredChangesNothingAndSaysWhy(t *testing.T) {
	s := safe(t)
	good := rightOrder(s, settingstest.Whole)
	with := func(at int, f field) []field { all := slices.Clone(good); all[at] = f; return all }
	for _, c := range []struct {
		name, sentence string
		order          []field
		status         int
	}{
		{"a wrong code", "door.code_wrong", with(0, field{"code", access.NewCode().String()}), http.StatusForbidden},
		{"a key that is none", "restore.no_key", with(1, field{"key", "AGE-SECRET"}), http.StatusUnprocessableEntity},
		{"no part", "restore.part", []field{good[0], good[1], good[4]}, http.StatusUnprocessableEntity},
		{"a part that is none", "restore.part", with(2, field{"part", "../etc"}), http.StatusUnprocessableEntity},
		{"no file", "restore.nothing", good[:4], http.StatusUnprocessableEntity},
		{"an empty choice", "restore.nothing", with(4, field{"file", ""}), http.StatusUnprocessableEntity},
		{"the file before the code", "door.code_wrong", []field{good[4], good[0], good[1], good[2]}, http.StatusForbidden},
		{"a picture", "restore.damaged", with(4, field{"file", "\x89PNG" + strings.Repeat("x", 1<<20)}), http.StatusUnprocessableEntity},
		{"a backup that is not there", "backup.refused", slices.Insert(slices.Clone(good), 4, field{"copy", "../etc/passwd"}), http.StatusConflict},
		{"a form of a megabyte in one field", "restore.no_key", with(1, field{"key", strings.Repeat("A", 1<<20)}), http.StatusUnprocessableEntity},
	} {
		w := s.sendFile("/backup/restore", access.Owner, c.order...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), "<code>"+c.sentence+"</code>") || len(s.backups.Staged) > 0 {
			t.Errorf("%s: %d, want %d with %s\n%s", c.name, w.Code, c.status, c.sentence, w.Body)
		}
	}
	if w := s.overTLS(http.MethodPost, "/backup/restore", url.Values{"code": {"x"}}); w.Code != http.StatusBadRequest {
		t.Errorf("no multipart form: %d", w.Code)
	}
	s.backups.Err = errors.New("the disk is full")
	if w := s.sendFile("/backup/restore", access.Owner, good...); w.Code != http.StatusInternalServerError {
		t.Errorf("a disk that fails: %d", w.Code)
	}
	if w := s.do(ask{method: http.MethodPost, path: "/backup/restore", as: access.Owner}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "<code>insecure</code>") {
		t.Errorf("in the clear: %d", w.Code)
	}
}

func TestABoxWithoutAnOwnerIsRestoredByWhoHasItsLabel(t *testing.T) {
	s := newSite(t, newHub(t, emptyOffice))
	if w := s.do(ask{method: http.MethodGet, path: "/restore?lang=en", tls: true}); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `action="/restore?lang=en"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/restore", tls: true, from: farAway}); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "<form class") {
		t.Errorf("from the Internet: %d", w.Code)
	}
	order := rightOrder(s, settingstest.Whole)
	order[0].value = access.NewCode().String()
	if w := s.sendFile("/restore", "", order...); w.Code != http.StatusForbidden || s.backups.Standby != nil {
		t.Errorf("with a wrong code: %d", w.Code)
	}
	if w := s.sendFile("/restore?lang=en", "", rightOrder(s, settingstest.Whole)...); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "The backup of Bar Centrale") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/restore?lang=en", tls: true}); strings.Contains(w.Body.String(), "Bar Centrale") {
		t.Error("who does not know the code is told what lies ready")
	}
	code := url.Values{"code": {s.accounts.Code().String()}}
	if w := s.do(ask{method: http.MethodPost, path: "/restore/start", form: code, tls: true}); w.Code != http.StatusOK || s.backups.Starts != 1 {
		t.Errorf("%d", w.Code)
	}
	if w := owned(t, newHub(t, emptyOffice)).do(ask{method: http.MethodPost, path: "/restore/start", form: code, tls: true}); w.Code != http.StatusSeeOther {
		t.Errorf("of a box that has an owner: %d", w.Code)
	}
}

func TestThePagesOfTheBackupsLookAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		see := func(name string, w *httptest.ResponseRecorder) {
			t.Helper()
			look(t, lang, "backup-"+name, w.Body.String())
		}
		s := office(t)
		see("none", s.overTLS(http.MethodGet, "/backup?lang="+lang, nil))
		see("clear", s.do(ask{method: http.MethodGet, path: "/backup?lang=" + lang, as: access.Owner}))
		s.backups.Stands.Away = true
		see("away", s.overTLS(http.MethodGet, "/backup?lang="+lang, nil))
		s = safe(t)
		see("full", s.overTLS(http.MethodGet, "/backup?lang="+lang, nil))
		see("restore", s.overTLS(http.MethodGet, "/backup/restore?lang="+lang, nil))
		see("restore-clear", s.do(ask{method: http.MethodGet, path: "/backup/restore?lang=" + lang, as: access.Owner}))
		s.backups.Standby = &page.Ready{Office: hostile, Made: at, Parts: []string{"config", "people", "voicemail", "queues", "costs", "texts", "recordings", "records"}, Files: 12, Foreign: true, Off: []string{hostile}}
		see("ready", s.overTLS(http.MethodGet, "/backup/restore?lang="+lang, nil))
		s.backups.Stands.Confirmed, s.backups.Stands.Failed = time.Time{}, "write the backup: "+hostile
		s.backups.Refuse = settings.Refusal{Sentence: "backup.refused", Detail: hostile}
		s.config.Recordings = &tapes{all: make([]page.Recording, 4)}
		var err error
		if s.Handler, err = New(s.config); err != nil {
			t.Fatal(err)
		}
		see("failed", s.overTLS(http.MethodGet, "/backup?lang="+lang, nil))
	}
}

// beside is a connection from the box itself.
type beside struct{ net.Conn }

func (beside) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000} }

func TestAnUploadMayTakeLongerThanARequestMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := safe(t)
		ctx, cancel := context.WithCancel(t.Context())
		served, l := make(chan error, 1), make(pipes, 1)
		go func() { served <- front.Serve(ctx, l, s, nil) }()
		ours, theirs := net.Pipe()
		l <- beside{theirs}
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, f := range rightOrder(s, "") {
			if f.name != "file" {
				_ = form.WriteField(f.name, f.value)
			}
		}
		part, err := form.CreateFormFile("file", "backup.age")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write([]byte(settingstest.Whole + strings.Repeat(" ", 4<<20)))
		_ = form.Close()
		answer := make(chan *http.Response, 1)
		go func() {
			res, err := http.ReadResponse(bufio.NewReader(ours), nil) //nolint:bodyclose // the pipe is closed below
			if err != nil {
				t.Error(err)
			}
			answer <- res
		}()
		if _, err := fmt.Fprintf(ours, "POST /backup/restore?lang=en HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nCookie: %s=%s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			plainCookie, s.tokens[access.Owner], form.FormDataContentType(), body.Len()); err != nil {
			t.Fatal(err)
		}
		began, piece := time.Now(), body.Len()/8+1
		for body.Len() > 0 {
			if _, err := ours.Write(body.Next(piece)); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			time.Sleep(20 * time.Second)
		}
		if res := <-answer; res == nil || res.StatusCode != http.StatusOK || len(s.backups.Staged) != 1 {
			t.Errorf("%v", res)
		}
		_ = ours.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
