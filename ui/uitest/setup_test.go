package uitest

import (
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/setup"
	"github.com/pronto-pbx/pronto/ui/setup/setuptest"
)

// wizard is a set-up in the middle of which a call is on its way.
func wizard() *setuptest.Memory {
	m := setuptest.New()
	m.Modems = []setup.Modem{{Socket: "1.2"}}
	m.Phones = []setup.Phone{{ID: "201", Name: "Anna", Agent: Hostile, Here: true, From: "192.0.2.20"}, {ID: "202", Name: "Bruno"}}
	m.Strangers = []setup.Stranger{{From: "192.0.2.66", User: Hostile, At: time.Now()}}
	m.Tests = map[string]page.LineTest{"trunk:tim": {Line: "trunk:tim", Name: "TIM", Number: "+390612345678", Out: "answered", In: "none"}}
	m.Happens(tel.CallChanged{Call: "c1", Stage: tel.StageRouting, Via: "trunk:tim"})
	m.Happens(tel.QueueJoined{Call: "c1", Queue: "sales"})
	m.Happens(tel.QueueOffered{Call: "c1", Queue: "sales", Agent: "anna"})
	if _, err := m.State.Tell(setup.Told{Mobile: "+393331112222", Plugged: &setup.Plugged{Where: "wall", Also: setup.Others()}}, time.Now()); err != nil {
		panic(err)
	}
	if _, err := m.State.Tell(setup.Later{}, time.Now()); err != nil {
		panic(err)
	}
	return m
}
