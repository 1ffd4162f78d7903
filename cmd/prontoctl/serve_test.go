package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatKeepsAContainerFromStartingIsSaidInWords(t *testing.T) {
	for name, tc := range map[string]struct{ first, want string }{
		"no configuration to begin with": {"nowhere.yaml", "there is no configuration to begin with"},
		"no programs":                    {"", "is missing"},
	} {
		dir := t.TempDir()
		var out, errs bytes.Buffer
		args := []string{"-var", dir, "-bin", dir}
		if tc.first != "" {
			args = append(args, "-first", filepath.Join(dir, tc.first))
		}
		if err := serve(args, &out, &errs); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVolumeKeepsItsOwnConfiguration(t *testing.T) {
	dir := t.TempDir()
	first, file := filepath.Join(dir, "first.yaml"), filepath.Join(dir, "pronto.yaml")
	if err := os.WriteFile(first, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, had := range []string{"version: 1\n", "of its owner"} { // at the first start, and at later ones
		if err := begin(file, first); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != had {
			t.Errorf("%q, want %q: %v", got, had, err)
		}
		if err := os.WriteFile(file, []byte("of its owner"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBothServicesOfAStateAreToldWhereItLies(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"prontod", "recordd"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	all, err := telephony(dir, "/data", "/data/pronto.yaml", "linux")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"-dir /data/records -socket /data/run/records.sock -journal /data/history -var /data -config /data/pronto.yaml",
		"-config /data/pronto.yaml -var /data -board linux -records /data/run/records.sock",
	} {
		if got := strings.Join(all[i].Args, " "); !strings.HasPrefix(got, want) || !all[i].Notify {
			t.Errorf("%s %s", all[i].Name, got)
		}
	}
	if all[1].KeepFDs < 1024 || all[1].Watchdog == 0 {
		t.Errorf("prontod's sockets are not kept, or nobody watches it: %+v", all[1])
	}
}
