package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/store"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// lifted is the least level of a voice in a mix, and silent the most of one that is not in it.
const lifted, silent = -25.0, -45.0

// mixed waits until a party hears every one of the voices, and no other.
func mixed(t *testing.T, who string, c *peer.Call, voices ...int) {
	t.Helper()
	settles(t, who, func() error {
		hearing(c)
		pcm := c.Audio().Heard()
		for _, hz := range voices {
			if l := tone.Level(pcm, hz); l < lifted {
				return fmt.Errorf("%d Hz at %.1f of %.1f dB", hz, l, tone.Power(pcm))
			}
		}
		for _, hz := range tone.Others(tones, voices...) {
			if l := tone.Level(pcm, hz); l > silent {
				return fmt.Errorf("%d Hz at %.1f dB, who is not in the conference for it", hz, l)
			}
		}
		return nil
	}, c)
}

// Alice's phone calls two and mixes them with her voice: all three hear each other. The box has two calls
// of one phone at once, both unheld; who leaves takes nobody along.
func TestRFC5359Section2_10ConferenceAtAPhone(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	alice, bob, carol := deskAt(t, o, 201, hzCaller), deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	toBob, b := connected(t, alice, bob, "202")
	hold(t, toBob, true)
	toCarol, c := connected(t, alice, carol, "203")
	allHear(t, "before", ear{"Bob", b, musicHeard}, ear{"Carol", c, hzCaller}, ear{"Alice of Carol", toCarol, hzCarrier})
	hold(t, toBob, false)
	peer.Conference(toBob.Audio(), toCarol.Audio())
	mixed(t, "Bob", b, hzCaller, hzCarrier)
	mixed(t, "Carol", c, hzCaller, hzAgent)
	mixed(t, "Alice of Bob", toBob, hzAgent)
	mixed(t, "Alice of Carol", toCarol, hzCarrier)
	over(t, c, toCarol)
	toBob.Audio().Alone()
	allHear(t, "Carol has left", ear{"Bob", b, hzCaller}, ear{"Alice", toBob, hzAgent})
	over(t, toBob, b)
}

// Linphone mixes those whom it has called. It speaks from a file here, and of that its conference knows
// nothing: Bob and Carol hear each other through it.
func TestRFC5359Section2_10ConferenceAtLinphone(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 3})
	bob, carol := deskAt(t, o, 202, hzAgent), deskAt(t, o, 203, hzCarrier)
	alice := o.Linphone(201, hzCaller)
	alice.Dial("202")
	b := bob.picksUp()
	alice.Until("Media streams established")
	hearsTone(t, "Bob, before", b, hzCaller)
	alice.Hold(1)
	alice.Until("paused")
	alice.Dial("203")
	c := carol.picksUp()
	alice.Until("Media streams established")
	hearsTone(t, "Carol, before", c, hzCaller)
	alice.Conference(2, 1)
	alice.Until("Resuming call 1")
	alice.Until("Media streams established")
	hearsTone(t, "Bob", b, hzCarrier)
	hearsTone(t, "Carol", c, hzAgent)
	alice.Hangup()
	ended(t, b, c)
}

// A carrier's caller, an own phone and Linphone meet in a room behind codes: each hears all others, who is silenced is
// not heard, and after a kill -9 they are as they were.
func TestPhonesLinphoneAndACarriersCallerMeetInARoomThatOutlivesAKill(t *testing.T) {
	t.Parallel()
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{
		Agents: 3, Carrier: 5070, In: "conference:hall",
		Extra: `conferences: [{id: hall, name: Sala, number: "88", pin: "2468", leader_pin: "97531", quiet: true}]` + "\n",
	})
	bob, carrier := deskAt(t, o, 202, hzAgent), carrierOf(t, o, hzCarrier)
	b := bob.dial("88")
	listen(t, "the question for the code", b)
	b.Audio().Press("97531#")
	members := func(words string) {
		t.Helper()
		o.Until(words, func(n pbxtest.Now) bool {
			if len(n.Conferences) != 1 {
				return false
			}
			all := ""
			for _, m := range n.Conferences[0].Members {
				all += fmt.Sprintf(" %s%s%s", m.Party, map[bool]string{true: "+"}[m.Leader], map[bool]string{true: "-"}[m.Muted])
			}
			return all == words
		})
	}
	members(" phone:202+")
	c := carrier.customer(mobileNumber)
	listen(t, "the question for the code", c)
	c.Audio().Press("1111#")
	says(t, "who has guessed", c, "pin_wrong")
	c.Audio().Press("2468#")
	members(" phone:202+ trunk:carrier")
	alice := o.Linphone(201, hzCaller)
	alice.Dial("88")
	alice.Until("Media streams established")
	alice.Press("2468#")
	members(" phone:202+ trunk:carrier phone:201")
	mixed(t, "Bob", b, hzCaller, hzCarrier)
	mixed(t, "the caller", c, hzCaller, hzAgent)
	b.Audio().Press("*5")
	members(" phone:202+ trunk:carrier- phone:201-")
	mixed(t, "the caller, silenced", c, hzAgent)

	o.Kill()
	members(" phone:202+ trunk:carrier- phone:201-")
	mixed(t, "the caller, after the kill", c, hzAgent)
	b.Audio().Press("*5")
	members(" phone:202+ trunk:carrier phone:201")
	mixed(t, "Bob, after the kill", b, hzCaller, hzCarrier)
	b.Audio().Press("*3")
	members(" phone:202+ trunk:carrier")
	c.Hangup()
	members(" phone:202+")
	b.Hangup()
	for _, r := range o.CallRecords(3) {
		var in, out time.Time
		for _, m := range r.Moves {
			switch m.Kind {
			case tel.MoveSeated:
				in = m.At
			case tel.MoveUnseated:
				out = m.At
			}
		}
		if !r.Answered.Equal(in) || out.Before(in) || out.After(r.Ended) || out.IsZero() {
			t.Errorf("the record of %s: answered %v, in the room from %v to %v, ended %v", r.In, r.Answered, in, out, r.Ended)
		}
	}
}

// A carrier's caller and two phones are recorded in a room, prontod is killed, and they are recorded on: two parts of one
// chain that both open and hold all three, and each call's record names both.
func TestARecordedConferenceGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	var records []store.Call
	o := bench.Start(t, pbxtest.Setup{
		Agents: 2, Carrier: 5070, In: "conference:hall",
		Extra: `conferences: [{id: hall, name: Sala, number: "88", pin: "2468", quiet: true}]
recording: {purposes: [{id: q, name: Q, days: 9}], rules: [{id: rooms, record: always, purpose: q, conferences: [hall]}]}
`,
		After: func(dir string) { roomParts(t, dir, records) },
	})
	var all []*peer.Call
	enter := func(c *peer.Call) {
		t.Helper()
		listen(t, "the question for the code", c)
		c.Audio().Press("2468#")
		all = append(all, c)
		o.Until(fmt.Sprintf("%d in the room", len(all)), func(n pbxtest.Now) bool {
			return len(n.Conferences) == 1 && len(n.Conferences[0].Members) == len(all)
		})
	}
	enter(deskAt(t, o, 201, hzCaller).dial("88"))
	enter(deskAt(t, o, 202, hzAgent).dial("88"))
	enter(carrierOf(t, o, hzCarrier).customer(mobileNumber))
	recorded := func(when string) {
		t.Helper()
		o.Until("the room to be recorded "+when, func(n pbxtest.Now) bool {
			return len(n.Conferences) == 1 && n.Conferences[0].Recording == "on"
		})
		mixed(t, "the caller "+when, all[2], hzCaller, hzAgent) // its notice is over
		mixed(t, "the first phone "+when, all[0], hzAgent, hzCarrier)
		time.Sleep(3 * time.Second)
	}
	recorded("before")
	o.Kill()
	recorded("after the kill")
	for _, c := range all {
		c.Hangup()
	}
	records = o.CallRecords(3)
}

// roomParts judges what is left of a recorded room when nothing runs any more.
func roomParts(t *testing.T, dir string, records []store.Call) {
	if t.Failed() {
		return
	}
	a, err := record.Open(record.Config{Log: slog.New(slog.DiscardHandler), Dir: filepath.Join(dir, "recordings")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if rep, err := a.Verify(context.Background()); err != nil || len(rep.Wrong) > 0 || rep.Files != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	parts := a.List(func(record.Recording) bool { return true })
	slices.Reverse(parts)
	if len(parts) != 2 || parts[0].Chain != parts[1].Chain || parts[0].State != record.Interrupted || parts[1].State != record.Ended {
		t.Fatalf("%+v", parts)
	}
	for _, x := range parts {
		p, err := a.Again(x.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Voices) != 3 {
			t.Errorf("in %s were %+v", x.ID, p.Voices)
		}
		found := false
		pcm := make([]int16, 2*2400)
		for at := 0; at+2400 <= p.Samples() && !found; at += 800 {
			p.Read(pcm, at)
			var mono []int16
			for i := range 2400 {
				mono = append(mono, pcm[2*i])
			}
			found = tone.Level(mono, hzCaller) > lifted && tone.Level(mono, hzAgent) > lifted && tone.Level(mono, hzCarrier) > lifted
		}
		if !found {
			t.Errorf("%s, of %v, nowhere holds all three", x.ID, x.Length)
		}
		_ = p.Close()
	}
	for _, r := range records {
		if len(r.Recordings) != 2 || r.Recordings[0].ID != parts[0].ID || r.Recordings[1].ID != parts[1].ID || r.Recordings[0].Why != "crashed" || r.Recordings[1].To.IsZero() {
			t.Errorf("the record of %s names %+v", r.Call, r.Recordings)
		}
	}
}
