package call

import "github.com/pronto-pbx/pronto/firmware/tel"

func (st *step) enqueue(d Decision) {
	s := st.s
	st.accept()
	s.Ring = nil
	s.Queue, s.Priority, s.Waiting, s.Needs = d.Queue, d.QueuePriority, true, d.Needs[s.Language]
	if s.Enqueued.IsZero() {
		s.Enqueued = st.now // kept through overflow: the caller does not lose the place
	}
	st.transferred(s.Caller.Party)
	st.stage(tel.StageWaiting)
	st.do(DoPlay{s.Caller.ID, Sound{Names: []string{"greeting", "wait"}}})
	st.tell(tel.Enqueue{
		Call: s.Call, Queue: d.Queue, Caller: s.From, Name: s.FromName, Priority: d.QueuePriority, Needs: s.Needs, EnqueuedAt: s.Enqueued,
	})
}

func (st *step) offered(o tel.Offer) {
	s := st.s
	if !s.Waiting || s.Queue != o.Queue || (s.Stage != tel.StageWaiting && s.Stage != tel.StageRinging) || s.group(string(o.Offer)) >= 0 {
		st.tell(tel.OfferFailed{Offer: o.Offer, Cause: tel.CauseCancelled})
		return
	}
	st.stage(tel.StageRinging)
	deadline := st.now.Add(o.Ring + grace)
	s.Groups = append(s.Groups, Group{Key: string(o.Offer), Offer: o.Offer, Agent: o.Agent, Deadline: deadline})
	st.do(DoDialDevices{Key: string(o.Offer), Agent: o.Agent, Ring: o.Ring}, DoWake{string(o.Offer), deadline})
}

func (st *step) withdrawn(w tel.Withdraw) {
	if g := st.s.group(string(w.Offer)); g >= 0 {
		st.drop(g, w.Cause)
		st.backToWaiting()
	}
}

func (st *step) backToWaiting() {
	if s := st.s; s.Stage == tel.StageRinging && s.Waiting && len(s.Groups) == 0 {
		st.stage(tel.StageWaiting)
	}
}

func (st *step) overflowed(o tel.Overflow) {
	s := st.s
	if !s.Waiting || s.Stage != tel.StageWaiting && s.Stage != tel.StageRinging {
		return
	}
	st.dropAll(tel.CauseCancelled)
	s.Queue, s.Waiting = "", false
	st.do(DoHush{s.Caller.ID})
	if o.To == "hangup" || o.To == "" {
		st.refuse(tel.CauseCongestion)
		return
	}
	st.stage(tel.StageRouting)
	st.do(DoResolve{To: o.To})
}
