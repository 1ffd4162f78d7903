package media

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/fax"
)

// machine is a fax machine at a phone's end of the network.
type machine struct {
	*phone
	*fax.Machine
	codec codec.ID
	queue [8][]byte // packets on their way, by tick
}

// turn lets the machine hear a frame and returns what it says.
func (f *machine) turn(heard []int16) []byte {
	f.t.Helper()
	pcm, payload := f.Hear(heard), make([]byte, 160)
	codec.NewEncoder(f.codec).Encode(payload, pcm[:])
	return payload
}

// Two real fax machines send a page through a box that must transcode, over a network that delays each
// packet by up to 60 ms: not a sample may be missing or one too many.
func TestAFaxOfOnePagePassesATranscodingBoxOverANetworkThatJitters(t *testing.T) {
	program := fax.Build(t)
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent.tif"), filepath.Join(dir, "received.tif")
	fax.Page(t, sent, 400)
	e := startEngine(t, 23300, 23309, nil)
	a, b := bridged(t, e, pcmu, as(codec.PCMA))
	if a.leg.Stats().Fast {
		t.Fatal("nothing is transcoded: the test is not one")
	}
	caller := &machine{phone: a, Machine: program.Start(t, true, fax.Audio, sent), codec: codec.PCMU}
	called := &machine{phone: b, Machine: program.Start(t, false, fax.Audio, received), codec: codec.PCMA}
	clock := byHand(t, a.leg)
	random := rand.New(rand.NewPCG(8, 8))
	heard := map[*machine][]int16{caller: make([]int16, 160), called: make([]int16, 160)}
	const most = 70 * 50 // a page takes some 45 s
	for i := range most {
		for _, f := range []*machine{caller, called} {
			raw, err := f.packet(f.turn(heard[f])).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			arrives := (i + random.IntN(4)) % len(f.queue)
			f.queue[arrives] = append(f.queue[arrives], raw...)
		}
		for _, f := range []*machine{caller, called} {
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
		for _, f := range []*machine{caller, called} {
			if i < 8 {
				continue // its first packet may still be on its way
			}
			payload := f.receive().Payload
			codec.NewDecoder(f.codec).Decode(heard[f], payload)
		}
	}
	for _, f := range []*machine{caller, called} {
		f.Whole()
		if s := f.leg.Stats(); s.Machine != "fax" {
			t.Errorf("at %v a %q is heard", f.addr(), s.Machine)
		}
	}
	if !bytes.Equal(program.Points(t, sent), program.Points(t, received)) {
		t.Error("the page is another")
	}
}
