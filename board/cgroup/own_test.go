package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAProgramKnowsTheLeastBoundAroundIt(t *testing.T) {
	for name, tc := range map[string]struct {
		group string
		files map[string]string
		want  uint64
	}{
		"its own":                     {"0::/system.slice/prontod.service\n", map[string]string{"system.slice/prontod.service": "536870912\n", "system.slice": "max\n"}, 512 << 20},
		"one around it":               {"0::/a/b/c\n", map[string]string{"a/b/c": "max\n", "a/b": "300\n", "a": "200\n"}, 200},
		"a container's":               {"0::/\n", map[string]string{"": "1000\n"}, 1000},
		"none":                        {"0::/a\n", map[string]string{"a": "max\n"}, 0},
		"of two versions":             {"12:memory:/x\n0::/a\n", map[string]string{"a": "77\n"}, 77},
		"of version 1":                {"12:memory:/x\n", map[string]string{"x": "77\n"}, 0},
		"nonsense":                    {"0::/a\n", map[string]string{"a": "many\n"}, 0},
		"more than there is anywhere": {"0::/a\n", map[string]string{"a": "18446744073709551615\n"}, 0},
		"a path that leads out":       {"0::/../../a\n", map[string]string{"a": "5\n"}, 5},
		"nothing said":                {"", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tree := filepath.Join(dir, "tree")
			for at, text := range tc.files {
				if err := os.MkdirAll(filepath.Join(tree, at), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(tree, at, "memory.max"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			said := filepath.Join(dir, "cgroup")
			if err := os.WriteFile(said, []byte(tc.group), 0o644); err != nil {
				t.Fatal(err)
			}
			if got := own(said, tree); got != tc.want {
				t.Errorf("%d bytes, want %d", got, tc.want)
			}
		})
	}
	if own(filepath.Join(t.TempDir(), "none"), "/") != 0 {
		t.Error("a kernel without control groups bounds it")
	}
}
