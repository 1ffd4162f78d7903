package voice_test

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/media"
	"github.com/pronto-pbx/pronto/firmware/media/codec"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// half is a leg that is nothing but audio.
type half struct{ *voice.Half }

func (half) Ref() string      { return "" }
func (half) Alert(bool)       {}
func (half) Accept()          {}
func (half) Hangup(tel.Cause) {}
func (half) SendDTMF(string)  {}
func (half) PassesDTMF() bool { return true }

// A mix of legs that are there hears; one that has hung up in this instant is no error of ours.
func TestAMixIsMadeOfWhoIsThere(t *testing.T) {
	engine, err := media.New(media.Config{Bind: netip.MustParseAddr("127.0.0.1"), PortMin: 26500, PortMax: 26599})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	var all []call.Leg
	for _, party := range []string{"phone:201", "phone:202", "phone:203"} {
		h, err := voice.Open(voice.Config{
			Log: slog.New(slog.DiscardHandler), Engine: engine, Party: party, Events: func(call.LegEvent) {},
		}, media.LegConfig{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, half{h})
	}
	one := func(int, int) float64 { return 1 }
	for _, gone := range []bool{false, true} {
		if gone {
			all[2].(half).Media().Close()
		}
		if err := all[0].Mix(all[:2], all[2:], one); err != nil {
			t.Errorf("gone %v: %v", gone, err)
		}
		if s := all[1].(half).Media().Stats(); !s.Bridged {
			t.Errorf("gone %v: the parties are not mixed", gone)
		}
	}
	if err := all[0].Mix(all[:2], make([]call.Leg, 0), one); err != nil {
		t.Errorf("without anybody who watches: %v", err)
	}
	if err := all[0].Mix(nil, nil, one); err == nil {
		t.Error("a mix of nobody is made")
	}
}

// The storm of hang-ups in cmd/prontod found a caller's BYE that crossed the agent's 200 reported as
// an error of ours.
func TestAPartyThatLeavesAtTheAnswerIsNoErrorOfTheJoin(t *testing.T) {
	engine, err := media.New(media.Config{Bind: netip.MustParseAddr("127.0.0.1"), PortMin: 26400, PortMax: 26499})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	open := func(party string) half {
		h, err := voice.Open(voice.Config{
			Log: slog.New(slog.DiscardHandler), Engine: engine, Party: party, Events: func(call.LegEvent) {},
		}, media.LegConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return half{h}
	}
	a, b := open("phone:201"), open("phone:202")
	if err := a.Join(b); err != nil {
		t.Errorf("both are there: %v", err)
	}
	if !a.Media().Stats().Bridged {
		t.Error("the join made no bridge")
	}
	b.Media().Close()
	if err := a.Join(b); err != nil {
		t.Errorf("the other has left: %v", err)
	}
	if err := b.Join(a); err != nil {
		t.Errorf("we have left: %v", err)
	}
	if err := a.Join(a); err == nil {
		t.Error("a party was joined with itself")
	}
}

// A caller may hang up in the middle of a message: it is told all the same.
func TestARecordingIsToldOnceWithTheReasonOfItsEnd(t *testing.T) {
	h, events, talk := recordable(t, 26500)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		end  func()
		why  string
	}{{"first.wav", h.StopRecord, ivr.WhyStopped}, {"second.wav", h.StopRecord, ivr.WhyStopped}, {"third.wav", h.Media().Close, ivr.WhyLeft}} {
		path := filepath.Join(dir, c.name)
		h.Record(path, time.Minute, time.Minute)
		h.Record(path+"2", time.Minute, 0)
		if e := next(t, events); e.Kind != call.LegRecorded || e.Why != ivr.WhyFailed || e.Path != path+"2" || e.Length != 0 {
			t.Errorf("a second recording beside one: %+v", e)
		}
		talk()
		c.end()
		if e := next(t, events); e.Kind != call.LegRecorded || e.Path != path || e.Length != 100*time.Millisecond || e.Why != c.why || e.Leg != h.ID() {
			t.Errorf("%s: %+v", c.name, e)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != 44+1600 {
			t.Errorf("%s: %v, %v", c.name, info, err)
		}
	}
	h.StopRecord()
	h.Record(filepath.Join(dir, "late.wav"), time.Minute, 0)
	if e := next(t, events); e.Kind != call.LegRecorded || e.Why != ivr.WhyFailed {
		t.Errorf("a leg that has ended: %+v", e)
	}
}

func TestAPartyHearsItself(t *testing.T) {
	h, _, talk := recordable(t, 26520)
	h.Echo()
	talk()
	if s := h.Media().Stats(); s.Sent != 5 {
		t.Errorf("%+v", s)
	}
	h.Part()
	talk()
	if s := h.Media().Stats(); s.Sent != 5 {
		t.Errorf("after the end: %+v", s)
	}
}

func next(t *testing.T, events chan call.LegEvent) call.LegEvent {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(15 * time.Second):
		t.Fatal("no event came")
		return call.LegEvent{}
	}
}

// recordable is a leg whose far end says 100 ms at each talk.
func recordable(t *testing.T, port int) (half, chan call.LegEvent, func()) {
	t.Helper()
	engine, err := media.New(media.Config{Bind: netip.MustParseAddr("127.0.0.1"), PortMin: port, PortMax: port + 9})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	events := make(chan call.LegEvent, 16)
	h, err := voice.Open(voice.Config{
		Log: slog.New(slog.DiscardHandler), Engine: engine, Party: "phone:201", Events: func(e call.LegEvent) { events <- e },
	}, media.LegConfig{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Media().Configure(sdp.Media{
		Remote: far.LocalAddr().(*net.UDPAddr).AddrPort(), Codec: codec.PCMA, SendPT: 8, RecvPT: 8, Ptime: 20,
	}); err != nil {
		t.Fatal(err)
	}
	rtp, _ := h.Media().Ports()
	seq, received := uint16(0), uint64(0)
	return half{h}, events, func() {
		for range 5 {
			b := make([]byte, 12+160)
			b[0], b[1] = 0x80, 8
			binary.BigEndian.PutUint16(b[2:], seq)
			binary.BigEndian.PutUint32(b[4:], 160*uint32(seq))
			seq++
			if _, err := far.WriteToUDPAddrPort(b, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), rtp)); err != nil {
				t.Fatal(err)
			}
		}
		received += 5
		for deadline := time.Now().Add(15 * time.Second); h.Media().Stats().Received < received; {
			if time.Now().After(deadline) {
				t.Fatal("the leg does not receive")
			}
		}
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
