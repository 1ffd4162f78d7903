package voice_test

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media"
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
