package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// kernel is a tree of plain files, which a kernel with these controllers would have.
func kernel(t *testing.T, controllers string) string {
	t.Helper()
	at := t.TempDir()
	put(t, filepath.Join(at, "cgroup.controllers"), controllers)
	put(t, filepath.Join(at, "cgroup.subtree_control"), "")
	return at
}

func put(t *testing.T, at, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, at string) string {
	t.Helper()
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var bounds = Limit{Memory: 128 << 20, Processes: 512}

func TestAGroupIsBoundedAsFarAsTheKernelCan(t *testing.T) {
	for _, tc := range []struct {
		name, controllers string
		missing           []error
		memory, pids      string
	}{
		{"all of it", "cpuset cpu io memory pids\n", nil, "134217728", "512"},
		{"no memory, as a Raspberry Pi says by itself", "cpu pids\n", []error{ErrMemory}, "", "512"},
		{"no processes", "cpu memory\n", []error{ErrPids}, "134217728", ""},
		{"nothing", "", []error{ErrMemory, ErrPids}, "", ""},
	} {
		at := kernel(t, tc.controllers)
		tree, err := open(at)
		for _, want := range tc.missing {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", tc.name, err, want)
			}
		}
		if len(tc.missing) == 0 && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		for _, name := range []string{"memory.max", "pids.max", "memory.events"} {
			put(t, filepath.Join(at, "recordd", name), "")
		}
		g, err := tree.Make("recordd", bounds)
		if err != nil {
			t.Fatal(err)
		}
		if m, p := read(t, filepath.Join(at, "recordd", "memory.max")), read(t, filepath.Join(at, "recordd", "pids.max")); m != tc.memory || p != tc.pids {
			t.Errorf("%s: memory %q, processes %q", tc.name, m, p)
		}
		if (g.Limit.Memory > 0) != (tc.memory != "") || (g.Limit.Processes > 0) != (tc.pids != "") {
			t.Errorf("%s: it says that %+v holds", tc.name, g.Limit)
		}
		if tc.memory == "" {
			if n, err := g.Ended(); n != 0 || err != nil {
				t.Errorf("%s: %d ended, %v", tc.name, n, err)
			}
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAKernelWhoseTreeIsNoneIsSaidSo(t *testing.T) {
	if tree, err := open(t.TempDir()); err == nil || tree != nil {
		t.Errorf("%v, %v", tree, err)
	}
	at := kernel(t, "memory pids")
	tree, err := open(at)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := tree.Make("recordd", bounds); err == nil { // a kernel makes the files with the directory
		t.Errorf("a group without bounds: %+v", g)
	}
}

func TestWhoWasEndedForWantOfMemoryIsToldOnce(t *testing.T) {
	at := kernel(t, "memory")
	tree, _ := open(at)
	put(t, filepath.Join(at, "recordd", "memory.max"), "")
	g, err := tree.Make("recordd", bounds)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	events := filepath.Join(at, "recordd", "memory.events")
	for _, tc := range []struct {
		text string
		want uint64
		bad  bool
	}{
		{"low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n", 0, false},
		{"max 20\noom 3\noom_kill 2\n", 2, false},
		{"max 20\noom 3\noom_kill 2\n", 0, false},
		{"max 20\n", 0, true},
		{"oom_kill many\n", 0, true},
		{"oom_kill 3\n", 1, false},
	} {
		put(t, events, tc.text)
		if n, err := g.Ended(); n != tc.want || (err != nil) != tc.bad {
			t.Errorf("%q: %d ended, %v", tc.text, n, err)
		}
	}
}

func FuzzCounter(f *testing.F) {
	f.Add([]byte("oom 3\noom_kill 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := counter(text, "oom_kill"); err != nil && n != 0 && n != ^uint64(0) {
			t.Fatal(n, err)
		}
	})
}
