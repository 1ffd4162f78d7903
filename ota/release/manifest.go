// Package release is what a release of Pronto says of itself: the manifest that its vendor signs, and whether a box
// may take it. It is pure: where a manifest comes from and whether it is to be believed is the matter of package trust.
package release

import "time"

// Manifest is one release in one channel. Its JSON is the content of a TUF target.
type Manifest struct {
	Version  string            `json:"version"`             // semantic version without v, as 1.4.2
	Epoch    uint32            `json:"epoch"`               // of security: a box that has committed one takes no lower one
	Models   []string          `json:"models"`              // of boards, as package model names their families, or deb-amd64, deb-arm64
	EEPROM   Date              `json:"min_eeprom,omitzero"` // date of the boot loader below which a board does not start it
	From     string            `json:"min_from,omitempty"`  // version that a box must have before; empty: any
	Data     Data              `json:"data_schema"`         // what it does to what lies on the disk
	Parts    []Part            `json:"parts"`               // one for each kind of box
	Deltas   []Delta           `json:"deltas,omitempty"`    // ways to a part that are shorter than the whole of it
	Severity Severity          `json:"severity"`            // for whom it matters
	Rollout  Rollout           `json:"rollout"`             // which boxes take it
	NotUntil time.Time         `json:"not_before,omitzero"` // no box starts it before
	Deadline time.Time         `json:"deadline,omitzero"`   // from then on one of security waits for no window; zero: none
	Notes    map[string]string `json:"notes"`               // what is new, in plain text, by language (it, en)
	Homepage string            `json:"notes_url,omitempty"` // where more is said
	SBOM     string            `json:"sbom,omitempty"`      // SHA-256 of its bill of materials, in hex
}

// Date is a day as YYYY-MM-DD, the zero value none.
type Date string

// Data is the engine version of what lies on the disk: Writes is what the release leaves behind, Reads the oldest
// that it can open. A box goes back only to a release that reads what it has written since.
type Data struct {
	Writes uint32 `json:"writes"`
	Reads  uint32 `json:"reads_from"`
}

// Part is the content of a slot, or a package.
type Part struct {
	Name   string `json:"name"`   // slot, deb-amd64, deb-arm64
	Size   int64  `json:"size"`   // bytes as they are written
	SHA256 string `json:"sha256"` // of them, in hex
	Packed Blob   `json:"packed"` // the same with zstd, as it is fetched
}

// Blob is a file below parts/ of a repository, named by its hash.
type Blob struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Delta is a file by which the part of an earlier release becomes the part of this one.
type Delta struct {
	Part string `json:"part"`
	From string `json:"from"` // SHA-256 of the earlier part, in hex
	Blob
}

// Severity is how much a release matters.
type Severity string

// The severities.
const (
	Feature  Severity = "feature"
	Bugfix   Severity = "bugfix"
	Security Severity = "security"
)

// Rollout is which boxes take a release: those whose number below 10,000, drawn from Salt and their id, is below
// that of the percentage of the day. Raising it keeps whoever was in; 0 stops it.
type Rollout struct {
	Salt    string        `json:"salt"`
	Percent float64       `json:"percent"`        // at the end of the ramp
	Start   time.Time     `json:"start,omitzero"` // of the ramp
	Ramp    time.Duration `json:"ramp,omitempty"` // from Start to the whole percentage, in nanoseconds; 0: at once
}
