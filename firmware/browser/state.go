package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// JournalKind is that of a page's calls in the hot journal.
const JournalKind = "browser"

const stateVersion = 1

// kept is what of a page's call survives the process. Keys of DTLS do not: the page offers anew.
type kept struct {
	Version  int          `json:"v"`
	Device   tel.DeviceID `json:"device"`
	Number   tel.Number   `json:"number,omitempty"` // of the other party, as it was dialled or shown
	Name     string       `json:"name,omitempty"`
	Incoming bool         `json:"incoming,omitempty"`
	Answered bool         `json:"answered,omitempty"`
	Held     bool         `json:"held,omitempty"` // by the page
	Muted    bool         `json:"muted,omitempty"`
	Since    time.Time    `json:"since"`
}

// decode reads the journal's form; what a later version wrote is refused in words.
func decode(b []byte) (k kept, err error) {
	if err := json.Unmarshal(b, &k); err != nil {
		return kept{}, fmt.Errorf("read a page's call: %w", err)
	}
	if k.Version != stateVersion {
		return kept{}, fmt.Errorf("a page's call has version %d, this program reads %d", k.Version, stateVersion)
	}
	if k.Device == "" {
		return kept{}, fmt.Errorf("a page's call names no phone")
	}
	return k, nil
}

// save journals the call, before what depends on it is told. It wants mu held.
func (l *leg) save() {
	j := l.p.cfg.Journal
	if j == nil || l.ended {
		return
	}
	b, err := json.Marshal(l.kept)
	if err == nil {
		err = j.Put(JournalKind, string(l.ID()), b)
	}
	if err != nil {
		l.p.cfg.Log.Warn("call of a page would not survive a crash now", "err", err)
	}
}

func (l *leg) forget() { l.p.strike(l.ID()) }

func (p *Phones) strike(id tel.LegID) {
	if p.cfg.Journal == nil {
		return
	}
	if err := p.cfg.Journal.Delete(JournalKind, string(id)); err != nil {
		p.cfg.Log.Warn("ended call of a page stays in the journal", "err", err)
	}
}

// Restore keeps what an earlier process left until the calls ask for it.
func (p *Phones) Restore(states map[string][]byte) (errs []error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, b := range states {
		k, err := decode(b)
		if err != nil {
			errs = append(errs, err)
			p.strike(tel.LegID(key))
			continue
		}
		p.kept[tel.LegID(key)] = k
	}
	return errs
}

// Find implements part of call.Finder: the other party is held until a page offers.
func (p *Phones) Find(ref string, id tel.LegID, audio *media.Leg, events func(call.LegEvent)) (call.Leg, bool) {
	if name, ok := strings.CutPrefix(ref, refPrefix); !ok || tel.LegID(name) != id || audio == nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.kept[id]
	if !ok || p.closed {
		return nil, false
	}
	delete(p.kept, id)
	l := &leg{p: p, f: p.phone(k.Device), kept: k, stage: Talking, quiet: k.Incoming}
	l.bind(events)
	half, err := voice.Adopt(p.voice(l), audio)
	if err == nil {
		l.Half = half
		err = l.configure()
	}
	if err != nil {
		p.cfg.Log.Warn("audio of a recovered call is gone", "device", k.Device, "err", err)
		p.strike(id)
		return nil, false
	}
	l.f.legs = append(l.f.legs, l)
	l.missing()
	return l, true
}

// Forget strikes the calls of the earlier process that nobody has asked for.
func (p *Phones) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.kept {
		p.strike(id)
	}
	clear(p.kept)
}
