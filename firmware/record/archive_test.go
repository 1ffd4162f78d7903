package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
)

var ten = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

const week = 7 * 24 * time.Hour

func about(id string) tape.About {
	return tape.About{
		ID: id, Chain: "c", Call: "c", Began: ten, Purpose: "quality", Until: ten.Add(week), Queue: "sales", Agents: []string{"anna"},
		Tracks: []tape.Track{{Leg: "l1", Party: "trunk:tim"}, {Leg: "l2", Party: "phone:201"}},
	}
}

// told collects what an archive tells of.
type told []string

func (t *told) note(e Entry, r Recording) {
	*t = append(*t, strings.TrimSpace(fmt.Sprint(e.What, " ", r.ID, " ", e.By, " ", e.Why)))
}

func openArchive(t testing.TB, dir string, change func(*Config)) *Archive {
	t.Helper()
	cfg := Config{Log: slog.New(slog.DiscardHandler), Dir: dir}
	if change != nil {
		change(&cfg)
	}
	a, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// block is a tenth of a second of a tone of one track.
func block(from int) []byte {
	b := make([]byte, tape.HeadRoom+tape.PieceHead, 4000)
	tape.PutPiece(b[tape.HeadRoom:], uint32(from), codec.PCMA, 0, 800)
	pcm := make([]int16, 800)
	for i := range pcm {
		pcm[i] = int16(8000 * (i / 4 % 2 * 2)) // 1,000 Hz, square
	}
	payload := make([]byte, 800)
	codec.NewEncoder(codec.PCMA).Encode(payload, pcm)
	return append(b, payload...)
}

// speak records tenths of a second.
func speak(t testing.TB, f *File, tenths int) {
	t.Helper()
	for i := range tenths {
		must(t, f.Sound(uint8(i%2), uint32(800*i), uint32(800*i+800), block(800*i)))
	}
}

func recorded(t testing.TB, a *Archive, id string) {
	t.Helper()
	f, err := a.Begin(about(id))
	must(t, err)
	speak(t, f, 10)
	must(t, f.Sync())
	must(t, f.End(tape.End{Length: 8000, Why: "ended"}))
}

func whats(t testing.TB, a *Archive, id string) (all []What) {
	t.Helper()
	h, err := a.History(id)
	must(t, err)
	for _, e := range h {
		all = append(all, e.What)
	}
	return all
}

func verified(t testing.TB, a *Archive) Report {
	t.Helper()
	r, err := a.Verify(t.Context())
	must(t, err)
	return r
}

func TestARecordingIsKeptHeardAndDeletedAndTheIndexTellsOfIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	var log told
	a := openArchive(t, dir, func(c *Config) { c.Told = log.note })
	recorded(t, a, "c-1")
	p, err := a.Listen("c-1", "bruno", Heard)
	must(t, err)
	pcm := make([]int16, 16000)
	if n := p.Read(pcm, 0); n != 8000 || p.Damaged() != nil || dsp.Level(pcm) < -20 {
		t.Errorf("%d samples at %.1f dBm0, %v", n, dsp.Level(pcm), p.Damaged())
	}
	must(t, p.Close())
	if r := verified(t, a); len(r.Wrong) > 0 || r.Files != 1 {
		t.Errorf("%+v", r)
	}
	must(t, a.Close())
	a = openArchive(t, dir, func(c *Config) { c.Told = log.note })
	r, ok := a.Get("c-1")
	if !ok || r.State != Ended || r.Length != time.Second || r.Queue != "sales" || len(a.List(func(r Recording) bool { return r.Chain == "c" })) != 1 {
		t.Errorf("%+v", r)
	}
	must(t, a.Delete("c-1", "anna", WhyPerson))
	if _, err := a.Listen("c-1", "bruno", Heard); !errors.Is(err, ErrUnknown) {
		t.Errorf("a deleted one: %v", err)
	}
	if _, err := os.Stat(a.path(&r.About)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if got := whats(t, a, "c-1"); !slices.Equal(got, []What{Began, Ended, Heard, Deleted}) {
		t.Errorf("history %v", got)
	}
	if want := (told{"heard c-1 bruno", "deleted c-1 anna person"}); !slices.Equal(log, want) {
		t.Errorf("told %q", log)
	}
	if r := verified(t, a); len(r.Wrong) > 0 || r.Lines != 4 {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsMissingOrChangedIsFound(t *testing.T) {
	index := func(change func([]byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, indexName)
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, change(b), 0o600))
		}
	}
	file := filepath.Join("2026-11-27", "c-2.tape")
	for _, c := range []struct {
		name string
		do   func(t *testing.T, dir string)
		want string
	}{
		{"a word of the index", index(func(b []byte) []byte { return bytes.Replace(b, []byte("anna"), []byte("nina"), 1) }), "does not follow"},
		{"a line of the index", index(func(b []byte) []byte { _, rest, _ := bytes.Cut(b, []byte("\n")); return rest }), "says it is 2"},
		{"two lines of the index that changed places", index(func(b []byte) []byte {
			l := bytes.SplitAfter(b, []byte("\n"))
			l[1], l[2] = l[2], l[1]
			return bytes.Join(l, nil)
		}), "says it is"},
		{"a line that is no line", index(func(b []byte) []byte { return append([]byte("x\n"), b...) }), "line 1"},
		{"a file", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, file))) }, "c-2: the file is missing"},
		{"a byte of a file", func(t *testing.T, dir string) {
			b, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			b[len(b)/2] ^= 1
			must(t, os.WriteFile(filepath.Join(dir, file), b, 0o600))
		}, "c-2: the file was changed"},
		{"the end of a file", func(t *testing.T, dir string) { must(t, os.Truncate(filepath.Join(dir, file), 700)) }, "c-2: the file was changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			a := openArchive(t, dir, nil)
			for i := range 3 {
				recorded(t, a, fmt.Sprint("c-", i+1))
			}
			must(t, a.Close())
			c.do(t, dir)
			a = openArchive(t, dir, nil) // nothing stops the box
			recorded(t, a, "later")
			if r := verified(t, a); !strings.Contains(strings.Join(r.Wrong, "\n"), c.want) {
				t.Errorf("%q, want %q", r.Wrong, c.want)
			}
		})
	}
}

func TestAFileThatSomebodyPutThereIsFoundWhileTheBoxRuns(t *testing.T) {
	dir := t.TempDir()
	a := openArchive(t, dir, nil)
	recorded(t, a, "c-1")
	b, err := os.ReadFile(filepath.Join(dir, "2026-11-27", "c-1.tape"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "2026-11-27", "c-9.tape"), b, 0o600))
	if r := verified(t, a); len(r.Wrong) != 1 || !strings.Contains(r.Wrong[0], "c-9: no line tells") {
		t.Errorf("%+v", r)
	}
	must(t, a.Close())
	a = openArchive(t, dir, nil)
	if _, ok := a.Get("c-9"); ok {
		t.Error("a copy passes for another recording")
	}
}

func TestTheTimeOfAPurposeEndsAndTheLawCanHoldARecording(t *testing.T) {
	var log told
	a := openArchive(t, t.TempDir(), func(c *Config) { c.Told = log.note })
	for _, id := range []string{"c-1", "c-2", "c-3"} {
		recorded(t, a, id)
	}
	running, err := a.Begin(about("c-4"))
	must(t, err)
	must(t, a.Hold("c-2", "owner", true))
	if gone := a.Sweep(ten.Add(week - 1)); gone != 0 {
		t.Errorf("%d were deleted too early", gone)
	}
	if gone := a.Sweep(ten.Add(week)); gone != 2 {
		t.Errorf("%d were deleted", gone)
	}
	if err := a.Delete("c-2", "owner", WhyPerson); !errors.Is(err, ErrHeld) {
		t.Errorf("one that is held: %v", err)
	}
	must(t, a.Hold("c-2", "owner", false))
	a.Sweep(ten.Add(week))
	want := told{"held c-2 owner", "deleted c-1  expired", "deleted c-3  expired", "released c-2 owner", "deleted c-2  expired"}
	slices.Sort(log)
	slices.Sort(want)
	if !slices.Equal(log, want) {
		t.Errorf("told %q", log)
	}
	must(t, running.End(tape.End{}))
	for _, err := range []error{a.Hold("none", "owner", true), a.Delete("none", "owner", "")} {
		if !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	}
}

func TestWhoOptsOutIsDeletedAlsoWhileTheRecordingRuns(t *testing.T) {
	a := openArchive(t, t.TempDir(), nil)
	recorded(t, a, "c-1")
	must(t, a.Hold("c-1", "owner", true))
	f, err := a.Begin(about("c-2"))
	must(t, err)
	speak(t, f, 3)
	if _, err := a.Listen("c-2", "anna", Heard); !errors.Is(err, ErrRunning) {
		t.Errorf("one that runs: %v", err)
	}
	must(t, a.Delete("c-1", "", WhyOptOut))
	must(t, a.Delete("c-2", "", WhyOptOut))
	must(t, f.End(tape.End{Length: 2400}))
	if left := a.List(func(Recording) bool { return true }); len(left) != 0 {
		t.Errorf("%+v are left", left)
	}
	if r := verified(t, a); len(r.Wrong) > 0 || r.Files != 0 {
		t.Errorf("%+v", r)
	}
}

const victimEnv = "PRONTO_RECORD_VICTIM" // the test binary starts itself with it and is killed

// victim records fifty conversations and tells of each that has ended, until somebody kills it.
func victim(dir string) {
	a, err := Open(Config{Log: slog.New(slog.DiscardHandler), Dir: dir})
	if err != nil {
		panic(err)
	}
	var files [50]*File
	var turn [50]int
	for n := 0; ; n++ {
		i := n % len(files)
		if files[i] == nil {
			if files[i], err = a.Begin(about(fmt.Sprintf("%d-%d", i, turn[i]))); err != nil {
				panic(err)
			}
		}
		at := n / len(files) % 20
		if err := files[i].Sound(0, uint32(800*at), uint32(800*at+800), block(800*at)); err != nil {
			panic(err)
		}
		if at == 19 && i < 10 { // ten of them end again and again
			if err := files[i].End(tape.End{Length: 16000}); err != nil {
				panic(err)
			}
			fmt.Printf("%d-%d\n", i, turn[i])
			files[i] = nil
			turn[i]++
		}
	}
}

func TestAKillInTheMiddleOfFiftyRecordingsLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var ended []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if ended = append(ended, lines.Text()); len(ended) == 25 {
			must(t, cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	a := openArchive(t, dir, nil)
	for _, id := range ended {
		if r, ok := a.Get(id); !ok || r.State != Ended || r.Length != 2*time.Second {
			t.Errorf("%s, which was told as ended, is %+v", id, r)
		}
	}
	left := a.List(func(r Recording) bool { return r.State == Interrupted })
	if len(left) < 40 {
		t.Errorf("%d of 50 recordings that ran are there", len(left))
	}
	for _, r := range a.List(func(Recording) bool { return true }) {
		p, err := a.Listen(r.ID, "", Heard)
		must(t, err)
		if err := p.Check(); err != nil || r.Length == 0 {
			t.Errorf("%s: %v of %v", r.ID, err, r.Length)
		}
		must(t, p.Close())
	}
	if r := verified(t, a); len(r.Wrong) > 0 || r.Running != 0 {
		t.Errorf("%+v", r)
	}
}

func TestAFullDiskEndsFiftyRecordingsWhichAreThereUpToThen(t *testing.T) {
	free := int64(1 << 40)
	a := openArchive(t, t.TempDir(), func(c *Config) { c.Reserve, c.Free = 1<<30, func(string) (int64, error) { return free, nil } })
	var files []*File
	for i := range 50 {
		f, err := a.Begin(about(fmt.Sprint("c-", i)))
		must(t, err)
		speak(t, f, 10)
		files = append(files, f)
	}
	free = 1 << 20
	for i, f := range files {
		if i%2 == 0 {
			must(t, f.f.Close()) // what a disk is whose writes fail
			if err := f.Sound(0, 8000, 8800, block(8000)); err == nil {
				t.Fatal("a write to a bad disk succeeds")
			}
			f.Fail(errors.New("no space left on device"))
			continue
		}
		err := f.Sync()
		if !errors.Is(err, ErrFull) {
			t.Fatalf("the reserve is touched: %v", err)
		}
		f.Fail(err)
	}
	if _, err := a.Begin(about("more")); !errors.Is(err, ErrFull) {
		t.Errorf("one more begins: %v", err)
	}
	all := a.List(func(r Recording) bool { return r.State == Interrupted && r.Length == time.Second })
	if len(all) != 50 {
		t.Errorf("%d of 50 are there up to then", len(all))
	}
	if r := verified(t, a); len(r.Wrong) > 0 || r.Files != 50 {
		t.Errorf("%+v", r)
	}
	free = 1 << 40
	recorded(t, a, "more")
}

func TestADirectoryThatVanishesIsBegunAnew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	a := openArchive(t, dir, nil)
	recorded(t, a, "c-1")
	f, err := a.Begin(about("c-2"))
	must(t, err)
	speak(t, f, 5)
	must(t, os.RemoveAll(dir))
	if err := f.Sync(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that has vanished: %v", err)
	}
	f.Fail(os.ErrNotExist)
	recorded(t, a, "c-3")
	if r := verified(t, a); len(r.Wrong) != 2 { // the two that were in it
		t.Errorf("%+v", r)
	}
	must(t, a.Close())
	a = openArchive(t, dir, nil)
	p, err := a.Listen("c-3", "", Heard)
	must(t, err)
	must(t, p.Close())
}

func TestAPowerCutThatTookTheIndexsLastLinesLosesNoRecording(t *testing.T) {
	dir := t.TempDir()
	a := openArchive(t, dir, nil)
	recorded(t, a, "c-1")
	keep := a.size
	recorded(t, a, "c-2")
	must(t, a.Close())
	must(t, os.Truncate(filepath.Join(dir, indexName), keep+20)) // and half a line
	must(t, os.WriteFile(filepath.Join(dir, "2026-11-27", "c-3.tape"), []byte("PRONTOR1 begun"), 0o600))
	a = openArchive(t, dir, nil)
	r, ok := a.Get("c-2")
	if !ok || r.State != Found || r.Length != time.Second || r.Purpose != "quality" || !r.Until.Equal(ten.Add(week)) {
		t.Errorf("%+v", r)
	}
	if r := verified(t, a); len(r.Wrong) > 0 || r.Files != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAKeyThatCannotBeReadIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	a := openArchive(t, dir, nil)
	recorded(t, a, "c-1")
	must(t, a.Close())
	key := filepath.Join(dir, keyName)
	must(t, os.WriteFile(key, []byte("short"), 0o600))
	if _, err := Open(Config{Log: slog.New(slog.DiscardHandler), Dir: dir}); err == nil {
		t.Error("an archive opens whose key is lost")
	}
	if b, err := os.ReadFile(key); err != nil || string(b) != "short" {
		t.Errorf("the key is now %q, %v", b, err)
	}
}

func TestNoNameLeadsOutOfTheArchive(t *testing.T) {
	a := openArchive(t, t.TempDir(), nil)
	for _, id := range []string{"", "../x", "a/b", ".x", strings.Repeat("x", 101)} {
		if _, err := a.Begin(about(id)); err == nil {
			t.Errorf("%q is recorded", id)
		}
	}
	recorded(t, a, "c-1")
	if _, err := a.Begin(about("c-1")); err == nil {
		t.Error("a recording is written over")
	}
}

// What of an index can be read is read, whatever lies there, and it can be gone on with.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"n":1,"at":"2026-11-27T10:00:00Z","what":"began","id":"c-1","about":{"id":"c-1","chain":"c"},"prev":""}` + "\n"))
	f.Add([]byte("x\n\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		size, _, head, err := readIndex(bytes.NewReader(b), func(Entry, error) {})
		if err == nil && (size > int64(len(b)) || size > 0 && (b[size-1] != '\n' || head == "")) {
			t.Fatalf("%d of %d bytes, head %q", size, len(b), head)
		}
		if err != nil && !errors.Is(err, errBroken) && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}
