package call

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/ivr"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// click asks for a call of 201's person.
func (o *office) click(n tel.Number) tel.Cause {
	o.t.Helper()
	c := o.x.Click(Click{Call: "clicked", Device: "201", Number: n})
	synctest.Wait()
	return c
}

// hears judges everything that who clicked was told.
func (o *office) hears(want ...string) {
	o.t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if got := strings.Join(o.told, ", "); got != strings.Join(want, ", ") {
		o.t.Errorf("who clicked is told %q, want %q", got, want)
	}
}

func (o *office) record() tel.CallEnded {
	o.t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.records) != 1 {
		o.t.Fatalf("%d records, want one", len(o.records))
	}
	return o.records[0]
}

func TestRFC5359Section2_18ClickToDial(t *testing.T) {
	o := &office{t: t}
	o.run("the own phone rings first and shows whom it will reach; then the other", func(o *office) {
		if c := o.click("202"); c != tel.CauseNone {
			o.t.Fatal(c)
		}
		anna := o.phone("201")
		o.wants("Anna", anna, "rings for 202")
		anna.says(LegEvent{Kind: LegProgress})
		o.hears()
		anna.answers()
		bruno := o.phone("202")
		o.wants("Bruno", bruno, "rings for 201")
		bruno.says(LegEvent{Kind: LegProgress})
		bruno.says(LegEvent{Kind: LegProgress})
		o.wants("Anna", anna, "play tone_ringback")
		o.hears("clicked 180")
		bruno.answers()
		o.wants("Anna", anna, "join "+string(bruno.id))
		o.hears("clicked 180", "clicked 200 true")
		anna.hangsUp()
		if r := o.record(); r.Direction != tel.Internal || r.From != "201" || r.To != "202" || r.In != "phone:201" || r.Out != "phone:202" || r.Answered.IsZero() {
			o.t.Errorf("record %+v", r)
		}
		o.hears("clicked 180", "clicked 200 true")
	})
	o.run("who does not answer the own phone reaches nobody", func(o *office) {
		o.click("3331234567")
		anna := o.phone("201")
		time.Sleep(wishRing + grace + time.Second)
		o.wants("Anna", anna, "hangup no_answer")
		o.hears("clicked 480 true")
		if r := o.record(); r.Direction != tel.Outbound || r.From != "201" || r.To != "3331234567" || r.Cause != tel.CauseNoAnswer || o.lineUse != nil {
			o.t.Errorf("record %+v, line %v", r, o.lineUse)
		}
	})
	o.run("a number that the person may not dial rings nowhere", func(o *office) {
		if c := o.click("999"); c != tel.CauseUnallocated {
			o.t.Errorf("cause %s", c)
		}
		if o.rung["201"] != nil || len(o.x.Calls()) != 0 {
			o.t.Error("a phone rings")
		}
		o.hears()
	})
	o.run("a busy number is told in words to the person and by its status to the screen", func(o *office) {
		o.click("202")
		anna := o.phone("201")
		anna.answers()
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseBusy, Remote: true})
		o.wants("Anna", anna, "play unavailable")
		o.hears("clicked 486 true")
	})
	o.run("who hangs up while it rings has cancelled", func(o *office) {
		o.click("202")
		o.phone("201").answers()
		o.phone("201").hangsUp()
		o.wants("Bruno", o.phone("202"), "hangup cancelled")
		o.hears("clicked 487 true")
	})
	o.run("a queue, a place of parking and a phone that rings are reached by click too", func(o *office) {
		o.click("400")
		o.phone("201").answers()
		o.hears("clicked 200 true")
		customer := o.dial("trunk:tim", "203")
		o.x.Click(Click{Call: "pickup", Device: "202", Number: "*8203"})
		synctest.Wait()
		bruno := o.phone("202")
		bruno.answers()
		o.wants("the customer", customer, "join "+string(bruno.id))
		o.hears("clicked 200 true", "pickup 200 true")
	})
	o.run("112 is dialled by click like any number, and the house hears of it", func(o *office) {
		o.click("112")
		o.phone("201").answers()
		if o.lineUse == nil {
			o.t.Fatal("112 is not dialled")
		}
		if !slices.ContainsFunc(o.events, func(e tel.Event) bool {
			c, ok := e.(tel.EmergencyCalled)
			return ok && c.Number == "112" && c.From == "phone:201" && c.Name == "Name 201"
		}) {
			o.t.Error("no alarm")
		}
		o.lineUse.answers()
		o.hears("clicked 200 true")
	})
	o.run("who wants to hear nothing is told nothing", func(o *office) {
		o.x.Click(Click{Call: "quiet", Device: "201", Number: "202", Silent: true})
		synctest.Wait()
		o.phone("201").answers()
		o.phone("202").answers()
		o.hears()
	})
}

func TestAClickedCallSurvivesACrash(t *testing.T) {
	t.Run("the own phone still rang: it rings again", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			o.click("202")
			return []*fakeLeg{o.phone("201")}
		}, func(o *office, l []*fakeLeg) {
			o.wants("the phone that rang", l[0], "hangup cancelled")
			anna := o.phone("201")
			if anna == l[0] {
				o.t.Fatal("201 does not ring again")
			}
			anna.answers()
			o.phone("202").answers()
			o.wants("Anna", anna, "join "+string(o.phone("202").id))
			o.hears("clicked 100", "clicked 200 true")
		})
	})
	t.Run("the other rang: it rings again", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			o.click("202")
			o.phone("201").answers()
			o.phone("202").says(LegEvent{Kind: LegProgress})
			synctest.Wait()
			return []*fakeLeg{o.phone("201"), o.phone("202")}
		}, func(o *office, l []*fakeLeg) {
			bruno := o.phone("202")
			if bruno == l[1] {
				o.t.Fatal("202 does not ring again")
			}
			bruno.answers()
			o.wants("Anna", l[0], "join "+string(bruno.id))
			o.hears("clicked 180", "clicked 180", "clicked 200 true")
		})
	})
}

// announcement is a script that records one.
func announcement() ivr.State {
	return ivr.New("", "it", &ivr.Prompt{Prompt: "it/greeting"})
}

func TestThePhonesOfAPersonRingForAScript(t *testing.T) {
	o := &office{t: t}
	o.run("who answers is asked to speak", func(o *office) {
		if err := o.x.Script([]tel.DeviceID{"201"}, "*77", announcement()); err != nil {
			o.t.Fatal(err)
		}
		synctest.Wait()
		anna := o.phone("201")
		o.wants("Anna", anna, "rings for *77")
		anna.answers()
		o.wants("Anna", anna, "play take_intro")
		anna.hangsUp()
		if r := o.record(); r.In != "phone:201" || r.To != "*77" {
			o.t.Errorf("record %+v", r)
		}
	})
	o.run("without a phone nothing rings", func(o *office) {
		if err := o.x.Script(nil, "*77", announcement()); !errors.Is(err, ErrNoPhone) {
			o.t.Error(err)
		}
	})
	t.Run("the phone rings again after a crash, and the script is still its own", func(t *testing.T) {
		crash(t, func(o *office) []*fakeLeg {
			if err := o.x.Script([]tel.DeviceID{"201"}, "*77", announcement()); err != nil {
				o.t.Fatal(err)
			}
			synctest.Wait()
			return []*fakeLeg{o.phone("201")}
		}, func(o *office, l []*fakeLeg) {
			anna := o.phone("201")
			if anna == l[0] {
				o.t.Fatal("201 does not ring again")
			}
			anna.answers()
			o.wants("Anna", anna, "play take_intro")
			anna.hangsUp()
		})
	})
}
