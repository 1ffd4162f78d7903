package install

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/ota/otatest"
)

func packed(t testing.TB, content []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(content, nil)
}

func TestUnpackTellsDamageFromADiskThatFails(t *testing.T) {
	content := otatest.Content("2.0.0", 96<<10)
	whole := packed(t, content)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	for _, c := range []struct {
		name string
		from io.Reader
		code string
	}{
		{"whole", bytes.NewReader(whole), ""},
		{"damaged", bytes.NewReader(damaged), "hash"},
		{"cut off", bytes.NewReader(whole[:len(whole)/2]), "hash"},
		{"something else", bytes.NewReader([]byte("PK\x03\x04 no zstd at all")), "hash"},
		{"a disk that fails", io.MultiReader(bytes.NewReader(whole[:100]), iotest.ErrReader(errors.New("input/output error"))), "disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Unpack(c.from)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			switch {
			case c.code == "" && (err != nil || !bytes.Equal(got, content)):
				t.Errorf("%d bytes, %v", len(got), err)
			case c.code != "" && (err == nil || string(CodeOf(err)) != c.code):
				t.Error(err)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(packed(f, []byte("content")))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Unpack(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(r, 4<<20)); err != nil && CodeOf(err) != "hash" {
			t.Fatal(err)
		}
	})
}
