package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/voice"
)

const greetingSound = "/messages/sound/it/greeting"

// sends a file of a form as the owner does.
func (s *site) sends(path, name string, file io.Reader) *httptest.ResponseRecorder {
	s.t.Helper()
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("file", name); err != nil {
		s.t.Fatal(err)
	}
	kind, tail := form.FormDataContentType(), "\r\n--"+form.Boundary()+"--\r\n"
	return s.do(ask{
		method: http.MethodPost, path: path, as: access.Owner, body: io.MultiReader(&head, file, strings.NewReader(tail)),
		header: http.Header{"Content-Type": {kind}},
	})
}

func TestAFileBecomesTheSoundOfAMessage(t *testing.T) {
	s := office(t)
	w := s.sends(greetingSound, "../../../etc/passwd", strings.NewReader("loud buongiorno"))
	to := w.Header().Get("Location")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(to, "/messages/sentence/greeting?") || s.voice.Get("it/greeting") != "loud buongiorno" {
		t.Fatalf("%d %s, the sound is %q", w.Code, to, s.voice.Get("it/greeting"))
	}
	if by := s.voice.By[0]; by != (settings.By{User: "anna", From: "192.168.1.20"}) {
		t.Errorf("by %v", by)
	}
	_, body := s.get(to + "&lang=en")
	for _, want := range []string{"In use: 15.0 seconds.", "1.2 s of silence were cut.", "made 6.4 dB louder", "too loud and rattles", "Back to the box&#39;s own"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, body := s.get("/messages?lang=it"); !strings.Contains(body, `href="/messages/sentence/greeting?lang=it">greeting (it)</a> <small>tuo</small>`) {
		t.Error("the list does not say whose it is")
	}
	for path, want := range map[string]string{greetingSound: "loud buongiorno", greetingSound + "?box=1": "the box says it/greeting"} {
		w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner})
		if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "audio/wav" {
			t.Errorf("%s: %d %s %q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
	w = s.do(ask{method: http.MethodGet, path: greetingSound, as: access.Owner, header: http.Header{"Range": {"bytes=5-9"}}})
	if w.Code != http.StatusPartialContent || w.Body.String() != "buong" {
		t.Errorf("a piece of it, as browsers ask: %d %q", w.Code, w.Body)
	}
	s.post(greetingSound+"/remove", nil)
	if status, _ := s.get(greetingSound); status != http.StatusNotFound || s.voice.Get("it/greeting") != "" {
		t.Errorf("it is still there: %d", status)
	}
}

func TestWhatTheBrowserRecordsIsAnsweredForItsScript(t *testing.T) {
	s := office(t)
	record := func(body string) (int, map[string]string) {
		w := s.do(ask{
			method: http.MethodPost, path: "/messages/sound/own/ferie?lang=en", as: access.Owner, body: strings.NewReader(body),
			header: http.Header{"Content-Type": {"audio/wav"}},
		})
		var told map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil {
			t.Errorf("%v: %s", err, w.Body)
		}
		return w.Code, told
	}
	if status, told := record("RIFF"); status != http.StatusOK || !strings.HasPrefix(told["to"], "/messages/own/ferie?") || s.voice.Get("ferie") != "RIFF" {
		t.Errorf("%d %v", status, told)
	}
	s.voice.Refuse = settings.Refusal{Sentence: "voice.silent", Detail: "nothing can be heard: -80 LUFS"}
	if status, told := record("RIFFRIFF"); status != http.StatusUnprocessableEntity || !strings.HasPrefix(told["error"], "Nothing can be heard in it.") || s.voice.Get("ferie") != "RIFF" {
		t.Errorf("%d %v", status, told)
	}
}

// endless is a file of which somebody counts what was read.
type endless struct{ read, most int }

func (e *endless) Read(b []byte) (int, error) {
	if e.most > 0 && e.read >= e.most {
		return 0, io.EOF
	}
	clear(b)
	e.read += len(b)
	return len(b), nil
}

func TestWhatIsTooLargeIsRefusedBeforeItIsRead(t *testing.T) {
	s := office(t)
	s.voice.Put("it/greeting", "as before")
	file := &endless{most: 1 << 30}
	r := httptest.NewRequest(http.MethodPost, "http://pronto.local"+greetingSound+"?lang=en", file)
	r.ContentLength, r.RemoteAddr = 1<<30, inTheOffice
	r.Header.Set("Content-Type", "audio/wav")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: plainCookie, Value: s.tokens[access.Owner]})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "too large") || file.read > 0 {
		t.Errorf("1 GB: %d %s, %d bytes were read", w.Code, w.Body, file.read)
	}
	file = &endless{} // which does not say how large it is
	if w := s.sends(greetingSound+"?lang=en", "x.wav", file); w.Code != http.StatusRequestEntityTooLarge || file.read > soundLimit+1<<20 || !strings.Contains(w.Body.String(), "voice.large") {
		t.Errorf("without end: %d, %d bytes were read", w.Code, file.read)
	}
	if got := s.voice.Get("it/greeting"); got != "as before" {
		t.Errorf("the sound is now of %d bytes", len(got))
	}
}

type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, errors.New("the cable is out") }

func TestWhatIsNoSoundIsRefusedInFourPartsAndNothingChanges(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*site) *httptest.ResponseRecorder
		want string
	}{
		"no file": {func(s *site) *httptest.ResponseRecorder {
			return s.sends(greetingSound+"?lang=en", "", strings.NewReader("x"))
		}, "voice.none"},
		"no form": {func(s *site) *httptest.ResponseRecorder {
			return s.do(ask{method: http.MethodPost, path: greetingSound + "?lang=en", as: access.Owner})
		}, "voice.none"},
		"a connection that breaks": {func(s *site) *httptest.ResponseRecorder { return s.sends(greetingSound+"?lang=en", "x", torn{}) }, "voice.unread"},
		"what the box refuses": {func(s *site) *httptest.ResponseRecorder {
			s.voice.Refuse = settings.Refusal{Sentence: "voice.kind", Detail: "it begins with " + hostile}
			return s.sends(greetingSound+"?lang=en", "x.wav", strings.NewReader("x"))
		}, "voice.kind"},
		"a disk that fails": {func(s *site) *httptest.ResponseRecorder {
			s.voice.Refuse = settings.Refusal{Sentence: "voice.disk"}
			return s.sends(greetingSound+"?lang=en", "x.wav", strings.NewReader("x"))
		}, "voice.disk"},
		"a text without letters": {func(s *site) *httptest.ResponseRecorder {
			return s.do(ask{method: http.MethodPost, path: greetingSound + "/speak?lang=en", as: access.Owner, form: url.Values{"text": {" \n "}}})
		}, "voice.text"},
		"a text without end": {func(s *site) *httptest.ResponseRecorder {
			return s.do(ask{method: http.MethodPost, path: greetingSound + "/speak?lang=en", as: access.Owner, form: url.Values{"text": {strings.Repeat("è", voice.MaxText+1)}}})
		}, "voice.text"},
		"a language of nobody": {func(s *site) *httptest.ResponseRecorder {
			return s.do(ask{method: http.MethodPost, path: "/messages/sound/own/ferie/speak?lang=en", as: access.Owner, form: url.Values{"text": {"x"}, "tongue": {"-w/etc/passwd"}}})
		}, "voice.synthesiser"},
		"a person without a phone": {func(s *site) *httptest.ResponseRecorder {
			s.voice.No = "voice.no_phone"
			return s.do(ask{method: http.MethodPost, path: greetingSound + "/ring?lang=en", as: access.Owner, form: url.Values{"person": {hostile}}})
		}, "voice.no_phone"},
	} {
		s := office(t)
		s.voice.Put("it/greeting", "as before")
		w := c.do(s)
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, "<code>"+c.want+"</code>") || strings.Contains(body, "⟦") || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d, not %s: %s", name, w.Code, c.want, body)
		}
		if s.voice.Get("it/greeting") != "as before" || s.voice.Get("ferie") != "" {
			t.Errorf("%s: a sound has changed", name)
		}
	}
}

func TestNamesThatNobodyHasAreNotFound(t *testing.T) {
	s := office(t)
	for _, name := range []string{"it/none", "xx/greeting", "own/none", "own/..%2F..%2Fpronto.yaml", "it/..%2Fgreeting", "own/it%2Fgreeting", "own/" + url.PathEscape(hostile), "it/tone_beep"} {
		path := "/messages/sound/" + name
		if w := s.do(ask{method: http.MethodGet, path: path, as: access.Owner}); w.Code != http.StatusNotFound {
			t.Errorf("hearing %s: %d", name, w.Code)
		}
		for _, do := range []string{"", "/ring", "/speak", "/remove", "/undo"} {
			if status, body := s.post(path+do, url.Values{"text": {"x"}}); status != http.StatusNotFound || strings.Contains(body, "<script>alert") {
				t.Errorf("%s%s: %d", name, do, status)
			}
		}
	}
	if len(s.voice.By)+len(s.voice.Rung)+len(s.voice.Said) > 0 {
		t.Error("something was changed")
	}
}

func TestAPhoneRingsAndTheComputerSpeaks(t *testing.T) {
	s := office(t)
	if status, to := s.post(greetingSound+"/ring", url.Values{"person": {"bruno"}}); status != http.StatusSeeOther || to != "/messages/sentence/greeting?rings=bruno" || s.voice.Rung[0] != "bruno it/greeting" {
		t.Errorf("%d %s %v", status, to, s.voice.Rung)
	}
	if _, body := s.get("/messages/sentence/greeting?rings=bruno&lang=en"); !strings.Contains(body, "The phone of Bruno rings") {
		t.Error("the page does not say what rings")
	}
	if status, _ := s.post("/messages/sound/own/ferie/speak", url.Values{"text": {"Siamo\nin ferie."}, "tongue": {"it"}}); status != http.StatusSeeOther || s.voice.Said[0] != "it: Siamo in ferie." {
		t.Errorf("%d %q", status, s.voice.Said)
	}
}

func TestAMessageIsAddedNamedAndTakenAway(t *testing.T) {
	s := office(t)
	if status, to := s.post("/messages/name", url.Values{"name": {"Saluti. Natale"}, "number": {"2"}, "was-number": {"2"}}); status != http.StatusSeeOther || to != "/changes" {
		t.Fatalf("%d %s", status, to)
	}
	if _, body := s.get("/changes?lang=en"); !strings.Contains(body, "Saluti. Natale") || !strings.Contains(body, "voice message") {
		t.Error("the review does not name it")
	}
	if w := s.sends("/messages/sound/own/saluti-natale", "x.mp3", strings.NewReader("din don")); w.Code != http.StatusSeeOther {
		t.Errorf("its sound, before it is applied: %d %s", w.Code, w.Body)
	}
	s.post("/changes/apply", nil)
	if p := s.settings.Port().Current().Prompts.List[1]; p.ID != "saluti-natale" || p.Number != "2" {
		t.Errorf("%+v", p)
	}
	if _, body := s.get("/messages?lang=en"); !strings.Contains(body, "Saluti. Natale") || !strings.Contains(body, "no sound yet") {
		t.Error("the list lacks it, or does not say that the other has no sound")
	}
	if status, body := s.post("/messages/name/ferie/remove?lang=en", nil); status != http.StatusConflict || !strings.Contains(body, "menus[0].greeting[0]") {
		t.Errorf("what a menu says is taken away: %d", status)
	}
	if status, to := s.post("/messages/name/saluti-natale/remove", nil); status != http.StatusSeeOther || to != "/changes" {
		t.Errorf("%d %s", status, to)
	}
}

// Two people send a sound at once: one of the two is kept, whole.
func TestTwoSoundsAtOnceDoNotMix(t *testing.T) {
	s := office(t)
	var both sync.WaitGroup
	for _, x := range []string{"a", "b"} {
		both.Go(func() {
			if w := s.sends(greetingSound, "x.wav", strings.NewReader(strings.Repeat(x, 1<<20))); w.Code != http.StatusSeeOther {
				t.Errorf("%s: %d", x, w.Code)
			}
		})
	}
	both.Wait()
	if got := s.voice.Get("it/greeting"); len(got) != 1<<20 || strings.Trim(got, got[:1]) != "" {
		t.Errorf("%d bytes, of both", len(got))
	}
}

// Over a real connection: the answer comes while the sender has not sent a byte of its gigabyte.
func TestAGigabyteIsRefusedWhileItIsStillAtHome(t *testing.T) {
	s := office(t)
	box := httptest.NewServer(s)
	defer box.Close()
	c, err := net.Dial("tcp", box.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = fmt.Fprintf(c, "POST %s?lang=en HTTP/1.1\r\nHost: pronto.local\r\nOrigin: http://pronto.local\r\nCookie: %s=%q\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n",
		greetingSound, plainCookie, s.tokens[access.Owner], 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil || r.StatusCode != http.StatusRequestEntityTooLarge || !r.Close || !strings.Contains(string(body), "too large") {
		t.Errorf("%d %s %v", r.StatusCode, body, err)
	}
}
