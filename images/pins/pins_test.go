package pins

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is where the module file of Pronto lies.
const root = "../.."

func TestTheKernelAndTheBootLoaderAreThoseOfTheirSums(t *testing.T) {
	all, err := Download(t.Context(), root, "images/boot.mod", KernelRPi, Firmware)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "images", "boot.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{KernelRPi, Firmware} {
		m := all[i]
		if m.Path != want || !strings.Contains(string(sums), m.Path+" "+m.Version+" "+m.Sum+"\n") {
			t.Errorf("%+v is not in boot.sum", m)
		}
		if _, err := os.Stat(m.Dir); err != nil {
			t.Error(err)
		}
	}
}

func TestAModuleThatIsNotWhatItsSumSaysIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, spoil := range map[string]string{"boot.mod": "", "boot.sum": "h1:RSLWj1"} {
		b, err := os.ReadFile(filepath.Join(root, "images", name))
		if err != nil {
			t.Fatal(err)
		}
		if spoil != "" {
			b = bytes.Replace(b, []byte(spoil), []byte("h1:AAAAAA"), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Download(t.Context(), root, filepath.Join(dir, "boot.mod"), KernelRPi); err == nil || !strings.Contains(err.Error(), "checksum mismatch") {
		t.Errorf("%v", err)
	}
}

func TestProgramsAreBuiltForTheBoxAndNeedNothingOfIt(t *testing.T) {
	made, err := Build(t.Context(), root, "arm64", []string{"recordd"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(made["recordd"]))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_AARCH64 {
		t.Errorf("machine %v", f.Machine)
	}
	if libraries, err := f.ImportedLibraries(); err == nil && len(libraries) > 0 {
		t.Errorf("needs %q, which the box has not", libraries)
	}
	if bytes.Contains(made["recordd"], []byte(mustAbs(t, root))) {
		t.Error("the program says where its source lay")
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	at, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
