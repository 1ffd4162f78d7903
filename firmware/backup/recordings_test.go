package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

const withTapes = carriers + "backup: {recordings: true}\n"

// archive opens the recordings of a box.
func archive(t *testing.T, s Source) *record.Archive {
	t.Helper()
	a, err := record.Open(record.Config{Log: slog.New(slog.DiscardHandler), Dir: filepath.Join(s.Dir, recordingsName)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// begins begins a recording with a tenth of a second of sound.
func begins(t *testing.T, a *record.Archive, id string) *record.File {
	t.Helper()
	f, err := a.Begin(tape.About{ID: id, Chain: id, Call: id, Began: night, Purpose: "quality", Tracks: []tape.Track{{Leg: "l1", Party: "trunk:tim"}}})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, tape.HeadRoom+tape.PieceHead, 4000)
	tape.PutPiece(b[tape.HeadRoom:], 0, codec.PCMA, 0, 800)
	if err := f.Sound(0, 0, 800, append(b, bytes.Repeat([]byte(id[:1]), 800)...)); err != nil {
		t.Fatal(err)
	}
	return f
}

// records makes whole recordings.
func records(t *testing.T, a *record.Archive, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := begins(t, a, id).End(tape.End{Length: 800}); err != nil {
			t.Fatal(err)
		}
	}
}

// opens tells which recordings of a box open and match their index; the rest is reported.
func opens(t *testing.T, s Source) (ids []string) {
	t.Helper()
	a := archive(t, s)
	defer a.Close()
	if rep, err := a.Verify(t.Context()); err != nil || len(rep.Wrong) > 0 || rep.Running > 0 {
		t.Errorf("not whole: %+v, %v", rep, err)
	}
	for _, r := range a.List(func(record.Recording) bool { return true }) {
		p, err := a.Listen(r.ID, "anna", record.Heard)
		if err != nil {
			t.Errorf("%s does not open: %v", r.ID, err)
			continue
		}
		if p.Samples() != 800 {
			t.Errorf("%s has %d samples", r.ID, p.Samples())
		}
		_ = p.Close()
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

func taped(t *testing.T, mark string, ids ...string) (Source, *record.Archive) {
	t.Helper()
	s := newBox(t, withTapes, mark)
	a := archive(t, s)
	records(t, a, ids...)
	return s, a
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestRecordingsAreInABackupWhereTheOwnerWantsThemAndOpenOnAnotherBox(t *testing.T) {
	was, a := taped(t, "old", "a1", "a2")
	running := begins(t, a, "a3") // goes on, so it is not in the backup
	kit, file := backedUp(t, was)
	if err := running.End(tape.End{Length: 800}); err != nil {
		t.Fatal(err)
	}
	next := newBox(t, "{}", "new")
	if r := restored(t, next, Choice{}, file, kit); !slices.Contains(r.Chapters, Recordings) {
		t.Errorf("the parts are %v", r.Chapters)
	}
	expect(t, "on a new box", opens(t, next), "a1", "a2")

	other, _ := taped(t, "other", "b1")
	restored(t, other, Choice{}, file, kit)
	expect(t, "on a box that had recordings of its own", opens(t, other), "a1", "a2")

	part := newBox(t, "{}", "part")
	restored(t, part, Choice{Chapters: []Chapter{Recordings}}, file, kit)
	expect(t, "alone", opens(t, part), "a1", "a2")
	if got := tree(t, part.Dir)["sms.json"]; got != "part" {
		t.Errorf("with them came the texts: %q", got)
	}

	without, _ := taped(t, "without", "c1")
	restored(t, without, Choice{Chapters: []Chapter{Texts}}, file, kit)
	expect(t, "where they are not wanted", opens(t, without), "c1")
}

func TestABackupWithoutRecordingsTakesNoneFromTheBoxAndOlderProgramsReadIt(t *testing.T) {
	was, _ := taped(t, "old", "a1")
	write(t, was.Config, carriers)
	kit, file := backedUp(t, was)
	if m, total, err := Check(bytes.NewReader(file), kit); err != nil || m.V != formatBefore || total.Files == 0 {
		t.Errorf("%+v %+v %v", m, total, err)
	}
	next, _ := taped(t, "new", "b1")
	for _, c := range []Choice{{}, {Chapters: []Chapter{Recordings, Texts}}} {
		if r := restored(t, next, c, file, kit); slices.Contains(r.Chapters, Recordings) {
			t.Errorf("it says that they come back: %v", r.Chapters)
		}
		expect(t, "afterwards", opens(t, next), "b1")
	}
}

// On the same box the archive itself knows best: what was deleted since the backup stays deleted, what was recorded since
// stays, and only what is missing or was changed comes back.
func TestOnTheSameBoxOnlyWhatIsMissingOrChangedComesBack(t *testing.T) {
	s, a := taped(t, "old", "a1", "a2", "a3", "a4")
	kit, file := backedUp(t, s)
	records(t, a, "a5")
	if err := a.Delete("a2", "anna", record.WhyOptOut); err != nil {
		t.Fatal(err)
	}
	path := func(id string) string {
		return filepath.Join(s.Dir, recordingsName, night.Format(time.DateOnly), id+".tape")
	}
	body, err := os.ReadFile(path("a4"))
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := errors.Join(os.Remove(path("a3")), os.WriteFile(path("a4"), body, 0o600), a.Close()); err != nil {
		t.Fatal(err)
	}
	restored(t, s, Choice{Chapters: []Chapter{Recordings}}, file, kit)
	expect(t, "after the restore", opens(t, s), "a1", "a3", "a4", "a5")
}

func TestWhatIsDeletedWhileItIsCopiedDoesNotComeBackAndWhatEndsMeanwhileIsThere(t *testing.T) {
	s, a := taped(t, "old", "a1", "a2")
	late := begins(t, a, "z9")
	var out bytes.Buffer
	w := writer{ctx: t.Context(), made: night, tar: tar.NewWriter(&onWrite{&out, func() { // while a1 is copied
		if err := errors.Join(a.Delete("a1", "", record.WhyOptOut), late.End(tape.End{Length: 800})); err != nil {
			t.Error(err)
		}
	}})}
	if err := errors.Join(w.recordings(filepath.Join(s.Dir, recordingsName)), w.tar.Close()); err != nil {
		t.Fatal(err)
	}
	next, names := newBox(t, "{}", "new"), []string(nil)
	for in := tar.NewReader(&out); ; {
		head, err := in.Next()
		if err == io.EOF {
			break
		}
		body, err2 := io.ReadAll(in)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(head.Name))
		write(t, filepath.Join(next.Dir, filepath.FromSlash(head.Name)), string(body))
	}
	expect(t, "copied", names, "a1.tape", "a2.tape", "z9.tape", record.KeyFile, record.IndexFile)
	expect(t, "on the new box", opens(t, next), "a2", "z9")
}

// onWrite does something at the first write.
type onWrite struct {
	io.Writer
	do func()
}

// Write implements io.Writer.
func (w *onWrite) Write(b []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return w.Writer.Write(b)
}

// The power goes before each single change that bringing recordings back makes, and the box starts again.
func TestAPowerCutAtAnyMomentOfBringingRecordingsBackLosesNone(t *testing.T) {
	was, a := taped(t, "old", "a1", "a2", "a3")
	kit, file := backedUp(t, was)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Join(was.Dir, recordingsName))
	staged := func(s Source) string { return filepath.Join(s.stage(), "files", recordingsName) }
	day := night.Format(time.DateOnly)
	for _, ours := range []bool{true, false} {
		for cut := range 7 {
			t.Run(fmt.Sprint("own archive ", ours, ", cut ", cut), func(t *testing.T) {
				s := newBox(t, withTapes, "new")
				if ours { // which misses two of three
					keys, err := os.ReadFile(was.keysFile())
					if err != nil {
						t.Fatal(err)
					}
					write(t, s.keysFile(), string(keys))
					for _, name := range slices.Sorted(maps.Keys(before)) {
						if !strings.HasSuffix(name, "a1.tape") && !strings.HasSuffix(name, "a2.tape") {
							write(t, filepath.Join(s.Dir, recordingsName, name), before[name])
						}
					}
				} else {
					other := archive(t, s)
					records(t, other, "b1")
					if err := other.Close(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Stage(s, bytes.NewReader(file), Choice{Chapters: []Chapter{Recordings}}, kit); err != nil {
					t.Fatal(err)
				}
				target := filepath.Join(s.Dir, recordingsName)
				for step, do := range []func() error{
					func() error { // one of the files
						if !ours {
							return nil
						}
						return os.Rename(filepath.Join(staged(s), day, "a1.tape"), filepath.Join(target, day, "a1.tape"))
					},
					func() error {
						if !ours {
							return nil
						}
						return os.Rename(filepath.Join(staged(s), day, "a2.tape"), filepath.Join(target, day, "a2.tape"))
					},
					func() error { // what is left over goes, in any order
						if !ours {
							return nil
						}
						return os.Remove(filepath.Join(staged(s), record.KeyFile))
					},
					func() error {
						if !ours {
							return nil
						}
						return os.Remove(filepath.Join(staged(s), record.IndexFile))
					},
					func() error { // the old directory is moved away
						if ours {
							return nil
						}
						old := filepath.Join(s.stage(), "old", recordingsName)
						return errors.Join(os.MkdirAll(filepath.Dir(old), 0o700), os.Rename(target, old))
					},
					func() error {
						if ours {
							return nil
						}
						return os.Rename(staged(s), target)
					},
				} {
					if step >= cut {
						break
					}
					if err := do(); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := Apply(s); err != nil {
					t.Fatal(err)
				}
				expect(t, "after the cut", opens(t, s), "a1", "a2", "a3")
				if _, err := os.Stat(s.stage()); !errors.Is(err, os.ErrNotExist) {
					t.Error("something of the restore is left")
				}
			})
		}
	}
}

func TestABackupWhoseRecordingsHaveNoKeyIsDamaged(t *testing.T) {
	was, a := taped(t, "old", "a1")
	_ = a.Close()
	if err := os.Remove(filepath.Join(was.Dir, recordingsName, record.KeyFile)); err != nil {
		t.Fatal(err)
	}
	kit, file := backedUp(t, was)
	next, _ := taped(t, "new", "b1")
	if _, err := Stage(next, bytes.NewReader(file), Choice{}, kit); !errors.Is(err, ErrDamaged) {
		t.Errorf("staged: %v", err)
	}
	expect(t, "the box keeps its own", opens(t, next), "b1")
}
