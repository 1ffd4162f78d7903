package stack

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// story is a machine's life in words: "event -> effects; phase".
func story(m machine, events ...event) string {
	var b strings.Builder
	for _, e := range events {
		var effects []effect
		m, effects = m.next(e)
		fmt.Fprintf(&b, "%s:", e)
		for _, ef := range effects {
			switch ef.do {
			case actArm:
				fmt.Fprintf(&b, " arm %s %v", clockName(ef.clock), ef.after)
			case actDisarm:
				fmt.Fprintf(&b, " disarm %s", clockName(ef.clock))
			default:
				fmt.Fprintf(&b, " %s", actionName(ef.do))
			}
		}
		fmt.Fprintf(&b, " [%s]\n", m.phase)
	}
	return b.String()
}

func clockName(c clock) string { return [...]string{"repeat", "give-up", "linger", "trying"}[c] }

func actionName(a action) string {
	return [...]string{"", "send", "resend", "send-100", "send-ack", "deliver", "timeout", "broken"}[a]
}

func TestMachinesFollowTheFiguresOfRFC3261And6026(t *testing.T) {
	for _, c := range []struct {
		name     string
		role     role
		reliable bool
		events   []event
		want     string
	}{
		{
			"an INVITE that is accepted leaves repeating the 2xx to the layer above", inviteServer, false,
			[]event{evStart, evTrying, evRequest, ev1xx, ev2xx, evRequest, ev2xx, evAck, evFinal, evLinger},
			`
start: arm trying 200ms [proceeding]
trying: send-100 [proceeding]
request: resend [proceeding]
1xx: disarm trying send [proceeding]
2xx: disarm trying send arm linger 32s [accepted]
request: [accepted]
2xx: send [accepted]
ack: deliver [accepted]
final: [accepted]
linger: [ended]`,
		},
		{
			"a refused INVITE repeats its answer until the ACK", inviteServer, false,
			[]event{evStart, evFinal, evRepeat, evRepeat, evRepeat, evRepeat, evRequest, evAck, evAck, evRequest, evLinger},
			`
start: arm trying 200ms [proceeding]
final: disarm trying send arm give-up 32s arm repeat 500ms [completed]
repeat: resend arm repeat 1s [completed]
repeat: resend arm repeat 2s [completed]
repeat: resend arm repeat 4s [completed]
repeat: resend arm repeat 4s [completed]
request: resend [completed]
ack: disarm repeat disarm give-up arm linger 5s [confirmed]
ack: [confirmed]
request: [confirmed]
linger: [ended]`,
		},
		{
			"a refused INVITE without ACK ends after 32 s", inviteServer, false,
			[]event{evStart, evFinal, evGiveUp},
			`
start: arm trying 200ms [proceeding]
final: disarm trying send arm give-up 32s arm repeat 500ms [completed]
give up: disarm repeat [ended]`,
		},
		{
			"a refused INVITE over TCP repeats nothing and ends with the ACK", inviteServer, true,
			[]event{evStart, evFinal, evAck},
			`
start: arm trying 200ms [proceeding]
final: disarm trying send arm give-up 32s [completed]
ack: disarm repeat disarm give-up [ended]`,
		},
		{
			"a plain request is answered again when it comes again", plainServer, false,
			[]event{evStart, evRequest, ev1xx, evRequest, ev2xx, evRequest, evFinal, evLinger},
			`
start: arm give-up 32s [calling]
request: [calling]
1xx: send [proceeding]
request: resend [proceeding]
2xx: disarm give-up send arm linger 32s [completed]
request: resend [completed]
final: [completed]
linger: [ended]`,
		},
		{
			"a plain request over TCP ends with its answer", plainServer, true,
			[]event{evStart, evFinal},
			`
start: arm give-up 32s [calling]
final: disarm give-up send [ended]`,
		},
		{
			"a plain request that is forgotten ends after 32 s", plainServer, false,
			[]event{evStart, evGiveUp},
			`
start: arm give-up 32s [calling]
give up: [ended]`,
		},
		{
			"an INVITE is repeated with doubling intervals and given up after 32 s", inviteClient, false,
			[]event{evStart, evRepeat, evRepeat, evRepeat, evRepeat, evRepeat, evRepeat, evGiveUp},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
repeat: resend arm repeat 1s [calling]
repeat: resend arm repeat 2s [calling]
repeat: resend arm repeat 4s [calling]
repeat: resend arm repeat 8s [calling]
repeat: resend arm repeat 16s [calling]
repeat: resend arm repeat 32s [calling]
give up: disarm repeat timeout [ended]`,
		},
		{
			"an answered INVITE passes up each 2xx for 32 s", inviteClient, false,
			[]event{evStart, ev1xx, evRepeat, ev1xx, ev2xx, ev2xx, ev1xx, evFinal, evLinger},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
1xx: disarm repeat disarm give-up deliver [proceeding]
repeat: [proceeding]
1xx: deliver [proceeding]
2xx: disarm repeat disarm give-up deliver arm linger 32s [accepted]
2xx: deliver [accepted]
1xx: [accepted]
final: [accepted]
linger: [ended]`,
		},
		{
			"a refused INVITE acknowledges each repetition and passes up one", inviteClient, false,
			[]event{evStart, evFinal, evFinal, ev2xx, evLinger},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
final: disarm repeat disarm give-up send-ack deliver arm linger 32s [completed]
final: send-ack [completed]
2xx: [completed]
linger: [ended]`,
		},
		{
			"a refused INVITE over TCP ends at once", inviteClient, true,
			[]event{evStart, ev1xx, evFinal},
			`
start: arm give-up 32s send [calling]
1xx: disarm repeat disarm give-up deliver [proceeding]
final: disarm repeat disarm give-up send-ack deliver [ended]`,
		},
		{
			"a cancelled INVITE that nobody answers ends after 32 s", inviteClient, false,
			[]event{evStart, ev1xx, evCancelled, evGiveUp},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
1xx: disarm repeat disarm give-up deliver [proceeding]
cancelled: arm give-up 32s [proceeding]
give up: disarm repeat timeout [ended]`,
		},
		{
			"a broken transport ends an INVITE", inviteClient, false,
			[]event{evStart, evBroken, evRepeat},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
broken: disarm repeat disarm give-up broken [ended]
repeat: [ended]`,
		},
		{
			"a plain request is repeated up to every 4 s, always so after a 1xx", plainClient, false,
			[]event{evStart, evRepeat, ev1xx, evRepeat, evRepeat, ev2xx, ev2xx, evLinger},
			`
start: arm give-up 32s arm repeat 500ms send [calling]
repeat: resend arm repeat 1s [calling]
1xx: deliver [proceeding]
repeat: resend arm repeat 4s [proceeding]
repeat: resend arm repeat 4s [proceeding]
2xx: disarm repeat disarm give-up deliver arm linger 5s [completed]
2xx: [completed]
linger: [ended]`,
		},
		{
			"a plain request over TCP is sent once", plainClient, true,
			[]event{evStart, evFinal},
			`
start: arm give-up 32s send [calling]
final: disarm repeat disarm give-up deliver [ended]`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := story(machine{role: c.role, reliable: c.reliable}, c.events...)
			if strings.TrimSpace(got) != strings.TrimSpace(c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestAnyEventsLeaveEveryMachineSound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		m := machine{role: role(1 + rng.IntN(4)), reliable: rng.IntN(2) == 0}
		m, _ = m.next(evStart)
		finals, ended := 0, false
		for range 30 {
			e := event(2 + rng.IntN(int(evBroken)-1))
			before := m
			var effects []effect
			m, effects = m.next(e)
			if ended && (len(effects) > 0 || m != before) {
				t.Fatalf("%+v did something after its end on %s", before, e)
			}
			ended = m.phase == phaseEnded
			for _, ef := range effects {
				if ef.do == actArm && (ef.after <= 0 || ef.after > giveUp) {
					t.Fatalf("%+v armed %v on %s", before, ef.after, e)
				}
				if ef.do == actDeliver && e == evFinal || ef.do == actTimeout || ef.do == actBroken {
					finals++
				}
				if m.reliable && ef.do == actResend && e == evRepeat {
					t.Fatalf("%+v repeats over TCP", before)
				}
			}
		}
		if finals > 1 {
			t.Fatalf("a %d machine told %d ends", m.role, finals)
		}
	}
}

func TestAlarmsFireInOrderAndStopMeansStop(t *testing.T) {
	q := newAlarms()
	var got []int
	a := q.set(2*time.Second, func() { got = append(got, 2) })
	q.set(time.Second, func() { got = append(got, 1) })
	b := q.set(3*time.Second, func() { got = append(got, 3) })
	q.set(3*time.Second, func() { got = append(got, 4) })
	q.stop(b)
	q.stop(b)
	q.stop(nil)
	now := time.Now().Add(time.Minute)
	for fn, _ := q.due(now); fn != nil; fn, _ = q.due(now) {
		fn()
	}
	q.stop(a)
	if fmt.Sprint(got) != "[1 2 4]" || q.len() != 0 {
		t.Errorf("fired %v, %d left", got, q.len())
	}
}
