package media

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// outcomes collects what recordings report.
type outcomes chan Recorded

func (o outcomes) done(r Recorded) { o <- r }

func (o outcomes) next(t *testing.T) Recorded {
	t.Helper()
	select {
	case r := <-o:
		return r
	case <-time.After(patience):
		t.Fatal("the recording does not end")
		return Recorded{}
	}
}

// record starts a recording of a leg into a directory of the test.
func record(t *testing.T, g *Leg, cfg RecordConfig) (path string, ended outcomes) {
	t.Helper()
	ended = make(outcomes, 1)
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "voice.wav")
	}
	cfg.Done = ended.done
	if err := g.Record(cfg); err != nil {
		t.Fatal(err)
	}
	return cfg.Path, ended
}

func readWAV(t *testing.T, path string) []int16 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := wav.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if r.Format != recordFormat() {
		t.Errorf("format %+v", r.Format)
	}
	pcm, err := r.ReadAll(1 << 24)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// talk sends frames of a wave; a frame of which lose is true is only counted.
func (p *phone) talk(w *wave, id codec.ID, enc codec.Encoder, frames int, lose func(int) bool) {
	for i := range frames {
		f := w.frame()
		payload := make([]byte, id.PayloadBytes(20))
		enc.Encode(payload, f[:])
		pkt := p.packet(payload)
		if lose == nil || !lose(i) {
			p.put(pkt)
		}
	}
}

func as(id codec.ID) sdp.Media {
	m := pcmu
	m.Codec, m.SendPT, m.RecvPT = id, id.PayloadType(), id.PayloadType()
	return m
}

func TestAVoiceIsRecordedInEveryCodecWithItsPausesAndWithoutWhatItHears(t *testing.T) {
	e := startEngine(t, 22800, 22819, nil)
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		t.Run(id.Name(), func(t *testing.T) {
			a := join(t, e, "127.0.0.33", as(id), nil)
			defer a.leg.Close()
			if err := a.leg.Play([]Sound{sentence{"meanwhile", 1000}}, true, nil); err != nil {
				t.Fatal(err)
			}
			path, ended := record(t, a.leg, RecordConfig{})
			w, enc := &wave{hz: 700}, codec.NewEncoder(id)
			lost := func(i int) bool { return i >= 40 && i < 50 }
			a.talk(w, id, enc, 100, lost)
			settle(t, a.leg)
			if err := a.leg.StopRecord(); err != nil {
				t.Fatal(err)
			}
			r := ended.next(t)
			if r.Path != path || r.Length != 2*time.Second || r.Why != RecordStopped || r.Err != nil || r.Lost != 0 {
				t.Fatalf("%+v", r)
			}
			pcm := readWAV(t, path)
			if len(pcm) != 100*frameSamples {
				t.Fatalf("%d samples", len(pcm))
			}
			clean(t, "before the gap", pcm[800:40*frameSamples], 700, 1300)
			if level := dsp.Level(pcm[40*frameSamples : 50*frameSamples]); level > dsp.Floor {
				t.Errorf("the gap sounds at %v dBm0", level)
			}
			clean(t, "after the gap", pcm[50*frameSamples+800:], 700, 1300)
			if left, _ := filepath.Glob(path + PartSuffix); len(left) != 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

func TestALegIsRecordedWhileItTalksAndADigitIsNoSound(t *testing.T) {
	e := startEngine(t, 22820, 22829, nil)
	a, b := bridged(t, e, pcmu, pcmu)
	path, ended := record(t, a.leg, RecordConfig{})
	w, enc := &wave{hz: 700}, codec.NewEncoder(codec.PCMU)
	a.talk(w, codec.PCMU, enc, 40, nil)
	digit := a.packet([]byte{1, 0x8a, 3, 0x20})
	digit.PayloadType = 101
	a.put(digit)
	for range 40 {
		b.receive()
	}
	b.send("not recorded")
	settle(t, b.leg)
	if err := a.leg.StopRecord(); err != nil {
		t.Fatal(err)
	}
	if r := ended.next(t); r.Length != 800*time.Millisecond {
		t.Errorf("%+v", r)
	}
	clean(t, "the file", readWAV(t, path)[800:], 700, 1300)
}

func TestALineIsRecorded(t *testing.T) {
	e := startEngine(t, 22830, 22839, nil)
	modem := &lineFake{wave: wave{hz: 700}}
	g, err := e.Open(LegConfig{Line: modem})
	if err != nil {
		t.Fatal(err)
	}
	clock := byHand(t, g)
	path, ended := record(t, g, RecordConfig{Max: time.Second})
	clock.tick(60)
	r := ended.next(t)
	if r.Path != path || r.Length != time.Second || r.Why != RecordLimit {
		t.Fatalf("%+v", r)
	}
	clean(t, "the file", readWAV(t, path)[800:], 700, 1300)
}

func TestARecordingEndsForEachOfItsReasons(t *testing.T) {
	e := startEngine(t, 22840, 22859, nil)
	for _, c := range []struct {
		name   string
		cfg    RecordConfig
		voice  int // frames of 20 ms
		quiet  int
		end    func(*Leg)
		why    RecordEnd
		length time.Duration
	}{
		{"the longest time", RecordConfig{Max: 500 * time.Millisecond}, 40, 0, nil, RecordLimit, 500 * time.Millisecond},
		{"silence after the voice", RecordConfig{Silence: 400 * time.Millisecond}, 20, 50, nil, RecordSilence, 700 * time.Millisecond},
		{"silence from the beginning", RecordConfig{Silence: 300 * time.Millisecond}, 0, 50, nil, RecordSilence, 0},
		{"the hang-up", RecordConfig{}, 10, 0, (*Leg).Close, RecordEnded, 200 * time.Millisecond},
		{"a command", RecordConfig{Silence: 10 * time.Second}, 10, 5, func(g *Leg) { _ = g.StopRecord() }, RecordStopped, 300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := join(t, e, "127.0.0.33", pcmu, nil)
			defer a.leg.Close()
			path, ended := record(t, a.leg, c.cfg)
			enc := codec.NewEncoder(codec.PCMU)
			a.talk(&wave{hz: 700}, codec.PCMU, enc, c.voice, nil)
			a.talk(&wave{}, codec.PCMU, enc, c.quiet, nil)
			settle(t, a.leg)
			if c.end != nil {
				c.end(a.leg)
			}
			r := ended.next(t)
			if c.length == 0 {
				path = ""
			}
			if r.Why != c.why || r.Length != c.length || r.Path != path || r.Err != nil {
				t.Errorf("%+v, want %s after %v", r, c.why, c.length)
			}
			if c.length == 0 {
				return
			}
			if n := len(readWAV(t, path)); n != samples(c.length) {
				t.Errorf("%d samples", n)
			}
		})
	}
}

// Nothing but housekeeping tells a recording the time when no packet comes.
func TestARecordingToWhichNoPacketComesEndsAndLeavesNoFile(t *testing.T) {
	e := startEngine(t, 22860, 22869, nil)
	for _, cfg := range []RecordConfig{{Max: 3 * time.Second}, {Silence: 3 * time.Second}} {
		a := join(t, e, "127.0.0.33", pcmu, nil)
		path, ended := record(t, a.leg, cfg)
		if err := a.leg.ask(func(l *loop) error {
			a.leg.keepTime(l.now + 2*time.Second)
			a.leg.keepTime(l.now + 3*time.Second)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		r := ended.next(t)
		if r.Path != "" || r.Length != 0 || r.Why != RecordLimit && r.Why != RecordSilence {
			t.Errorf("%+v", r)
		}
		if left, _ := filepath.Glob(filepath.Dir(path) + "/*"); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
		a.leg.Close()
	}
}

func TestARecordingThatCannotBeIsRefused(t *testing.T) {
	e := startEngine(t, 22870, 22879, nil)
	a := join(t, e, "127.0.0.33", pcmu, nil)
	b := join(t, e, "127.0.0.34", pcmu, nil)
	for _, cfg := range []RecordConfig{{}, {Path: "x", Max: -1}, {Path: "x", Silence: -1}} {
		if err := a.leg.Record(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
	path, ended := record(t, a.leg, RecordConfig{})
	for _, c := range []struct {
		leg  *Leg
		path string
	}{{a.leg, path + "2"}, {b.leg, path}} {
		if err := c.leg.Record(RecordConfig{Path: c.path}); !errors.Is(err, ErrRecording) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if err := b.leg.StopRecord(); err != nil {
		t.Errorf("a leg without a recording: %v", err)
	}
	_ = a.leg.StopRecord()
	ended.next(t)
	_, again := record(t, a.leg, RecordConfig{Path: path})
	a.leg.Close()
	again.next(t)
	if err := a.leg.Record(RecordConfig{Path: path}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed leg: %v", err)
	}
	_, failed := record(t, b.leg, RecordConfig{Path: filepath.Join(filepath.Dir(path), "missing", "x.wav")})
	if r := failed.next(t); r.Why != RecordFailed || !errors.Is(r.Err, fs.ErrNotExist) || r.Path != "" {
		t.Errorf("a directory that is missing: %+v", r)
	}
}

// badDisk takes so many writes and then refuses or waits.
type badDisk struct {
	recordFile
	mu      sync.Mutex
	writes  int
	refuse  error
	release chan struct{}
}

func (d *badDisk) WriteAt(b []byte, at int64) (int, error) {
	d.mu.Lock()
	d.writes--
	bad := d.writes < 0
	d.mu.Unlock()
	if bad && d.release != nil {
		<-d.release
	} else if bad && at != 0 {
		return 0, d.refuse
	}
	return d.recordFile.WriteAt(b, at)
}

func spoil(e *Engine, d *badDisk) {
	e.recorders.open = func(path string) (recordFile, error) {
		f, err := openPart(path)
		d.recordFile = f
		return d, err
	}
}

func TestAFullDiskKeepsWhatItHasTaken(t *testing.T) {
	lines := &logLines{}
	e := startEngine(t, 22880, 22889, func(c *Config) { c.Log = lines.logger() })
	spoil(e, &badDisk{writes: 21, refuse: errors.New("no space left on device")})
	a, b := bridged(t, e, pcmu, pcmu)
	path, ended := record(t, a.leg, RecordConfig{})
	a.talk(&wave{hz: 700}, codec.PCMU, codec.NewEncoder(codec.PCMU), 40, nil)
	for range 40 {
		b.receive() // the call goes on
	}
	r := ended.next(t)
	if r.Why != RecordFailed || r.Err == nil || r.Path != path || r.Length != 400*time.Millisecond {
		t.Errorf("%+v", r)
	}
	if n := len(readWAV(t, path)); n != 20*frameSamples {
		t.Errorf("%d samples", n)
	}
	if !strings.Contains(lines.String(), "no space left") {
		t.Errorf("log: %s", lines)
	}
}

func TestASlowDiskCostsTheRecordingAndNotTheCall(t *testing.T) {
	e := startEngine(t, 22890, 22899, nil)
	disk := &badDisk{writes: 2, release: make(chan struct{})}
	spoil(e, disk)
	a, b := bridged(t, e, pcmu, pcmu)
	_, ended := record(t, a.leg, RecordConfig{})
	for i := range pieces + 50 {
		a.send(string(rune('a'+i%26)) + "x")
		b.hearsFirst(string(rune('a'+i%26)) + "x")
	}
	close(disk.release)
	_ = a.leg.StopRecord()
	if r := ended.next(t); r.Lost < 40 || r.Lost > 50 || r.Why != RecordStopped || r.Path == "" {
		t.Errorf("%+v", r)
	}
}

func TestAnInterruptedRecordingIsContinuedOrRecovered(t *testing.T) {
	dir := t.TempDir()
	journal := newJournal()
	change := func(c *Config) { c.Journal = journal }
	first := startEngine(t, 22900, 22909, change)
	a := join(t, first, "127.0.0.33", pcmu, nil)
	b := join(t, first, "127.0.0.34", pcmu, nil)
	w, enc := &wave{hz: 700}, codec.NewEncoder(codec.PCMU)
	for _, p := range []*phone{a, b} {
		record(t, p.leg, RecordConfig{Path: filepath.Join(dir, string(p.leg.ID())+".wav")})
		p.talk(w, codec.PCMU, enc, 30, nil)
		settle(t, p.leg)
	}
	// The process dies by kill -9: what it wrote is on the disk, the headers say 0.
	states := journal.copy()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*phone{a, b} {
		part := filepath.Join(dir, string(p.leg.ID())+".wav"+PartSuffix)
		f, err := os.OpenFile(part, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := wav.NewHeader(recordFormat(), 0)
		_, err = f.WriteAt(h[:], 0)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range map[string]string{"empty.wav.part": "", "short.wav.part": "RIFF", "other.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.part"), 0o700); err != nil {
		t.Fatal(err)
	}

	second := startEngine(t, 22900, 22909, change)
	legs, errs := second.Restore(states)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	a.leg = legs[a.leg.ID()]
	path, ended := record(t, a.leg, RecordConfig{Path: filepath.Join(dir, string(a.leg.ID())+".wav")})
	found, err := second.RecoverRecordings(dir)
	if err != nil || len(found) != 1 || found[0].Path != filepath.Join(dir, string(b.leg.ID())+".wav") || found[0].Length != 600*time.Millisecond {
		t.Errorf("recovered %+v, %v", found, err)
	}
	clean(t, "what b said", readWAV(t, found[0].Path)[800:], 700, 1300)
	a.talk(w, codec.PCMU, enc, 20, nil)
	settle(t, a.leg)
	_ = a.leg.StopRecord()
	if r := ended.next(t); r.Length != time.Second || r.Path != path {
		t.Errorf("%+v", r)
	}
	clean(t, "what a said", readWAV(t, path)[800:], 700, 1300)
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 4 { // two recordings, a text and a folder
		t.Errorf("left: %v", left)
	}
	if found, err := second.RecoverRecordings(filepath.Join(dir, "none")); err != nil || len(found) != 0 {
		t.Errorf("a directory that is missing: %v, %v", found, err)
	}
}

func TestPiecesAreWrittenWhereTheyWereSaid(t *testing.T) {
	type in struct {
		at    time.Duration
		epoch uint32
		ts    uint32
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		name string
		in   []in
		at   []int // -1: dropped
	}{
		{"in order", []in{{0, 1, 0xffffff60}, {20 * ms, 1, 0}, {40 * ms, 1, 160}}, []int{0, 160, 320}},
		{"the first word begins the file", []in{{3 * time.Second, 1, 5}, {3020 * ms, 1, 165}}, []int{0, 160}},
		{"two swapped", []in{{0, 1, 0}, {20 * ms, 1, 320}, {30 * ms, 1, 160}}, []int{0, 320, 160}},
		{"one from before the first", []in{{0, 1, 160}, {5 * ms, 1, 0}}, []int{0, -1}},
		{"a pause without packets", []in{{0, 1, 0}, {1000 * ms, 1, 8000}}, []int{0, 8000}},
		{"timestamps that stood still in a pause", []in{{0, 1, 0}, {10 * time.Second, 1, 160}}, []int{0, 80000}},
		{"timestamps that jump", []in{{0, 1, 0}, {20 * ms, 1, 1 << 30}, {40 * ms, 1, 1<<30 + 160}}, []int{0, 160, 320}},
		{"another sender", []in{{0, 1, 0}, {500 * ms, 2, 77}, {520 * ms, 2, 237}}, []int{0, 4000, 4160}},
		{"another sender who is early", []in{{0, 1, 0}, {1 * ms, 2, 77}}, []int{0, 160}},
	} {
		line := timeline{max: 1 << 20}
		for i, p := range c.in {
			at, n := line.place(p.at, p.epoch, p.ts, 160)
			if n == 0 {
				at = -1
			} else {
				line.end = max(line.end, at+n)
			}
			if at != c.at[i] {
				t.Errorf("%s: piece %d at %d, want %d", c.name, i, at, c.at[i])
			}
		}
	}
}

// Whatever a sender does, no piece lies outside of the recording or before what an earlier process kept.
func TestNoPieceLeavesTheRecording(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		before := random.IntN(2) * random.IntN(10000)
		line := timeline{max: before + random.IntN(100000), before: before, end: before}
		var now time.Duration
		ts := random.Uint32()
		for range 200 {
			now += time.Duration(random.Int64N(int64(3 * time.Second)))
			switch random.IntN(4) {
			case 0:
				ts = random.Uint32()
			default:
				ts += uint32(random.IntN(4000)) - 500
			}
			n := random.IntN(481)
			at, fits := line.place(now, uint32(random.IntN(2)), ts, n)
			if fits < 0 || fits > n || fits > 0 && (at < before || at+fits > line.max) {
				t.Fatalf("%d samples at %d of %d..%d", fits, at, before, line.max)
			}
			if fits > 0 {
				line.end = max(line.end, at+fits)
			}
		}
	}
}
