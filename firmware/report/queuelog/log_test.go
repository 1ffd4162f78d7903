package queuelog

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

var nine = time.Unix(1772442000, 0).UTC()

func at(seconds float64) time.Time { return nine.Add(time.Duration(seconds * float64(time.Second))) }

func join(call tel.CallID, s float64, priority int) tel.Event {
	return tel.QueueJoined{Queue: "sales", Call: call, Caller: "+390212345678", At: at(s), Due: at(s + 20), Priority: priority}
}

func leave(call tel.CallID, from, to float64, how tel.QueueOutcome, agent tel.AgentID) tel.Event {
	return tel.QueueLeft{Queue: "sales", Call: call, Joined: at(from), Left: at(to), Outcome: how, Agent: agent}
}

func log(t *testing.T, l *Log, events ...tel.Event) string {
	t.Helper()
	for _, e := range events {
		l.Take(at(0), e)
	}
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each case is worked out by hand from Asterisk's documentation of the events.
func TestEachEventHasItsParametersInTheirOrder(t *testing.T) {
	talk := tel.AgentInterval{Agent: "anna", State: tel.AgentTalking, Call: "c1", Queue: "sales", From: at(17), To: at(77)}
	answered := []tel.Event{
		join("c1", 0, 0),
		tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o1", Agent: "anna", At: at(12)},
		leave("c1", 0, 17.4, tel.OutcomeAnswered, "anna"), talk,
	}
	with := func(more ...tel.Event) []tel.Event { return append(append([]tel.Event{}, answered...), more...) }
	const entered, connected = "1772442000|c1|sales|NONE|ENTERQUEUE||+390212345678|1\n", "1772442017|c1|sales|anna|CONNECT|17|c1|5\n"
	for name, c := range map[string]struct {
		events []tel.Event
		want   string
	}{
		"the caller hung up": {with(tel.CallEnded{Call: "c1", Ended: at(77), EndedBy: "caller"}), entered + connected + "1772442077|c1|sales|anna|COMPLETECALLER|17|59|1\n"},
		"the agent hung up":  {with(tel.CallEnded{Call: "c1", Ended: at(78), EndedBy: "callee"}), entered + connected + "1772442077|c1|sales|anna|COMPLETEAGENT|17|59|1\n"},
		"sent on to a number": {
			with(tel.CallEnded{Call: "c1", Ended: at(200), EndedBy: "caller", Moves: []tel.Move{{At: at(77), Kind: tel.MoveBlind, To: "205"}}}),
			entered + connected + "1772442077|c1|sales|anna|BLINDTRANSFER|205||17|59|1\n",
		},
		"joined with another call": {
			with(tel.CallEnded{Call: "c1", Ended: at(77), EndedBy: "callee", Moves: []tel.Move{{At: at(77), Kind: tel.MoveInto, Call: "c9"}}}),
			entered + connected + "1772442077|c1|sales|anna|ATTENDEDTRANSFER|BRIDGE|c9|17|59|1\n",
		},
		"a transfer before the queue is none of it": {
			with(tel.CallEnded{Call: "c1", Ended: at(77), EndedBy: "caller", Moves: []tel.Move{{At: at(5), Kind: tel.MoveBlind, To: "205"}}}),
			entered + connected + "1772442077|c1|sales|anna|COMPLETECALLER|17|59|1\n",
		},
		"gave up as the second, after the first was served": {
			[]tel.Event{join("c0", -9, 0), join("c1", 0, 0), leave("c0", -9, 4, tel.OutcomeAnswered, "anna"), leave("c1", 0, 30.9, tel.OutcomeAbandoned, "")},
			"1772442000|c0|sales|NONE|ENTERQUEUE||+390212345678|1\n1772442000|c1|sales|NONE|ENTERQUEUE||+390212345678|2\n1772442004|c0|sales|anna|CONNECT|13|c0|0\n1772442030|c1|sales|NONE|ABANDON|1|2|30\n",
		},
		"who matters more stands before": {
			[]tel.Event{join("c0", -9, 0), join("c1", 0, 5), leave("c0", -9, 20, tel.OutcomeTimedOut, "")},
			"1772442000|c0|sales|NONE|ENTERQUEUE||+390212345678|1\n1772442000|c1|sales|NONE|ENTERQUEUE||+390212345678|1\n1772442020|c0|sales|NONE|EXITWITHTIMEOUT|2|1|29\n",
		},
		"left by a key":              {[]tel.Event{join("c1", 0, 0), leave("c1", 0, 8, tel.OutcomeExitKey, "")}, entered + "1772442008|c1|sales|NONE|EXITWITHKEY||1|1|8\n"},
		"asked to be called back":    {[]tel.Event{join("c1", 0, 0), leave("c1", 0, 8, tel.OutcomeCallback, "")}, entered + "1772442008|c1|sales|NONE|EXITWITHKEY|callback|1|1|8\n"},
		"nobody was there":           {[]tel.Event{join("c1", 0, 0), leave("c1", 0, 8, tel.OutcomeEmpty, "")}, entered + "1772442008|c1|sales|NONE|EXITEMPTY|1|1|8\n"},
		"moved to another queue":     {[]tel.Event{join("c1", 0, 0), leave("c1", 0, 8, tel.OutcomeWithdrawn, "")}, entered + "1772442008|c1|sales|NONE|WITHDRAW|1|1|8\n"},
		"was refused and never came": {[]tel.Event{leave("c1", 0, 0, tel.OutcomeRefused, "")}, ""},
		"told again after a restart": {[]tel.Event{join("c1", 0, 0), join("c1", 0, 0)}, entered},
		"an agent who did not answer, and a caller who gave up while another rang": {
			[]tel.Event{
				join("c1", 0, 0),
				tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o1", Agent: "anna", At: at(1)},
				tel.QueueOfferEnded{Queue: "sales", Call: "c1", Offer: "o1", Agent: "anna", Cause: tel.CauseNoAnswer, At: at(16)},
				tel.QueueOffered{Queue: "sales", Call: "c1", Offer: "o2", Agent: "bruno", At: at(16)},
				tel.QueueOfferEnded{Queue: "sales", Call: "c1", Offer: "o2", Agent: "bruno", Cause: tel.CauseCancelled, At: at(18.5)},
			},
			entered + "1772442016|c1|sales|anna|RINGNOANSWER|15000\n1772442018|c1|sales|bruno|RINGCANCELED|2500\n",
		},
		"a pause, another reason, and its end": {
			[]tel.Event{
				tel.AgentChanged{Agent: "anna", State: tel.AgentPaused, Reason: "lunch", Since: at(1)},
				tel.AgentChanged{Agent: "anna", State: tel.AgentPaused, Reason: "lunch", Since: at(1), Help: true},
				tel.AgentChanged{Agent: "anna", State: tel.AgentPaused, Reason: "mail", Since: at(2)},
				tel.AgentChanged{Agent: "anna", State: tel.AgentReady, Since: at(3)},
			},
			"1772442001|NONE|NONE|anna|PAUSEALL|lunch\n1772442002|NONE|NONE|anna|PAUSEALL|mail\n1772442003|NONE|NONE|anna|UNPAUSEALL|mail\n",
		},
		"in one queue": {
			[]tel.Event{
				tel.MembershipChanged{Queue: "sales", Agent: "anna", Reason: "mail", At: at(1)},
				tel.MembershipChanged{Queue: "sales", Agent: "anna", Serving: true, At: at(2)},
				tel.MembershipChanged{Queue: "sales", Agent: "anna", By: "sara", At: at(3)},
				tel.MembershipChanged{Queue: "sales", Agent: "anna", Serving: true, By: "sara", At: at(4)},
			},
			"1772442001|NONE|sales|anna|PAUSE|mail\n1772442002|NONE|sales|anna|UNPAUSE|\n1772442003|NONE|sales|anna|REMOVEMEMBER\n1772442004|NONE|sales|anna|ADDMEMBER\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := log(t, New(at(-3600), at(3600)), c.events...); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestOnlyWhatHappensInTheSpanIsWritten(t *testing.T) {
	events := []tel.Event{join("c1", -9, 0), leave("c1", -9, 4, tel.OutcomeAbandoned, "")}
	if got := log(t, New(at(1), at(100)), events...); got != "1772442004|c1|sales|NONE|ABANDON|1|1|13\n" {
		t.Errorf("a wait that began before: %q", got)
	}
	if got := log(t, New(at(-100), at(4)), events...); got != "1772442000|c1|sales|NONE|ENTERQUEUE||+390212345678|1\n" {
		t.Errorf("a wait that ends after: %q", got)
	}
}

func TestAgentsAreNotToldApartWithoutALegalBasis(t *testing.T) {
	l := New(at(-3600), at(3600))
	l.Anonymous = true
	got := log(t, l, join("c1", 0, 0), leave("c1", 0, 2, tel.OutcomeAnswered, "anna"),
		tel.AgentChanged{Agent: "anna", State: tel.AgentPaused, Since: at(1)}, tel.MembershipChanged{Queue: "sales", Agent: "anna", At: at(1)})
	if strings.Contains(got, "anna") || strings.Contains(got, "PAUSE") || !strings.Contains(got, "|Agent|CONNECT|") {
		t.Errorf("%s", got)
	}
}

// No name and no reason makes a field or a line of its own.
func FuzzALineStaysALine(f *testing.F) {
	f.Add("sales", "c1", "anna", "lunch")
	f.Add("a|b", "c\n1", "\x00", "1|NONE|NONE|x|PAUSEALL|\n")
	f.Fuzz(func(t *testing.T, queue, call, agent, reason string) {
		l := New(at(-3600), at(3600))
		l.Take(at(0), tel.QueueJoined{Queue: tel.QueueID(queue), Call: tel.CallID(call), Caller: tel.Number(reason), At: at(0)})
		l.Take(at(0), tel.AgentChanged{Agent: tel.AgentID(agent), State: tel.AgentPaused, Reason: reason, Since: at(1)})
		var b bytes.Buffer
		if err := l.Write(&b); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != 2 || strings.Count(lines[0], "|") != 7 || strings.Count(lines[1], "|") != 5 {
			t.Fatalf("%q", lines)
		}
		if _, err := strconv.ParseInt(strings.SplitN(lines[0], "|", 2)[0], 10, 64); err != nil {
			t.Fatal(err)
		}
	})
}
