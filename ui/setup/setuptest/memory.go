// Package setuptest is a box in memory for tests of the set-up: a test says what its probes see.
package setuptest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/view"
)

// made is when kits are made and confirmed.
func made() time.Time { return time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC) }

// Memory is such a box. It begins with a set-up that nobody waits for, and probes that all fail. Its fields may be
// set before the page is asked.
type Memory struct {
	State     *setup.Setup
	Full      error // of the disk
	Network   []page.Finding
	Modems    []setup.Modem
	Tried     []setup.Tried // of every account
	Account   config.Trunk  // that was tried last
	Tests     map[string]page.LineTest
	Phones    []setup.Phone
	Strangers []setup.Stranger
	Sentence  string   // why the box does nothing of what it is asked
	Asked     []string // of it
	Made      time.Time
	Confirmed time.Time
	Secret    string // of the kit

	mu      sync.Mutex // guards what follows: pages are streamed while something happens
	trails  view.Trails
	changed chan struct{}
}

// Happens lets the box see an event.
func (b *Memory) Happens(e tel.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trails.Apply(e)
	close(b.changed)
	b.changed = make(chan struct{})
}

// New returns a box.
func New() *Memory {
	b := &Memory{changed: make(chan struct{}), Network: []page.Finding{{Level: "error", Says: page.Said{Sentence: "setup.net.address.none"}}}}
	b.State = setup.New(func(setup.State) error { return b.Full }, setup.State{}, false)
	return b
}

func (b *Memory) ask(what ...string) string {
	b.Asked = append(b.Asked, strings.Join(what, " "))
	return b.Sentence
}

// Box is the page's way to it.
func (b *Memory) Box() setup.Box {
	return setup.Box{
		Setup: b.State, Towns: func() []string { return []string{"ascoli-piceno", "bologna"} },
		Patron: func(town string) (string, time.Time, bool) {
			return "San Petronio", time.Date(2026, 10, 4, 12, 0, 0, 0, time.UTC), town == "bologna"
		},
		Network: func(context.Context) []page.Finding { return b.Network },
		Modems:  func() ([]setup.Modem, error) { return b.Modems, nil },
		Carriers: func() ([]setup.Carrier, error) {
			return []setup.Carrier{
				{ID: "generic-register", Label: "Generic", Asks: []string{"server", "user", "password", "number"}, Optional: []string{"number"}},
				{ID: "generic-address", Label: "By address", Asks: []string{"server", "match", "number"}},
			}, nil
		},
		Try: func(_ context.Context, t config.Trunk) []setup.Tried {
			b.Account = t
			all := slices.Clone(b.Tried)
			for i := range all {
				all[i].Trunk = t
			}
			return all
		},
		TestLine: func(line string, n tel.Number) (string, error) { return b.ask("test", line, string(n)), nil },
		Tests:    func() map[string]page.LineTest { return b.Tests },
		Phones:   func() ([]setup.Phone, []setup.Stranger) { return b.Phones, b.Strangers },
		Ring:     func(d tel.DeviceID) (string, error) { return b.ask("ring", string(d)), nil },
		Blink:    func(l tel.LampID) bool { return b.ask("blink", string(l)) == "" },
		CallMe: func(q tel.QueueID, n tel.Number, by tel.AgentID) (tel.CallID, string, error) {
			return "c7", b.ask("call", string(q), string(n), string(by)), nil
		},
		Play: func(n tel.Number) (tel.CallID, string, error) { return "c8", b.ask("play", string(n)), nil },
		Trail: func(c tel.CallID) (view.Trail, bool, <-chan struct{}) {
			b.mu.Lock()
			defer b.mu.Unlock()
			t, ok := b.trails.Of(c)
			return t, ok, b.changed
		},
		NewKit: func() (string, error) {
			b.Secret, b.Made, b.Confirmed = "AGE-SECRET-KEY-1FAKE", made(), time.Time{}
			return b.Secret, nil
		},
		ConfirmKit: func(s string) error {
			if s != b.Secret {
				return errors.New("not the kit")
			}
			b.Confirmed = made()
			return nil
		},
		Kit: func() (time.Time, time.Time, error) { return b.Made, b.Confirmed, nil },
	}
}
