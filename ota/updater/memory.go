package updater

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// StateFile is where the memory lies in Config.Dir.
const StateFile = "state.json"

// version of the memory. A release that is taken back finds what the next one has written: fields may only be added.
const version = 1

// memory is all that outlives a restart, as one value.
type memory struct {
	ID       string            `json:"id"` // drawn once; places the box in rollouts, and tells nobody who it is
	Slot     slot.State        `json:"slot"`
	Manifest *release.Manifest `json:"manifest,omitempty"` // of the release that Slot.Want is
	Before   *fit.Counts       `json:"before,omitempty"`   // of the office, when the trial began
	Held     map[int]held      `json:"held,omitempty"`     // what we have put into the slots
	Settings remote.Settings   `json:"settings"`
	Zone     string            `json:"zone,omitempty"`   // of the clock on the office's wall, as the exchange has told it last
	Checked  time.Time         `json:"checked,omitzero"` // when the vendor answered last
}

// held is what a slot holds.
type held struct {
	Version string `json:"version"`
	SHA256  string `json:"sha256"`     // of the part
	Reads   uint32 `json:"reads_from"` // the oldest data that it opens
}

// HeldFile is where the first program reads, below Config.Dir, what we have put into the slots: {"2": {"version",
// "sha256", "reads_from"}}.
const HeldFile = "slots.json"

// usual is the memory of a new box.
func usual(auto bool) memory {
	return memory{Settings: remote.Settings{Auto: auto, Channel: "stable", Window: remote.Window{From: 2 * 60, To: 5 * 60}}}
}

// remember reads the memory. damaged tells that there was one which cannot be read, and was put aside.
func remember(on keep.Disk, dir string, auto bool) (m memory, damaged error) {
	err := keep.Load(on, filepath.Join(dir, StateFile), version, &m)
	if err != nil {
		m = usual(auto)
	}
	if m.ID == "" {
		m.ID = rand.Text()
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return m, err
}

// with is a memory in which a slot holds something else; what was before stays as it is.
func (m memory) with(n int, h held) memory {
	m.Held = maps.Clone(m.Held)
	if m.Held == nil {
		m.Held = map[int]held{}
	}
	m.Held[n] = h
	if h == (held{}) {
		delete(m.Held, n)
	}
	return m
}

// issue tells one issue of a release from another: whatever the vendor changes but the percentage makes it another.
func issue(m release.Manifest) string {
	m.Rollout = release.Rollout{}
	text, err := json.Marshal(m)
	if err != nil {
		return "" // it came from JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// wanted is what the machine knows of a release.
func wanted(m release.Manifest, p release.Part, asked, local bool) slot.Release {
	return slot.Release{
		Version: m.Version, Issue: issue(m), SHA256: p.SHA256, Size: p.Size, Epoch: m.Epoch, Writes: m.Data.Writes, Reads: m.Data.Reads, Asked: asked, Local: local,
	}
}
