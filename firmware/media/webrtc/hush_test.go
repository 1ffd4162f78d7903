package webrtc

import (
	"bytes"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

func TestAMutedPacketSaysNothingAndKeysPass(t *testing.T) {
	audio := func(first byte, between ...byte) []byte {
		head := append([]byte{first, 0x80 | 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, between...)
		return append(head, 1, 2, 3)
	}
	pcma := sdp.Media{Codec: codec.PCMA, RecvPT: 8, EventRecvPT: 126}
	silent := []byte{0xd5, 0xd5, 0xd5}
	for _, c := range []struct {
		name   string
		packet []byte
		media  sdp.Media
		passes bool
		ends   []byte
	}{
		{"A-law", audio(0x80), pcma, true, silent},
		{"with a contributor", audio(0x81, 9, 9, 9, 9), pcma, true, silent},
		{"with an extension", audio(0x90, 0xbe, 0xde, 0, 1, 9, 9, 9, 9), pcma, true, silent},
		{"whose extension is longer than the packet", audio(0x90, 0xbe, 0xde, 0xff, 0xff), pcma, false, nil},
		{"u-law", append([]byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, 7, 7), sdp.Media{Codec: codec.PCMU}, true, []byte{0xff, 0xff}},
		{"G.722", append([]byte{0x80, 9, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, 7, 7), sdp.Media{Codec: codec.G722, RecvPT: 9}, false, nil},
		{"a key", append([]byte{0x80, 126, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, 5, 10, 0, 160), pcma, true, []byte{5, 10, 0, 160}},
		{"too short", []byte{0x80, 8}, pcma, true, []byte{0x80, 8}},
	} {
		if got := hush(c.packet, c.media); got != c.passes || c.passes && !bytes.HasSuffix(c.packet, c.ends) {
			t.Errorf("%s: %v, %x", c.name, got, c.packet)
		}
	}
}

func FuzzHush(f *testing.F) {
	f.Add([]byte{0x9f, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3})
	f.Fuzz(func(_ *testing.T, b []byte) { hush(b, sdp.Media{Codec: codec.PCMA, RecvPT: 8}) })
}
