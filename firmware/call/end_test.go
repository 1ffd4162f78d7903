package call

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestACallIsEndedByOneOfItsLegs(t *testing.T) {
	at := &office{t: t}
	at.run("a line", func(o *office) {
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
	at.run("a leg that is gone", func(o *office) { o.x.EndWith("nobody", tel.CauseForbidden) })
}

// Who hears the end of a call may dial the phone at once: its BYE must not be faster than our own knowledge.
func TestAPhoneIsFreeBeforeItIsToldThatItsCallIsOver(t *testing.T) {
	for name, c := range map[string]struct{ answers, busy bool }{
		"it talks":                            {answers: true},
		"it rings, and may do so for a while": {busy: true},
	} {
		at := &office{t: t}
		at.run(name, func(o *office) {
			caller := o.dial("phone:201", "202")
			called := o.phone("202")
			if c.answers {
				called.answers()
			}
			asked := false
			called.leaves = func() {
				asked = true
				if busy := o.x.inCall("phone:202"); busy != c.busy {
					t.Errorf("busy %v, want %v", busy, c.busy)
				}
			}
			caller.hangsUp()
			if !asked || o.x.inCall("phone:201") || o.x.inCall("phone:202") {
				t.Errorf("hung up %v, and a phone is still busy", asked)
			}
		})
	}
}

// Two callers of a colleague without call waiting: the second must not ring because the first is still on its way.
func TestAPhoneIsBusyFromTheMomentThatItIsDialled(t *testing.T) {
	at := &office{t: t}
	at.run("its INVITE leaves", func(o *office) {
		asked := 0
		o.dialling = func() {
			if asked++; o.x.dial("phone:202", true) {
				t.Error("a second call finds it free")
			}
		}
		caller := o.dial("phone:201", "202")
		if asked != 1 || !o.x.inCall("phone:202") {
			t.Errorf("dialled %d times, and it is not busy afterwards", asked)
		}
		caller.hangsUp()
		o.phone("202").says(LegEvent{Kind: LegEnded, Cause: tel.CauseNormal})
		if o.x.inCall("phone:202") {
			t.Error("it stays busy")
		}
	})
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
