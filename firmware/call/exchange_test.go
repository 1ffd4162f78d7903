package call

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// fakeLeg records what it was told; script decides how it answers.
type fakeLeg struct {
	unanswered bool // the process died before it did what it had noted

	id     tel.LegID
	ref    string
	party  string
	events func(LegEvent)
	mu     sync.Mutex
	log    []string
	ended  bool
	panics bool
	passes bool     // keys travel inside the audio
	rings  bool     // goes on after Hangup, until it says that it is quiet
	leaves func()   // runs as Hangup begins
	with   *fakeLeg // who is heard, and hears
}

// pair lets a leg hear another, and nobody it heard before.
func (l *fakeLeg) pair(with *fakeLeg) {
	l.mu.Lock()
	was := l.with
	l.with = with
	l.mu.Unlock()
	if was != nil && was != with {
		was.mu.Lock()
		if was.with == l {
			was.with = nil
		}
		was.mu.Unlock()
	}
}

func (l *fakeLeg) note(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, s)
}

func (l *fakeLeg) told() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.log...)
}

func (l *fakeLeg) ID() tel.LegID { return l.id }
func (l *fakeLeg) Party() string {
	if l.party == "" {
		return "phone:201"
	}
	return l.party
}
func (l *fakeLeg) Ref() string      { return l.ref }
func (l *fakeLeg) Alert(early bool) { l.note("alert") }
func (l *fakeLeg) Accept() {
	if l.panics {
		panic("a fault of ours")
	}
	l.note("accept")
}

func (l *fakeLeg) Hangup(why tel.Cause) {
	l.note("hangup " + why.String())
	l.pair(nil)
	if l.leaves != nil {
		l.leaves()
	}
	l.mu.Lock()
	first, rings := !l.ended, l.rings
	l.ended = true
	l.mu.Unlock()
	if first {
		l.events(LegEvent{Leg: l.id, Kind: LegEnded, Cause: why})
		if !rings {
			l.events(LegEvent{Leg: l.id, Kind: LegQuiet})
		}
	}
}
func (l *fakeLeg) Play(s Sound) { l.note("play " + s.Names[0]) }
func (l *fakeLeg) Hush()        { l.note("hush") }

func (l *fakeLeg) Join(other Leg) error {
	l.note("join " + string(other.ID()))
	if o, ok := other.(*fakeLeg); ok {
		l.pair(o)
		o.pair(l)
	}
	return nil
}

func (l *fakeLeg) Part() {
	l.note("part")
	l.pair(nil)
}
func (l *fakeLeg) Echo() { l.note("echo") }
func (l *fakeLeg) Page(to []Leg) error {
	l.note(fmt.Sprint("page ", len(to)))
	return nil
}

func (l *fakeLeg) Mix(parties, watchers []Leg, gain func(from, to int) float64) error {
	for i, to := range slices.Concat(parties, watchers) {
		hears := []string{}
		for j, from := range slices.Concat(parties, watchers) {
			if i != j && gain(j, i) > 0 {
				hears = append(hears, string(from.ID()))
			}
		}
		if f, ok := to.(*fakeLeg); ok {
			f.note("mix " + strings.Join(hears, " "))
		}
	}
	return nil
}
func (l *fakeLeg) StopRecord() { l.note("stop record") }

func (l *fakeLeg) Record(path string, _, _ time.Duration) { l.note("record " + path) }
func (l *fakeLeg) PassesDTMF() bool                       { return l.passes }
func (l *fakeLeg) SendDTMF(d string)                      { l.note("dtmf " + d) }
func (l *fakeLeg) Flash()                                 { l.note("flash") }
func (l *fakeLeg) AnswerRefer(status int)                 { l.note(fmt.Sprint("refer ", status)) }
func (l *fakeLeg) NotifyRefer(status int, final bool) {
	l.note(fmt.Sprint("notify ", status, map[bool]string{true: " final"}[final]))
}

func (l *fakeLeg) Note() tel.LegNote {
	return tel.LegNote{Leg: l.id, Party: l.Party(), Received: 7, Sound: tel.LegSound{Trouble: tel.SoundOneWay, Place: tel.SoundAtPhone}}
}

type fakePlan struct{ d Decision }

func (p fakePlan) Route(string, tel.Number, tel.Number, time.Time) Decision { return p.d }
func (p fakePlan) Resolve(string, string, time.Time) Decision               { return p.d }
func (p fakePlan) Devices(tel.AgentID) []tel.DeviceID                       { return []tel.DeviceID{"201"} }

func (p fakePlan) AgentAt(tel.DeviceID) (tel.AgentID, tel.Number, string) {
	return "anna", "201", "Anna"
}
func (p fakePlan) NameOf(tel.Number) string         { return "" }
func (p fakePlan) DoorAt(tel.DeviceID) (rune, bool) { return 0, false }
func (p fakePlan) Phones(tel.Number) []tel.DeviceID { return nil }
func (p fakePlan) Language() string                 { return "it" }
func (p fakePlan) Zone() string                     { return "Europe/Rome" }

type fakeDialer struct {
	mu   sync.Mutex
	legs []*fakeLeg
}

func (d *fakeDialer) DialDevice(dev tel.DeviceID, o Outgoing, events func(LegEvent)) ([]Leg, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := &fakeLeg{id: tel.NewLegID(), ref: "dialled", events: events}
	d.legs = append(d.legs, l)
	return []Leg{l}, nil
}

func (d *fakeDialer) WhenQuiet(_ []tel.DeviceID, fn func()) { fn() }

func (d *fakeDialer) DialOut(string, tel.Number, Outgoing, func(LegEvent)) (Leg, error) {
	return nil, ErrFull
}

type hot struct {
	mu   sync.Mutex
	last map[string][]byte
}

func (h *hot) Put(_, key string, v []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[key] = slices.Clone(v)
	return nil
}

func (h *hot) Delete(_, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.last, key)
	return nil
}

func (h *hot) load() map[string][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.last)
}

// bench is one exchange with fakes on every side.
type bench struct {
	x       *Exchange
	dialer  *fakeDialer
	journal *hot
	mu      sync.Mutex
	queue   []tel.ToQueue
	records []tel.CallEnded
	shown   []tel.CallStage
}

func (b *bench) publish(e tel.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := e.(tel.CallChanged); ok {
		b.shown = append(b.shown, c.Stage)
	}
}

func newBench(d Decision) *bench {
	b := &bench{dialer: &fakeDialer{}, journal: &hot{last: map[string][]byte{}}}
	b.x = b.exchange(d)
	return b
}

func (b *bench) exchange(d Decision) *Exchange {
	return New(Config{
		Log: slog.New(slog.DiscardHandler), Plan: func() Plan { return fakePlan{d} }, Dialer: b.dialer, Journal: b.journal,
		Queue: func(m tel.ToQueue) bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.queue = append(b.queue, m)
			return true
		},
		Command: func(tel.AgentID, string, string) {},
		Publish: b.publish,
		Record: func(r tel.CallEnded) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.records = append(b.records, r)
		},
	})
}

func (b *bench) arrive(t *testing.T, panics bool) (*fakeLeg, tel.CallID) {
	t.Helper()
	var caller *fakeLeg
	id, err := b.x.Arrive(Arrival{From: "trunk:tim", Caller: "+39061234567", Dialed: "400"}, func(ev func(LegEvent)) Leg {
		caller = &fakeLeg{id: tel.NewLegID(), ref: "arrived", events: ev, panics: panics}
		return caller
	})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return caller, id
}

func (b *bench) close(t *testing.T) {
	t.Helper()
	if err := b.x.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

var toSales = Decision{Kind: ToQueue, Queue: "sales"}

func TestAQueueCallIsAnsweredTalksAndLeavesOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toSales)
		defer b.close(t)
		caller, id := b.arrive(t, false)
		b.x.Deliver(tel.Offer{Offer: "o1", Call: id, Queue: "sales", Agent: "anna", Ring: 10 * time.Second})
		synctest.Wait()
		agent := b.dialer.legs[0]
		agent.events(LegEvent{Leg: agent.id, Kind: LegAnswered})
		synctest.Wait()
		time.Sleep(time.Minute)
		agent.Hangup(tel.CauseNormal)
		synctest.Wait()
		if len(b.records) != 1 || b.records[0].Agent != "anna" || b.records[0].Ended.Sub(b.records[0].Answered) != time.Minute ||
			len(b.records[0].Media) != 2 {
			t.Errorf("records: %+v", b.records)
		}
		if log := caller.told(); log[len(log)-1] != "hangup normal" {
			t.Errorf("caller was told %v", log)
		}
		if len(b.journal.load()) != 0 || len(b.x.Calls()) != 0 {
			t.Errorf("left behind: %d snapshots, %d calls", len(b.journal.load()), len(b.x.Calls()))
		}
	})
}

// Who waits for an answer need not say anything, and many phones send nothing until then.
func TestTheSoundOfACallThatNobodyAnsweredIsNotJudged(t *testing.T) {
	for _, answered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(toSales)
			defer b.close(t)
			caller, id := b.arrive(t, false)
			b.x.Deliver(tel.Offer{Offer: "o1", Call: id, Queue: "sales", Agent: "anna", Ring: 10 * time.Second})
			synctest.Wait()
			if answered {
				agent := b.dialer.legs[0]
				agent.events(LegEvent{Leg: agent.id, Kind: LegAnswered})
				synctest.Wait()
			}
			caller.Hangup(tel.CauseNormal)
			synctest.Wait()
			for _, r := range b.records {
				for _, m := range r.Media {
					if judged := m.Sound.Trouble != tel.SoundFine; judged != answered || m.Received != 7 {
						t.Errorf("answered %v: %+v", answered, m)
					}
				}
			}
			if len(b.records) != 1 || len(b.records[0].Media) == 0 {
				t.Errorf("records: %+v", b.records)
			}
		})
	}
}

func TestAFaultOfOursEndsThatCallAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toSales)
		defer b.close(t)
		_, healthy := b.arrive(t, false)
		bad, _ := b.arrive(t, true)
		if log := bad.told(); len(log) == 0 || log[len(log)-1] != "hangup internal_error" {
			t.Errorf("bad call was told %v", log)
		}
		if calls := b.x.Calls(); len(calls) != 1 || calls[0] != healthy {
			t.Errorf("calls: %v", calls)
		}
	})
}

// finder gives back the legs of the process before, as the signalling layers do after a restart.
func (l *fakeLeg) Unanswered() bool { return l.unanswered }

type finder map[string]*fakeLeg

func (f finder) Find(id tel.LegID, ref, _ string, events func(LegEvent)) (Leg, bool) {
	l, ok := f[ref]
	delete(f, ref) // a leg is found once
	if ok {
		l.mu.Lock()
		l.id, l.events, l.ended, l.log = id, events, false, nil
		l.mu.Unlock()
	}
	return l, ok
}

func TestCallsSurviveACrashOfTheProcess(t *testing.T) {
	type result struct {
		caller, agent []string
		queue         []tel.ToQueue
		says          []tel.Standing
		records       int
		left          int
		shown         []tel.CallStage
	}
	crash := func(t *testing.T, talk, ring, loseCaller bool) (r result) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(toSales)
			caller, id := b.arrive(t, false)
			legs := finder{"arrived": caller}
			if talk || ring {
				b.x.Deliver(tel.Offer{Offer: "o1", Call: id, Queue: "sales", Agent: "anna", Ring: 10 * time.Second})
				synctest.Wait()
				legs["dialled"] = b.dialer.legs[0]
			}
			if talk {
				b.dialer.legs[0].events(LegEvent{Leg: b.dialer.legs[0].id, Kind: LegAnswered})
				synctest.Wait()
			}
			if err := b.x.Abandon(context.Background()); err != nil {
				t.Fatal(err)
			}
			if loseCaller {
				delete(legs, "arrived")
			}
			b.queue, b.records, b.shown = nil, nil, nil
			b.x = b.exchange(toSales)
			dialled := legs["dialled"]
			says, errs := b.x.Restore(b.journal.load(), legs)
			for _, err := range errs {
				t.Errorf("restore: %v", err)
			}
			synctest.Wait()
			r = result{shown: b.shown, queue: b.queue, says: says, records: len(b.records), left: len(b.x.Calls()), caller: caller.told()}
			if dialled != nil {
				r.agent = dialled.told()
			}
			b.close(t)
		})
		return r
	}
	t.Run("a waiting caller hears music again", func(t *testing.T) {
		r := crash(t, false, false, false)
		if r.left != 1 || len(r.caller) != 1 || r.caller[0] != "play music" || r.records != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a conversation is joined again", func(t *testing.T) {
		r := crash(t, true, false, false)
		if r.left != 1 || len(r.caller) != 1 || r.caller[0][:4] != "join" || len(r.queue) > 0 || r.says[0].Waits != nil || len(r.says[0].Holds) != 1 || r.says[0].Holds[0].Offer != "o1" || !r.says[0].Holds[0].Talking || !slices.Equal(r.shown, []tel.CallStage{tel.StageTalking}) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a ringing phone is cancelled and the offer given back", func(t *testing.T) {
		r := crash(t, false, true, false)
		if r.left != 1 || len(r.agent) != 1 || r.agent[0] != "hangup cancelled" || len(r.queue) > 0 || r.says[0].Waits == nil || len(r.says[0].Holds) > 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a call whose caller is gone ends with a record", func(t *testing.T) {
		r := crash(t, true, false, true)
		if r.left != 0 || r.records != 1 || len(r.agent) == 0 || r.agent[0] != "hangup timeout" {
			t.Errorf("%+v", r)
		}
	})
}

// Found beside supervision: a phone without telephone-events got each key twice, once from the bridge
// and once from the call.
func TestAKeyReachesTheOtherPartyOnce(t *testing.T) {
	for name, c := range map[string]struct {
		from, to bool
		party    string
		want     string
		beside   bool
	}{
		"both know telephone-events: the bridge passes them":        {true, true, "phone:202", "", false},
		"only who presses does: the bridge says tones":              {true, false, "phone:202", "", false},
		"who presses does not: the call sends it":                   {false, true, "phone:202", "dtmf 5", false},
		"a line hears nothing of the bridge's keys: the call dials": {true, false, "line:gsm0", "dtmf 5", false},
		"it came by INFO from a phone that knows events, too":       {true, true, "phone:202", "dtmf 5", true},
	} {
		to := &fakeLeg{id: "b", party: c.party, passes: c.to}
		a := &actor{legs: map[tel.LegID]held{"a": {Leg: &fakeLeg{id: "a", passes: c.from}}, "b": {Leg: to}}}
		a.command(DoDigit{From: "a", To: "b", Digit: '5', Beside: c.beside})
		if got := strings.Join(to.told(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The bridge carries a flash to a trunk as the event that it is; a line gets it from the call, once.
func TestAFlashReachesTheOtherPartyOnce(t *testing.T) {
	for name, c := range map[string]struct {
		from   bool
		party  string
		want   string
		beside bool
	}{
		"the bridge passes the event to a trunk":         {true, "trunk:tim", "", false},
		"a line makes it itself":                         {true, "line:fxo0", "flash", false},
		"it came from a page or by INFO, beside the way": {true, "trunk:tim", "flash", true},
		"from a leg whose events no bridge carries":      {false, "trunk:tim", "flash", false},
	} {
		to := &fakeLeg{id: "b", party: c.party, passes: true}
		a := &actor{legs: map[tel.LegID]held{"a": {Leg: &fakeLeg{id: "a", passes: c.from}}, "b": {Leg: to}}}
		a.command(DoFlash{From: "a", To: "b", Beside: c.beside})
		if got := strings.Join(to.told(), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTooManyCallsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(toSales)
		defer b.close(t)
		b.x.cfg.MaxCalls = 1
		b.arrive(t, false)
		_, err := b.x.Arrive(Arrival{From: "trunk:tim"}, func(func(LegEvent)) Leg { t.Error("a leg was made for a refused call"); return nil })
		if err != ErrFull {
			t.Errorf("got %v", err)
		}
	})
}

func TestAFullBoxStillTakesACallForHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(Decision{Kind: ToOutside, Emergency: true, Attempts: []Attempt{{Via: "trunk:tim", Number: "112"}}})
		defer b.close(t)
		b.x.cfg.MaxCalls = 1
		for n := range 1 + emergencyRoom {
			leg := &fakeLeg{id: tel.NewLegID(), ref: fmt.Sprint("r", n)}
			if _, err := b.x.Arrive(Arrival{From: "phone:201", Device: "201", Dialed: "112"}, func(events func(LegEvent)) Leg {
				leg.events = events
				return leg
			}); err != nil {
				t.Fatalf("call %d: %v", n, err)
			}
		}
		if _, err := b.x.Arrive(Arrival{From: "phone:201", Device: "201", Dialed: "112"}, nil); err != ErrFull {
			t.Errorf("a flood of them is not bounded: %v", err)
		}
	})
}
