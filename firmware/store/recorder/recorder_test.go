package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/report"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/store/badgerstore"
	"github.com/pronto-pbx/pronto/firmware/store/storetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// childEnv makes the test binary play the record keeper.
const childEnv = "RECORDER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Run(ctx, config(dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// config is one of a keeper whose records lie in dir/disk, so that a test can put a small disk
// there.
func config(dir string) Config {
	return Config{
		Records: badgerstore.Config{Dir: filepath.Join(dir, "disk", "records"), MemTable: 1 << 20, ValueLog: 1 << 20, BlockCache: 1 << 20, Reserve: 1 << 20},
		Socket:  filepath.Join(dir, "sock"), State: filepath.Join(dir, "state"), Journal: filepath.Join(dir, "journal"), Poll: 5 * time.Millisecond, Log: quiet,
	}
}

// box is the telephony side: a journal that is appended to, and a client.
type box struct {
	t       *testing.T
	dir     string
	history *journal.History
	client  *store.Client
	written int
	last    journal.Pos
	took    []time.Duration // of each append
}

func newBox(t *testing.T) *box {
	t.Helper()
	dir := t.TempDir()
	h, err := journal.OpenHistory(journal.HistoryConfig{Dir: filepath.Join(dir, "journal"), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, dir: dir, history: h, client: store.NewClient(filepath.Join(dir, "sock"))}
	t.Cleanup(func() { _ = b.client.Close(); _ = h.Close() })
	return b
}

// end appends n finished calls, each with its wait, as telephony does.
func (b *box) end(n int) {
	b.t.Helper()
	for range n {
		call, wait := storetest.Call(b.written), storetest.Wait(b.written)
		b.written++
		text := storetest.Text(b.written - 1).SMS
		message := tel.Event(tel.SMSReceived{SMS: text})
		if text.State == tel.SMSOut {
			message = tel.SMSSent{SMS: text}
		}
		interval := storetest.Interval(0, "anna", tel.AgentReady, "", call.Started, intervalTook).AgentInterval
		b.append(cdr.EncodeInterval(interval))
		for _, e := range []tel.Event{wait.QueueLeft, message, storetest.Callback(b.written - 1).CallbackChanged, storetest.Missed(b.written - 1).MissedChanged, call.CallEnded} {
			b.append(cdr.Encode(e))
		}
	}
}

// intervalTook is how long each interval of end lasts.
const intervalTook = 40 * time.Second

func (b *box) append(kind string, body []byte, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	start := time.Now()
	pos, err := b.history.Append(kind, body)
	b.took = append(b.took, time.Since(start))
	if err != nil {
		b.t.Fatalf("append: %v", err)
	}
	b.last = pos
}

// neverWaited judges how long telephony was held up, by all but the slowest hundredth of its appends: what one of them
// takes is the affair of the disk, which others write to as well; a keeper that is waited for holds up many.
func (b *box) neverWaited() {
	b.t.Helper()
	all := slices.Sorted(slices.Values(b.took))
	if most := all[len(all)*99/100]; most > 100*time.Millisecond {
		b.t.Errorf("one in a hundred of %d appends took %v or more", len(all), most)
	}
}

// caughtUp waits until the keeper has stored everything, and checks that nothing is lost or doubled.
func (b *box) caughtUp() store.Status {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st, err := b.client.Status(b.t.Context())
		if err == nil && st.Committed == store.Position(b.last) && st.Trouble == "" && b.counted() {
			return st
		}
		if time.Now().After(end) {
			b.t.Fatalf("never caught up to %d: %+v %v", b.last, st, err)
		}
	}
}

// counted compares what is stored with what was written; false when the keeper died over the question, as one that
// a full disk kills may at any moment.
func (b *box) counted() bool {
	b.t.Helper()
	ctx := b.t.Context()
	calls, err := b.client.CountCalls(ctx, store.CallQuery{})
	waits, err2 := b.client.CountWaits(ctx, store.WaitQuery{})
	texts, err3 := b.client.CountTexts(ctx, store.TextQuery{})
	callbacks, err4 := b.client.CountCallbacks(ctx, store.CallbackQuery{})
	missed, err5 := b.client.CountMissed(ctx, store.MissedQuery{})
	all := store.ReportQuery{Step: report.Whole, Zone: "UTC"}
	traffic, err6 := b.client.Traffic(ctx, all)
	work, err7 := b.client.Work(ctx, all)
	if errors.Join(err, err2, err3, err4, err5, err6, err7) != nil {
		return false
	}
	ended := 0
	for i := range traffic {
		ended += traffic[i].Entered()
	}
	if ended != b.written || len(work) != 1 || work[0].Spent[tel.AgentReady] != time.Duration(b.written)*intervalTook {
		b.t.Fatalf("the sums are of %d waits and of %+v, %d of each written", ended, work, b.written)
	}
	for _, n := range []int{calls, waits, texts, callbacks, missed} {
		if n != b.written {
			b.t.Fatalf("%d calls, %d waits, %d texts, %d callbacks and %d missed callers are stored, %d of each written",
				calls, waits, texts, callbacks, missed, b.written)
		}
	}
	return true
}

// inside runs a keeper in this process.
func (b *box) inside() (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := Run(ctx, config(b.dir)); err != nil {
			b.t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	b.t.Cleanup(stop)
	return stop
}

// child runs a keeper in a process of its own, again and again until stop, as a supervisor does.
type child struct {
	pid    atomic.Int64
	deaths atomic.Int64
	stop   func()
}

func (b *box) outside() *child {
	b.t.Helper()
	c := &child{}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"="+b.dir)
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				b.t.Error(err)
				return
			}
			c.pid.Store(int64(cmd.Process.Pid))
			_ = cmd.Wait()
			c.deaths.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	c.stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	b.t.Cleanup(c.stop)
	return c
}

func TestFinishedRecordsGoFromTheJournalToTheStore(t *testing.T) {
	b := newBox(t)
	b.end(20)
	stop := b.inside()
	b.caughtUp()
	b.end(450) // more than two batches, while it runs
	st := b.caughtUp()
	if st.Journal != uint64(b.history.ID()) || st.Unusable != 0 || st.Damaged != 0 {
		t.Fatalf("status %+v", st)
	}
	page, err := b.client.ListCalls(t.Context(), store.CallQuery{Span: store.Span{Limit: 1}})
	if err != nil || len(page.Items) != 1 || page.Items[0].Call != storetest.Call(469).Call {
		t.Fatalf("newest call %+v %v", page, err)
	}
	stop()
	b.end(30)
	b.inside()
	b.caughtUp()
}

// Without it a position that brings no records is stored a minute later, to spare the card.
func TestAProofOfTheDiskIsStoredAtOnce(t *testing.T) {
	b := newBox(t)
	b.inside()
	for range 3 {
		b.end(1)
		b.caughtUp()
		b.append(cdr.KindProof, []byte("{}"), nil)
		b.caughtUp()
	}
}

func TestTheJournalIsTrimmedWhenTheKeeperHasABackup(t *testing.T) {
	b := newBox(t)
	b.end(3)
	for range 12 { // statistics fill the journal; the keeper passes over them
		if _, err := b.history.Append("packets", make([]byte, 200<<10)); err != nil {
			t.Fatal(err)
		}
	}
	before := b.history.Status().Segments
	b.end(3)
	b.inside()
	b.caughtUp()
	ctx, cancel := context.WithCancel(t.Context())
	var trimming sync.WaitGroup
	trimming.Go(func() {
		store.Trim(ctx, uint64(b.history.ID()), 5*time.Millisecond, b.client.Status,
			func(p store.Position) error { return b.history.TrimBelow(journal.Pos(p)) }, quiet)
	})
	defer trimming.Wait()
	defer cancel()
	// The first backup may have been made when only a part was stored; that part goes.
	for end := time.Now().Add(10 * time.Second); b.history.Status().Segments >= before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			st, err := b.client.Status(t.Context())
			t.Fatalf("%d segments, never trimmed: %+v %v", before, st, err)
		}
	}
	b.caughtUp()
}

func TestARecordThatCannotBeUnderstoodIsCountedAndStopsNothing(t *testing.T) {
	b := newBox(t)
	b.end(2)
	for _, body := range []string{"garbage", `{"v":99,"event":{"call":"c"}}`} {
		if _, err := b.history.Append("call_ended", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	b.end(2)
	b.inside()
	if st := b.caughtUp(); st.Unusable != 2 {
		t.Fatalf("status %+v", st)
	}
}

func TestKill9LosesAndDoublesNoRecordAndTelephonyNeverWaits(t *testing.T) {
	b := newBox(t)
	c := b.outside()
	killed := int64(0)
	for round := range 8 {
		for end := time.Now().Add(20 * time.Second); c.pid.Load() == killed; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the keeper is not started again")
			}
		}
		for range 10 { // the kill falls into the middle of storing
			b.end(15)
			time.Sleep(time.Duration(1+round) * time.Millisecond)
		}
		killed = c.pid.Load()
		if err := unix.Kill(int(killed), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	b.caughtUp()
	if n := c.deaths.Load(); n != 8 {
		t.Fatalf("%d deaths of 8", n)
	}
	t.Logf("%d records, %d kills, longest append %v", 2*b.written, c.deaths.Load(), slices.Max(b.took))
	b.neverWaited()
}

func TestADamagedStoreIsRebuiltFromBackupAndJournal(t *testing.T) {
	b := newBox(t)
	b.end(100)
	stop := b.inside()
	b.caughtUp()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if st, err := b.client.Status(t.Context()); err == nil && st.BackedUp > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no backup was made")
		}
	}
	b.end(40)
	b.caughtUp()
	stop()
	files, err := filepath.Glob(filepath.Join(b.dir, "disk", "records", "badger", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no database", err)
	}
	for _, path := range files {
		if err := os.WriteFile(path, []byte("not a database any more"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.end(7)
	b.inside()
	if st := b.caughtUp(); !strings.Contains(st.Rebuilt, "restored the backup of") {
		t.Fatalf("status %+v", st)
	}
}

func TestADiskFilledToTheLastByteLeavesTelephonyAloneAndTheKeeperCatchesUp(t *testing.T) {
	b := newBox(t)
	disk := filepath.Join(b.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+strconv.Itoa(48<<20)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small tmpfs: %v; with CI=true this test may not be left out", err)
		}
		t.Skipf("left out: cannot mount a small tmpfs (%v); run as root", err)
	}
	c := b.outside()
	t.Cleanup(func() {
		c.stop() // before the unmount
		if err := unix.Unmount(disk, 0); err != nil {
			_ = unix.Unmount(disk, unix.MNT_DETACH)
			t.Errorf("unmount: %v", err)
		}
	})
	b.end(100)
	b.caughtUp()
	for round := range 3 {
		ballast := filepath.Join(disk, "ballast")
		var filling sync.WaitGroup
		filling.Go(func() { fillUp(t, ballast) })
		b.end(400) // while the disk fills
		filling.Wait()
		if round > 0 { // started while full, too
			_ = unix.Kill(int(c.pid.Load()), unix.SIGKILL)
		}
		b.end(400)
		b.troubled()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		b.caughtUp()
	}
	if aside, _ := filepath.Glob(filepath.Join(disk, "records", "damaged-*")); len(aside) != 0 {
		t.Errorf("a full disk was taken for damage: %v", aside)
	}
	t.Logf("%d records, keeper died %d times, longest append %v", 2*b.written, c.deaths.Load(), slices.Max(b.took))
	b.neverWaited()
}

// troubled waits until the keeper says that the disk is full, or is not there to say it.
func (b *box) troubled() {
	b.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st, err := b.client.Status(b.t.Context())
		if err != nil || strings.Contains(st.Trouble, "disk of the records is full") {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the disk is full and the keeper says %+v", st)
		}
	}
}

// fillUp writes until not one byte more fits.
func fillUp(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for _, size := range []int{1 << 18, 1 << 12, 1} {
		for block := make([]byte, size); ; {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
	}
}

func TestASecondKeeperIsRefusedInWords(t *testing.T) {
	b := newBox(t)
	b.end(1)
	b.inside()
	b.caughtUp()
	if err := Run(t.Context(), config(b.dir)); err == nil || !strings.Contains(err.Error(), "another process answers there") {
		t.Fatalf("got %v", err)
	}
}

func TestABackupIsDueAtNightOrWhenOneWasMissed(t *testing.T) {
	day := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	at := func(d, h int) time.Time { return day.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour) }
	for name, tc := range map[string]struct {
		now, last time.Time
		want      bool
	}{
		"never made":                    {at(0, 15), time.Time{}, true},
		"made last night, now noon":     {at(1, 12), at(1, 3), false},
		"made last night, now three":    {at(1, 3), at(0, 3), true},
		"made an hour ago, now three":   {at(1, 3), at(1, 2), false},
		"off for two days, now noon":    {at(2, 12), at(0, 3), true},
		"the clock was set back a year": {at(0, 12), at(365, 3), true},
	} {
		if got := Due(tc.now, tc.last); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
