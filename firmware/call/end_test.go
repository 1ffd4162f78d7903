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

type refusal struct{ error }

func (refusal) Cause() tel.Cause { return tel.CauseForbidden }

func TestALineThatRefusesSaysWhy(t *testing.T) {
	for err, want := range map[error]tel.Cause{refusal{errors.New("too expensive")}: tel.CauseForbidden, errLineBusy: tel.CauseCongestion} {
		if got := dialCause(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
