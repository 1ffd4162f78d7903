package appliance

import (
	"testing"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
)

func TestThePartysSettingAndItsTransportSayHowSecretTheAudioIs(t *testing.T) {
	c := &config.Config{
		Phones: []config.Phone{{ID: "201", SRTP: config.SRTPOff}, {ID: "202", SRTP: config.SRTPOptional}, {ID: "203", SRTP: config.SRTPRequired}},
		Trunks: []config.Trunk{{ID: "202", SRTP: config.SRTPOff}, {ID: "tls", SRTP: config.SRTPOptional}},
	}
	for _, want := range []struct {
		party, transport string
		security         sdp.Security
	}{
		{"phone:201", "tls", sdp.SecurityOff},
		{"phone:202", "udp", sdp.SecurityAccepted},
		{"phone:202", "tcp", sdp.SecurityAccepted},
		{"phone:202", "tls", sdp.SecurityOffered},
		{"phone:203", "udp", sdp.SecurityRequired},
		{"phone:204", "tls", sdp.SecurityOff},
		{"trunk:202", "tls", sdp.SecurityOff},
		{"trunk:tls", "tls", sdp.SecurityOffered},
		{"line:gsm0", "", sdp.SecurityOff},
		{"stranger:192.168.1.9", "udp", sdp.SecurityAccepted},
	} {
		if got := secrecy(c, want.party, stack.Flow{Transport: want.transport}); got != want.security {
			t.Errorf("%s over %s: %d, want %d", want.party, want.transport, got, want.security)
		}
	}
}
