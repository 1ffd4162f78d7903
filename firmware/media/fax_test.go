package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
)

// fax is a fax machine of libspandsp, run as a program of its own.
type fax struct {
	*phone
	codec codec.ID
	cmd   *exec.Cmd
	ear   io.WriteCloser
	mouth io.Reader
	says  bytes.Buffer
	queue [8][]byte // packets on their way, by tick
}

// spandsp builds the fax machine; without the library the test cannot be.
func spandsp(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fax")
	out, err := exec.CommandContext(t.Context(), "cc", "-o", program, "testdata/fax.c", "-lspandsp", "-lm").CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("no fax machine without libspandsp-dev: %v", err)
	}
	return program
}

// page writes a TIFF of one page that a fax machine sends: rows of 1728 points (ITU-T T.4), black where
// a checkered pattern says so.
func page(t *testing.T, path string, rows int) {
	t.Helper()
	const width = 1728
	image := make([]byte, 0, rows*width/8)
	for y := range rows {
		for x := range width / 8 {
			image = append(image, byte(-((x/7 ^ y/9) & 1)))
		}
	}
	type entry struct {
		tag, kind uint16
		value     uint32
	}
	const after = 8 + 2 + 12*13 + 4
	entries := []entry{
		{254, 4, 0},
		{256, 4, width},
		{257, 4, uint32(rows)},
		{258, 3, 1},
		{259, 3, 1},
		{262, 3, 0},
		{273, 4, after + 16},
		{277, 3, 1},
		{278, 4, uint32(rows)},
		{279, 4, uint32(len(image))},
		{282, 5, after},
		{283, 5, after + 8},
		{296, 3, 2},
	}
	b := binary.LittleEndian.AppendUint16([]byte("II*\x00\x08\x00\x00\x00"), uint16(len(entries)))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.kind)
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, e.value)
	}
	b = append(b, 0, 0, 0, 0)
	for _, v := range []uint32{204, 1, 98, 1} { // dots per inch
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if err := os.WriteFile(path, append(b, image...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startFax(t *testing.T, program, how, file string, p *phone, id codec.ID) *fax {
	t.Helper()
	f := &fax{phone: p, codec: id, cmd: exec.CommandContext(t.Context(), program, how, file)}
	var err error
	if f.ear, err = f.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if f.mouth, err = f.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	f.cmd.Stderr = &f.says
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a second end is no error
		_ = f.ear.Close()
		_ = f.cmd.Wait()
	})
	return f
}

// turn lets the machine hear a frame and returns what it says.
func (f *fax) turn(heard []int16) []byte {
	f.t.Helper()
	if err := binary.Write(f.ear, binary.LittleEndian, heard); err != nil {
		f.t.Fatal(err)
	}
	var pcm [160]int16
	if err := binary.Read(f.mouth, binary.LittleEndian, &pcm); err != nil {
		f.t.Fatal(err)
	}
	payload := make([]byte, 160)
	codec.NewEncoder(f.codec).Encode(payload, pcm[:])
	return payload
}

// end is how the machine says the call went.
func (f *fax) end() string {
	f.t.Helper()
	_ = f.ear.Close()
	if err := f.cmd.Wait(); err != nil {
		f.t.Fatalf("fax: %v: %s", err, &f.says)
	}
	return strings.TrimSpace(f.says.String())
}

// Two real fax machines send a page through a box that must transcode, over a network that delays each
// packet by up to 60 ms: not a sample may be missing or one too many.
func TestAFaxOfOnePagePassesATranscodingBoxOverANetworkThatJitters(t *testing.T) {
	program := spandsp(t)
	dir := t.TempDir()
	page(t, filepath.Join(dir, "sent.tif"), 400)
	e := startEngine(t, 23300, 23309, nil)
	a, b := bridged(t, e, pcmu, as(codec.PCMA))
	if a.leg.Stats().Fast {
		t.Fatal("nothing is transcoded: the test is not one")
	}
	caller := startFax(t, program, "send", filepath.Join(dir, "sent.tif"), a, codec.PCMU)
	called := startFax(t, program, "receive", filepath.Join(dir, "received.tif"), b, codec.PCMA)
	clock := byHand(t, a.leg)
	random := rand.New(rand.NewPCG(8, 8))
	heard := map[*fax][]int16{caller: make([]int16, 160), called: make([]int16, 160)}
	const most = 70 * 50 // a page takes some 45 s
	for i := range most {
		for _, f := range []*fax{caller, called} {
			raw, err := f.packet(f.turn(heard[f])).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			arrives := (i + random.IntN(4)) % len(f.queue)
			f.queue[arrives] = append(f.queue[arrives], raw...)
		}
		for _, f := range []*fax{caller, called} {
			const size = headerSize + 160
			due := f.queue[i%len(f.queue)]
			for ; len(due) >= size; due = due[size:] {
				clock.do(func(l *loop) {
					l.now = l.clock.beat
					from := f.leg.ports.rtp.address(f.addr())
					l.arrived(f.leg, due[:size], &from)
				})
			}
			f.queue[i%len(f.queue)] = nil
		}
		clock.tick(1)
		for _, f := range []*fax{caller, called} {
			if i < 8 {
				continue // its first packet may still be on its way
			}
			payload := f.receive().Payload
			codec.NewDecoder(f.codec).Decode(heard[f], payload)
		}
	}
	for _, f := range []*fax{caller, called} {
		said := f.end()
		var result, pages, bad, rate int
		if _, err := fmt.Sscanf(said, "result %d pages %d bad_rows %d bit_rate %d", &result, &pages, &bad, &rate); err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		if result != 0 || pages != 1 || bad != 0 || rate < 9600 {
			t.Errorf("%s: %s", f.cmd.Args[1], said)
		}
		if s := f.leg.Stats(); s.Machine != "fax" {
			t.Errorf("%s: a %q is heard", f.cmd.Args[1], s.Machine)
		}
	}
}
