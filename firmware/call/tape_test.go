package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// reels is a Recorder that keeps books.
type reels struct {
	mu      sync.Mutex
	rule    func(TapeAsk) TapeRule
	running map[string]*reel
	over    []*reel
	asked   []TapeAsk
	forgot  []string
}

// reel is one part: what it was given and how long it ran and kept.
type reel struct {
	Tape
	since  time.Time // of running, or of the pause
	paused string
	kept   time.Duration
	ran    time.Duration
	why    string
	failed func(string)
}

func newReels(rule TapeRule) *reels {
	return &reels{running: map[string]*reel{}, rule: func(TapeAsk) TapeRule { return rule }}
}

func (r *reels) Judge(ask TapeAsk) TapeRule {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, ask)
	return r.rule(ask)
}

func (r *reels) Begin(t Tape, legs []Leg, failed func(string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[t.ID] = &reel{Tape: t, since: time.Now(), failed: failed}
}

func (r *reel) tick() {
	d := time.Since(r.since)
	r.since = time.Now()
	r.ran += d
	if r.paused == "" {
		r.kept += d
	}
}

func (r *reels) Pause(id, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.running[id]; x != nil {
		x.tick()
		x.paused = why
	}
}

func (r *reels) End(id, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.running[id]; x != nil {
		x.tick()
		x.why = why
		r.over = append(r.over, x)
		delete(r.running, id)
	}
}

func (r *reels) Forget(chains []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgot = append(r.forgot, chains...)
}

// now is the part that runs alone; nil when none does.
func (r *reels) now(t *testing.T) *reel {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.running) > 1 {
		t.Fatalf("%d parts run", len(r.running))
	}
	for _, x := range r.running {
		return x
	}
	return nil
}

// ends are the reasons of the parts that are over, in their order.
func (r *reels) ends() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.over {
		all = append(all, x.why)
	}
	return all
}

// taped runs an office whose conversations are recorded by a rule.
func (o *office) taped(name string, rule TapeRule, do func(o *office, r *reels)) {
	o.run(name, func(o *office) {
		r := newReels(rule)
		o.recorder = r
		o.x = o.exchange()
		do(o, r)
	})
}

// fromOutside brings a caller from a trunk to a phone that answers.
func (o *office) fromOutside(phone tel.DeviceID) (caller, called *fakeLeg) {
	o.t.Helper()
	caller = o.dial("trunk:tim", tel.Number(phone))
	called = o.phone(phone)
	called.answers()
	return caller, called
}

var always = TapeRule{Mode: TapeAlways, Purpose: "quality", Keep: time.Hour, OptOut: '9', Demand: "*1", Pause: "*3"}

func with(change func(*TapeRule)) TapeRule {
	r := always
	change(&r)
	return r
}

func (l *fakeLeg) presses(keys string) {
	for _, k := range keys {
		l.says(LegEvent{Kind: LegDigit, Digit: k})
	}
}

func TestWhatIsRecordedOfACall(t *testing.T) {
	o := &office{t: t}
	o.taped("from the bridge to the end, the customer first", always, func(o *office, r *reels) {
		t := o.t
		caller := o.dial("trunk:tim", "201")
		if r.now(t) != nil {
			t.Error("a ringing call is recorded")
		}
		called := o.phone("201")
		called.answers()
		part := r.now(t)
		if part == nil || !slices.Equal(part.Legs, []tel.LegID{caller.id, called.id}) || part.Chain != string(part.Call) || !slices.Equal(part.Agents, []tel.AgentID{"agent201"}) {
			t.Fatalf("%+v", part)
		}
		if want := (TapeAsk{Direction: tel.Inbound, Agents: []tel.AgentID{"agent201"}, Via: []string{"trunk:tim"}}); fmt.Sprint(r.asked) != fmt.Sprint([]TapeAsk{want}) {
			t.Errorf("asked %+v", r.asked)
		}
		time.Sleep(5 * time.Second)
		caller.hangsUp()
		if ends := r.ends(); !slices.Equal(ends, []string{TapeCallEnd}) || r.over[0].kept != 5*time.Second {
			t.Errorf("ends %v", ends)
		}
		rec := o.records[0].Recordings
		if len(rec) != 1 || rec[0].ID != part.ID || rec[0].To.Sub(rec[0].From) != 5*time.Second || rec[0].Why != TapeCallEnd {
			t.Errorf("the record names %+v", rec)
		}
	})
	o.taped("an outgoing one too, the customer first", always, func(o *office, r *reels) {
		t := o.t
		from := o.dial("phone:201", "3331234567")
		o.lineUse.answers()
		if part := r.now(t); part == nil || !slices.Equal(part.Legs, []tel.LegID{o.lineUse.id, from.id}) {
			t.Errorf("%+v", part)
		}
		from.hangsUp()
	})
	o.taped("not an emergency call", always, func(o *office, r *reels) {
		t := o.t
		from := o.dial("phone:201", "112")
		o.lineUse.answers()
		if part := r.now(t); part != nil {
			t.Errorf("%+v", part)
		}
		from.hangsUp()
	})
	o.taped("nothing where no rule says so", TapeRule{}, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		called.presses("*1*3")
		if r.now(t) != nil {
			t.Error("it is recorded")
		}
		caller.hangsUp()
	})
	o.taped("not what is said while one holds the other, unless the rule says so", always, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		called.says(LegEvent{Kind: LegHeld, Held: true})
		if r.now(t).paused != TapeHold {
			t.Errorf("%+v", r.now(t))
		}
		called.says(LegEvent{Kind: LegHeld, Held: false})
		if r.now(t).paused != "" {
			t.Errorf("%+v", r.now(t))
		}
		r.rule = func(TapeAsk) TapeRule { return with(func(r *TapeRule) { r.OnHold = true }) }
		caller.hangsUp()
		_, called = o.fromOutside("202")
		called.says(LegEvent{Kind: LegHeld, Held: true})
		if r.now(t).paused != "" {
			t.Errorf("%+v", r.now(t))
		}
		called.hangsUp()
	})
}

func TestWhatAgentsDoWithARecording(t *testing.T) {
	o := &office{t: t}
	o.taped("an agent pauses it for the number of a card and goes on", always, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		called.presses("*3")
		if r.now(t).paused != TapeCard {
			t.Error("not paused")
		}
		o.wants("the agent", called, "play recording_paused")
		called.says(LegEvent{Kind: LegHeld, Held: true}) // a pause is a pause
		called.says(LegEvent{Kind: LegHeld, Held: false})
		if r.now(t).paused != TapeCard {
			t.Errorf("a hold has ended the pause: %+v", r.now(t))
		}
		caller.presses("*3") // the customer's keys are not an agent's
		if r.now(t).paused != TapeCard {
			t.Error("a customer has ended the pause")
		}
		called.presses("*3")
		if r.now(t).paused != "" {
			t.Error("it does not go on")
		}
		if err := o.x.Tape("agent201", TapePause); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if r.now(t).paused != TapeCard {
			t.Error("the page does not pause it")
		}
		called.presses("*1") // what the house wants is not for an agent to end
		if r.now(t) == nil {
			t.Error("an agent has ended it")
		}
		o.wants("the agent", called, "play recording_not_here")
		caller.hangsUp()
		if err := o.x.Tape("agent201", TapePause); err == nil {
			t.Error("a conversation that is over is paused")
		}
	})
	o.taped("on demand an agent begins and ends it, in the same chain", with(func(r *TapeRule) { r.Mode = TapeDemand }), func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		if r.now(t) != nil {
			t.Error("nobody has asked for it")
		}
		called.presses("5*1")
		first := r.now(t)
		called.presses("*1")
		if r.now(t) != nil || first == nil {
			t.Fatalf("first %+v", first)
		}
		called.presses("*1")
		if second := r.now(t); second == nil || second.Chain != first.Chain || second.ID == first.ID {
			t.Errorf("%+v after %+v", second, first)
		}
		if ends := r.ends(); !slices.Equal(ends, []string{TapeStopped}) {
			t.Errorf("ends %v", ends)
		}
		caller.hangsUp()
	})
}

func TestACallerIsToldAndCanOptOut(t *testing.T) {
	o := &office{t: t}
	noticed := with(func(r *TapeRule) { r.Notice = true })
	o.taped("both hear the notice, and it begins behind it", noticed, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		o.wants("the caller", caller, "play recording_notice")
		o.wants("the agent", called, "play recording_notice")
		if r.now(t) != nil {
			t.Error("it runs before the caller knows")
		}
		called.says(LegEvent{Kind: LegPlayed}) // it is the caller's ear that counts
		if r.now(t) != nil {
			t.Error("it runs before the caller knows")
		}
		caller.says(LegEvent{Kind: LegPlayed})
		if r.now(t) == nil {
			t.Error("it does not begin")
		}
		time.Sleep(noticeWait + time.Second) // the timer of the notice finds nothing to do
		synctest.Wait()
		if len(r.ends()) > 0 {
			t.Errorf("ends %v", r.ends())
		}
		caller.hangsUp()
	})
	o.taped("one that a hold has cut is said again", noticed, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		called.says(LegEvent{Kind: LegHeld, Held: true})
		called.says(LegEvent{Kind: LegHeld, Held: false})
		o.wants("the caller", caller, "join "+string(called.id), "play recording_notice")
		caller.says(LegEvent{Kind: LegPlayed})
		if r.now(t) == nil {
			t.Error("it does not begin")
		}
		caller.hangsUp()
	})
	o.taped("who never hears it is not recorded", noticed, func(o *office, r *reels) {
		t := o.t
		caller, _ := o.fromOutside("201")
		time.Sleep(5 * noticeWait)
		synctest.Wait()
		said := 0
		for _, line := range caller.told() {
			if line == "play recording_notice" {
				said++
			}
		}
		if said != maxNotices || r.now(t) != nil {
			t.Errorf("it was said %d times", said)
		}
		caller.hangsUp()
	})
	o.taped("colleagues need no notice", noticed, func(o *office, r *reels) {
		t := o.t
		from := o.dial("phone:201", "202")
		o.phone("202").answers()
		if r.now(t) == nil {
			t.Error("it does not begin")
		}
		from.hangsUp()
	})
	o.taped("the key ends it, deletes it, and nothing records the caller any more", noticed, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		caller.says(LegEvent{Kind: LegPlayed})
		called.presses("9") // an agent's key is none
		chain := r.now(t).Chain
		caller.presses("9")
		if r.now(t) != nil || !slices.Equal(r.forgot, []string{chain}) || !slices.Equal(r.ends(), []string{TapeOptOut}) {
			t.Errorf("forgot %v, ends %v", r.forgot, r.ends())
		}
		o.wants("the caller", caller, "play recording_refused")
		called.presses("*1")
		called.says(LegEvent{Kind: LegRefer, To: "202"})
		o.phone("202").answers()
		if r.now(t) != nil {
			t.Error("it begins again behind a transfer")
		}
		caller.hangsUp()
		if rec := o.records[0].Recordings; len(rec) != 1 || rec[0].Why != TapeOptOut {
			t.Errorf("the record names %+v", rec)
		}
	})
	o.taped("also while the notice is said", noticed, func(o *office, r *reels) {
		t := o.t
		caller, _ := o.fromOutside("201")
		caller.presses("9")
		caller.says(LegEvent{Kind: LegPlayed}) // of what the key has cut
		if r.now(t) != nil || len(r.ends()) != 0 {
			t.Error("it begins")
		}
		caller.hangsUp()
	})
	o.taped("a key without a notice is a key", always, func(o *office, r *reels) {
		t := o.t
		caller, called := o.fromOutside("201")
		caller.presses("9")
		if r.now(t) == nil {
			t.Error("a caller who was told of no key has ended it")
		}
		o.wants("the agent", called, "dtmf 9")
		caller.hangsUp()
	})
}

func TestAQueuesGreetingTellsThatItIsRecorded(t *testing.T) {
	queue := Decision{Kind: ToQueue, Queue: "sales", Notice: true, OptOut: '9'}
	rule := with(func(r *TapeRule) { r.Notice = true })
	start := func() State {
		s := incoming()
		s.Caller.Party = "trunk:tim"
		s, _ = Next(s, Begin{queue}, noon)
		return s
	}
	answered := func(s State) (State, []Effect) {
		s, _ = Next(s, tel.Offer{Offer: "o1", Call: "c1", Queue: "sales", Agent: "anna", Ring: time.Minute}, noon)
		s, _ = Next(s, Dialed{Key: "o1", Legs: legs("x")}, noon)
		s, _ = Next(s, LegEvent{Leg: "x", Kind: LegAnswered}, noon)
		return Next(s, TapeJudged{rule}, noon)
	}
	begins := func(out []Effect) bool {
		return slices.ContainsFunc(out, func(e Effect) bool { _, ok := e.(DoTape); return ok })
	}
	s := start()
	s, _ = Next(s, LegEvent{Leg: "caller", Kind: LegPlayed}, noon)
	if _, out := answered(s); !begins(out) {
		t.Errorf("a caller who has heard the greeting is told again: %v", out)
	}
	if _, out := answered(start()); begins(out) {
		t.Error("a caller whose greeting an answer has cut is recorded untold")
	}
	s, out := Next(start(), LegEvent{Leg: "caller", Kind: LegDigit, Digit: '9'}, noon)
	if slices.ContainsFunc(out, func(e Effect) bool { q, ok := e.(DoTellQueue); _, key := q.Message.(tel.CallerKey); return ok && key }) {
		t.Error("the key goes to the queue")
	}
	s, _ = Next(s, LegEvent{Leg: "caller", Kind: LegPlayed}, noon)
	if !s.Greeted {
		t.Error("the caller hears nothing any more")
	}
	if _, out := answered(s); begins(out) {
		t.Error("who has opted out is recorded")
	}
	s = incoming()
	s.Caller.Party = "phone:209"
	if s, _ = Next(s, Begin{queue}, noon); s.Tape.Greeting {
		t.Error("a colleague is told")
	}
}

func TestADiskThatRefusesIsTriedAgain(t *testing.T) {
	o := &office{t: t}
	o.taped("while the conversation goes on", always, func(o *office, r *reels) {
		t := o.t
		caller, _ := o.fromOutside("201")
		first := r.now(t)
		time.Sleep(3 * time.Second)
		r.End(first.ID, "")
		first.failed("no space left on device")
		synctest.Wait()
		if r.now(t) != nil {
			t.Error("it is tried again at once")
		}
		time.Sleep(tapeRetry)
		synctest.Wait()
		if second := r.now(t); second == nil || second.ID == first.ID || second.Chain != first.Chain {
			t.Errorf("%+v", second)
		}
		first.failed("once more") // of a part that is over: nothing
		synctest.Wait()
		if r.now(t) == nil {
			t.Error("another part has ended")
		}
		caller.hangsUp()
		rec := o.records[0].Recordings
		if len(rec) != 2 || rec[0].Failed == "" || rec[0].To.Sub(rec[0].From) != 3*time.Second || rec[1].Failed != "" {
			t.Errorf("%+v", rec)
		}
	})
}

func TestARecordingGoesOnInTheNextProcess(t *testing.T) {
	s := incoming()
	s.Caller.Party = "trunk:tim"
	s, _ = Next(s, Begin{Decision{Kind: ToDevices, Devices: []tel.DeviceID{"x"}, Agent: "anna"}}, noon)
	s, _ = Next(s, Dialed{Key: "direct", Legs: legs("x")}, noon)
	s, _ = Next(s, LegEvent{Leg: "x", Kind: LegAnswered}, noon)
	s, _ = Next(s, TapeJudged{always}, noon)
	s, _ = Next(s, TapeOrder{TapePause}, noon)
	b, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Restore(b)
	if err != nil {
		t.Fatal(err)
	}
	if !back.resumeTape(noon.Add(time.Second)) {
		t.Fatal("nothing is to be gone on with")
	}
	back, out := Next(back, Wake{wakeTape}, noon.Add(time.Second))
	var order []string
	for _, e := range out {
		order = append(order, fmt.Sprintf("%T", e))
	}
	if !slices.Equal(order, []string{"call.DoTape", "call.DoPauseTape"}) || len(back.Tapes) != 2 || back.Tapes[0].Why != TapeCrashed || back.Tapes[1].Chain != back.Tapes[0].Chain {
		t.Errorf("%v, %+v", order, back.Tapes)
	}
	if back.resumeTape(noon) != true || (&State{}).resumeTape(noon) {
		t.Error("what ran is not known")
	}
}

// books follows, from outside, who hears whom and what is recorded of it.
type books struct {
	o      *office
	r      *reels
	heard  map[string]time.Duration // by pair
	legs   map[string]bool          // of customers
	random *rand.Rand
}

func pairName(a, b tel.LegID) string {
	if a > b {
		a, b = b, a
	}
	return string(a + " " + b)
}

// pairs are those who hear each other now.
func (k *books) pairs() map[string]bool {
	k.o.mu.Lock()
	all := slices.Clone(k.o.all)
	k.o.mu.Unlock()
	pairs := map[string]bool{}
	for _, l := range all {
		l.mu.Lock()
		other := l.with
		l.mu.Unlock()
		if other != nil {
			pairs[pairName(l.id, other.id)] = true
		}
	}
	return pairs
}

// look fails unless exactly those who hear each other are recorded, and lets time pass.
func (k *books) look(t *testing.T, what string) {
	t.Helper()
	synctest.Wait()
	pairs := k.pairs()
	k.r.mu.Lock()
	recorded := map[string]bool{}
	for _, x := range k.r.running {
		name := pairName(x.Legs[0], x.Legs[1])
		if x.paused == "" {
			if recorded[name] || !pairs[name] {
				t.Fatalf("after %s %s is recorded, and they do not hear each other or are recorded twice: %v", what, name, pairs)
			}
			recorded[name] = true
		}
	}
	k.r.mu.Unlock()
	for name := range pairs {
		if !recorded[name] {
			t.Fatalf("after %s %s is not recorded", what, name)
		}
	}
	pass := time.Duration(1+k.random.IntN(20)) * 100 * time.Millisecond
	for name := range pairs {
		k.heard[name] += pass
	}
	time.Sleep(pass)
}

// act does something that phones do.
func (k *books) act(n int) string {
	o, r := k.o, k.random
	phones := []tel.DeviceID{"201", "202", "203", "204", "205"}
	phone := func() tel.DeviceID { return phones[r.IntN(len(phones))] }
	o.mu.Lock()
	live := slices.DeleteFunc(slices.Clone(o.all), (*fakeLeg).over)
	o.mu.Unlock()
	if len(live) == 0 {
		n = 0
	}
	pick := func() *fakeLeg { return live[r.IntN(len(live))] }
	switch n {
	case 0:
		o.dial("trunk:tim", tel.Number(phone()))
		return "a call comes in"
	case 1:
		o.dial("phone:"+string(phone()), []tel.Number{tel.Number(phone()), "701", "702", "*8" + tel.Number(phone()), "3331234567"}[r.IntN(5)])
		return "a phone dials"
	case 2, 3, 4:
		for _, l := range live {
			if l.with == nil && !slices.Contains(l.told(), "accept") && strings.HasPrefix(strings.Join(l.told(), ","), "rings") && !slices.ContainsFunc(l.told(), func(s string) bool { return strings.HasPrefix(s, "join") }) {
				l.answers()
				return "a phone answers"
			}
		}
		if o.lineUse != nil && !o.lineUse.over() {
			o.lineUse.answers()
			return "the line answers"
		}
		return "nothing"
	case 5:
		pick().says(LegEvent{Kind: LegHeld, Held: r.IntN(2) == 0})
		return "a hold"
	case 6:
		pick().says(LegEvent{Kind: LegRefer, To: []tel.Number{tel.Number(phone()), "*70", "701", "999"}[r.IntN(4)]})
		return "a blind transfer"
	case 7:
		l := pick()
		for _, m := range live {
			if m != l && m.party == l.party {
				l.says(LegEvent{Kind: LegRefer, Replaces: m.ref})
				return "an attended transfer"
			}
		}
		return "nothing"
	case 8:
		if r.IntN(3) == 0 {
			pick().hangsUp()
			return "a hang-up"
		}
		return "nothing"
	default:
		time.Sleep(time.Duration(r.IntN(70)) * time.Second)
		return "time"
	}
}

// Whatever is transferred, held, parked, picked up and hung up in whatever order: what two say to each other is
// recorded, every second of it and nothing else, the records name it, and what is recorded of one customer hangs
// together.
func TestWhateverHappensToACallEverySecondOfItIsRecordedInOneChain(t *testing.T) {
	rounds := uint64(150)
	if testing.Short() {
		rounds = 30
	}
	for seed := range rounds {
		o := &office{t: t}
		o.taped(fmt.Sprint("seed ", seed), always, func(o *office, r *reels) {
			t := o.t
			k := &books{o: o, r: r, heard: map[string]time.Duration{}, random: rand.New(rand.NewPCG(seed, 3))}
			for range 60 {
				k.look(t, k.act(k.random.IntN(10)))
			}
			for _, l := range slices.Clone(o.all) {
				if !l.over() {
					l.hangsUp()
				}
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			k.balance(t)
		})
	}
}

// balance compares what was heard with what was recorded, and both with the records of the calls.
func (k *books) balance(t *testing.T) {
	t.Helper()
	kept, named := map[string]time.Duration{}, map[string]bool{}
	for _, x := range k.r.over {
		kept[pairName(x.Legs[0], x.Legs[1])] += x.kept
	}
	chains := map[string]string{} // each leads to another one that hangs together with it
	root := func(c string) string {
		for chains[c] != "" && chains[c] != c {
			c = chains[c]
		}
		return c
	}
	var all []tel.Recorded
	for _, rec := range k.o.records {
		for _, p := range rec.Recordings {
			all = append(all, p)
			named[p.ID] = true
			for _, c := range p.Also {
				chains[root(c)] = root(p.Chain)
			}
			i := slices.IndexFunc(k.r.over, func(x *reel) bool { return x.ID == p.ID })
			if i < 0 || k.r.over[i].ran != p.To.Sub(p.From) {
				t.Errorf("the record names %+v, which was not recorded so", p)
			}
		}
	}
	for name, d := range k.heard {
		if kept[name] < d { // what passed in an act is not in the books of who heard whom
			t.Errorf("%s heard each other for %v, %v are recorded", name, d, kept[name])
		}
	}
	for _, x := range k.r.over {
		if !named[x.ID] {
			t.Errorf("no record names %s", x.ID)
		}
	}
	if len(k.r.running) > 0 {
		t.Errorf("%d parts run behind the end of every call", len(k.r.running))
	}
	of := map[tel.LegID]string{}
	for _, p := range all {
		for _, leg := range p.Legs {
			i := slices.IndexFunc(k.o.all, func(l *fakeLeg) bool { return l.id == leg })
			if !strings.HasPrefix(k.o.all[i].party, "trunk:") {
				continue
			}
			if was := of[leg]; was != "" && root(was) != root(p.Chain) {
				t.Errorf("customer %s is in the chains %s and %s, which do not hang together", leg, was, p.Chain)
			}
			of[leg] = p.Chain
		}
	}
}
