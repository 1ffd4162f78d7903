package core

import "testing"

// RFC 3311 in early dialogs and in both roles; established calls stand in
// TestEstablishedDialogFollowsTheRFC.
func TestUpdateInEarlyDialogsRFC3311(t *testing.T) {
	early := DoProvisional{Status: 183, SDP: []byte(answer)}
	agreed := capable(t, early, prackOf(1, 11, ""))
	fork := bob()
	fork.Update = true
	rel := GotProvisional{CSeq: 1, Status: 183, RSeq: 7, Peer: fork, SDP: []byte(answer)}
	plain := GotProvisional{CSeq: 1, Status: 183, Peer: fork, SDP: []byte(answer)}
	in := func(cseq uint32, sdp string) GotRequest {
		return GotRequest{Method: "UPDATE", CSeq: cseq, Tag: "bob", SDP: []byte(sdp), Target: "sip:new@127.0.0.9", Text: "UPDATE"}
	}
	ours := SendRequest{Method: "UPDATE", CSeq: 2, Peer: agreed.Peer, Body: []byte(offer)}
	offering := walk(agreed, DoUpdate{SDP: []byte(offer)})
	ok := GotSuccess{CSeq: 1, Peer: fork, SDP: []byte(answer)}
	check(t, []row{
		{"the callee takes one once the first exchange is complete", "3311 5.2", agreed, in(12, offer), Offered, "save, arm answer, Reoffered"},
		{"and answers it", "3311 5.2", walk(agreed, in(12, offer)), DoAnswerReoffer{[]byte(answer)}, Offered, "save, theirs 200"},
		{"not before", "3311 5.2", capable(t), in(11, offer), Offered, "save, 500 later"},
		{"nor a second one meanwhile", "3311 5.2", walk(agreed, in(12, offer)), in(13, offer), Offered, "save, 500 later"},
		{"the caller takes one", "3311 5.2", caller(t, rel), in(5, offer), Ringing, "save, arm answer, Reoffered"},
		{"not while its own offer has no reliable answer", "3311 5.2", caller(t, plain), in(5, offer), Ringing, "save, 491"},
		{"one of a fork that nobody knows", "12.2.2", caller(t, rel), GotRequest{Method: "UPDATE", CSeq: 5, Tag: "mal", SDP: []byte(offer)}, Ringing, "500 later"},
		{"the answer wins the call while it waits", "13.2.2.4", caller(t, rel, in(5, offer)), ok, Up, "save, ack 1 bob, Answered"},
		{"and is still answered", "3311 5.2", caller(t, rel, in(5, offer), ok), DoAnswerReoffer{[]byte(offer)}, Up, "save, theirs 200"},
		{"another fork wins: theirs is refused", "13.2.2.4", caller(t, rel, in(5, offer)), GotSuccess{CSeq: 1, Peer: eve(), SDP: []byte(answer)}, Up, "save, ack 1 eve, Answered, theirs 487"},
		{"giving up refuses theirs", "9.1", caller(t, rel, in(5, offer)), DoHangup{}, Cancelling, "save, theirs 487, Ended normal, cancel normal, arm cancel"},
		{"the callee sends one", "3311 5.1", agreed, DoUpdate{SDP: []byte(offer)}, Offered, "save, update 2 bob, arm reoffer"},
		{"its 2xx waits for the answer", "6337 3", offering, DoAccept{SDP: []byte(answer)}, Offered, "save"},
		{"and follows it", "6337 3", walk(offering, DoAccept{SDP: []byte(answer)}), GotReply{Sent: ours, Status: 200, SDP: []byte(answer)}, Accepted, "save, ReofferDone 200, first 200, arm resend, arm ack"},
		{"theirs against ours", "3311 5.2", offering, in(12, offer), Offered, "save, 491"},
		{"ours met theirs", "3311 5.1", offering, GotReply{Sent: ours, Status: 491}, Offered, "save, arm glare"},
		{"and is sent again", "3311 5.1", walk(offering, GotReply{Sent: ours, Status: 491}), Fired{TimerGlare}, Offered, "save, update 3 bob, arm reoffer"},
		{"ours is unknown there", "3311 5.1", offering, GotReply{Sent: ours, Status: 481}, Offered, "save, ReofferDone 481"},
		{"ours gets no reply", "3311 5.1", offering, Fired{TimerReoffer}, Offered, "save, ReofferDone 408"},
		{"before the first exchange none may leave", "3311 5.1", capable(t, DoProvisional{Status: 180}), DoUpdate{SDP: []byte(offer)}, Offered, "Ignored update"},
		{"but one without an offer may", "3311 5.1", capable(t, DoProvisional{Status: 180}), DoUpdate{Headers: []string{"X: y"}}, Offered, "save, update 2 bob {X: y}"},
		{"not before the early dialog", "3311 5.1", capable(t), DoUpdate{}, Offered, "Ignored update"},
		{"nor to a caller without it", "3311 5.1", callee(t, DoProvisional{Status: 180}), DoUpdate{}, Offered, "Ignored update"},
		{"the caller sends one", "3311 5.1", caller(t, rel), DoUpdate{SDP: []byte(offer)}, Ringing, "save, update 3 bob, arm reoffer"},
		{"not with two forks", "3311 5.1", caller(t, rel, GotProvisional{CSeq: 1, Status: 180, Peer: eve()}), DoUpdate{SDP: []byte(offer)}, Ringing, "Ignored update"},
		{"ours in the fork that loses is over", "13.2.2.4", caller(t, rel, DoUpdate{SDP: []byte(offer)}), GotSuccess{CSeq: 1, Peer: eve(), SDP: []byte(answer)}, Up, "save, ack 1 eve, Answered, ReofferDone 487"},
		{"a restart lets theirs be repeated", "17.2", walk(agreed, in(12, offer)), Restart{}, Offered, "save, readopt, arm limit, arm refresh"},
	})
	again := walk(agreed, in(12, offer), Restart{})
	if got, effects := Next(again, in(12, offer), start); got.Exchange.Turn != TurnTheirs {
		t.Errorf("the repeated UPDATE after a restart: %s", brief(effects))
	}
	won := caller(t, rel, in(5, offer), DoAnswerReoffer{[]byte(offer)}, ok)
	if won.Peer.Target != fork.Target { // the 2xx names the target last
		t.Errorf("target %q", won.Peer.Target)
	}
}

func TestUpdateInAnEstablishedCallRFC3311(t *testing.T) {
	up := capable(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	without := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	identity := DoUpdate{Headers: []string{"P-Asserted-Identity: <sip:205@box>"}}
	sent := SendRequest{Method: "UPDATE", CSeq: 2, Peer: up.Peer, Purpose: ForUpdate, Headers: identity.Headers}
	withOffer := SendRequest{Method: "UPDATE", CSeq: 2, Peer: up.Peer, Body: []byte(offer)}
	invite := SendRequest{Method: "INVITE", CSeq: 2, Peer: without.Peer, Purpose: ForUpdate, Headers: identity.Headers}
	const line = " {P-Asserted-Identity: <sip:205@box>}"
	check(t, []row{
		{"headers alone", "4916 5", up, identity, Up, "save, update 2 bob" + line},
		{"are reported", "3311 5.1", up, GotReply{Sent: sent, Status: 200}, Up, "Updated 200"},
		{"also when refused", "3311 5.1", up, GotReply{Sent: sent, Status: 403}, Up, "Updated 403"},
		{"a peer that has no such call ends it", "12.2.1.2", up, GotReply{Sent: sent, Status: 481}, Lingering, "save, Ended network_failure remote, arm linger"},
		{"a peer without UPDATE gets a re-INVITE", "4916 5", without, identity, Up, "save, invite 2 bob" + line + ", arm reoffer"},
		{"whose end is reported likewise", "4916 5", walk(without, identity), GotReply{Sent: invite, Status: 200, SDP: []byte(offer)}, Up, "save, ack 2 bob, Updated 200"},
		{"refused too", "4916 5", walk(without, identity), GotReply{Sent: invite, Status: 488}, Up, "save, Updated 488"},
		{"an offer by UPDATE", "3311 5.1", up, DoUpdate{SDP: []byte(offer)}, Up, "save, update 2 bob, arm reoffer"},
		{"needs no ACK", "3311 5.1", walk(up, DoUpdate{SDP: []byte(offer)}), GotReply{Sent: withOffer, Status: 200, SDP: []byte(answer)}, Up, "save, ReofferDone 200"},
		{"refused for good it becomes a re-INVITE", "3311 5.1", walk(up, DoUpdate{SDP: []byte(offer)}), GotReply{Sent: withOffer, Status: 405}, Up, "save, invite 3 bob, arm reoffer"},
		{"not beside another exchange", "3311 5.1", walk(up, DoReoffer{[]byte(offer)}), DoUpdate{SDP: []byte(offer)}, Up, "ReofferDone 491"},
		{"after the end", "3311 5.1", walk(up, DoHangup{}), identity, Ending, ""},
		{"an Allow that no longer lists it", "20.5", up, GotRequest{Method: "UPDATE", CSeq: 12, Tag: "bob", Update: No}, Up, "save, 200"},
	})
	if walk(up, GotRequest{Method: "UPDATE", CSeq: 12, Tag: "bob", Update: No}).Peer.Update {
		t.Error("the peer's new Allow is not kept")
	}
	answered := walk(without, identity, GotReply{Sent: invite, Status: 200, SDP: []byte(offer)})
	if answered.SDPVersion != without.SDPVersion || string(answered.LocalSDP) != answer {
		t.Errorf("a re-INVITE for headers changes the session: version %d", answered.SDPVersion)
	}
}
