package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var everyVersion = flag.Bool("versions.all", false, "programs of each kept version read what this one has written, not only those of the last (soak)")

// A box goes back to the version before when an update comes to nothing, with what the new one has written meanwhile.
// So the office of each kept version is opened by today's programs, lives on under them, and is opened by the programs
// of that version, built from its commit: they start, know what today's knew, have nothing moved aside, and answer.
func TestEarlierVersionsReadWhatThisOneHasWritten(t *testing.T) {
	realPrograms(t)
	t.Parallel()
	kept := keptVersions(t)
	if !*everyVersion {
		kept = kept[len(kept)-1:]
	}
	for _, version := range kept {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			commit, err := os.ReadFile(filepath.Join(versionsDir, version, commitFile))
			if err != nil {
				t.Fatal(err)
			}
			programs := programsOf(t, string(bytes.TrimSpace(commit)))
			state := filepath.Join(t.TempDir(), stateFile)
			var known facts
			if !t.Run("today's programs go on", func(t *testing.T) { known = goOn(t, version, state) }) {
				return
			}
			setup, was := setupOf(t, state)
			setup.Programs = programs
			setup.After = func(dir string) { nothingAside(t, dir) }
			o := bench.Start(t, setup)
			bruno, carrier := opened(t, o, known, was, opening{earlier: true})
			v := o.Visit()
			v.Owner()
			v.Shows("/users", "sara")
			v.Shows("/queues/sales", `value="30"`) // the configuration of today is in force, not the last one of before
			v.Shows("/history", "longer still")
			ctl(t, o, "agent", "login", "agent202")
			if len(known.Owed) > 0 {
				callsBack(t, bruno, carrier)
			}
			customer := carrier.customer(mobileNumber)
			talking(t, "in the queue of "+version, customer, hzCarrier, bruno.picksUp(), hzCaller)
			customer.Hangup()
			unharmed(t, o, false)
		})
	}
}

// goOn has today's programs open the office of a version and work in it, and keeps its state. It returns what they know
// in the end.
func goOn(t *testing.T, version, state string) (known facts) {
	from := filepath.Join(versionsDir, version)
	setup, was := setupOf(t, filepath.Join(from, stateFile))
	before := t.TempDir()
	untar(t, filepath.Join(from, stateFile), before)
	setup.After = func(dir string) {
		nothingAside(t, dir)
		reversible(t, formats(t, before), formats(t, dir))
		pack(t, dir, state)
	}
	o := bench.Start(t, setup)
	kept := factsIn(t, from)
	calls, waits := len(kept.Calls), len(kept.Waits)
	if len(was.Lines) > 0 {
		modem(t, o)
		ctl(t, o, "sms", "send", "gsm0", mobileNumber, "a domani")
		o.TextRecords(len(kept.Texts) + 2) // sent, delivered
	}
	carrier, bruno := carrierOf(t, o, hzCarrier), deskAt(t, o, 202, hzCaller)
	n, err := o.Now()
	if err != nil {
		t.Fatal(err)
	}
	ctl(t, o, "agent", "login", "agent202")
	if len(n.Callbacks) > 0 { // of an old fixture it has expired
		callsBack(t, bruno, carrier)
		calls++
	}
	served := carrier.customer("+390612000001")
	talking(t, "in the queue", served, hzCarrier, bruno.picksUp(), hzCaller)
	served.Hangup()
	v := o.Visit()
	v.Owner()
	v.Does("/queues/sales", url.Values{"ring": {"30"}, "was-ring": {"25"}})
	if status, page := v.Post("/changes/apply", url.Values{"why": {"longer still"}}); status != http.StatusOK {
		t.Fatalf("a change of the queue: %d %s", status, page)
	}
	calls, waits = calls+1, waits+1
	o.CallRecords(calls)
	ctl(t, o, "agent", "logout", "agent202")
	if was.Queues[0].Waiting.Callback.Key != "" {
		asksForACall(t, o, carrier)
		calls, waits = calls+1, waits+1
	}
	known = factsOf(t, o, calls, waits)
	kept.Traffic = nil // of a fixture of today they have grown
	known.knows(t, kept, false)
	unharmed(t, o, false)
	return known
}

// callsBack has bruno, for whom the box calls who is owed a call, talk with the customer.
func callsBack(t *testing.T, bruno, carrier *desk) {
	t.Helper()
	at := bruno.picksUp()
	out := carrier.ring()
	if at.Caller != owedNumber || out.Called != owedNumber {
		t.Fatalf("%s is offered and %s called, want %s", at.Caller, out.Called, owedNumber)
	}
	out.Answer()
	talking(t, "called back", out, hzCarrier, at, hzCaller)
	over(t, out, at)
}

// reversible fails the test for each file that is of a later format than before: the version of before could not read
// it. A later format takes two releases: the first reads both and writes the old one, the second writes the new one and
// raises dataOfNow in cmd/mkimage, so that no box goes back to a release that could not read it.
func reversible(t *testing.T, before, now map[string]int) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, known := before[name]
		switch {
		case !known:
			t.Logf("%-40s format %d, new", name, now[name])
		case was == now[name]:
			t.Logf("%-40s format %d", name, was)
		default:
			t.Errorf("%s is of format %d and was of format %d: the version before cannot read it", name, now[name], was)
		}
	}
	if len(before) < 6 {
		t.Errorf("only %d files say of which format they are: %v", len(before), before)
	}
}

// A clone without the history cannot prove it. That is a failure, and it says what to do.
func TestAVersionWhoseCommitIsMissingIsAFailure(t *testing.T) {
	t.Parallel()
	if _, err := buildPrograms("0123456789012345678901234567890123456789"); err == nil || !strings.Contains(err.Error(), "fetch the whole history") {
		t.Errorf("%v", err)
	}
}

// earlier are the programs of commits that were built for this run.
var earlier sync.Map // of func() (string, error), by commit

// programsOf builds the programs of a commit of this repository and returns their directory. That the commit is not
// there is a failure: what it proves is not proved then.
func programsOf(t *testing.T, commit string) string {
	t.Helper()
	build, _ := earlier.LoadOrStore(commit, sync.OnceValues(func() (string, error) { return buildPrograms(commit) }))
	dir, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func buildPrograms(commit string) (string, error) {
	source := filepath.Join(bench.Programs(), "source-"+commit) // goes with the bench
	programs := filepath.Join(bench.Programs(), "of-"+commit)
	if err := os.MkdirAll(source, 0o755); err != nil {
		return "", err
	}
	if _, err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").Output(); err != nil {
		return "", fmt.Errorf("this clone lacks commit %s, whose programs have to read what today's write: fetch the whole history (git fetch --unshallow)", commit)
	}
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	archive := exec.Command("git", "-C", string(bytes.TrimSpace(top)), "archive", commit) // of the whole tree
	archive.Stderr = os.Stderr
	whole, err := archive.Output()
	if err != nil {
		return "", fmt.Errorf("git archive %s: %w", commit, err)
	}
	tar := exec.Command("tar", "-x", "-C", source)
	tar.Stdin = bytes.NewReader(whole)
	if out, err := tar.CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w\n%s", commit, err, out)
	}
	// -trimpath, so that the next run finds what this one has compiled.
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", programs+"/", "./cmd/prontod", "./cmd/recordd", "./cmd/prontoctl")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs of %s: %w\n%s", commit, err, out)
	}
	return programs, os.RemoveAll(source)
}
