package call

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func menu() Decision {
	s := ivr.New("c1", "it", &ivr.Menu{Greeting: []string{"prompt:welcome"}, Keys: map[string]string{"1": "queue:sales", "2": "menu:other"}, TimeoutTo: "ext:201"})
	return Decision{Kind: ToScript, Script: &s}
}

func deposit() Decision {
	s := ivr.New("c1", "it", &ivr.Deposit{Box: "201", Greeting: ivr.StandardGreeting(), From: "+39061234567"})
	return Decision{Kind: ToScript, Script: &s}
}

func TestScripts(t *testing.T) {
	digit := func(r rune) LegEvent { return LegEvent{Leg: "caller", Kind: LegDigit, Digit: r} }
	played := LegEvent{Leg: "caller", Kind: LegPlayed}
	follow(t, map[string][]move{
		"a key in a menu leads to a queue": {
			{Begin{menu()}, "accept play(caller,prompt:welcome)"},
			{digit('1'), "hush(caller) hush(caller) resolve(queue:sales)"},
			{Rerouted{Decision{Kind: ToQueue, Queue: "sales"}}, "play(caller,greeting+wait) queue(Enqueue)"},
			{digit('2'), "queue(CallerKey)"},
		},
		"who presses nothing goes on at the end": {
			{Begin{menu()}, "accept play(caller,prompt:welcome)"},
			{played, ""},
			{Wake{"script:1"}, "play(caller,menu_timeout+prompt:welcome)"},
			{played, ""},
			{Wake{"script:1"}, ""}, // of the first wait
			{Wake{"script:2"}, "play(caller,menu_timeout+prompt:welcome)"},
			{played, ""},
			{Wake{"script:3"}, "play(caller,menu_timeout)"},
			{played, "hush(caller) resolve(ext:201)"},
		},
		"a message is recorded and delivered": {
			{Begin{deposit()}, "accept play(caller,vm_greeting)"},
			{played, "play(caller,tone_beep)"},
			{played, "record(caller,201_c1_1)"},
			{LegEvent{Leg: "caller", Kind: LegRecorded, Path: "/state/spool/201_c1_1.wav", Length: 9 * time.Second, Why: ivr.WhySilence}, "deliver(201,201_c1_1,9s) play(caller,vm_thanks+goodbye)"},
			{played, "hangup(caller,normal) end(normal,box)"},
		},
		"a caller who hangs up while recording leaves a message all the same, and one record": {
			{Begin{deposit()}, "accept play(caller,vm_greeting)"},
			{played, "play(caller,tone_beep)"},
			{played, "record(caller,201_c1_1)"},
			{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "stop()"},
			{LegEvent{Leg: "caller", Kind: LegRecorded, Path: "/state/spool/201_c1_1.wav", Length: 9 * time.Second, Why: ivr.WhyLeft}, "deliver(201,201_c1_1,9s) end(normal,caller)"},
		},
		"a caller who hangs up in a menu is gone at once": {
			{Begin{menu()}, "accept play(caller,prompt:welcome)"},
			{LegEvent{Leg: "caller", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, "end(normal,caller)"},
		},
		"an echo ends by itself when it is forgotten": {
			{Begin{Decision{Kind: ToEcho}}, "accept echo(caller)"},
			{Wake{wakeTest}, "hangup(caller,normal) end(normal,box)"},
		},
		"a call transferred into a menu tells the transferor so": talking(
			move{refer202, "refer(x,202) part(caller) queue(AgentDisengaged) route(202 as phone:x)"},
			move{Rerouted{menu()}, "notify(x,200,final) hangup(x,transferred) play(caller,prompt:welcome)"},
		),
	})
}

func TestAMenuAndAMessageSurviveACrash(t *testing.T) {
	for name, tc := range map[string]struct {
		d     Decision
		moves []any
		want  string
	}{
		"in a menu the words are said again": {menu(), nil, "play(caller,prompt:welcome)"},
		"while a message is left what was said is kept and the caller speaks on": {deposit(), []any{
			LegEvent{Leg: "caller", Kind: LegPlayed}, LegEvent{Leg: "caller", Kind: LegPlayed},
		}, "deliver(201,201_c1_1,0s) play(caller,tone_beep)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := incoming()
			s, _ = Next(s, Begin{tc.d}, noon)
			for _, m := range tc.moves {
				s, _ = Next(s, m, noon)
			}
			b, err := s.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if s, err = Restore(b); err != nil {
				t.Fatal(err)
			}
			_, out := Next(s, Scripted{ivr.Resumed{}}, noon)
			if got := brief(out); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}
