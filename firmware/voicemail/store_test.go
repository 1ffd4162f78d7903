package voicemail

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// office is a store under test with what it told.
type office struct {
	*Store
	t      *testing.T
	dir    string
	mu     sync.Mutex
	told   []Counts
	stored []Message
	faults []string
}

func open(t *testing.T, dir string, all ...Settings) *office {
	t.Helper()
	o := &office{t: t, dir: dir}
	var err error
	o.Store, err = Open(Config{
		Dir:     dir,
		Changed: func(_ tel.Number, c Counts) { o.mu.Lock(); defer o.mu.Unlock(); o.told = append(o.told, c) },
		Stored:  func(m Message, _ string) { o.mu.Lock(); defer o.mu.Unlock(); o.stored = append(o.stored, m) },
		Report: func(ok bool, text string) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if ok {
				text = "ok"
			}
			o.faults = append(o.faults, text)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if all == nil {
		all = []Settings{{Number: "201", Name: "Anna"}}
	}
	o.Configure(all, nil)
	return o
}

// leave stores a message of three seconds and waits until it is there.
func (o *office) leave(box tel.Number, name string, from tel.Number) {
	o.t.Helper()
	if err := speak(o.spool(name), 3*time.Second); err != nil {
		o.t.Fatal(err)
	}
	if err := o.Deliver(name, Message{Box: box, From: from}, MinLength); err != nil {
		o.t.Fatal(err)
	}
	o.settle()
}

// settle waits until the writing goroutine has done all that was asked before.
func (o *office) settle() {
	done := make(chan struct{})
	o.Store.mu.Lock()
	o.later(func() error { close(done); return nil })
	o.Store.mu.Unlock()
	<-done
}

func (o *office) list(box tel.Number) []Message {
	o.t.Helper()
	all, err := o.List(box)
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func TestAMessageIsStoredCountedAndHeard(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	o.leave("201", "201_c1_1", "202")
	all := o.list("201")
	if len(all) != 1 || all[0].From != "202" || all[0].Length != 3*time.Second || !all[0].Heard.IsZero() {
		t.Fatalf("%+v", all)
	}
	path, err := o.Find("message:201/" + all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := wav.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if pcm, err := r.ReadAll(100_000); err != nil || len(pcm) != 24000 {
		t.Errorf("%d samples, %v", len(pcm), err)
	}
	if err := o.MarkHeard("201", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := o.Delete("201", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := o.list("201"); len(got) != 0 {
		t.Errorf("deleted but listed: %v", got)
	}
	if err := o.Undelete("201", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if c, ok := o.Counts("201"); !ok || c != (Counts{0, 1}) {
		t.Errorf("%+v %v", c, ok)
	}
	if want := []Counts{{1, 0}, {0, 1}, {0, 0}, {0, 1}}; !slices.Equal(o.told, want) {
		t.Errorf("told %v, want %v", o.told, want)
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	for _, name := range []string{"201_c1_1", "201_c2_1", "201_c3_1"} {
		o.leave("201", name, "+39061234567")
	}
	before := o.list("201")
	if err := errors.Join(o.MarkHeard("201", before[0].ID), o.Keep("201", before[1].ID), o.Delete("201", before[2].ID)); err != nil {
		t.Fatal(err)
	}
	before = o.list("201")
	o.Close()
	o = open(t, dir)
	defer o.Close()
	after := o.list("201")
	if len(after) != 2 || after[0].Heard.IsZero() || !after[1].Kept || after[0].ID != before[0].ID {
		t.Errorf("%+v", after)
	}
}

func TestAKilledProcessLosesNoMessageAndLeavesNoHalf(t *testing.T) {
	dir := t.TempDir()
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimEnv+"="+dir)
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var last string
		n := 0
		for lines := bufio.NewScanner(pipe); lines.Scan(); n++ {
			if id, from, ok := strings.Cut(lines.Text(), " "); ok && from == "202" {
				last = id
			}
			if n == 5+7*round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if last == "" {
			t.Fatal("the victim stored nothing")
		}
		o := open(t, dir)
		waiting, err := os.ReadDir(filepath.Join(dir, "spool"))
		if err != nil {
			t.Fatal(err)
		}
		all := o.list("201")
		if !slices.ContainsFunc(all, func(m Message) bool { return m.ID == last }) {
			t.Errorf("round %d: %s was stored and is gone", round, last)
		}
		if err := o.Sweep(func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
		o.settle()
		if got := len(o.list("201")); got < len(all) || got > len(all)+len(waiting) {
			t.Errorf("round %d: %d messages, of which %d were in the spool", round, got, len(waiting))
		}
		whole(t, o)
		o.Close()
	}
}

// whole proves that each message has its sound and its description, and that nothing else lies there.
func whole(t *testing.T, o *office) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(o.dir, "box", "201"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	o.Store.mu.Lock()
	for id, m := range o.boxes["201"].messages {
		known[id] = true
		if m.Length < MinLength || m.Length > 3*time.Second || m.Missing { // the speaker may be cut too
			t.Errorf("%+v", m)
		}
	}
	o.Store.mu.Unlock()
	for _, f := range files {
		id := strings.TrimSuffix(strings.TrimSuffix(f.Name(), ".json"), ".wav")
		if !known[id] {
			t.Errorf("%s belongs to no message", f.Name())
		}
	}
	if len(files) != 2*len(known) {
		t.Errorf("%d files for %d messages", len(files), len(known))
	}
	if spool, _ := os.ReadDir(filepath.Join(o.dir, "spool")); len(spool) != 0 {
		t.Errorf("the spool still has %v", spool)
	}
}

func TestWhatAnEarlierProcessLeftIsFinished(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(t *testing.T, o *office, id string)
		want  int
	}{
		"killed between the description and the rename": {func(t *testing.T, o *office, id string) {
			if err := os.Rename(o.wav("201", id), o.spool("201_c1_1")); err != nil {
				t.Fatal(err)
			}
		}, 1},
		"a description without any sound": {func(t *testing.T, o *office, id string) {
			if err := os.Remove(o.wav("201", id)); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"a sound without description": {func(t *testing.T, o *office, id string) {
			if err := os.Remove(o.meta("201", id)); err != nil {
				t.Fatal(err)
			}
		}, 1},
		"a description full of noise": {func(t *testing.T, o *office, id string) {
			if err := os.WriteFile(o.meta("201", id), []byte("\x00\x00\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
		"half of a file": {func(t *testing.T, o *office, id string) {
			if err := os.WriteFile(o.meta("201", id)+part, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, t.TempDir())
			o.leave("201", "201_c1_1", "202")
			id := o.list("201")[0].ID
			o.Close()
			c.leave(t, o, id)
			o = open(t, o.dir)
			defer o.Close()
			all := o.list("201")
			if len(all) != c.want {
				t.Fatalf("%+v", all)
			}
			for _, m := range all {
				if _, err := os.Stat(o.wav("201", m.ID)); err != nil || m.Length != 3*time.Second {
					t.Errorf("%+v, %v", m, err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(o.dir, "box", "201", "*"+part)); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestSweepKnowsWhatIsAMessage(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	for name, d := range map[string]time.Duration{
		"201_gone_1": 3 * time.Second, "201_short_1": time.Second, "greeting_gone_1": 3 * time.Second,
		"prompt_gone_1": 3 * time.Second, "201_live_1": 3 * time.Second, "999_gone_1": 3 * time.Second,
	} {
		if err := speak(o.spool(name), d); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Sweep(func(name string) bool { return name == "201_live_1" }); err != nil {
		t.Fatal(err)
	}
	o.settle()
	if all := o.list("201"); len(all) != 1 || all[0].Length != 3*time.Second {
		t.Errorf("%+v", all)
	}
	left, err := os.ReadDir(filepath.Join(o.dir, "spool"))
	if err != nil || len(left) != 1 || left[0].Name() != "201_live_1.wav.part" {
		t.Errorf("left %v, %v", left, err)
	}
	o.Configure([]Settings{{Number: "201"}, {Number: "999"}}, nil)
	if all := o.list("999"); len(all) != 1 {
		t.Errorf("a box that the configuration had lost: %+v", all)
	}
}

func TestRetentionTakesWhatIsHeardOldAndNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, t.TempDir(), Settings{Number: "201", Retention: 48 * time.Hour})
		defer o.Close()
		for _, name := range []string{"201_new_1", "201_heard_1", "201_kept_1", "201_deleted_1"} {
			o.leave("201", name, tel.Number("20"+name[4:5]))
		}
		ids := map[string]string{}
		for i, name := range []string{"new", "heard", "kept", "deleted"} {
			ids[name] = o.stored[i].ID
		}
		if err := errors.Join(o.MarkHeard("201", ids["heard"]), o.MarkHeard("201", ids["kept"]), o.Keep("201", ids["kept"]), o.Delete("201", ids["deleted"])); err != nil {
			t.Fatal(err)
		}
		time.Sleep(undoFor + 2*tidyEvery)
		synctest.Wait()
		if _, err := os.Stat(o.wav("201", ids["deleted"])); err == nil {
			t.Error("deleted for over an hour and still on the disk")
		}
		if n := len(o.list("201")); n != 3 {
			t.Errorf("%d messages after an hour", n)
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		all := o.list("201")
		if len(all) != 2 || slices.ContainsFunc(all, func(m Message) bool { return m.ID == ids["heard"] }) {
			t.Errorf("%+v", all)
		}
		if files, _ := os.ReadDir(o.Store.dir("201")); len(files) != 4 {
			t.Errorf("%d files for two messages", len(files))
		}
	})
}

func TestABoxAndTheDiskHaveTheirLimits(t *testing.T) {
	o := open(t, t.TempDir(), Settings{Number: "201", MaxMessages: 2}, Settings{Number: "202"})
	defer o.Close()
	if !o.Room("201") || o.Room("999") {
		t.Error("an empty box is full, or an unknown one is not")
	}
	o.leave("201", "201_a_1", "")
	o.leave("201", "201_b_1", "")
	if o.Room("201") || !o.Room("202") {
		t.Error("two messages fill a box of two, and no other")
	}
	o.cfg.Quota = 96_000
	if o.Room("202") {
		t.Error("the quota is not kept")
	}
	o.leave("201", "201_c_1", "") // begun before: still stored
	if n := len(o.list("201")); n != 3 {
		t.Errorf("%d messages", n)
	}
}

func TestWrongNamesAreErrors(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	for what, err := range map[string]error{
		"a path":          o.Deliver("../201_c1_1", Message{Box: "201"}, 0),
		"a box as a path": o.Deliver("201_c1_1", Message{Box: ".."}, 0),
		"no name":         o.Discard(""),
		"a greeting":      o.SaveGreeting("201", "../x", "201_c1_1"),
		"an announcement": o.SavePrompt("../b", "prompt_c1_1"),
		"a recording":     o.SavePrompt("a", "../b"),
	} {
		if !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{"message:201/../pin", "greeting:201/loud", "prompt:", "recording:../x", "message:../x", "secret:x", ""} {
		if path, err := o.Find(name); !errors.Is(err, ErrName) {
			t.Errorf("%q gives %q, %v", name, path, err)
		}
	}
	if _, err := o.List("999"); !errors.Is(err, ErrNoBox) {
		t.Errorf("%v", err)
	}
	if err := o.Delete("201", "nothing"); !errors.Is(err, ErrNoMessage) {
		t.Errorf("%v", err)
	}
	if err := o.Delete("999", "nothing"); !errors.Is(err, ErrNoBox) {
		t.Errorf("%v", err)
	}
}

func TestGreetingsAndAnnouncements(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	if g := o.Greeting("201", Busy); g != nil {
		t.Errorf("%v from an empty box", g)
	}
	for kind, want := range map[string]string{Standard: "greeting:201/standard", Busy: "greeting:201/standard"} {
		if err := speak(o.spool("greeting_c1_1"), time.Second); err != nil {
			t.Fatal(err)
		}
		if err := o.SaveGreeting("201", Standard, "greeting_c1_1"); err != nil {
			t.Fatal(err)
		}
		o.settle()
		if g := o.Greeting("201", kind); !slices.Equal(g, []string{want}) {
			t.Errorf("%s: %v", kind, g)
		}
	}
	if err := speak(o.spool("greeting_c1_2"), time.Second); err != nil {
		t.Fatal(err)
	}
	if err := o.SaveGreeting("201", Busy, "greeting_c1_2"); err != nil {
		t.Fatal(err)
	}
	o.settle()
	if g := o.Greeting("201", Busy); !slices.Equal(g, []string{"greeting:201/busy"}) {
		t.Errorf("%v", g)
	}
	if err := errors.Join(o.RemoveGreeting("201", Busy), o.RemoveGreeting("201", Standard)); err != nil {
		t.Fatal(err)
	}
	o.settle()
	if g := o.Greeting("201", Busy); g != nil {
		t.Errorf("%v after it was removed", g)
	}
	if err := speak(o.spool("prompt_c1_1"), time.Second); err != nil {
		t.Fatal(err)
	}
	if err := o.SavePrompt("closed_today", "prompt_c1_1"); err != nil {
		t.Fatal(err)
	}
	o.settle()
	path, err := o.Find("prompt:closed_today")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if n := len(o.list("201")); n != 0 {
		t.Errorf("greetings are %d messages", n)
	}
}

func FuzzFind(f *testing.F) {
	for _, name := range []string{"message:201/x", "greeting:201/busy", "prompt:a", "recording:b", "message:/etc/passwd"} {
		f.Add(name)
	}
	s := &Store{cfg: Config{Dir: "/state"}}
	f.Fuzz(func(t *testing.T, name string) {
		path, err := s.Find(name)
		if err == nil && !strings.HasPrefix(filepath.Clean(path), "/state/") {
			t.Errorf("%q leads to %q", name, path)
		}
	})
}
