package core

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

const (
	offer  = "v=0\r\no=- 7 41 IN IP4 127.0.0.1\r\n"
	answer = "v=0\r\no=- 9 3 IN IP4 127.0.0.2\r\n"
)

func base() State {
	return State{
		ID: "us", CallID: "call", Local: "<sip:box@127.0.0.1>", Remote: "<sip:bob@127.0.0.2>", CSeq: 1,
		Flow: Flow{"udp", netip.MustParseAddrPort("127.0.0.1:5060"), netip.MustParseAddrPort("127.0.0.2:5060")},
	}
}

func bob() Peer {
	return Peer{Tag: "bob", Target: "sip:bob@127.0.0.2:5060", Routes: []string{"<sip:p1;lr>"}}
}
func eve() Peer { return Peer{Tag: "eve", Target: "sip:eve@127.0.0.3:5060"} }

// caller and callee walk a fresh state through the given events.
func caller(t *testing.T, events ...Event) State {
	t.Helper()
	s := base()
	s.Phase, s.Invite = Calling, Invite{CSeq: 1, Text: "INVITE"}
	s.LocalSDP = []byte(offer)
	return walk(s, append([]Event{Begin{}}, events...)...)
}

func callee(t *testing.T, events ...Event) State {
	t.Helper()
	s := base()
	s.Incoming, s.Phase, s.Invite = true, Offered, Invite{CSeq: 10, Text: "INVITE"}
	s.Peer = bob()
	s.Peer.CSeq = 10
	s.RemoteSDP = []byte(offer)
	return walk(s, append([]Event{Begin{}}, events...)...)
}

func walk(s State, events ...Event) State {
	for _, e := range events {
		s, _ = Next(s, e, start)
	}
	return s
}

// brief renders effects in the words of the tables below; timers only where they start.
func brief(effects []Effect) string {
	var w []string
	for _, e := range effects {
		switch e := e.(type) {
		case SendAck:
			w = append(w, fmt.Sprintf("ack %d %s", e.CSeq, e.Peer.Tag))
		case SendRequest:
			text := fmt.Sprintf("%s %d %s", strings.ToLower(e.Method), e.CSeq, e.Peer.Tag)
			if e.Cause != tel.CauseNone {
				text += " " + e.Cause.String()
			}
			for _, h := range e.Headers {
				text += " {" + h + "}"
			}
			if e.Method == "NOTIFY" {
				text = strings.TrimSpace(text + " " + string(e.Body))
			}
			w = append(w, text+briefTerms(e.Terms))
		case SendInvite:
			w = append(w, strings.TrimSpace("invite "+e.Authorization))
		case SendCancel:
			w = append(w, "cancel "+e.Cause.String())
		case Respond:
			text := fmt.Sprint(map[Txn]string{This: "", First: "first ", Theirs: "theirs ", Refer: "refer "}[e.To], e.Status)
			if e.RetryAfter > 0 {
				text += " later"
			}
			if e.RSeq > 0 {
				text += fmt.Sprint(" reliable ", e.RSeq)
			}
			if len(e.SDP) > 0 && e.RSeq > 0 {
				text += " sdp"
			}
			w = append(w, text+briefTerms(e.Terms))
		case Arm:
			w = append(w, "arm "+string(e.Timer))
		case Disarm:
		case Tell:
			text := strings.TrimPrefix(reflect.TypeOf(e.Notice).String(), "core.")
			switch n := e.Notice.(type) {
			case Ended:
				text += " " + n.Cause.String()
				if n.Remote {
					text += " remote"
				}
			case Rejected:
				text += fmt.Sprint(" ", n.Status)
			case ReofferDone:
				text += fmt.Sprint(" ", n.Status)
			case HandoverProgress:
				text += fmt.Sprint(" ", n.Status)
				if n.Final {
					text += " final"
				}
			case Updated:
				text += fmt.Sprint(" ", n.Status)
			case Provisional:
				text += fmt.Sprint(" ", n.Status)
			case Ignored:
				text += " " + n.Command
			}
			w = append(w, text)
		default:
			w = append(w, strings.ToLower(strings.TrimPrefix(reflect.TypeOf(e).String(), "core.")))
		}
	}
	return strings.Join(w, ", ")
}

func briefTerms(t Terms) string {
	var text string
	if t.Expires > 0 {
		text += fmt.Sprintf(" expires %s %s", t.Expires, t.Refresher)
	}
	if t.Min > 0 {
		text += fmt.Sprintf(" min %s", t.Min)
	}
	return text
}

// rows are the specification: RFC 3261 unless another one is named.
type row struct {
	name  string
	rfc   string
	from  State
	event Event
	phase Phase
	want  string
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			before, err := r.from.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, effects := Next(r.from, r.event, start)
			if got.Phase != r.phase || brief(effects) != r.want {
				t.Errorf("%s: from %s\n got %s: %s\nwant %s: %s", r.rfc, r.from.Phase, got.Phase, brief(effects), r.phase, r.want)
			}
			after, err := r.from.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) {
				t.Errorf("the state given to Next has changed:\n%s\n%s", before, after)
			}
		})
	}
}

func TestCallerFollowsTheRFC(t *testing.T) {
	ringing := GotProvisional{CSeq: 1, Status: 180, Peer: bob()}
	ok := GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer)}
	forked := GotSuccess{CSeq: 1, Peer: eve(), SDP: []byte(answer)}
	challenge := GotFailure{CSeq: 1, Status: 407, Nonce: "n1", Authorization: "Proxy-Authorization: x"}
	check(t, []row{
		{"a 100 only stops the wait for a first reply", "16.7", caller(t), GotProvisional{CSeq: 1, Status: 100}, Ringing, "save"},
		{"a 180 makes an early dialog", "12.1.2", caller(t), ringing, Ringing, "save, arm c, Provisional 180"},
		{"the same 180 again refreshes Timer C only", "16.6", caller(t, ringing), ringing, Ringing, "arm c, Provisional 180"},
		{"a 180 from another fork is a second early dialog", "12.1", caller(t, ringing), GotProvisional{CSeq: 1, Status: 180, Peer: eve()}, Ringing, "save, arm c, Provisional 180"},
		{"a provisional of an older INVITE is ignored", "17.1.3", caller(t), GotProvisional{CSeq: 7, Status: 180}, Calling, ""},
		{"a 2xx is acknowledged with the CSeq of the INVITE", "13.2.2.4", caller(t, ringing), ok, Up, "save, ack 1 bob, Answered"},
		{"a repeated 2xx is acknowledged again", "13.2.2.4", caller(t, ok), ok, Up, "ack 1 bob"},
		{"a forked 2xx is acknowledged and hung up", "13.2.2.4", caller(t, ok), forked, Up, "save, ack 1 eve, bye 2 eve answered_elsewhere"},
		{"a forked 2xx repeated is only acknowledged", "13.2.2.4", caller(t, ok, forked), forked, Up, "ack 1 eve"},
		{"a forked 2xx after the call is over is hung up", "13.2.2.4", caller(t, ok, GotRequest{Method: "BYE", CSeq: 1, Tag: "bob"}), forked, Lingering, "save, ack 1 eve, bye 2 eve answered_elsewhere, arm linger"},
		{"a rejection is reported, then the end", "13.2.2.3", caller(t, ringing), GotFailure{CSeq: 1, Status: 486}, Lingering, "save, Rejected 486, Ended busy remote, arm linger"},
		{"a late 2xx after a rejection is hung up", "13.2.2.4", caller(t, GotFailure{CSeq: 1, Status: 486}), ok, Lingering, "save, ack 1 bob, bye 2 bob busy, arm linger"},
		{"no reply at all is a 408", "8.1.3.1", caller(t), GotNothing{Timeout: true}, Lingering, "save, Rejected 408, Ended timeout, arm linger"},
		{"a transport error is a 503", "8.1.3.1", caller(t), GotNothing{}, Lingering, "save, Rejected 503, Ended network_failure, arm linger"},
		{"a challenge is answered with a new CSeq", "22.2", caller(t), challenge, Calling, "invite Proxy-Authorization: x, arm c"},
		{"the same nonce again means wrong credentials", "22.2", caller(t, challenge), GotFailure{CSeq: 2, Status: 407, Nonce: "n1", Authorization: "x"}, Lingering, "save, Rejected 407, Ended forbidden remote, arm linger"},
		{"a challenge without credentials is a rejection", "22.2", caller(t), GotFailure{CSeq: 1, Status: 401, Nonce: "n"}, Lingering, "save, Rejected 401, Ended forbidden remote, arm linger"},
		{"giving up before any reply holds the CANCEL back", "9.1", caller(t), DoHangup{tel.CauseCancelled}, Cancelling, "save, Ended cancelled, arm cancel"},
		{"the held CANCEL leaves on the first provisional", "9.1", caller(t, DoHangup{tel.CauseCancelled}), ringing, Cancelling, "save, cancel cancelled, arm cancel"},
		{"giving up a ringing call sends CANCEL", "9.1", caller(t, ringing), DoHangup{tel.CauseAnsweredElsewhere}, Cancelling, "save, Ended answered_elsewhere, cancel answered_elsewhere, arm cancel"},
		{"a second provisional does not repeat the CANCEL", "9.1", caller(t, ringing, DoHangup{}), ringing, Cancelling, ""},
		{"CANCEL answered by 487", "9.1", caller(t, ringing, DoHangup{}), GotFailure{CSeq: 1, Status: 487}, Lingering, "save, arm linger"},
		{"CANCEL crossing a 2xx ends in ACK and BYE", "15", caller(t, ringing, DoHangup{}), ok, Ending, "save, ack 1 bob, bye 2 bob normal, arm bye"},
		{"a CANCEL that nobody answers is given up", "9.1", caller(t, ringing, DoHangup{}), Fired{TimerCancel}, Lingering, "save, arm linger"},
		{"a late 2xx after that is still hung up", "13.2.2.4", caller(t, ringing, DoHangup{}, Fired{TimerCancel}), ok, Lingering, "save, ack 1 bob, bye 2 bob normal, arm linger"},
		{"Timer C cancels", "16.8", caller(t, ringing), Fired{TimerC}, Cancelling, "save, Ended no_answer, cancel no_answer, arm cancel"},
		{"a BYE of the callee in an early dialog is refused", "15", caller(t, ringing), GotRequest{Method: "BYE", CSeq: 1, Tag: "bob"}, Ringing, "save, 481"},
		{"a re-INVITE against our open INVITE is 491", "14.2", caller(t, ringing), GotRequest{Method: "INVITE", CSeq: 1, Tag: "bob"}, Ringing, "save, 491"},
		{"our BYE is answered", "15.1.1", caller(t, ok, DoHangup{}), GotReply{Sent: SendRequest{Method: "BYE", CSeq: 2}, Status: 200}, Lingering, "save, arm linger"},
		{"a provisional to our BYE changes nothing", "15.1.1", caller(t, ok, DoHangup{}), GotReply{Sent: SendRequest{Method: "BYE", CSeq: 2}, Status: 100}, Ending, ""},
		{"our BYE without reply", "15.1.1", caller(t, ok, DoHangup{}), Fired{TimerBye}, Lingering, "save, arm linger"},
		{"our BYE challenged by the carrier", "22.2", caller(t, ok, DoHangup{}), GotReply{Sent: SendRequest{Method: "BYE", CSeq: 2, Peer: bob()}, Status: 407, Authorization: "x"}, Ending, "save, bye 3 bob"},
		{"BYE crossing ours gets its 200", "15.1.2", caller(t, ok, DoHangup{}), GotRequest{Method: "BYE", CSeq: 1, Tag: "bob"}, Lingering, "save, 200, arm linger"},
		{"the end of the linger forgets the call", "13.2.2.4", caller(t, GotNothing{}), Fired{TimerLinger}, Gone, "drop, close"},
	})
}

func TestCalleeFollowsTheRFC(t *testing.T) {
	accept := DoAccept{SDP: []byte(answer)}
	ack := GotAck{CSeq: 10}
	check(t, []row{
		{"ringing", "13.3.1.1", callee(t), DoProvisional{Status: 180}, Offered, "save, first 180, arm refresh"},
		{"the provisional is repeated each minute", "13.3.1.1", callee(t, DoProvisional{Status: 183, SDP: []byte(answer)}), Fired{TimerRefresh}, Offered, "first 183, arm refresh"},
		{"a 100 is the transaction's business", "17.2.1", callee(t), DoProvisional{Status: 100}, Offered, "Ignored provisional"},
		{"accepting", "13.3.1.4", callee(t), accept, Accepted, "save, first 200, arm resend, arm ack"},
		{"accepting twice", "13.3.1.4", callee(t, accept), accept, Accepted, "Ignored accept"},
		{"accepting without an answer", "13.2.1", callee(t), DoAccept{}, Offered, "Ignored accept"},
		{"the 2xx is repeated until the ACK", "13.3.1.4", callee(t, accept), Fired{TimerResend}, Accepted, "resend, arm resend"},
		{"the ACK confirms", "13.3.1.4", callee(t, accept), ack, Up, "save, Confirmed"},
		{"a second ACK is nothing new", "13.3.1.4", callee(t, accept, ack), ack, Up, ""},
		{"an ACK of another INVITE", "17.1.1.3", callee(t, accept), GotAck{CSeq: 9}, Accepted, ""},
		{"without ACK the call is hung up", "13.3.1.4", callee(t, accept), Fired{TimerAck}, Ending, "save, Ended timeout, bye 2 bob timeout, arm bye"},
		{"hanging up before the ACK waits for it", "15", callee(t, accept), DoHangup{}, Accepted, "save, Ended normal"},
		{"and then sends BYE", "15", callee(t, accept, DoHangup{}), ack, Ending, "save, bye 2 bob normal, arm bye"},
		{"rejecting", "13.3.1.3", callee(t), DoReject{Status: 486}, Lingering, "save, first 486, Ended busy, arm linger, drop"},
		{"hanging up an unanswered call rejects it", "13.3.1.3", callee(t), DoHangup{tel.CauseNoAnswer}, Lingering, "save, first 480, Ended no_answer, arm linger"},
		{"CANCEL is answered with 487", "9.2", callee(t, DoProvisional{Status: 180}), GotCancel{Of: First}, Lingering, "save, first 487, Ended cancelled remote, arm linger"},
		{"CANCEL answered elsewhere", "RFC 3326", callee(t), GotCancel{Of: First, Cause: tel.CauseAnsweredElsewhere}, Lingering, "save, first 487, Ended answered_elsewhere remote, arm linger"},
		{"CANCEL after our 2xx has no effect", "9.2", callee(t, accept), GotCancel{Of: First}, Accepted, ""},
		{"BYE in the early dialog", "15.1.2", callee(t), GotRequest{Method: "BYE", CSeq: 11, Tag: "bob"}, Lingering, "save, 200, first 487, Ended cancelled remote, arm linger"},
		{"BYE before the ACK", "15.1.2", callee(t, accept), GotRequest{Method: "BYE", CSeq: 11, Tag: "bob"}, Lingering, "save, 200, Ended normal remote, arm linger"},
		{"an unanswered call ends at last", "13.3.1", callee(t), Fired{TimerLimit}, Lingering, "save, first 480, Ended no_answer, arm linger"},
		{"a second INVITE before our final response", "14.2", callee(t), GotRequest{Method: "INVITE", CSeq: 11, Tag: "bob"}, Offered, "save, 500 later"},
		{"UPDATE with an offer before our answer", "RFC 3311 5.2", callee(t), GotRequest{Method: "UPDATE", CSeq: 11, Tag: "bob", SDP: []byte(offer)}, Offered, "save, 500 later"},
		{"UPDATE without an offer", "RFC 3311 5.2", callee(t), GotRequest{Method: "UPDATE", CSeq: 11, Tag: "bob"}, Offered, "save, 200"},
	})
}

func TestEstablishedDialogFollowsTheRFC(t *testing.T) {
	up := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	in := func(method string, cseq uint32, sdp string) GotRequest {
		return GotRequest{Method: method, CSeq: cseq, Tag: "bob", SDP: []byte(sdp), Target: "sip:new@127.0.0.9"}
	}
	reoffered := walk(up, in("INVITE", 11, offer))
	sent := SendRequest{Method: "INVITE", CSeq: 2, Peer: bob(), Body: []byte(answer)}
	offering := walk(up, DoReoffer{[]byte(answer)})
	waiting := walk(offering, GotReply{Sent: sent, Status: 491, Dice: 7})
	check(t, []row{
		{"INFO is answered and reported", "RFC 6086", up, in("INFO", 11, ""), Up, "save, 200, Info"},
		{"OPTIONS is answered", "11.2", up, in("OPTIONS", 11, ""), Up, "save, 200"},
		{"an unknown method", "8.2.1", up, in("FOO", 11, ""), Up, "save, 405"},
		{"a CSeq that goes back", "12.2.2", up, in("INFO", 9, ""), Up, "500 later"},
		{"a CSeq used twice", "12.2.2", up, in("BYE", 10, ""), Up, "500 later"},
		{"a CSeq that jumps", "12.2.2", up, in("INFO", 4000, ""), Up, "save, 200, Info"},
		{"their BYE", "15.1.2", up, in("BYE", 11, ""), Lingering, "save, 200, Ended normal remote, arm linger"},
		{"their BYE again in a new transaction", "15.1.2", walk(up, in("BYE", 11, "")), in("BYE", 12, ""), Lingering, "save, 200"},
		{"a request after the end", "12.2.2", walk(up, in("BYE", 11, "")), in("INFO", 12, ""), Lingering, "save, 481"},
		{"re-INVITE goes to the application", "14.2", up, in("INVITE", 11, offer), Up, "save, arm answer, Reoffered"},
		{"a second one meanwhile", "14.2", reoffered, in("INVITE", 12, offer), Up, "save, 500 later"},
		{"the answer starts retransmission", "14.2", reoffered, DoAnswerReoffer{[]byte(answer)}, Up, "save, theirs 200, arm resend, arm ack"},
		{"its repetition", "13.3.1.4", walk(reoffered, DoAnswerReoffer{[]byte(answer)}), Fired{TimerResend}, Up, "resend, arm resend"},
		{"its ACK", "14.2", walk(reoffered, DoAnswerReoffer{[]byte(answer)}), GotAck{CSeq: 11}, Up, "save"},
		{"who makes an offer again has had it: its ACK was lost", "14.1", walk(reoffered, DoAnswerReoffer{[]byte(answer)}), in("INVITE", 12, offer), Up, "save, arm answer, Reoffered"},
		{"also by UPDATE", "14.1", walk(reoffered, DoAnswerReoffer{[]byte(answer)}), in("UPDATE", 12, offer), Up, "save, arm answer, Reoffered"},
		{"also to the process after the one that read it", "14.1", walk(reoffered, DoAnswerReoffer{[]byte(answer)}, Restart{}), in("INVITE", 12, offer), Up, "save, arm answer, Reoffered"},
		{"not where the ACK is to bring an answer", "14.1", walk(up, in("INVITE", 11, ""), DoAnswerReoffer{[]byte(answer)}), in("INVITE", 12, offer), Up, "save, 491"},
		{"its missing ACK ends the call", "14.2", walk(reoffered, DoAnswerReoffer{[]byte(answer)}), Fired{TimerAck}, Ending, "save, Ended timeout, bye 2 bob timeout, arm bye"},
		{"the rejection leaves the session", "14.2", reoffered, DoRejectReoffer{488}, Up, "save, theirs 488"},
		{"a forgotten answer is a rejection", "14.2", reoffered, Fired{TimerAnswer}, Up, "save, theirs 488"},
		{"CANCEL of a re-INVITE", "9.2", reoffered, GotCancel{Of: Theirs}, Up, "save, theirs 487"},
		{"BYE while a re-INVITE waits", "15.1.2", reoffered, in("BYE", 12, ""), Lingering, "save, 200, theirs 487, Ended normal remote, arm linger"},
		{"UPDATE goes to the application", "RFC 3311 5.2", up, in("UPDATE", 11, offer), Up, "save, arm answer, Reoffered"},
		{"and its answer needs no ACK", "RFC 3311 5.2", walk(up, in("UPDATE", 11, offer)), DoAnswerReoffer{[]byte(answer)}, Up, "save, theirs 200"},
		{"an answer to nothing", "14.2", up, DoAnswerReoffer{[]byte(answer)}, Up, "Ignored answer reoffer"},
		{"our re-INVITE", "14.1", up, DoReoffer{[]byte(answer)}, Up, "save, invite 2 bob, arm reoffer"},
		{"a second one meanwhile waits for the application", "14.1", offering, DoReoffer{[]byte(answer)}, Up, "ReofferDone 491"},
		{"theirs against ours", "14.2", offering, in("INVITE", 11, offer), Up, "save, 491"},
		{"UPDATE against ours", "RFC 3311 5.2", offering, in("UPDATE", 11, offer), Up, "save, 491"},
		{"ours accepted", "14.1", offering, GotReply{Sent: sent, Status: 200, SDP: []byte(offer)}, Up, "save, ack 2 bob, ReofferDone 200"},
		{"its 2xx again", "13.2.2.4", walk(offering, GotReply{Sent: sent, Status: 200}), GotReply{Sent: sent, Status: 200}, Up, "ack 2 bob"},
		{"ours refused", "14.1", offering, GotReply{Sent: sent, Status: 488}, Up, "save, ReofferDone 488"},
		{"ours met theirs", "14.1", offering, GotReply{Sent: sent, Status: 491}, Up, "save, arm glare"},
		{"and is sent again", "14.1", waiting, Fired{TimerGlare}, Up, "save, invite 3 bob, arm reoffer"},
		{"unless theirs comes first", "14.1", waiting, in("INVITE", 11, offer), Up, "save, ReofferDone 491, arm answer, Reoffered"},
		{"ours unknown to the peer", "12.2.1.2", offering, GotReply{Sent: sent, Status: 481}, Lingering, "save, Ended network_failure remote, arm linger"},
		{"ours without reply", "12.2.1.2", offering, GotReply{Sent: sent, Status: 408, Silent: true}, Ending, "save, Ended timeout, bye 3 bob timeout, arm bye"},
		{"ours challenged", "22.2", offering, GotReply{Sent: sent, Status: 407, Authorization: "x"}, Up, "save, invite 3 bob, arm reoffer"},
		{"ours late is cancelled", "14.1", offering, Fired{TimerReoffer}, Up, "save, cancelreoffer, arm reoffer"},
		{"and at last hung up", "14.1", walk(offering, Fired{TimerReoffer}), Fired{TimerReoffer}, Ending, "save, Ended timeout, bye 3 bob timeout, arm bye"},
		{"hanging up", "15.1.1", up, DoHangup{tel.CauseMediaTimeout}, Ending, "save, Ended media_timeout, bye 2 bob media_timeout, arm bye"},
		{"our INFO", "RFC 6086", up, DoInfo{"application/dtmf-relay", []byte("Signal=5")}, Up, "save, info 2 bob"},
		{"our INFO unknown to the peer", "12.2.1.2", up, GotReply{Sent: SendRequest{Method: "INFO", CSeq: 2}, Status: 481}, Lingering, "save, Ended network_failure remote, arm linger"},
	})
}

func TestRestartTakesUpEveryPhase(t *testing.T) {
	ringing := GotProvisional{CSeq: 1, Status: 180, Peer: bob()}
	ok := GotSuccess{CSeq: 1, Peer: bob(), SDP: []byte(answer)}
	up := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	reinvite := GotRequest{Method: "INVITE", CSeq: 11, Tag: "bob", SDP: []byte(offer), Text: "INVITE"}
	challenged := caller(t, GotFailure{CSeq: 1, Status: 401, Nonce: "n", Authorization: "Authorization: x"})
	bye := GotRequest{Method: "BYE", CSeq: 11, Tag: "bob"}
	lost := caller(t, ok, GotSuccess{CSeq: 1, Peer: eve(), SDP: []byte(answer)})
	check(t, []row{
		{"an INVITE that had not left is no call", "8.1.3.1", challenged, Restart{}, Lingering, "save, Rejected 503, Ended network_failure, arm linger"},
		{"and is not cancelled", "9.1", walk(challenged, DoHangup{}), Restart{}, Lingering, "save, arm linger"},
		{"a ringing call of ours can still be answered", "12", caller(t, ringing), Restart{}, Ringing, "save, readopt, arm c"},
		{"one whose ringing nobody heard can be cancelled at once", "9.1", walk(caller(t), Restart{}), DoHangup{}, Cancelling, "save, Ended normal, cancel normal, arm cancel"},
		{"one that waited for the provisional is cancelled", "9.1", caller(t, DoHangup{}), Restart{}, Cancelling, "save, readopt, cancel normal, arm cancel"},
		{"a cancelled one is cancelled again", "9.1", caller(t, ringing, DoHangup{}), Restart{}, Cancelling, "save, readopt, cancel normal, arm cancel"},
		{"an unanswered call of theirs can still be answered", "13.3", callee(t, DoProvisional{Status: 180}), Restart{}, Offered, "save, readopt, arm limit, arm refresh"},
		{"an accepted one repeats its 2xx", "13.3.1.4", callee(t, DoAccept{SDP: []byte(answer)}), Restart{}, Accepted, "save, readopt, resend, arm resend, arm ack"},
		{"an established one is silent", "12", up, Restart{}, Up, "save"},
		{"their open re-INVITE is sent back for a second try", "14.2", walk(up, reinvite), Restart{}, Up, "save, readopt, theirs 500 later"},
		{"our open re-INVITE is reported", "14.1", walk(up, DoReoffer{[]byte(answer)}), Restart{}, Up, "save, ReofferDone 491"},
		{"and again by the next process, as long as nobody knows what they have", "14.1", walk(up, DoReoffer{[]byte(answer)}, Restart{}), Restart{}, Up, "save, ReofferDone 491"},
		{"also beside their own", "14.2", walk(up, DoReoffer{[]byte(answer)}, Restart{}, reinvite), Restart{}, Up, "save, readopt, theirs 500 later, ReofferDone 491"},
		{"until they have taken another one", "14.1", walk(up, DoReoffer{[]byte(answer)}, Restart{}, DoReoffer{[]byte(answer)}, GotReply{Sent: SendRequest{Method: "INVITE", CSeq: 1003}, Status: 200}), Restart{}, Up, "save"},
		{"not if they have refused it", "14.1", walk(up, DoReoffer{[]byte(answer)}, Restart{}, DoReoffer{[]byte(answer)}, GotReply{Sent: SendRequest{Method: "INVITE", CSeq: 1003}, Status: 488}), Restart{}, Up, "save, ReofferDone 491"},
		{"or we one of theirs", "14.2", walk(up, DoReoffer{[]byte(answer)}, Restart{}, reinvite, DoAnswerReoffer{[]byte(answer)}, GotAck{CSeq: 11}), Restart{}, Up, "save"},
		{"nothing is unknown of one that met theirs", "14.1", walk(up, DoReoffer{[]byte(answer)}, GotReply{Sent: SendRequest{Method: "INVITE", CSeq: 2}, Status: 491}, Restart{}), Restart{}, Up, "save"},
		{"its 2xx is acknowledged by the next process, whoever has called", "13.3.1.4", walk(up, DoReoffer{[]byte(answer)}, Restart{}), GotSuccess{CSeq: 2, Peer: bob()}, Up, "ack 2 bob"},
		{"and where we have called", "13.3.1.4", walk(caller(t, ok), DoReoffer{[]byte(answer)}, Restart{}), GotSuccess{CSeq: 2, Peer: bob()}, Up, "ack 2 bob"},
		{"a stranger's is not", "13.3.1.4", walk(up, DoReoffer{[]byte(answer)}, Restart{}), GotSuccess{CSeq: 2, Peer: eve()}, Up, ""},
		{"nor one before the call was answered", "13.3.1.4", callee(t), GotSuccess{CSeq: 2, Peer: bob()}, Offered, ""},
		{"our 2xx to their re-INVITE is repeated", "14.2", walk(up, reinvite, DoAnswerReoffer{[]byte(answer)}), Restart{}, Up, "save, readopt, resend, arm resend, arm ack"},
		{"our BYE is repeated with a CSeq of its own", "15.1.1", walk(up, DoHangup{}), Restart{}, Ending, "save, bye 1003 bob normal, arm bye"},
		{"a finished call still hangs up late forks", "13.2.2.4", caller(t, ok, DoHangup{}, Fired{TimerBye}), Restart{}, Lingering, "save, arm linger"},
		{"a fork whose BYE has no answer is hung up again", "13.2.2.4", lost, Restart{}, Up, "save, bye 1003 eve answered_elsewhere"},
		{"one that has answered is not", "13.2.2.4", walk(lost, GotReply{Sent: SendRequest{Method: "BYE", CSeq: 2, Peer: eve(), Loser: true}, Status: 481}), Restart{}, Up, "save"},
		{"a call that is over hangs it up, too", "13.2.2.4", walk(lost, GotRequest{Method: "BYE", CSeq: 1, Tag: "bob"}), Restart{}, Lingering, "save, bye 1003 eve answered_elsewhere, arm linger"},
		{"our refusal is repeated", "17.2.1", callee(t, DoHangup{tel.CauseBusy}), Restart{}, Lingering, "save, readopt, arm linger"},
		{"and what answers their CANCEL", "9.2", callee(t, GotCancel{Of: First}), Restart{}, Lingering, "save, readopt, arm linger"},
		{"and their BYE in the early dialog", "15.1.2", callee(t, DoProvisional{Status: 180}, bye), Restart{}, Lingering, "save, readopt, arm linger"},
		{"which gets its 200 when it comes again", "17.2.2", walk(callee(t, DoProvisional{Status: 180}, bye), Restart{}), bye, Lingering, "200"},
		{"as their BYE does that ended the talk", "17.2.2", walk(up, bye, Restart{}), bye, Lingering, "200"},
		{"but of nobody else", "12.2.2", walk(up, bye, Restart{}), GotRequest{Method: "BYE", CSeq: 11, Tag: "eve"}, Lingering, "500 later"},
		{"and no other request", "12.2.2", walk(up, bye, Restart{}), GotRequest{Method: "INFO", CSeq: 11, Tag: "bob"}, Lingering, "500 later"},
	})
	if got := walk(up, Restart{}).CSeq; got != up.CSeq+1000 {
		t.Errorf("local CSeq after a restart = %d, want %d", got, up.CSeq+1000)
	}
}

func TestRetransmissionOfOur2xxDoublesUpToT2(t *testing.T) {
	s := callee(t, DoAccept{SDP: []byte(answer)})
	var got []time.Duration
	for range 6 {
		var effects []Effect
		s, effects = Next(s, Fired{TimerResend}, start)
		got = append(got, effects[1].(Arm).After)
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("intervals %v, want %v", got, want)
	}
}

func TestGlareBackoffKeepsTheTwoRangesApart(t *testing.T) {
	for dice := range uint32(5000) {
		if d := backoff(true, dice); d < 0 || d > 2*time.Second {
			t.Fatalf("not the owner of the Call-ID: %v", d)
		}
		if d := backoff(false, dice); d < 2100*time.Millisecond || d > 4*time.Second {
			t.Fatalf("owner of the Call-ID: %v", d)
		}
	}
}

func TestTargetRefreshTakesEffectWithThe2xx(t *testing.T) {
	up := callee(t, DoAccept{SDP: []byte(answer)}, GotAck{CSeq: 10})
	in := GotRequest{Method: "INVITE", CSeq: 11, Tag: "bob", SDP: []byte(offer), Target: "sip:new@127.0.0.9"}
	if got := walk(up, in, DoRejectReoffer{488}).Peer.Target; got != bob().Target {
		t.Errorf("after a rejected re-INVITE the target is %q", got)
	}
	if got := walk(up, in, DoAnswerReoffer{[]byte(answer)}).Peer.Target; got != "sip:new@127.0.0.9" {
		t.Errorf("after an accepted re-INVITE the target is %q", got)
	}
	sent := SendRequest{Method: "INVITE", CSeq: 2}
	if got := walk(up, DoReoffer{[]byte(answer)}, GotReply{Sent: sent, Status: 200, Target: "sip:x@y"}).Peer.Target; got != "sip:x@y" {
		t.Errorf("after our accepted re-INVITE the target is %q", got)
	}
}

func TestOfferlessInviteGetsItsAnswerInTheAck(t *testing.T) {
	s := callee(t)
	s.Offerless, s.RemoteSDP = true, nil
	s, _ = Next(s, DoAccept{SDP: []byte(offer)}, start)
	s, effects := Next(s, GotAck{CSeq: 10, SDP: []byte(answer)}, start)
	var got []byte
	for _, e := range effects {
		if tell, ok := e.(Tell); ok {
			got = tell.Notice.(Confirmed).SDP
		}
	}
	if string(got) != answer || string(s.RemoteSDP) != answer {
		t.Errorf("Confirmed carries %q, remote SDP %q", got, s.RemoteSDP)
	}
	if s.SDPVersion != 41 {
		t.Errorf("o= version %d, want 41", s.SDPVersion)
	}
}

func TestAnswerOfAnEarlierProvisionalStandsWhenThe2xxHasNone(t *testing.T) {
	s := caller(t, GotProvisional{CSeq: 1, Status: 183, Peer: bob(), SDP: []byte(answer)})
	s, _ = Next(s, GotSuccess{CSeq: 1, Peer: bob()}, start)
	if string(s.RemoteSDP) != answer {
		t.Errorf("remote SDP %q", s.RemoteSDP)
	}
}
