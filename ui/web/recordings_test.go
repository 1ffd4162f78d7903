package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
)

// tapes are recordings in memory.
type tapes struct {
	all   []page.Recording
	deeds []string
	fails error

	checked page.Checked
}

func (x *tapes) Parts([]string) []page.Recording { return slices.Clone(x.all) }

func (x *tapes) Part(id string) (page.Recording, bool) {
	for _, r := range x.all {
		if r.ID == id {
			return r, true
		}
	}
	return page.Recording{}, false
}

func (x *tapes) Total() (int, int64) { return len(x.all), 12_340_000 }

func (x *tapes) Check() { x.deeds = append(x.deeds, "check") }

func (x *tapes) Checked() page.Checked { return x.checked }

type sound struct{ *bytes.Reader }

func (sound) Close() error { return nil }

func (x *tapes) Sound(id, by string, download bool) (io.ReadSeekCloser, error) {
	x.deeds = append(x.deeds, fmt.Sprint("sound ", id, " ", by, " ", download))
	return sound{bytes.NewReader([]byte("RIFF0123456789"))}, x.fails
}

func (x *tapes) Hold(id, by string, on bool) error {
	x.deeds = append(x.deeds, fmt.Sprint("hold ", id, " ", by, " ", on))
	return x.fails
}

func (x *tapes) Delete(id, by string) error {
	x.deeds = append(x.deeds, fmt.Sprint("delete ", id, " ", by))
	return x.fails
}

// tapedStory is the page of a call that was recorded.
var tapedStory = "/calls/c7?at=" + url.QueryEscape(at.Add(5*time.Hour).Format(time.RFC3339Nano))

// withTapes is an office whose sold call was recorded in two parts, and another one of another queue.
func withTapes(t *testing.T) (*site, *tapes) {
	t.Helper()
	s := ofSales(t)
	x := &tapes{all: []page.Recording{
		{
			ID: "c1-1", Began: at, Length: 75 * time.Second, Queue: "sales", Parties: []string{"trunk:tim", "phone:201"}, Purpose: "quality", Until: at.AddDate(0, 3, 0),
			Gaps: []page.Gap{{From: 10 * time.Second, To: 20 * time.Second, Why: "card"}, {From: 30 * time.Second, To: 40 * time.Second, Why: "hold"}},
		},
		{ID: "c1-2", Began: at.Add(2 * time.Minute), Length: time.Second, Queue: "sales", Parties: []string{hostile, hostile}, Purpose: hostile, Held: true, Cut: true, Lost: 2},
		{ID: "c1-3", Began: at.Add(3 * time.Minute), Queue: "sales", Running: true},
		{ID: "c9-1", Began: at, Length: time.Minute, Queue: "help"},
	}}
	s.config.Recordings = x
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
	taped := sold
	taped.Call, taped.Recordings = "c7", []tel.Recorded{{ID: "c1-1", Chain: "c1"}}
	taped.Started, taped.Answered, taped.Ended = at.Add(5*time.Hour), at.Add(5*time.Hour), at.Add(6*time.Hour)
	if err := s.records.PutCalls(t.Context(), store.Call{Pos: 50, CallEnded: taped}); err != nil {
		t.Fatal(err)
	}
	return s, x
}

func TestARecordingIsHeardOverHTTPSByWhoMayAndEachListeningIsToldWhose(t *testing.T) {
	s, x := withTapes(t)
	get := func(path string, a ask) (int, http.Header, string) {
		a.method, a.path = http.MethodGet, path
		w := s.do(a)
		return w.Code, w.Header(), w.Body.String()
	}
	sealed := ask{as: access.Supervisor, tls: true}
	_, _, body := get(tapedStory+"&lang=en", sealed)
	for _, want := range []string{`<audio controls preload="none" src="/recordings/c1-1/sound">`, "1:15", "TIM · Anna", "0:10–0:20", "Kept:", "2 pieces of sound", "Being recorded now"} {
		if !strings.Contains(body, want) {
			t.Errorf("the story does not say %q", want)
		}
	}
	if strings.Contains(body, "c9-1") || strings.Contains(body, "/delete") {
		t.Error("a supervisor sees what is not his, or may delete it")
	}
	if _, _, body := get(tapedStory+"&lang=en", ask{as: access.Owner}); strings.Contains(body, "<audio") || !strings.Contains(body, "Listen over HTTPS") {
		t.Error("over plain HTTP a recording is played")
	}
	status, h, body := get("/recordings/c1-1/sound", sealed)
	if status != http.StatusOK || h.Get("Content-Type") != "audio/wav" || h.Get("Cache-Control") != "no-store" || body != "RIFF0123456789" {
		t.Errorf("%d %v %q", status, h, body)
	}
	part := sealed
	part.header = http.Header{"Range": {"bytes=4-6"}}
	if status, _, body := get("/recordings/c1-1/sound", part); status != http.StatusPartialContent || body != "012" {
		t.Errorf("a part of it: %d %q", status, body)
	}
	if _, h, _ := get("/recordings/c1-1/sound?download=1", sealed); !strings.Contains(h.Get("Content-Disposition"), "attachment") || !strings.Contains(h.Get("Content-Disposition"), "c1-1.wav") {
		t.Errorf("downloaded as %q", h.Get("Content-Disposition"))
	}
	want := []string{"sound c1-1 supervisor false", "sound c1-1 supervisor false", "sound c1-1 supervisor true"}
	if !slices.Equal(x.deeds, want) {
		t.Errorf("told %q", x.deeds)
	}
	x.deeds = nil
	for _, c := range []struct {
		path string
		a    ask
		want int
	}{
		{"/recordings/c9-1/sound", sealed, http.StatusForbidden},
		{"/recordings/none/sound", sealed, http.StatusNotFound},
		{"/recordings/c1-1/sound", ask{as: access.Supervisor}, http.StatusSeeOther},
		{"/recordings/c1-1/sound", ask{as: access.Agent, tls: true}, http.StatusForbidden},
		{"/recordings/c1-1/sound", ask{as: access.Installer, tls: true}, http.StatusForbidden},
		{"/recordings/c1-1/sound", ask{tls: true}, http.StatusSeeOther}, // to the door
	} {
		if status, _, _ := get(c.path, c.a); status != c.want {
			t.Errorf("%s as %+v: %d, want %d", c.path, c.a, status, c.want)
		}
	}
	if len(x.deeds) > 0 {
		t.Errorf("refused, and yet %q", x.deeds)
	}
	x.fails = errors.New("the disk refuses")
	if status, _, body := get("/recordings/c1-1/sound?lang=en", sealed); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be heard now") {
		t.Errorf("a disk that refuses: %d", status)
	}
}

func TestTheOwnerAloneKeepsAndDeletesRecordings(t *testing.T) {
	s, x := withTapes(t)
	post := func(path string, as access.Role, back string) (int, string) {
		w := s.do(ask{method: http.MethodPost, path: path, as: as, tls: true, form: url.Values{"back": {back}}})
		return w.Code, w.Header().Get("Location")
	}
	for _, path := range []string{"/recordings/c1-1/hold", "/recordings/c1-1/release", "/recordings/c1-1/delete"} {
		if status, _ := post(path, access.Supervisor, "/"); status != http.StatusForbidden {
			t.Errorf("a supervisor at %s: %d", path, status)
		}
		if status, to := post(path, access.Owner, tapedStory); status != http.StatusSeeOther || to != tapedStory {
			t.Errorf("%s: %d, on to %q", path, status, to)
		}
	}
	if want := []string{"hold c1-1 owner true", "hold c1-1 owner false", "delete c1-1 owner"}; !slices.Equal(x.deeds, want) {
		t.Errorf("done: %q", x.deeds)
	}
	if _, to := post("/recordings/c1-1/hold", access.Owner, "https://evil.example/"); to != "/" {
		t.Errorf("on to %q", to)
	}
	if status, _ := post("/recordings/none/delete", access.Owner, "/"); status != http.StatusNotFound {
		t.Errorf("none: %d", status)
	}
	x.fails = errors.New("it is held")
	if status, _ := post("/recordings/c1-1/delete", access.Owner, "/"); status != http.StatusConflict {
		t.Errorf("one that is held: %d", status)
	}
	for _, lang := range []string{"it", "en"} {
		w := s.do(ask{method: http.MethodGet, path: tapedStory + "&lang=" + lang, as: access.Owner, tls: true})
		look(t, lang, "calls-recorded", w.Body.String())
	}
}
