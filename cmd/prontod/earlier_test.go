package main_test

import (
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var earlier = flag.Bool("earlier", false, "build the programs of the versions that fixtures are of, and have them open what these leave")

// builtAt builds the programs of the version that a fixture was kept of: its tag's, or the commit's that kept it.
func builtAt(t *testing.T, fixture string) string {
	t.Helper()
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--verify", "--quiet", filepath.Base(fixture)+"^{commit}")
	if err != nil {
		commit, err = git("log", "--diff-filter=A", "--format=%H", "-1", "--", filepath.Join(fixture, stateFile))
	}
	if err != nil || commit == "" {
		t.Fatalf("the history of %s is not here: %v", fixture, err)
	}
	source, programs := t.TempDir(), t.TempDir()
	build := exec.Command("sh", "-c", `git archive "$1" | tar -x -C "$2" && cd "$2" && go build -trimpath -o "$3/" ./cmd/prontod ./cmd/recordd ./cmd/prontoctl`, "sh", commit, source, programs)
	if build.Dir, err = git("rev-parse", "--show-toplevel"); err != nil {
		t.Fatal(err)
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s is built from %.12s", filepath.Base(fixture), commit)
	return programs
}

// What an update is taken back to must work with what the update has left. So the office of each version lives for a
// while with the programs of today, and goes on with those that it came from.
func TestTheProgramsOfEachVersionOpenWhatTheseLeave(t *testing.T) {
	if !*earlier {
		t.Skip("left out: make test-data runs it")
	}
	kept, err := filepath.Glob("testdata/v*")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no fixture is kept: %v", err)
	}
	for _, from := range kept {
		t.Run(filepath.Base(from), func(t *testing.T) {
			left := filepath.Join(t.TempDir(), stateFile)
			records := 0
			if !t.Run("lives with the programs of today", func(t *testing.T) {
				setup := fixtureSetup()
				setup.Before = func(dir string) { unpack(t, filepath.Join(from, stateFile), dir) }
				setup.After = func(dir string) { pack(t, dir, left) }
				o := bench.Start(t, setup)
				asItWas(t, o)
				anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
				anna.code("*79") // she may be disturbed
				served := carrier.customer(mobileNumber)
				talking(t, "in the queue", served, hzCarrier, anna.picksUp(), hzAgent)
				served.Hangup()
				o.WaitRecords(3)
				anna.code("*78")
				records = len(o.CallRecords(5))
			}) {
				return
			}
			t.Run("goes on with its own", func(t *testing.T) {
				setup := fixtureSetup()
				setup.Programs = builtAt(t, from)
				setup.Before = func(dir string) { unpack(t, left, dir) }
				o := bench.Start(t, setup)
				asItWas(t, o)
				if n := len(o.CallRecords(records)); n < records {
					t.Errorf("%d records of %d", n, records)
				}
				anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
				anna.code("*79")
				served := carrier.customer(mobileNumber)
				talking(t, "in the queue", served, hzCarrier, anna.picksUp(), hzAgent)
				served.Hangup()
				if w := o.WaitRecords(4); w[0].Agent != "agent201" {
					t.Errorf("%+v", w[0])
				}
			})
		})
	}
}
