package updater_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/images/choice"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/promise"
	"github.com/pronto-pbx/pronto/ota/install"
	"github.com/pronto-pbx/pronto/ota/keep"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
	"github.com/pronto-pbx/pronto/ota/updater"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const contentSize = 96 << 10

func contentOf(version string) []byte { return otatest.Content(version, contentSize) }

// office is a box with its card, its exchange and its vendor. What it consists of outlives the processes on it.
type office struct {
	t *testing.T

	mu         sync.Mutex // guards all below
	card       *otatest.Card
	facts      slot.Facts
	reboots    chan bool // whether the other slot is tried
	trials     []trial
	files      map[string][]byte // of the disk of the data
	full       bool              // that disk is
	stuck      bool              // only for what is remembered there is no room
	free       int64
	busy       fit.Busy
	zone       string
	promised   string         // token of the promise of the exchange; empty: none
	wishes     []promise.Wish // that it was asked to promise
	help       func()         // right after a promise
	drained    []time.Time    // when queues were told to drain
	deaf       error          // of the exchange
	counts     fit.Counts
	before     []fit.Counts // that health checks were given
	unfit      map[string]fit.Check
	keeps      error
	offer      *release.Manifest // nil: none
	away       error             // of the vendor
	blobs      map[string][]byte
	opened     []string // blobs that were fetched
	most       int      // bytes of one connection; 0: all
	polls      int
	vendorAsks func() // on each poll
	led        int
	jump       atomic.Int64 // of the time of day, in nanoseconds
	dead       bool         // the process: nothing it does has an effect any more
	ops        int          // that had one
	dieAt      int          // operation before which the process dies; 0: never
	dies       chan struct{}
	died       func()         // after that
	boots      func(try bool) // on each start of the box

	auto    bool
	off     remote.Off
	sticks  string
	outlive bool
	vendor  bool
	earlier updater.Earlier
	u       *updater.Updater
}

// trial is one start of the other slot.
type trial struct {
	version string
	at      time.Time
}

func newOffice(t *testing.T) *office {
	o := &office{
		t: t, card: otatest.NewCard(otatest.Blank(contentOf("1.0.0"))), reboots: make(chan bool, 1), files: map[string][]byte{}, free: 1 << 30,
		counts: fit.Counts{People: 9, Queues: 2, Trunks: fit.Trunks{Up: 1, Of: 1}}, unfit: map[string]fit.Check{}, blobs: map[string][]byte{},
		facts: slot.Facts{Running: slot.SlotA, Chosen: slot.SlotA, Model: "pi4", EEPROM: "2024-01-15"}, auto: true, vendor: true, dies: make(chan struct{}),
	}
	return o
}

// op counts what has an effect. Behind the death of the process nothing has.
func (o *office) op() error {
	if o.dead {
		return errDead
	}
	o.ops++
	if o.ops == o.dieAt {
		o.dead = true
		close(o.dies)
		return errDead
	}
	return nil
}

var errDead = errors.New("the process is dead")

// release makes a release that the vendor offers from now on.
func (o *office) release(version string, edits ...func(*release.Manifest)) release.Manifest {
	content := contentOf(version)
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		o.t.Fatal(err)
	}
	packed := w.EncodeAll(content, nil)
	m := release.Manifest{
		Version: version, Models: []string{"pi4"}, Severity: release.Bugfix, Data: release.Data{Writes: 1, Reads: 1}, Epoch: 1,
		Parts:   []release.Part{{Name: "slot", Size: contentSize, SHA256: otatest.Sum(content), Packed: o.blob(packed)}},
		Notes:   map[string]string{"it": "Correzioni.", "en": "Corrections."},
		Rollout: release.Rollout{Salt: version, Percent: 100},
	}
	for _, edit := range edits {
		edit(&m)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.offer = &m
	return m
}

func (o *office) blob(b []byte) release.Blob {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := otatest.Sum(b)
	o.blobs[sum] = b
	return release.Blob{Size: int64(len(b)), SHA256: sum}
}

// with changes the office.
func (o *office) with(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
}

// tried is how often a slot was started on trial.
func (o *office) tried() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.trials)
}

// runs is the version in the slot that runs.
func (o *office) runs() string {
	for _, v := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		if otatest.Holds(o.card.Content(), o.facts.Running, contentOf(v)) {
			return v
		}
	}
	return "nothing known"
}

// start begins a process, as the box does; it ends with what is returned.
func (o *office) start() (stop func()) {
	o.mu.Lock()
	o.dead = false
	cfg := updater.Config{
		Log: slog.New(slog.NewTextHandler(testLog{o.t}, &slog.HandlerOptions{Level: slog.LevelInfo})), Slots: slots{o}, Fit: exchange{o}, Refuser: o, Earlier: o.earlier,
		Box: release.Box{ID: "box", Version: o.runs(), Data: 1}, Backend: "fake", Auto: o.auto, Off: o.off, Outlive: o.outlive, Dir: "/data/update", Sticks: o.sticks,
		Disk: disk{o}, Downloads: downloads{o}, Now: o.now, Draw: func() float64 { return 0.5 },
	}
	if o.vendor {
		cfg.Vendor = vendor{o}
	}
	o.u = updater.New(cfg)
	u := o.u
	o.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		u.Run(ctx)
	}()
	return func() { cancel(); <-over }
}

// now is a time of day without the clock that does not jump.
func (o *office) now() time.Time { return time.Now().Round(0).Add(time.Duration(o.jump.Load())) }

// live lets the box live for a while, restarts included. It ends before, when done says so.
func (o *office) live(d time.Duration, done func(remote.State) bool) remote.State {
	o.t.Helper()
	stop := o.start()
	defer func() { stop() }()
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case try := <-o.reboots:
			stop()
			o.boot(try)
			stop = o.start()
		case <-o.dies:
			stop()
			o.dies, o.dieAt = make(chan struct{}), 0
			if o.died != nil {
				o.died()
			}
			stop = o.start()
		case <-time.After(5 * time.Second):
		}
		if s := o.u.State(); done != nil && done(s) {
			return s
		}
	}
	return o.u.State()
}

// boot is what the boot loader and the first program do.
func (o *office) boot(try bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	card := o.card.Content()
	n := otatest.Chosen(card, try)
	if n != layout.SlotA && n != layout.SlotB {
		o.t.Fatalf("the box does not start: partition %d", n)
	}
	o.facts.Running, o.facts.Trying = n, try
	if o.boots != nil {
		o.boots(try)
	}
	last := &o.facts.Last
	if !try && last.Outcome == slot.TrialAsked {
		last.Outcome = slot.TrialKept
		if n != last.Slot {
			last.Outcome, last.Why = slot.TrialBack, slot.CodeReset
		}
	}
}

// power is a loss of power: of what was not synced the card keeps what some says.
func (o *office) power(some func(int) bool) {
	o.with(func() { o.card = o.card.Lost(some) })
	select {
	case <-o.reboots:
	default:
	}
	o.boot(false)
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// slots is the first program.
type slots struct{ o *office }

func (s slots) State(context.Context) (slot.Facts, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.o.dead {
		return slot.Facts{}, errDead
	}
	return s.o.facts, nil
}

func (s slots) Idle(context.Context) (install.Target, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.o.dead || s.o.facts.Trying {
		return nil, errors.New("there is no idle slot")
	}
	return target{s.o.card.Slot(s.o.facts.Other()), s.o}, nil
}

// target counts what is done to a slot.
type target struct {
	*otatest.Part
	o *office
}

func (t target) count() error {
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	return t.o.op()
}

func (t target) WriteAt(b []byte, off int64) (int, error) {
	if err := t.count(); err != nil {
		return 0, err
	}
	return t.Part.WriteAt(b, off)
}

func (t target) Sync() error {
	if err := t.count(); err != nil {
		return err
	}
	return t.Part.Sync()
}

func (s slots) Try(_ context.Context, version, token string) error {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.op(); err != nil {
		return err
	}
	if (token == "" || token != o.promised) && !o.outlive {
		return fmt.Errorf("the first program: %w", promise.ErrNone)
	}
	o.promised = ""
	card := o.card.Content()
	if otatest.Chosen(card, true) != o.facts.Other() || !otatest.Holds(card, o.facts.Other(), contentOf(version)) {
		return fmt.Errorf("in the other slot does not lie %s", version)
	}
	o.facts.Last = slot.Trial{Version: version, Slot: o.facts.Other(), Asked: o.now(), Outcome: slot.TrialAsked}
	o.trials = append(o.trials, trial{version: version, at: o.now()})
	o.reboots <- true
	return nil
}

func (s slots) Keep(context.Context) error {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := errors.Join(o.keeps, o.op()); err != nil {
		return err
	}
	if !o.facts.Trying {
		return nil
	}
	if _, err := o.card.Choice().WriteAt(choice.Encode(choice.Choice{Slot: o.facts.Running}), 0); err != nil {
		return err
	}
	o.facts.Trying, o.facts.Chosen, o.facts.Last.Outcome = false, o.facts.Running, slot.TrialKept
	return o.card.Choice().Sync()
}

func (s slots) Back(_ context.Context, why, words string) error {
	o := s.o
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.op(); err != nil {
		return err
	}
	o.facts.Last.Outcome, o.facts.Last.Why, o.facts.Last.Words = slot.TrialBack, slot.Code(why), words
	o.reboots <- false
	return nil
}

// Refuse implements updater.Refuser.
func (o *office) Refuse(context.Context) error {
	o.with(func() { o.led++ })
	return nil
}

// vendor has one release on offer.
type vendor struct{ o *office }

func (v vendor) Online(string) updater.Source { return source(v) }

func (v vendor) Stale(time.Time) bool { return false }

// Local takes a bundle that names its version, signed by a word.
func (v vendor) Local(r io.ReaderAt, size int64, _ string) (updater.Source, error) {
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	word, version, ok := strings.Cut(string(b), " ")
	switch {
	case !ok:
		return nil, release.ErrMedium
	case word != "signed":
		return bundle{v.o, version, release.ErrUntrusted}, nil
	}
	return bundle{v.o, version, nil}, nil
}

type bundle struct {
	o       *office
	version string
	err     error
}

func (b bundle) Latest(_ context.Context, _ time.Time, box release.Box) (release.Manifest, error) {
	if b.err != nil {
		return release.Manifest{}, b.err
	}
	was := b.o.offer
	m := b.o.release(b.version)
	b.o.with(func() { b.o.offer = was })
	if why := m.Refuses(box); len(why) > 0 {
		return release.Manifest{}, &release.Refusal{Version: m.Version, Reasons: why}
	}
	return m, nil
}

func (b bundle) Open(ctx context.Context, blob release.Blob, off int64) (io.ReadCloser, error) {
	b.o.mu.Lock()
	defer b.o.mu.Unlock()
	return io.NopCloser(bytes.NewReader(b.o.blobs[blob.SHA256][off:])), ctx.Err()
}

type source struct{ o *office }

func (s source) Latest(_ context.Context, _ time.Time, box release.Box) (release.Manifest, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.o.polls++
	if s.o.vendorAsks != nil {
		s.o.vendorAsks()
	}
	switch {
	case s.o.away != nil:
		return release.Manifest{}, s.o.away
	case s.o.offer == nil:
		return release.Manifest{}, release.ErrNone
	}
	why := s.o.offer.Refuses(box)
	switch {
	case slices.ContainsFunc(why, func(r release.Reason) bool { return r.Code == release.NotNewer }):
		return release.Manifest{}, release.ErrNone
	case len(why) > 0:
		return release.Manifest{}, &release.Refusal{Version: s.o.offer.Version, Reasons: why}
	}
	return *s.o.offer, nil
}

func (s source) Open(_ context.Context, blob release.Blob, off int64) (io.ReadCloser, error) {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	if s.o.away != nil {
		return nil, s.o.away
	}
	s.o.opened = append(s.o.opened, fmt.Sprintf("%.4s from %d", blob.SHA256, off))
	b := s.o.blobs[blob.SHA256][off:]
	if s.o.most > 0 {
		b = b[:min(len(b), s.o.most)]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// disk is where the memory of the updater lies. What is renamed is safe; package keep has the tests of the rest.
type disk struct{ o *office }

type open struct {
	o    *office
	name string
	b    bytes.Buffer
}

func (d disk) Create(name string) (keep.File, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	if err := d.o.op(); err != nil {
		return nil, err
	}
	if d.o.full || d.o.stuck {
		return nil, unix.ENOSPC
	}
	return &open{o: d.o, name: name}, nil
}

func (f *open) Write(b []byte) (int, error) { return f.b.Write(b) }
func (f *open) Sync() error                 { return nil }

func (f *open) Close() error {
	f.o.with(func() { f.o.files[f.name] = bytes.Clone(f.b.Bytes()) })
	return nil
}

func (d disk) Open(name string) (io.ReadCloser, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	b, ok := d.o.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (d disk) Rename(from, to string) error {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	if err := d.o.op(); err != nil {
		return err
	}
	d.o.files[to] = d.o.files[from]
	delete(d.o.files, from)
	return nil
}

func (d disk) Remove(name string) error {
	d.o.with(func() { delete(d.o.files, name) })
	return nil
}

func (d disk) SyncDir(string) error { return nil }

// downloads lie on the same disk.
type downloads struct{ o *office }

func (d downloads) path(name string) string { return filepath.Join("/data/update/parts", name) }

func (d downloads) Open(name string) (updater.File, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	at := d.path(name)
	if _, ok := d.o.files[at]; !ok {
		if d.o.full {
			return nil, unix.ENOSPC
		}
		d.o.files[at] = nil
	}
	return download{d.o, at}, nil
}

func (d downloads) Rename(from, to string) error { return disk(d).Rename(d.path(from), d.path(to)) }

func (d downloads) Free() (int64, error) {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	return d.o.free, nil
}

func (d downloads) Clear(but ...string) error {
	d.o.mu.Lock()
	defer d.o.mu.Unlock()
	for name := range d.o.files {
		if below, ok := strings.CutPrefix(name, d.path("")+"/"); ok && !slices.Contains(but, below) && !d.o.dead {
			delete(d.o.files, name)
		}
	}
	return nil
}

type download struct {
	o    *office
	name string
}

func (f download) ReadAt(b []byte, off int64) (int, error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	return bytes.NewReader(f.o.files[f.name]).ReadAt(b, off)
}

func (f download) WriteAt(b []byte, off int64) (int, error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if err := f.o.op(); err != nil {
		return 0, err
	}
	if f.o.full {
		return 0, unix.ENOSPC
	}
	f.o.files[f.name] = append(f.o.files[f.name][:off:off], b...)
	return len(b), nil
}

func (f download) Size() (int64, error) {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	return int64(len(f.o.files[f.name])), nil
}

func (f download) Truncate(n int64) error {
	f.o.mu.Lock()
	defer f.o.mu.Unlock()
	if f.o.dead {
		return errDead
	}
	f.o.files[f.name] = f.o.files[f.name][:n]
	return nil
}

func (f download) Sync() error  { return nil }
func (f download) Close() error { return nil }
