package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// spoken lists what a caller is told within d, as "seconds: what"; each announcement takes as long as
// told. Nobody else joins or leaves.
func (o *office) spoken(call tel.CallID, d, each time.Duration) []string {
	var all []string
	begin, end := o.now, o.now.Add(d)
	over := time.Time{}
	for {
		at, ok := o.s.Deadline()
		if !over.IsZero() && (!ok || over.Before(at)) {
			at, ok = over, true
		}
		if !ok || at.After(end) {
			break
		}
		o.now = at
		if at.Equal(over) {
			over = time.Time{}
			o.tell(tel.Announced{Call: call})
		} else {
			o.do(Tick{})
		}
		for _, m := range sent[tel.Announce](o) {
			if m.Call == call {
				all = append(all, fmt.Sprintf("%v: %s", at.Sub(begin).Seconds(), words(m)))
				over = at.Add(each)
			}
		}
	}
	o.now = end
	return all
}

func words(m tel.Announce) string {
	var w []string
	if m.Position > 0 {
		w = append(w, fmt.Sprint("place ", m.Position))
	}
	if m.MoreThan > 0 {
		w = append(w, fmt.Sprint("more than ", m.MoreThan))
	}
	if m.Estimate {
		w = append(w, "wait")
	}
	if m.Callback != 0 {
		w = append(w, "callback "+string(m.Callback))
	}
	if m.Message != "" {
		w = append(w, m.Message)
	}
	return strings.Join(w, ", ")
}

func TestWhatAWaitingCallerIsTold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spec  WaitingSpec
		ahead int
		want  []string
	}{
		{"nothing is configured", WaitingSpec{}, 1, nil},
		{
			"the place, and again while it stays",
			WaitingSpec{Announce: AnnounceSpec{Position: true, Every: 30 * time.Second}},
			2,
			[]string{"0: place 3", "30: place 3", "60: place 3", "90: place 3"},
		},
		{
			"after a while, with the wait",
			WaitingSpec{Announce: AnnounceSpec{Position: true, Wait: true, After: 20 * time.Second}},
			1,
			[]string{"20: place 2, wait"},
		},
		{"not who is next", WaitingSpec{Announce: AnnounceSpec{Position: true, Every: 30 * time.Second}}, 0, nil},
		{"who is next, when wanted", WaitingSpec{Announce: AnnounceSpec{Position: true, Head: true}}, 0, []string{"0: place 1"}},
		{"nobody behind the limit", WaitingSpec{Announce: AnnounceSpec{Position: true, Limit: 2}}, 2, nil},
		{"more than the limit", WaitingSpec{Announce: AnnounceSpec{Position: true, Limit: 2, MoreThan: true}}, 4, []string{"0: more than 2"}},
		{
			"messages in their order, timed from the end of the last",
			WaitingSpec{Announce: AnnounceSpec{Messages: []string{"m1", "m2"}, MessageEvery: 20 * time.Second}},
			0,
			[]string{"20: m1", "45: m2", "70: m1", "95: m2"},
		},
		{
			"place and messages keep a distance",
			WaitingSpec{Announce: AnnounceSpec{Position: true, Every: 40 * time.Second, Messages: []string{"m1"}, MessageEvery: 35 * time.Second}},
			1,
			[]string{"0: place 2", "35: m1", "50: place 2", "75: m1", "90: place 2"},
		},
		{
			"the callback, once, together with the place",
			WaitingSpec{
				Announce: AnnounceSpec{Position: true, Every: 30 * time.Second},
				Callback: CallbackSpec{Enabled: true, Key: "5", After: 30 * time.Second},
			},
			1,
			[]string{"0: place 2", "30: place 2, callback 5", "60: place 2", "90: place 2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			qs := q1("a")
			qs[0].Waiting = tt.spec
			o := newOffice(t, qs, "a")
			for i := range tt.ahead {
				o.call(tel.CallID(fmt.Sprint("before", i)), "q")
			}
			o.call("c", "q")
			if len(sent[tel.Announce](o)) > 0 {
				t.Fatal("the greeting is cut off")
			}
			var got []string
			o.tell(tel.CallerGreeted{Call: "c"})
			for _, m := range sent[tel.Announce](o) {
				got = append(got, "0: "+words(m))
				o.tell(tel.Announced{Call: "c"})
			}
			got = append(got, o.spoken("c", 95*time.Second, 5*time.Second)...)
			if !slices.Equal(got, tt.want) {
				t.Errorf("heard %q\nwant  %q", got, tt.want)
			}
		})
	}
}

func TestABetterPlaceIsToldAsSoonAsTheGapAllowsAndAWorseOneOnlyWhenWanted(t *testing.T) {
	for _, onlyUp := range []bool{false, true} {
		qs := q1("a")
		qs[0].Waiting.Announce = AnnounceSpec{Position: true, OnlyUp: onlyUp, Head: true}
		o := newOffice(t, qs, "a")
		o.call("before", "q")
		o.call("c", "q")
		o.tell(tel.CallerGreeted{Call: "c"}) // second
		o.tell(tel.Announced{Call: "c"})
		o.wait(5 * time.Second)
		o.tell(tel.Enqueue{Call: "vip", Queue: "q", Priority: 1, EnqueuedAt: o.now}) // third
		if m := sent[tel.Announce](o); len(m) > 0 {
			t.Fatalf("told within the gap: %+v", m)
		}
		var want []string
		if !onlyUp {
			want = []string{"10: place 3"}
		}
		if got := o.spoken("c", 30*time.Second, time.Second); !slices.Equal(got, want) {
			t.Errorf("only up %v: heard %q, want %q", onlyUp, got, want)
		}
		o.tell(tel.CallerGone{Call: "before", Cause: tel.CauseCancelled}) // second
		o.tell(tel.Announced{Call: "c"})
		o.tell(tel.CallerGone{Call: "vip", Cause: tel.CauseCancelled}) // first
		o.spoken("c", 30*time.Second, time.Second)
		if got := o.s.Entries["c"].Speech.Position; got != 1 {
			t.Errorf("only up %v: told place %d last, want 1", onlyUp, got)
		}
	}
}

func TestNothingIsSaidWhileAPhoneRingsForTheCaller(t *testing.T) {
	qs := q1("a")
	qs[0].Ring = time.Minute
	qs[0].Waiting.Announce = AnnounceSpec{Messages: []string{"m"}, MessageEvery: 15 * time.Second}
	o := staffed(t, qs, "a")
	of := o.call("c", "q")[0]
	o.tell(tel.OfferRinging{Offer: of.Offer})
	o.tell(tel.CallerGreeted{Call: "c"})
	if got := o.spoken("c", 50*time.Second, time.Second); len(got) > 0 {
		t.Fatalf("heard %q", got)
	}
	o.do(Pause{"a", ""})
	if m := sent[tel.Announce](o); len(m) != 1 || m[0].Message != "m" {
		t.Fatalf("nobody rings any more, and the caller is told %+v", o.out)
	}
}

func TestRandomMessagesNeverComeTwiceInARow(t *testing.T) {
	qs := q1("a")
	all := []string{"m1", "m2", "m3"}
	qs[0].Waiting.Announce = AnnounceSpec{Messages: all, MessageEvery: 15 * time.Second, Random: true}
	o := newOffice(t, qs, "a")
	o.call("c", "q")
	o.tell(tel.CallerGreeted{Call: "c"})
	seen, last := map[string]int{}, ""
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		at, _ := o.s.Deadline()
		o.now = at
		o.s, o.out = Next(o.s, Tick{}, o.now, r.Uint64())
		for _, m := range sent[tel.Announce](o) {
			if m.Message == last {
				t.Fatalf("%s twice in a row", last)
			}
			last = m.Message
			seen[last]++
			o.tell(tel.Announced{Call: "c"})
		}
	}
	for _, m := range all {
		if seen[m] < 5 {
			t.Errorf("%s was said %d times: %v", m, seen[m], seen)
		}
	}
}

// The call has died in the middle of an announcement, or the word of its end was lost: the next ones come all the same,
// one after the other and not at once, and the caller is served, rung for again and sent on as if it had ended.
func TestAnAnnouncementWhoseEndIsNeverToldDoesNotSilenceTheQueue(t *testing.T) {
	qs := q1("a")
	qs[0].Waiting.Announce = AnnounceSpec{Position: true, Head: true, Every: 20 * time.Second}
	qs[0].MaxWait, qs[0].MaxWaitTo = 10*time.Minute, "voicemail:201"
	o := newOffice(t, qs, "a")
	o.tell(tel.AgentReachable{Agent: "a", Reachable: true})
	o.call("c", "q")
	o.tell(tel.CallerGreeted{Call: "c"})
	if m := sent[tel.Announce](o); len(m) != 1 || m[0].Position != 1 {
		t.Fatalf("after the greeting %+v", m)
	}
	never := time.Hour
	var want []string
	for at := announceFor; at <= 4*announceFor; at += announceFor {
		want = append(want, fmt.Sprintf("%v: place 1", at.Seconds()))
	}
	if got := o.spoken("c", 4*announceFor, never); !slices.Equal(got, want) {
		t.Fatalf("heard %q, want %q", got, want)
	}
	o.wait(announceFor / 2)
	o.do(Login{"a"}) // in the middle of one
	of := o.one()
	o.tell(tel.OfferRinging{Offer: of.Offer})
	if got := o.spoken("c", 14*time.Second, never); len(got) > 0 {
		t.Fatalf("heard %q while the phone rings", got)
	}
	o.tell(tel.OfferFailed{Offer: of.Offer, Cause: tel.CauseRejected})
	o.do(Pause{"a", ""})
	if got := o.spoken("c", 2*announceFor, never); len(got) < 2 {
		t.Fatalf("heard %q after the ring", got)
	}
	o.do(Resume{"a"})
	o.tell(tel.OfferAnswered{Offer: o.one().Offer})
	if l := o.wantLeft(0, tel.OutcomeAnswered, ""); l.Agent != "a" {
		t.Errorf("served by %q", l.Agent)
	}

	o.call("d", "q")
	o.tell(tel.CallerGreeted{Call: "d"})
	o.spoken("d", 10*time.Minute, never)
	o.wantLeft(1, tel.OutcomeTimedOut, "")
	if len(o.s.Entries) != 0 {
		t.Fatalf("%+v is in limbo", o.s.Entries)
	}
}
