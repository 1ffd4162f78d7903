package acd

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// The hour at which somebody goes home is asked for at the login, after a change of the configuration and
// after a restart, and holds in between.
func TestTheEndOfAShiftIsAskedForWhenItCanHaveChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		cfg := h.config()
		var length atomic.Int64
		length.Store(int64(8 * time.Hour))
		cfg.ShiftEnd = func(agent tel.AgentID, login time.Time) time.Time {
			if agent != "anna" {
				return time.Time{}
			}
			return login.Add(time.Duration(length.Load()))
		}
		a := open(t, cfg)
		for _, id := range []tel.AgentID{"anna", "bruno"} {
			tell(t, a, tel.AgentReachable{Agent: id, Reachable: true})
			do(t, a.Login(t.Context(), id))
		}
		login := time.Now()
		ends := func(a *ACD) time.Duration { return stateOf(t, a, "anna").ShiftEnds.Sub(login) }
		if got := ends(a); got != 8*time.Hour {
			t.Fatalf("after the login %v", got)
		}
		length.Store(int64(9 * time.Hour))
		if got := ends(a); got != 8*time.Hour {
			t.Fatalf("before anybody asked again %v", got)
		}
		do(t, a.Reschedule(t.Context()))
		if got := ends(a); got != 9*time.Hour {
			t.Fatalf("after a change of the configuration %v", got)
		}
		a.Close()

		length.Store(int64(10 * time.Hour))
		time.Sleep(time.Hour) // the box was off
		again := newHouse()
		next := again.config()
		next.ShiftEnd, next.Kept = cfg.ShiftEnd, h.hot
		b := open(t, next)
		defer b.Close()
		if got := ends(b); got != 10*time.Hour {
			t.Fatalf("after a restart %v", got)
		}
		time.Sleep(9*time.Hour - time.Millisecond)
		synctest.Wait()
		if s := stateOf(t, b, "anna"); s.State != tel.AgentReady {
			t.Fatalf("a moment before the end: %+v", s)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if s := stateOf(t, b, "anna"); s.State != tel.AgentLoggedOut || s.Reason != "shift_end" {
			t.Fatalf("at the end: %+v", s)
		}
		if s := stateOf(t, b, "bruno"); s.State != tel.AgentReady {
			t.Fatalf("who has no shift: %+v", s)
		}
	})
}

// Every command of agents and supervisors reaches the planner, and its refusal comes back.
func TestCommandsReachThePlanner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := open(t, newHouse().config())
		defer a.Close()
		ctx := t.Context()
		tell(t, a, tel.AgentReachable{Agent: "anna", Reachable: true})
		do(t, a.Login(ctx, "anna"))
		do(t, a.Help(ctx, "anna", true))
		do(t, a.LeaveQueue(ctx, "anna", "q", "mail"))
		if s := stateOf(t, a, "anna"); !s.Help || len(s.Queues) != 0 || len(s.Out) != 1 {
			t.Fatalf("%+v", s)
		}
		do(t, a.EnterQueue(ctx, "anna", "q"))
		do(t, a.RemoveMember(ctx, "anna", "q", "carla"))
		do(t, a.AddMember(ctx, "anna", "q", "carla"))
		do(t, a.Serve(ctx, "anna", "q"))
		do(t, a.ForcePause(ctx, "anna", "", "carla"))
		if s := stateOf(t, a, "anna"); s.State != tel.AgentPaused || s.By != "carla" || s.Capacity != 1 || s.Load != 0 {
			t.Fatalf("%+v", s)
		}
		do(t, a.SetSkills(ctx, "anna", map[string]int{"german": 3}, "carla"))
		tell(t, a, tel.Enqueue{Call: "c1", Queue: "q", EnqueuedAt: time.Now()})
		do(t, a.Assign(ctx, "c1", "anna", "carla"))
		if s := stateOf(t, a, "anna"); s.State != tel.AgentReserved || s.Call != "c1" {
			t.Fatalf("%+v", s)
		}
		if err := a.Move(ctx, "c1", "q", "carla"); err == nil {
			t.Fatal("moved to where it is")
		}
		do(t, a.ForceLogout(ctx, "anna", "carla"))
		if s := stateOf(t, a, "anna"); s.State != tel.AgentLoggedOut || s.By != "carla" || s.Help {
			t.Fatalf("%+v", s)
		}
	})
}
