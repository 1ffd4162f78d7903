// Package web serves the page: routes and who may use them, headers, the live stream and the doors.
//
// routes.go is the table of contents: every path with the right that it demands.
package web

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/asset"
	"github.com/pronto-pbx/pronto/ui/front"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/live"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/phone"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
	"github.com/pronto-pbx/pronto/ui/voice"
)

// Config is what the page needs.
type Config struct {
	Log      *slog.Logger
	Pages    map[string]*page.Renderer // by language
	Hub      *live.Hub
	Accounts *access.Accounts
	Language func() string         // of a visitor who asks for none
	LAN      func(netip.Addr) bool // is this address of the box's own networks?
	Plain    func() bool           // may the page be used without HTTPS?
	TLSPort  uint16                // where HTTPS is; 0: nowhere
	Name     func() string         // of the box
	People   func() []page.Person  // who answers, to be chosen as what a user is at the phones
	Queues   func() []page.Choice  // to which a supervisor can be limited
	Ready    func() error          // nil when the box can carry a call
	Present  func() ([]byte, error)
	Codes    func() []view.Code // what phones can dial
	Settings settings.Port
	Voice    voice.Port
	Backups  settings.Backups
	Erasures settings.Erasures
	Traces   settings.Traces
	Network  settings.Network
	Board    settings.Board
	// Handover is the report of this moment; who makes it is filled in here.
	Handover func(context.Context) page.Handover
	Updates  settings.Updates
	// Certificate is that of HTTPS.
	Certificate settings.Certificate
	Licences    string // file with the licences of all that the box was shipped with; empty: those of the programs
	// Desk is what an agent does now; nil of who is none.
	Desk func(context.Context, tel.AgentID) (*page.Desk, error)
	// Command is given by an agent: login, logout, pause ... with the reason of a pause, or the queue of a
	// command about one. ErrCommand and the like say in words what was refused.
	Command func(ctx context.Context, agent tel.AgentID, command, with string) error
	// Phone is the way to the phones that are a page.
	Phone phone.Port
	// Supervise rings the phone of by, who takes part in the conversation of agent. It returns the sentence
	// that says why not, or nothing.
	Supervise func(by, agent tel.AgentID, mode tel.SupervisionMode) (sentence string)

	// Setup is the way from a new box to the first answered call.
	Setup setup.Box
	// TestLamps shows every colour on every lamp.
	TestLamps func()

	// Caller is a waiting caller as a supervisor sees it; nil of a call that does not wait.
	Caller func(context.Context, tel.CallID) (*page.Caller, error)
	// Callbacks are those who have hung up and are owed a call, in order of queue and place.
	Callbacks func(context.Context) ([]page.Callback, error)
	// Conferences are the conference rooms with who is in them.
	Conferences func() []page.Conference
	// Ladder is the SIP messages of a call that are remembered, and Capture writes them as a pcapng file.
	Ladder  func(tel.CallID) []page.Rung
	Capture func(io.Writer, tel.CallID) error
	// Missed are the callers whom nobody has served, the latest first.
	Missed func() []page.Missed
	// Records are what has ended; an error of theirs is said on the page.
	Records Records
	// Recordings are those of conversations; nil: there are none.
	Recordings Recordings
	// Reruns are past days with something changed.
	Reruns Reruns
	// Zone is that of the office's clock.
	Zone func() *time.Location
	// Holiday names the holiday that a day is, of the state or of the town.
	Holiday func(day time.Time) (name string, is bool)
	// Agent is an agent as a supervisor sees it; nil of who is none.
	Agent func(context.Context, tel.AgentID) (*page.Agent, error)
	// Erase has the box forget everything and start anew; nil: this program does not run on a box of its own.
	Erase func() error
	// Order carries out what a supervisor has decided, and writes it down. It returns the sentence that says
	// why not, or nothing.
	Order func(context.Context, Order) (sentence string, err error)
}

// server is the page's handler with what it was given.
type server struct {
	Config
	pages  map[string]*page.Renderer
	drafts drafts

	followers  atomic.Int32 // open streams of test calls
	phonePages atomic.Int32 // open streams of phones
}

// New returns the page's handler; an error names a language that the page speaks and Pages does not.
func New(cfg Config) (http.Handler, error) {
	for _, lang := range i18n.Languages() {
		if cfg.Pages[lang] == nil {
			return nil, fmt.Errorf("no pages in the language %q", lang)
		}
	}
	s := &server{Config: cfg, pages: cfg.Pages}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.pattern, s.admit(r))
	}
	return s.guard(mux), nil
}

func assets() fs.FS { return asset.Files }

// guard sets the headers every answer carries, keeps strangers' names and strangers' pages from being used
// against the visitor's browser (DNS rebinding, forged requests), and turns a fault of ours into a 500.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !front.Admit(w, r) {
			return
		}
		if !front.Ours(r) {
			s.refuse(w, s.visit(r), http.StatusForbidden, "stranger")
			return
		}
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("page failed", "path", r.URL.Path, "panic", p)
				s.refuse(w, s.visit(r), http.StatusInternalServerError, "fault")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func cache(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

func (s *server) language(r *http.Request) string { return cmp.Or(front.Language(r), s.Language()) }
