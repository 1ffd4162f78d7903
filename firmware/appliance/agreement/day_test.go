package agreement

import (
	"context"
	"fmt"
	"time"

	"github.com/pronto-pbx/pronto/firmware/call"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// happens does one thing that may happen in an office; it is done when the calls and the queues have nothing more to do.
func (o *office) happens() {
	switch o.r.IntN(20) {
	case 0, 1, 2:
		o.dials("trunk:tim", []tel.Number{"400", "400", "401", "402"}[o.r.IntN(4)])
	case 3, 4, 5, 6:
		o.with(rings, func(l *leg) { l.answers() })
	case 7:
		o.with(rings, func(l *leg) { l.hangsUp([]tel.Cause{tel.CauseRejected, tel.CauseBusy}[o.r.IntN(2)]) })
	case 8:
		o.with(rings, func(l *leg) { l.says(call.LegEvent{Kind: call.LegProgress}) })
	case 9:
		o.with(phone, func(l *leg) { l.says(call.LegEvent{Kind: call.LegPlayed}) })
	case 10:
		o.with(customer, func(l *leg) { l.hangsUp(tel.CauseNormal) })
	case 11:
		o.with(phone, func(l *leg) { l.hangsUp(tel.CauseNormal) })
	case 12:
		o.with(phone, func(l *leg) {
			l.held = !l.held
			l.says(call.LegEvent{Kind: call.LegHeld, Held: l.held})
		})
	case 13:
		o.with(phone, func(l *leg) {
			l.says(call.LegEvent{Kind: call.LegRefer, To: []tel.Number{"207", "203", "*70", "401"}[o.r.IntN(4)]})
		})
	case 14:
		o.with(phone, func(l *leg) { o.dials(l.party, []tel.Number{"206", "202", "701", "*51201", "*52203"}[o.r.IntN(5)]) })
	case 15: // the consultation becomes a transfer
		o.with(phone, func(from *leg) {
			o.with(func(l *leg) bool { return l != from && l.party == from.party }, func(to *leg) {
				from.says(call.LegEvent{Kind: call.LegRefer, Replaces: to.ref})
			})
		})
	case 16:
		o.with(customer, func(l *leg) { l.says(call.LegEvent{Kind: call.LegDigit, Digit: '1'}) })
	case 17:
		o.dials("phone:208", tel.Number(fmt.Sprintf("*5%d20%d", 1+o.r.IntN(2), 1+o.r.IntN(5))))
	case 18:
		o.commands()
	default:
		time.Sleep(time.Duration(o.r.IntN(8000)) * time.Millisecond)
	}
}

// commands has an agent or a supervisor do something; what cannot be done now is refused.
func (o *office) commands() {
	ctx, a := context.Background(), agents[o.r.IntN(len(agents))]
	switch o.r.IntN(5) {
	case 0:
		_ = o.q.Pause(ctx, a, "mail")
	case 1:
		_ = o.q.Resume(ctx, a)
	case 2:
		_ = o.q.Logout(ctx, a)
	case 3:
		_ = o.q.Login(ctx, a)
	default:
		if l := o.choose(customer); l != nil {
			for id, s := range o.calls() {
				if s.Caller.Ref == l.ref {
					_ = o.q.Assign(ctx, id, a, "carla")
				}
			}
		}
	}
}

func (o *office) with(is func(l *leg) bool, do func(l *leg)) {
	if l := o.choose(is); l != nil {
		do(l)
	}
}
