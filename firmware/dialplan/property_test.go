package dialplan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// world makes plans, people and calls out of random numbers.
type world struct {
	*rand.Rand
	p Plan
}

var outsideNumbers = []tel.Number{
	"0287654321", "3331234567", "800123456", "187", "1254", "899123456", "48383", "00442071234567", "+18765550100", "+881612345678",
	"+390287654321", "00393331234567", "118", "+39112", "0112", "1515", "7020001033", "299", "+15155550100", "0118765432",
}

var internalNumbers = []tel.Number{"201", "202", "203", "204", "290", "301", "703"}

func one[T any](w *world, of ...T) T { return of[w.IntN(len(of))] }

func (w *world) chance(percent int) bool { return w.IntN(100) < percent }

func (w *world) destination() string {
	return one(w, "", "queue:sales", "ext:"+string(one(w, internalNumbers...)), "group:g", "hours:h", "voicemail:201", "menu:m", "say:x", "echo", "hangup",
		"outside:"+string(one(w, outsideNumbers...)), "outside:"+string(one(w, outsideNumbers...)), "rubbish")
}

func (w *world) classes() []Class {
	if w.chance(20) {
		return nil
	}
	all := []Class{}
	for _, c := range Classes() {
		if w.chance(50) {
			all = append(all, c)
		}
	}
	return all
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
	w.p = Plan{
		Queues: []QueueNumber{{"301", "sales"}}, Menus: []string{"m"}, Anonymous: one(w, "", "", "reject", w.destination()),
		OutsidePrefix: one[tel.Number](w, "", "", "0", "9"),
	}
	for i, n := range []tel.Number{"201", "202", "203", "204"} {
		x := Extension{
			Number: n, Agent: one(w, "", tel.AgentID("p"+n), tel.AgentID("p"+n)), Allow: w.classes(), Mailbox: w.chance(50), Office: w.chance(50),
			Forward: Forwards{Busy: one(w, "", w.destination()), NoAnswer: w.destination(), Unreachable: w.destination()}, Anonymous: one(w, "", w.destination()),
		}
		if w.chance(80) {
			x.Devices = []tel.DeviceID{tel.DeviceID("d" + n)}
		}
		if w.chance(30) {
			x.PIN, x.PINAllow = "4711", w.classes()
		}
		if w.chance(20) {
			x.Forward.Always = w.destination()
		}
		for w.chance(30) {
			x.Follow = append(x.Follow, FollowStep{one(w, "ext:202", "outside:"+string(one(w, outsideNumbers...))), time.Duration(w.IntN(40)) * time.Second})
		}
		_ = i
		w.p.Extensions = append(w.p.Extensions, x)
	}
	w.p.Groups = []Group{{ID: "g", Number: "290", Members: []Member{{w.destination(), 0}, {"ext:201", time.Second}, {w.destination(), 0}}, NoAnswer: w.destination(), InTurn: w.chance(50)}}
	w.p.Hours = []Hours{{ID: "h", Key: 1, Open: []Span{{[]time.Weekday{1, 2}, 0, 12 * time.Hour}}, Then: w.destination(), Closed: w.destination()}}
	for _, via := range []string{"trunk:a", "line:b", "line:c"} {
		if w.chance(80) {
			w.p.Outlets = append(w.p.Outlets, Outlet{Via: via, Emergency: w.chance(30), Mobile: via == "line:b", Number: tel.Number("+3902" + fmt.Sprint(1000000+w.IntN(9)))})
		}
	}
	for range 1 + w.IntN(5) {
		w.p.Routes = append(w.p.Routes, OutsideRoute{
			Prefix: one[tel.Number](w, "", "+", "+39", "+393", "1", "+44"), Via: []string{one(w, "trunk:a", "line:b")}, Form: one(w, National, E164),
			Strip: w.IntN(4), Prepend: one[tel.Number](w, "", "", "0", "1", "11", "112", "00"),
		})
	}
	w.p.Inbound = []Inbound{{Via: "trunk:a", To: w.destination()}, {Via: "line:b", To: w.destination()}}
	for range w.IntN(12) { // people at their phones
		d := Route(w.p, w.request())
		w.p.Personal = w.p.Personal.With(d.Change)
	}
	return w
}

// request is somebody who dials something.
func (w *world) request() Request {
	r := Request{At: monday.Add(time.Duration(w.IntN(72)) * time.Hour), Caller: one[tel.Number](w, "", "+390244444444", "3339999999"), PIN: one(w, "", "4711", "0000")}
	switch w.IntN(8) {
	case 0:
		r.Trunk = "a"
	case 1:
		r.Line = "b"
	default:
		r.Device = one[tel.DeviceID](w, "d201", "d202", "d203", "d204", "nobody")
	}
	number := one(w, append(slices.Clone(outsideNumbers), internalNumbers...)...)
	if w.chance(50) {
		number = w.p.OutsidePrefix + number
	}
	switch w.IntN(3) {
	case 0:
		r.Dialed = number
	default:
		c := one(w, Codes()...)
		r.Dialed = c.Code
		switch c.Behind() {
		case PersonBehind:
			r.Dialed += one(w, internalNumbers...)
		case NumberBehind:
			r.Dialed += number
		case SlotBehind:
			r.Dialed += "07"
		case SlotAndNumber:
			r.Dialed += "07" + number
		case HoursBehind:
			r.Dialed += one[tel.Number](w, "", "1")
		case ReasonBehind, PromptBehind, DispositionBehind:
			r.Dialed += "1"
		case Nothing:
		}
	}
	return r
}

// outcome is a way out of the box that some decision offers.
type outcome struct {
	attempts []Attempt
	class    Class
	as       tel.Number
	number   tel.Number // in the form in which it was dialled or stored, where known
}

// outcomes follows a decision and everything that may come after it: what rings beside, what follows on
// busy, no answer and unreachable.
func outcomes(t *testing.T, p Plan, d Decision, r Request, depth int) []outcome {
	if depth > maxHops+2 {
		t.Fatalf("the chain of %+v does not end", r)
	}
	var all []outcome
	if len(d.Attempts) > 0 {
		all = append(all, outcome{d.Attempts, d.Class, d.As, d.Number})
	}
	if d.Ring == nil {
		return all
	}
	for _, b := range d.Ring.Branches {
		if len(b.Attempts) > 0 {
			all = append(all, outcome{b.Attempts, b.Class, b.As, ""})
		}
		if b.After < 0 || b.For <= 0 {
			t.Fatalf("a branch rings after %v for %v", b.After, b.For)
		}
	}
	for _, to := range []string{d.Ring.OnBusy, d.Ring.OnNoAnswer, d.Ring.OnUnreachable} {
		if to != "" {
			next := Request{At: r.At, Caller: r.Caller, Trunk: r.Trunk, Line: r.Line, As: d.Ring.As, Hops: d.Ring.Hops}
			all = append(all, outcomes(t, p, To(p, to, next), next, depth+1)...)
		}
	}
	return all
}

const worlds = 20_000

// Whatever is forwarded, followed, speed-dialled or written in the configuration: a call leaves with
// somebody's rights only where that person could have dialled it.
func TestNoChainOfForwardsGetsMoreThanDirectDialling(t *testing.T) {
	left, asked := 0, 0
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		for range 8 {
			r := w.request()
			d := Route(w.p, r)
			if d.Action == Emergency {
				continue
			}
			if d.Action == Reject && (d.Cause == tel.CauseNone || d.Cause.SIPStatus() >= 600 || d.Why == "") {
				t.Fatalf("seed %d: %+v is rejected with %v %q", seed, r, d.Cause, d.Why)
			}
			for _, o := range outcomes(t, w.p, d, r, 0) {
				left++
				for _, a := range o.attempts {
					if class, ok := ClassOf(a.Dialed); !ok || class != o.class {
						t.Fatalf("seed %d: %+v leaves to %s, which is no %s number", seed, r, a.Dialed, o.class)
					}
					if reachesEmergency(a.Number) {
						t.Fatalf("seed %d: %+v reaches the emergency number %s", seed, r, a.Number)
					}
				}
				if o.as == "" {
					continue // the owner of the box wrote it
				}
				x, ok := w.p.extension(o.as)
				withPIN := d.Action == Outside && r.PIN == x.PIN && x.PIN != "" && slices.Contains(x.PINAllow, o.class)
				if !ok || !x.may(o.class) && !withPIN {
					t.Fatalf("seed %d: %+v leaves as %s with class %s, which may dial %v", seed, r, o.as, o.class, x.Allow)
				}
				if withPIN && !x.may(o.class) {
					asked++
					if at, _ := w.p.At(r.Device); at.Number != o.as {
						t.Fatalf("seed %d: the PIN of %s works for %s", seed, o.as, at.Number)
					}
				}
			}
		}
	}
	if left < worlds/2 || asked < 50 {
		t.Fatalf("only %d calls left the box, %d with a PIN: this proves nothing", left, asked)
	}
}

// From every phone, in every plan, an emergency number leads to every line in the right order; in test
// mode nothing leads to any line.
func TestEmergencyNumbersAlwaysGetThroughAndInTestModeNever(t *testing.T) {
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		n := one(w, tel.EmergencyNumbers()...)
		r := w.request()
		r.Trunk, r.Line = "", ""
		r.Dialed = one[tel.Number](w, "", w.p.OutsidePrefix, "+39", "0039", w.p.OutsidePrefix+"0039", "#31#") + n
		switch w.IntN(3) {
		case 0:
			r.Device, r.Stranger = "", true
		case 1:
			r.Device = "nobody"
		}
		d := Route(w.p, r)
		var via []string
		for _, a := range d.Attempts {
			i := slices.IndexFunc(w.p.Outlets, func(o Outlet) bool { return o.Via == a.Via })
			if a.Number != n || a.From != w.p.Outlets[i].Number {
				t.Fatalf("seed %d: %s leaves as %+v", seed, r.Dialed, a)
			}
			via = append(via, fmt.Sprint(w.p.Outlets[i].emergencyOrder()))
		}
		if d.Action != Emergency || d.Number != n || len(via) != len(w.p.Outlets) || !slices.IsSorted(via) || d.Hide || d.Change.Kind != "" {
			t.Fatalf("seed %d: %s: %+v", seed, r.Dialed, d)
		}
		w.p.EmergencyTest = w.destination() + one(w, "", "x")
		if w.p.EmergencyTest == "" {
			continue
		}
		d = Route(w.p, r)
		if !d.Test || d.Number != n || d.Action == Emergency || d.Action == Queue || len(outcomes(t, w.p, d, r, 0)) != 0 {
			t.Fatalf("seed %d: in test mode (%s) %s is %+v", seed, w.p.EmergencyTest, r.Dialed, d)
		}
		for range 4 {
			other := w.request()
			for _, o := range outcomes(t, w.p, Route(w.p, other), other, 0) {
				for _, a := range o.attempts {
					if reachesEmergency(a.Number) {
						t.Fatalf("seed %d: in test mode %s reaches %s", seed, other.Dialed, a.Number)
					}
				}
			}
		}
	}
}

func TestAStrangerOnTheNetworkReachesNothingElse(t *testing.T) {
	for _, n := range []tel.Number{"201", "301", "*43", "*11202", "#31#0287654321", "0287654321", "703", ""} {
		if got := brief(Route(site(t), Request{Stranger: true, Dialed: n, At: monday})); got != "reject forbidden unknown_phone" {
			t.Errorf("%s: %s", n, got)
		}
	}
}

func TestInTestModeEmergencyNumbersRingAPhoneOfTheHouse(t *testing.T) {
	p := site(t)
	p.Personal = personal(Change{Kind: DND, Agent: "anna", On: true}, forward("anna", Always, "outside:3331234567"))
	for to, want := range map[string]string{"ext:201": "ring test 112 201,201m", "say:test": "say test 112 test", "echo": "echo test 112", "outside:3331234567": "echo test 112", "ext:204": "echo test 112"} {
		p.EmergencyTest = to
		if got := brief(Route(p, Request{Device: "202", Dialed: "112", At: monday})); got != want {
			t.Errorf("%s: %s, want %s", to, got, want)
		}
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"112", "0112", "+39112", "201", "301", "*43", "*4299", "+3900441", "0039899123", "00", "+", "++39", "0287654321", "12", "116000", "+8811", "3331234567#", "800", "*21*112#", "*007", "#31#118", "*75071"} {
		f.Add(s, "201", uint8(0))
		f.Add(s, "door", uint8(1))
	}
	p := site(f)
	f.Fuzz(func(t *testing.T, dialed, device string, kind uint8) {
		p := p
		if kind&2 != 0 {
			p.OutsidePrefix = "0"
		}
		n := tel.Number(dialed) // also what ParseNumber would refuse: nothing may panic
		d := Route(p, Request{Device: tel.DeviceID(device), Dialed: n, At: monday})
		if n.Emergency() && (d.Action != Emergency || d.Number != n || len(d.Attempts) != 3 || d.Attempts[0].Via != "line:fxo0") {
			t.Fatalf("%q from %q: %+v", dialed, device, d)
		}
		if d.Action == Reject && (d.Cause == tel.CauseNone || d.Cause.SIPStatus() >= 600 || d.Why == "") {
			t.Fatalf("%q: rejected with %v %d %q", dialed, d.Cause, d.Cause.SIPStatus(), d.Why)
		}
		if device == "door" && !slices.Contains([]Action{Reject, Emergency, Echo, Milliwatt, PromptTest, AskPIN, Park}, d.Action) {
			t.Fatalf("%q from the door: %+v", dialed, d)
		}
		for _, a := range d.Attempts {
			if d.Action == Outside && (d.Class == Local || d.Class == Mobile) {
				// As the exchange will read what we dial.
				if s := string(a.Number); strings.HasPrefix(s, "00") || strings.HasPrefix(s, "+") && !strings.HasPrefix(s, "+39") || a.Number.Kind() == tel.KindPremium {
					t.Fatalf("%q is allowed as %s and leaves as %s", dialed, d.Class, a.Number)
				}
			}
		}
		if p.Personal = p.Personal.With(d.Change); d.Action == Set && d.Change.Kind == "" {
			t.Fatalf("%q sets nothing", dialed)
		}
		p.Watched(tel.DeviceID(device), n)
		in := Route(p, Request{Trunk: "tim", Dialed: n, Caller: tel.Number(device), At: monday})
		if in.Action != Queue && in.Action != Rings && in.Action != Menu {
			t.Fatalf("%q from the trunk: %+v", dialed, in)
		}
	})
}
