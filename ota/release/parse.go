package release

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a manifest.
const (
	MaxManifest = 128 << 10 // bytes of its JSON
	maxModels   = 32
	maxParts    = 16
	maxDeltas   = 64
	maxLanguage = 8
	maxNotes    = 8 << 10 // bytes of one language
	maxText     = 256     // of an address or a salt
	maxPart     = 1 << 30 // bytes; a slot holds 256 MiB
	maxRamp     = 90 * 24 * time.Hour
)

// ErrManifest is returned for a manifest that is none; the words behind it say why.
var ErrManifest = errors.New("not a manifest")

// Parse reads a manifest and checks all that can be checked without a box. Fields that this program does not know are
// passed over: a later release may say more, and what earlier boxes must not miss it says by min_from.
func Parse(text []byte) (m Manifest, err error) {
	if len(text) > MaxManifest {
		return m, fmt.Errorf("%w: %d bytes, %d at most", ErrManifest, len(text), MaxManifest)
	}
	if !utf8.Valid(text) {
		return m, fmt.Errorf("%w: not UTF-8", ErrManifest)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, fmt.Errorf("%w: something follows it", ErrManifest)
	}
	if err := m.Validate(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

// Validate says everything that is wrong with a manifest, each as ErrManifest.
func (m Manifest) Validate() error {
	var all []error
	bad := func(wrong bool, words string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf("%w: "+words, append([]any{ErrManifest}, args...)...))
		}
	}
	for name, v := range map[string]string{"version": m.Version, "min_from": m.From} {
		if v == "" && name == "min_from" {
			continue
		}
		_, err := ParseVersion(v)
		bad(err != nil || strings.HasPrefix(v, "v"), "%s %q", name, v)
	}
	bad(len(m.Models) == 0 || len(m.Models) > maxModels, "%d models", len(m.Models))
	for i, name := range m.Models {
		bad(!isName(name) || slices.Contains(m.Models[:i], name), "model %q", name)
	}
	if m.EEPROM != "" {
		_, err := time.Parse(time.DateOnly, string(m.EEPROM))
		bad(err != nil, "min_eeprom %q", m.EEPROM)
	}
	bad(m.Data.Reads > m.Data.Writes, "reads data from version %d, which is after the %d that it writes", m.Data.Reads, m.Data.Writes)
	bad(m.Severity != Feature && m.Severity != Bugfix && m.Severity != Security, "severity %q", m.Severity)
	bad(m.SBOM != "" && !isHash(m.SBOM), "sbom %q", m.SBOM)
	bad(!m.Deadline.IsZero() && m.Deadline.Before(m.NotUntil), "its deadline is before it starts")
	bad(!farFromOverflow(m.NotUntil, m.Deadline, m.Rollout.Start), "a year that no calendar has")
	m.validateNotes(bad)
	m.validateParts(bad)
	r := m.Rollout
	bad(len(r.Salt) == 0 || len(r.Salt) > maxText, "a salt of %d characters", len(r.Salt))
	bad(!(r.Percent >= 0 && r.Percent <= 100), "%v percent", r.Percent) // NaN too
	bad(r.Ramp < 0 || r.Ramp > maxRamp || r.Ramp > 0 && r.Start.IsZero(), "a ramp of %v from %v", r.Ramp, r.Start)
	return errors.Join(all...)
}

func (m Manifest) validateNotes(bad func(bool, string, ...any)) {
	bad(len(m.Notes) > maxLanguage, "notes in %d languages", len(m.Notes))
	for language, text := range m.Notes {
		bad(len(language) != 2 || strings.Trim(language, "abcdefghijklmnopqrstuvwxyz") != "", "notes in %q", language)
		bad(len(text) > maxNotes || !utf8.ValidString(text) || strings.ContainsFunc(text, isControl), "its notes in %q", language)
	}
	if m.Homepage != "" {
		u, err := url.Parse(m.Homepage)
		bad(err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(m.Homepage) > maxText, "notes_url %q", m.Homepage)
	}
}

func (m Manifest) validateParts(bad func(bool, string, ...any)) {
	bad(len(m.Parts) == 0 || len(m.Parts) > maxParts, "%d parts", len(m.Parts))
	bad(len(m.Deltas) > maxDeltas, "%d deltas", len(m.Deltas))
	blob := func(of string, b Blob) {
		bad(b.Size <= 0 || b.Size > maxPart, "%s has %d bytes", of, b.Size)
		bad(!isHash(b.SHA256), "%s has the hash %q", of, b.SHA256)
	}
	for i, p := range m.Parts {
		bad(!isName(p.Name) || slices.ContainsFunc(m.Parts[:i], func(q Part) bool { return q.Name == p.Name }), "part %q", p.Name)
		blob("part "+p.Name, Blob{p.Size, p.SHA256})
		blob("part "+p.Name+", packed,", p.Packed)
	}
	for i, d := range m.Deltas {
		bad(!slices.ContainsFunc(m.Parts, func(p Part) bool { return p.Name == d.Part }), "a delta of the part %q", d.Part)
		bad(slices.ContainsFunc(m.Deltas[:i], func(e Delta) bool { return e.Part == d.Part && e.From == d.From }), "two deltas of %s", d.Part)
		bad(!isHash(d.From), "a delta from %q", d.From)
		blob("delta of "+d.Part, d.Blob)
	}
}

// isName says whether a text can name a model or a part: deb-amd64.
func isName(s string) bool {
	return len(s) > 0 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isHash says whether a text is a SHA-256 in lower hexadecimal digits.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && s == strings.ToLower(s)
}

// isControl finds what a page or a terminal should not be sent.
func isControl(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }

// farFromOverflow lets sums of these times with any duration be made.
func farFromOverflow(times ...time.Time) bool {
	for _, t := range times {
		if y := t.Year(); !t.IsZero() && (y < 1970 || y > 9000) {
			return false
		}
	}
	return true
}
