package appliance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tables promise tests, and benchmarks, by name. A name that no package has would be an empty promise.
func TestFeatureTableNamesTestsThatExist(t *testing.T) {
	root, have := filepath.Join("..", ".."), testsByPackage(t)
	for table, least := range map[string]int{"FEATURES.md": 40, "acd/ROWS.md": 50, "media/ROWS.md": 40, "../drivers/gsm/COMPLAINTS.md": 28, "../ui/PAGES.md": 35, "../ota/BRICKS.md": 25} {
		text, err := os.ReadFile(filepath.Join(root, "firmware", filepath.FromSlash(table)))
		if err != nil {
			t.Fatal(err)
		}
		checkTable(t, table, string(text), least, have)
	}
}

// testsByPackage finds all tests by the folder of their package.
func testsByPackage(t *testing.T) map[string]map[string]bool {
	t.Helper()
	root := filepath.Join("..", "..")
	have := map[string]map[string]bool{}
	define := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark)\w+)\(`)
	for _, tree := range []string{"firmware", "drivers", "ui", "cmd", "ota", "board", "images"} {
		err := filepath.WalkDir(filepath.Join(root, tree), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			folder := filepath.Base(filepath.Dir(path))
			if have[folder] == nil {
				have[folder] = map[string]bool{}
			}
			for _, m := range define.FindAllSubmatch(text, -1) {
				have[folder][string(m[1])] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return have
}

// checkTable wants at least so many rows, each with a test, and of each test that it exists.
func checkTable(t *testing.T, table, text string, least int, have map[string]map[string]bool) {
	t.Helper()
	header := regexp.MustCompile(`^\| (capability|row|pain|race|complaint|line|state|cause) \|`)
	rows, names := 0, regexp.MustCompile("`(\\w+)` ((?:(?:Test|Benchmark)\\w+(?:, )?)+)")
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || header.MatchString(line) {
			continue
		}
		rows++
		found := names.FindAllStringSubmatch(line, -1)
		if len(found) == 0 {
			t.Errorf("%s: a row without a test: %s", table, line)
		}
		for _, f := range found {
			for name := range strings.SplitSeq(strings.TrimSuffix(f[2], ", "), ", ") {
				if !have[f[1]][name] {
					t.Errorf("%s: no package %s has %s", table, f[1], name)
				}
			}
		}
	}
	if rows < least {
		t.Errorf("%s: %d rows: the table is not read", table, rows)
	}
}
