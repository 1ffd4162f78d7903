package trust

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// zipped makes a file of entries by a way of compressing.
func zipped(t testing.TB, method uint16, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat("content", 100))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// directory is a folder as programs that make zip files enter it.
func directory(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if _, err := z.CreateHeader(&zip.FileHeader{Name: "metadata/"}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsNoBundleIsSaidToBeNone(t *testing.T) {
	good := zipped(t, zip.Store, "metadata/timestamp.json", "parts/00")
	many := make([]string, maxEntries+1)
	for i := range many {
		many[i] = "parts/" + strings.Repeat("0", i+1)[:min(i+1, 60)] + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	claims := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[len(b)-endLength+at:], v)
		return b
	}
	for name, c := range map[string]struct {
		text []byte
		ok   bool
	}{
		"a bundle":                     {good, true},
		"with a folder of its own":     {directory(t), true},
		"nothing":                      {nil, false},
		"a picture":                    {append([]byte("\x89PNG\r\n"), make([]byte, 100)...), false},
		"half of one":                  {good[:len(good)/2], false},
		"one with something behind it": {append(bytes.Clone(good), 0), false},
		"a compressed one":             {zipped(t, zip.Deflate, "metadata/timestamp.json"), false},
		"one with a way out":           {zipped(t, zip.Store, "../../etc/passwd"), false},
		"one with a root":              {zipped(t, zip.Store, "/metadata/x"), false},
		"one with other things":        {zipped(t, zip.Store, "holiday.jpg"), false},
		"one with a file twice":        {zipped(t, zip.Store, "parts/00", "parts/00"), false},
		"one with too many files":      {zipped(t, zip.Store, many...), false},
		"one with a huge table":        {claims(12, 1<<31), false},
		"one that claims zip64":        {claims(10, 0xffffffff), false},
		"one without files":            {zipped(t, zip.Store), false},
	} {
		f, err := Bundle(bytes.NewReader(c.text), int64(len(c.text)))
		if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrMedium) {
			t.Errorf("%s: %v", name, err)
		}
		if c.ok {
			if _, err := f.Open(t.Context(), "metadata/none", 0); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A bundle of which any byte differs is as good as the whole one, or is none: never another release, never a panic.
func FuzzABundleIsBelievedOrNot(f *testing.F) {
	w := newWorld(f)
	content := bytes.Repeat([]byte("one"), 300)
	m := w.Release("stable", "1.1.0", content)
	var b bytes.Buffer
	if err := w.Bundle(&b, "stable", "1.1.0", nil); err != nil {
		f.Fatal(err)
	}
	good, part := b.Bytes(), w.file("parts/"+m.Parts[0].Packed.SHA256)
	f.Add(uint32(0), []byte{})
	for at := 0; at < len(good); at += 501 {
		f.Add(uint32(at), []byte{0xff, 0, '{'})
	}
	f.Add(uint32(len(good)-endLength), []byte("PK\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, at uint32, over []byte) {
		text := bytes.Clone(good)
		copy(text[int(at)%len(text):], over)
		files, err := Bundle(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			if !errors.Is(err, ErrMedium) {
				t.Fatal(err)
			}
			return
		}
		k, err := Open(w.Root, t.TempDir(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		s := k.Local(files, "stable")
		got, err := s.Latest(t.Context(), begin.Add(time.Hour), w.box)
		if err != nil {
			return
		}
		if got.Version != m.Version || got.Parts[0] != m.Parts[0] {
			t.Fatalf("believed %+v", got)
		}
		body, err := s.Open(t.Context(), got.Parts[0].Packed, 0)
		if err != nil {
			return
		}
		defer body.Close()
		packed, err := io.ReadAll(got.Parts[0].Packed.Verify(body))
		if err == nil && !bytes.Equal(packed, part) {
			t.Fatal("another part was taken for the one that was signed")
		}
	})
}

// Whatever lies on a server as metadata, a poll ends with a release that was signed or with an error.
func FuzzMetadataIsInspected(f *testing.F) {
	w := newWorld(f)
	for name, text := range w.everything() {
		f.Add(name, text)
	}
	f.Add("metadata/2.root.json", []byte(`{"signed":{"_type":"root","version":2,"roles":{"root":{"keyids":["a"],"threshold":0}}}}`))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		s, err := inspect(name, text)
		if err != nil {
			if !errors.Is(err, ErrUntrusted) {
				t.Fatal(err)
			}
			return
		}
		for role, r := range s.Signed.Roles {
			if r.Threshold < 1 || !roleForm.MatchString(role) {
				t.Fatalf("let %q through with %d", role, r.Threshold)
			}
		}
	})
}
