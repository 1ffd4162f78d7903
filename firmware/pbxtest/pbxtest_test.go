package pbxtest

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
)

// A packet of 20 bytes of IPv4, 8 of UDP and the word "tone", to 127.77.0.1.
const packet = "\x45\x00\x00\x20\x00\x00\x00\x00\x40\x11\x00\x00\x7f\x00\x00\x01\x7f\x4d\x00\x01\x10\x00\x20\x00\x00\x0c\x00\x00tone"

func TestCaptureTakesPacketsApart(t *testing.T) {
	payload, to, ok := udp([]byte(packet + "padding of the link"))
	if !ok || string(payload) != "tone" || to != netip.MustParseAddr("127.77.0.1") {
		t.Errorf("%q to %v, %v", payload, to, ok)
	}
	tests := map[string]string{
		"IPv6": "\x65" + packet[1:], "TCP": packet[:9] + "\x06" + packet[10:], "cut": packet[:27], "a head over the end": "\x4f" + packet[1:],
	}
	for name, p := range tests {
		if _, _, ok := udp([]byte(p)); ok {
			t.Errorf("%s was taken for UDP", name)
		}
	}
}

func FuzzCapture(f *testing.F) {
	f.Add([]byte(packet))
	f.Fuzz(func(t *testing.T, b []byte) {
		if payload, _, ok := udp(b); ok && len(payload)+28 > len(b) {
			t.Errorf("%d bytes out of %d", len(payload), len(b))
		}
	})
}

// Every office that a test can ask for must be one that the product accepts.
func TestOfficesAreConfiguredRightly(t *testing.T) {
	o := &Office{
		Dir: "/tmp/x", SIP: netip.MustParseAddrPort("127.0.0.1:5060"), TLS: netip.MustParseAddrPort("127.0.0.1:5061"), Web: "127.0.0.1:8080", MediaLo: 10000, MediaHi: 10199, MediaBrowser: 9000,
		Carrier: netip.MustParseAddr("127.77.0.1"),
	}
	for _, s := range []Setup{
		{Agents: 1},
		{Agents: 8, LoggedIn: 4, Carrier: 5070, Modem: true},
		{Agents: 2, Carrier: 5070, Registers: true},
		{Agents: 2, WrapUp: time.Second, Ring: 5 * time.Second, Strategy: "ring_all", SHA256: true, Modem: true},
		{Agents: 2, Carrier: 5070, Challenge: true, TLS: true, Home: []int{202}, SRTP: []string{"off", "required"}},
		{Agents: 1, IPv6: true, LAN: "127.0.0.2/32"},
	} {
		c, err := config.Parse([]byte(o.config(s)))
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		in := 0
		for _, a := range c.Agents {
			if a.Login {
				in++
			}
		}
		if len(c.Phones) != s.Agents || in != s.LoggedIn || (len(c.Trunks) == 1) != (s.Carrier != 0) || (len(c.Lines) == 1) != s.Modem {
			t.Errorf("%+v became %+v", s, c)
		}
	}
}

// SIPp would take the box's keep-alive for a call of its own.
func TestTheDoorOfSIPpAnswersKeepAlives(t *testing.T) {
	got := string(alive([]byte("OPTIONS sip:202@127.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\nFrom: <sip:b>;tag=1\r\n" +
		"To: <sip:a>\r\nCall-ID: c\r\nCSeq: 7 OPTIONS\r\nContact: <sip:b>\r\nContent-Length: 0\r\n\r\n")))
	want := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\nFrom: <sip:b>;tag=1\r\nTo: <sip:a>\r\nCall-ID: c\r\nCSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestBaresipsClockIsLeftOut(t *testing.T) {
	if got := tidy("ready\n[0:00:01] audio=64000/64000 (bit/s)\ndone\n"); strings.Contains(got, "bit/s") || !strings.Contains(got, "ready") {
		t.Errorf("%q", got)
	}
}
