package sdp_test

import (
	"net/netip"
	"testing"

	pion "github.com/pion/sdp/v3"

	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
)

// What we offer is read by an implementation that is not ours, field by field.
func TestAnIndependentParserReadsOurOffer(t *testing.T) {
	body := sdp.Offer(sdp.Local{
		Addr: netip.MustParseAddr("192.0.2.7"), RTP: 20000, RTCP: 20001, Codecs: []codec.ID{codec.PCMA, codec.G722}, DTMF: true,
		Ptime: 20, Direction: sdp.SendOnly, SessionID: 42, Version: 3,
	})
	var s pion.SessionDescription
	if err := s.Unmarshal(body); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if s.Origin.SessionID != 42 || s.Origin.SessionVersion != 3 || len(s.MediaDescriptions) != 1 {
		t.Fatalf("origin %+v, %d streams", s.Origin, len(s.MediaDescriptions))
	}
	m := s.MediaDescriptions[0]
	if m.MediaName.Media != "audio" || m.MediaName.Port.Value != 20000 || m.MediaName.Formats[0] != "8" || m.MediaName.Formats[1] != "9" {
		t.Errorf("stream %+v", m.MediaName)
	}
	if _, ok := m.Attribute("sendonly"); !ok {
		t.Error("direction is not sendonly")
	}
	if p, _ := m.Attribute("ptime"); p != "20" {
		t.Errorf("ptime %q", p)
	}
	got, err := s.GetCodecForPayloadType(9)
	if err != nil || got.Name != "G722" || got.ClockRate != 8000 {
		t.Errorf("payload type 9 is %+v, %v", got, err)
	}
}
