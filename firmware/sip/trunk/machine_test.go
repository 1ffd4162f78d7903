package trunk

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/sip/digest"
	"github.com/pronto-pbx/pronto/firmware/sip/stack"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var (
	t0      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	carrier = stack.Flow{Transport: "udp", Local: netip.MustParseAddrPort("192.168.1.1:5060"), Remote: netip.MustParseAddrPort("203.0.113.10:5060")}
	second  = stack.Flow{Transport: "udp", Local: netip.MustParseAddrPort("192.168.1.1:5060"), Remote: netip.MustParseAddrPort("203.0.113.20:5060")}
)

func fresh() state {
	return state{callID: "c", tag: "f", token: "ttoken", expires: time.Hour, cause: tel.LineRegistering, since: t0, due: t0}
}

func asked(realm, nonce string, stale bool) challenge {
	return challenge{digest.Challenge{Realm: realm, Nonce: nonce, Algorithm: digest.MD5, Auth: true, Stale: stale}, false}
}

func unauthorized(c ...challenge) reply { return reply{status: 401, challenges: c} }

// say writes effects and standing in one line.
func say(s state, effects []effect, now time.Time) string {
	var parts []string
	for _, f := range effects {
		switch f := f.(type) {
		case resolve:
			parts = append(parts, "resolve")
		case register:
			what := "register"
			if s.leaving {
				what = "unregister"
			}
			parts = append(parts, what+map[bool]string{true: ":" + f.challenge.Nonce}[f.challenge.Nonce != ""]+where(s))
		case options:
			parts = append(parts, "options"+where(s))
		case left:
			parts = append(parts, "left")
		case save:
			parts = append(parts, "save")
		}
	}
	standing := "down"
	if s.up {
		standing = "up"
	}
	wait := ""
	if s.phase == waiting && !s.due.IsZero() {
		wait = fmt.Sprintf(" wait %v", s.due.Sub(now).Round(time.Second))
	}
	return fmt.Sprintf("%s | %s %s%s", strings.Join(parts, " "), standing, s.shown(), wait)
}

// where marks what is sent to the second server.
func where(s state) string {
	if sameEnd(s.trial, second) {
		return "@second"
	}
	return ""
}

// The table is the specification of a trunk that registers. roll 0.5 takes the jitter out.
func TestRegisteringTrunkStepByStep(t *testing.T) {
	type step struct {
		event any // reply, "due", "due without flow", "found", "not found", "late"
		want  string
	}
	ok := reply{status: 200, granted: 1000 * time.Second}
	silence := reply{}
	start := []step{{"due without flow", "resolve | down registering"}, {"found", "save register | down registering"}}
	up := append(start[:2:2], step{unauthorized(asked("tim.it", "n1", false)), "save register:n1 | down registering"},
		step{ok, "save | up ok wait 14m10s"})
	for name, steps := range map[string][]step{
		"registers, refreshes at 80 to 90 % with the nonce at hand": append(up[:4:4],
			step{"due", "save register:n1 | up ok"}, step{ok, "save | up ok wait 14m10s"},
			step{"due", "save register:n1 | up ok"},
			step{unauthorized(asked("tim.it", "n2", true)), "save register:n2 | up ok"}, step{ok, "save | up ok wait 14m10s"}),
		"the next nonce that the carrier hands out is used": append(up[:4:4],
			step{"due", "save register:n1 | up ok"}, step{reply{status: 200, nextNonce: "n9"}, "save | up ok wait 51m0s"},
			step{"due", "save register:n9 | up ok"}),
		"a lost connection is sought anew at the refresh": append(up[:4:4],
			step{"due without flow", "resolve | up ok"}, step{"found", "save register:n1 | up ok"}),
		"silence backs off from 30 s to 10 min": append(start[:2:2],
			step{silence, " | down unreachable wait 30s"}, step{"due", "resolve | down unreachable"}, step{"found", "save register | down unreachable"},
			step{silence, " | down unreachable wait 1m0s"}, step{"due", "resolve | down unreachable"}, step{"found", "save register | down unreachable"},
			step{reply{status: 500}, " | down unreachable wait 2m0s"}, step{"due", "resolve | down unreachable"}, step{"not found", " | down dns_failed wait 4m0s"},
			step{"due", "resolve | down dns_failed"}, step{"not found", " | down dns_failed wait 8m0s"},
			step{"due", "resolve | down dns_failed"}, step{"not found", " | down dns_failed wait 10m0s"},
			step{"due", "resolve | down dns_failed"}, step{"not found", " | down dns_failed wait 10m0s"},
			step{"due", "resolve | down dns_failed"}, step{"found", "save register | down dns_failed"}, step{ok, "save | up ok wait 14m10s"}),
		"an outage takes a registered trunk down at once": append(up[:4:4],
			step{"due", "save register:n1 | up ok"}, step{silence, " | down unreachable wait 30s"}),
		"wrong password: the second refusal says so": append(start[:2:2],
			step{unauthorized(asked("tim.it", "n1", false)), "save register:n1 | down registering"},
			step{unauthorized(asked("tim.it", "n2", false)), " | down registering wait 30s"},
			step{"due", "resolve | down registering"}, step{"found", "save register | down registering"},
			step{reply{status: 403}, " | down refused_credentials wait 1m0s"},
			step{"due", "resolve | down refused_credentials"}, step{"found", "save register | down refused_credentials"},
			step{ok, "save | up ok wait 14m10s"}),
		"a silence between two refusals starts the count anew": append(start[:2:2],
			step{reply{status: 403}, " | down registering wait 30s"}, step{"due", "resolve | down registering"}, step{"found", "save register | down registering"},
			step{silence, " | down unreachable wait 1m0s"}, step{"due", "resolve | down unreachable"}, step{"found", "save register | down unreachable"},
			step{reply{status: 403}, " | down registering wait 2m0s"}),
		"stale twice is a refusal, no endless loop": append(start[:2:2],
			step{unauthorized(asked("tim.it", "n1", false)), "save register:n1 | down registering"},
			step{unauthorized(asked("tim.it", "n2", true)), "save register:n2 | down registering"},
			step{unauthorized(asked("tim.it", "n3", true)), " | down registering wait 30s"}),
		"another realm than the one that let us in is not answered": append(up[:4:4],
			step{"due", "save register:n1 | up ok"},
			step{unauthorized(asked("thief", "n2", false)), " | down registration_denied wait 30s"}),
		"the second of two challenges may be ours": append(up[:4:4],
			step{"due", "save register:n1 | up ok"},
			step{unauthorized(asked("other", "n2", false), asked("TIM.it", "n3", false)), "save register:n3 | up ok"}),
		"a challenge that cannot be read":  append(start[:2:2], step{reply{status: 401}, " | down registration_denied wait 30s"}),
		"wrong domain":                     append(start[:2:2], step{reply{status: 404}, " | down wrong_domain wait 30s"}),
		"a redirection is not followed":    append(start[:2:2], step{reply{status: 302}, " | down registration_denied wait 30s"}),
		"Retry-After is obeyed":            append(start[:2:2], step{reply{status: 503, retryAfter: 77 * time.Second}, " | down unreachable wait 1m17s"}),
		"an absurd Retry-After is not":     append(start[:2:2], step{reply{status: 503, retryAfter: 999 * time.Hour}, " | down unreachable wait 1h0m0s"}),
		"423 is obeyed at once":            append(start[:2:2], step{reply{status: 423, minExpires: 2 * time.Hour}, "save register | down registering"}, step{reply{status: 200}, "save | up ok wait 1h42m0s"}),
		"423 that asks for no more":        append(start[:2:2], step{reply{status: 423, minExpires: time.Hour}, " | down registration_denied wait 30s"}),
		"423 that asks for a year":         append(start[:2:2], step{reply{status: 423, minExpires: 9000 * time.Hour}, " | down registration_denied wait 30s"}),
		"a registration granted for a sec": append(start[:2:2], step{reply{status: 200, granted: time.Second}, "save | up ok wait 17s"}),
		"a late name lookup changes nothing": {
			{"due without flow", "resolve | down registering"},
			{"due", " | down unreachable wait 30s"},
			{"due", "resolve | down unreachable"},
			{"late found", " | down unreachable"},
			{"found", "save register | down unreachable"},
		},
		"a late answer changes nothing": append(up[:4:4], step{"late", " | up ok wait 14m10s"}),
		"a lost result ends by itself":  append(start[:2:2], step{"due", " | down unreachable wait 30s"}),
		"a lost name lookup ends, too":  append(start[:1:1], step{"due", " | down unreachable wait 30s"}),
	} {
		t.Run(name, func(t *testing.T) {
			walk(t, policy{mode: Register, retry: 30 * time.Second}, fresh(), func(yield func(any, string) bool) {
				for _, s := range steps {
					if !yield(s.event, s.want) {
						return
					}
				}
			})
		})
	}
}

func walk(t *testing.T, p policy, s state, steps func(func(any, string) bool)) {
	t.Helper()
	now, i, cseq := t0, 0, s.cseq
	steps(func(event any, want string) bool {
		var effects []effect
		switch e := event.(type) {
		case reply:
			now = now.Add(time.Second)
			s, effects = next(p, s, replied{s.attempt, e}, now, 0.5)
		case Outcome:
			now = now.Add(time.Second)
			s, effects = next(p, s, called{e}, now, 0.5)
		case time.Duration:
			now = now.Add(e)
			s, effects = next(p, s, called{Outcome{Status: 200}}, now, 0.5)
		case string:
			switch e {
			case "leave":
				s, effects = next(p, s, leave{}, now, 0.5)
			case "found both":
				s, effects = next(p, s, resolved{attempt: s.attempt, targets: []stack.Flow{carrier, second}}, now, 0.5)
			case "found an impostor":
				s, effects = next(p, s, resolved{attempt: s.attempt, untrusted: true}, now, 0.5)
			case "due", "due without flow":
				now = s.due
				s, effects = next(p, s, due{usable: e == "due"}, now, 0.5)
			case "found":
				s, effects = next(p, s, resolved{attempt: s.attempt, targets: []stack.Flow{carrier}}, now, 0.5)
			case "not found":
				s, effects = next(p, s, resolved{attempt: s.attempt}, now, 0.5)
			case "late found":
				s, effects = next(p, s, resolved{attempt: s.attempt - 1, targets: []stack.Flow{carrier}}, now, 0.5)
			case "late":
				s, effects = next(p, s, replied{s.attempt - 1, reply{}}, now, 0.5)
			}
		}
		i++
		if got := say(s, effects, now); got != want {
			t.Errorf("step %d %v:\n got %s\nwant %s", i, event, got, want)
			return false
		}
		for _, f := range effects {
			if _, ok := f.(register); ok && s.cseq <= cseq {
				t.Errorf("step %d: CSeq %d after %d", i, s.cseq, cseq)
			}
		}
		cseq = s.cseq
		return true
	})
}

func TestWatchedTrunkStepByStep(t *testing.T) {
	fine, silence := reply{status: 200}, reply{}
	for name, steps := range map[string][][2]any{
		"any answer is health": {
			{"due without flow", "resolve | down registering"},
			{"found", "options | down registering"},
			{unauthorized(asked("x", "n", false)), "save | up ok wait 1m0s"},
			{"due", "options | up ok"},
			{reply{status: 405}, " | up ok wait 1m0s"},
		},
		"two misses are an outage, seen within 10 s of the first": {
			{"due without flow", "resolve | down registering"},
			{"found", "options | down registering"},
			{fine, "save | up ok wait 1m0s"},
			{"due", "options | up ok"},
			{silence, " | up ok wait 10s"},
			{"due", "resolve | up ok"},
			{"found", "options | up ok"},
			{reply{status: 408}, "save | down unreachable wait 1m0s"},
			{"due", "resolve | down unreachable"},
			{"found", "options | down unreachable"},
			{fine, "save | up ok wait 1m0s"},
		},
		"a lost result is a miss":              {{"due without flow", "resolve | down registering"}, {"found", "options | down registering"}, {"due", " | down registering wait 10s"}},
		"a name that is not found backs off":   {{"due without flow", "resolve | down registering"}, {"not found", " | down dns_failed wait 30s"}, {"due", "resolve | down dns_failed"}, {"not found", " | down dns_failed wait 1m0s"}},
		"a dead connection is looked for anew": {{"due without flow", "resolve | down registering"}, {"found", "options | down registering"}, {fine, "save | up ok wait 1m0s"}, {"due without flow", "resolve | up ok"}},
	} {
		t.Run(name, func(t *testing.T) {
			walk(t, policy{mode: Address, qualify: time.Minute, retry: 30 * time.Second}, fresh(), func(yield func(any, string) bool) {
				for _, s := range steps {
					if !yield(s[0], s[1].(string)) {
						return
					}
				}
			})
		})
	}
	s, effects := next(policy{mode: Address, blind: true}, fresh(), due{}, t0, 0.5)
	if got := say(s, effects, t0); got != " | up ok" {
		t.Errorf("a trunk that only receives: %s", got)
	}
}

// Whatever comes in whatever order: the machine always has a next deadline, never answers a
// challenge more than twice per attempt, and never offers credentials to a realm it must not.
func TestOfATrialTheFirstRefusalCounts(t *testing.T) {
	now := time.Date(2026, 10, 26, 9, 0, 0, 0, time.UTC)
	for name, answer := range map[string]reply{
		"forbidden": {status: 403}, "challenged again": unauthorized(asked("tim.it", "n2", false)),
	} {
		p := policy{mode: Register, retry: 30 * time.Second, trial: true}
		s := state{phase: asking, attempt: 1, cause: tel.LineRegistering, answers: 1}
		s, _ = next(p, s, replied{1, answer}, now, 0.5)
		if s.up || s.shown() != tel.LineRefused {
			t.Errorf("%s: up %v, %s", name, s.up, s.shown())
		}
	}
}

func TestMachineNeverStallsNorLeaksCredentials(t *testing.T) {
	for _, mode := range []Mode{Register, Address} {
		rng := rand.New(rand.NewPCG(7, uint64(mode)))
		p := policy{mode: mode, qualify: time.Minute, retry: time.Minute, realm: "tim.it"}
		s, now, signed, sinceAnswer := fresh(), t0, 0, 0
		ups, downs := 0, 0
		for range 100_000 {
			var e event
			switch rng.IntN(9) {
			case 3:
				e = displaced{}
			case 4:
				e = reflected{netip.AddrPortFrom(carrier.Remote.Addr(), uint16(rng.IntN(3)))}
			case 2:
				e = called{Outcome{Status: []int{0, 200, 402, 403, 404, 486, 488, 503}[rng.IntN(8)], Text: []string{"", "not registered"}[rng.IntN(2)], OneWay: rng.IntN(9) == 0}}
			case 0:
				now = s.due
				e = due{usable: rng.IntN(2) == 0}
				if s.phase == waiting {
					sinceAnswer = 0
				}
			case 1:
				e = resolved{attempt: s.attempt - uint64(rng.IntN(2)), targets: []stack.Flow{carrier, second}[:rng.IntN(3)]}
			default:
				r := reply{
					status:     []int{0, 200, 200, 302, 401, 401, 403, 404, 407, 423, 480, 500, 503, 603, 999}[rng.IntN(15)],
					granted:    time.Duration(rng.IntN(200_000)) * time.Second,
					minExpires: time.Duration(rng.IntN(200_000)) * time.Second,
					retryAfter: time.Duration(rng.IntN(5000)) * time.Second,
				}
				for range rng.IntN(3) {
					r.challenges = append(r.challenges, asked([]string{"tim.it", "thief", ""}[rng.IntN(3)], fmt.Sprint("n", rng.IntN(99)), rng.IntN(2) == 0))
				}
				e = replied{s.attempt - uint64(rng.IntN(5)/4), r}
			}
			now = now.Add(time.Duration(rng.IntN(2000)) * time.Millisecond)
			before := s
			var effects []effect
			s, effects = next(p, s, e, now, rng.Float64())
			if s.due.IsZero() || s.due.Sub(now) > maxExpires {
				t.Fatalf("deadline %v after %+v", s.due.Sub(now), e)
			}
			if s.cseq < before.cseq {
				t.Fatal("CSeq went back")
			}
			for _, f := range effects {
				if f, ok := f.(register); ok && f.challenge.Nonce != "" {
					signed++
					if sinceAnswer++; sinceAnswer > maxAnswers+6 { // 423 may repeat an attempt, rising each time
						t.Fatal("answers without end")
					}
					if f.challenge.Realm != "tim.it" {
						t.Fatalf("credentials for %q", f.challenge.Realm)
					}
				}
			}
			if s.up {
				ups++
			} else {
				downs++
			}
		}
		if mode == Register && signed < 100 || ups < 100 || downs < 100 {
			t.Fatalf("one-sided walk: %d signed, %d up, %d down", signed, ups, downs)
		}
	}
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	for n := range 100 {
		for _, roll := range []float64{0, 0.5, 0.999} {
			if d := backoff(30*time.Second, n, roll); d < 27*time.Second || d > 11*time.Minute {
				t.Errorf("%d: %v", n, d)
			}
		}
	}
	if backoff(30*time.Second, 1, 0.5) != 30*time.Second || backoff(30*time.Second, 2, 0.5) != time.Minute || backoff(30*time.Second, 20, 0.5) != 10*time.Minute || backoff(time.Hour, 3, 0.5) != time.Hour {
		t.Error("30 s doubling to 10 min")
	}
}

func TestRegistrationSurvivesARestart(t *testing.T) {
	s := fresh()
	s.flow, s.trial, s.cseq, s.realm = carrier, carrier, 41, "tim.it"
	s.targets, s.home, s.life = []stack.Flow{second, carrier}, second, 20*time.Minute
	s.seen = netip.MustParseAddrPort("203.0.113.99:4711")
	s.named = s.seen
	s.begun, s.until, s.refresh = t0, t0.Add(time.Hour), t0.Add(50*time.Minute)
	s.due = s.refresh
	s = s.stand(true, tel.LineOK, t0)
	value, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := decode(value)
	if err != nil {
		t.Fatal(err)
	}
	other := fresh()
	other.callID, other.tag, other.token = "x", "y", "z"

	later := t0.Add(10 * time.Minute)
	got := resume(policy{}, other, rec, true, later)
	want := s
	want.cseq, want.since = 1041, later
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if _, effects := next(policy{mode: Register, retry: 30 * time.Second}, got, due{usable: true}, got.due, 0.5); len(effects) == 0 {
		t.Error("the refresh is forgotten")
	}

	for name, tc := range map[string]struct {
		at    time.Time
		alive bool
	}{"the connection is gone": {later, false}, "it has expired": {t0.Add(2 * time.Hour), true}} {
		got := resume(policy{}, other, rec, tc.alive, tc.at)
		if got.up || !got.due.Equal(other.due) || got.token != s.token || got.callID != s.callID || got.cseq != 1041 || got.realm != "tim.it" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := resume(policy{}, other, rec, true, t0.Add(-24*365*time.Hour)); got.until.Sub(t0.Add(-24*365*time.Hour)) > maxExpires {
		t.Error("a clock set back makes an eternal registration")
	}
	for name, bad := range map[string]string{"newer": `{"v":2}`, "torn": `{"v":1,`, "empty": `{"v":1}`} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
}

func TestACarrierThatIsKnownByItsAddressIsWhereItWasAfterAKill(t *testing.T) {
	p := policy{mode: Address, qualify: time.Minute, retry: 30 * time.Second}
	was := fresh()
	was.flow, was.home, was.targets = second, carrier, []stack.Flow{carrier, second}
	was = was.stand(true, tel.LineOK, t0)
	value, err := encode(was)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := decode(value)
	if err != nil {
		t.Fatal(err)
	}
	down := rec
	down.Up = false
	for name, c := range map[string]struct {
		rec   record
		alive bool
		steps []move
	}{
		"it is up at once, and looked for anew": {rec, true, []move{
			{"due", "resolve | up ok"}, {"found both", "options | up ok"}, {reply{status: 200}, "save | up ok wait 1m0s"},
		}},
		"the server that it used is no more, and the other is silent": {rec, true, []move{
			{"due", "resolve | up ok"}, {"found", "options | up ok"}, {nothing, "save | down unreachable wait 1m0s"},
		}},
		"a name server that fails takes nothing from it": {rec, true, []move{
			{"due", "resolve | up ok"}, {"not found", "options@second | up ok"}, {reply{status: 200}, " | up ok wait 1m0s"},
		}},
		"it was down":               {down, true, []move{{"due", "resolve | down registering"}}},
		"the connection is no more": {rec, false, []move{{"due without flow", "resolve | down registering"}}},
	} {
		t.Run(name, func(t *testing.T) {
			walk(t, p, resume(p, fresh(), c.rec, c.alive, t0), func(yield func(any, string) bool) {
				for _, m := range c.steps {
					if !yield(m.event, m.want) {
						return
					}
				}
			})
		})
	}
}

func TestSnapshotsComeBackAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 500 {
		s := fresh()
		s.cseq, s.realm = uint32(rng.IntN(1<<30)), fmt.Sprint("r", rng.IntN(9))
		s.expires = time.Hour + time.Duration(rng.IntN(3600))*time.Second
		s.flow = stack.Flow{Transport: "tcp", Local: netip.MustParseAddrPort("[::1]:0"), Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, 3, byte(rng.IntN(256))}), uint16(rng.IntN(65536)))}
		s.trial = s.flow
		for range rng.IntN(4) {
			s.targets = append(s.targets, stack.Flow{Transport: "udp", Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 2, 3, byte(rng.IntN(256))}), 5060)})
			s.home = s.targets[0]
		}
		if rng.IntN(2) == 0 {
			s.seen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, 2, 3, byte(rng.IntN(256))}), 4711)
			s.named, s.life = s.seen, time.Duration(rng.IntN(3600))*time.Second
		}
		s.begun = t0.Add(-time.Duration(rng.IntN(600)) * time.Second)
		s.until = t0.Add(time.Minute + time.Duration(rng.Int64N(int64(time.Hour))))
		s.refresh = t0.Add(time.Duration(rng.Int64N(int64(time.Minute))))
		s.due = s.refresh
		s = s.stand(true, tel.LineOK, t0)
		value, err := encode(s)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := decode(value)
		if err != nil {
			t.Fatal(err)
		}
		got := resume(policy{}, fresh(), rec, true, t0)
		got.cseq -= restartJump
		if !reflect.DeepEqual(got, s) {
			t.Fatalf("\n got %+v\nwant %+v", got, s)
		}
	}
}

func TestAnotherAddressInTheCarriersEyesRegistersAnewButNotForever(t *testing.T) {
	p := policy{mode: Register, qualify: time.Minute, retry: time.Minute}
	s, now := fresh(), t0
	tell := func(e event) string {
		t.Helper()
		var effects []effect
		s, effects = next(p, s, e, now, 0.5)
		return say(s, effects, now)
	}
	tell(due{})
	tell(resolved{attempt: s.attempt, targets: []stack.Flow{carrier}})
	tell(replied{s.attempt, reply{status: 200, granted: time.Hour}})
	moved := reflected{netip.MustParseAddrPort("198.51.100.7:5060")}
	now = now.Add(reflectPause - time.Second)
	if got := tell(moved); !strings.HasPrefix(got, " |") {
		t.Errorf("right after a registration: %s", got)
	}
	now = now.Add(time.Second)
	if got := tell(moved); got != "resolve | up ok" {
		t.Errorf("later: %s", got)
	}
	if got := tell(resolved{attempt: s.attempt, targets: []stack.Flow{carrier}}); got != "save register | up ok" {
		t.Errorf("then: %s", got)
	}
	if got := tell(moved); !strings.HasPrefix(got, " |") {
		t.Errorf("while it is asked: %s", got)
	}
	tell(replied{s.attempt, reply{status: 200, granted: time.Hour}})
	if got := tell(moved); !strings.HasPrefix(got, " |") {
		t.Errorf("again at once: %s", got)
	}
}

func TestAnAnswerToOptionsThatShowsAnotherAddressRegistersAnew(t *testing.T) {
	p := policy{mode: Register, qualify: time.Minute, retry: time.Minute, learn: true}
	first, second := netip.MustParseAddrPort("198.51.100.7:5060"), netip.MustParseAddrPort("198.51.100.8:5060")
	s, now := fresh(), t0
	s, _ = next(p, s, due{}, now, 0.5)
	s, _ = next(p, s, resolved{attempt: s.attempt, targets: []stack.Flow{carrier}}, now, 0.5)
	for range 2 { // the second one names what the first one has learned
		s, _ = next(p, s, replied{s.attempt, reply{status: 200, granted: time.Hour, seen: first}}, now, 0.5)
	}
	now = s.due
	s, effects := next(p, s, due{usable: true}, now, 0.5)
	if got := say(s, effects, now); got != "options | up ok" {
		t.Fatalf("%s", got)
	}
	s, effects = next(p, s, replied{s.attempt, reply{status: 200, seen: second}}, now, 0.5)
	if got := say(s, effects, now); got != "save register | up ok" || s.named != second {
		t.Errorf("%s, named %v", got, s.named)
	}
}
