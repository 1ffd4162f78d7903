package delta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/pronto-pbx/pronto/images/pins"
	"github.com/pronto-pbx/pronto/images/recipe"
)

// changed is a line of the telephone exchange as the next release might have it.
var changed = struct{ file, was, is string }{
	"firmware/call/next.go", "if s.Stage == tel.StageEnded {", "if s.Stage == tel.StageEnded && !now.IsZero() {",
}

// BenchmarkCodeChange makes and applies the delta between two real slots, whose programs differ by one line. It prints
// sizes, and how much memory applying takes.
func BenchmarkCodeChange(b *testing.B) {
	const root = "../.."
	modules, err := pins.Download(b.Context(), root, "images/boot.mod", pins.KernelRPi, pins.Firmware)
	if err != nil {
		b.Fatal(err)
	}
	kernel, err := recipe.ReadKernel(modules[0].Dir)
	if err != nil {
		b.Fatal(err)
	}
	loader, err := recipe.Firmware(modules[1].Dir)
	if err != nil {
		b.Fatal(err)
	}
	build := func(version string, programs map[string][]byte) []byte {
		said := map[string][]byte{"release.json": []byte(`{"version":"` + version + `"}`)}
		system, err := recipe.System(kernel, programs, said)
		if err != nil {
			b.Fatal(err)
		}
		files, err := recipe.Slot(kernel, loader, system, said)
		if err != nil {
			b.Fatal(err)
		}
		return slotOfFiles(b, files)
	}
	programs, err := pins.Build(b.Context(), root, "arm64", recipe.Programs())
	if err != nil {
		b.Fatal(err)
	}
	old := build("1.0.0", programs)
	was := programs["prontod"]
	programs["prontod"] = next(b, root)
	if bytes.Equal(was, programs["prontod"]) {
		b.Fatal("the changed line changes nothing")
	}
	fresh := build("1.0.1", programs)
	began := time.Now()
	d, err := Make(b.Context(), old, fresh)
	if err != nil {
		b.Fatal(err)
	}
	made := time.Since(began)
	whole := packedWhole(b, fresh)
	share := float64(len(d)) * 100 / float64(whole)
	fmt.Printf("delta: slot %.1f MB, fetched whole %.1f MB, delta %.0f kB = %.2f %%, made and proved in %.1f s\n", float64(len(fresh))/1e6, float64(whole)/1e6, float64(len(d))/1e3, share, made.Seconds())
	if share > 2 {
		b.Errorf("%.2f %% of the whole, 2 %% at most", share)
	}
	for b.Loop() {
		most := watched(func() {
			if err := Apply(b.Context(), io.Discard, bytes.NewReader(old), bytes.NewReader(d)); err != nil {
				b.Fatal(err)
			}
		})
		b.ReportMetric(float64(most)/1e6, "MB-heap")
	}
}

// next is the exchange with the changed line, built as package pins does, which takes no overlay.
func next(b *testing.B, root string) []byte {
	at, err := filepath.Abs(filepath.Join(root, changed.file))
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(at)
	if err != nil || strings.Count(string(text), changed.was) != 1 {
		b.Fatalf("%s does not say %q once, %v", changed.file, changed.was, err)
	}
	dir := b.TempDir()
	other, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {at: other}})
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(other, []byte(strings.Replace(string(text), changed.was, changed.is, 1)), 0o600), os.WriteFile(list, overlay, 0o600)); err != nil {
		b.Fatal(err)
	}
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-overlay", list, "-ldflags", "-s -w -buildid=", "-o", dir+"/", "./cmd/prontod")
	build.Dir = root
	build.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "prontod"))
	if err != nil {
		b.Fatal(err)
	}
	return program
}

// packedWhole is how much a box without a delta fetches.
func packedWhole(b *testing.B, slot []byte) int {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	return len(e.EncodeAll(slot, nil))
}

// watched is by how much the heap grows at most while f runs.
func watched(f func()) (most uint64) {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse-min(now.HeapInuse, before.HeapInuse))
			select {
			case <-tick.C:
			case <-done:
				tick.Stop()
				return
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return most
}
