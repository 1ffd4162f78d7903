package live

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

func TestRoomsAreAskedThenToldInTheirOrder(t *testing.T) {
	d := newDisk(before)
	l, rooms, diary := start(t, d, "lines", "queues", "page")
	rooms["queues"].outcome, rooms["page"].outcome = AfterDrain, NeedsRestart
	rooms["lines"].during = func() {
		if d.text(file) != after {
			t.Error("a room was told before the file was written")
		}
		if l.Current().Box.Name != "Before" {
			t.Error("the configuration counts before every room has agreed")
		}
	}
	r, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "we moved")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"lines verifies After", "queues verifies After", "page verifies After",
		"lines takes After", "queues takes After", "page takes After",
	}
	if !slices.Equal(diary.lines, want) {
		t.Errorf("%q", diary.lines)
	}
	if l.Current().Box.Name != "After" || d.text(file) != after || !r.NeedsRestart() {
		t.Errorf("%s %q %+v", l.Current().Box.Name, d.text(file), r)
	}
	const words = "version 2\n  box.name changed: Before -> After\nlines: applied\n" +
		"queues: applied; calls that are up keep what they have\npage: needs a restart of prontod\n"
	if r.String() != words {
		t.Errorf("got\n%s\nwant\n%s", r, words)
	}
}

func TestEveryVetoIsHeardAndNothingChanges(t *testing.T) {
	d := newDisk(before)
	l, rooms, diary := start(t, d, "lines", "queues", "page")
	rooms["lines"].veto, rooms["page"].veto = errors.New("no such modem"), errors.New("too long for the page")
	names := d.names()
	_, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "")
	v, ok := errors.AsType[*Veto](err)
	if !ok || err.Error() != "lines: no such modem\npage: too long for the page" || len(v.Rooms) != 2 {
		t.Fatalf("%v", err)
	}
	if len(diary.lines) != 3 || d.text(file) != before || !slices.Equal(d.names(), names) || l.Current().Box.Name != "Before" {
		t.Errorf("%q %v", diary.lines, d.names())
	}
}

func TestMistakesAreNamedAndNothingChanges(t *testing.T) {
	d := newDisk(before)
	l, _, diary := start(t, d, "queues")
	_, err := l.Apply(t.Context(), Edit(func(c *config.Config) {
		c.Box.Language = "fr"
		c.Queues = []config.Queue{{ID: "sales", Number: "400"}}
	}), "anna", "")
	found, ok := errors.AsType[config.Problems](err)
	if !ok || len(found) != 2 || found[0].Path != "box.language" || found[1].Path != "queues[0].agents" {
		t.Fatalf("%v", err)
	}
	if len(diary.lines) != 0 || d.text(file) != before || len(l.Current().Queues) != 0 {
		t.Errorf("%q", diary.lines)
	}
}

func TestAFailingCommitTakesEverythingBackInReverse(t *testing.T) {
	for _, failing := range []string{"lines", "queues", "page"} {
		for _, panics := range []bool{false, true} {
			t.Run(fmt.Sprint(failing, " panics ", panics), func(t *testing.T) {
				d := newDisk(before)
				l, rooms, diary := start(t, d, "lines", "queues", "page")
				names := d.names()
				rooms[failing].fail, rooms[failing].panics = errors.New("the modem is gone"), panics
				r, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "")
				f, ok := errors.AsType[*Failure](err)
				if !ok || f.Room != failing || f.Undo != nil {
					t.Fatalf("%v", err)
				}
				order := []string{"lines", "queues", "page"}
				order = order[:slices.Index(order, failing)+1]
				var want []string
				for _, n := range order {
					want = append(want, n+" takes After")
				}
				for _, n := range slices.Backward(order) {
					want = append(want, n+" takes Before")
				}
				if got := diary.lines[3:]; !slices.Equal(got, want) {
					t.Errorf("got %q want %q", got, want)
				}
				for n, room := range rooms {
					if room.has != "Before" {
						t.Errorf("%s has %s", n, room.has)
					}
				}
				if d.text(file) != before || !slices.Equal(d.names(), names) || l.Current().Box.Name != "Before" {
					t.Errorf("disk: %q %v", d.text(file), d.names())
				}
				if last := r.Rooms[len(r.Rooms)-1]; len(r.Rooms) != len(order) || last.Err == nil || !last.Undone || r.Version != 0 {
					t.Errorf("report: %+v", r)
				}
			})
		}
	}
}

func TestARoomThatCannotGoBackIsNamed(t *testing.T) {
	d := newDisk(before)
	l, rooms, _ := start(t, d, "lines", "queues")
	rooms["queues"].fail, rooms["lines"].stuck = errors.New("refused"), errors.New("the port is taken")
	r, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "")
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Undo == nil || !strings.Contains(err.Error(), "lines: the port is taken") || !strings.Contains(err.Error(), "restart prontod") {
		t.Fatalf("%v", err)
	}
	if r.Rooms[0].UndoErr == nil || r.Rooms[0].Undone || d.text(file) != before {
		t.Errorf("%+v", r.Rooms)
	}
}

func TestADiskThatIsFullChangesNothing(t *testing.T) {
	for _, where := range []string{dir, ".before", ".new"} {
		t.Run(where, func(t *testing.T) {
			d := newDisk(before)
			l, _, diary := start(t, d, "queues")
			names := d.names()
			d.full = where
			_, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "")
			if err == nil || !strings.Contains(err.Error(), "the disk is full; nothing was changed") {
				t.Fatalf("%v", err)
			}
			if d.text(file) != before || !slices.Equal(d.names(), names) || l.Current().Box.Name != "Before" || len(diary.lines) != 1 {
				t.Errorf("%v %q", d.names(), diary.lines)
			}
			d.full = ""
			if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", ""); err != nil {
				t.Errorf("with space again: %v", err)
			}
		})
	}
}

func TestABoxWithAFullDiskStarts(t *testing.T) {
	d := newDisk(before)
	d.full = dir
	l, _, _ := start(t, d, "queues")
	if l.Current().Box.Name != "Before" {
		t.Error("not read")
	}
	d.full = ""
	if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", ""); err != nil {
		t.Fatal(err)
	}
	if all, err := l.History(t.Context()); err != nil || len(all) != 2 || string(all[1].Text) != before {
		t.Errorf("%v %v", all, err)
	}
}

// After a kill or a power cut between any two steps the file is whole, old or new, the history
// agrees with it, and nothing half is left.
func TestACrashAtAnyStepLeavesTheOldOrTheNewFile(t *testing.T) {
	changes := map[string]func(t *testing.T, l *Live, d *memDisk, rooms map[string]*room){
		"a change": func(t *testing.T, l *Live, _ *memDisk, _ map[string]*room) {
			_, _ = l.Apply(t.Context(), Text([]byte(after)), "anna", "")
		},
		"a change that fails": func(t *testing.T, l *Live, _ *memDisk, rooms map[string]*room) {
			rooms["queues"].fail = errors.New("refused")
			_, _ = l.Apply(t.Context(), Text([]byte(after)), "anna", "")
		},
		"a reload": func(t *testing.T, l *Live, d *memDisk, _ map[string]*room) {
			d.put(file, after)
			_, _ = l.Reload(t.Context())
		},
	}
	for name, do := range changes {
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			for at := 1; ; at++ {
				done := false
				for _, powerCut := range []bool{false, true} {
					d := newDisk(before)
					l, rooms, _ := start(t, d, "queues")
					d.steps, d.diesAt = 0, at
					do(t, l, d, rooms)
					done = d.steps < at
					l.Close()
					d = d.reboot(powerCut)
					seen[d.text(file)]++
					if done && (d.text(file) == before) != (name == "a change that fails") {
						t.Errorf("power cut %v after it was answered: the file is %q", powerCut, d.text(file))
					}
					afterReboot(t, d, fmt.Sprintf("step %d, power cut %v", at, powerCut))
				}
				if done {
					if at < 5 {
						t.Fatalf("only %d steps were tried", at)
					}
					break
				}
			}
			if name == "a change" && (seen[before] < 4 || seen[after] < 4) {
				t.Errorf("both sides of the change were not seen: %v", seen)
			}
		})
	}
}

func afterReboot(t *testing.T, d *memDisk, when string) {
	t.Helper()
	text := d.text(file)
	if text != before && text != after {
		t.Fatalf("%s: the file is %q", when, text)
	}
	l, _, _ := start(t, d, "queues")
	defer l.Close()
	all, err := l.History(t.Context())
	if err != nil || len(all) == 0 || string(all[0].Text) != text {
		t.Errorf("%s: history %v %v for %q", when, all, err, text)
	}
	for _, v := range all {
		if s := string(v.Text); s != before && s != after {
			t.Errorf("%s: version %d is %q", when, v.Number, s)
		}
	}
	for _, n := range d.names() {
		if n != file && !strings.HasSuffix(n, ".yaml") {
			t.Errorf("%s: %s is left", when, n)
		}
	}
}

func TestTwentyVersionsAreKeptAndAnyCanComeBack(t *testing.T) {
	d := newDisk(before)
	l, rooms, _ := start(t, d, "queues")
	for i := range 30 {
		text := fmt.Sprintf("# note %d\nbox: {name: Shop %d}\n", i, i)
		if _, err := l.Apply(t.Context(), Text([]byte(text)), "anna", fmt.Sprintf("why\n%d \"so\"", i)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := l.History(t.Context())
	if err != nil || len(all) != 20 {
		t.Fatalf("%d versions, %v", len(all), err)
	}
	if v := all[0]; v.Number != 31 || v.Who != "anna" || v.Why != "why\n29 \"so\"" || time.Since(v.At) > time.Minute {
		t.Errorf("%+v", v)
	}
	oldest := all[19]
	r, err := l.Restore(t.Context(), oldest.Number, "bruno")
	if err != nil || r.Version != 32 || d.text(file) != "# note 10\nbox: {name: Shop 10}\n" || rooms["queues"].has != "Shop 10" {
		t.Errorf("%v %+v %q", err, r, d.text(file))
	}
	if _, err := l.Restore(t.Context(), 3, "bruno"); !errors.Is(err, ErrVersion) {
		t.Errorf("a version that is gone: %v", err)
	}
}

func TestAHandEditedFileIsReloadedAndNeverRewritten(t *testing.T) {
	d := newDisk(before)
	l, rooms, _ := start(t, d, "queues")
	const edited = "# by hand, with a remark\nbox:   {name: Hand}  # odd spaces\n"
	d.put(file, edited)
	if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", ""); !errors.Is(err, ErrEdited) || d.text(file) != edited {
		t.Fatalf("hand-made edits would be lost: %v", err)
	}
	r, err := l.Reload(t.Context())
	if err != nil || d.text(file) != edited || rooms["queues"].has != "Hand" || l.Current().Box.Name != "Hand" {
		t.Fatalf("%v %q", err, d.text(file))
	}
	if all, _ := l.History(t.Context()); len(all) != 2 || all[0].Number != r.Version || string(all[0].Text) != edited || string(all[1].Text) != before {
		t.Errorf("%v", all)
	}
	d.put(file, "box: {name: Hand, language: fr}\n")
	if _, err := l.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "box.language") {
		t.Errorf("%v", err)
	}
	d.put(file, after)
	rooms["queues"].fail = errors.New("refused")
	if _, err := l.Reload(t.Context()); err == nil || d.text(file) != after || l.Current().Box.Name != "Hand" {
		t.Errorf("a refused reload: %v, file %q, in force %s", err, d.text(file), l.Current().Box.Name)
	}
}

func TestAChangeOfCommentsDisturbsNoRoom(t *testing.T) {
	d := newDisk(before)
	l, _, diary := start(t, d, "queues")
	r, err := l.Apply(t.Context(), Text([]byte("# other words\nbox: {name: Before}\n")), "anna", "")
	if err != nil || r.Version != 2 || len(r.Changes) != 0 || slices.Contains(diary.lines, "queues takes Before") {
		t.Errorf("%v %+v %q", err, r, diary.lines)
	}
	steps := d.steps
	if r, err := l.Apply(t.Context(), Edit(func(*config.Config) {}), "anna", ""); err != nil || r.Version != 0 || d.steps != steps {
		t.Errorf("an edit that changes nothing wrote: %v %+v", err, r)
	}
}

func TestChangesHappenOneAtATime(t *testing.T) {
	l, rooms, _ := start(t, newDisk(before), "queues")
	inside := 0
	rooms["queues"].during = func() {
		if inside++; inside != 1 {
			t.Error("two changes at once")
		}
		time.Sleep(time.Millisecond)
		inside--
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := l.Apply(context.Background(), Edit(func(c *config.Config) { c.Box.Name += "+" }), "anna", "")
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range 100 {
		_ = l.Current().Box.Name // readers never wait
	}
	wg.Wait()
	if got := l.Current().Box.Name; got != "Before"+strings.Repeat("+", 20) {
		t.Errorf("a change was lost: %s", got)
	}
}

func TestAWaitingChangeCanBeGivenUpAndAStartedOneTellsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, rooms, _ := start(t, newDisk(before), "queues")
		release := make(chan struct{})
		rooms["queues"].during = func() { <-release }
		first := make(chan error)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			_, err := l.Apply(ctx, Text([]byte(after)), "anna", "")
			first <- err
		}()
		synctest.Wait()
		short, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if _, err := l.Apply(short, Edit(func(c *config.Config) { c.Box.Name = "Late" }), "bruno", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiting one: %v", err)
		}
		cancel() // too late for the first
		close(release)
		if err := <-first; err != nil || l.Current().Box.Name != "After" {
			t.Errorf("the first: %v, in force %s", err, l.Current().Box.Name)
		}
		if _, err := l.Apply(ctx, Edit(func(c *config.Config) { c.Box.Name = "Never" }), "anna", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
	})
}

func TestBeforeStartAndAfterCloseChangesAreRefused(t *testing.T) {
	l, err := open(Options{Dir: dir}, file, newDisk(before))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Reload(t.Context()); !errors.Is(err, ErrIdle) {
		t.Errorf("%v", err)
	}
	l.Start()
	l.Close()
	l.Close()
	if _, err := l.Reload(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestOnARealDiskModeAndLinkSurvive(t *testing.T) {
	dir := t.TempDir()
	real, link, versions := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "pronto.yaml"), filepath.Join(dir, "var", "config")
	if err := errors.Join(os.WriteFile(real, []byte(before), 0o640), os.Symlink("real.yaml", link)); err != nil {
		t.Fatal(err)
	}
	l, err := Open(Options{File: link, Dir: versions})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Start()
	if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", "moved"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(link)
	if err != nil || string(text) != after {
		t.Errorf("%q %v", text, err)
	}
	if s, err := os.Lstat(link); err != nil || s.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
	if s, err := os.Stat(real); err != nil || s.Mode().Perm() != 0o640 {
		t.Errorf("mode %v %v", s.Mode(), err)
	}
	kept, err := os.ReadFile(filepath.Join(versions, "000002.yaml"))
	if err != nil || !strings.HasSuffix(string(kept), "# who: \"anna\"\n# why: \"moved\"\n"+after) {
		t.Errorf("%q %v", kept, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.*.*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func FuzzVersionFile(f *testing.F) {
	f.Add(encodeVersion(Version{At: time.Unix(1, 2), Who: "anna", Why: "so\nwhat", Text: []byte(before)}))
	f.Add([]byte("# at: yesterday\n# who: me\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeVersion(7, b)
		if err != nil {
			return
		}
		again, err := decodeVersion(7, encodeVersion(v))
		if err != nil || again.Who != v.Who || again.Why != v.Why || !again.At.Equal(v.At) || string(again.Text) != string(v.Text) {
			t.Errorf("%v: %+v became %+v", err, v, again)
		}
	})
}

// broken is a file that somebody wrote by hand, with a mistake in its second line.
const broken = "box: {name: Hand}\nqeues: []\n"

func TestAFileWithMistakesDoesNotKeepTheBoxSilent(t *testing.T) {
	d := newDisk(before)
	l, _, _ := start(t, d, "page")
	if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", ""); err != nil {
		t.Fatal(err)
	}
	l.Close()
	d.put(file, broken)
	l, err := open(Options{Dir: dir}, file, d)
	if err != nil {
		t.Fatalf("the box does not start: %v", err)
	}
	t.Cleanup(l.Close)
	w := &witness{}
	l.Start(w)
	if l.Current().Box.Name != "After" {
		t.Errorf("in force is %q, not the last good version", l.Current().Box.Name)
	}
	f, err := l.File(t.Context())
	if err != nil || !f.Edited || f.Path != file || len(f.Problems) != 1 || f.Problems[0].Path != "line 2" {
		t.Fatalf("%+v, %v", f, err)
	}
	if got := w.last(); len(got) != 1 || got[0].Path != "line 2" {
		t.Errorf("the witness was told %v", got)
	}
	if _, err := l.Apply(t.Context(), Edit(func(c *config.Config) { c.Box.Name = "x" }), "anna", ""); !errors.Is(err, ErrEdited) || d.text(file) != broken {
		t.Errorf("what was written by hand was overwritten: %v", err)
	}
	if _, err := l.Reload(t.Context()); err == nil || l.Current().Box.Name != "After" {
		t.Errorf("the mistake was taken into force: %v", err)
	}
	d.put(file, "box: {name: Hand}\n")
	if _, err := l.Reload(t.Context()); err != nil || l.Current().Box.Name != "Hand" {
		t.Errorf("the corrected file: %v, in force is %q", err, l.Current().Box.Name)
	}
	if got := w.last(); got != nil {
		t.Errorf("the witness still hears of %v", got)
	}
}

// A box that went back from a later release finds that release's configuration in force. It works with all of it that
// it knows, and what it does not know stays among the versions.
func TestTheConfigurationOfALaterReleaseIsReadAsFarAsItIsKnown(t *testing.T) {
	const later = "box: {name: Later, holodeck: true}\nteleporters: [{id: a}]\n"
	for name, kept := range map[string]string{"settled": versionEnd, "cut off while it was settled": pendingEnd} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(before)
			l, _, _ := start(t, d, "page")
			l.Close()
			d.put(file, later)
			d.put(filepath.Join(dir, "000002"+kept), string(encodeVersion(Version{At: time.Now(), Who: "anna", Text: []byte(later)})))
			l, err := open(Options{Dir: dir}, file, d)
			if err != nil {
				t.Fatalf("the box does not start: %v", err)
			}
			t.Cleanup(l.Close)
			w := &witness{}
			l.Start(w)
			if f, err := l.File(t.Context()); err != nil || f.Edited || l.Current().Box.Name != "Later" || d.text(file) != later {
				t.Fatalf("in force is %q, the file %+v %q, %v", l.Current().Box.Name, f, d.text(file), err)
			}
			if got := w.over(); w.last() != nil || len(got) != 2 || got[0].Path != "line 1" || got[1].Path != "line 2" {
				t.Errorf("the witness was told of mistakes %v, passed over %v", w.last(), got)
			}
			if _, err := l.Apply(t.Context(), Edit(func(c *config.Config) { c.Box.Town = "bologna" }), "anna", ""); err != nil {
				t.Fatal(err)
			}
			if text := d.text(file); strings.Contains(text, "holodeck") || !strings.Contains(text, "Later") || w.over() != nil {
				t.Errorf("after a change the file is %s, passed over %v", text, w.over())
			}
			all, err := l.History(t.Context())
			if err != nil || len(all) != 3 || string(all[1].Text) != later {
				t.Errorf("%d versions, %v", len(all), err)
			}
			d.put(file, "box: {name: Hand, holodeck: true}\n")
			if _, err := l.Reload(t.Context()); err == nil {
				t.Error("a slip of the pen was taken into force")
			}
		})
	}
}

func TestWhatWasWrittenByHandIsPutAside(t *testing.T) {
	d := newDisk(before)
	l, _, _ := start(t, d, "page")
	if err := l.Discard(t.Context()); err != nil || d.text(file+".hand") != "" {
		t.Errorf("nothing was written by hand: %v, and %q is kept", err, d.text(file+".hand"))
	}
	d.put(file, broken)
	if _, err := l.Reload(t.Context()); err == nil {
		t.Fatal("a mistake was taken into force")
	}
	d.full = ".hand"
	if err := l.Discard(t.Context()); err == nil || d.text(file) != broken {
		t.Errorf("it was lost on a full disk: %v, %q", err, d.text(file))
	}
	d.full = ""
	if err := l.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.text(file) != before || d.text(file+".hand") != broken {
		t.Errorf("the file is %q, aside is %q", d.text(file), d.text(file+".hand"))
	}
	if f, err := l.File(t.Context()); err != nil || f.Edited {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := l.Apply(t.Context(), Text([]byte(after)), "anna", ""); err != nil {
		t.Errorf("the next change: %v", err)
	}
}

func TestWithoutAGoodVersionMistakesAreTheError(t *testing.T) {
	l, err := open(Options{Dir: dir}, file, newDisk(broken))
	if mistakes, ok := errors.AsType[config.Problems](err); l != nil || !ok || len(mistakes) != 1 {
		t.Errorf("%v", err)
	}
}

// witness remembers what it was told of the file.
type witness struct {
	mu     sync.Mutex
	heard  config.Problems // guarded by mu
	passed config.Problems // too
}

func (*witness) Name() string { return "witness" }

func (*witness) Commit(context.Context, *config.Config, *config.Config) (Outcome, error) {
	return Unchanged, nil
}

func (w *witness) FileJudged(p, passed config.Problems) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.passed = p, passed
}

func (w *witness) over() config.Problems {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passed
}

func (w *witness) last() config.Problems {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}
