package loader

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/imagetest"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/recipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAutobootChoosesByTheMarkOfOneStart(t *testing.T) {
	torn := choice.Encode(choice.Choice{Slot: layout.SlotB})
	copy(torn[:256], bytes.Repeat([]byte{0xFF}, 256))
	for _, tc := range []struct {
		name        string
		text        []byte
		plain, once int
	}{
		{"a new card", choice.Encode(choice.Default()), 2, 3},
		{"after a release was kept in B", choice.Encode(choice.Choice{Slot: layout.SlotB}), 3, 2},
		{"with the recovery system wanted", choice.Encode(choice.Choice{Slot: layout.SlotB, Recover: choice.Stick}), 1, 2},
		{"an empty file", nil, 1, 1},
		{"a torn one", torn, 1, 1},
		{"one that is too long", bytes.Repeat([]byte("boot_partition=2\n"), 40), 1, 1},
		{"without two slots", []byte("[all]\nboot_partition=2\n[tryboot]\nboot_partition=3\n"), 2, 1},
		{"filters that it does not know", []byte("[pi4]\nboot_partition=3\n[all]\ntryboot_a_b=1\nboot_partition=2\n[none]\nboot_partition=4\n"), 2, 2},
	} {
		if plain, once := Partition(tc.text, false), Partition(tc.text, true); plain != tc.plain || once != tc.once {
			t.Errorf("%s: %d and %d, want %d and %d", tc.name, plain, once, tc.plain, tc.once)
		}
	}
}

// system is what one partition starts.
func system(name string) []fat.File {
	return []fat.File{
		{Name: "config.txt", Data: []byte("arm_64bit=1\nkernel=kernel8.img\ninitramfs initramfs.zst followkernel\n")},
		{Name: "cmdline.txt", Data: []byte("panic=10\n")},
		{Name: "kernel8.img", Data: []byte("kernel of " + name)},
		{Name: "initramfs.zst", Data: []byte("system of " + name)},
	}
}

func TestACardStartsWhatItChoosesAndTheRecoverySystemWhereThatIsDamaged(t *testing.T) {
	imagetest.Programs(t, "mkfs.vfat", "fsck.vfat", "mcopy", "mke2fs")
	dir := t.TempDir()
	at, part := filepath.Join(dir, "card"), filepath.Join(dir, "slot")
	if err := card.Write(t.Context(), at, recipe.Select(system("recovery")), system("A")); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(at, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	starts := func(what string, try bool, want, arguments string) {
		t.Helper()
		s, err := Load(f, try)
		if err != nil || string(s.Initramfs) != "system of "+want || string(s.Kernel) != "kernel of "+want || s.Arguments != arguments || s.Trying != (try && want != "recovery") {
			t.Errorf("%s: %q, %q, %v, %v", what, s.Initramfs, s.Arguments, s.Trying, err)
		}
		if (s.Skipped != nil) != strings.Contains(what, "damaged") {
			t.Errorf("%s: skipped: %v", what, s.Skipped)
		}
	}
	starts("a new card", false, "A", "panic=10 pronto.slot=2")
	starts("an empty slot B, tried, as damaged", true, "recovery", "panic=10")
	if _, err := card.WriteSlot(t.Context(), part, system("B")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(part)
	if err == nil {
		_, err = f.WriteAt(b, layout.Offset(layout.SlotB))
	}
	if err != nil {
		t.Fatal(err)
	}
	starts("slot B, tried", true, "B", "panic=10 pronto.slot=3 pronto.try=1")
	starts("slot A after that", false, "A", "panic=10 pronto.slot=2")
	if _, err := f.WriteAt(make([]byte, 512), layout.Offset(layout.SlotA)); err != nil {
		t.Fatal(err)
	}
	starts("slot A, damaged", false, "recovery", "panic=10")
	if _, err := f.WriteAt(make([]byte, 512), layout.Offset(layout.Select)); err != nil {
		t.Fatal(err)
	}
	if s, err := Load(f, false); !errors.Is(err, ErrNothing) {
		t.Errorf("a card without its first partition starts %+v, %v", s, err)
	}
	if _, err := Load(bytes.NewReader(make([]byte, 4096)), false); !errors.Is(err, ErrNothing) {
		t.Errorf("an empty card: %v", err)
	}
}

func TestOnlyTheLastWordOfTheKernelSetsTheMark(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lines []string
		want  bool
	}{
		{"nothing", nil, false},
		{"a restart into the other slot", []string{"level=INFO msg=x", "[   61.203415] reboot: Restarting system with command '0 tryboot'", ""}, true},
		{"a restart in the middle of another's line", []string{"level=INFO msg=x err=<nil>[  106.244404] reboot: Restarting system with command '0 tryboot'", ""}, true},
		{"a plain restart behind a program that says so", []string{"[1.000000] reboot: Restarting system with command '0 tryboot'[  106.244404] reboot: Restarting system"}, false},
		{"a plain restart", []string{"[   61.203415] reboot: Restarting system"}, false},
		{"a panic after it was asked for", []string{"[   61.200000] reboot: Restarting system with command '0 tryboot'", "[   61.300000] Kernel panic"}, false},
		{"a program that says so", []string{"level=WARN msg=\"[1] reboot: Restarting system with command '0 tryboot'", "[   61.203415] reboot: Restarting system"}, false},
		{"a program that says so last", []string{"[prontod] x] reboot: Restarting system with command '0 tryboot'"}, false},
	} {
		if got := Marked(tc.lines); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func FuzzPartition(f *testing.F) {
	f.Add(choice.Encode(choice.Default()), true)
	f.Add([]byte("[tryboot]\nboot_partition=9\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, try bool) {
		if n := Partition(text, try); n < 1 || n > 4 {
			t.Error(n)
		}
	})
}
