package party

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call/voice"
	"github.com/pronto-pbx/pronto/firmware/media/sdp"
	"github.com/pronto-pbx/pronto/firmware/sip/dialog/core"
)

func TestT38IsPassedOnAndTakenBack(t *testing.T) {
	inCall(t, map[string]func(d *duo){
		"the caller asks, and goes back":    func(d *duo) { there(d, d.a, d.a) },
		"the caller asks, the other back":   func(d *duo) { there(d, d.a, d.b) },
		"the called one asks, and goes":     func(d *duo) { there(d, d.b, d.b) },
		"the called one asks, the other":    func(d *duo) { there(d, d.b, d.a) },
		"both go back at the same moment":   func(d *duo) { there(d, d.b, d.a, d.b) },
		"refreshed in T.38 by either":       refreshed,
		"the slow machine takes it in time": func(d *duo) { d.b.machine.late = passLimit - 100*time.Millisecond; there(d, d.a, d.a) },
	})
}

// there has a machine ask, twice, and others go back each time.
func there(d *duo, asks *side, back ...*side) {
	for round := range 2 {
		asks.machine.wants(true)
		d.quiet("asked")
		d.both("T.38")
		if d.a.faxes != 1+round || d.b.faxes != 1+round {
			d.Errorf("told of a fax %d and %d times", d.a.faxes, d.b.faxes)
		}
		for _, s := range back {
			s.machine.wants(false)
		}
		d.quiet("back")
		d.both("audio")
	}
	if other := d.other(asks); other.machine.asked != 2 || asks.machine.asked != 0 {
		d.Errorf("asked %d and %d times", other.machine.asked, asks.machine.asked)
	}
	for _, s := range []*side{d.a, d.b} {
		if s.machine.got != nil && slices.ContainsFunc(s.machine.got, func(status int) bool { return status != 200 }) {
			d.Errorf("%s was answered %v", s.machine.name, s.machine.got)
		}
	}
}

// refreshed has each repeat the offer of T.38 while both are in it: that is for the box alone.
func refreshed(d *duo) {
	d.a.machine.wants(true)
	d.quiet("asked")
	for _, s := range []*side{d.a, d.b} {
		s.machine.wants(true)
		d.quiet("refreshed")
		d.both("T.38")
	}
	if d.a.faxes != 1 || d.b.faxes != 1 {
		d.Errorf("told of a fax %d and %d times", d.a.faxes, d.b.faxes)
	}
	if n := len(d.n.all); n != 4 || d.a.machine.asked+d.b.machine.asked != 1 {
		d.Errorf("%d re-INVITEs, asked %d times", n, d.a.machine.asked+d.b.machine.asked)
	}
}

// asksOf are the re-INVITEs that a leg has sent to its machine.
func (d *duo) asksOf(s *side) (n int) {
	for _, r := range d.n.all {
		if r.from == s.box {
			n++
		}
	}
	return n
}

// What happens in the short time in which one is in T.38 and the other is not.
func TestWhoIsAloneInT38FindsTheOtherAgain(t *testing.T) {
	alone := func(then func(d *duo)) func(d *duo) {
		return func(d *duo) {
			d.a.machine.wants(true)
			d.quiet("asked")
			d.a.machine.wants(false)
			d.at(50 * time.Millisecond) // it has audio, and nobody has told the other
			if d.a.line.media.Image || !d.b.line.media.Image {
				d.Fatal("it is not as the story has it")
			}
			then(d)
		}
	}
	inCall(t, map[string]func(d *duo){
		"who has gone back asks again: the other is there, and not asked": alone(func(d *duo) {
			d.a.machine.wants(true)
			d.quiet("again")
			d.both("T.38")
			if n := d.asksOf(d.b); n != 1 {
				d.Errorf("the other was asked %d times", n)
			}
		}),
		"the program dies": alone(func(d *duo) {
			d.kill()
			d.at(calm / 2)
			if d.asksOf(d.b) != 1 {
				d.Error("offered audio before the call had time to come back")
			}
			d.quiet("killed")
			d.both("audio")
		}),
		"who has gone back asks again while the other is offered audio": alone(func(d *duo) {
			d.b.machine.slow = time.Second
			d.at(300 * time.Millisecond)
			d.a.machine.wants(true)
			d.quiet("again")
			d.both("T.38")
			d.statuses(d.a.machine, 200, 200, 200) // after a collision in between
		}),
		"the other is just told a new address of ours": alone(func(d *duo) {
			d.b.machine.slow = time.Second
			d.b.Moved(netip.MustParseAddrPort("192.0.2.2:5060"))
			d.quiet("moved")
			d.both("audio")
		}),
	})
}

// Who is asked hangs up, and who asks stays, as when somebody else takes the place of the other: it is told at once.
func TestWhoAsksIsToldAtOnceThatTheOtherIsGone(t *testing.T) {
	inCall(t, map[string]func(d *duo){
		"the other hangs up": func(d *duo) {
			d.stays, d.b.machine.dumb = true, true
			d.a.machine.wants(true)
			d.at(time.Second)
			d.b.machine.hangsUp()
			d.at(time.Second)
			d.statuses(d.a.machine, 488)
			d.quiet("gone")
			if !d.a.box.state.Live() || d.a.line.media.Image {
				d.Error("who asked is not in audio")
			}
		},
	})
}

// The process dies between what the dialog knows and what the engine does: the dialog counts, for the other end has it.
func TestAfterAKillTheEngineDoesWhatTheDialogSays(t *testing.T) {
	inCall(t, map[string]func(d *duo){
		"not yet in T.38": func(d *duo) {
			d.a.machine.wants(true)
			d.quiet("asked")
			d.b.line.media.Image = false
			d.kill()
			d.quiet("killed")
			d.both("T.38")
		},
		"still in T.38": func(d *duo) {
			d.a.line.media.Image = true
			d.kill()
			d.quiet("killed")
			d.both("audio")
		},
	})
}

func TestT38ThatIsNotTakenLeavesBothInAudio(t *testing.T) {
	refusedWith := func(status int, how func(m *machine)) func(d *duo) {
		return func(d *duo) {
			how(d.b.machine)
			d.a.machine.wants(true)
			d.quiet("asked")
			d.both("audio")
			d.statuses(d.a.machine, status)
			if d.b.machine.asked != 1 || d.a.faxes+d.b.faxes != 0 {
				d.Errorf("asked %d times, told of a fax %d times", d.b.machine.asked, d.a.faxes+d.b.faxes)
			}
			if last := d.n.all[len(d.n.all)-1]; d.b.machine.noStream && (last.from != d.b.box || bytes.Contains(last.Body, []byte("m=image"))) {
				d.Errorf("who has no stream was not offered audio again: %s", last.Body)
			}
			d.b.machine.refuse, d.b.machine.noStream, d.b.machine.dumb, d.b.machine.late = 0, false, false, 0
			d.a.machine.wants(true)
			d.quiet("asked again")
			d.both("T.38")
		}
	}
	stories := map[string]func(d *duo){
		"without a stream":                 refusedWith(488, func(m *machine) { m.noStream = true }),
		"never":                            refusedWith(488, func(m *machine) { m.dumb = true }),
		"too late, and then taken":         refusedWith(488, func(m *machine) { m.late = passLimit + time.Second }),
		"at the moment of the limit":       refusedWith(488, func(m *machine) { m.late = passLimit }),
		"when its own dialog has given up": refusedWith(488, func(m *machine) { m.late = core.AnswerWithin + time.Second }),
	}
	for _, status := range []int{400, 415, 488, 500, 501, 503, 606} {
		stories[fmt.Sprint("with ", status)] = refusedWith(488, func(m *machine) { m.refuse = status })
	}
	inCall(t, stories)
}

// The 200 leaves before the audio is joined: who asks in that instant is passed on when it is, once, whoever is joined to whom.
func TestWhoAsksBeforeTheyAreJoinedIsPassedOnWhenTheyAre(t *testing.T) {
	joined := func(asks, met time.Duration, medium string, status int) func(d *duo) {
		return func(d *duo) {
			d.a.line.joined(nil)
			d.a.leg.passOn() // nothing waits yet
			d.at(asks)
			d.b.machine.wants(true)
			d.at(met)
			if d.a.machine.asked != 0 {
				d.Error("asked before they are joined")
			}
			d.meet()
			d.meet() // as when a transfer joins the same two again
			d.quiet("joined")
			d.both(medium)
			d.statuses(d.b.machine, status)
			if want := map[int]int{200: 1}[status]; d.a.machine.asked != want {
				d.Errorf("asked %d times, want %d", d.a.machine.asked, want)
			}
		}
	}
	inCall(t, map[string]func(d *duo){
		"at once":      joined(0, 50*time.Millisecond, "T.38", 200),
		"just in time": joined(time.Second, joinLimit-50*time.Millisecond, "T.38", 200),
		"too late":     joined(0, joinLimit+50*time.Millisecond, "audio", 488),
		"who asks has gone": func(d *duo) {
			d.a.line.joined(nil)
			d.b.machine.wants(true)
			d.at(50 * time.Millisecond)
			d.hangUp(d.b)
			d.meet()
		},
		"the other one is gone": func(d *duo) {
			d.a.line.joined(nil)
			d.b.machine.wants(true)
			d.at(50 * time.Millisecond)
			d.hangUp(d.a)
			d.quiet("gone")
		},
	})
}

func TestNobodyIsAskedWhereT38CannotBe(t *testing.T) {
	key := sdp.Crypto{Suite: sdp.AESCM128SHA80}
	at488 := func(change func(d *duo)) func(d *duo) {
		return func(d *duo) {
			change(d)
			d.a.machine.wants(true)
			d.at(2 * joinLimit)
			d.statuses(d.a.machine, 488)
			if d.b.machine.asked != 0 || d.a.line.media.Image {
				d.Errorf("asked %d times, in T.38: %v", d.b.machine.asked, d.a.line.media.Image)
			}
			d.quiet("refused")
		}
	}
	inCall(t, map[string]func(d *duo){
		"who asks is encrypted":    at488(func(d *duo) { d.a.media.SendKey = key }),
		"the other is encrypted":   at488(func(d *duo) { d.b.media.SendKey = key }),
		"there is no other":        at488(func(d *duo) { d.a.line.joined(nil) }),
		"the other has not picked": at488(func(d *duo) { d.office.down(d.b.leg) }),
		"the other is not by SIP":  at488(func(d *duo) { d.a.line.joined(&port{mu: d.a.line.mu, id: "a modem"}) }),
		"our address has just changed": func(d *duo) {
			d.b.machine.deaf = false
			d.b.Moved(netip.MustParseAddrPort("192.0.2.2:5060"))
			d.a.machine.wants(true)
			d.at(15 * time.Millisecond)
			if d.b.machine.asked != 0 {
				d.Error("asked while a re-INVITE of ours is under way")
			}
			d.quiet("asked again after the collision") // by who asks, as RFC 3261 section 14.1 wants it
			d.both("T.38")
			d.statuses(d.a.machine, 200)
		},
	})
}

// Both machines hear each other at the same moment: the dialogs of both collide, in the box and on the way.
func TestBothAskForT38AtOnce(t *testing.T) {
	stories := map[string]func(d *duo){}
	for _, apart := range []time.Duration{0, 1, 5, 9, 10, 11, 15, 19, 20, 21, 25, 30, 31, 40} {
		stories[fmt.Sprint(apart, " ms apart")] = func(d *duo) {
			d.a.machine.wants(true)
			time.Sleep(apart * time.Millisecond)
			d.b.machine.wants(true)
			d.quiet("both have asked")
			d.both("T.38")
			for _, s := range []*side{d.a, d.b} {
				if got := s.machine.got; len(got) != 1 || got[0] != 200 && got[0] != 491 {
					d.Errorf("%s was answered %v", s.machine.name, got)
				}
			}
		}
	}
	inCall(t, stories)
}

// Two machines that can speak T.38 and ask for it, go back and ask again, each when it likes: a collision is told with
// 491, and tried again. Neither is ever told that the other cannot.
func TestTwoWillingMachinesAreNeverRefused(t *testing.T) {
	cfg, all := halves(t)
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			d := connect(t, cfg, all, jitter(seed))
			for _, s := range []*side{d.a, d.b} {
				s.machine.late = time.Duration(random.IntN(2)*random.IntN(400)) * time.Millisecond
			}
			for range 1 + random.IntN(12) {
				[]*side{d.a, d.b}[random.IntN(2)].machine.wants(random.IntN(3) > 0)
				d.at(time.Duration(random.IntN(120)) * time.Millisecond)
			}
			d.quiet("done")
			for _, s := range []*side{d.a, d.b} {
				if slices.ContainsFunc(s.machine.got, func(status int) bool { return status != 200 && status != 491 }) {
					t.Errorf("seed %d: %s was answered %v", seed, s.machine.name, s.machine.got)
				}
			}
			d.over()
		})
	}
}

// jitter is a network in which each message takes between 1 and 40 ms, and may overtake.
func jitter(seed uint64) func() time.Duration {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 7))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(1+random.IntN(40)) * time.Millisecond
	}
}

// states are the moments of a passage, by when they are reached: messages need 10 ms each.
func states() map[string]time.Duration {
	return map[string]time.Duration{
		"their offer is on its way to us": 5 * time.Millisecond, "ours is on its way to the other": 15 * time.Millisecond,
		"the other thinks about it": 500 * time.Millisecond, "its answer is on its way": 1025 * time.Millisecond,
		"our answer is on its way": 1035 * time.Millisecond, "the last ACK is on its way": 1045 * time.Millisecond, "both are in T.38": 2 * time.Second,
	}
}

// pair is who asks in a story, and who is asked.
type pair struct{ asks, asked *side }

// In each state of a passage either machine hangs up, or either dialog is ended by us, or the one who asks gives up, or
// the two are parted, or the program dies: each time both are in one medium afterwards, or gone.
func TestInEachStateOfAPassageItMayEnd(t *testing.T) {
	stories := map[string]func(d *duo){}
	for state, after := range states() {
		for what, do := range map[string]func(d *duo, p pair){
			"who asks hangs up":        func(_ *duo, p pair) { p.asks.machine.hangsUp() },
			"who is asked hangs up":    func(_ *duo, p pair) { p.asked.machine.hangsUp() },
			"we hang who asks up":      func(d *duo, p pair) { d.hangUp(p.asks) },
			"we hang who is asked up":  func(d *duo, p pair) { d.hangUp(p.asked) },
			"who asks is gone":         func(_ *duo, p pair) { p.asks.machine.post(func() { p.asks.machine.deaf = true }) },
			"who is asked is gone":     func(_ *duo, p pair) { p.asked.machine.post(func() { p.asked.machine.deaf = true }) },
			"who asks gives up":        func(_ *duo, p pair) { p.asks.machine.givesUp() },
			"they are parted":          func(_ *duo, p pair) { p.asks.line.joined(nil) },
			"they are parted, and met": func(d *duo, p pair) { p.asks.line.joined(nil); d.at(2 * time.Second); d.meet() },
			"the program dies":         func(d *duo, _ pair) { d.kill() },
			"the program dies twice":   func(d *duo, _ pair) { d.kill(); d.at(30 * time.Millisecond); d.kill() },
			"who is asked goes back":   func(_ *duo, p pair) { p.asked.machine.wants(false) },
			"who asks goes back":       func(_ *duo, p pair) { p.asks.machine.wants(false) },
			"who is asked asks too":    func(_ *duo, p pair) { p.asked.machine.wants(true) },
		} {
			for who, of := range map[string]func(d *duo) pair{"the caller asks": func(d *duo) pair { return pair{d.a, d.b} }, "the called one asks": func(d *duo) pair { return pair{d.b, d.a} }} {
				stories[who+", "+state+": "+what] = func(d *duo) {
					p := of(d)
					p.asked.machine.late = time.Second
					p.asks.machine.wants(true)
					d.at(after)
					do(d, p)
					d.quiet(what)
					up := [2]bool{p.asks.box.state.Live(), p.asked.box.state.Live()}
					if ends := strings.Contains(what, "hang"); up[0] != up[1] || ends == up[0] && !strings.Contains(what, "gone") {
						d.Errorf("the calls are up: %v", up)
					}
					if up[0] && strings.Contains(what, "dies") && state == "both are in T.38" {
						d.both("T.38")
					}
				}
			}
		}
	}
	inCall(t, stories)
}

// deeds are what a script may have happen; a byte names one and how long after the one before.
func deeds() []func(d *duo) {
	of := func(do func(d *duo, s *side)) []func(d *duo) {
		return []func(d *duo){func(d *duo) { do(d, d.a) }, func(d *duo) { do(d, d.b) }}
	}
	set := func(how func(m *machine)) []func(d *duo) {
		return of(func(_ *duo, s *side) {
			s.machine.post(func() {
				m := s.machine
				m.refuse, m.noStream, m.dumb, m.late, m.slow = 0, false, false, 0, 0
				how(m)
			})
		})
	}
	return slices.Concat(
		of(func(_ *duo, s *side) { s.machine.wants(true) }), of(func(_ *duo, s *side) { s.machine.wants(true) }),
		of(func(_ *duo, s *side) { s.machine.wants(false) }), of(func(_ *duo, s *side) { s.machine.givesUp() }),
		set(func(*machine) {}), set(func(*machine) {}), set(func(m *machine) { m.refuse = 488 }), set(func(m *machine) { m.noStream = true }),
		set(func(m *machine) { m.dumb = true }), set(func(m *machine) { m.late = 300 * time.Millisecond }), set(func(m *machine) { m.late = 9 * time.Second }), set(func(m *machine) { m.slow = 700 * time.Millisecond }),
		of(func(d *duo, s *side) {
			s.Moved(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(2 + d.n.steps%3)}), 5060))
		}),
		[]func(d *duo){
			func(d *duo) { d.a.line.joined(nil) }, (*duo).meet, (*duo).meet,
			func(d *duo) { d.kill() }, func(d *duo) { d.a.machine.hangsUp() }, func(d *duo) { d.b.machine.hangsUp() },
		},
	)
}

// follow runs a script: pairs of a deed and of how long after the one before, in steps that grow.
func follow(t *testing.T, cfg Config, all [2]*voice.Half, seed uint64, script []byte) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, cfg, all, jitter(seed))
		can := deeds()
		for i := 0; i+1 < len(script); i += 2 {
			can[int(script[i])%len(can)](d)
			pause := time.Duration(script[i+1]%32) * time.Millisecond
			if script[i+1] >= 192 { // now and then long enough for any limit
				pause *= 400
			}
			d.at(pause)
		}
		d.quiet(fmt.Sprintf("seed %d, script %x", seed, script))
		d.over()
	})
}

// Whatever happens in whatever order, when it is over both are in one medium, every offer was answered and nobody waits.
func TestWhateverHappensNobodyIsHalfInT38(t *testing.T) {
	cfg, all := halves(t)
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 8))
		script := make([]byte, 2*(1+random.IntN(20)))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		follow(t, cfg, all, seed, script)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzNobodyIsHalfInT38(f *testing.F) {
	f.Add(uint64(1), []byte{0, 10, 1, 10, 4, 200})
	f.Add(uint64(2), []byte{18, 1, 0, 31, 31, 31, 0, 255})
	cfg, all := halves(f)
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) {
		script = script[:min(len(script), 80)]
		follow(t, cfg, all, seed, script)
	})
}
