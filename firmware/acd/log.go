package acd

import (
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// tell writes what the queues decided to the log: who rings and why, and who was sent on. Of several
// agents who ring for one caller the first is enough.
func (a *ACD) tell(e tel.Event) {
	switch e := e.(type) {
	case tel.QueueOffered:
		if e.Why.Merit != tel.MeritRingsAlong {
			a.cfg.Log.Info("agent rings", "queue", e.Queue, "call", e.Call, "agent", e.Agent, "why", e.Why.String())
		}
	case tel.QueueLeft:
		if e.Why != "" {
			a.cfg.Log.Info("caller is sent on", "queue", e.Queue, "call", e.Call, "outcome", e.Outcome, "why", e.Why, "to", e.To)
		}
	}
}
