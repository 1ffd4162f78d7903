package core

import (
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// capable is their INVITE from a caller that supports 100rel and UPDATE; strict requires 100rel.
func capable(t *testing.T, events ...Event) State {
	t.Helper()
	s := callee(t)
	s.Peer.Reliable, s.Peer.Update = true, true
	return walk(s, events...)
}

func strict(t *testing.T, events ...Event) State {
	t.Helper()
	s := capable(t)
	s.Invite.Always = true
	return walk(s, events...)
}

func offerless(t *testing.T, events ...Event) State {
	t.Helper()
	s := capable(t)
	s.Offerless, s.RemoteSDP = true, nil
	return walk(s, events...)
}

func prackOf(rseq, cseq uint32, sdp string) GotRequest {
	return GotRequest{Method: "PRACK", CSeq: cseq, Tag: "bob", SDP: []byte(sdp), RAck: RAck{rseq, 10, "INVITE"}, Text: "PRACK"}
}

// RFC 3262 section 3: the callee.
func TestCalleeSendsProvisionalsReliablyRFC3262(t *testing.T) {
	ring, early := DoProvisional{Status: 180}, DoProvisional{Status: 183, SDP: []byte(answer)}
	accept := DoAccept{SDP: []byte(answer)}
	wrong := prackOf(1, 11, "")
	wrong.RAck.CSeq = 9
	other := prackOf(1, 11, "")
	other.RAck.Method = "BYE"
	const sent = ", arm resend, arm prack, arm refresh"
	check(t, []row{
		{"a plain ringing needs no PRACK", "3262 3", capable(t), ring, Offered, "save, first 180, arm refresh"},
		{"early media does", "3262 3", capable(t), early, Offered, "save, first 183 reliable 1 sdp" + sent},
		{"not for a caller without support", "3262 3", callee(t), early, Offered, "save, first 183, arm refresh"},
		{"a caller who requires it gets everything so", "3262 3", strict(t), ring, Offered, "save, first 180 reliable 1" + sent},
		{"the second waits for the first", "3262 3", strict(t, ring), early, Offered, "save"},
		{"and leaves with the PRACK", "3262 3", strict(t, ring, early), prackOf(1, 11, ""), Offered, "save, 200, first 183 reliable 2 sdp" + sent},
		{"the description goes out once", "6337 2.2", capable(t, early, prackOf(1, 11, "")), early, Offered, "save, first 183 reliable 2, arm resend, arm prack, arm refresh"},
		{"it is repeated", "3262 3", capable(t, early), Fired{TimerResend}, Offered, "first 183 reliable 1 sdp, arm resend"},
		{"the PRACK ends that", "3262 3", capable(t, early), prackOf(1, 11, ""), Offered, "save, 200"},
		{"a PRACK of another number", "3262 3", capable(t, early), prackOf(2, 11, ""), Offered, "save, 481"},
		{"a PRACK of another INVITE", "3262 3", capable(t, early), wrong, Offered, "save, 481"},
		{"a PRACK of another method", "3262 3", capable(t, early), other, Offered, "save, 481"},
		{"a PRACK again", "3262 3", capable(t, early, prackOf(1, 11, "")), prackOf(1, 12, ""), Offered, "save, 481"},
		{"a PRACK of the one before", "3262 3", strict(t, ring, prackOf(1, 11, ""), early), prackOf(1, 12, ""), Offered, "save, 481"},
		{"a PRACK of nothing", "3262 3", capable(t), prackOf(0, 11, ""), Offered, "save, 481"},
		{"without PRACK the call is given up", "3262 3", capable(t, early), Fired{TimerPrack}, Lingering, "save, first 504, Ended timeout, arm linger"},
		{"the 2xx waits for the PRACK of a description", "3262 3", capable(t, early), accept, Offered, "save"},
		{"and leaves with it, without the answer that was given", "6337 2.2", capable(t, early, accept), prackOf(1, 11, ""), Accepted, "save, 200, first 200, arm resend, arm ack"},
		{"it does not wait for one without", "3262 3", strict(t, ring), accept, Accepted, "save, first 200, arm resend, arm ack"},
		{"whose PRACK comes late", "3262 3", strict(t, ring, accept), prackOf(1, 11, ""), Accepted, "save, 200"},
		{"provisionals that wait are not needed any more", "3262 3", strict(t, ring, early, accept), prackOf(1, 11, ""), Accepted, "save, 200"},
		{"nothing follows a 2xx that waits", "3262 3", capable(t, early, accept), ring, Offered, "Ignored provisional"},
		{"accepting twice", "3262 3", capable(t, early, accept), accept, Offered, "Ignored accept"},
		{"a rejection does not wait", "3262 3", capable(t, early), DoReject{Status: 486}, Lingering, "save, first 486, Ended busy, arm linger, drop"},
		{"nor does a hang-up with a 2xx that waits", "3262 3", capable(t, early, accept), DoHangup{tel.CauseNormal}, Lingering, "save, first 480, Ended normal, arm linger"},
		{"CANCEL before the PRACK", "9.2", capable(t, early), GotCancel{Of: First}, Lingering, "save, first 487, Ended cancelled remote, arm linger"},
		{"each minute an acknowledged one is renewed with a number of its own", "3262 3", strict(t, ring, prackOf(1, 11, "")), Fired{TimerRefresh}, Offered, "save, first 180 reliable 2" + sent},
		{"an unreliable one without the answer that was given", "6337 2.2", capable(t, early, prackOf(1, 11, "")), Fired{TimerRefresh}, Offered, "first 183, arm refresh"},
		{"a call without an offer takes none unreliably", "13.2.1", func() State { s := callee(t); s.Offerless = true; return s }(), DoProvisional{Status: 183, SDP: []byte(offer)}, Offered, "save, first 183, arm refresh"},
	})
	flooded := strict(t, ring)
	for range maxHeld + 5 {
		flooded = walk(flooded, early)
	}
	if n := len(flooded.Reliable.Held); n != maxHeld {
		t.Errorf("%d provisionals wait, want %d", n, maxHeld)
	}
	base := callee(t)
	base.Peer.Reliable, base.Invite.Always = true, true
	base = walk(base, Begin{Dice: 1<<32 - 1}, ring)
	if r := base.Reliable.RSeq; r == 0 || r > 1<<31-1 {
		t.Errorf("first RSeq %d", r)
	}
}

// RFC 3262 section 5 with RFC 6337: who offers and who answers where.
func TestPRACKCarriesOffersAndAnswersRFC3262(t *testing.T) {
	early := DoProvisional{Status: 183, SDP: []byte(answer)}
	ours := DoProvisional{Status: 183, SDP: []byte(offer)}
	reoffered := capable(t, early, prackOf(1, 11, offer))
	check(t, []row{
		{"an offer in the PRACK goes to the application", "3262 5", capable(t, early), prackOf(1, 11, offer), Offered, "save, arm answer, Reoffered"},
		{"its answer stands in the 200 of the PRACK", "3262 5", reoffered, DoAnswerReoffer{[]byte(answer)}, Offered, "save, theirs 200"},
		{"a 2xx waits for that", "6337 3.2", reoffered, DoAccept{SDP: []byte(answer)}, Offered, "save"},
		{"and follows it", "6337 3.2", walk(reoffered, DoAccept{SDP: []byte(answer)}), DoAnswerReoffer{[]byte(answer)}, Accepted, "save, theirs 200, first 200, arm resend, arm ack"},
		{"it may be refused", "6337 3.2", reoffered, DoRejectReoffer{488}, Offered, "save, theirs 488"},
		{"a 2xx that waits follows a refusal too", "6337 3.2", walk(reoffered, DoAccept{SDP: []byte(answer)}), DoRejectReoffer{488}, Accepted, "save, theirs 488, first 200, arm resend, arm ack"},
		{"forgotten, it is", "6337 3.2", reoffered, Fired{TimerAnswer}, Offered, "save, theirs 488"},
		{"hanging up refuses both", "15", reoffered, DoHangup{tel.CauseBusy}, Lingering, "save, first 486, theirs 487, Ended busy, arm linger"},
		{"to a call without an offer we offer reliably", "3262 5", offerless(t), ours, Offered, "save, first 183 reliable 1 sdp, arm resend, arm prack, arm refresh"},
		{"the PRACK answers", "3262 5", offerless(t, ours), prackOf(1, 11, answer), Offered, "save, 200, EarlyAnswered"},
		{"then the 2xx has no description", "6337 2.2", offerless(t, ours, prackOf(1, 11, answer)), DoAccept{SDP: []byte(offer)}, Accepted, "save, first 200, arm resend, arm ack"},
		{"a PRACK that forgets the answer leaves it to the ACK", "3262 5", offerless(t, ours), prackOf(1, 11, ""), Offered, "save, 200"},
		{"an UPDATE against our open offer", "3311 5.2", offerless(t, ours), GotRequest{Method: "UPDATE", CSeq: 11, Tag: "bob", SDP: []byte(offer)}, Offered, "save, 491"},
	})
	s := offerless(t, ours, prackOf(1, 11, answer), DoAccept{})
	if string(s.RemoteSDP) != answer {
		t.Errorf("the answer in the PRACK is lost: %q", s.RemoteSDP)
	}
	_, effects := Next(s, GotAck{CSeq: 10}, start)
	for _, e := range effects {
		if tell, ok := e.(Tell); ok && tell.Notice.(Confirmed).SDP != nil {
			t.Error("the answer is told twice")
		}
	}
	if got := s.Success(First).SDP; got != nil {
		t.Errorf("the repeated 2xx carries %q", got)
	}
	forgot := offerless(t, ours, prackOf(1, 11, ""), DoAccept{})
	if got := forgot.Success(First).SDP; string(got) != offer {
		t.Errorf("the 2xx to a caller that has not answered carries %q", got)
	}
}

func TestAReliableProvisionalDoublesItsIntervalWithoutEnd(t *testing.T) {
	s := capable(t, DoProvisional{Status: 183, SDP: []byte(answer)})
	total, next := time.Duration(0), T1
	for total+next <= Life {
		total += next
		var effects []Effect
		s, effects = Next(s, Fired{TimerResend}, start)
		next = effects[1].(Arm).After
	}
	if next != 32*time.Second {
		t.Errorf("the last interval before 64*T1 is %v", next)
	}
}

// RFC 3262 section 4: the caller.
func TestCallerAcknowledgesReliableProvisionalsRFC3262(t *testing.T) {
	rel := func(tag string, rseq uint32, sdp string) GotProvisional {
		return GotProvisional{CSeq: 1, Status: 183, RSeq: rseq, Peer: Peer{Tag: tag, Target: "sip:" + tag + "@127.0.0.2"}, SDP: []byte(sdp)}
	}
	ok := GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer)}
	check(t, []row{
		{"a reliable provisional gets its PRACK", "3262 4", caller(t), rel("bob", 7, answer), Ringing, "save, arm c, prack 2 bob {RAck: 7 1 INVITE}, Provisional 183"},
		{"the next one too", "3262 4", caller(t, rel("bob", 7, answer)), rel("bob", 8, ""), Ringing, "save, arm c, prack 3 bob {RAck: 8 1 INVITE}, Provisional 183"},
		{"a repeated one is dropped", "3262 4", caller(t, rel("bob", 7, answer)), rel("bob", 7, answer), Ringing, ""},
		{"one before its turn is dropped", "3262 4", caller(t, rel("bob", 7, answer)), rel("bob", 9, ""), Ringing, ""},
		{"an old one is dropped", "3262 4", caller(t, rel("bob", 7, answer)), rel("bob", 6, ""), Ringing, ""},
		{"each fork has its own numbers", "3262 4", caller(t, rel("bob", 7, answer)), rel("eve", 7, answer), Ringing, "save, arm c, prack 3 eve {RAck: 7 1 INVITE}, Provisional 183"},
		{"after we gave up only the CANCEL matters", "9.1", caller(t, DoHangup{}), rel("bob", 7, ""), Cancelling, "save, cancel normal, arm cancel"},
		{"the ACK keeps the CSeq of the INVITE", "13.2.2.4 (finding 10)", caller(t, rel("bob", 7, answer)), ok, Up, "save, ack 1 bob, Answered"},
		{"a loser's BYE comes after its PRACK", "12.2.1.1", caller(t, rel("eve", 7, answer), ok), GotSuccess{CSeq: 1, Peer: eve()}, Up, "save, ack 1 eve, bye 3 eve answered_elsewhere"},
		{"a PRACK that fails changes nothing", "3262 4", caller(t, rel("bob", 7, answer)), GotReply{Sent: SendRequest{Method: "PRACK", CSeq: 2, Peer: bob()}, Status: 481}, Ringing, ""},
		{"a PRACK that is challenged is answered", "22.2", caller(t, rel("bob", 7, answer)), GotReply{Sent: SendRequest{Method: "PRACK", CSeq: 2, Peer: bob()}, Status: 407, Authorization: "x"}, Ringing, "save, prack 3 bob"},
	})
}
