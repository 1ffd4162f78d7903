package delta

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/recipe"
)

// noise is what does not compress, always the same.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed)})
	if _, err := r.Read(b); err != nil {
		panic(err) // it never fails
	}
	return b
}

// slotOf makes the content of a slot with a system of these files, beside a kernel.
func slotOf(t testing.TB, files map[string][]byte, kernel []byte) []byte {
	t.Helper()
	var entries []cpio.Entry
	for name, b := range files {
		entries = append(entries, cpio.Entry{Name: name, Mode: 0o755, Data: b})
	}
	var unpacked bytes.Buffer
	if err := cpio.Write(&unpacked, entries); err != nil {
		t.Fatal(err)
	}
	packed, err := recipe.Pack(unpacked.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return slotWith(t, packed, kernel)
}

func slotWith(t testing.TB, packed, kernel []byte) []byte {
	t.Helper()
	return slotOfFiles(t, []fat.File{
		{Name: "config.txt", Data: []byte("kernel=kernel8.img\n")}, {Name: System, Data: packed}, {Name: "kernel8.img", Data: kernel},
	})
}

func slotOfFiles(t testing.TB, files []fat.File) []byte {
	t.Helper()
	at := filepath.Join(t.TempDir(), "slot")
	if _, err := card.WriteSlot(t.Context(), at, files); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// programs are the files of a small system.
func programs() map[string][]byte {
	return map[string][]byte{"bin/a": noise(1, 6<<20), "bin/b": noise(2, 300_001), "etc/hosts": []byte("127.0.0.1 localhost\n"), "usr/empty": nil, "usr/release": bytes.Repeat([]byte("1.0.0 "), 20)}
}

// applied is what comes out of a delta.
func applied(t testing.TB, old, delta []byte) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	err := Apply(t.Context(), &out, bytes.NewReader(old), bytes.NewReader(delta))
	return out.Bytes(), err
}

func TestADeltaLeadsToTheNewSlot(t *testing.T) {
	kernel := noise(9, 2<<20)
	old := slotOf(t, programs(), kernel)
	inserted := func(b []byte, at int, what ...byte) []byte {
		return append(append(bytes.Clone(b[:at]), what...), b[at:]...)
	}
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		kernel []byte
		most   int // bytes of the delta
	}{
		"of nothing":                      {func(map[string][]byte) {}, kernel, 4 << 10},
		"of one byte":                     {func(f map[string][]byte) { f["bin/a"][5<<20]++ }, kernel, 20 << 10},
		"of a few bytes of text":          {func(f map[string][]byte) { f["usr/release"] = bytes.Repeat([]byte("1.0.1 "), 20) }, kernel, 10 << 10},
		"of a word":                       {func(f map[string][]byte) { f["usr/release"] = []byte("1.0.1") }, kernel, 10 << 10},
		"of code that moved by a few":     {func(f map[string][]byte) { f["bin/a"] = inserted(f["bin/a"], 1000, 1, 2, 3, 4, 5, 6, 7, 8) }, kernel, 40 << 10},
		"of code that moved by a million": {func(f map[string][]byte) { f["bin/a"] = append(make([]byte, 1_000_000), f["bin/a"]...) }, kernel, 40 << 10},
		"of a file that is shorter":       {func(f map[string][]byte) { f["bin/a"] = f["bin/a"][:3<<20] }, kernel, 20 << 10},
		"of a file that is new":           {func(f map[string][]byte) { f["bin/aa"] = noise(5, 50_000) }, kernel, 70 << 10},
		"of a file that is gone":          {func(f map[string][]byte) { delete(f, "bin/a") }, kernel, 20 << 10},
		"of a file with another name":     {func(f map[string][]byte) { f["bin/c"] = f["bin/b"]; delete(f, "bin/b") }, kernel, 330 << 10},
		"of a file that was emptied":      {func(f map[string][]byte) { f["etc/hosts"] = nil }, kernel, 10 << 10},
		"of another kernel":               {func(map[string][]byte) {}, noise(8, 2<<20), 2200 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			files := programs()
			c.change(files)
			fresh := slotOf(t, files, c.kernel)
			d, err := Make(t.Context(), old, fresh)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := applied(t, old, d); err != nil || !bytes.Equal(got, fresh) {
				t.Errorf("%d bytes come out, %v", len(got), err)
			}
			if len(d) > c.most {
				t.Errorf("it has %d bytes, %d at most", len(d), c.most)
			}
		})
	}
}

func TestADeltaForAnotherSlotIsFoundOut(t *testing.T) {
	old := slotOf(t, programs(), noise(9, 1<<20))
	files := programs()
	files["bin/b"][7]++
	fresh := slotOf(t, files, noise(9, 1<<20))
	d, err := Make(t.Context(), old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	files["bin/a"][1<<20]++
	for name, other := range map[string][]byte{"a later one": slotOf(t, files, noise(9, 1<<20)), "half of it": old[:len(old)/2], "nothing": nil} {
		if got, err := applied(t, other, d); !errors.Is(err, ErrDamaged) {
			t.Errorf("of %s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestABoxWithAnotherEncoderFetchesTheWhole(t *testing.T) {
	var out bytes.Buffer
	out.WriteString(magic)
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("\x05other\x01")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := applied(t, nil, out.Bytes()); !errors.Is(err, ErrEncoder) {
		t.Error(err)
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	var unpacked bytes.Buffer
	if err := cpio.Write(&unpacked, []cpio.Entry{{Name: "a", Data: bytes.Repeat([]byte("text"), 99)}}); err != nil {
		t.Fatal(err)
	}
	slot := slotWith(t, e.EncodeAll(unpacked.Bytes(), nil), nil)
	if _, err := Make(t.Context(), slot, slot); !errors.Is(err, ErrEncoder) {
		t.Errorf("a slot that was packed otherwise: %v", err)
	}
	if _, err := Make(t.Context(), slotWith(t, []byte("not packed"), nil), slot); err == nil {
		t.Error("a slot whose system is not packed")
	}
	if _, err := Make(t.Context(), make([]byte, 1<<20), slot); err == nil {
		t.Error("a slot that was wiped")
	}
}

// broken is a disk that is full.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestApplyingEndsWithItsContextAndWithTheDisk(t *testing.T) {
	old := slotOf(t, programs(), noise(9, 1<<20))
	d, err := Make(t.Context(), old, old)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Apply(ctx, io.Discard, bytes.NewReader(old), bytes.NewReader(d)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for _, n := range []int{0, 100_000, len(old) / 2, len(old) - 1} {
		if err := Apply(t.Context(), &broken{n}, bytes.NewReader(old), bytes.NewReader(d)); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("a disk for %d bytes: %v", n, err)
		}
	}
}

// Whatever a delta says, what comes out is the new slot or an error, and never more than it announced.
func FuzzADeltaLeadsThereOrNowhere(f *testing.F) {
	files := map[string][]byte{"bin/a": noise(1, 3000), "etc/hosts": []byte("127.0.0.1 localhost\n")}
	old := slotOf(f, files, noise(9, 1<<10))
	files["bin/a"] = append([]byte("moved"), files["bin/a"]...)
	fresh := slotOf(f, files, noise(9, 1<<10))
	d, err := Make(f.Context(), old, fresh)
	if err != nil {
		f.Fatal(err)
	}
	r, err := zstd.NewReader(bytes.NewReader(d[len(magic):]))
	if err != nil {
		f.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		f.Fatal(err)
	}
	r.Close()
	f.Add(uint16(0), []byte{}, false)
	for at := 0; at < len(body); at += max(1, len(body)/60) {
		f.Add(uint16(at), []byte{0xff, 0x7f}, false)
		f.Add(uint16(at), []byte{0}, true)
	}
	f.Fuzz(func(t *testing.T, at uint16, over []byte, cut bool) {
		b := bytes.Clone(body)
		here := int(at) % len(b)
		copy(b[here:], over)
		if cut {
			b = b[:here]
		}
		var in bytes.Buffer
		in.WriteString(magic)
		w, err := zstd.NewWriter(&in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := applied(t, old, in.Bytes())
		switch {
		case err == nil && !bytes.Equal(got, fresh):
			t.Fatal("something else came out, without an error")
		case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrEncoder):
			t.Fatal(err)
		}
		if _, err := applied(t, old, b); err == nil { // without what is around it
			t.Fatal("took it unpacked")
		}
	})
}
