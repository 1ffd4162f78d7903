package call

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestBetweenCalls(t *testing.T) {
	o := &office{t: t}
	o.run("attended transfer: both parties talk, the transferor is free, two records", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegHeld, Held: true})
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		o.wants("Anna", anna, "refer 202", "notify 200 final", "hangup transferred")
		o.wants("Anna's other leg", consult, "hangup transferred")
		o.wants("the customer", customer, "hush", "join "+string(bruno.id))
		if len(o.records) != 1 || o.records[0].Cause != tel.CauseTransferred || len(o.records[0].Moves) != 1 {
			o.t.Errorf("records %+v", o.records)
		}
		if lamp := o.lamp("phone:202"); lamp != "talking +39061234567" {
			o.t.Errorf("202's lamp says %q: the remote identity must be the customer's", lamp)
		}
		customer.hangsUp()
		o.wants("Bruno", bruno, "hangup normal")
		if len(o.records) != 2 || o.records[1].Out != "phone:202" {
			o.t.Errorf("records %+v", o.records)
		}
	})
	o.run("semi-attended transfer: the customer hears ringing, then the target", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		anna.says(LegEvent{Kind: LegRefer, Replaces: consult.ref})
		o.wants("the customer", customer, "play tone_ringback")
		bruno.answers()
		o.wants("the customer", customer, "join "+string(bruno.id))
	})
	o.run("the customer hangs up in the instant of the transfer: nobody is left in a dead call", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		consult := o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna.events(LegEvent{Leg: anna.id, Kind: LegRefer, Replaces: consult.ref}) // both before anything runs
		customer.hangsUp()
		if calls := o.x.Calls(); len(calls) == 1 { // the refused transfer leaves the consultation alone
			bruno.hangsUp()
		}
		if calls := o.x.Calls(); len(calls) != 0 {
			o.t.Errorf("calls left: %v, Bruno was told %v", calls, bruno.told())
		}
	})
	o.run("park, lamp of the place, fetch", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegRefer, To: "*70"})
		o.wants("Anna", anna, "notify 200 final", "hangup transferred")
		o.wants("the customer", customer, "play music")
		bruno := o.dial("phone:202", "701")
		o.wants("Bruno", bruno, "accept", "hush")
		o.wants("the customer", customer, "join "+string(bruno.id))
		second := o.dial("phone:203", "701")
		o.wants("who comes late", second, "hangup unallocated")
	})
	o.run("a parked call comes back to who parked it", func(o *office) {
		customer := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegRefer, To: "*70"})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		again := o.phone("201")
		if again == anna {
			o.t.Fatal("201 does not ring again")
		}
		o.wants("Anna", again, "rings for +39061234567")
		again.answers()
		o.wants("the customer", customer, "join "+string(again.id))
	})
	o.run("directed pickup takes the call that has rung longest, group pickup any", func(o *office) {
		first := o.dial("trunk:tim", "201")
		rung := o.phone("201")
		time.Sleep(time.Second)
		o.dial("trunk:tim", "201")
		carla := o.dial("phone:203", "*8201")
		o.wants("Carla", carla, "accept")
		o.wants("the first caller", first, "accept", "join "+string(carla.id))
		o.wants("phone 201", rung, "hangup answered_elsewhere")
	})
	o.run("an INVITE with Replaces takes what rings, early-only leaves what talks", func(o *office) {
		caller := o.dial("trunk:tim", "201")
		anna := o.phone("201")
		late := func() *fakeLeg {
			return o.arrive(Arrival{From: "phone:203", Dialed: "201", Replaces: anna.ref, EarlyOnly: true})
		}
		carla := late()
		o.wants("the caller", caller, "join "+string(carla.id))
		other := o.dial("trunk:tim", "202")
		bruno := o.phone("202")
		bruno.answers()
		anna = bruno
		o.wants("who comes too late", late(), "hangup busy")
		o.wants("the other caller", other, "join "+string(bruno.id))
	})
	o.run("an emergency call cuts the call on the only line, never another emergency call", func(o *office) {
		o.dial("phone:201", "333")
		mobile := o.lineUse
		mobile.answers()
		help := o.dial("phone:202", "112")
		o.wants("the mobile", mobile, "hangup preempted")
		rescue := o.lineUse
		if rescue == mobile {
			o.t.Fatal("112 was not dialled")
		}
		rescue.answers()
		o.wants("who called 112", help, "join "+string(rescue.id))
		o.dial("phone:203", "112")
		time.Sleep(time.Minute)
		synctest.Wait()
		if rescue.over() {
			o.t.Error("an emergency call was cut for another")
		}
		if n := len(slices.DeleteFunc(slices.Clone(o.events), func(e tel.Event) bool { return e.Kind() != "emergency_called" })); n != 2 {
			o.t.Errorf("%d alarms for two emergency calls", n)
		}
	})
	o.run("completion on busy: who dialled *37 is called when both are free, and then the number", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		carla := o.dial("phone:203", "202")
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseBusy, Remote: true})
		o.wants("Carla", carla, "hangup busy")
		wish := o.dial("phone:203", "*37")
		o.wants("Carla", wish, "accept", "play tone_confirm")
		wish.says(LegEvent{Kind: LegPlayed})
		time.Sleep(time.Minute)
		synctest.Wait()
		if o.rung["203"] != nil {
			o.t.Fatal("Carla is called while 202 talks")
		}
		bruno.hangsUp()
		time.Sleep(wishPause)
		synctest.Wait()
		back := o.phone("203")
		o.wants("Carla", back, "rings for 202")
		before := o.phone("202")
		back.answers()
		again := o.phone("202")
		if again == before {
			o.t.Fatal("202 is not rung for Carla")
		}
		again.answers()
		o.wants("Carla", back, "join "+string(again.id))
	})
	o.run("a wish that was taken back calls nobody", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		bruno.answers()
		o.dial("phone:203", "202")
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseBusy, Remote: true})
		o.dial("phone:203", "*37").says(LegEvent{Kind: LegPlayed})
		o.dial("phone:203", "#37").says(LegEvent{Kind: LegPlayed})
		bruno.hangsUp()
		time.Sleep(time.Minute)
		synctest.Wait()
		if o.rung["203"] != nil {
			o.t.Error("Carla is called all the same")
		}
	})
	o.run("who talks with the door opens it by its key, from either side of the call", func(o *office) {
		o.dial("phone:209", "201")
		anna := o.phone("201")
		anna.answers()
		anna.says(LegEvent{Kind: LegDigit, Digit: '5'})
		o.dial("phone:202", "209")
		door := o.phone("209")
		door.answers()
		door.says(LegEvent{Kind: LegDigit, Digit: '5'}) // who stands outside cannot let himself in
		var opened []string
		for _, e := range o.events {
			if d, ok := e.(tel.DoorOpened); ok {
				opened = append(opened, string(d.Door)+" by "+d.By)
			}
		}
		if !slices.Equal(opened, []string{"209 by phone:201"}) {
			o.t.Errorf("opened %q", opened)
		}
	})
	o.run("a caller from the phone book has a name", func(o *office) {
		o.dial("trunk:tim", "201")
		for _, p := range o.parties {
			if p.Party == "phone:201" && p.RemoteName != "Rossi" {
				o.t.Errorf("the lamp of 201 says %q", p.RemoteName)
			}
		}
	})
	o.run("who watches learns when a phone has said that it rings: only then its dialog has both tags", func(o *office) {
		o.dial("phone:201", "202")
		bruno := o.phone("202")
		if p := o.parties[bruno.id]; p.Phase != tel.PartyRinging || p.Alerted {
			o.t.Errorf("before the phone's word: %+v", p)
		}
		bruno.says(LegEvent{Kind: LegProgress})
		if p := o.parties[bruno.id]; p.Phase != tel.PartyRinging || !p.Alerted {
			o.t.Errorf("when it rings: %+v", p)
		}
		bruno.answers()
		if p := o.parties[bruno.id]; p.Phase != tel.PartyTalking || p.Alerted {
			o.t.Errorf("when it talks: %+v", p)
		}
		bruno.hangsUp()
	})
	o.run("a phone without call waiting is busy while it talks", func(o *office) {
		o.dial("phone:201", "202")
		if !o.x.inCall("phone:201") || !o.x.inCall("phone:202") || o.x.inCall("phone:203") {
			o.t.Error("who is in a call is not known")
		}
	})
}
