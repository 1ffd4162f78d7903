package core

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// dice makes a random event that a network, an application or a clock could produce for s.
func dice(r *rand.Rand, s State) Event {
	tags := []string{"bob", "eve", "mal"}
	peer := Peer{Tag: tags[r.IntN(3)], Target: "sip:x@127.0.0.4"}
	var sdp []byte
	if r.IntN(2) == 0 {
		sdp = []byte(offer)
	}
	cseq := s.Invite.CSeq
	if r.IntN(5) == 0 {
		cseq += uint32(r.IntN(3))
	}
	peer.Update, peer.Timer, peer.Reliable = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	terms := []Terms{{}, {}, {Expires: 20 * time.Minute, Refresher: SideUAS}, {Expires: time.Hour, Min: 40 * time.Minute}, {Expires: time.Minute}}[r.IntN(5)]
	who := [][]string{nil, {"P-Asserted-Identity: <sip:1@x>"}, {"P-Asserted-Identity: <sip:2@x>"}}[r.IntN(3)]
	switch r.IntN(25) {
	case 0, 1:
		return GotProvisional{CSeq: cseq, Status: 100 + 80*r.IntN(2), Peer: peer, SDP: sdp, RSeq: uint32(r.IntN(4)), Who: who}
	case 2, 3:
		return GotSuccess{CSeq: cseq, Peer: peer, SDP: sdp, Terms: terms, Who: who}
	case 4:
		status := []int{302, 401, 407, 408, 422, 422, 486, 487, 503, 603}[r.IntN(10)]
		return GotFailure{CSeq: cseq, Status: status, MinSE: time.Duration(r.IntN(3)) * time.Hour, Nonce: tags[r.IntN(3)], Authorization: []string{"", "Authorization: x"}[r.IntN(2)]}
	case 5:
		return GotNothing{Timeout: r.IntN(2) == 0}
	case 6, 7:
		if s.Exchange.Turn == TurnAck && r.IntN(2) == 0 {
			cseq = s.Exchange.CSeq
		}
		return GotAck{CSeq: cseq, SDP: sdp}
	case 8:
		return GotCancel{Of: First + Txn(r.IntN(2)), Cause: tel.Cause(r.IntN(4))}
	case 9, 10, 11:
		method := []string{"BYE", "INVITE", "INVITE", "UPDATE", "UPDATE", "INFO", "OPTIONS", "FOO"}[r.IntN(8)]
		return GotRequest{
			Method: method, CSeq: s.Peer.CSeq + uint32(r.IntN(3)), Tag: peer.Tag, SDP: sdp,
			Target: []string{"", "sip:t@127.0.0.5"}[r.IntN(2)], Text: "text", Dice: r.Uint32(),
			Who: who, Terms: terms, Timer: peer.Timer, Update: Known(r.IntN(3)),
		}
	case 12, 13:
		method := []string{"BYE", "INVITE", "INFO", "UPDATE", "UPDATE", "PRACK"}[r.IntN(6)]
		status := []int{100, 180, 200, 200, 401, 405, 407, 408, 422, 481, 488, 491, 500}[r.IntN(13)]
		sent := SendRequest{Method: method, CSeq: s.CSeq - uint32(r.IntN(2)), Peer: s.Peer, Loser: r.IntN(8) == 0}
		if method == "UPDATE" {
			sent.Body, sent.Purpose = sdp, []Purpose{"", ForRefresh, ForUpdate}[r.IntN(3)]
		}
		return GotReply{Sent: sent, Status: status, SDP: sdp, Terms: terms, Authorization: []string{"", "x"}[r.IntN(2)], Dice: r.Uint32()}
	case 14:
		if len(s.Deadlines) > 0 {
			return Fired{s.Deadlines[r.IntN(len(s.Deadlines))].Timer}
		}
		return Fired{TimerC}
	case 15:
		return []Event{DoAccept{SDP: sdp}, DoProvisional{Status: 100 + r.IntN(120), SDP: sdp}, DoReject{Status: r.IntN(700)}}[r.IntN(3)]
	case 16:
		return DoHangup{tel.Cause(r.IntN(18))}
	case 17:
		return DoReoffer{sdp}
	case 18:
		return []Event{DoAnswerReoffer{sdp}, DoRejectReoffer{Status: r.IntN(700)}, DoInfo{ContentType: "a/b", Body: []byte("x")}}[r.IntN(3)]
	case 19:
		ack := RAck{RSeq: s.Reliable.RSeq + uint32(r.IntN(5)/4), CSeq: cseq, Method: "INVITE"}
		return GotRequest{Method: "PRACK", CSeq: s.Peer.CSeq + 1, Tag: s.Peer.Tag, RAck: ack, SDP: sdp}
	case 21, 22, 23:
		return diceTransfer(r, s)
	case 20:
		return DoUpdate{SDP: sdp, Headers: []string{"X: y"}}
	default:
		if r.IntN(10) == 0 {
			return Restart{}
		}
		return DoAccept{SDP: []byte(answer)}
	}
}

// diceTransfer makes a random event of a transfer, in either role.
func diceTransfer(r *rand.Rand, s State) Event {
	switch r.IntN(3) {
	case 0:
		e := GotRefer{GotRequest: GotRequest{Method: "REFER", CSeq: s.Peer.CSeq + uint32(r.IntN(3)), Tag: s.Peer.Tag}, Silent: r.IntN(4) == 0}
		e.Referred.ReferTo = "sip:carol@127.0.0.6"
		return e
	case 1:
		if len(s.Referrals) == 0 {
			return DoAnswerRefer{ID: 1, Status: 202}
		}
		f := s.Referrals[r.IntN(len(s.Referrals))]
		sent := SendRequest{Method: "NOTIFY", Refer: f.ID, Peer: s.Peer}
		return []Event{
			DoAnswerRefer{ID: f.ID, Status: []int{202, 202, 202, 603, 200}[r.IntN(5)]},
			DoNotifyRefer{ID: f.ID, Progress: Progress{Status: 100 + r.IntN(400), Final: r.IntN(3) == 0}},
			GotReply{Sent: sent, Status: []int{100, 200, 200, 481}[r.IntN(4)]},
		}[r.IntN(3)]
	default:
		return []Event{
			DoRefer{Headers: []string{"Refer-To: <sip:x@y>"}},
			GotReply{Sent: SendRequest{Method: "REFER", CSeq: s.Handover.CSeq, Peer: s.Peer}, Status: []int{202, 407, 481, 603}[r.IntN(4)], Authorization: "x"},
			GotNotify{
				GotRequest: GotRequest{Method: "NOTIFY", CSeq: s.Peer.CSeq + 1, Tag: s.Peer.Tag},
				ID:         s.Handover.CSeq, Status: []int{0, 100, 200}[r.IntN(3)], Over: r.IntN(3) == 0,
			},
		}[r.IntN(3)]
	}
}

// watch holds what must be true of every walk, whatever happens.
type watch struct {
	t        *testing.T
	saved    State
	cseq     uint32
	ended    int
	final    bool // a final response to our INVITE has come
	armed    map[Timer]bool
	inviteNo uint32
	rseq     uint32 // of our last reliable provisional
	open     bool   // it is not acknowledged
}

func (w *watch) step(before State, e Event, s State, effects []Effect) {
	w.t.Helper()
	switch e := e.(type) {
	case GotSuccess:
		w.final = w.final || e.CSeq == before.Invite.CSeq && e.Peer.Tag != ""
	case GotFailure:
		w.final = w.final || e.CSeq == before.Invite.CSeq
	case GotNothing:
		w.final = true
	case GotRequest:
		if e.Method == "PRACK" && s.Reliable.Open.Status == 0 || s.Reliable.RSeq != w.rseq {
			w.open = false
		}
	}
	for i, effect := range effects {
		switch f := effect.(type) {
		case Save:
			if i != 0 {
				w.t.Fatalf("Save is effect %d of %s", i, brief(effects))
			}
			w.saved = s
		case SendInvite:
			w.request(s.Invite.CSeq)
			w.final, w.inviteNo = false, s.Invite.CSeq
			w.saved = s // the runtime saves when it leaves
		case SendRequest:
			if !f.Loser {
				w.request(f.CSeq)
			}
			w.mustBeSaved(s, effects)
		case SendCancel:
			if w.final || !s.CancelSent || s.Incoming {
				w.t.Fatalf("CANCEL after a final response, or for their INVITE")
			}
			w.mustBeSaved(s, effects)
		case SendAck:
			if f.Peer.Tag == "" {
				w.t.Fatalf("ACK to nobody")
			}
		case Respond:
			if f.Status >= 200 || f.To != This {
				w.mustBeSaved(s, effects)
			}
			w.responds(before, f)
		case Arm:
			w.armed[f.Timer] = true
		case Disarm:
			if !w.armed[f.Timer] {
				w.t.Fatalf("timer %s is stopped but does not run", f.Timer)
			}
			delete(w.armed, f.Timer)
		case Tell:
			if w.ended > 0 {
				w.t.Fatalf("notice %T after Ended", f.Notice)
			}
			if _, ok := f.Notice.(Ended); ok {
				w.ended++
			}
		}
	}
	if len(w.armed) != len(s.Deadlines) {
		w.t.Fatalf("timers that run %v, deadlines %v", w.armed, s.Deadlines)
	}
}

// responds holds what RFC 3262 asks of our responses to their INVITE: reliable ones in order and one
// at a time, and no 2xx while one with a description is not acknowledged.
func (w *watch) responds(before State, f Respond) {
	w.t.Helper()
	open := before.Reliable.Open
	switch {
	case f.To != First:
	case f.RSeq > 0 && f.RSeq != w.rseq:
		if f.RSeq != w.rseq+1 || w.open {
			w.t.Fatalf("reliable provisional %d after %d, acknowledged %v", f.RSeq, w.rseq, !w.open)
		}
		w.rseq, w.open = f.RSeq, true
	case f.Status >= 200 && f.Status < 300 && w.open && len(open.SDP) > 0:
		w.t.Fatal("2xx before the PRACK of a description")
	}
}

func (w *watch) request(cseq uint32) {
	w.t.Helper()
	if cseq <= w.cseq {
		w.t.Fatalf("request with CSeq %d after %d", cseq, w.cseq)
	}
	w.cseq = cseq
}

// mustBeSaved: what a message depends on is in the journal when it leaves, the end of a call above all. Only a running
// deadline may wait.
func (w *watch) mustBeSaved(s State, effects []Effect) {
	w.t.Helper()
	if s.Phase == Gone {
		return
	}
	a, b := w.saved, s
	a.Deadlines, b.Deadlines, a.Resend, b.Resend = nil, nil, 0, 0
	if !reflect.DeepEqual(a, b) {
		w.t.Fatalf("a message leaves before the journal knows: %s\n saved %+v\n state %+v", brief(effects), a, b)
	}
}

// drain lets only the clock work on s until nothing is armed, and returns what is left.
func (w *watch) drain(s State) State {
	w.t.Helper()
	now := start
	for range 2000 {
		if len(s.Deadlines) == 0 {
			return s
		}
		next := slices.MinFunc(s.Deadlines, func(a, b Deadline) int { return a.At.Compare(b.At) })
		if next.At.After(now) {
			now = next.At
		}
		e := Fired{next.Timer}
		delete(w.armed, next.Timer)
		before := s
		var effects []Effect
		s, effects = Next(s, e, now)
		w.step(before, e, s, effects)
	}
	w.t.Fatalf("the clock alone does not end %+v", s)
	return s
}

func TestRandomWalksKeepThePromises(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := base()
		s.LocalSDP = []byte(offer)
		s.Phase, s.Invite = Calling, Invite{CSeq: 1, Text: "INVITE"}
		if seed%2 == 1 {
			s.Incoming, s.Phase, s.Invite, s.LocalSDP = true, Offered, Invite{CSeq: 10, Text: "INVITE"}, nil
			s.Peer = bob()
			s.Peer.CSeq = 10
			s.Offerless = seed%4 == 1
			s.Peer.Update, s.Peer.Timer, s.Peer.Reliable = seed%3 == 0, seed%5 < 2, seed%7 < 5
			s.Invite.Always = seed%7 == 0
		}
		if seed%3 > 0 {
			s.Wish = Terms{Expires: DefaultExpires, Min: DefaultMinSE}
		}
		w := &watch{t: t, armed: map[Timer]bool{}}
		if s.Incoming {
			w.cseq = s.CSeq
		} else {
			s.CSeq, w.cseq = 1, 0
		}
		var e Event = Begin{}
		for range 40 {
			before := s
			if f, ok := e.(Fired); ok {
				delete(w.armed, f.Timer)
			}
			var effects []Effect
			s, effects = Next(s, e, start)
			if _, ok := e.(Restart); ok {
				for _, d := range s.Deadlines { // a new process: no timer runs by itself
					if !slices.ContainsFunc(effects, func(e Effect) bool { a, ok := e.(Arm); return ok && a.Timer == d.Timer }) {
						t.Fatalf("seed %d: timer %s is not armed again after a restart in %s", seed, d.Timer, s.Phase)
					}
				}
			}
			if slices.ContainsFunc(effects, func(e Effect) bool { _, ok := e.(SendInvite); return ok }) && r.IntN(8) > 0 {
				s.Invite.Text = "INVITE" // it has left; the others wait for a connection
			}
			w.step(before, e, s, effects)
			if seed%8 < 2 {
				roundTrip(t, s)
			}
			if s.Phase == Gone {
				break
			}
			e = dice(r, s)
		}
		if s.Phase == Up && s.Exchange.Turn == "" && s.Live() {
			s = w.drain(s) // an established call needs no clock but the session's; it ends by a BYE
			if s.Live() {
				s, _ = Next(s, DoHangup{}, start)
				w.ended++
			}
		}
		left := w.drain(s)
		if left.Phase == Up && left.Live() {
			continue // an exchange ended and the call stands
		}
		if left.Phase != Gone || w.ended != 1 {
			t.Fatalf("seed %d: ends in %s with %d Ended", seed, left.Phase, w.ended)
		}
	}
}

func roundTrip(t *testing.T, s State) {
	t.Helper()
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, back) {
		t.Fatalf("state changes in the journal:\n%+v\n%+v", s, back)
	}
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	good, err := base().encodeIn(Up)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(good); err != nil {
		t.Fatalf("a good state: %v", err)
	}
	for name, text := range map[string]string{
		"a newer version":    `{"v":2,"id":"x","call_id":"y","phase":"up"}`,
		"no version":         `{"id":"x","call_id":"y","phase":"up"}`,
		"an unknown phase":   `{"v":1,"id":"x","call_id":"y","phase":"flying"}`,
		"no phase":           `{"v":1,"id":"x","call_id":"y"}`,
		"no id":              `{"v":1,"call_id":"y","phase":"up"}`,
		"a torn record":      `{"v":1,"id":"x"`,
		"something else":     `[]`,
		"a wrong value type": `{"v":1,"id":7,"call_id":"y","phase":"up"}`,
	} {
		if s, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", name, s)
		}
	}
}

func (s State) encodeIn(p Phase) ([]byte, error) {
	s.Phase = p
	return s.Encode()
}

func TestAChangedClockCannotStretchATimer(t *testing.T) {
	s := caller(t)
	for name, c := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"ten years forward": {start.AddDate(10, 0, 0), 0},
		"ten years back":    {start.AddDate(-10, 0, 0), DefaultRing},
		"a minute later":    {start.Add(time.Minute), DefaultRing - time.Minute},
	} {
		if got, ok := s.Until(TimerC, c.now, DefaultRing); !ok || got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := base().encodeIn(Ringing)
	f.Add(good)
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":1,"id":"x","call_id":"y","phase":"offered","incoming":true,"provisional":183,"reliable":{"rseq":4294967295,"open":{"status":183},"held":[{"status":200}]},"exchange":{"turn":"theirs","method":"PRACK","tag":"f"}}`))
	f.Add([]byte(`{"v":1,"id":"x","call_id":"y","phase":"up","expiry":{"every":-5,"ours":true},"handover":{"cseq":7},"referrals":[{"id":1,"asked":true},{"id":1,"busy":true}],"deadlines":[{"timer":"refer"},{"timer":"session"},{"timer":"session"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		for _, d := range s.Deadlines {
			_, _ = Next(s, Fired{d.Timer}, start)
		}
		r := rand.New(rand.NewPCG(1, uint64(len(b))))
		damaged := s
		for range 30 {
			damaged, _ = Next(damaged, dice(r, damaged), start)
		}
		for range 4 { // whatever a damaged journal says, the machine must not panic on it
			s, _ = Next(s, Restart{}, start)
			s, _ = Next(s, DoHangup{}, start)
			s, _ = Next(s, Fired{TimerResend}, start)
		}
	})
}
