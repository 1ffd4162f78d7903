package reinstall

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/repository"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
	"github.com/pronto-pbx/pronto/ota/rescue"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/trust"
)

var begin = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

// office is a vendor, and a box in its recovery system that knows the vendor's first root.
type office struct {
	*repositorytest.Vendor
	t    *testing.T
	now  time.Time
	root []byte
	dir  string // what the box knows of the vendor
	box  release.Box
	card *otatest.Card
}

// had is what lay in slot A.
func had() []byte { return otatest.Content("1.1.0", 20<<10) }

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, now: begin, dir: t.TempDir(), box: release.Box{ID: "PRN-7Q2F", Model: "pi4", Version: "1.1.0", Epoch: 2, Data: 1}}
	o.Vendor = repositorytest.New(t, func() time.Time { return o.now })
	o.root, o.card = o.Root, otatest.NewCard(otatest.Blank(had()))
	return o
}

// offers publishes a release of the epoch of the box, changed by edits.
func (o *office) offers(version string, edits ...func(*release.Manifest)) {
	o.t.Helper()
	o.Release("stable", version, otatest.Content(version, 24<<10), append([]func(*release.Manifest){func(m *release.Manifest) { m.Epoch = 2 }}, edits...)...)
}

func (o *office) bundle(version string) []byte {
	o.t.Helper()
	var b bytes.Buffer
	if err := o.Bundle(&b, "stable", version, nil); err != nil {
		o.t.Fatal(err)
	}
	return b.Bytes()
}

func (o *office) known() *trust.Known {
	o.t.Helper()
	k, err := trust.Open(o.root, o.dir, o.t.TempDir())
	if err != nil {
		o.t.Fatal(err)
	}
	return k
}

// brings makes a try from a bundle, into slot B.
func (o *office) brings(bundle []byte) rescue.Step {
	o.t.Helper()
	files, err := trust.Bundle(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		return Refused(err)
	}
	return o.tries(o.known().Local(files, "stable").Again(), true)
}

func (o *office) tries(from Source, local bool) rescue.Step {
	last := rescue.Step{}
	return Try{Source: from, Local: local, Box: o.box, Slot: o.card.Slot(layout.SlotB), Now: o.now, Tell: func(s rescue.Step) {
		if s.Phase == last.Phase && s.At < last.At || s.Phase == rescue.Done || s.Phase == rescue.Failed {
			o.t.Errorf("after %+v it says %+v", last, s)
		}
		last = s
	}}.Run(o.t.Context())
}

// reasons are the codes of why a release is refused.
func reasons(s rescue.Step) (all []release.Code) {
	for _, r := range s.Reasons {
		all = append(all, r.Code)
	}
	return all
}

// TestWhatTheRecoverySystemInstallsAndWhatItRefuses is what somebody can bring to a box that has no system. The box had
// 1.1.0 of epoch 2.
func TestWhatTheRecoverySystemInstallsAndWhatItRefuses(t *testing.T) {
	for _, row := range []struct {
		name     string
		bring    func(o *office) []byte
		gets     string // version; empty: refused
		code     slot.Code
		why      []release.Code
		unharmed bool // what lies in the slot is not touched
	}{
		{name: "the version that it had", bring: func(o *office) []byte { o.offers("1.1.0"); return o.bundle("1.1.0") }, gets: "1.1.0"},
		{name: "a newer one", bring: func(o *office) []byte { o.offers("1.2.0"); return o.bundle("1.2.0") }, gets: "1.2.0"},
		{name: "an earlier one, which the vendor has not withdrawn", bring: func(o *office) []byte { o.offers("1.0.5"); return o.bundle("1.0.5") }, gets: "1.0.5"},
		{name: "one whose bundle also names a newer one", bring: func(o *office) []byte {
			o.offers("1.1.0")
			o.offers("1.2.0")
			return o.bundle("1.1.0")
		}, gets: "1.1.0"},
		{name: "signed by somebody else's keys", bring: func(o *office) []byte {
			keys, err := repository.NewKeys()
			if err != nil {
				o.t.Fatal(err)
			}
			foreign, err := repository.Create(filepath.Join(o.t.TempDir(), "foreign"), keys, func() time.Time { return o.now })
			if err != nil {
				o.t.Fatal(err)
			}
			o.Repository, o.Keys = foreign, keys
			o.offers("1.2.0")
			return o.bundle("1.2.0")
		}, code: slot.CodeTrust, unharmed: true},
		{name: "of an epoch below, with the epoch changed and the bundle packed anew", bring: func(o *office) []byte {
			o.offers("1.2.0", func(m *release.Manifest) { m.Epoch = 1 })
			return repacked(o.t, o.bundle("1.2.0"), `"epoch": 1`, `"epoch": 9`)
		}, code: slot.CodeTrust, unharmed: true},
		{name: "for another model", bring: func(o *office) []byte {
			o.offers("1.2.0", func(m *release.Manifest) { m.Models = []string{"pi5"} })
			return o.bundle("1.2.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.OtherModel}, unharmed: true},
		{name: "of an epoch below", bring: func(o *office) []byte {
			o.offers("1.2.0", func(m *release.Manifest) { m.Epoch = 1 })
			return o.bundle("1.2.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.LowerEpoch}, unharmed: true},
		{name: "the version that it had, of an epoch below", bring: func(o *office) []byte {
			o.offers("1.1.0", func(m *release.Manifest) { m.Epoch = 1 })
			return o.bundle("1.1.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.LowerEpoch}, unharmed: true},
		{name: "one before which another has to come", bring: func(o *office) []byte {
			o.offers("2.0.0", func(m *release.Manifest) { m.From = "1.9.0" })
			return o.bundle("2.0.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.StepStone}, unharmed: true},
		{name: "one that cannot read the data", bring: func(o *office) []byte {
			o.box.Data = 3
			o.offers("1.2.0")
			return o.bundle("1.2.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.UnknownData}, unharmed: true},
		{name: "one that wants a later boot loader", bring: func(o *office) []byte {
			o.offers("1.2.0", func(m *release.Manifest) { m.EEPROM = "2025-01-01" })
			return o.bundle("1.2.0")
		}, code: rescue.CodeRefused, why: []release.Code{release.OldEEPROM}, unharmed: true},
		{name: "one that the vendor has stopped", bring: func(o *office) []byte {
			o.offers("1.1.0", func(m *release.Manifest) { m.Rollout.Percent = 0 })
			return o.bundle("1.1.0")
		}, code: slot.CodeNone, unharmed: true},
		{name: "one that is older than what the box has seen", bring: func(o *office) []byte {
			o.offers("1.1.0")
			old := o.bundle("1.1.0")
			o.offers("1.2.0")
			if s := o.brings(o.bundle("1.2.0")); s.Phase != rescue.Done {
				o.t.Fatalf("%+v", s)
			}
			o.card = otatest.NewCard(otatest.Blank(had()))
			return old
		}, code: rescue.CodeOlder, unharmed: true},
		{name: "an empty repository", bring: func(o *office) []byte {
			o.offers("1.1.0")
			if err := o.Withdraw("stable", "1.1.0", o.Keys); err != nil {
				o.t.Fatal(err)
			}
			o.Release("beta", "1.1.0", []byte("beta"))
			var b bytes.Buffer
			if err := o.Bundle(&b, "beta", "1.1.0", nil); err != nil {
				o.t.Fatal(err)
			}
			return b.Bytes()
		}, code: slot.CodeNone, unharmed: true},
		{name: "no bundle", bring: func(*office) []byte { return []byte("a holiday") }, code: slot.CodeBundle, unharmed: true},
		{name: "cut short", bring: func(o *office) []byte {
			o.offers("1.2.0")
			b := o.bundle("1.2.0")
			return b[:len(b)-100]
		}, code: slot.CodeBundle, unharmed: true},
		{name: "with one bit of its content turned", bring: func(o *office) []byte {
			o.offers("1.2.0")
			b, content := o.bundle("1.2.0"), otatest.Content("1.2.0", 24<<10)
			at := bytes.Index(b, content[:64]) // the half of it that does not compress stands there as it is
			if at < 0 {
				o.t.Fatal("the content is not in the bundle")
			}
			b[at+40] ^= 1
			return b
		}, code: slot.CodeHash},
		{name: "longer than the slot", bring: func(o *office) []byte {
			o.Release("stable", "1.2.0", make([]byte, otatest.SlotSize+1), func(m *release.Manifest) { m.Epoch = 2 })
			return o.bundle("1.2.0")
		}, code: slot.CodeLarge, unharmed: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := newOffice(t)
			b := row.bring(o)
			s := o.brings(b)
			is := o.card.Content()
			if !otatest.Holds(is, layout.SlotA, had()) {
				t.Error("the other slot is not as it was")
			}
			if row.gets != "" {
				if want := otatest.Content(row.gets, 24<<10); s.Phase != rescue.Done || s.Version != row.gets || s.SHA256 != otatest.Sum(want) || !otatest.Holds(is, layout.SlotB, want) {
					t.Errorf("%+v", s)
				}
				return
			}
			if s.Phase != rescue.Failed || s.Code != row.code || !slices.Equal(reasons(s), row.why) || s.Words == "" {
				t.Errorf("%+v, want %s %v", s, row.code, row.why)
			}
			if otatest.Bootable(is, layout.SlotB) {
				t.Error("what was refused would be started")
			}
			if n := o.card.Operations(); row.unharmed && n > 0 {
				t.Errorf("the slot was touched: %d operations", n)
			}
		})
	}
}

func TestFromTheServerABoxGetsWhatItHadOrWhatItsTurnIs(t *testing.T) {
	o := newOffice(t)
	o.offers("1.1.0", func(m *release.Manifest) { m.Rollout.Percent = 0.01 }) // few have it; this one does
	o.offers("1.2.0", func(m *release.Manifest) { m.NotUntil = begin.Add(time.Hour) })
	server := httptest.NewServer(http.FileServer(http.Dir(o.Dir)))
	defer server.Close()
	from, err := trust.NewServer(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if s := o.tries(o.known().Online(from, "stable").Again(), false); s.Phase != rescue.Done || s.Version != "1.1.0" {
		t.Errorf("%+v", s)
	}
	o.now = begin.Add(2 * time.Hour)
	if s := o.tries(o.known().Online(from, "stable").Again(), false); s.Phase != rescue.Done || s.Version != "1.2.0" {
		t.Errorf("%+v", s)
	}
	server.Close()
	if s := o.tries(o.known().Online(from, "stable").Again(), false); s.Phase != rescue.Failed || s.Code != slot.CodeNetwork {
		t.Errorf("a server that is not there: %+v", s)
	}
}

// After every power cut the box starts what it had, or the recovery system, which does it all again; what it then starts
// is whole.
func TestAfterEveryPowerCutTheRecoverySystemDoesItAgain(t *testing.T) {
	for name, before := range map[string][]byte{
		"nothing lay in either slot": nil,
		"both were damaged":          otatest.Content("1.0.0", 22<<10)[600:],
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.offers("1.1.0")
			b, want := o.bundle("1.1.0"), otatest.Content("1.1.0", 24<<10)
			blank := otatest.Blank(before)
			spoilt := otatest.NewCard(blank)
			if _, err := spoilt.Slot(layout.SlotB).WriteAt(before, 0); err != nil {
				t.Fatal(err)
			}
			o.card = otatest.NewCard(spoilt.Content())
			if s := o.brings(b); s.Phase != rescue.Done {
				t.Fatalf("%+v", s)
			}
			proved := o.card.Operations()
			o.chooses()
			states, recovers := 0, 0
			for cut := range o.card.Cuts() {
				states++
				switch otatest.Chosen(cut.Card, false) {
				case layout.SlotB:
					if cut.After <= proved || !otatest.Holds(cut.Card, layout.SlotB, want) {
						t.Fatalf("%s: what starts is not whole", cut.Name)
					}
				case layout.SlotA:
					t.Fatalf("%s: a slot without a system starts", cut.Name)
				default:
					if recovers++; recovers%7 != 0 { // each is alike: some of them go the whole way
						continue
					}
					o.card = otatest.NewCard(cut.Card)
					if s := o.brings(b); s.Phase != rescue.Done {
						t.Fatalf("%s: it is not done again: %+v", cut.Name, s)
					}
					o.chooses()
					if is := o.card.Content(); otatest.Chosen(is, false) != layout.SlotB || !otatest.Holds(is, layout.SlotB, want) {
						t.Fatalf("%s: after it was done again nothing starts", cut.Name)
					}
				}
			}
			if states < 100 || recovers < 50 {
				t.Errorf("%d states, %d of them in the recovery system: they prove little", states, recovers)
			}
			t.Logf("figure: %d states that a power cut leaves, %d of them in the recovery system", states, recovers)
		})
	}
}

// flaky is a source whose connections break.
type flaky struct {
	Source
	content []byte
	after   int // bytes that a connection gives
	opened  []int64
}

func (f *flaky) Open(_ context.Context, _ release.Blob, at int64) (io.ReadCloser, error) {
	f.opened = append(f.opened, at)
	if f.after == 0 {
		return nil, release.ErrUnreachable
	}
	left := f.content[at:]
	return io.NopCloser(io.MultiReader(bytes.NewReader(left[:min(f.after, len(left))]), broken{})), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestABrokenConnectionIsGoneOnWithAndADeadOneGivenUp(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	for name, c := range map[string]struct {
		after int
		local bool
		whole bool
		opens int
		code  slot.Code
	}{
		"it breaks again and again":     {after: 300 << 10, whole: true, opens: 6},
		"it gives nothing":              {after: 0, opens: most + 1, code: slot.CodeNetwork},
		"it gives hardly anything":      {after: 100, opens: most + 1, code: slot.CodeNetwork},
		"a stick is read no other time": {after: 300 << 10, local: true, opens: 1, code: slot.CodeBundle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{content: content, after: c.after}
				s := &steady{ctx: t.Context(), source: f, blob: release.Blob{Size: int64(len(content))}, local: c.local}
				got, err := io.ReadAll(s)
				if c.whole && (err != nil || !bytes.Equal(got, content)) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if !c.whole && (Try{Local: c.local}).failed("", err).Code != c.code {
					t.Errorf("%v", err)
				}
				if len(f.opened) != c.opens {
					t.Errorf("opened at %v", f.opened)
				}
			})
		})
	}
}

func TestWhoEndsATryIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &steady{ctx: ctx, source: &flaky{}, blob: release.Blob{Size: 10}}
		cancel()
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// repacked is a bundle with another text in its files.
func repacked(t *testing.T, bundle []byte, old, new string) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	to, changed := zip.NewWriter(&b), false
	for _, f := range from.File {
		text, err := fs.ReadFile(from, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		changed = changed || bytes.Contains(text, []byte(old))
		w, err := to.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err == nil {
			_, err = w.Write(bytes.ReplaceAll(text, []byte(old), []byte(new)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil || !changed {
		t.Fatalf("changed: %v, %v", changed, err)
	}
	return b.Bytes()
}

// chooses has the card start slot B, as the first program does when all is written.
func (o *office) chooses() {
	o.t.Helper()
	if _, err := o.card.Choice().WriteAt(choice.Encode(choice.Choice{Slot: layout.SlotB}), 0); err != nil {
		o.t.Fatal(err)
	}
	if err := o.card.Choice().Sync(); err != nil {
		o.t.Fatal(err)
	}
}
