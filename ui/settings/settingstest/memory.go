// Package settingstest is a configuration in memory, for tests of the page: changes take effect, versions are
// kept, and a test can have the box refuse.
package settingstest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings"
)

// Office is the configuration of a small office: three people, two queues, hours, a menu with a message, a carrier
// and a modem.
const Office = `
agents:
  - {id: anna, name: Anna, extension: "201", phones: ["201"]}
  - {id: bruno, name: Bruno, extension: "202", phones: ["202"]}
  - {id: carla, name: Carla, extension: "203"}
phones:
  - {id: "201", name: Anna, password: "a-long-password-1"}
  - {id: "202", name: Bruno, password: "a-long-password-2"}
queues:
  - {id: sales, name: Vendite, number: "400", agents: [anna, bruno]}
  - {id: help, name: Aiuto, number: "401", agents: [anna]}
lamps: [{id: desk1, driver: sim, shows: "queue:sales"}]
buttons: [{id: aid, of: "agent:anna", use: help, driver: sim}]
hours:
  - {id: office, name: Ufficio, open: ["mon-fri 09:00-13:00,14:00-18:00"], holidays: true, then: "queue:sales"}
prompts: {list: [{id: ferie, name: Chiusura estiva, number: "1"}]}
menus:
  - {id: main, name: Menu principale, greeting: ["prompt:ferie", wait], keys: {"1": "queue:sales", "2": "ext:201", "3": "say:closed", "9": repeat}, timeout_to: "queue:sales"}
recording:
  purposes: [{id: quality, name: Qualità, days: 90, basis: interest}, {id: orders, name: Ordini, days: 365, listen: owner}]
  rules: [{id: boss, name: Il capo mai, record: never, agents: [anna]}, {id: sales, name: Vendite, record: always, purpose: quality, queues: [sales], through: ["trunk:tim"], direction: in}]
trunks:
  - {id: tim, name: TIM, server: sip.example, register: true, user: u, password: secret-of-tim, number: "+390612345678", in: {"*": "hours:office"}}
lines:
  - {id: gsm0, name: Cellulare, type: gsm, at: usb, in: "queue:sales"}
  - {id: fisso, name: Linea fissa, type: fxo, at: "usb:1.4", in: "queue:sales", analog: {country: it}}
`

// Memory is a configuration in memory. Its fields may be set before the page is asked.
type Memory struct {
	Refuse   settings.Refusal // of every change
	Err      error            // of every change
	Hand     settings.File    // how the file stands
	Fault    bool             // asking for the lines is a fault of the program
	Drain    bool             // every change reaches new calls only
	Audited  []tel.PageAccessed
	Standing map[string]tel.LineChanged
	Probed   []page.Finding

	mu       sync.Mutex // guards what follows
	now      *config.Config
	versions []settings.Version
	By       []settings.By // who changed something
	Whys     []string
}

// New begins with a file; an error is a mistake in it.
func New(yaml string) (*Memory, error) {
	cfg, err := config.Parse([]byte(yaml))
	if err != nil {
		return nil, err
	}
	m := &Memory{}
	m.keep(cfg, "file", "found when prontod started")
	return m, nil
}

func (m *Memory) keep(cfg config.Config, who, why string) {
	kept := cfg.Clone()
	m.now = &kept
	m.versions = append([]settings.Version{{
		Kept:  page.Kept{Number: len(m.versions) + 1, At: time.Date(2026, 3, 2, 9, len(m.versions), 0, 0, time.UTC), Who: who, Why: why},
		Parse: func() (config.Config, error) { return kept.Clone(), nil },
	}}, m.versions...)
}

// Port is the page's way to it.
func (m *Memory) Port() settings.Port {
	return settings.Port{
		Current: func() *config.Config { m.mu.Lock(); defer m.mu.Unlock(); return m.now },
		Apply:   m.apply,
		Versions: func(context.Context) ([]settings.Version, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return append([]settings.Version(nil), m.versions...), nil
		},
		Restore: func(ctx context.Context, number int, by settings.By) (settings.Applied, settings.Refusal, error) {
			m.mu.Lock()
			i := len(m.versions) - number
			if i < 0 || i >= len(m.versions) {
				m.mu.Unlock()
				return settings.Applied{}, settings.Refusal{Sentence: "past.gone"}, nil
			}
			old, err := m.versions[i].Parse()
			m.mu.Unlock()
			if err != nil {
				return settings.Applied{}, settings.Refusal{}, err
			}
			return m.apply(ctx, func(c *config.Config) { *c = old }, by, fmt.Sprintf("back to version %d", number))
		},
		File: func(context.Context) (settings.File, error) { return m.Hand, nil },
		Reload: func(context.Context, settings.By) (settings.Applied, settings.Refusal, error) {
			if len(m.Hand.Problems) > 0 {
				return settings.Applied{}, settings.Refusal{Sentence: "settings.problems", Detail: m.Hand.Problems.Error()}, nil
			}
			m.Hand.Edited = false
			return settings.Applied{}, settings.Refusal{}, nil
		},
		Discard: func(context.Context, settings.By) error { m.Hand = settings.File{}; return nil },
		Probe:   func(context.Context, []config.Change) []page.Finding { return m.Probed },
		Lines: func() map[string]tel.LineChanged {
			if m.Fault {
				panic("the lines are gone")
			}
			return m.Standing
		},
		Audit: func(int) ([]tel.PageAccessed, error) { return m.Audited, nil },
	}
}

func (m *Memory) apply(_ context.Context, edit func(*config.Config), by settings.By, why string) (settings.Applied, settings.Refusal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Err != nil || m.Refuse.Sentence != "" {
		return settings.Applied{}, m.Refuse, m.Err
	}
	draft := m.now.Clone()
	edit(&draft)
	text, err := draft.Encode() // as the box does: what the file says is what counts
	if err != nil {
		return settings.Applied{}, settings.Refusal{}, err
	}
	next, err := config.Parse(text)
	if err != nil {
		return settings.Applied{}, settings.Refusal{Sentence: "settings.problems", Detail: err.Error()}, nil
	}
	changes := config.Diff(*m.now, next)
	if len(changes) == 0 {
		return settings.Applied{}, settings.Refusal{}, nil
	}
	m.keep(next, by.User, why)
	m.By, m.Whys = append(m.By, by), append(m.Whys, why)
	return settings.Applied{Version: len(m.versions), Changes: changes, Drain: m.Drain}, settings.Refusal{}, nil
}
