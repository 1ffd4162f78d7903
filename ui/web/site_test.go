package web

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone/phonetest"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
	"github.com/pronto-pbx/pronto/ui/setup/setuptest"
	"github.com/pronto-pbx/pronto/ui/view"
	"github.com/pronto-pbx/pronto/ui/voice/voicetest"
)

// site is a page with its people.
type site struct {
	http.Handler
	t         *testing.T
	accounts  *access.Accounts
	notes     []access.Note
	ready     error
	strict    bool // no plain HTTP
	tokens    map[access.Role]string
	commands  []string // of agents
	erased    int
	lampTests int
	config    Config
	refusal   error   // of the next ones
	wishes    []wish  // of supervisors
	denied    string  // of the next one
	orders    []Order // of supervisors
	unwilled  string  // why the next one is not carried out
	settings  *settingstest.Memory
	voice     voicetest.Memory
	records   *archive
	wizard    *setuptest.Memory
	backups   settingstest.Backups
	persons   settingstest.Erasures
	traces    settingstest.Traces
	wires     settingstest.Network
	machine   settingstest.Board
	proof     settingstest.Certificate
	releases  settingstest.Updates
	asked     []WhatIf // of past days
	unran     string   // why the next one is not run again
	phone     *phonetest.Memory
}

const (
	goodPassword = "cavallo corretto pinzatrice"
	goodHash     = "$argon2id$v=19$m=19456,t=2,p=1$rSn5OuhnM0hhWFOgho4TIQ$POlI3yJRKZYKe7UZ5tH5vx7svgyCUpBGi1UUabMlW7o"
	inTheOffice  = "192.168.1.20:51000"
	farAway      = "203.0.113.9:51000"
)

// newSite is a page that nobody owns yet.
func newSite(t *testing.T, hub *live.Hub) *site { return siteOf(t, hub, access.State{}) }

// owned is a page whose owner is anna, with one person of every other role, called by it. All are signed
// in, and all have the good password.
func owned(t *testing.T, hub *live.Hub) *site {
	kept := access.State{Code: access.NewCode()}
	tokens := map[access.Role]string{}
	for _, r := range access.Roles() {
		name := string(r)
		if r == access.Owner {
			name = "anna"
		}
		tokens[r] = "token of " + name
		who := access.User{Name: name, Role: r, Password: goodHash, Known: []string{"192.168.1.20"}}
		if r == access.Agent {
			who.Agent = "anna"
		}
		kept.Users = append(kept.Users, who)
		for _, sealed := range []bool{false, true} {
			token := tokens[r]
			if sealed {
				token = sealedToken(token)
			}
			sum := sha256.Sum256([]byte(token))
			kept.Sessions = append(kept.Sessions, access.Session{
				ID: base64.RawURLEncoding.EncodeToString(sum[:]), User: name, Created: time.Now(), Seen: time.Now(), Sealed: sealed,
			})
		}
	}
	s := siteOf(t, hub, kept)
	s.tokens = tokens
	return s
}

// sealedToken is that of the same person's session over HTTPS.
func sealedToken(token string) string { return "over HTTPS, " + token }

func siteOf(t *testing.T, hub *live.Hub, kept access.State) *site {
	t.Helper()
	s := &site{t: t, tokens: map[access.Role]string{}, records: filed(t), wizard: setuptest.New(), phone: phonetest.Busy("Rossi")}
	s.wires.Stands.NAT = "unknown"
	s.releases.Stands = settingstest.Releases(hostile, at)
	var err error
	if s.settings, err = settingstest.New(settingstest.Office); err != nil {
		t.Fatal(err)
	}
	s.accounts, err = access.New(access.Config{
		Save: func(access.State) error { return nil },
		Note: func(n access.Note) { s.notes = append(s.notes, n) },
	}, kept, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.config = Config{
		Log: slog.New(slog.DiscardHandler), Pages: spoken(t), Hub: hub, Accounts: s.accounts,
		Language: func() string { return "it" }, Name: func() string { return "Bottega" },
		Plain: func() bool { return !s.strict }, TLSPort: 8443,
		LAN:    func(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || !a.IsGlobalUnicast() },
		People: func() []page.Person { return []page.Person{{ID: "anna", Name: "Anna"}} },
		Queues: func() []page.Choice {
			return []page.Choice{{ID: "sales", Name: "Vendite"}, {ID: "help", Name: "Aiuto"}}
		},
		Ready:   func() error { return s.ready },
		Present: func() ([]byte, error) { return []byte("[]"), nil },
		Codes:   func() []view.Code { return []view.Code{{Code: "*43", Action: "echo"}} }, Settings: s.settings.Port(), Voice: s.voice.Port(),
		Backups: s.backups.Port(), Erasures: s.persons.Port(), Traces: s.traces.Port(), Network: s.wires.Port(), Board: s.machine.Port(), Certificate: s.proof.Port(), Updates: s.releases.Port(),
		Handover: func(context.Context) page.Handover { return settingstest.Handover(hostile) },
		Desk: func(_ context.Context, a tel.AgentID) (*page.Desk, error) {
			return &page.Desk{Name: string(a), State: tel.AgentReady}, nil
		},
		Phone: s.phone,
		Command: func(_ context.Context, a tel.AgentID, command, with string) error {
			s.commands = append(s.commands, string(a)+" "+command+" "+with)
			return s.refusal
		},
		Supervise: func(by, agent tel.AgentID, mode tel.SupervisionMode) string {
			s.wishes = append(s.wishes, wish{by, agent, mode})
			return s.denied
		},
		Callbacks: func(context.Context) ([]page.Callback, error) {
			return []page.Callback{
				{ID: "cb1", Queue: "sales", QueueName: "Vendite", State: tel.CallbackWaiting, Number: "+393331112222", Place: 1, Of: 1},
				{ID: "cb2", Queue: "help", QueueName: "Aiuto", State: tel.CallbackResting, Number: "+393331113333", Attempts: 1},
			}, nil
		},
		Conferences: func() []page.Conference { return settingstest.Conferences(hostile, at) },
		Ladder: func(call tel.CallID) []page.Rung {
			if call != "c1" {
				return nil
			}
			return settingstest.Rungs(hostile, at)
		},
		Capture: func(w io.Writer, call tel.CallID) error {
			_, err := io.WriteString(w, "capture of "+string(call))
			return err
		},
		Missed: func() []page.Missed {
			return []page.Missed{
				{MissedChanged: tel.MissedChanged{Number: "+393331234567", Name: hostile, Queue: "sales", Calls: 2, Last: at, Why: tel.MissedAbandoned}, QueueName: "Vendite"},
				{MissedChanged: tel.MissedChanged{Number: "+393337654321", Queue: "help", Calls: 1, Last: at, Why: tel.MissedVoicemail}, QueueName: "Aiuto"},
			}
		},
		Records: s.records, Zone: func() *time.Location { return rome },
		Holiday: func(day time.Time) (string, bool) {
			_, m, d := day.Date()
			return "Natale", m == time.December && d == 25
		},
		Reruns: Reruns{Reach: func() time.Time { return at.AddDate(0, 0, -7) }, Strategies: []string{"longest_idle", "ring_all"}, Run: s.rerun, Log: s.queueLog},
		Caller: func(_ context.Context, call tel.CallID) (*page.Caller, error) {
			queue, ok := map[tel.CallID]tel.QueueID{"c1": "sales", "c2": "help"}[call]
			if !ok {
				return nil, nil
			}
			return &page.Caller{Call: call, Queue: queue, QueueName: string(queue), Place: 1, Of: 1}, nil
		},
		Agent: func(_ context.Context, id tel.AgentID) (*page.Agent, error) {
			if id != "anna" {
				return nil, nil
			}
			return &page.Agent{
				ID: id, Known: []string{"english"},
				Desk:    page.Desk{Name: "Anna", State: tel.AgentReady, Queues: []page.DeskQueue{{ID: "sales", Name: "Vendite", Serving: true}}},
				Others:  []page.DeskQueue{{ID: "help", Name: "Aiuto"}},
				Waiting: []page.Caller{{Call: "c1", Queue: "sales"}, {Call: "c2", Queue: "help"}},
			}, nil
		},
		Setup: s.wizard.Box(), TestLamps: func() { s.lampTests++ },
		Order: func(_ context.Context, o Order) (string, error) {
			s.orders = append(s.orders, o)
			return s.unwilled, nil
		},
		Erase: func() error { s.erased++; return nil },
	}
	s.Handler, err = New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withoutErase makes it the site of a program that does not run on a box of its own.
func (s *site) withoutErase(t *testing.T) {
	t.Helper()
	s.config.Erase = nil
	var err error
	if s.Handler, err = New(s.config); err != nil {
		t.Fatal(err)
	}
}

// signedIn is the site as its owner's browser sees it.
func signedIn(s *site) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = inTheOffice
		r.AddCookie(&http.Cookie{Name: plainCookie, Value: s.tokens[access.Owner]})
		s.ServeHTTP(w, r)
	})
}

// ask makes a request as a browser does.
type ask struct {
	method, path string
	form         url.Values
	body         io.Reader   // instead of a form
	as           access.Role // signed in so; empty: not
	from         string      // default inTheOffice
	header       http.Header
	tls          bool
	host         string // by which the browser calls the box; default pronto.local
	at           string // address of the box by which it comes; empty: not known
}

func (s *site) do(a ask) *httptest.ResponseRecorder {
	scheme, name := "http", plainCookie
	if a.tls {
		scheme, name = "https", tlsCookie
	}
	if a.body == nil {
		a.body = strings.NewReader(a.form.Encode())
	}
	host := cmp.Or(a.host, "pronto.local")
	r := httptest.NewRequest(a.method, scheme+"://"+host+a.path, a.body)
	if a.at != "" {
		local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a.at))
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
	}
	r.Header.Set("Accept", "text/html")
	r.RemoteAddr = inTheOffice
	if a.from != "" {
		r.RemoteAddr = a.from
	}
	if a.method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", scheme+"://"+host)
	}
	if a.as != "" {
		token := s.tokens[a.as]
		if a.tls {
			token = sealedToken(token)
		}
		r.AddCookie(&http.Cookie{Name: name, Value: token})
	}
	for k, v := range a.header {
		r.Header[k] = v
		if v == nil {
			r.Header.Del(k)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}
