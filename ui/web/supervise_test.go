package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

// wish is what the box was asked to do.
type wish struct {
	by, agent tel.AgentID
	mode      tel.SupervisionMode
}

func TestASupervisorChoosesByAFormAndIsToldWhyNot(t *testing.T) {
	kept := access.State{Code: access.NewCode()}
	tokens := map[access.Role]string{}
	for _, r := range access.Roles() {
		u := access.User{Name: string(r), Role: r, Password: goodHash}
		if r == access.Supervisor || r == access.Agent {
			u.Agent = tel.AgentID("boss")
		}
		tokens[r] = "token of " + u.Name
		sum := sha256.Sum256([]byte(tokens[r]))
		kept.Users = append(kept.Users, u)
		kept.Sessions = append(kept.Sessions, access.Session{ID: base64.RawURLEncoding.EncodeToString(sum[:]), User: u.Name, Created: time.Now(), Seen: time.Now()})
	}
	s := siteOf(t, nil, kept)
	s.tokens = tokens
	post := func(as access.Role, agent, mode string, header http.Header) (status int, to, page string) {
		w := s.do(ask{method: http.MethodPost, path: "/supervise?lang=en", as: as, header: header, form: url.Values{"agent": {agent}, "mode": {mode}}})
		return w.Code, w.Header().Get("Location"), w.Body.String()
	}
	if status, to, _ := post(access.Supervisor, "anna", "whisper", nil); status != http.StatusSeeOther || to != "/?lang=en" {
		t.Errorf("%d to %q", status, to)
	}
	if len(s.wishes) != 1 || s.wishes[0] != (wish{"boss", "anna", tel.SuperviseWhisper}) {
		t.Errorf("asked for %v", s.wishes)
	}
	s.denied = "supervise.no_basis"
	if status, _, page := post(access.Supervisor, "anna", "whisper", nil); status != http.StatusForbidden || !strings.Contains(page, "No legal basis") {
		t.Errorf("refused: %d %s", status, page)
	}
	s.wishes, s.denied = nil, ""
	for name, c := range map[string]struct {
		as          access.Role
		agent, mode string
		header      http.Header
		status      int
	}{
		"a mode that does not exist":    {as: access.Supervisor, agent: "anna", mode: "record", status: http.StatusBadRequest},
		"nobody named":                  {as: access.Supervisor, mode: "listen", status: http.StatusBadRequest},
		"a form of another site":        {as: access.Supervisor, agent: "anna", mode: "listen", header: http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://evil.example"}}, status: http.StatusForbidden},
		"an agent":                      {as: access.Agent, agent: "anna", mode: "listen", status: http.StatusForbidden},
		"a screen on the wall":          {as: access.Reader, agent: "anna", mode: "listen", status: http.StatusForbidden},
		"an owner who has no extension": {as: access.Owner, agent: "anna", mode: "listen", status: http.StatusForbidden},
		"nobody who is signed in":       {agent: "anna", mode: "listen", status: http.StatusUnauthorized},
	} {
		if status, _, page := post(c.as, c.agent, c.mode, c.header); status != c.status {
			t.Errorf("%s: %d %s", name, status, page)
		}
	}
	if len(s.wishes) > 0 {
		t.Errorf("carried out: %v", s.wishes)
	}
}

// The live page has a link for each conversation; what it leads to is there while there is one, and somebody may
// supervise at all.
func TestTheWaysToTakePartStandOnTheAgentsPageWhileTheAgentTalks(t *testing.T) {
	for _, c := range []struct {
		name   string
		state  tel.AgentState
		office bool // supervises
		as     access.Role
		want   bool
	}{
		{"talking", tel.AgentTalking, true, access.Supervisor, true},
		{"on hold", tel.AgentHold, true, access.Owner, true},
		{"ready", tel.AgentReady, true, access.Supervisor, false},
		{"in wrap-up", tel.AgentWrapUp, true, access.Supervisor, false},
		{"talking, where nobody supervises", tel.AgentTalking, false, access.Supervisor, false},
	} {
		s := owned(t, newHub(t, func() *view.Model {
			m := emptyOffice()
			m.OfferSupervision(c.office)
			return m
		}))
		anna := s.config.Agent
		s.config.Agent = func(ctx context.Context, id tel.AgentID) (*page.Agent, error) {
			a, err := anna(ctx, id)
			a.Desk.State = c.state
			return a, err
		}
		var err error
		if s.Handler, err = New(s.config); err != nil {
			t.Fatal(err)
		}
		html := s.do(ask{method: http.MethodGet, path: "/agents/anna?lang=en", as: c.as}).Body.String()
		whole := strings.Contains(html, `action="/supervise?lang=en"`) && strings.Contains(html, `name="agent" value="anna"`) && strings.Contains(html, `id="supervise"`)
		for _, mode := range tel.SupervisionModes() {
			whole = whole && strings.Contains(html, `name="mode" value="`+string(mode)+`"`)
		}
		if whole != c.want || strings.Contains(html, `name="mode"`) != c.want {
			t.Errorf("%s: the ways are there: %v\n%s", c.name, whole, html)
		}
	}
}
