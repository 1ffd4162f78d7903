package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// PartSuffix marks a recording that is not finished.
const PartSuffix = ".part"

const (
	sampleBytes = 2
	// maxDrift is how far the sender's timestamps may be from the time of arrival before they are
	// taken for a new beginning.
	maxDrift = 2 * clockRate
	// voiceLevel is what a voice is louder than and the noise of a quiet line is not, in dBm0.
	voiceLevel = -40.0
	// voicePieces in a row make a voice; a click is shorter.
	voicePieces = 3
	// silenceKept is what stays behind the last voice of a recording that silence ended, so that it does
	// not break off.
	silenceKept = 300 * time.Millisecond
)

// recorders are the recordings of an engine.
type recorders struct {
	log     *slog.Logger
	open    func(path string) (recordFile, error)
	running sync.WaitGroup

	mu    sync.Mutex
	paths map[string]bool // being written
}

// recordFile is the part of *os.File that a recording needs.
type recordFile interface {
	io.WriterAt
	Truncate(size int64) error
	Size() (int64, error)
	Sync() error
	Close() error
}

type diskFile struct{ *os.File }

// Size is the length of the file in bytes.
func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// openPart opens the growing file of a recording. A voice is private.
func openPart(path string) (recordFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// begin claims a file.
func (rs *recorders) begin(r *recording) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.paths[r.cfg.Path] {
		return false
	}
	rs.paths[r.cfg.Path] = true
	return true
}

func (rs *recorders) finished(r *recording) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.paths, r.cfg.Path)
}

// write is the goroutine of one recording.
func (rs *recorders) write(r *recording) {
	w := writer{r: r, line: timeline{max: samples(r.cfg.Max)}}
	why, err := w.run(rs.open)
	r.over.Store(true)
	if why == recordLeft {
		w.leave()
		rs.finished(r)
		return
	}
	if why == RecordSilence {
		err = w.trim()
	}
	out := Recorded{Path: r.cfg.Path, Length: duration(w.line.end), Why: why}
	if err = errors.Join(err, w.close()); err != nil {
		out.Why, out.Err = RecordFailed, fmt.Errorf("record %s: %w", r.cfg.Path, err)
		rs.log.Error("a recording does not reach the disk", "err", out.Err)
	}
	if out.Lost = int(r.lost.Load()); out.Lost > 0 {
		rs.log.Warn("the disk was too slow for a recording", "path", r.cfg.Path, "lost", out.Lost)
	}
	if !w.kept {
		out.Path, out.Length = "", 0
	}
	rs.finished(r)
	r.cfg.Done(out)
}

// writer is the state of one recording's goroutine.
type writer struct {
	r       *recording
	file    recordFile
	line    timeline
	decoder codec.Decoder
	decodes codec.ID
	loud    int // pieces in a row
	heard   int // sample behind the last voice
	kept    bool
}

// run writes until the end and says why it came.
func (w *writer) run(open func(string) (recordFile, error)) (why RecordEnd, err error) {
	defer func() {
		if p := recover(); p != nil { // a payload that a decoder does not survive must not end the process
			why, err = RecordFailed, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if w.file, err = open(w.r.cfg.Path + PartSuffix); err != nil {
		return RecordFailed, err
	}
	if err := w.start(); err != nil {
		return RecordFailed, err
	}
	for {
		select {
		case p := <-w.r.full:
			if why, err := w.take(p); why != "" {
				return why, err
			}
		case why := <-w.r.end:
			for { // the loop gives nothing after the end
				select {
				case p := <-w.r.full:
					if why, err := w.take(p); why == RecordFailed {
						return why, err
					}
				default:
					return why, nil
				}
			}
		}
	}
}

// start writes the header, or finds the end of the sound that an earlier process left.
func (w *writer) start() error {
	size, err := w.file.Size()
	if err != nil {
		return err
	}
	if size > wav.HeaderBytes {
		w.line.end = int(size-wav.HeaderBytes) / sampleBytes
		w.line.before = w.line.end
		w.heard = w.line.end
		return nil
	}
	return w.header()
}

func (w *writer) header() error {
	h, err := wav.NewHeader(recordFormat(), int64(w.line.end*sampleBytes))
	if err != nil {
		return err
	}
	_, err = w.file.WriteAt(h[:], 0)
	return err
}

func recordFormat() wav.Format {
	return wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: clockRate}
}

// take writes one piece and judges whether the recording ends with it.
func (w *writer) take(p *piece) (RecordEnd, error) {
	at := *p
	w.r.free <- p // as much room as there are pieces
	if at.size > 0 {
		if err := w.sound(&at); err != nil {
			return RecordFailed, err
		}
	}
	silence := samples(w.r.cfg.Silence)
	switch {
	case w.line.end >= w.line.max, w.line.before+samples(at.at) >= w.line.max:
		return RecordLimit, nil
	case silence > 0 && max(w.line.now(at.at), w.line.end)-w.heard >= silence:
		return RecordSilence, nil
	}
	return "", nil
}

// sound decodes a piece and writes it at its place. Gaps stay holes of the file, which read as silence.
func (w *writer) sound(p *piece) error {
	var pcm [pieceBytes]int16
	n := 0
	if p.codec == 0 {
		for ; n < p.size/sampleBytes; n++ {
			pcm[n] = int16(binary.LittleEndian.Uint16(p.bytes[n*sampleBytes:]))
		}
	} else {
		if w.decoder == nil || w.decodes != p.codec {
			w.decoder, w.decodes = codec.NewDecoder(p.codec), p.codec
		}
		n = w.decoder.Decode(pcm[:], p.bytes[:p.size])
	}
	at, n := w.line.place(p.at, p.epoch, p.ts, n)
	if n == 0 {
		return nil
	}
	var b [pieceBytes * sampleBytes]byte
	for i, s := range pcm[:n] {
		binary.LittleEndian.PutUint16(b[i*sampleBytes:], uint16(s))
	}
	if _, err := w.file.WriteAt(b[:n*sampleBytes], int64(wav.HeaderBytes+at*sampleBytes)); err != nil {
		return err
	}
	w.line.end = max(w.line.end, at+n)
	if dsp.Level(pcm[:n]) < voiceLevel {
		w.loud = 0
	} else if w.loud++; w.loud >= voicePieces {
		w.heard = max(w.heard, at+n)
	}
	return nil
}

// trim takes away the silence that ended the recording; of one in which nobody spoke nothing is left.
func (w *writer) trim() error {
	keep := w.heard
	if keep > 0 {
		keep += samples(silenceKept)
	}
	w.line.end = min(w.line.end, keep)
	return w.file.Truncate(int64(wav.HeaderBytes + w.line.end*sampleBytes))
}

// close finishes the file. Nothing recorded is no file.
func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	part := w.r.cfg.Path + PartSuffix
	if w.line.end == 0 {
		return errors.Join(w.file.Close(), os.Remove(part))
	}
	err := w.header()
	if err == nil {
		err = w.file.Sync()
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		return err // the part stays for RecoverRecordings
	}
	if err := publish(part, w.r.cfg.Path); err != nil {
		return err
	}
	w.kept = true
	return nil
}

// leave keeps the part as it is, for the next process.
func (w *writer) leave() {
	if w.file != nil {
		_ = w.header() // RecoverRecordings writes it anyway
		_ = w.file.Close()
	}
}

// publish gives a finished file its name, for good.
func publish(part, path string) error {
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return durable.Disk{}.SyncDir(filepath.Dir(path))
}

// timeline gives each piece its place in the file, in samples. The sender's timestamps count, so that
// loss and the pauses of a phone that sends no silence keep their length.
type timeline struct {
	max      int  // length at which the recording ends
	before   int  // what an earlier process recorded
	end      int  // behind the last sample
	absolute bool // the file begins with the recording, and not with the first packet

	anchored bool
	lead     int // waited for the first packet: the file begins with it
	epoch    uint32
	ts       uint32
	at       int // place of ts
}

// now is the place in the file of a time since the recording began.
func (t *timeline) now(at time.Duration) int { return t.before + samples(at) - t.lead }

// place returns where n samples go that arrived so long after the beginning, and how many of them fit.
func (t *timeline) place(after time.Duration, epoch, ts uint32, n int) (at, fits int) {
	if !t.anchored && !t.absolute {
		t.lead = samples(after)
	}
	now := t.now(after)
	at = t.at + int(int32(ts-t.ts))
	if !t.anchored || epoch != t.epoch || at > now+maxDrift || at < now-maxDrift {
		at = max(t.end, now)
		t.anchored, t.epoch, t.ts, t.at = true, epoch, ts, at
	}
	if at < t.before {
		return 0, 0 // late, from before the first packet
	}
	return at, max(0, min(n, t.max-at))
}

// samples and duration convert between time and samples of a recording.
func samples(d time.Duration) int { return int(d / (time.Second / clockRate)) }

func duration(n int) time.Duration { return time.Duration(n) * time.Second / clockRate }

// RecoverRecordings gives the parts in a directory that an earlier process left their names, with the
// headers they lack. It leaves alone what is being recorded now. A part without sound is removed. What fails is named in the error, the rest
// is done.
func (e *Engine) RecoverRecordings(dir string) (found []Recorded, err error) {
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nobody has recorded yet
	}
	for _, entry := range all {
		name, ok := strings.CutSuffix(entry.Name(), PartSuffix)
		if !ok || !entry.Type().IsRegular() {
			continue
		}
		r, failed := e.recorders.recover(filepath.Join(dir, name))
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("recover the recording %s: %w", name, failed))
		}
		if r.Path != "" {
			found = append(found, r)
		}
	}
	return found, err
}

func (rs *recorders) recover(path string) (Recorded, error) {
	r := &recording{cfg: RecordConfig{Path: path}}
	if !rs.begin(r) {
		return Recorded{}, nil // it goes on
	}
	defer rs.finished(r)
	w := writer{r: r}
	var err error
	if w.file, err = rs.open(path + PartSuffix); err != nil {
		return Recorded{}, err
	}
	if err := errors.Join(w.start(), w.close()); err != nil || !w.kept {
		return Recorded{}, err
	}
	return Recorded{Path: path, Length: duration(w.line.end), Why: RecordEnded}, nil
}
