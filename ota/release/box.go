package release

import (
	"fmt"
	"slices"
	"strings"
)

// Box is what of a box decides which releases it can take.
type Box struct {
	ID      string // of its label; draws its place in a rollout
	Model   string // pi4, deb-amd64, as Manifest.Models names them
	EEPROM  Date   // of its boot loader; empty: it has none, or does not say
	Version string // that runs, with or without v
	Epoch   uint32 // highest that was committed
	Data    uint32 // engine version of what lies on its disk
}

// partOfABoard is the name of the part for all boards: one slot starts on each.
const partOfABoard = "slot"

// Part names the part of a release that the box would install.
func (b Box) Part() string {
	if strings.HasPrefix(b.Model, "deb-") {
		return b.Model
	}
	return partOfABoard
}

// Part finds what a box would install, if the release has it.
func (m Manifest) Part(b Box) (Part, bool) {
	i := slices.IndexFunc(m.Parts, func(p Part) bool { return p.Name == b.Part() })
	if i < 0 {
		return Part{}, false
	}
	return m.Parts[i], true
}

// Delta finds the way from the part that the box has, by its SHA-256 in hex, to the one it would install.
func (m Manifest) Delta(b Box, has string) (Delta, bool) {
	i := slices.IndexFunc(m.Deltas, func(d Delta) bool { return d.Part == b.Part() && d.From == has })
	if i < 0 {
		return Delta{}, false
	}
	return m.Deltas[i], true
}

// Code says why a release is refused; pages have the sentences.
type Code string

// The codes.
const (
	NotNewer    Code = "version" // the box runs it, or a later one
	OtherModel  Code = "model"   // not made for this kind of box
	OldEEPROM   Code = "eeprom"  // the boot loader is too old, or does not say how old it is
	StepStone   Code = "from"    // another version has to come first
	LowerEpoch  Code = "epoch"   // the vendor has withdrawn all releases of this epoch for their security
	UnknownData Code = "data"    // it could not read what lies on the disk
	NoPart      Code = "part"    // it has nothing to install on this kind of box
	Nameless    Code = "unnamed" // the box runs a version that cannot be compared
)

// Reason is one reason for which a box does not take a release.
type Reason struct {
	Code Code   `json:"code"`
	Has  string `json:"has"`   // of the box
	Want string `json:"wants"` // of the release
}

func (r Reason) String() string {
	words := map[Code]string{
		NotNewer:    "not newer than what runs",
		OtherModel:  "made for other kinds of box",
		OldEEPROM:   "the boot loader has to be updated first",
		StepStone:   "an earlier release has to be installed first",
		LowerEpoch:  "withdrawn for its security",
		UnknownData: "cannot read what lies on the disk",
		NoPart:      "has no part for this kind of box",
		Nameless:    "the running version cannot be compared",
	}[r.Code]
	return fmt.Sprintf("%s (box: %q, release: %q)", words, r.Has, r.Want)
}

// Refuses lists why the box cannot take the release, in the order in which they are worth telling; none: it can. The
// zero EEPROM of a release asks for no boot loader, so a package is never refused for one. A box whose own version
// says nothing, as that of a developer, takes what asks for no earlier version.
func (m Manifest) Refuses(b Box) (all []Reason) {
	refuse := func(bad bool, c Code, has, want string) {
		if bad {
			all = append(all, Reason{c, has, want})
		}
	}
	runs, errRuns := ParseVersion(b.Version)
	offered, errOffered := ParseVersion(m.Version)
	from, errFrom := ParseVersion(m.From)
	named := errRuns == nil && errOffered == nil
	refuse(named && offered.Compare(runs) <= 0, NotNewer, b.Version, m.Version)
	refuse(!slices.Contains(m.Models, b.Model), OtherModel, b.Model, strings.Join(m.Models, " "))
	_, hasPart := m.Part(b)
	refuse(!hasPart, NoPart, b.Part(), "")
	refuse(m.EEPROM != "" && b.Part() == partOfABoard && b.EEPROM < m.EEPROM, OldEEPROM, string(b.EEPROM), string(m.EEPROM))
	refuse(m.Epoch < b.Epoch, LowerEpoch, fmt.Sprint(b.Epoch), fmt.Sprint(m.Epoch))
	refuse(b.Data < m.Data.Reads || b.Data > m.Data.Writes, UnknownData, fmt.Sprint(b.Data), fmt.Sprintf("%d-%d", m.Data.Reads, m.Data.Writes))
	if m.From != "" {
		refuse(errRuns != nil || errFrom != nil, Nameless, b.Version, m.From)
		refuse(errRuns == nil && errFrom == nil && runs.Compare(from) < 0, StepStone, b.Version, m.From)
	}
	return all
}
