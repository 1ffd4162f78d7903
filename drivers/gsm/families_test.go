package gsm_test

import (
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/drivers/gsm"
	"github.com/pronto-pbx/pronto/drivers/gsm/gsmsim"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/line/linetest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// families are the models that the emulator speaks as, beside the SIM7600 of the other tests.
var families = map[string]struct {
	model string
	sound bool
}{
	"SIMCom A7670":   {"A7670E-FASE", false},
	"SIMCom SIM800":  {"SIMCOM_SIM800L", false},
	"Quectel EG25":   {"EG25", true},
	"Huawei E173":    {"E173", true},
	"Telit LE910":    {"LE910C1-EU", false},
	"unknown 27.007": {"ACME-1", false},
}

func TestEveryFamilyKeepsTheContractOfALine(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			linetest.RunInBubble(t, func(t *testing.T) linetest.Rig {
				m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = f.model })
				return linetest.Rig{Line: m, Far: far}
			})
		})
	}
}

func TestEveryFamilyKeepsTheContractOfMessages(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			linetest.RunMessagesInBubble(t, func(t *testing.T) linetest.PostRig {
				box := linetest.NewLetterbox()
				m, far := virtualRig(t, func(s *gsmsim.Config, g *gsm.Config) {
					s.Model, g.Inbox = f.model, box
					g.Timing.Network, g.Timing.Rest = 2*time.Second, 300*time.Millisecond
				})
				return linetest.PostRig{Rig: linetest.Rig{Line: m, Far: far}, Centre: far, Box: box}
			})
		})
	}
}

// bubble lets a test run in virtual time.
func bubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// What a line can do, and what the page says of it, follows from the modem that is there.
func TestEveryFamilySaysWhatItCanDo(t *testing.T) {
	tests := map[string]struct {
		edit func(*gsmsim.Config)
		caps line.Caps
		says tel.LineCause
	}{
		"SIM7600": {nil, line.Caps{FullDuplex: true, CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal}, tel.LineOK},
		"EG25":    {model("EG25"), line.Caps{FullDuplex: true, CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal}, tel.LineOK},
		"EG25 whose firmware has a sound card alone": {
			func(s *gsmsim.Config) { s.Model, s.NoSerialSound = "EG25", true },
			line.Caps{CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal},
			tel.LineNoSound,
		},
		"E173": {model("E173"), line.Caps{FullDuplex: true, CallerID: true, AnswerSupervision: line.AnswerReal}, tel.LineOK},
		"E173 whose voice is locked": {
			func(s *gsmsim.Config) { s.Model, s.NoSerialSound = "E173", true },
			line.Caps{CallerID: true, AnswerSupervision: line.AnswerReal},
			tel.LineNoSound,
		},
		"A7670":   {model("A7670E-FASE"), line.Caps{CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerUnknown}, tel.LineNoSound},
		"SIM800":  {model("SIMCOM_SIM800L"), line.Caps{CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal}, tel.LineNoSound},
		"LE910":   {model("LE910C1-EU"), line.Caps{CallerID: true, DTMFDetect: true, AnswerSupervision: line.AnswerReal}, tel.LineNoSound},
		"unknown": {model("ACME-1"), line.Caps{CallerID: true, AnswerSupervision: line.AnswerReal}, tel.LineNoSound},
	}
	for name, tt := range tests {
		t.Run(name, bubble(func(t *testing.T) {
			m, _ := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) {
				if tt.edit != nil {
					tt.edit(s)
				}
			})
			e := await(t, m, line.Status, inService)
			if e.Status.Cause != tt.says {
				t.Errorf("the page says %q, want %q", e.Status.Cause, tt.says)
			}
			if got := m.Caps(); got != tt.caps {
				t.Errorf("caps %+v, want %+v", got, tt.caps)
			}
		}))
	}
}

func model(name string) func(*gsmsim.Config) {
	return func(s *gsmsim.Config) { s.Model = name }
}

func TestEveryFamilyIsSetUpAnewAfterItsRestart(t *testing.T) {
	all := map[string]string{"SIM7600": "SIMCOM_SIM7600E-H"}
	for name, f := range families {
		all[name] = f.model
	}
	for name, kind := range all {
		t.Run(name, bubble(func(t *testing.T) {
			m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = kind })
			await(t, m, line.Status, inService)
			before := far.Settings()
			if len(before) < 8 || before["+CLIP"] != "1" {
				t.Fatalf("set: %v", before)
			}
			if err := far.Restart(); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Status, func(e line.Event) bool { return !e.Status.Up })
			await(t, m, line.Status, inService)
			if after := far.Settings(); !maps.Equal(before, after) {
				t.Errorf("before %v\nafter  %v", before, after)
			}
		}))
	}
}

func TestHuaweiSaysWithTheEndWhyTheNetworkEndedACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = "E173" })
		await(t, m, line.Status, inService)
		for why, want := range map[string]tel.Cause{
			"Unassigned number": tel.CauseUnallocated, "Switching equipment congestion": tel.CauseCongestion,
			"No user responding": tel.CauseNoAnswer, "User busy": tel.CauseBusy,
		} {
			if err := m.Dial(t.Context(), "0612345678"); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Proceeding, nil)
			<-far.Dialed()
			if err := far.RemoteReject(why); err != nil {
				t.Fatal(err)
			}
			if e := await(t, m, line.Ended, nil); e.Cause != want {
				t.Errorf("%s: ended as %v, want %v", why, e.Cause, want)
			}
		}
	})
}

// An E1550 answers nothing any more after AT+CHLD=1x before its call rings.
func TestHuaweiIsNotMadeDeafByAHangupBeforeItsCallRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = "E173" })
		await(t, m, line.Status, inService)
		if err := m.Dial(t.Context(), "0612345678"); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Proceeding, nil)
		<-far.Dialed()
		if err := m.Hangup(t.Context(), tel.CauseCancelled); err != nil {
			t.Fatal(err)
		}
		endedAs(t, m, tel.CauseCancelled)
		connectAgain(t, m, far)
		if far.Stats().Resets != 0 {
			t.Error("it had to be restarted")
		}
	})
}

func TestA7670ThatFallsBackFromLTESaysNoCarrierAndTheCallGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = "A7670E-FASE" })
		await(t, m, line.Status, inService)
		if err := far.SetRadio(gsmsim.FourGNoVoLTE()); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Status, func(e line.Event) bool { return e.Status.VoLTE == "no" })
		if err := m.Dial(t.Context(), "0612345678"); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Proceeding, nil)
		<-far.Dialed() // NO CARRIER was written before
		if err := far.Alert(); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Connected, nil)
		if err := far.Hangup(); err != nil {
			t.Fatal(err)
		}
		endedAs(t, m, tel.CauseNormal)
	})
}

// Whether the far end has answered is what its sound says, once the modem was caught twice.
func TestAModemThatSaysConnectedWhileItRingsIsCaughtAndItsSoundDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model, s.Early = "EG25", true })
		await(t, m, line.Status, inService)
		rings := func(first line.EventKind) {
			t.Helper()
			far.Speak(425) // a tone that lasts is taken for ringback after 0.7 s
			if err := m.Dial(t.Context(), "0612345678"); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Proceeding, nil)
			<-far.Dialed()
			if err := far.Alert(); err != nil {
				t.Fatal(err)
			}
			await(t, m, first, nil)
		}
		for n := range 2 {
			rings(line.Connected) // believed
			for m.Health().EarlyAnswers <= uint64(n) {
				time.Sleep(10 * time.Millisecond) // of virtual time: it has no event
			}
			if err := far.Hangup(); err != nil {
				t.Fatal(err)
			}
			endedAs(t, m, tel.CauseNormal)
		}
		if m.Caps().AnswerSupervision != line.AnswerAssumed {
			t.Error("its answers still count as the network's")
		}
		rings(line.Alerting)
		far.Speak(1000) // somebody speaks
		if err := far.Answer(); err != nil {
			t.Fatal(err)
		}
		await(t, m, line.Connected, nil)
		if err := linetest.BothWays(must(m.Media()), far); err != nil {
			t.Error(err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestQuectelIsSentNoSoundWhileItSaysStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, func(s *gsmsim.Config, _ *gsm.Config) { s.Model = "EG25" })
		media := connect(t, m, far)
		if err := linetest.BothWays(media, far); err != nil {
			t.Fatal(err)
		}
		if err := far.Say("\r\n+QPCMV: 0,0\r\n"); err != nil {
			t.Fatal(err)
		}
		var f line.Frame
		clock := time.NewTicker(20 * time.Millisecond) // the box's
		defer clock.Stop()
		for was := far.Stats().FramesMissing; far.Stats().FramesMissing < was+10; <-clock.C {
			media.ReadFrame(&f)
			media.WriteFrame(&f)
		}
		if media.Stats().Overruns == 0 {
			t.Error("the sound that was not sent is not counted")
		}
		if err := far.Say("\r\n+QPCMV: 1,0\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := linetest.BothWays(media, far); err != nil {
			t.Errorf("after go on: %v", err)
		}
		if n := far.Stats().Stops; n != 0 {
			t.Errorf("the box sent so much that the modem itself said stop %d times", n)
		}
	})
}

func TestASecondCallerGetsTheBusyToneUnlessConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, far := virtualRig(t, nil)
		connect(t, m, far)
		if err := far.Knock("06222"); !errors.Is(err, gsmsim.ErrBusy) {
			t.Errorf("knock: %v, want the network's busy tone", err)
		}
	})
}

func TestASecondCallerWaitsAndIsTheNextCall(t *testing.T) {
	for _, kind := range []string{"SIMCOM_SIM7600E-H", "EG25", "E173"} {
		t.Run(kind, bubble(func(t *testing.T) {
			m, far := virtualRig(t, func(s *gsmsim.Config, g *gsm.Config) { s.Model, g.SecondCaller = kind, true })
			media := connect(t, m, far)
			if err := far.Knock("+39066222"); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Status, func(e line.Event) bool { return e.Status.Knocks })
			if err := linetest.BothWays(media, far); err != nil {
				t.Errorf("the first call: %v", err)
			}
			if err := far.Hangup(); err != nil {
				t.Fatal(err)
			}
			endedAs(t, m, tel.CauseNormal)
			if e := await(t, m, line.Incoming, nil); e.Number != "+39066222" {
				t.Errorf("next is %q", e.Number)
			}
			if err := m.Answer(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, m, line.Connected, nil)
			if err := linetest.BothWays(must(m.Media()), far); err != nil {
				t.Errorf("the second call: %v", err)
			}
		}))
	}
}
