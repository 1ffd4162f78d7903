package handover

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/settings/settingstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func catalogue(t testing.TB, lang string) *i18n.Catalogue {
	t.Helper()
	cat, err := i18n.Load(lang)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// read is what another program reads in a PDF.
func read(t *testing.T, file []byte) string {
	t.Helper()
	cmd := exec.Command("pdftotext", "-layout", "-", "-")
	cmd.Stdin = bytes.NewReader(file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pdftotext (poppler-utils): %v", err)
	}
	return string(out)
}

// spoken is a text without the places where its lines break.
func spoken(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestAnotherProgramReadsEveryFactInBothLanguages(t *testing.T) {
	for _, lang := range i18n.Languages() {
		cat := catalogue(t, lang)
		h := settingstest.Handover("Łukasz Çelik Ελένη Юлия")
		h.Box, h.By = "Perù & Città", "anna"
		file, err := PDF(h, cat)
		if err != nil {
			t.Fatal(err)
		}
		got := spoken(read(t, file))
		want := []string{h.Box, "Łukasz", "Çelik", "Ελένη", "Юлия", cat.T("handover"), cat.T("handover.made", "2026-03-02 09:30", "anna"), cat.T("lamps.none")}
		for _, f := range h.Facts {
			want = append(want, f.Text)
		}
		for _, s := range h.Sections {
			want = append(want, cat.T(s.Key))
			for _, r := range s.Rows {
				for _, c := range r {
					// A cell wraps beside its neighbours: its words are looked for one by one.
					want = append(want, strings.Fields(c.Text)...)
					if c.Says.Sentence != "" {
						want = append(want, strings.Fields(cat.T(c.Says.Sentence))...)
					}
				}
			}
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: no %q in\n%s", lang, w, got)
			}
		}
		if strings.Contains(got, "⟦") {
			t.Errorf("%s: a sentence is missing\n%s", lang, got)
		}
		t.Logf("%s: %d bytes", lang, len(file))
	}
}

func TestALongReportHasPagesAndNoRowIsCut(t *testing.T) {
	h := settingstest.Handover("Anna")
	for i := range 300 {
		h.Sections[0].Rows = append(h.Sections[0].Rows, []page.Cell{{Text: fmt.Sprintf("n%04d", i)}, {Text: strings.Repeat("lungo ", 30)}, {Text: "fine"}})
	}
	file, err := PDF(h, catalogue(t, "it"))
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, file)
	for i := range 300 {
		if !strings.Contains(got, fmt.Sprintf("n%04d", i)) {
			t.Fatalf("row %d is missing", i)
		}
	}
	pages := strings.Split(strings.TrimSuffix(got, "\f"), "\f")
	if len(pages) < 5 || !strings.Contains(got, fmt.Sprintf("pagina %d", len(pages))) {
		t.Errorf("%d pages", len(pages))
	}
	for i, text := range pages {
		if strings.Contains(text, "lungo") && !strings.Contains(text, "Che cosa") {
			t.Errorf("page %d does not name its columns", i+1)
		}
	}
	again, err := PDF(h, catalogue(t, "it"))
	if err != nil || !bytes.Equal(file, again) {
		t.Errorf("the same report is another file: %v", err)
	}
}

func FuzzAnyNameMakesAReport(f *testing.F) {
	f.Add("Anna")
	f.Add("😀\x00\xff\n\ufeff\u202e(\\)")
	f.Add(strings.Repeat("W", 3000))
	cat := catalogue(f, "it")
	f.Fuzz(func(t *testing.T, name string) {
		h := settingstest.Handover(name)
		h.Box, h.By = name, name
		if _, err := PDF(h, cat); err != nil {
			t.Fatal(err)
		}
	})
}
