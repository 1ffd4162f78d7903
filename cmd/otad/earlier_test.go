package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/images/card"
	"github.com/pronto-pbx/pronto/images/cpio"
	"github.com/pronto-pbx/pronto/images/fat"
	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/delta"
)

// The partition is longer than what a release has for it: behind that lies what was there before.
func TestTheNextSlotIsMadeOutOfTheOneThatRuns(t *testing.T) {
	slot := func(program string) []byte {
		var unpacked bytes.Buffer
		if err := cpio.Write(&unpacked, []cpio.Entry{{Name: "bin/prontod", Data: []byte(strings.Repeat(program, 9000))}}); err != nil {
			t.Fatal(err)
		}
		packed, err := recipe.Pack(unpacked.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(t.TempDir(), "slot")
		if _, err := card.WriteSlot(t.Context(), at, []fat.File{{Name: delta.System, Data: packed}}); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old, fresh := slot("this release, "), slot("the next release, ")
	d, err := delta.Make(t.Context(), old, fresh)
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t, 1<<20)
	cfg, err := configure(slog.New(slog.DiscardHandler), places{backend: "card", gate: filepath.Join(b.dir, "gate.sock"), dir: filepath.Join(b.dir, "update"), share: filepath.Join(b.dir, "share")})
	if err != nil || cfg.Earlier == nil {
		t.Fatalf("%v, %v", cfg.Earlier, err)
	}
	if c, err := cfg.Earlier.Running(t.Context()); err == nil {
		t.Errorf("a slot that is not lent was opened: %v", c)
	}
	var out bytes.Buffer
	partition := append(bytes.Clone(old), bytes.Repeat([]byte("before"), 1000)...)
	if err := cfg.Earlier.Rebuild(t.Context(), &out, bytes.NewReader(partition), bytes.NewReader(d), int64(len(d))); err != nil || !bytes.Equal(out.Bytes(), fresh) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}
