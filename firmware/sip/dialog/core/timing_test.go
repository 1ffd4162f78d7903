package core

import (
	"testing"
	"time"
)

// wishing gives s the box's own wish for a session timer.
func wishing(s State, least time.Duration) State {
	s.Wish = Terms{Expires: DefaultExpires, Min: least}
	return s
}

// calling is our INVITE with the wish for a session timer; called is theirs.
func calling(t *testing.T) State { t.Helper(); return wishing(caller(t), DefaultMinSE) }

func called(t *testing.T, asked Terms, supports bool) State {
	t.Helper()
	s := wishing(callee(t), DefaultMinSE)
	s.Invite.Terms, s.Peer.Timer = asked, supports
	return s
}

// RFC 4028, the UAS: table 2 of section 9 and what follows from it.
func TestCalleeAgreesOnASessionTimerRFC4028(t *testing.T) {
	accept := DoAccept{SDP: []byte(answer)}
	twenty := Terms{Expires: 20 * time.Minute}
	by := func(side Side) Terms { t := twenty; t.Refresher = side; return t }
	const head, tail = "save, arm expire, ", ", arm resend, arm ack"
	check(t, []row{
		{"a caller who leaves it open refreshes", "4028 9", called(t, twenty, true), accept, Accepted, head + "first 200 expires 20m0s uac" + tail},
		{"a caller who wants to refresh does", "4028 9", called(t, by(SideUAC), true), accept, Accepted, head + "first 200 expires 20m0s uac" + tail},
		{"a caller who wants us to refresh gets that", "4028 9", called(t, by(SideUAS), true), accept, Accepted, head + "arm session, first 200 expires 20m0s uas" + tail},
		{"a proxy's wish for a caller without support is ours to fulfil", "4028 9", called(t, twenty, false), accept, Accepted, head + "arm session, first 200 expires 20m0s uas" + tail},
		{"without a wish of theirs ours holds, and is ours to keep", "4028 9", called(t, Terms{}, true), accept, Accepted, head + "arm session, first 200 expires 30m0s uas" + tail},
		{"also for a caller without support", "4028 9", called(t, Terms{}, false), accept, Accepted, head + "arm session, first 200 expires 30m0s uas" + tail},
		{"ours is never below their Min-SE", "4028 9", called(t, Terms{Min: time.Hour}, true), accept, Accepted, head + "arm session, first 200 expires 1h0m0s uas" + tail},
	})
}

// RFC 4028, the UAC: section 7.
func TestCallerAgreesOnASessionTimerRFC4028(t *testing.T) {
	ok := func(t Terms) GotSuccess { return GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer), Terms: t} }
	tooSmall := func(cseq uint32, least time.Duration) GotFailure {
		return GotFailure{CSeq: cseq, Status: 422, MinSE: least}
	}
	twice := walk(calling(t), tooSmall(1, time.Hour))
	check(t, []row{
		{"the callee names us", "4028 7.2", calling(t), ok(Terms{Expires: 20 * time.Minute, Refresher: SideUAC}), Up, "save, ack 1 bob, arm expire, arm session, Answered"},
		{"the callee names itself", "4028 7.2", calling(t), ok(Terms{Expires: 20 * time.Minute, Refresher: SideUAS}), Up, "save, ack 1 bob, arm expire, Answered"},
		{"a callee without support leaves it to us", "4028 7.2", calling(t), ok(Terms{}), Up, "save, ack 1 bob, arm expire, arm session, Answered"},
		{"who asks for nothing gets nothing", "4028 7.2", caller(t), ok(Terms{}), Up, "save, ack 1 bob, Answered"},
		{"a 422 is asked again with its interval", "4028 7.3", calling(t), tooSmall(1, time.Hour), Calling, "save, invite, arm c"},
		{"and again when the next hop wants more", "4028 7.3", twice, tooSmall(2, 2*time.Hour), Calling, "save, invite, arm c"},
		{"a 422 that asks for no more than it got is a rejection", "4028 7.3", twice, tooSmall(2, time.Hour), Lingering, "save, Rejected 422, Ended rejected remote, arm linger"},
		{"a 422 without Min-SE is a rejection", "4028 7.3", calling(t), tooSmall(1, 0), Lingering, "save, Rejected 422, Ended rejected remote, arm linger"},
	})
	if twice.Wish != (Terms{Expires: time.Hour, Min: time.Hour}) || twice.CSeq != 2 {
		t.Errorf("after a 422 with Min-SE one hour: %+v, CSeq %d", twice.Wish, twice.CSeq)
	}
	endless := calling(t)
	for i := range uint32(10) {
		endless, _ = Next(endless, tooSmall(endless.Invite.CSeq, time.Duration(i+1)*time.Hour), start)
	}
	if endless.Phase != Lingering || endless.Raises != maxRaises {
		t.Errorf("a peer that always wants more: %s after %d rounds", endless.Phase, endless.Raises)
	}
	flood := walk(calling(t), ok(Terms{Expires: time.Second, Refresher: SideUAC}))
	if flood.Expiry.Every != DefaultMinSE {
		t.Errorf("a peer makes us refresh each %v", flood.Expiry.Every)
	}
}

// RFC 4028 sections 7.4 and 10: refreshing, and what happens when nobody does.
func TestSessionIsRefreshedRFC4028(t *testing.T) {
	with := func(update bool, side Side) State {
		p := bob()
		p.Update = update
		return walk(calling(t), GotSuccess{CSeq: 1, Peer: p, SDP: []byte(answer), Terms: Terms{Expires: 20 * time.Minute, Refresher: side}})
	}
	ours, byInvite, theirs := with(true, SideUAC), with(false, SideUAC), with(true, SideUAS)
	terms := Terms{Expires: 20 * time.Minute, Refresher: SideUAC, Min: DefaultMinSE}
	update := SendRequest{Method: "UPDATE", CSeq: 2, Peer: ours.Peer, Purpose: ForRefresh, Terms: terms}
	invite := SendRequest{Method: "INVITE", CSeq: 2, Peer: byInvite.Peer, Purpose: ForRefresh, Terms: terms}
	refreshing := walk(byInvite, Fired{TimerSession})
	in := func(method string, t Terms) GotRequest {
		return GotRequest{Method: method, CSeq: 5, Tag: "bob", Terms: t, Timer: true}
	}
	const asks = " expires 20m0s uac min 1m30s"
	check(t, []row{
		{"we refresh by UPDATE where the peer takes it", "4028 7.4", ours, Fired{TimerSession}, Up, "save, arm session, update 2 bob" + asks},
		{"else by re-INVITE", "4028 7.4", byInvite, Fired{TimerSession}, Up, "save, arm session, invite 2 bob" + asks + ", arm reoffer"},
		{"the 2xx starts the time anew", "4028 7.2", walk(ours, Fired{TimerSession}), GotReply{Sent: update, Status: 200, Terms: terms}, Up, "save, arm expire, arm session"},
		{"that of a re-INVITE too, and the application hears nothing", "4028 7.2", refreshing, GotReply{Sent: invite, Status: 200, Terms: terms, SDP: []byte(answer)}, Up, "save, ack 2 bob, arm expire, arm session"},
		{"unless the peer has moved its media", "3264 8", refreshing, GotReply{Sent: invite, Status: 200, Terms: terms, SDP: []byte(offer)}, Up, "save, ack 2 bob, arm expire, arm session, Refreshed"},
		{"the peer may hand the refreshing over", "4028 7.2", walk(ours, Fired{TimerSession}), GotReply{Sent: update, Status: 200, Terms: Terms{Expires: time.Hour, Refresher: SideUAS}}, Up, "save, arm expire"},
		{"a 422 raises the interval", "4028 7.3", ours, GotReply{Sent: update, Status: 422, Terms: Terms{Min: time.Hour}}, Up, "save, update 2 bob expires 1h0m0s uac min 1h0m0s"},
		{"an UPDATE that is refused becomes a re-INVITE", "3311 5.1", ours, GotReply{Sent: update, Status: 501}, Up, "save, arm session, invite 2 bob" + asks + ", arm reoffer"},
		{"nothing becomes of one whose peer has taken over meanwhile", "4028 7.2", theirs, GotReply{Sent: update, Status: 501}, Up, "save"},
		{"a 500 leaves it to the next try", "4028 7.4", ours, GotReply{Sent: update, Status: 500}, Up, ""},
		{"a peer that has no such call ends it", "4028 10", ours, GotReply{Sent: update, Status: 481}, Lingering, "save, Ended network_failure remote, arm linger"},
		{"a peer that is silent is hung up", "4028 10", ours, GotReply{Sent: update, Status: 408, Silent: true}, Ending, "save, Ended timeout, bye 2 bob timeout, arm bye"},
		{"a session that nobody refreshes is hung up", "4028 10", theirs, Fired{TimerExpire}, Ending, "save, Ended timeout, bye 2 bob timeout, arm bye"},
		{"their UPDATE refreshes", "4028 9", theirs, in("UPDATE", Terms{Expires: 20 * time.Minute, Refresher: SideUAC}), Up, "save, arm expire, 200 expires 20m0s uac"},
		{"their interval below our least is refused", "4028 9", theirs, in("UPDATE", Terms{Expires: time.Minute}), Up, "save, 422 min 1m30s"},
		{"in a re-INVITE too", "4028 9", theirs, in("INVITE", Terms{Expires: time.Minute}), Up, "save, 422 min 1m30s"},
		{"their re-INVITE may make us refresh", "4028 9", walk(theirs, in("INVITE", Terms{Expires: time.Hour, Refresher: SideUAS})), DoAnswerReoffer{[]byte(answer)}, Up, "save, arm expire, arm session, theirs 200 expires 1h0m0s uas, arm resend, arm ack"},
		{"a hold during our refresh follows it", "14.1", walk(refreshing, DoReoffer{[]byte(offer)}), GotReply{Sent: invite, Status: 200, Terms: terms, SDP: []byte(answer)}, Up, "save, ack 2 bob, arm expire, arm session, invite 3 bob" + asks + ", arm reoffer"},
		{"a refresh during an exchange waits", "14.1", walk(byInvite, DoReoffer{[]byte(offer)}), Fired{TimerSession}, Up, "arm session"},
		{"our own re-INVITE asks for the same again", "4028 7.4", theirs, DoReoffer{[]byte(offer)}, Up, "save, invite 2 bob expires 20m0s uas min 1m30s, arm reoffer"},
	})
	for name, c := range map[string]struct{ every, half, end time.Duration }{
		"half an hour": {30 * time.Minute, 15 * time.Minute, 30*time.Minute - 32*time.Second},
		"90 s":         {90 * time.Second, 45 * time.Second, 60 * time.Second},
	} {
		_, effects := Next(calling(t), GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer), Terms: Terms{Expires: c.every, Refresher: SideUAC}}, start)
		got := map[Timer]time.Duration{}
		for _, e := range effects {
			if a, ok := e.(Arm); ok {
				got[a.Timer] = a.After
			}
		}
		if got[TimerSession] != c.half || got[TimerExpire] != c.end {
			t.Errorf("%s: refresh after %v, BYE after %v", name, got[TimerSession], got[TimerExpire])
		}
	}
}

func TestSessionTimerRunsOnAfterARestart(t *testing.T) {
	s := walk(calling(t), GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer), Terms: Terms{Expires: 20 * time.Minute, Refresher: SideUAC}})
	for name, c := range map[string]struct {
		down            time.Duration
		refresh, expire time.Duration
	}{
		"after three seconds":              {3 * time.Second, 10*time.Minute - 3*time.Second, 20*time.Minute - Life - 3*time.Second},
		"after the refresh was due":        {12 * time.Minute, 0, 8*time.Minute - Life},
		"after the clock has jumped a day": {24 * time.Hour, 0, Life},
		"after it was set back a day":      {-24 * time.Hour, 10 * time.Minute, 20*time.Minute - Life},
	} {
		_, effects := Next(s, Restart{}, start.Add(c.down))
		got := map[Timer]time.Duration{}
		for _, e := range effects {
			if a, ok := e.(Arm); ok {
				got[a.Timer] = a.After
			}
		}
		if got[TimerSession] != c.refresh || got[TimerExpire] != c.expire {
			t.Errorf("%s: refresh in %v, want %v; BYE in %v, want %v", name, got[TimerSession], c.refresh, got[TimerExpire], c.expire)
		}
	}
	refreshing := walk(s, Fired{TimerSession})
	if got := walk(refreshing, Restart{}); got.Exchange.Turn != "" {
		t.Errorf("a refresh of the earlier process is still waited for: %+v", got.Exchange)
	}
}
