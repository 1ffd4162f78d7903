package page

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// maxPicture bounds one, in bytes: who reads the README on a telephone pays for them.
const maxPicture = 100_000

// `make screenshots` paints them anew.
func TestTheREADMEShowsEveryPictureThatIsKeptAndEachIsSmall(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, m := range regexp.MustCompile(`\(ui/page/(pictures/[^)]+)\)`).FindAllStringSubmatch(string(readme), -1) {
		shown = append(shown, m[1])
	}
	kept, err := filepath.Glob("pictures/*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(shown)
	if !slices.Equal(slices.Compact(shown), kept) || len(kept) != 4 {
		t.Errorf("the README shows %v, kept are %v; they are four", shown, kept)
	}
	for _, path := range kept {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		box, err := png.DecodeConfig(f)
		if err != nil || box.Width < 1000 || info.Size() > maxPicture {
			t.Errorf("%s: %d bytes, %d pixels wide, %v", path, info.Size(), box.Width, err)
		}
		_ = f.Close()
	}
}
