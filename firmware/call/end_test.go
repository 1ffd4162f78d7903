package call

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallIsEndedByALegWhereverTheLegIsNow(t *testing.T) {
	at := &office{t: t}
	at.run("the call that it began", func(o *office) {
		caller := o.dial("phone:201", "3331234567")
		o.lineUse.answers()
		o.x.EndWith(o.lineUse.id, tel.CauseForbidden)
		synctest.Wait()
		o.wants("the line", o.lineUse, "hangup forbidden")
		caller.hangsUp()
		o.lineUse.hangsUp()
		if n := len(o.x.Calls()); n != 0 {
			t.Errorf("%d calls are left", n)
		}
	})
	at.run("another call, which took it over", func(o *office) {
		_ = o.dial("phone:201", "3331234567")
		line := o.lineUse
		line.answers()
		first := o.owner(line)
		// The second call takes the place of 201 in the first.
		second := o.arrive(Arrival{From: "phone:202", Replaces: replaced(o, "phone:201")})
		time.Sleep(time.Second)
		synctest.Wait()
		if now := o.owner(line); now == nil || now == first {
			t.Fatal("the line was not taken over")
		}
		o.x.EndWith(line.id, tel.CauseForbidden)
		synctest.Wait()
		o.wants("the line", line, "hangup forbidden")
		line.hangsUp()
		second.hangsUp()
	})
	at.run("a leg that is gone", func(o *office) { o.x.EndWith("nobody", tel.CauseForbidden) })
}

// owner is the call that has a leg.
func (o *office) owner(l *fakeLeg) *actor {
	o.x.mu.Lock()
	defer o.x.mu.Unlock()
	return o.x.places[l.id].owner
}

// replaced is the reference of a party's leg.
func replaced(o *office, party string) string {
	o.x.mu.Lock()
	defer o.x.mu.Unlock()
	for _, p := range o.x.places {
		if p.party == party {
			return p.ref
		}
	}
	o.t.Fatalf("%s is in no call", party)
	return ""
}

type refusal struct{ error }

func (refusal) Cause() tel.Cause { return tel.CauseForbidden }

func TestALineThatRefusesSaysWhy(t *testing.T) {
	for err, want := range map[error]tel.Cause{refusal{errors.New("too expensive")}: tel.CauseForbidden, errLineBusy: tel.CauseCongestion} {
		if got := dialCause(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
