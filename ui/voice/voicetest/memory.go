// Package voicetest is what a box says, in memory, for tests of the page.
package voicetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/settings"
	"github.com/pronto-pbx/pronto/ui/voice"
)

// Memory keeps sounds as the bytes that were given to it, each of which counts for a second, up to five minutes. Its fields may be set before the page is asked.
type Memory struct {
	Refuse settings.Refusal // of every change
	Err    error            // of every change
	No     string           // why no phone rings

	mu     sync.Mutex // guards what follows
	sounds map[string]string
	Rung   []string // who was to record what
	Said   []string // what the synthesiser was given
	By     []settings.By
}

// Put gives a sound to begin with.
func (m *Memory) Put(id, body string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sounds == nil {
		m.sounds = map[string]string{}
	}
	m.sounds[id] = body
}

// Get is a sound; empty: there is none.
func (m *Memory) Get(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sounds[id]
}

// Port is the page's way to it.
func (m *Memory) Port() voice.Port {
	return voice.Port{
		Languages: []string{"en", "it"},
		Text:      func(lang, name string) string { return strings.ReplaceAll(name, "_", " ") + " (" + lang + ")" },
		Sound: func(id string) (voice.Sound, bool) {
			m.mu.Lock()
			defer m.mu.Unlock()
			body, ok := m.sounds[id]
			return voice.Sound{Changed: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Length: time.Duration(min(len(body), 300)) * time.Second, Before: strings.Contains(body, "before")}, ok
		},
		Play: func(id string, own bool) ([]byte, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			body, ok := m.sounds[id]
			switch {
			case own && ok:
				return []byte(body), nil
			case !own && strings.Contains(id, "/"):
				return []byte("the box says " + id), nil
			}
			return nil, errors.New("no such sound")
		},
		Take: func(_ context.Context, id string, from io.Reader, by settings.By) (voice.Taken, settings.Refusal, error) {
			body, err := io.ReadAll(from)
			if err != nil {
				return voice.Taken{}, settings.Refusal{}, err
			}
			return m.take(id, string(body), by)
		},
		Remove: func(id string, by settings.By) (settings.Refusal, error) { return m.drop(id, by) },
		Undo:   func(id string, by settings.By) (settings.Refusal, error) { return m.drop(id, by) },
		Ring: func(person tel.AgentID, id string, _ settings.By) string {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.Rung = append(m.Rung, fmt.Sprint(person, " ", id))
			return m.No
		},
		Speak: func(_ context.Context, id, lang, text string, by settings.By) (voice.Taken, settings.Refusal, error) {
			m.mu.Lock()
			m.Said = append(m.Said, lang+": "+text)
			m.mu.Unlock()
			return m.take(id, text, by)
		},
	}
}

func (m *Memory) take(id, body string, by settings.By) (voice.Taken, settings.Refusal, error) {
	if m.Err != nil || m.Refuse.Sentence != "" {
		return voice.Taken{}, m.Refuse, m.Err
	}
	m.Put(id, body)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.By = append(m.By, by)
	return voice.Taken{Length: time.Duration(min(len(body), 300)) * time.Second, Cut: 1200 * time.Millisecond, Raised: 6.4, Clipped: strings.Contains(body, "loud")}, settings.Refusal{}, nil
}

func (m *Memory) drop(id string, by settings.By) (settings.Refusal, error) {
	if m.Err != nil || m.Refuse.Sentence != "" {
		return m.Refuse, m.Err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sounds, id)
	m.By = append(m.By, by)
	return settings.Refusal{}, nil
}
