package call

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// visit begins a call of the box to somebody who is to come in.
func (o *office) visit(v Visit) tel.CallID {
	o.t.Helper()
	id, err := o.x.Visit(v)
	if err != nil {
		o.t.Fatal(err)
	}
	synctest.Wait()
	return id
}

// enqueued is what the queues were asked last.
func (o *office) enqueued() tel.Enqueue {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range slices.Backward(o.queue) {
		if e, ok := m.(tel.Enqueue); ok {
			return e
		}
	}
	o.t.Error("nobody came to the queue")
	return tel.Enqueue{}
}

func outside(n tel.Number) []Attempt {
	return []Attempt{{Via: "line:gsm0", Number: n, Dialed: n, Person: "201"}}
}

func TestTheBoxCallsSomebodyWhoThenIsACaller(t *testing.T) {
	o := &office{t: t}
	o.run("at an own phone, which shows the number of the queue", func(o *office) {
		id := o.visit(Visit{Devices: []tel.DeviceID{"201"}, To: "queue:400", Shows: "400"})
		anna := o.phone("201")
		o.wants("Anna", anna, "rings for 400")
		anna.answers()
		synctest.Wait()
		if c := o.enqueued(); c.Call != id || c.Caller != "201" || c.Queue != "sales" {
			o.t.Errorf("the queue is asked %+v", c)
		}
	})
	o.run("outside, at the cost of who wants it", func(o *office) {
		id := o.visit(Visit{Attempts: outside("3331234567"), To: "queue:400", Shows: "400"})
		mobile := o.lineUse
		if o.attempt.Person != "201" {
			o.t.Errorf("who pays: %+v", o.attempt)
		}
		mobile.answers()
		synctest.Wait()
		if c := o.enqueued(); c.Call != id || c.Caller != "3331234567" {
			o.t.Errorf("the queue is asked %+v", c)
		}
		mobile.hangsUp()
		if r := o.record(); r.Direction != tel.Outbound || r.In != "line:gsm0" || r.From != "3331234567" {
			o.t.Errorf("record %+v", r)
		}
	})
	o.run("who does not answer is nobody's caller", func(o *office) {
		o.visit(Visit{Attempts: outside("3331234567"), To: "queue:400"})
		time.Sleep(visitRing + grace + time.Second)
		o.wants("the mobile", o.lineUse, "hangup no_answer")
		if r := o.record(); r.Cause != tel.CauseNoAnswer || r.Queue != "" {
			o.t.Errorf("record %+v", r)
		}
	})
	o.run("without a phone there is no call", func(o *office) {
		if _, err := o.x.Visit(Visit{To: "queue:400"}); !errors.Is(err, ErrNobody) || len(o.x.Calls()) != 0 {
			o.t.Errorf("%v, %d calls", err, len(o.x.Calls()))
		}
	})
}

func TestAVisitSurvivesACrash(t *testing.T) {
	crash(t, func(o *office) []*fakeLeg {
		o.visit(Visit{Devices: []tel.DeviceID{"201"}, To: "queue:400"})
		return []*fakeLeg{o.phone("201")}
	}, func(o *office, l []*fakeLeg) {
		o.wants("the phone that rang", l[0], "hangup cancelled")
		anna := o.phone("201")
		if anna == l[0] {
			o.t.Fatal("201 does not ring again")
		}
		anna.answers()
		synctest.Wait()
		if c := o.enqueued(); c.Queue != "sales" {
			o.t.Errorf("the queue is asked %+v", c)
		}
	})
}
