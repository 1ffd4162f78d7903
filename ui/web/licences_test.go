package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the page shows is what the programs are made of today: `make licences` writes it anew.
func TestTheLicencesAreThoseOfTheLibraries(t *testing.T) {
	fresh := t.TempDir()
	if out, err := exec.Command("go", "run", "../../cmd/mkimage", "licences", "-root", "../..", "-out", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"libraries.tsv", "texts.txt"} {
		want, err := os.ReadFile(filepath.Join(fresh, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("licences", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not that of today's libraries; `make licences` writes it anew (%v)", name, err)
		}
	}
}

func TestEachLibraryHasTheWordsOfItsLicence(t *testing.T) {
	known := licences()
	if len(known) < 40 {
		t.Fatalf("%d libraries", len(known))
	}
	for path, licence := range known {
		head := "\n" + path + " (" + licence + ")\n"
		_, after, ok := strings.Cut("\n"+string(licenceTexts), head)
		if words, _, _ := strings.Cut(after, strings.Repeat("-", 80)); !ok || len(words) < 500 {
			t.Errorf("%s (%s): %d bytes", path, licence, len(words))
		}
	}
}

func TestThePageShowsTheLicencesOfAllThatTheBoxWasShippedWith(t *testing.T) {
	s := office(t)
	if status, body := s.get("/about/licences"); status != http.StatusOK || body != string(licenceTexts) {
		t.Errorf("those of the programs: status %d, %d bytes", status, len(body))
	}
	if _, body := s.get("/about?lang=en"); !strings.Contains(body, `href="/about/licences"`) {
		t.Error("the page does not lead to them")
	}
	file := filepath.Join(t.TempDir(), "licences.txt")
	box := &server{Config: Config{Licences: file, Log: slog.New(slog.DiscardHandler)}}
	read := func() string {
		w := httptest.NewRecorder()
		box.licenceText(w, nil)
		return w.Body.String()
	}
	if read() != string(licenceTexts) {
		t.Error("a file that is gone leaves nothing to read")
	}
	if err := os.WriteFile(file, []byte("GNU GENERAL PUBLIC LICENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := read(); got != "GNU GENERAL PUBLIC LICENSE" {
		t.Errorf("%q", got)
	}
}
