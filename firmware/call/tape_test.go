package call

import (
	"fmt"
	"slices"
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
	full, _ := Next(back, TapeFailed{back.Tape.Now, "the disk is full"}, noon.Add(2*time.Second))
	if !full.resumeTape(noon.Add(3 * time.Second)) {
		t.Fatal("a disk that was full when the process died is not tried again")
	}
	if full, _ = Next(full, Wake{wakeTape}, noon.Add(3*time.Second)); full.Tape.Now == "" || full.Tape.Chain != back.Tape.Chain {
		t.Errorf("behind a full disk: %+v", full.Tape)
	}
	if back.resumeTape(noon) != true || (&State{}).resumeTape(noon) {
		t.Error("what ran is not known")
	}
}
