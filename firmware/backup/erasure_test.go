package backup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// erases orders an erasure on a box, which comes to its end.
func erases(t *testing.T, s Source, n tel.Number) erasure.Entry {
	t.Helper()
	r, err := erasure.Open(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := erasure.New(n, "anna", "", "letter", night)
	if err == nil {
		err = errors.Join(r.Add(e), r.Done(e.ID, erasure.Count{}, night.Add(time.Minute)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhoeverWasErasedIsErasedAgainAfterARestoreOfWhateverPartOnWhateverBox(t *testing.T) {
	old := newBox(t, carriers, "old")
	before := erases(t, old, "+390612345678")
	kit, file := backedUp(t, old)
	other := newBox(t, carriers, "new")
	for name, c := range map[string]struct {
		box  Source
		part Choice
		own  bool // the box has an erasure that the backup does not know
	}{
		"the same box, everything":     {old, Choice{}, true},
		"the same box, the mailboxes":  {old, Choice{Chapters: []Chapter{Voicemail}}, true},
		"a new box, the configuration": {other, Choice{Chapters: []Chapter{Configuration}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string{before.ID}
			if c.own {
				want = append(want, erases(t, c.box, "+393331234567").ID)
			}
			restored(t, c.box, c.part, file, kit)
			l, err := erasure.Read(c.box.Dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range want {
				if i := slices.IndexFunc(l, func(e erasure.Entry) bool { return e.ID == id }); i < 0 || !l[i].Open || !l[i].Until.Equal(night.Add(time.Minute)) {
					t.Errorf("erasure %s is not gone over again: %+v", id, l)
				}
			}
		})
	}
}

func TestABackupWithADamagedListOfErasuresIsNotRestored(t *testing.T) {
	s := newBox(t, carriers, "old")
	erases(t, s, "+390612345678")
	write(t, filepath.Join(s.Dir, erasure.File), `{"v":1,"sum":7,"value":[]}`)
	kit, file := backedUp(t, s)
	fresh := newBox(t, carriers, "new")
	before := tree(t, fresh.Dir)
	if _, err := Stage(fresh, bytes.NewReader(file), Choice{}, kit); !errors.Is(err, ErrDamaged) {
		t.Errorf("staged: %v", err)
	}
	for name, body := range tree(t, fresh.Dir) {
		if was, ok := before[name]; ok && was != body {
			t.Errorf("%s changed", name)
		}
	}
	if _, err := os.Stat(fresh.stage()); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a stage is left")
	}
}
