// Package rescue is what the first program of a box and its updater say to each other in the recovery system: which box
// it is, and how far its system has been installed again. The updater, which alone reads what others send, is started
// for one try and writes a line for each step.
package rescue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Server is the place of releases that is the vendor's server; any other is the path of a bundle.
const Server = "server"

// Phase is where a try stands.
type Phase string

// The phases.
const (
	Looking  Phase = "looking"  // what the vendor has signed is read
	Writing  Phase = "writing"  // the release is written into the slot
	Checking Phase = "checking" // the slot is read back from the card
	Done     Phase = "done"     // it holds the release
	Failed   Phase = "failed"   // it holds nothing that could be started, or what it held before
)

// The codes of a try that failed, beside those of package slot.
const (
	CodeOlder   slot.Code = "older"   // what the vendor has signed is older than what the box has seen
	CodeRefused slot.Code = "refused" // there are releases, and none for this box
)

// Step is one line.
type Step struct {
	Phase   Phase            `json:"phase"`
	Version string           `json:"version,omitempty"`
	At      int64            `json:"at,omitempty"` // bytes of Of that are done
	Of      int64            `json:"of,omitempty"`
	SHA256  string           `json:"sha256,omitempty"` // of what was written, in hex
	Code    slot.Code        `json:"code,omitempty"`
	Words   string           `json:"words,omitempty"` // in English, for the log
	Reasons []release.Reason `json:"reasons,omitempty"`
}

// MostLine is the longest line of a step, in bytes.
const MostLine = 32 << 10

// Bounds of what is told, so that a step fits a line.
const (
	mostWords   = 1000
	mostReasons = 8
	mostText    = 100 // of a reason
)

// ErrStep is returned for a line that is no step.
var ErrStep = errors.New("not a step of the updater")

// Encode writes a line.
func (s Step) Encode() []byte {
	s.Words = bounded(s.Words, mostWords)
	reasons := s.Reasons[:min(len(s.Reasons), mostReasons)]
	s.Reasons = nil
	for _, r := range reasons {
		s.Reasons = append(s.Reasons, release.Reason{Code: r.Code, Has: bounded(r.Has, mostText), Want: bounded(r.Want, mostText)})
	}
	line, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts and numbers have no way to fail
	}
	return append(line, '\n')
}

func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return string(bytes.ToValidUTF8([]byte(text[:most]), nil))
}

// Decode reads a line. It believes nothing: the program at the other end reads what strangers send.
func Decode(line []byte) (s Step, err error) {
	if len(line) > MostLine {
		return s, fmt.Errorf("%w: %d bytes", ErrStep, len(line))
	}
	if err := json.Unmarshal(line, &s); err != nil {
		return Step{}, fmt.Errorf("%w: %w", ErrStep, err)
	}
	switch s.Phase {
	case Looking, Writing, Checking, Done, Failed:
	default:
		return Step{}, fmt.Errorf("%w: phase %.40q", ErrStep, s.Phase)
	}
	if s.At < 0 || s.Of < 0 || s.At > s.Of {
		return Step{}, fmt.Errorf("%w: %d of %d", ErrStep, s.At, s.Of)
	}
	s.Words, s.Reasons = bounded(s.Words, mostWords), s.Reasons[:min(len(s.Reasons), mostReasons)]
	return s, nil
}
