package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/view"
)

func TestOnlyTheOwnerPermitsRTPInTracesAndOnlyWhereNobodyListensIn(t *testing.T) {
	s := office(t)
	s.traces.State = settingstest.TracesOf("x")
	whole := url.Values{"of": {"phone:201"}, "span": {"60"}, "why": {"  audio in un\nsenso "}}
	for name, c := range map[string]struct {
		as   access.Role
		tls  bool
		want int
	}{
		"an installer":                     {access.Installer, true, http.StatusForbidden},
		"a supervisor":                     {access.Supervisor, true, http.StatusForbidden},
		"an agent":                         {access.Agent, true, http.StatusForbidden},
		"a stranger":                       {"", true, http.StatusUnauthorized},
		"the owner where others listen in": {access.Owner, false, http.StatusForbidden},
	} {
		for _, path := range []string{"/traces", "/traces/stop", "/traces/delete"} {
			if path != "/traces" && c.as == access.Owner {
				continue // whoever listens in may see that it ends
			}
			if w := s.do(ask{method: http.MethodPost, path: path, as: c.as, form: whole, tls: c.tls}); w.Code != c.want {
				t.Errorf("%s, %s: %d, want %d", name, path, w.Code, c.want)
			}
		}
	}
	if len(s.traces.Permitted)+len(s.traces.Stopped)+len(s.traces.Deleted) > 0 {
		t.Fatalf("%+v", s.traces)
	}
	owner := settings.By{User: "anna", From: "192.168.1.20"}
	w := s.do(ask{method: http.MethodPost, path: "/traces", as: access.Owner, form: whole, tls: true})
	if want := (settingstest.Permitted{Of: "phone:201", Span: time.Hour, Why: "audio in un senso", By: owner}); w.Code != http.StatusSeeOther || len(s.traces.Permitted) != 1 || s.traces.Permitted[0] != want {
		t.Errorf("the owner: %d %+v", w.Code, s.traces.Permitted)
	}
	for _, path := range []string{"/traces/stop", "/traces/delete"} {
		s.do(ask{method: http.MethodPost, path: path, as: access.Owner})
	}
	if len(s.traces.Stopped) != 1 || len(s.traces.Deleted) != 1 || s.traces.Stopped[0] != owner || s.traces.Deleted[0] != owner {
		t.Errorf("%+v", s.traces)
	}
}

func TestWhyRTPIsNotKeptIsSaidAndWhatWasTypedStays(t *testing.T) {
	s := office(t)
	s.traces.State = settingstest.TracesOf("x")
	for _, sentence := range []string{"traces.basis", "traces.unknown", "traces.span", "traces.whyless", "traces.running"} {
		s.traces.Refuse = settings.Refusal{Sentence: sentence}
		w := s.do(ask{method: http.MethodPost, path: "/traces", as: access.Owner, tls: true, form: url.Values{"of": {"trunk:tim"}, "span": {"99999999999"}, "why": {hostile}}})
		body := w.Body.String()
		if w.Code != http.StatusConflict || !strings.Contains(body, `value="trunk:tim" selected`) || !strings.Contains(body, sentence) || strings.Contains(body, "⟦") || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d %s", sentence, w.Code, body)
		}
	}
}

func TestOnlyTheOwnerTakesATraceWithSound(t *testing.T) {
	s := ofSales(t)
	s.traces.State = settingstest.Traced("x", at)
	for _, role := range access.Roles() {
		w := s.do(ask{method: http.MethodGet, path: "/calls/c1/rtp.pcapng", as: role, tls: true})
		may := role == access.Owner
		if (w.Code == http.StatusOK) != may || strings.Contains(w.Body.String(), "sound of c1") != may {
			t.Errorf("%s: %d %q", role, w.Code, w.Body)
		}
		if w := s.do(ask{method: http.MethodGet, path: "/calls/c1/rtp.pcapng", as: role}); w.Code == http.StatusOK {
			t.Errorf("%s takes it where others listen in", role)
		}
		w = s.do(ask{method: http.MethodGet, path: "/calls/c1/sip?lang=en", as: role, tls: true})
		if strings.Contains(w.Body.String(), "/calls/c1/rtp.pcapng") != may {
			t.Errorf("%s is offered it: %v", role, !may)
		}
	}
	if len(s.traces.Taken) != 1 || s.traces.Taken[0] != (settings.By{User: "owner", From: "192.168.1.20"}) {
		t.Errorf("taken by %+v", s.traces.Taken)
	}
	if w := s.do(ask{method: http.MethodGet, path: "/calls/c9/rtp.pcapng?lang=en", as: access.Owner, tls: true}); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "No RTP of this call is kept") {
		t.Errorf("of a call of which none is kept: %d", w.Code)
	}
}

func TestTheRowOfWhatIsTracedSaysSo(t *testing.T) {
	s := office(t)
	for of, path := range map[string]string{"phone:201": "/people?lang=en", "trunk:tim": "/lines?lang=en", "line:gsm0": "/lines?lang=en"} {
		s.traces.State = settingstest.TracesOf("x")
		if _, body := s.get(path); strings.Contains(body, "Sound in a trace") {
			t.Errorf("%s: it is said of nobody", of)
		}
		s.traces.State.On = &page.TraceOn{Of: of, Until: at}
		if _, body := s.get(path); strings.Count(body, "Sound in a trace until") != 1 {
			t.Errorf("%s: not said once", of)
		}
	}
}

func TestHomeSaysOfWhomSoundIsKeptAndTheOwnerStopsItThere(t *testing.T) {
	kept := tel.RTPTraceChanged{On: true, Of: "trunk:tim", Name: hostile, By: "anna " + hostile, Until: at.Add(time.Hour)}
	for _, lang := range []string{"it", "en"} {
		m := emptyOffice()
		m.Apply(tel.LineChanged{Line: "trunk:tim", Name: "TIM", Type: "sip", Up: true, Cause: tel.LineOK})
		m.Apply(tel.AgentChanged{Agent: "bruno", Name: "Bruno", State: tel.AgentReady, Since: at})
		parts := m.Apply(kept)
		html, err := spoken(t)[lang].Office(m.Office(), page.Reader{Name: "anna", Role: access.Owner, Path: "/"}, at)
		if err != nil || len(parts) != 3 {
			t.Fatal(err, parts)
		}
		look(t, lang, "traces-home", string(html))
		kept.Of, kept.Agents = "phone:201", []tel.AgentID{"bruno"}
		m.Apply(kept)
		if o := m.Office(); !o.Agents[0].Traced || o.Lines[0].Traced {
			t.Errorf("%+v %+v", o.Agents, o.Lines)
		}
		kept.On = false
		m.Apply(kept)
		if o := m.Office(); o.Agents[0].Traced || o.Lines[0].Traced || o.Trace.On {
			t.Errorf("after its end: %+v", o)
		}
		kept = tel.RTPTraceChanged{On: true, Of: "trunk:tim", Name: hostile, By: "anna " + hostile, Until: at.Add(time.Hour)}
	}
	s := owned(t, newHub(t, func() *view.Model { m := emptyOffice(); m.Apply(kept); return m }))
	if _, body := s.get("/?lang=en"); !strings.Contains(body, `data-needs="own" method="post" action="/traces/stop?lang=en"`) {
		t.Error("no button on Home")
	}
}

func TestThePageOfTracesLooksAsReviewed(t *testing.T) {
	for _, lang := range []string{"it", "en"} {
		s := office(t)
		show := func(name string, a ask) {
			a.as, a.path = access.Owner, "/traces?lang="+lang
			look(t, lang, name, s.do(a).Body.String())
		}
		s.traces.State = settingstest.TracesOf(hostile)
		show("traces-none", ask{method: http.MethodGet, tls: true})
		show("traces-clear", ask{method: http.MethodGet})
		s.traces.Refuse = settings.Refusal{Sentence: "traces.whyless"}
		show("traces-wrong", ask{method: http.MethodPost, tls: true, form: url.Values{"of": {"phone:201"}, "span": {"60"}}})
		s.traces.State.Basis = false
		show("traces-basis", ask{method: http.MethodGet, tls: true})
		s.traces.State = settingstest.Traced(hostile, at)
		show("traces", ask{method: http.MethodGet, tls: true})
		s.traces.State.On, s.traces.State.Forget = nil, at.AddDate(0, 0, 1)
		show("traces-ended", ask{method: http.MethodGet, tls: true})
	}
}
