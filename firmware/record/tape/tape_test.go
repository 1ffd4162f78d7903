package tape

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/dsp"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

const frame = 160

// disk is a file in memory that may refuse.
type disk struct {
	b      []byte
	refuse error
}

func (d *disk) WriteAt(b []byte, at int64) (int, error) {
	if d.refuse != nil {
		return 0, d.refuse
	}
	d.b = append(d.b[:at], b...)
	return len(b), nil
}

func boxKey(t testing.TB) hpke.PrivateKey {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func two() About {
	return About{
		ID: "c1-1", Chain: "c1", Call: "c1", Began: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC),
		Tracks: []Track{{"l1", "trunk:tim"}, {"l2", "phone:201"}},
	}
}

// sine is n frames of a tone.
func sine(hz float64, n int) []int16 {
	pcm := make([]int16, n*frame)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/Rate))
	}
	return pcm
}

// say writes the sound of one track from a place on, in blocks of so many frames.
func say(t testing.TB, w *Writer, track uint8, id codec.ID, at int, pcm []int16, frames int) {
	t.Helper()
	var enc codec.Encoder
	if id != 0 {
		enc = codec.NewEncoder(id)
	}
	for len(pcm) > 0 {
		b := make([]byte, HeadRoom, maxBlock)
		from := at
		for range frames {
			if len(pcm) == 0 {
				break
			}
			n := min(frame, len(pcm))
			payload := make([]byte, frame)
			if id == 0 {
				payload = nil
				for _, s := range pcm[:n] {
					payload = binary.LittleEndian.AppendUint16(payload, uint16(s))
				}
			} else {
				enc.Encode(payload, pcm[:n])
			}
			head := make([]byte, PieceHead)
			PutPiece(head, uint32(at), id, 0, len(payload))
			b = append(append(b, head...), payload...)
			at += n
			pcm = pcm[n:]
		}
		if err := w.Sound(track, uint32(from), uint32(at), b); err != nil {
			t.Fatal(err)
		}
	}
}

func begin(t testing.TB, to hpke.PublicKey) (*disk, *Writer) {
	t.Helper()
	d := &disk{}
	w, err := NewWriter(d, to, two())
	if err != nil {
		t.Fatal(err)
	}
	return d, w
}

// conversation is a file of two seconds: 700 Hz of the caller, 1,100 Hz of the other.
func conversation(t testing.TB, key hpke.PrivateKey, id codec.ID) *disk {
	t.Helper()
	d, w := begin(t, key.PublicKey())
	say(t, w, 0, id, 0, sine(700, 100), 40)
	say(t, w, 1, id, 0, sine(1100, 100), 40)
	if err := w.End(End{Length: 100 * frame, Why: "ended"}); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(d.b); !bytes.Equal(sum[:], w.Sum()) || w.Size() != int64(len(d.b)) {
		t.Errorf("the writer tells of %d bytes and another sum", w.Size())
	}
	return d
}

func open(t testing.TB, d *disk, key hpke.PrivateKey) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(d.b), int64(len(d.b)), key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sides reads a part of a recording.
func sides(t testing.TB, r *Reader, at, n int) (left, right []int16) {
	t.Helper()
	b := make([]int16, 2*n)
	if got := r.Read(b, at); got != n {
		t.Fatalf("%d of %d samples at %d", got, n, at)
	}
	for i := range n {
		left, right = append(left, b[2*i]), append(right, b[2*i+1])
	}
	return left, right
}

// tone fails unless a side is one tone and nothing of the other.
func tone(t *testing.T, what string, pcm []int16, hz, not float64) {
	t.Helper()
	if level, other := dsp.ToneLevel(pcm, hz), dsp.ToneLevel(pcm, not); level < -15 || other > -45 {
		t.Errorf("%s: %.1f dBm0 of its own tone, %.1f of the other", what, level, other)
	}
}

func TestEachPartyIsHeardOnItsSideInEveryCodec(t *testing.T) {
	key := boxKey(t)
	for _, id := range []codec.ID{0, codec.PCMU, codec.PCMA, codec.G722} {
		r := open(t, conversation(t, key, id), key)
		if r.About.Chain != "c1" || r.End == nil || r.End.Why != "ended" || r.Samples() != 100*frame {
			t.Fatalf("%v: %+v %+v", id, r.About, r.End)
		}
		left, right := sides(t, r, 800, 12000)
		tone(t, "left", left, 700, 1100)
		tone(t, "right", right, 1100, 700)
		if err := errors.Join(r.Check(), r.Damaged()); err != nil {
			t.Error(err)
		}
	}
}

func TestAPartOfARecordingIsTheSameWhicheverWayItIsReached(t *testing.T) {
	key := boxKey(t)
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		d := conversation(t, key, id)
		whole, _ := sides(t, open(t, d, key), 0, 100*frame)
		for _, at := range []int{0, 1, 6399, 6400, 7000, 12801, 15999} {
			part, _ := sides(t, open(t, d, key), at, min(500, 100*frame-at))
			for i, s := range part {
				if diff := int(s) - int(whole[at+i]); diff > 300 || diff < -300 {
					t.Fatalf("%v: sample %d is %d when it is sought, %d in its place", id, at+i, s, whole[at+i])
				}
			}
		}
	}
}

func TestAThirdPartyIsHeardOnTheRight(t *testing.T) {
	key := boxKey(t)
	d := &disk{}
	about := two()
	about.Tracks = append(about.Tracks, Track{"l3", "phone:300"})
	w, err := NewWriter(d, key.PublicKey(), about)
	if err != nil {
		t.Fatal(err)
	}
	say(t, w, 1, codec.PCMA, 0, sine(700, 20), 10)
	say(t, w, 2, codec.PCMA, 0, sine(1100, 20), 10)
	left, right := sides(t, open(t, d, key), 0, 20*frame)
	if dsp.Level(left) > dsp.Floor || dsp.ToneLevel(right, 700) < -15 || dsp.ToneLevel(right, 1100) < -15 {
		t.Errorf("left %.1f, right %.1f and %.1f dBm0", dsp.Level(left), dsp.ToneLevel(right, 700), dsp.ToneLevel(right, 1100))
	}
}

func TestAPauseIsSilentAndMarked(t *testing.T) {
	key := boxKey(t)
	d, w := begin(t, key.PublicKey())
	say(t, w, 0, codec.PCMA, 0, sine(700, 10), 10)
	for _, m := range []Mark{{At: 1600, Why: "card"}, {At: 4800, Resume: true}} {
		if err := w.Mark(m); err != nil {
			t.Fatal(err)
		}
	}
	say(t, w, 0, codec.PCMA, 4800, sine(700, 10), 10)
	r := open(t, d, key)
	if len(r.Marks) != 2 || r.Marks[0] != (Mark{At: 1600, Why: "card"}) || !r.Marks[1].Resume {
		t.Errorf("marks %+v", r.Marks)
	}
	left, _ := sides(t, r, 0, 6400)
	if dsp.Level(left[:1600]) < -20 || dsp.Level(left[1600:4800]) > dsp.Floor || dsp.Level(left[4800:]) < -20 {
		t.Errorf("levels %.1f %.1f %.1f", dsp.Level(left[:1600]), dsp.Level(left[1600:4800]), dsp.Level(left[4800:]))
	}
}

// A process that dies leaves a file of any length.
func TestAFileThatIsCutAnywhereReadsUpToItsLastWholeBlock(t *testing.T) {
	key := boxKey(t)
	d := conversation(t, key, codec.PCMA)
	whole, _ := sides(t, open(t, d, key), 0, 100*frame)
	lengths := map[int]bool{}
	for cut := 0; cut < len(d.b); cut += 97 {
		r, err := Open(bytes.NewReader(d.b[:cut]), int64(cut), key)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) || cut > 800 {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		lengths[r.Samples()] = true
		if r.End != nil || r.Whole() > int64(cut) {
			t.Fatalf("cut at %d: end %+v, %d bytes are whole", cut, r.End, r.Whole())
		}
		if r.Samples() == 0 {
			continue
		}
		left, _ := sides(t, r, 0, r.Samples())
		for i := range left {
			if left[i] != whole[i] {
				t.Fatalf("cut at %d: sample %d differs", cut, i)
			}
		}
	}
	if !lengths[0] || !lengths[40*frame] || !lengths[80*frame] || !lengths[100*frame] {
		t.Errorf("lengths that were read: %v", lengths)
	}
}

func TestWhatIsChangedIsFound(t *testing.T) {
	key := boxKey(t)
	d := conversation(t, key, codec.PCMA)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		bad := &disk{b: bytes.Clone(d.b)}
		bad.b[r.IntN(len(bad.b))] ^= 1 << r.IntN(8)
		o, err := Open(bytes.NewReader(bad.b), int64(len(bad.b)), key)
		if err != nil {
			continue
		}
		if err := o.Check(); err == nil && o.End != nil {
			t.Fatal("a changed file passes for the one that was written")
		}
	}
	swapped := &disk{b: bytes.Clone(d.b)}
	o := open(t, swapped, key)
	first, second := o.sound[0], o.sound[1] // of the same length
	copy(swapped.b[first.at-HeadRoom:], d.b[second.at-HeadRoom:second.at+int64(second.size)])
	copy(swapped.b[second.at-HeadRoom:], d.b[first.at-HeadRoom:first.at+int64(first.size)])
	o = open(t, swapped, key)
	if err := o.Check(); !errors.Is(err, ErrDamaged) {
		t.Errorf("two blocks that changed places: %v", err)
	}
	left, _ := sides(t, o, 0, 40*frame)
	if dsp.Level(left) > dsp.Floor || o.Damaged() == nil {
		t.Errorf("a damaged block sounds at %.1f dBm0 and is told as %v", dsp.Level(left), o.Damaged())
	}
}

func TestAnotherBoxReadsNothing(t *testing.T) {
	d := conversation(t, boxKey(t), codec.PCMA)
	if _, err := Open(bytes.NewReader(d.b), int64(len(d.b)), boxKey(t)); !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
	if bytes.Contains(d.b, []byte("trunk:tim")) {
		t.Error("the file says readably who spoke")
	}
}

func TestAKeyIsReadBack(t *testing.T) {
	key := boxKey(t)
	b, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKey(b)
	if err != nil {
		t.Fatal(err)
	}
	open(t, conversation(t, key, codec.PCMA), again)
	if _, err := ParseKey(b[1:]); err == nil {
		t.Error("a key without its first byte is read")
	}
}

func TestADiskThatRefusesLeavesWhatItHasTaken(t *testing.T) {
	key := boxKey(t)
	d, w := begin(t, key.PublicKey())
	say(t, w, 0, codec.PCMA, 0, sine(700, 10), 10)
	size := w.Size()
	d.refuse = errors.New("no space left on device")
	if err := w.Mark(Mark{At: 5}); !errors.Is(err, d.refuse) || w.Size() != size {
		t.Errorf("%v, %d bytes", err, w.Size())
	}
	d.refuse = nil
	if r := open(t, d, key); r.Samples() != 1600 || r.End != nil {
		t.Errorf("%d samples, end %+v", r.Samples(), r.End)
	}
	if _, err := NewWriter(d, key.PublicKey(), About{}); err == nil {
		t.Error("a recording of nobody begins")
	}
}

func TestTheWAVIsWholeAndSeekable(t *testing.T) {
	key := boxKey(t)
	d := conversation(t, key, codec.PCMA)
	w, err := NewWAV(open(t, d, key))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(w)
	if err != nil || int64(len(all)) != w.Size() {
		t.Fatalf("%d of %d bytes, %v", len(all), w.Size(), err)
	}
	r, err := wav.NewReader(bytes.NewReader(all))
	if err != nil || r.Channels != 2 || r.Rate != Rate {
		t.Fatalf("%+v, %v", r, err)
	}
	if w, err = NewWAV(open(t, d, key)); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(w, all); err != nil {
		t.Error(err)
	}
	if _, err := w.Seek(-1, io.SeekStart); err == nil {
		t.Error("it is sought before its beginning")
	}
}

// Whatever lies in the directory: no panic, no endless reading, and what is read is within bounds.
func FuzzOpen(f *testing.F) {
	key := boxKey(f)
	d := conversation(f, key, codec.PCMA)
	f.Add(d.b, uint16(0), byte(0))
	f.Add(d.b[:headerSize+40], uint16(90), byte(1))
	f.Add([]byte(magic), uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, flip byte) {
		b = bytes.Clone(b)
		if len(b) > headerSize { // so that the key of the file is one that opens
			copy(b, d.b[:headerSize])
			if i := headerSize + int(at); i < len(b) {
				b[i] ^= flip
			}
		}
		r, err := Open(bytes.NewReader(b), int64(len(b)), key)
		if err != nil {
			return
		}
		pcm := make([]int16, 2*1000)
		for at := 0; at < r.Samples() && at < 20*1000; at += 1000 {
			if n := r.Read(pcm, at); n == 0 || n > 1000 {
				t.Fatalf("%d samples at %d of %d", n, at, r.Samples())
			}
		}
		_ = r.Check() // may find damage
	})
}

// Bodies are authentic, but who wrote them may have been a later version.
func FuzzPieces(f *testing.F) {
	b := make([]byte, PieceHead)
	PutPiece(b, 7, codec.PCMA, 3, 4)
	f.Add(append(b, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d decoders
		for _, p := range d.pieces(b) {
			if p.at < 0 || p.at >= maxSamples || len(p.pcm) > len(b) {
				t.Fatalf("%d samples at %d", len(p.pcm), p.at)
			}
		}
	})
}

// BenchmarkBlock seals and sums a second of one party, which goes nowhere: a call has two in each second.
func BenchmarkBlock(b *testing.B) {
	w, err := NewWriter(nowhere{}, boxKey(b).PublicKey(), two())
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, HeadRoom+50*(PieceHead+frame)+Overhead)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if err := w.Sound(0, 0, 8000, buf[:len(buf)-Overhead]); err != nil {
			b.Fatal(err)
		}
	}
}

type nowhere struct{}

func (nowhere) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }
