package main_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// note waits for the NOTIFY that holds every word, and passes over what the box told before.
func note(t *testing.T, w *peer.Watch, words ...string) peer.Note {
	t.Helper()
	var last peer.Note
	for timeout := time.After(10 * time.Second); ; {
		select {
		case last = <-w.Notes:
			found := true
			for _, word := range words {
				found = found && strings.Contains(last.State+"\n"+last.Body, word)
			}
			if found {
				return last
			}
		case <-timeout:
			t.Fatalf("no NOTIFY says %q; the last one: %+v", words, last)
		}
	}
}

func subscribe(t *testing.T, p *peer.Peer, event, number string) *peer.Watch {
	t.Helper()
	w, err := p.Subscribe(t.Context(), event, number, time.Minute)
	if err != nil {
		t.Fatalf("%s of %s: %v", event, number, err)
	}
	return w
}

// A busy key shows who calls whom, through the death of the program; the person's state is the lamp's.
func TestKeysAndPresenceFollowACallThroughACrash(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 3, LoggedIn: 2})
	anna := phone(t, o, 201, hzCaller, nil)
	phone(t, o, 202, hzAgent, func(c *peer.Call) { c.Ring(); c.Answer() })
	carla := phone(t, o, 203, hzStranger, nil)
	o.Lamp(202, tel.AgentReady)
	callee, caller, mood := subscribe(t, carla, "dialog", "202"), subscribe(t, carla, "dialog", "201"), subscribe(t, carla, "presence", "202")
	note(t, callee, "active;expires=60", `entity="sip:202@`)
	note(t, mood, "<basic>open</basic>")

	c, err := anna.Dial(peer.Outgoing{To: "202"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the answer", c.Answered())
	note(t, callee, "<state>confirmed</state>", `direction="recipient"`, `display="Agent 201"`, ">sip:201@")
	note(t, caller, "<state>confirmed</state>", `direction="initiator"`, `display="Agent 202"`, ">sip:202@")
	before := note(t, mood, "<basic>closed</basic>", "On the phone")

	o.Kill()
	o.Until("the call to be taken over", func(n pbxtest.Now) bool { return len(n.Calls) == 1 && n.Agents["agent202"].State == tel.AgentInternal })
	after := note(t, mood, "<basic>closed</basic>")
	if after.CSeq <= before.CSeq+1000 {
		t.Errorf("CSeq %d before the crash, %d after it", before.CSeq, after.CSeq)
	}
	select {
	case n := <-callee.Notes: // the key was not dark in between
		if !strings.Contains(n.Body, "<state>confirmed</state>") || !strings.Contains(n.Body, ">sip:201@") {
			t.Errorf("the first NOTIFY after the crash: %+v", n)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no NOTIFY after the crash")
	}
	c.Hangup()
	within(t, "the end", c.Ended())
	note(t, callee, "<state>terminated</state>")
	note(t, mood, "<basic>open</basic>")
	if err := callee.Refresh(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	note(t, callee, "terminated;reason=timeout")
}

// A real phone shows that its colleague goes on pause, whose own key is lit.
func TestBaresipSeesItsColleaguePause(t *testing.T) {
	realPrograms(t)
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna := phone(t, o, 201, hzCaller, nil)
	o.Lamp(201, tel.AgentReady)
	key := subscribe(t, anna, "dialog", "*42")
	note(t, key, `entity="sip:*42@`)
	b := o.BaresipWatching(202, hzAgent, 201)
	b.Colleagues("Online")
	c, err := anna.Dial(peer.Outgoing{To: "*42"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the code", c.Ended())
	o.Lamp(201, tel.AgentPaused)
	b.Colleagues("Offline")
	note(t, key, "<state>confirmed</state>")
}

func TestPhonesReadTheirMailboxAndRegistrationsAndWriteToEachOther(t *testing.T) {
	o := bench.Start(t, pbxtest.Setup{Agents: 2})
	anna := phone(t, o, 201, hzCaller, nil)
	note(t, subscribe(t, anna, "message-summary", "201"), "Messages-Waiting: no", "Message-Account: sip:201@")
	note(t, subscribe(t, anna, "reg", "201"), `state="active"`, "<uri>sip:201@"+anna.Local().String()+"</uri>")
	if _, err := anna.Subscribe(t.Context(), "message-summary", "202", time.Minute); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), "403") {
		t.Errorf("the mailbox of somebody else: %v", err)
	}

	texts := make(chan string, 1)
	bruno, err := peer.New(peer.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Box: o.SIP, User: "202", Password: pbxtest.Password(202), Law: tone.ALaw,
		Texts: func(from, text string) { texts <- from + ": " + text },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bruno.Close)
	if err := anna.Text(t.Context(), "202", "Pronto?"); !errors.Is(err, peer.ErrStatus) || !strings.Contains(err.Error(), "480") {
		t.Errorf("a text to a phone that is not there: %v", err)
	}
	if _, err := bruno.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	o.Phone(202)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := anna.Text(ctx, "202", "Pronto?"); err != nil {
		t.Fatal(err)
	}
	if got := <-texts; got != "201: Pronto?" {
		t.Errorf("arrived: %q", got)
	}

	report := "VQSessionReport: CallTerm\r\nCallID: call-7\r\nLocalMetrics:\r\nQualityEst: MOSLQ=4.2 MOSCQ=4.1\r\n"
	if err := anna.Publish(ctx, "vq-rtcpxr", "application/vq-rtcpxr", report); err != nil {
		t.Fatal(err)
	}
	o.Says("sip_call=call-7 mos_lq=4.2")
}
