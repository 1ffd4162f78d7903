package core

import (
	"testing"
)

func referOf(cseq uint32) GotRefer {
	e := GotRefer{GotRequest: GotRequest{Method: "REFER", CSeq: cseq, Tag: "bob"}}
	e.Referred.ReferTo = "sip:carol@127.0.0.6"
	return e
}

// RFC 3515: the side that transfers.
func TestOurReferIsFollowedToItsEndRFC3515(t *testing.T) {
	up := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	do := DoRefer{Headers: []string{"Refer-To: <sip:carol@box>"}}
	sent := walk(up, do)
	reply := func(status int) GotReply {
		return GotReply{Sent: SendRequest{Method: "REFER", CSeq: 2, Peer: up.Peer}, Status: status}
	}
	notify := func(status int, over bool, id uint32) GotNotify {
		return GotNotify{GotRequest: GotRequest{Method: "NOTIFY", CSeq: 11, Tag: "bob"}, Status: status, Over: over, ID: id}
	}
	check(t, []row{
		{"it leaves", "3515 2.4.1", up, do, Up, "save, refer 2 bob {Refer-To: <sip:carol@box>}, arm handover"},
		{"a second one meanwhile", "3515 2.4.1", sent, do, Up, "Ignored refer"},
		{"before the call is up", "3515 2.4.1", callee(t), do, Offered, "Ignored refer"},
		{"taken", "3515 2.4.2", sent, reply(202), Up, "HandoverProgress 202"},
		{"refused", "3515 2.4.2", sent, reply(603), Up, "save, HandoverProgress 603 final"},
		{"challenged", "22.2", sent, func() GotReply { r := reply(407); r.Authorization = "x"; return r }(), Up, "save, refer 3 bob"},
		{"unknown there", "5057 5.1", sent, reply(481), Lingering, "save, Ended network_failure remote, arm linger"},
		{"progress", "3515 2.4.5", sent, notify(180, false, 0), Up, "save, 200, HandoverProgress 180"},
		{"the end", "3515 2.4.5", sent, notify(200, true, 2), Up, "save, 200, HandoverProgress 200 final"},
		{"the end of who forgets to say so", "3515 2.4.7", sent, notify(486, false, 0), Up, "save, 200, HandoverProgress 486 final"},
		{"an end without a word", "3515 2.4.7", sent, notify(100, true, 0), Up, "save, 200, HandoverProgress 408 final"},
		{"progress of another REFER", "3515 2.4.6", sent, notify(180, false, 7), Up, "save, 481"},
		{"progress that nobody has asked for", "3515 2.4.4", up, notify(180, false, 0), Up, "save, 481"},
		{"no end at all", "3515 2.4.4", sent, Fired{TimerHandover}, Up, "save, HandoverProgress 408 final"},
		{"over a restart", "3515 2.4.4", sent, Restart{}, Up, "save, arm handover"},
	})
}

// RFC 3515 and 5589: the side that is asked to transfer.
func TestReferIsAnsweredAndItsProgressToldRFC3515(t *testing.T) {
	up := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	asked := walk(up, referOf(11))
	taken := walk(asked, DoAnswerRefer{ID: 11, Status: 202})
	reply := func(id uint32, status int) GotReply {
		return GotReply{Sent: SendRequest{Method: "NOTIFY", Refer: id, Peer: up.Peer}, Status: status}
	}
	tell := func(status int, final bool) DoNotifyRefer {
		return DoNotifyRefer{ID: 11, Progress: Progress{Status: status, Reason: "Ringing", Final: final}}
	}
	free := walk(taken, reply(11, 200))
	second := walk(free, tell(200, true), reply(11, 200), referOf(12))
	bye := GotRequest{Method: "BYE", CSeq: 12, Tag: "bob"}
	quiet := referOf(11)
	quiet.Silent = true
	silent := walk(up, quiet)
	const active, over = " {Event: refer} {Subscription-State: active;expires=300}", " {Event: refer} {Subscription-State: terminated;reason=noresource}"
	check(t, []row{
		{"it goes to the application", "3515 2.4.2", up, referOf(11), Up, "save, arm referto, Referred"},
		{"a second copy is out of order", "12.2.2", asked, referOf(11), Up, "500 later"},
		{"202 begins the subscription with a 100", "3515 2.4.4", asked, DoAnswerRefer{ID: 11, Status: 202}, Up, "save, refer 202, arm refer, notify 2 bob" + active + " SIP/2.0 100 Trying"},
		{"a refusal begins none", "3515 2.4.2", asked, DoAnswerRefer{ID: 11, Status: 603}, Up, "save, refer 603"},
		{"a forgotten one is declined", "3515 2.4.2", asked, Fired{TimerReferTo}, Up, "save, refer 603"},
		{"an answer to none", "3515 2.4.2", up, DoAnswerRefer{ID: 11, Status: 202}, Up, "Ignored answer refer"},
		{"an answer that is none", "3515 2.4.2", asked, DoAnswerRefer{ID: 11, Status: 180}, Up, "Ignored answer refer"},
		{"answered twice", "3515 2.4.2", taken, DoAnswerRefer{ID: 11, Status: 202}, Up, "Ignored answer refer"},
		{"progress before the answer", "3515 2.4.4", asked, tell(180, false), Up, "Ignored notify refer"},
		{"progress is told", "3515 2.4.5", free, tell(180, false), Up, "save, notify 3 bob" + active + " SIP/2.0 180 Ringing"},
		{"the end is told and ends the subscription", "3515 2.4.5", free, tell(200, true), Up, "save, notify 3 bob" + over + " SIP/2.0 200 Ringing"},
		{"one NOTIFY waits for the reply to the one before", "12.2.2", taken, tell(200, true), Up, "save"},
		{"and follows it", "12.2.2", walk(taken, tell(200, true)), reply(11, 200), Up, "save, notify 3 bob" + over + " SIP/2.0 200 Ringing"},
		{"nothing takes the place of the end", "3515 2.4.7", walk(taken, tell(200, true), tell(180, false)), reply(11, 200), Up, "save, notify 3 bob" + over + " SIP/2.0 200 Ringing"},
		{"nothing follows the end", "3515 2.4.7", walk(free, tell(200, true), reply(11, 200)), tell(180, false), Up, "Ignored notify refer"},
		{"a NOTIFY refused with 481 ends the subscription alone", "5057 5.1", taken, reply(11, 481), Up, "save"},
		{"a NOTIFY that is challenged is sent again", "22.2", taken, func() GotReply { r := reply(11, 401); r.Authorization = "x"; return r }(), Up, "save, notify 3 bob"},
		{"a second REFER carries its id", "3515 2.4.6", second, DoAnswerRefer{ID: 12, Status: 202}, Up, "save, refer 202, arm refer, notify 4 bob {Event: refer;id=12} {Subscription-State: active;expires=300} SIP/2.0 100 Trying"},
		{"the referrer's BYE does not lose the transfer", "5057 4.1", free, bye, Lingering, "save, 200, Ended normal remote, arm linger"},
		{"whose end is still told", "5057 4.1", walk(free, bye), tell(200, true), Lingering, "save, notify 3 bob" + over + " SIP/2.0 200 Ringing"},
		{"and then nothing waits", "5057 4.1", walk(free, bye, tell(200, true)), reply(11, 200), Lingering, "save"},
		{"the linger waits for it", "5057 4.1", walk(free, bye), Fired{TimerLinger}, Lingering, "arm linger"},
		{"our own hang-up leaves it too", "5057 4.1", walk(free, DoHangup{}), tell(200, true), Ending, "save, notify 4 bob" + over + " SIP/2.0 200 Ringing"},
		{"a REFER that came before the BYE can still be answered", "5057 4.1", walk(asked, bye), DoAnswerRefer{ID: 11, Status: 202}, Lingering, "save, refer 202, arm refer, notify 2 bob" + active + " SIP/2.0 100 Trying"},
		{"a transfer whose end nobody tells ends at last", "3515 2.4.4", free, Fired{TimerRefer}, Up, "save, notify 3 bob" + over + " SIP/2.0 100 Trying, arm refer"},
		{"norefersub: the answer says so and no NOTIFY follows", "4488 4", silent, DoAnswerRefer{ID: 11, Status: 202}, Up, "save, refer 202, arm refer"},
		{"its progress is nobody's business", "4488 4", walk(silent, DoAnswerRefer{ID: 11, Status: 202}), tell(200, true), Up, "save"},
		{"before the answer there is nothing to transfer", "5589 6", callee(t, DoProvisional{Status: 180}), referOf(11), Offered, "save, 403"},
		{"before the ACK it may come again", "5589 6", callee(t, DoAccept{SDP: []byte(answer)}), referOf(11), Accepted, "save, 500 later"},
		{"after the end", "12.2.2", walk(up, DoHangup{}), referOf(11), Ending, "save, 481"},
		{"a restart sends what may not have arrived again", "3515 2.4.5", taken, Restart{}, Up, "save, notify 1003 bob {Event: refer} {Subscription-State: active;expires=300} SIP/2.0 100 Trying, arm refer"},
		{"and lets a REFER without answer be repeated", "17.2", asked, Restart{}, Up, "save"},
	})
	if got, effects := Next(walk(asked, Restart{}), referOf(11), start); len(got.Referrals) != 1 {
		t.Errorf("the repeated REFER after a restart: %s", brief(effects))
	}
	if done := walk(free, tell(200, true), reply(11, 200)); len(done.Deadlines) > 0 || len(done.Referrals) > 0 {
		t.Errorf("after the end of a transfer %+v and %+v are left", done.Deadlines, done.Referrals)
	}
	many := up
	for i := range uint32(10) {
		many = walk(many, referOf(11+i))
	}
	if len(many.Referrals) != maxReferrals {
		t.Errorf("%d transfers at once", len(many.Referrals))
	}
	left := walk(free, bye)
	now := start
	for range 100 {
		if len(left.Deadlines) == 0 {
			break
		}
		next := left.Deadlines[0]
		for _, d := range left.Deadlines {
			if d.At.Before(next.At) {
				next = d
			}
		}
		now = next.At
		left, _ = Next(left, Fired{next.Timer}, now)
	}
	if left.Phase != Gone || now.Sub(start) > ReferLife+3*Life {
		t.Errorf("a referrer that is gone keeps the call for %v, now %s", now.Sub(start), left.Phase)
	}
}
