package ivr

// Conference lets a caller into a conference room, after a code where one is needed.
type Conference struct {
	Room   string   `json:"room"`
	Ask    bool     `json:"ask,omitempty"`    // for a code
	Caller string   `json:"caller,omitempty"` // whose wrong codes are counted
	Intro  []string `json:"intro,omitempty"`
}

func (r *run) conference(e Event) {
	s, c := r.s, r.s.Conference
	leader := false
	enter := func() {
		r.hush()
		r.done()
		r.do(Enter{Room: c.Room, Leader: leader})
	}
	switch e := e.(type) {
	case Started, Resumed:
		if !c.Ask {
			enter()
			return
		}
	case Let:
		if s.Stage == stagePINCheck {
			leader = e.Leader
			enter()
		}
		return
	}
	r.askCode(e, CheckConference, c.Room+"/"+c.Caller, c.Intro, "", enter)
}
