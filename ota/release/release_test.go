package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestVersionsAreOrderedAsTheSpecificationSays(t *testing.T) {
	// Section 11 of semver.org 2.0.0, and what lies between.
	order := []string{
		"0.0.1", "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
		"1.2.3", "1.2.10", "1.10.0", "2.0.0", "10.0.0", "999999999999999999.0.0",
	}
	for i, a := range order {
		for j, b := range order {
			v, err := ParseVersion(a)
			if err != nil {
				t.Fatal(err)
			}
			w, err := ParseVersion("v" + b)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Compare(w); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
	v, _ := ParseVersion("1.2.3+build.7")
	w, _ := ParseVersion("1.2.3")
	if v.Compare(w) != 0 {
		t.Error("what stands behind the plus sign counts")
	}
}

func TestWhatIsNoVersion(t *testing.T) {
	for _, s := range []string{
		"", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.x", "1.2.-3", "-1.2.3", "1.2.3-", "1.2.3-a..b", "1.2.3-ä", "1.2.3+", "1.2.3 ", " 1.2.3", "1.2.3\n",
		"fdc60fd9-dirty", "devel", "vv1.2.3", "1000000000000000000.0.0", "1.2.3-" + strings.Repeat("a", 60),
	} {
		if v, err := ParseVersion(s); !errors.Is(err, ErrVersion) {
			t.Errorf("%q is %v, %v", s, v, err)
		}
	}
}

const foo = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

// good is a manifest with every field.
func good() Manifest {
	other := strings.Repeat("0", 64)
	return Manifest{
		Version: "1.4.2", Epoch: 3, Models: []string{"pi4", "pi5", "deb-amd64"}, EEPROM: "2022-10-18", From: "1.2.0", Data: Data{Writes: 4, Reads: 2},
		Parts: []Part{
			{Name: "slot", Size: 40 << 20, SHA256: foo, Packed: Blob{Size: 30 << 20, SHA256: other}},
			{Name: "deb-amd64", Size: 20 << 20, SHA256: other, Packed: Blob{Size: 20 << 20, SHA256: foo}},
		},
		Deltas:   []Delta{{Part: "slot", From: other, Blob: Blob{Size: 100_000, SHA256: foo}}},
		Severity: Security, NotUntil: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), Deadline: time.Date(2026, 12, 28, 0, 0, 0, 0, time.UTC),
		Rollout: Rollout{Salt: "s", Percent: 12.5, Start: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), Ramp: 72 * time.Hour},
		Notes:   map[string]string{"it": "Più sicuro.", "en": "Safer.\nAnd more."}, Homepage: "https://example.org/1.4.2", SBOM: foo,
	}
}

func TestAManifestComesBackAsItWasWritten(t *testing.T) {
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(m)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%v\n%s\n%s", err, text, again)
	}
}

func TestALaterReleaseMaySayMore(t *testing.T) {
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Replace(text, []byte(`{"version"`), []byte(`{"colour":{"of":["years"]},"version"`), 1)
	if m, err := Parse(more); err != nil || m.Version != "1.4.2" {
		t.Errorf("%q, %v", m.Version, err)
	}
}

func TestWhatIsWrongWithAManifest(t *testing.T) {
	for name, spoil := range map[string]func(*Manifest){
		"no version":                     func(m *Manifest) { m.Version = "" },
		"a version with v":               func(m *Manifest) { m.Version = "v1.4.2" },
		"a step-stone that is none":      func(m *Manifest) { m.From = "soon" },
		"no models":                      func(m *Manifest) { m.Models = nil },
		"a model twice":                  func(m *Manifest) { m.Models = []string{"pi4", "pi4"} },
		"a model that is a path":         func(m *Manifest) { m.Models = []string{"../pi4"} },
		"too many models":                func(m *Manifest) { m.Models = make([]string, 33) },
		"an EEPROM of no day":            func(m *Manifest) { m.EEPROM = "2022-13-40" },
		"data from the future":           func(m *Manifest) { m.Data.Reads = 5 },
		"no parts":                       func(m *Manifest) { m.Parts, m.Deltas = nil, nil },
		"a part twice":                   func(m *Manifest) { m.Parts = append(m.Parts, m.Parts[0]) },
		"a part without bytes":           func(m *Manifest) { m.Parts[0].Size = 0 },
		"a part of minus one byte":       func(m *Manifest) { m.Parts[0].Packed.Size = -1 },
		"a part larger than any card":    func(m *Manifest) { m.Parts[0].Size = math.MaxInt64 },
		"a part with a short hash":       func(m *Manifest) { m.Parts[0].SHA256 = foo[:62] },
		"a part with a loud hash":        func(m *Manifest) { m.Parts[0].SHA256 = strings.ToUpper(foo) },
		"a part whose hash is a path":    func(m *Manifest) { m.Parts[0].Packed.SHA256 = "../../etc/passwd" },
		"a delta of no part":             func(m *Manifest) { m.Deltas[0].Part = "deb-arm64" },
		"a delta from nowhere":           func(m *Manifest) { m.Deltas[0].From = "" },
		"a delta twice":                  func(m *Manifest) { m.Deltas = append(m.Deltas, m.Deltas[0]) },
		"no severity":                    func(m *Manifest) { m.Severity = "" },
		"a severity that nobody knows":   func(m *Manifest) { m.Severity = "panic" },
		"no salt":                        func(m *Manifest) { m.Rollout.Salt = "" },
		"more than all boxes":            func(m *Manifest) { m.Rollout.Percent = 101 },
		"less than none":                 func(m *Manifest) { m.Rollout.Percent = -0.1 },
		"not a number of boxes":          func(m *Manifest) { m.Rollout.Percent = math.NaN() },
		"a ramp without a start":         func(m *Manifest) { m.Rollout.Start = time.Time{} },
		"a ramp backwards":               func(m *Manifest) { m.Rollout.Ramp = -1 },
		"a ramp of years":                func(m *Manifest) { m.Rollout.Ramp = math.MaxInt64 },
		"a deadline before it starts":    func(m *Manifest) { m.Deadline = m.NotUntil.Add(-1) },
		"a deadline after all calendars": func(m *Manifest) { m.Deadline = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"notes in a language of no name": func(m *Manifest) { m.Notes["italiano"] = "x" },
		"endless notes":                  func(m *Manifest) { m.Notes["it"] = strings.Repeat("x", maxNotes+1) },
		"notes that move the cursor":     func(m *Manifest) { m.Notes["it"] = "\x1b[2J" },
		"a page that is a script":        func(m *Manifest) { m.Homepage = "javascript:alert(1)" },
		"a page with a password":         func(m *Manifest) { m.Homepage = "https://me:secret@example.org/" },
		"a bill of no hash":              func(m *Manifest) { m.SBOM = "x" },
	} {
		m := good()
		spoil(&m)
		if err := m.Validate(); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := good().Validate(); err != nil {
		t.Error(err)
	}
}

func TestATextThatIsNoManifest(t *testing.T) {
	text, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "null": []byte("null"), "an array": []byte("[]"), "half": text[:len(text)/2], "two": append(bytes.Clone(text), text...),
		"garbage behind": append(bytes.Clone(text), 'x'), "bytes that are no text": bytes.Replace(text, []byte("Safer"), []byte{0xff}, 1),
		"too long": append(bytes.Clone(text), bytes.Repeat([]byte(" "), MaxManifest)...), "deep": []byte(strings.Repeat(`{"a":`, 20000)),
		"a negative epoch": bytes.Replace(text, []byte(`"epoch":3`), []byte(`"epoch":-3`), 1), "an epoch of words": bytes.Replace(text, []byte(`"epoch":3`), []byte(`"epoch":"three"`), 1),
	} {
		if _, err := Parse(b); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAManifestIsWholeOrNone(f *testing.F) {
	text, err := json.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":"1.0.0","rollout":{"percent":1e400}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrManifest) {
				t.Fatal(err)
			}
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := Parse(again); len(again) <= MaxManifest && (err != nil || n.Version != m.Version) {
			t.Fatalf("%v\n%s", err, again)
		}
		_ = m.Refuses(Box{Model: "pi4", Version: "1.0.0"})
	})
}

func FuzzVersionsAreOrdered(f *testing.F) {
	f.Add("1.2.3", "1.2.3-rc.1", "2.0.0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var v [3]Version
		for i, s := range []string{a, b, c} {
			var err error
			if v[i], err = ParseVersion(s); err != nil {
				if !errors.Is(err, ErrVersion) {
					t.Fatal(err)
				}
				return
			}
		}
		if v[0].Compare(v[1]) != -v[1].Compare(v[0]) {
			t.Fatalf("%q and %q have no order", a, b)
		}
		if v[0].Compare(v[1]) <= 0 && v[1].Compare(v[2]) <= 0 && v[0].Compare(v[2]) > 0 {
			t.Fatalf("%q, %q, %q are a ring", a, b, c)
		}
	})
}

func TestWhichReleasesABoxRefuses(t *testing.T) {
	box := Box{ID: "PRN-7Q2F", Model: "pi4", EEPROM: "2024-01-15", Version: "1.3.0", Epoch: 3, Data: 3}
	for _, row := range []struct {
		name string
		box  func(*Box)
		of   func(*Manifest)
		want []Code
	}{
		{name: "none that is meant for it"},
		{name: "one that runs", box: func(b *Box) { b.Version = "v1.4.2" }, want: []Code{NotNewer}},
		{name: "one that is older than what runs", box: func(b *Box) { b.Version = "1.5.0" }, want: []Code{NotNewer}},
		{name: "the candidate of a release that runs", box: func(b *Box) { b.Version = "1.4.2" }, of: func(m *Manifest) { m.Version = "1.4.2-rc.2" }, want: []Code{NotNewer}},
		{name: "one for other boards", box: func(b *Box) { b.Model = "cm4" }, want: []Code{OtherModel}},
		{name: "one for boards where it is a package", box: func(b *Box) { b.Model = "deb-arm64" }, want: []Code{OtherModel, NoPart}},
		{name: "none where it is the package of its kind", box: func(b *Box) { b.Model, b.EEPROM = "deb-amd64", "" }},
		{name: "one whose part for it is missing", of: func(m *Manifest) { m.Parts = m.Parts[1:] }, want: []Code{NoPart}},
		{name: "one whose boot loader is newer", box: func(b *Box) { b.EEPROM = "2022-10-17" }, want: []Code{OldEEPROM}},
		{name: "none of the very day", box: func(b *Box) { b.EEPROM = "2022-10-18" }},
		{name: "one with a boot loader that does not say its age", box: func(b *Box) { b.EEPROM = "" }, want: []Code{OldEEPROM}},
		{name: "none that asks for no boot loader", box: func(b *Box) { b.EEPROM = "" }, of: func(m *Manifest) { m.EEPROM = "" }},
		{name: "one from before a security epoch", box: func(b *Box) { b.Epoch = 4 }, want: []Code{LowerEpoch}},
		{name: "none of a higher epoch", box: func(b *Box) { b.Epoch = 2 }},
		{name: "one that needs a step-stone", box: func(b *Box) { b.Version = "1.1.9" }, want: []Code{StepStone}},
		{name: "none from the step-stone on", box: func(b *Box) { b.Version = "1.2.0" }},
		{name: "one that cannot read such old data", box: func(b *Box) { b.Data = 1 }, want: []Code{UnknownData}},
		{name: "one that cannot read such new data", box: func(b *Box) { b.Data = 5 }, want: []Code{UnknownData}},
		{name: "one that asks a developer's box for a version", box: func(b *Box) { b.Version = "devel" }, want: []Code{Nameless}},
		{name: "none where a developer's box is asked nothing", box: func(b *Box) { b.Version = "devel" }, of: func(m *Manifest) { m.From = "" }},
		{name: "one for several reasons", box: func(b *Box) { *b = Box{Version: "9.0.0", Model: "zero2", Epoch: 9, Data: 9} }, want: []Code{NotNewer, OtherModel, OldEEPROM, LowerEpoch, UnknownData}},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, m := box, good()
			if row.box != nil {
				row.box(&b)
			}
			if row.of != nil {
				row.of(&m)
			}
			var got []Code
			for _, r := range m.Refuses(b) {
				got = append(got, r.Code)
				if strings.HasPrefix(r.String(), " ") {
					t.Errorf("%s has no words", r.Code)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("%v, want %v", got, row.want)
			}
		})
	}
}

func TestTheWayToAPart(t *testing.T) {
	m, box := good(), Box{Model: "pi5"}
	if p, ok := m.Part(box); !ok || p.Name != "slot" {
		t.Errorf("%+v, %v", p, ok)
	}
	if d, ok := m.Delta(box, strings.Repeat("0", 64)); !ok || d.Size != 100_000 {
		t.Errorf("%+v, %v", d, ok)
	}
	if _, ok := m.Delta(box, foo); ok {
		t.Error("a delta from another slot")
	}
	if _, ok := m.Delta(Box{Model: "deb-amd64"}, strings.Repeat("0", 64)); ok {
		t.Error("a delta of another part")
	}
}

func TestARefusalIsAWayOfHavingNone(t *testing.T) {
	err := error(&Refusal{"1.4.2", []Reason{{OtherModel, "cm4", "pi4"}, {LowerEpoch, "2", "1"}}})
	if !errors.Is(err, ErrNone) || errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "1.4.2") || !strings.Contains(err.Error(), "pi4") {
		t.Error(err)
	}
}

func TestBytesAreVerifiedWhereTheyEnd(t *testing.T) {
	b := Blob{3, foo} // of "foo"
	for name, c := range map[string]struct {
		text string
		want error
	}{"the file": {"foo", nil}, "another": {"bar", ErrBlob}, "less": {"fo", io.ErrUnexpectedEOF}, "more": {"fooo", ErrBlob}, "nothing": {"", ErrBlob}} {
		for how, r := range map[string]io.Reader{"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text)), "with its end": iotest.DataErrReader(strings.NewReader(c.text))} {
			if _, err := io.ReadAll(b.Verify(r)); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
		}
	}
	if _, err := io.ReadAll(b.Verify(iotest.ErrReader(io.ErrClosedPipe))); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
