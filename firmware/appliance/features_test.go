package appliance

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The feature table promises tests by name. A name that no package has would be an empty promise.
func TestFeatureTableNamesTestsThatExist(t *testing.T) {
	root := filepath.Join("..", "..")
	table, err := os.ReadFile(filepath.Join(root, "firmware", "FEATURES.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]map[string]bool{} // package folder -> tests
	define := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, tree := range []string{"firmware", "drivers", "ui", "cmd"} {
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
	rows, names := 0, regexp.MustCompile("`(\\w+)` ((?:Test\\w+(?:, )?)+)")
	for line := range strings.Lines(string(table)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| capability") {
			continue
		}
		rows++
		found := names.FindAllStringSubmatch(line, -1)
		if len(found) == 0 {
			t.Errorf("a row without a test: %s", line)
		}
		for _, f := range found {
			for name := range strings.SplitSeq(strings.TrimSuffix(f[2], ", "), ", ") {
				if !have[f[1]][name] {
					t.Errorf("no package %s has %s", f[1], name)
				}
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d rows: the table is not read", rows)
	}
}
