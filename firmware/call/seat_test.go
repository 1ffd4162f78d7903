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

	"github.com/pronto-pbx/pronto/firmware/conference"
	"github.com/pronto-pbx/pronto/firmware/conference/chair"
	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// hall is the conference room 800, with codes 801, of an office: a real chair, whose mixer notes who hears whom.
type hall struct {
	chair *chair.Chair

	mu    sync.Mutex
	legs  map[tel.CallID]Leg
	shown tel.ConferenceChanged
}

func (o *office) openHall(spec conference.Spec) {
	spec.ID = "hall"
	h := &hall{legs: map[tel.CallID]Leg{}}
	if o.hall != nil {
		o.hall.chair.Close()
	}
	kept := o.hallJournal.load()
	delete(kept, "guard")
	h.chair = chair.New(chair.Config{
		Log: slog.New(slog.DiscardHandler), Rooms: []chair.Room{{Spec: spec, PIN: "2468", LeaderPIN: "97531"}}, Journal: o.hallJournal, Kept: kept,
		Send: func(m tel.ToCall) { o.x.Deliver(m) }, Speaks: func(tel.LegID) bool { return false },
		Recorder: o.rooms, Mix: h.mix, Publish: func(e tel.Event) { h.mu.Lock(); defer h.mu.Unlock(); h.shown = e.(tel.ConferenceChanged) },
	})
	o.hall = h
	o.x = o.exchange()
}

func (h *hall) mix(_ tel.ConferenceID, voices []conference.Voice) {
	h.mu.Lock()
	var all []Leg
	for _, v := range voices {
		for _, l := range h.legs {
			if l.ID() == v.Leg {
				all = append(all, l)
			}
		}
	}
	h.mu.Unlock()
	if len(all) == len(voices) && len(all) > 0 {
		_ = all[0].Mix(nil, all, func(from, _ int) float64 { return map[bool]float64{true: 1}[voices[from].Heard] })
	}
}

// Enter implements Rooms.
func (h *hall) Enter(m tel.EnterConference, l Leg) bool {
	h.mu.Lock()
	h.legs[m.Call] = l
	h.mu.Unlock()
	return h.chair.Tell(m)
}

// Tell implements Rooms.
func (h *hall) Tell(m tel.ToConference) bool {
	if gone, ok := m.(tel.LeaveConference); ok {
		h.mu.Lock()
		delete(h.legs, gone.Call)
		h.mu.Unlock()
	}
	return h.chair.Tell(m)
}

// Spool implements Clerk.
func (h *hall) Spool(name string) string { return name }

// Do implements Clerk.
func (h *hall) Do(_ tel.CallID, e ivr.Effect, answer func(ivr.Event)) {
	if c, ok := e.(ivr.Check); ok {
		room, caller, _ := strings.Cut(c.Of, "/")
		h.chair.Check(tel.ConferenceID(room), caller, c.Value, func(ok, leader bool) {
			if ok {
				answer(ivr.Let{Leader: leader})
			} else {
				answer(ivr.Checked{})
			}
		})
	}
}

// seats is who the room says is in it.
func (h *hall) seats() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, m := range h.shown.Members {
		word := m.Party
		for flag, on := range map[string]bool{" leads": m.Leader, " muted": m.Muted, " held": m.Held} {
			if on {
				word += flag
			}
		}
		all = append(all, word)
	}
	return strings.Join(all, ", ")
}

func (l *fakeLeg) press(keys string) {
	for _, k := range keys {
		l.says(LegEvent{Kind: LegDigit, Digit: k})
	}
}

// hears is whom a leg hears at last.
func (l *fakeLeg) hears() (last string) {
	for _, s := range l.told() {
		if of, ok := strings.CutPrefix(s, "mix "); ok {
			last = of
		}
	}
	return last
}

func meeting(t *testing.T, name string, spec conference.Spec, do func(o *office)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			o.openHall(spec)
			do(o)
			if err := o.x.Close(context.Background()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			o.hall.chair.Close()
			o.mu.Lock()
			defer o.mu.Unlock()
			if len(o.parties) > 0 || len(o.x.places) > 0 || len(o.journal.last) > 0 || len(o.hall.legs) > 0 {
				t.Errorf("left behind: lamps %v, legs %v, snapshots %v, seats %v", o.parties, o.x.places, slices.Collect(maps.Keys(o.journal.last)), o.hall.legs)
			}
		})
	})
}

func TestPhonesAndCallersFromOutsideMeetInARoom(t *testing.T) {
	room := conference.Spec{Limit: 3}
	meeting(t, "each hears all others, and none once it has left", room, func(o *office) {
		a, b, c := o.dial("phone:201", "800"), o.dial("phone:202", "800"), o.dial("trunk:tim", "800")
		if got := o.hall.seats(); got != "phone:201, phone:202, trunk:tim" {
			t.Error(got)
		}
		if a.hears() != string(b.id+" "+c.id) || c.hears() != string(a.id+" "+b.id) {
			t.Errorf("a hears %q, c hears %q", a.hears(), c.hears())
		}
		b.hangsUp()
		if a.hears() != string(c.id) {
			t.Errorf("a hears %q", a.hears())
		}
		o.dial("phone:202", "800")
		d := o.dial("phone:203", "800")
		o.wants("a fourth", d, "part", "play conference_full")
		d.says(LegEvent{Kind: LegPlayed})
		o.wants("a fourth", d, "hangup congestion")
	})
	meeting(t, "a code is asked for, the leader's leads", room, func(o *office) {
		a := o.dial("phone:201", "801")
		o.wants("who dials", a, "accept", "play pin_enter")
		a.press("97531#")
		b := o.dial("trunk:tim", "801")
		b.press("2468#")
		if got := o.hall.seats(); got != "phone:201 leads, trunk:tim" {
			t.Error(got)
		}
		a.press("*5")
		if got := o.hall.seats(); got != "phone:201 leads, trunk:tim muted" || a.hears() != "" {
			t.Error(got, a.hears())
		}
		a.press("*3")
		o.wants("who was removed", b, "part", "play conference_removed")
		b.says(LegEvent{Kind: LegPlayed})
		o.wants("who was removed", b, "hangup normal")
		if got := o.hall.seats(); got != "phone:201 leads" {
			t.Error(got)
		}
	})
	meeting(t, "three wrong codes end the call, and the caller is kept out for a minute", room, func(o *office) {
		a := o.dial("trunk:tim", "801")
		a.press("1111#2222#3333#")
		o.wants("who guesses", a, "play pin_wrong")
		a.says(LegEvent{Kind: LegPlayed})
		o.wants("who guesses", a, "hangup normal")
		again := o.dial("trunk:tim", "801")
		again.press("2468#")
		o.wants("who knows it a moment later", again, "play pin_wrong")
		time.Sleep(time.Minute)
		again.press("2468#")
		if got := o.hall.seats(); got != "trunk:tim" {
			t.Error(got)
		}
	})
	meeting(t, "a phone that holds the room is neither heard nor told, and is back", room, func(o *office) {
		a, b := o.dial("phone:201", "800"), o.dial("phone:202", "800")
		b.says(LegEvent{Kind: LegHeld, Held: true})
		if got := o.hall.seats(); got != "phone:201, phone:202 held" || a.hears() != "" {
			t.Error(got, a.hears())
		}
		b.says(LegEvent{Kind: LegHeld})
		if a.hears() != string(b.id) {
			t.Error(a.hears())
		}
	})
	meeting(t, "a phone whose sound has stopped is let go, one that holds the room is not", room, func(o *office) {
		a, b := o.dial("phone:201", "800"), o.dial("phone:202", "800")
		a.says(LegEvent{Kind: LegHeld, Held: true})
		a.says(LegEvent{Kind: LegSilent})
		b.says(LegEvent{Kind: LegSilent})
		if got := o.hall.seats(); got != "phone:201 held" {
			t.Error(got)
		}
	})
	meeting(t, "a customer is sent into the room, blind", room, func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegRefer, To: "800"})
		o.wants("Anna", anna, "notify 200 final", "hangup transferred")
		if got := o.hall.seats(); got != "trunk:tim" {
			t.Error(got)
		}
		customer.hangsUp()
		if got := o.hall.seats(); got != "" {
			t.Error(got)
		}
	})
	meeting(t, "a customer takes the seat of the phone that has asked first", room, func(o *office) {
		b := o.dial("phone:202", "800")
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegHeld, Held: true})
		seat := o.dial("phone:201", "800")
		anna.says(LegEvent{Kind: LegRefer, Replaces: seat.ref})
		if got := o.hall.seats(); got != "phone:202, trunk:tim" || b.hears() != string(customer.id) || customer.hears() != string(b.id) {
			t.Error(got, b.hears(), customer.hears())
		}
		o.wants("the phone that sat there", seat, "hangup transferred")
	})
	meeting(t, "a room cannot be sent elsewhere", room, func(o *office) {
		a := o.dial("phone:201", "800")
		a.says(LegEvent{Kind: LegRefer, To: "202"})
		o.wants("who tries", a, "refer 603")
	})
	meeting(t, "the page ends a conference", room, func(o *office) {
		a, b := o.dial("phone:201", "800"), o.dial("phone:202", "800")
		if err := o.hall.chair.Order(context.Background(), "hall", conference.Order{What: conference.End}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		o.wants("a", a, "play conference_over")
		b.hangsUp() // while it is told
		if got := o.hall.seats(); got != "" {
			t.Error(got)
		}
	})
}

func TestARecordTellsWhenAPartyWasInARoom(t *testing.T) {
	meeting(t, "", conference.Spec{Limit: 3}, func(o *office) {
		began := time.Now()
		a := o.dial("phone:201", "801")
		time.Sleep(5 * time.Second)
		a.press("2468#")
		time.Sleep(time.Minute)
		a.hangsUp()
		o.mu.Lock()
		defer o.mu.Unlock()
		r := o.records[0]
		var got []string
		for _, m := range r.Moves {
			got = append(got, fmt.Sprint(m.Kind, " ", m.Party, " ", m.To, " ", m.At.Sub(began)))
		}
		want := []string{"conference phone:201 hall 5s", "conference_left phone:201 hall 1m5s"}
		if !slices.Equal(got, want) || !r.Answered.Equal(began.Add(5*time.Second)) || !r.Ended.Equal(began.Add(65*time.Second)) || r.EndedBy != "caller" {
			t.Errorf("\n got %q\nwant %q\n%+v", got, want, r)
		}
	})
}

func TestAConferenceSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.openHall(conference.Spec{Limit: 5})
		a, b, c, d := o.dial("phone:201", "801"), o.dial("phone:202", "800"), o.dial("trunk:tim", "800"), o.dial("phone:203", "801")
		a.press("97531#*1")
		b.press("*6")
		c.says(LegEvent{Kind: LegHeld, Held: true})
		if got := o.hall.seats(); got != "phone:202 muted, trunk:tim held, phone:201 leads" {
			t.Fatal(got)
		}
		if err := o.x.Abandon(context.Background()); err != nil {
			t.Fatal(err)
		}
		o.openHall(conference.Spec{Limit: 5})
		find := finder{a.ref: a, c.ref: c, d.ref: d} // the phone 202 is lost
		_, errs := o.x.Restore(o.journal.load(), find)
		for _, err := range errs {
			t.Errorf("restore: %v", err)
		}
		o.hall.chair.Returned()
		synctest.Wait()
		if got := o.hall.seats(); got != "trunk:tim held, phone:201 leads" || a.hears() != "" {
			t.Error(got, a.hears())
		}
		o.wants("who was asked for a code", d, "play pin_enter")
		c.says(LegEvent{Kind: LegHeld})
		if a.hears() != string(c.id) || c.hears() != string(a.id) {
			t.Errorf("a hears %q, c hears %q", a.hears(), c.hears())
		}
		d.press("2468#")
		o.wants("who comes into the room that was locked before", d, "part", "play conference_closed")
		a.press("*1")
		e := o.dial("phone:204", "800")
		if got := o.hall.seats(); got != "trunk:tim, phone:201 leads, phone:204" || e.hears() == "" {
			t.Error(got)
		}
		if err := o.x.Close(context.Background()); err != nil {
			t.Error(err)
		}
		o.hall.chair.Close()
	})
}

func TestWithoutRoomsACallIsToldSo(t *testing.T) {
	newOffice(t).run("", func(o *office) {
		a := o.dial("phone:201", "800")
		o.wants("who dials", a, "play conference_over")
	})
}
