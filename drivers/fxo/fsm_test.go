package fxo

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// trip is a machine with the time that passes for it, and the books of what it told.
type trip struct {
	*testing.T
	s             state
	now           time.Time
	timing        Timing
	is            traits
	told          []line.EventKind
	last          line.Event
	begun, ended  int
	dials, dialed int
	asks, asked   int
	flashes, done int
	did           map[actionKind]int
}

func newTrip(t *testing.T) *trip {
	return &trip{T: t, now: time.Unix(1000, 0), timing: Timing{}.withDefaults(), did: map[actionKind]int{}}
}

func (r *trip) feed(e event) {
	r.Helper()
	switch e.kind {
	case evDial:
		r.dials++
	case evAnswer:
		r.asks++
	case evFlash:
		r.flashes++
	}
	var acts []action
	r.s, acts = next(r.s, e, r.now, &r.timing, r.is)
	for _, a := range acts {
		r.did[a.kind]++
		switch a.kind {
		case doDialDone:
			r.dialed++
		case doAnswerDone:
			r.asked++
		case doFlashDone:
			r.done++
		case doTell:
			r.told, r.last = append(r.told, a.event.Kind), a.event
			switch a.event.Kind {
			case line.Incoming, line.Proceeding, line.Recovered:
				r.begun++
			case line.Ended:
				r.ended++
			}
			if r.ended > r.begun {
				r.Fatalf("a call ended that never began: %v", r.told)
			}
		}
	}
}

func (r *trip) wait(d time.Duration) {
	r.Helper()
	for end := r.now.Add(d); !r.s.deadline.IsZero() && !r.s.deadline.After(end); {
		r.now = r.s.deadline
		before := r.s
		if r.feed(event{kind: evTick}); r.s == before {
			r.Fatalf("a tick in %v changed nothing, and would come for ever", r.s.phase)
		}
	}
}

func (r *trip) want(p phase, kinds ...line.EventKind) {
	r.Helper()
	if r.s.phase != p {
		r.Fatalf("phase %v, want %v; told %v", r.s.phase, p, r.told)
	}
	if len(kinds) != len(r.told) {
		r.Fatalf("told %v, want %v", r.told, kinds)
	}
	for i, k := range kinds {
		if r.told[i] != k {
			r.Fatalf("told %v, want %v", r.told, kinds)
		}
	}
}

func TestRingThatMeetsASeizedLineIsACaller(t *testing.T) {
	r := newTrip(t)
	r.feed(event{kind: evDial, number: "0612345678"})
	r.feed(event{kind: evRing})
	r.want(seizing, line.Incoming)
	if r.dialed != 1 {
		t.Error("dial waits")
	}
	r.feed(event{kind: evSoundOn})
	r.want(incoming, line.Incoming)
	r.feed(event{kind: evAnswer})
	r.feed(event{kind: evSoundOn})
	r.want(talking, line.Incoming, line.Connected)
}

// Whoever is refused may dial at once: the line is free, or nearly, when it is said.
func TestRefusalToDialIsSaidWhenTheLineIsOnHook(t *testing.T) {
	for name, refused := range map[string]func(*trip){
		"the modem does not take the line": func(r *trip) { r.feed(event{kind: evRefused}) },
		"the exchange is busy": func(r *trip) {
			r.feed(event{kind: evSoundOn})
			r.feed(event{kind: evHeard, heard: heardBusy})
		},
		"no dial tone": func(r *trip) {
			r.feed(event{kind: evSoundOn})
			r.now = r.s.deadline
			r.feed(event{kind: evTick})
		},
		"the stream ends": func(r *trip) { r.feed(event{kind: evStream}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newTrip(t)
			r.feed(event{kind: evDial, number: "0612345678"})
			refused(r)
			if r.s.phase != ending || r.dialed != 0 {
				t.Fatalf("%v, told %d times while the line is held", r.s.phase, r.dialed)
			}
			r.feed(event{kind: evOnHook})
			if r.dialed != 1 {
				t.Fatalf("told %d times", r.dialed)
			}
			r.feed(event{kind: evDial, number: "0612345678"})
			r.wait(r.timing.Settle)
			r.want(seizing)
		})
	}
}

func TestCallerMetWhileSeizingWhoGoesIsGone(t *testing.T) {
	r := newTrip(t)
	r.feed(event{kind: evDial, number: "0612345678"})
	r.feed(event{kind: evRing})
	r.feed(event{kind: evSoundOn})
	r.feed(event{kind: evHeard, heard: heardGone})
	r.feed(event{kind: evOnHook})
	r.want(settling, line.Incoming, line.Ended)
}

func TestEndOfATalkIsToldInManyWays(t *testing.T) {
	talk := func(t *testing.T, is traits) *trip {
		r := newTrip(t)
		r.is = is
		r.feed(event{kind: evRing})
		r.feed(event{kind: evCaller, number: "0551234567"})
		r.feed(event{kind: evAnswer})
		r.feed(event{kind: evSoundOn})
		r.told = nil
		return r
	}
	code := func(c byte) event { return event{kind: evCode, code: c} }
	says := func(h heard) event { return event{kind: evHeard, heard: h} }
	for _, c := range []struct {
		name  string
		is    traits
		in    []event
		after time.Duration
		over  bool
	}{
		{"four busy tones", traits{}, []event{says(heardGone)}, 0, true},
		{"a dial tone", traits{}, []event{says(heardDialTone)}, 0, true},
		{"two busy tones alone are speech perhaps", traits{}, []event{says(heardBusy)}, time.Minute, false},
		{"the modem's word and two busy tones", traits{}, []event{code('b'), says(heardBusy)}, 0, true},
		{"the modem says busy twice", traits{}, []event{code('b'), code('b')}, 0, true},
		{"the modem says busy, and somebody talks", traits{}, []event{code('b'), says(heardVoice), code('b')}, time.Minute, false},
		{"the modem is known to lie", traits{lies: "b"}, []event{code('b'), code('b')}, time.Minute, false},
		{"the loop was cut", traits{}, []event{code('l')}, 2 * time.Second, true},
		{"the loop was cut, and somebody talks", traits{}, []event{code('l'), says(heardVoice)}, time.Minute, false},
		{"the polarity turned", traits{}, []event{code('L')}, 2 * time.Second, true},
		{"a modem that lies about loops", traits{lies: "l"}, []event{code('l')}, time.Minute, false},
		{"a modem that lies, at an exchange that turns the polarity", traits{lies: "L", polarity: true}, []event{code('L')}, 10 * time.Second, true},
		{"the modem ended the sound", traits{}, []event{{kind: evStream}}, 0, true},
		{"a far end that rings is a transfer", traits{}, []event{says(heardRingback)}, time.Minute, false},
		{"silence of a minute is none", traits{}, []event{says(heardSilence), says(heardSilence)}, time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := talk(t, c.is)
			for _, e := range c.in {
				r.feed(e)
			}
			r.wait(c.after)
			if over := r.s.phase == ending; over != c.over {
				t.Errorf("phase %v", r.s.phase)
			}
		})
	}
}

func TestAnswerIsAssumedOrReal(t *testing.T) {
	dialled := func(t *testing.T, polarity bool) *trip {
		r := newTrip(t)
		r.is.polarity = polarity
		r.feed(event{kind: evDial, number: "0612345678"})
		r.feed(event{kind: evSoundOn})
		r.feed(event{kind: evHeard, heard: heardDialTone})
		r.feed(event{kind: evDialled})
		return r
	}
	for _, c := range []struct {
		name     string
		polarity bool
		in       []event
		after    time.Duration
		want     phase
	}{
		{"a voice after the ringing", false, []event{{kind: evHeard, heard: heardRingback}, {kind: evHeard, heard: heardVoice}}, 0, talking},
		{"no ringing any more", false, []event{{kind: evHeard, heard: heardRingback}, {kind: evHeard, heard: heardAnswer}}, 0, talking},
		{"no tone at all", false, nil, 13 * time.Second, talking},
		{"an announcement is no answer where the exchange tells answers", true, []event{{kind: evHeard, heard: heardVoice}}, time.Second, proceeding},
		{"the exchange tells", true, []event{{kind: evCode, code: 'L'}}, 0, talking},
		{"a turn that means nothing", false, []event{{kind: evCode, code: 'L'}}, 0, proceeding},
		{"busy", false, []event{{kind: evHeard, heard: heardBusy}}, 0, ending},
		{"nobody answers", false, []event{{kind: evHeard, heard: heardRingback}}, 3 * time.Minute, ending},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dialled(t, c.polarity)
			for _, e := range c.in {
				r.feed(e)
			}
			r.wait(c.after)
			if r.s.phase != c.want {
				t.Errorf("phase %v, want %v", r.s.phase, c.want)
			}
		})
	}
}

// Whatever comes in whatever order: every call that began ends once, every command is answered once, and no phase but
// idle is without a deadline.
func TestEveryCallEndsOnceWhateverComes(t *testing.T) {
	for seed := range uint64(3000) {
		dice := rand.New(rand.NewPCG(seed, 7))
		r := newTrip(t)
		r.is = traits{polarity: seed%2 == 0, meter: seed%3 == 0, snoops: seed%5 == 0}
		for range 60 {
			e := event{kind: eventKind(1 + dice.IntN(int(evTick))), number: "0612345678", cause: tel.CauseNormal, code: "blLPRu"[dice.IntN(6)], heard: heard(1 + dice.IntN(int(heardSilence))), shared: dice.IntN(2) == 0, keys: 1}
			if e.kind == evTick {
				r.wait(time.Duration(dice.IntN(20)) * time.Second)
				continue
			}
			r.feed(e)
			if r.s.phase != idle && r.s.deadline.IsZero() {
				t.Fatalf("seed %d: %v has no deadline", seed, r.s.phase)
			}
			if r.begun-r.ended > 1 || r.begun < r.ended {
				t.Fatalf("seed %d: %d calls began, %d ended: %v", seed, r.begun, r.ended, r.told)
			}
		}
		r.feed(event{kind: evLost})
		if r.begun != r.ended || r.s != (state{}) {
			t.Fatalf("seed %d: %d calls began, %d ended, state %+v", seed, r.begun, r.ended, r.s)
		}
		if r.dials != r.dialed || r.asks != r.asked || r.flashes != r.done {
			t.Fatalf("seed %d: %d of %d dials answered, %d of %d answers, %d of %d flashes", seed, r.dialed, r.dials, r.asked, r.asks, r.done, r.flashes)
		}
	}
}

// The exchange's tones mean something else while it listens to us, and what they always did afterwards.
func TestTonesAfterAFlashEndTheCallOnlyWhenItsTimeIsOver(t *testing.T) {
	for _, h := range []heard{heardDialTone, heardGone} {
		r := newTrip(t)
		for _, e := range []event{{kind: evRing}, {kind: evCaller, number: "0551234567"}, {kind: evAnswer}, {kind: evSoundOn}, {kind: evFlash}} {
			r.feed(e)
		}
		r.feed(event{kind: evCode, code: 'l'}) // the loop that we break ourselves
		r.feed(event{kind: evSoundOn})
		r.feed(event{kind: evCode, code: 'L'})
		r.feed(event{kind: evHeard, heard: h})
		r.now = r.now.Add(10 * time.Second)
		if r.feed(event{kind: evKeys, keys: 1}); r.s.phase != talking || r.done != 1 {
			t.Fatalf("%v: %v, %d flashes done", h, r.s.phase, r.done)
		}
		r.wait(15 * time.Second)
		r.now = r.now.Add(15 * time.Second)
		r.feed(event{kind: evHeard, heard: h})
		if r.s.phase != talking {
			t.Fatalf("%v ends the call %v after a digit", h, 15*time.Second)
		}
		listened := r.did[doListen]
		r.wait(10 * time.Second)
		if r.did[doListen] == listened {
			t.Errorf("%v: a tone that goes on is not heard anew", h)
		}
		if r.feed(event{kind: evHeard, heard: h}); r.s.phase != ending {
			t.Errorf("%v: %v", h, r.s.phase)
		}
	}
}

func TestLadderTriesEachRungAndThenCallsAPerson(t *testing.T) {
	var r recovery
	timing := Timing{}.withDefaults()
	now := time.Unix(0, 0)
	var rungs []rung
	for range 40 {
		var x rung
		var wait time.Duration
		r, x, wait = r.next(trial{tel.LineModemMute, true, false, true}, now, &timing)
		if now = now.Add(wait); x != rungNone {
			rungs = append(rungs, x)
		}
	}
	if len(rungs) < 4 || rungs[0] != rungRebind || rungs[1] != rungSupply || rungs[2] != rungAlarm || rungs[3] != rungRebind || !r.alarmed {
		t.Errorf("%v", rungs)
	}
	if _, x, _ := (recovery{failures: 5}).next(trial{tel.LineNoVoice, true, true, true}, now, &timing); x != rungNone {
		t.Errorf("a modem without voice was restarted: %v", x)
	}
}
