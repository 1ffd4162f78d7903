package install

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
)

// memory is a download in memory, with room for so many bytes.
type memory struct {
	b     []byte
	room  int
	broke error // of Sync
}

func (m *memory) Size() (int64, error) { return int64(len(m.b)), nil }
func (m *memory) Sync() error          { return m.broke }
func (m *memory) Truncate(n int64) error {
	m.b = m.b[:n]
	return nil
}

func (m *memory) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(m.b).ReadAt(b, off) }

func (m *memory) WriteAt(b []byte, off int64) (int, error) {
	if int(off)+len(b) > m.room {
		return 0, unix.ENOSPC
	}
	m.b = append(m.b[:off], b...)
	return len(b), nil
}

// server gives a blob, at most so many bytes at a time, and remembers from where it was asked.
type server struct {
	blob  []byte
	most  int
	asked []int64
	err   error
}

func (s *server) open(_ context.Context, off int64) (io.ReadCloser, error) {
	s.asked = append(s.asked, off)
	if s.err != nil {
		return nil, s.err
	}
	rest := s.blob[min(int(off), len(s.blob)):]
	return io.NopCloser(iotest.HalfReader(bytes.NewReader(rest[:min(len(rest), s.most)]))), nil
}

func TestFetch(t *testing.T) {
	const size = 900 << 10
	blob := otatest.Content("blob", size)
	sum := release.Blob{Size: size, SHA256: otatest.Sum(blob)}
	wrong := bytes.Clone(blob)
	wrong[700<<10] ^= 1
	for _, c := range []struct {
		name  string
		has   []byte
		room  int
		from  server
		code  string
		asked []int64
		left  int // in the download
	}{
		{"it comes in one go", nil, size, server{blob: blob, most: size}, "", []int64{0}, size},
		{"it goes on with what is there", blob[:500<<10], size, server{blob: blob, most: size}, "", []int64{500 << 10}, size},
		{"what is whole is not fetched", blob, size, server{}, "", nil, size},
		{"a connection that ends is made again as long as something comes", nil, size, server{blob: blob, most: 300 << 10}, "", []int64{0, 300 << 10, 600 << 10}, size},
		{"one that brings little waits for its turn, and loses nothing", nil, size, server{blob: blob, most: 100 << 10}, "network", []int64{0}, 100 << 10},
		{"a server that is away costs nothing", blob[:500<<10], size, server{err: release.ErrUnreachable}, "network", []int64{500 << 10}, 500 << 10},
		{"a full disk is said", nil, 400 << 10, server{blob: blob, most: size}, "disk_full", []int64{0}, 400 << 10},
		{"what a power cut made of the beginning is found at the end and fetched again", wrong[:800<<10], size, server{blob: blob, most: size}, "", []int64{800 << 10, 0}, size},
		{"what is longer than it should be is begun again", append(bytes.Clone(blob), 1), size + 1, server{blob: blob, most: size}, "", []int64{0}, size},
		{"what is not what was signed is thrown away", nil, size, server{blob: wrong, most: size}, "hash", []int64{0}, 0},
		{"even if some of it was here", wrong[:100<<10], size, server{blob: wrong, most: size}, "hash", []int64{100 << 10, 0}, 0},
		{"a server that sends more is not listened to", nil, size, server{blob: append(bytes.Clone(blob), make([]byte, 1<<20)...), most: 2 << 20}, "", []int64{0}, size},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := &memory{b: bytes.Clone(c.has), room: c.room}
			told := int64(-1)
			err := Fetch(t.Context(), to, sum, c.from.open, func(n int64) { told = n })
			if c.code == "" && err != nil || c.code != "" && string(CodeOf(err)) != c.code {
				t.Fatal(err)
			}
			if c.code == "" && (!bytes.Equal(to.b, blob) || told != size) {
				t.Errorf("%d bytes, %d told", len(to.b), told)
			}
			if !slices.Equal(c.from.asked, c.asked) || len(to.b)&^0xffff != c.left&^0xffff {
				t.Errorf("asked from %v, %d bytes are left", c.from.asked, len(to.b))
			}
		})
	}
}

func TestFetchEndsWithItsContextAndWithItsDisk(t *testing.T) {
	blob := otatest.Content("blob", 300<<10)
	of := release.Blob{Size: int64(len(blob)), SHA256: otatest.Sum(blob)}
	ctx, cancel := context.WithCancel(t.Context())
	to := &memory{room: len(blob)}
	err := Fetch(ctx, to, of, (&server{blob: blob, most: len(blob)}).open, func(n int64) {
		if n > 100<<10 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(to.b) > 200<<10 {
		t.Errorf("%d bytes, %v", len(to.b), err)
	}
	broken := &memory{room: len(blob), broke: unix.EIO}
	if err := Fetch(t.Context(), broken, of, (&server{blob: blob, most: len(blob)}).open, nothing); CodeOf(err) != "disk" {
		t.Error(err)
	}
}

func TestAFileIsADownloadAndADevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "part")
	if _, err := OpenDevice(path); err == nil {
		t.Error("a device that is not there was made")
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	blob := otatest.Content("blob", 300<<10)
	if err := Fetch(t.Context(), f, release.Blob{Size: int64(len(blob)), SHA256: otatest.Sum(blob)}, (&server{blob: blob, most: len(blob)}).open, nothing); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDevice(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, err := Write(t.Context(), d, bytes.NewReader(blob), partOf(blob), nothing)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), d, first, partOf(blob), nothing); err != nil {
		t.Fatal(err)
	}
}
