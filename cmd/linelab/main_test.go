package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/board/sim"
	"github.com/pronto-pbx/pronto/board/vitals"
	"github.com/pronto-pbx/pronto/cmd/linelab/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandsSayWhatTheyDoAndWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		args []string
		code int
		want string // in what it says, on either output
	}{
		"help":                                {[]string{"help"}, 0, "linelab fault LINE NAME"},
		"a command that there is not":         {[]string{"dance"}, 2, `linelab: there is no "dance"`},
		"the language":                        {[]string{"scenario", "-words"}, 0, "caller rings [NUMBER]"},
		"the shipped scenarios":               {[]string{"scenario", "-list"}, 0, scenario.Shipped()[0]},
		"the text of one":                     {[]string{"scenario", "-show", scenario.Shipped()[0]}, 0, "expect service"},
		"a scenario that comes true":          {[]string{"scenario", file("good", "expect service")}, 0, "service after "},
		"a scenario with a mistake":           {[]string{"scenario", file("bad", "expect service\nexpect miracles")}, 1, "bad:2:8: "},
		"a scenario that does not come true":  {[]string{"scenario", file("untrue", "expect service\nexpect ringing within 0s")}, 1, "untrue:2: expect ringing within 0s: not within 0s"},
		"a scenario that there is not":        {[]string{"scenario", filepath.Join(dir, "none")}, 1, "read the scenario: "},
		"no scenario at all":                  {[]string{"scenario"}, 1, "name one scenario: a file, or one of"},
		"the faults, without a lab":           {[]string{"faults", "-var", dir}, 0, "brown_out [duration]"},
		"the faults of a board":               {[]string{"faults", "-var", dir}, 0, "- board hot "},
		"a board that is not there":           {[]string{"fault", "-var", dir, "board", "hot"}, 1, "start the demo office first"},
		"a fault that no board has":           {[]string{"fault", "-var", dir, "board", "flood"}, 1, "there is no such fault"},
		"a fault of the board without a name": {[]string{"fault", "-var", dir, "board"}, 1, "name one fault of the board"},
		"a fault, without a lab":              {[]string{"fault", "-var", dir, "gsm0", "unplug"}, 1, "linelab: no lab listens at "},
		"a flag that there is not":            {[]string{"scenario", "-fast"}, 1, "flag provided but not defined"},
		"load, explained":                     {[]string{"load", "-h"}, 0, "linelab load -server "},
		"load of nothing":                     {[]string{"load"}, 2, "linelab load: -users or -users-file is missing"},
		"load, with a flag that there is not": {[]string{"load", "-fast"}, 2, "flag provided but not defined"},
		"load, where nobody listens":          {[]string{"load", "-server", "127.0.64.8:5060", "-users", "201:a", "-call", "202"}, 1, "nobody listens there"},
		"a page that is nowhere":              {[]string{"-page", "here"}, exitUseless, "linelab: -page: "},
		"a flag of the lab that there is not": {[]string{"-fast"}, exitUseless, "flag provided but not defined"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(tt.args, &out, &errs); code != tt.code || !strings.Contains(out.String()+errs.String(), tt.want) {
				t.Errorf("exit code %d, says %q and %q; want %d and %q", code, out.String(), errs.String(), tt.code, tt.want)
			}
		})
	}
}

func TestAFaultBefallsTheBoardOfTheDemoOfficeAndIsHealed(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "board")
	if err := sim.Make(at, sim.Demo); err != nil {
		t.Fatal(err)
	}
	celsius := func() int { return vitals.Read(sim.Root(at)).Heat.Celsius }
	if code := run([]string{"fault", "-var", dir, "board", "hot"}, io.Discard, io.Discard); code != 0 || celsius() != 86 {
		t.Errorf("exit code %d, the board has %d °C", code, celsius())
	}
	var out bytes.Buffer
	if code := run([]string{"faults", "-var", dir}, &out, io.Discard); code != 0 || !strings.Contains(out.String(), "* board hot ") || !strings.Contains(out.String(), "- board worn ") {
		t.Errorf("exit code %d: %s", code, &out)
	}
	if code := run([]string{"heal", "-var", dir, "board", "all"}, io.Discard, io.Discard); code != 0 || celsius() != 48 {
		t.Errorf("exit code %d, the board has %d °C", code, celsius())
	}
}
