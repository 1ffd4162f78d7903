package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
)

func TestTheBoxChangesWhatItsBootLoaderStarts(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs", "debugfs")
	c := Card{Disk: filepath.Join(t.TempDir(), "image"), Table: layout.Table()}
	if err := card.Write(t.Context(), c.Disk, recipe.Select([]fat.File{{Name: "config.txt"}}), nil); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadChoice(c); err != nil || got != choice.Default() {
		t.Fatalf("a new card chooses %+v, %v", got, err)
	}
	want := choice.Choice{Slot: layout.SlotB, Recover: choice.Stick}
	if err := WriteChoice(c, want); err != nil {
		t.Fatal(err)
	}
	// The boot loader reads it as a file.
	text, err := fat.Read(t.Context(), c.Disk, layout.Offset(layout.Select), choice.File)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := choice.Decode(text); err != nil || got != want {
		t.Errorf("the file says %+v, %v", got, err)
	}
	// A torn sector is an error, and can be written anew.
	f, err := os.OpenFile(c.Disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, err := choiceAt(f, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 300), at); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadChoice(c); !errors.Is(err, choice.ErrDamaged) {
		t.Errorf("a torn sector: %v", err)
	}
	if err := WriteChoice(c, choice.Default()); err != nil {
		t.Fatal(err)
	}
}
