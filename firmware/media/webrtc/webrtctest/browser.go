// Package webrtctest is a browser's audio for tests: pion as an ICE agent that checks, where the box's does not.
package webrtctest

import (
	"net"
	"testing"
	"time"

	pion "github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
)

// patience bounds every wait for something that must come.
const patience = 15 * time.Second

// Browser is a page's half of a conversation.
type Browser struct {
	t     testing.TB
	pc    *pion.PeerConnection
	track *pion.TrackLocalStaticSample
	Offer string
	heard chan []byte // payloads
}

// New returns a page that has made its offer.
func New(t testing.TB) *Browser {
	t.Helper()
	var e pion.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	var m pion.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := pion.NewAPI(pion.WithSettingEngine(e), pion.WithMediaEngine(&m)).NewPeerConnection(pion.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	b := &Browser{t: t, pc: pc, heard: make(chan []byte, 1000)}
	t.Cleanup(b.Leave)
	if b.track, err = pion.NewTrackLocalStaticSample(pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA}, "a", "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := pc.AddTrack(b.track); err != nil {
		t.Fatal(err)
	}
	pc.OnTrack(func(r *pion.TrackRemote, _ *pion.RTPReceiver) {
		for {
			p, _, err := r.ReadRTP()
			if err != nil {
				return
			}
			select {
			case b.heard <- p.Payload:
			default:
			}
		}
	})
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := pion.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	b.Offer = pc.LocalDescription().SDP
	return b
}

// Leave closes the page.
func (b *Browser) Leave() { _ = b.pc.GracefulClose() }

// Take takes the answer.
func (b *Browser) Take(answer string) {
	b.t.Helper()
	if err := b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answer}); err != nil {
		b.t.Fatal(err)
	}
}

// Says has the page say a tone until the test ends.
func (b *Browser) Says(hz int) {
	c := tone.NewCoder(tone.ALaw)
	pcm := tone.Sine(hz, 8000)
	stop, done := make(chan struct{}), make(chan struct{})
	b.t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for at := 0; ; at = (at + 160) % 8000 {
			_ = b.track.WriteSample(media.Sample{Data: c.Encode(nil, pcm[at:at+160]), Duration: 20 * time.Millisecond})
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
}

// Hears waits until the page has heard half a second of a tone in one piece.
func (b *Browser) Hears(hz int) {
	b.t.Helper()
	c, deadline := tone.NewCoder(tone.ALaw), time.After(patience)
	var pcm []int16
	for {
		select {
		case p := <-b.heard:
			pcm = c.Decode(pcm, p)
		case <-deadline:
			b.t.Fatalf("the page does not hear %d Hz in %d samples: %v", hz, len(pcm), tone.Heard(pcm[max(0, len(pcm)-4000):], hz))
		}
		if n := len(pcm); n >= 4000 && tone.Heard(pcm[n-4000:], hz) == nil {
			return
		}
	}
}

// Answer is the one that was taken.
func (b *Browser) Answer() string { return b.pc.RemoteDescription().SDP }
