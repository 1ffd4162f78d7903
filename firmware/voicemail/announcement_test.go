package voicemail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// spokenFor is a WAV of some seconds; its length tells which it is.
func spokenFor(t testing.TB, seconds int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := wav.Write(&b, recordingFormat(), make([]int16, seconds*8000)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// plays judges which sound an announcement has, by its seconds; 0: none.
func (o *office) plays(id string, seconds int) {
	o.t.Helper()
	a, ok := o.Announcement(id)
	body, err := os.ReadFile(o.prompt(id))
	switch {
	case seconds == 0:
		if ok || !errors.Is(err, os.ErrNotExist) {
			o.t.Errorf("%s has a sound of %v, %v", id, a.Length, err)
		}
	case err != nil || !ok || a.Length != time.Duration(seconds)*time.Second || !bytes.Equal(body, spokenFor(o.t, seconds)):
		o.t.Errorf("%s: %v of %d bytes, %v; want %d s", id, a.Length, len(body), err, seconds)
	}
}

func TestAnAnnouncementIsReplacedAndBroughtBack(t *testing.T) {
	for _, id := range []string{"welcome", "it/greeting"} {
		dir := t.TempDir()
		o := open(t, dir)
		do := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		o.plays(id, 0)
		do("the first", o.PutAnnouncement(id, spokenFor(t, 1)))
		o.plays(id, 1)
		do("undoing the first", o.UndoAnnouncement(id))
		o.plays(id, 0)
		do("undoing that", o.UndoAnnouncement(id))
		o.plays(id, 1)
		do("another", o.PutAnnouncement(id, spokenFor(t, 2)))
		do("and another", o.PutAnnouncement(id, spokenFor(t, 3)))
		o.plays(id, 3)
		do("undoing it", o.UndoAnnouncement(id))
		o.plays(id, 2)
		do("undoing that", o.UndoAnnouncement(id))
		o.plays(id, 3)
		do("taking it away", o.RemoveAnnouncement(id))
		o.plays(id, 0)
		if err := o.RemoveAnnouncement(id); !errors.Is(err, ErrNoMessage) {
			t.Errorf("taking away what is gone: %v", err)
		}
		do("bringing it back", o.UndoAnnouncement(id))
		o.plays(id, 3)
		if err := o.UndoAnnouncement("nothing"); !errors.Is(err, ErrNoMessage) {
			t.Errorf("bringing back nothing: %v", err)
		}
		o.Close()
		if err := os.WriteFile(o.prompt(id)+part, []byte("half"), 0o600); err != nil { // what a power cut leaves
			t.Fatal(err)
		}
		o = open(t, dir)
		o.plays(id, 3)
		if _, err := os.Stat(o.prompt(id) + part); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("what is half there stays: %v", err)
		}
		o.Close()
	}
}

func TestNamesThatLeadElsewhereAreNoAnnouncements(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	for _, id := range []string{"", "..", "../x", "it/../x", "it/", "/x", "a/b/c", "it/x.wav", "x.before", "a\\b", "a\x00", strings.Repeat("x", 200), "it/gré"} {
		for what, err := range map[string]error{
			"put": o.PutAnnouncement(id, spokenFor(t, 1)), "remove": o.RemoveAnnouncement(id), "undo": o.UndoAnnouncement(id), "save": o.SavePrompt(id, "prompt_c1_1"),
		} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %q: %v", what, id, err)
			}
		}
		if _, err := o.Find("prompt:" + id); !errors.Is(err, ErrName) {
			t.Errorf("find %q: %v", id, err)
		}
	}
	var found []string
	_ = filepath.Walk(o.dir, func(path string, info os.FileInfo, _ error) error {
		if !info.IsDir() {
			found = append(found, path)
		}
		return nil
	})
	if len(found) > 0 {
		t.Errorf("files were written: %q", found)
	}
}

func TestOnAFullDiskTheOldAnnouncementStays(t *testing.T) {
	dir := smallDisk(t, 256<<10)
	o := open(t, dir)
	defer o.Close()
	if err := o.PutAnnouncement("welcome", spokenFor(t, 1)); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	err := o.PutAnnouncement("welcome", spokenFor(t, 10))
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	o.plays("welcome", 1)
	if _, err := os.Stat(o.prompt("welcome") + part); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half of it is left: %v", err)
	}
}

func TestAnnouncementsHaveAQuota(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	if err := o.PutAnnouncement("welcome", spokenFor(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(o.prompt("welcome"), mostAnnouncements); err != nil { // a hole: no room is taken
		t.Fatal(err)
	}
	if err := o.PutAnnouncement("other", spokenFor(t, 1)); !errors.Is(err, ErrQuota) {
		t.Errorf("%v", err)
	}
	o.plays("other", 0)
}

// Whoever comes last is heard, and at every moment somebody is.
func TestManyWriteTheSameAnnouncementAndItIsAlwaysWhole(t *testing.T) {
	o := open(t, t.TempDir())
	defer o.Close()
	if err := o.PutAnnouncement("welcome", spokenFor(t, 1)); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	over := make(chan struct{})
	readers.Go(func() {
		for {
			body, err := os.ReadFile(o.prompt("welcome"))
			if n := (len(body) - wav.HeaderBytes) / 16000; err != nil || n < 1 || n > 4 || len(body) != wav.HeaderBytes+n*16000 {
				t.Errorf("%d bytes, %v", len(body), err)
				return
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	for n := range 4 {
		sound := spokenFor(t, n+1)
		writers.Go(func() {
			for range 25 {
				if err := o.PutAnnouncement("welcome", sound); err != nil {
					t.Error(err)
				}
				if err := o.UndoAnnouncement("welcome"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(over)
	readers.Wait()
}

func TestARecordingFromAPhoneIsFinishedAndCanBeUndone(t *testing.T) {
	dir := t.TempDir()
	var fail error
	s, err := Open(Config{Dir: dir, Finish: func(_ string, r io.Reader) ([]byte, error) {
		body, err := io.ReadAll(r)
		if err != nil || len(body) != wav.HeaderBytes+3*16000 {
			return nil, fmt.Errorf("%d bytes, %w", len(body), err)
		}
		return spokenFor(t, 2), fail
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{Store: s, t: t, dir: dir}
	defer o.Close()
	take := func(id string) {
		t.Helper()
		if err := speak(o.spool("prompt_c1_1"), 3*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := o.SavePrompt(id, "prompt_c1_1"); err != nil {
			t.Fatal(err)
		}
		o.settle()
		if _, err := o.spooled("prompt_c1_1"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the recording is still in the spool: %v", id, err)
		}
	}
	take("en/greeting")
	o.plays("en/greeting", 2)
	fail = errors.New("nothing can be heard")
	take("en/greeting")
	o.plays("en/greeting", 3) // as it was recorded: better than nothing
	if err := o.UndoAnnouncement("en/greeting"); err != nil {
		t.Fatal(err)
	}
	o.plays("en/greeting", 2)
}
